"""The text of a netlist: files, statements with their continuations, waivers, libraries.

Source: ngspice manual, chapter 2 (lines, comments, includes, library sections).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cosim.errors import ConfigurationError
from cosim.files import read_regular
from cosim.netlist.model import Waiver
from cosim.netlist.statement import Statement
from cosim.netlist.trust import is_trusted

MAXIMUM_BYTE = 32 * 2**20
"""Of a netlist file."""

_WAIVER = re.compile(r"^\*\s*cosim:\s*allow\s+(\S+)(?:\s+because\b(.*)|.*)$", re.IGNORECASE)
_SUBCIRCUIT = re.compile(
    r"^[ \t]*\.subckt[ \t]+(\S+)(.*(?:\n[ \t]*\+.*)*)", re.IGNORECASE | re.MULTILINE
)
_PARAMETER = re.compile(r"([a-z_]\w*)\s*(?:\([^()]*\))?\s*=(?!=)", re.IGNORECASE)
_INCLUDE = re.compile(r"^\s*\.include\s+[\"']?([\w.]+)", re.IGNORECASE | re.MULTILINE)
_BIN = re.compile(r"\.\d+$")
_MODEL = re.compile(r"^\s*\.model\s+(\S+)", re.IGNORECASE | re.MULTILINE)


def read_text(path: Path) -> str:
    """The text of a netlist file: UTF-8, or Latin-1 as older tools write it.

    Raises:
        ConfigurationError: it cannot be read, or is no text.
    """
    try:
        raw = read_regular(path, MAXIMUM_BYTE)
    except OSError as error:
        raise ConfigurationError(
            f"The netlist {path} cannot be read: {error}. Give the path of a SPICE netlist."
        ) from None
    if b"\0" in raw or raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigurationError(f"{path} is no netlist: it holds binary data.")
    try:
        return raw.decode("utf8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def statements(text: str, titled: bool) -> Iterator[tuple[int, str]]:
    """(line number, statement) with continuations joined and comments left out."""
    held, held_line = "", 0
    for line, raw in enumerate(text.splitlines(), start=1):
        if titled and line == 1:
            continue
        stripped = re.split(r"\s\$\s|;|\s//\s", raw, maxsplit=1)[0].strip()
        if stripped.startswith("+"):
            held += " " + stripped[1:]
            continue
        if not stripped or stripped.startswith(("*", "#", "$")):
            continue
        if held:
            yield held_line, held
        held, held_line = stripped, line
        if stripped.lower() == ".end":
            break
    if held and held.lower() != ".end":
        yield held_line, held


def waivers(text: str, file: str) -> list[Waiver]:
    """The comments that allow a rule."""
    found = []
    for line, raw in enumerate(text.splitlines(), start=1):
        if match := _WAIVER.match(raw.strip()):
            statement = Statement(line, raw, file)
            found.append(Waiver(statement, match[1].lower(), (match[2] or "").strip()))
    return found


def library_section(content: list[tuple[int, str]], section: str) -> list[tuple[int, str]] | None:
    """The statements between `.lib SECTION` and `.endl`; None where there is no such section."""
    inside, kept, exists = False, [], False
    for line, text in content:
        words = text.lower().split()
        if words[0] == ".lib" and len(words) == 2:
            inside = words[1].strip("'\"") == section.lower()
            exists = exists or inside
        elif words[0] == ".endl":
            inside = False
        elif inside:
            kept.append((line, text))
    return kept if exists else None


@dataclass(frozen=True)
class Library:
    """What a process library offers, all its sections together: ports and arguments by subcircuit,
    names of parameters and models.
    """

    subcircuits: dict[str, tuple[tuple[str, ...], frozenset[str]]]
    parameters: frozenset[str]
    models: frozenset[str]


@cache
def _resolved(folder: Path) -> Path:
    """Of an installed package: asked for with every include of every netlist."""
    return folder.resolve()


def is_process_library(file: Path) -> bool:
    """Whether it is one of the installed process's own files, or of a trusted folder."""
    from cosim.process.installed import InstalledProcess  # PySpice comes with it
    from cosim.process.process import processes

    folders = [
        _resolved(folder)
        for process in processes().values()
        if issubclass(process, InstalledProcess) and (folder := process.installed_folder())
    ]
    return file.is_file() and (file.parent in folders or is_trusted(file))


@cache
def process_library(file: Path) -> Library:
    """Read the names of a process library, not the insides of its subcircuits."""
    text = _with_includes(file)
    subcircuits = {}
    for match in _SUBCIRCUIT.finditer(text):
        rest = match[2].lower().replace("\n", " ").replace("+", " ")
        head = re.split(r"\bparams:|\s\w+\s*=", rest, maxsplit=1)[0]
        arguments = frozenset(_PARAMETER.findall(rest))
        subcircuits[match[1].lower()] = (tuple(head.split()), arguments)
    parameters: set[str] = set()
    within = False
    for raw in text.splitlines():
        line = raw.strip()
        within = line.lower().startswith(".param") or (within and line.startswith(("+", "*")))
        if within:
            parameters.update(name.lower() for name in _PARAMETER.findall(line))
    models = frozenset(_BIN.sub("", name.lower()) for name in _MODEL.findall(text))
    return Library(subcircuits, frozenset(parameters), models)


def _with_includes(file: Path) -> str:
    """The library's text, then that of each file of its folder that it includes."""
    text = file.read_text(encoding="latin-1")
    names = dict.fromkeys(_INCLUDE.findall(text))
    return "\n".join(
        [text, *(_with_includes(path) for name in names if (path := file.parent / name).is_file())]
    )
