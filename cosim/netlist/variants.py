"""Variants of a netlist's text: other parameters, corner, temperature; a process's models."""

import difflib
import re
from collections.abc import Iterator, Mapping

from cosim.errors import ConfigurationError
from cosim.netlist.reading import statements, waivers
from cosim.netlist.units import si
from cosim.process.process import find_process

CORNERS = frozenset({"typical", "tt", "ff", "ss", "fs", "sf"})
"""What library sections of corners are called."""

_INCLUDE = re.compile(r"""^(\.(?:include|inc|lib))\s+("[^"]*"|'[^']*'|\S+)(.*)$""", re.IGNORECASE)
_PARAMETER = re.compile(r"""(\w+)\s*=\s*(\{[^}]*\}|'[^']*'|"[^"]*"|[^\s=]+)""")
_TEMPERATURE = re.compile(r"\btemp\s*=\s*\S+", re.IGNORECASE)


def placed_statements(text: str) -> Iterator[tuple[str, bool]]:
    """Statements, and whether they are inside a subcircuit."""
    depth = 0
    for _, statement in statements(text, titled=True):
        word = statement.split()[0].lower()
        depth += word == ".subckt"
        yield statement, depth > 0
        depth -= word == ".ends"


def joined(text: str, lines: list[str]) -> str:
    """The netlist with these statements: the title and the waivers stay."""
    kept = [waiver.statement.text for waiver in waivers(text, "")]
    return "\n".join([text.partition("\n")[0], *kept, *lines, ""])


def parameters_of(text: str) -> dict[str, str]:
    """Values or expressions of its `.param` lines, by name in lower case."""
    found: dict[str, str] = {}
    for statement, inside in placed_statements(text):
        if not inside and statement.lower().startswith(".param"):
            found |= {name.lower(): value for name, value in _PARAMETER.findall(statement)}
    return found


def given_parameters(
    title: str, given: Mapping[str, float | str], known: Mapping[str, str]
) -> dict[str, str]:
    """Values by name in lower case, as they are written into the netlist.

    Raises:
        ConfigurationError: there is no such parameter, or that is no number.
    """
    values = {name.lower(): repr(si(value, f"'{name}'")) for name, value in given.items()}
    for name in values:
        if name not in known:
            raise ConfigurationError(_unknown(title, name, known))
    return values


def names_corner(line: str) -> bool:
    """Whether it is a `.lib` line whose section is a corner."""
    match = _INCLUDE.match(line)
    return bool(match and match[3].strip().lower() in CORNERS)


def changed(
    statement: str,
    inside: bool,
    given: Mapping[str, str],
    corner: str | None,
    temperature: float | None,
) -> str:
    """A statement as it is in a variant; arguments as of `Netlist.given`."""
    word = statement.split()[0].lower()
    if word == ".param" and not inside and given:
        return _PARAMETER.sub(
            lambda match: f"{match[1]}={given.get(match[1].lower(), match[2])}", statement
        )
    if temperature is not None and word == ".temp":
        return "* .temp"
    if temperature is not None and word in (".option", ".options"):
        return _TEMPERATURE.sub("", statement)
    match = _INCLUDE.match(statement)
    if corner is not None and match and match[3].strip().lower() in CORNERS:
        return f"{match[1]} {match[2]} {corner}"
    return statement


def _unknown(title: str, name: str, known: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, known, 3, 0.3) or list(known)
    return (
        f"The netlist '{title}' has no parameter '{name}'. It has "
        f"{', '.join(near) or 'none'}: write `.param {name}=...` and use {{{name}}} in it."
    )


def models(process: str, corner: str, seed: int | None) -> str:
    """Lines that bring a process's models; the temperature is the netlist's."""
    from PySpice.Spice.Netlist import Circuit

    holder = Circuit("models")
    find_process(process)(corner=corner, monte_carlo_seed=seed).apply(holder)
    lines = str(holder).splitlines()[1:]
    kept = [line for line in lines if line and not line.lower().startswith(".temp")]
    return "\n".join([*kept, ""])
