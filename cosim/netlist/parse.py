"""SPICE netlists as data: our own and foreign ones, with line numbers, hierarchy and graph.

Reads the statements that say how a circuit is connected; analyses, options and expressions are
kept as text. ngspice itself runs `.control` blocks and shell commands, so what would do that is
refused by name, as is a file outside the netlist's own folder.
Source: ngspice manual, chapters 2 (circuit description) and 3 to 12 (devices).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.errors import ConfigurationError

if TYPE_CHECKING:
    import networkx as nx

GROUND = "0"
MAXIMUM_DEPTH = 40
MAXIMUM_DEVICES = 2_000_000

REFUSED = (
    ".control", ".exec", ".shell", ".system", "shell", "system", "codemodel", "pre_codemodel",
    "pre_osdi", ".pre_osdi", "source", ".source",
)  # fmt: skip
"""Statements that run commands or load code."""

TWO_TERMINAL = frozenset("rclvidb")
MAIN_TERMINALS = {
    **dict.fromkeys(TWO_TERMINAL, 2), **dict.fromkeys("efgh", 2), **dict.fromkeys("sw", 2),
    "m": 4, "q": 3, "j": 3, "z": 3, "t": 4, "o": 4, "u": 3,
}  # fmt: skip
"""Nodes that carry current, by the element's letter; X and A have any number."""
CONTROL_TERMINALS = {"s": 2}
MODEL_LETTERS = frozenset("dmqjzswou")

_SUFFIXES = {
    "t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "mil": 25.4e-6, "m": 1e-3, "u": 1e-6, "n": 1e-9,
    "p": 1e-12, "f": 1e-15, "a": 1e-18,
}  # fmt: skip
_NUMBER = re.compile(
    r"^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(meg|mil|[tgkmunpfa])?[a-z]*$", re.IGNORECASE
)
_TOKEN = re.compile(r"""\{[^}]*\}|'[^']*'|"[^"]*"|[^\s,()=]+|[()=]""")
_VOLTAGE = re.compile(r"v\(\s*([^\s,()]+)\s*(?:,\s*([^\s,()]+)\s*)?\)", re.IGNORECASE)


def number(text: str) -> float | None:
    """A SPICE number with its suffix; None for an expression or a word; NaN as it stands."""
    if text.strip("+-").lower() in ("nan", "inf", "infinity"):
        return float(text)
    match = _NUMBER.match(text)
    if match is None:
        return None
    return float(match[1]) * _SUFFIXES.get((match[2] or "").lower(), 1.0)


@dataclass(frozen=True)
class Problem:
    """Something that the parser cannot accept; `rule` is the electrical rule's name."""

    rule: str
    line: int
    element: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Element:
    """One device or instance.

    Attributes:
        name: with its letter, lower case.
        nodes: main terminals, then control terminals.
        target: model or subcircuit, if any.
        values: positional tokens after nodes (and target).
        parameters: name = value.
        senses: nodes that its expression reads.
    """

    name: str
    line: int
    nodes: tuple[str, ...]
    target: str | None
    values: tuple[str, ...]
    parameters: dict[str, str]
    senses: tuple[str, ...] = ()

    @property
    def letter(self) -> str:
        """Kind of element."""
        return self.name[0]

    @property
    def terminals(self) -> tuple[str, ...]:
        """Nodes that carry current."""
        count = MAIN_TERMINALS.get(self.letter, len(self.nodes))
        return self.nodes[:count]

    @property
    def is_voltage(self) -> bool:
        """Whether it fixes the voltage between its two terminals."""
        if self.letter == "b":
            return "v" in self.parameters
        return self.letter in "veh"


@dataclass
class Scope:
    """A subcircuit, or the whole netlist (name '')."""

    name: str
    line: int
    ports: tuple[str, ...] = ()
    elements: list[Element] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    """Line of each element's first definition."""
    subcircuits: dict[str, "Scope"] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)
    parent: "Scope | None" = None
    parameters: frozenset[str] = frozenset()
    """Names that its .subckt line declares."""
    external: bool = False
    """Defined in a process library: known by name and ports only."""

    def subcircuit(self, name: str | None) -> "Scope | None":
        """The definition that `name` has here."""
        scope: Scope | None = self
        while scope is not None:
            if name is not None and name in scope.subcircuits:
                return scope.subcircuits[name]
            scope = scope.parent
        return None

    def has_model(self, name: str) -> bool:
        """Whether a model of that name is known here (binned models end in .0, .1, ...)."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.models or any(key.startswith(name + ".") for key in scope.models):
                return True
            scope = scope.parent
        return False


@dataclass(frozen=True)
class Device:
    """A device of the flattened netlist; `path` is the chain of instances, `x1.x2.r3`."""

    path: str
    element: Element
    terminals: tuple[str, ...]
    controls: tuple[str, ...]
    ports: tuple[str, ...] = ()
    """Of an external subcircuit: the names of its ports."""


@dataclass
class Parsed:
    """A netlist: its top scope, what is wrong with its text."""

    top: Scope
    problems: list[Problem]
    observed: frozenset[str] = frozenset()
    """Nodes of the top scope that are saved, printed or measured."""

    def scopes(self) -> Iterator[Scope]:
        """Every scope that the netlist itself defines."""
        waiting = [self.top]
        while waiting:
            scope = waiting.pop()
            yield scope
            waiting.extend(part for part in scope.subcircuits.values() if not part.external)

    def devices(self) -> Iterator[Device]:
        """The flattened netlist.

        Raises:
            RecursionError: subcircuits contain each other, or there are absurdly many devices.
        """
        for count, device in enumerate(_flatten(self.top, "", {}, 0)):
            if count >= MAXIMUM_DEVICES:
                raise RecursionError(f"more than {MAXIMUM_DEVICES} devices")
            yield device

    def graph(self) -> "nx.MultiGraph":
        """Nets as nodes, and an edge between the first terminal of a device and each other one."""
        import networkx as nx

        graph = nx.MultiGraph()
        for device in self.devices():
            graph.add_nodes_from(device.terminals)
            for other in device.terminals[1:]:
                graph.add_edge(device.terminals[0], other, device=device.path)
        return graph


def _flatten(scope: Scope, prefix: str, ports: dict[str, str], depth: int) -> Iterator[Device]:
    if depth > MAXIMUM_DEPTH:
        raise RecursionError(prefix.rstrip("."))

    def outer(node: str) -> str:
        return node if node == GROUND else ports.get(node, prefix + node)

    for element in scope.elements:
        path = prefix + element.name
        nodes = tuple(map(outer, element.nodes))
        inner = scope.subcircuit(element.target) if element.letter == "x" else None
        if element.letter == "x" and element.target and inner is not None and not inner.external:
            if len(inner.ports) == len(nodes):
                inside = dict(zip(inner.ports, nodes, strict=True))
                yield from _flatten(inner, path + ".", inside, depth + 1)
            continue
        count = len(element.terminals)
        yield Device(
            path,
            element,
            nodes[:count],
            nodes[count:] + tuple(map(outer, element.senses)),
            inner.ports if inner is not None else (),
        )


def parse(text: str, path: Path | None = None) -> Parsed:
    """Read a netlist.

    Args:
        path: of the file; includes are searched from its folder. None: no includes.
    """
    reader = _Reader(path)
    reader.read(text, path)
    return Parsed(reader.top, reader.problems, frozenset(reader.observed))


def read_text(path: Path) -> str:
    """The text of a netlist file.

    Raises:
        ConfigurationError: it cannot be read, or is no text.
    """
    try:
        text = path.read_text(encoding="utf8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The netlist {path} cannot be read: {error}. Give the path of a SPICE netlist."
        ) from None
    if "\0" in text:
        raise ConfigurationError(f"{path} is no netlist: it holds binary data.")
    return text


def read_netlist(path: Path) -> Parsed:
    """Read a netlist file.

    Raises:
        ConfigurationError: it cannot be read, or is no text.
    """
    return parse(read_text(path), path)


class _Reader:
    """Statements into scopes."""

    def __init__(self, path: Path | None) -> None:
        self.top = Scope("", 1)
        self.problems: list[Problem] = []
        self._scope = self.top
        self._folder = path.resolve().parent if path is not None else None
        self._including: list[Path] = [path.resolve()] if path is not None else []
        self._in_control = False
        self.observed: set[str] = set()

    def read(self, text: str, path: Path | None, *, titled: bool = True) -> None:
        """Read the statements of one file."""
        for line, statement in statements(text, titled):
            self._statement(line, statement)
        if self._scope is not self.top and titled:
            self._problem(
                "unclosed subcircuit", self._scope.line, self._scope.name,
                f"Subcircuit '{self._scope.name}' has no .ends.", "Close it with .ends.",
            )  # fmt: skip

    def _problem(self, rule: str, line: int, element: str, message: str, remedy: str) -> None:
        self.problems.append(Problem(rule, line, element, message, remedy))

    def _statement(self, line: int, statement: str) -> None:
        tokens = _TOKEN.findall(statement)
        if not tokens:
            return
        word = tokens[0].lower()
        if self._refused(line, word, statement):
            return
        if word.startswith("."):
            self._directive(line, word, tokens, statement)
        elif word[0] in MAIN_TERMINALS or word[0] in "xak":
            self._element(line, word, statement, tokens)
        else:
            self._problem(
                "syntax", line, word, f"'{tokens[0]}' is no element and no statement.",
                "Correct the line; a comment starts with *.",
            )  # fmt: skip

    def _refused(self, line: int, word: str, statement: str) -> bool:
        if self._in_control:
            self._in_control = word != ".endc"
            return True
        if word in REFUSED or "`" in statement or word.startswith("!"):
            self._in_control = word == ".control"
            self._problem(
                "refused", line, word,
                f"'{word}' would make ngspice run commands; netlists that do are not accepted.",
                "Remove it; analyses can be given as .tran, .ac, .dc or .op lines.",
            )  # fmt: skip
            return True
        if re.search(r"\bfile\s*=|\bfilesource\b|\bd_process\b", statement, re.IGNORECASE):
            self._problem(
                "refused", line, word, f"'{word}' reads a file or starts a process.",
                "Remove it; a waveform can be given as a PWL source.",
            )  # fmt: skip
            return True
        return False

    def _directive(self, line: int, word: str, tokens: list[str], statement: str) -> None:
        match word:
            case ".subckt":
                self._open(line, tokens)
            case ".ends" if self._scope.parent is not None:
                self._scope = self._scope.parent
            case ".ends":
                self._problem("syntax", line, word, ".ends without .subckt.", "Remove it.")
            case ".model" if len(tokens) >= 3:
                self._define_model(line, tokens[1].lower())
            case ".include" | ".inc" | ".lib":
                self._include(line, word, statement)
            case ".save" | ".print" | ".plot" | ".probe" | ".meas" | ".measure":
                for pair in _VOLTAGE.findall(statement):
                    self.observed.update(_node(node) for node in pair if node)
            case ".model":
                self._problem(
                    "syntax", line, word, ".model needs a name and a type.", "Complete the line."
                )

    def _define_model(self, line: int, name: str) -> None:
        if name in self._scope.models:
            self._duplicate(line, name, "Model", self._scope.models[name])
        self._scope.models[name] = line

    def _duplicate(self, line: int, name: str, what: str, before: int) -> None:
        self._problem(
            "duplicate name", line, name,
            f"{what} '{name}' is defined in line {before} too; ngspice silently takes one.",
            "Rename one of them.",
        )  # fmt: skip

    def _open(self, line: int, tokens: list[str]) -> None:
        if len(tokens) < 2:
            self._problem("syntax", line, ".subckt", ".subckt needs a name.", "Name it.")
            return
        name = tokens[1].lower()
        ports = []
        _, parameters = _split_parameters(tokens[2:])
        for index in range(2, len(tokens)):
            follows = tokens[index + 1] if index + 1 < len(tokens) else ""
            if follows == "=" or tokens[index].lower() == "params:":
                break
            ports.append(_node(tokens[index]))
        scope = Scope(
            name, line, tuple(ports), parent=self._scope, parameters=frozenset(parameters)
        )
        if (other := self._scope.subcircuits.get(name)) is not None and not other.external:
            self._duplicate(line, name, "Subcircuit", other.line)
        self._scope.subcircuits[name] = scope
        self._scope = scope

    def _include(self, line: int, word: str, statement: str) -> None:
        match = re.match(r"""\.\w+\s+(?:"([^"]+)"|'([^']+)'|(\S+))""", statement)
        name = next((part for part in match.groups() if part), "") if match else ""
        if self._folder is None or not name:
            self._problem(
                "refused", line, word, f"'{name}' cannot be included from here.",
                "Give the netlist as a file, and the name of a file beside it.",
            )  # fmt: skip
            return
        file = (self._folder / name).resolve()
        if _is_process_library(file):
            self._declare(file)
            return
        if not file.is_relative_to(self._folder):
            self._problem(
                "refused", line, word, f"'{name}' is outside the netlist's folder.",
                "Copy it beside the netlist, or use the installed process models.",
            )  # fmt: skip
        elif file in self._including or not file.is_file():
            self._problem(
                "unknown file", line, word,
                f"'{name}' {'includes itself' if file in self._including else 'does not exist'}.",
                "Correct the name.",
            )  # fmt: skip
        else:
            self._including.append(file)
            try:
                self.read(file.read_text(encoding="utf8"), file, titled=False)
            except (OSError, UnicodeDecodeError) as error:
                self._problem("unknown file", line, word, f"'{name}': {error}.", "Correct it.")
            self._including.pop()

    def _declare(self, library: Path) -> None:
        """Take the names and ports of a process library's subcircuits, not their insides."""
        for name, ports in _library_subcircuits(library).items():
            self.top.subcircuits.setdefault(name, Scope(name, 0, ports, external=True))

    def _element(self, line: int, name: str, statement: str, tokens: list[str]) -> None:
        try:
            element = _element(line, name, statement, tokens)
        except ValueError as error:
            self._problem("syntax", line, name, str(error), "Complete the line.")
            return
        if (before := self._scope.lines.setdefault(name, line)) != line:
            self._duplicate(line, name, "Element", before)
        self._scope.elements.append(element)


def _element(line: int, name: str, statement: str, tokens: list[str]) -> Element:
    letter = name[0]
    words, parameters = _split_parameters(tokens[1:])
    words = [word for word in words if word not in "()"]
    senses: list[str] = []
    if letter in "begr" or "{" in statement or "'" in statement:
        for match in _VOLTAGE.finditer(statement):
            senses += [_node(node) for node in match.groups() if node]
    if letter == "k":
        return Element(name, line, (), None, tuple(words), parameters)
    if letter in "xa":
        if len(words) < 2:
            raise ValueError(f"'{name}' needs nodes and a name.")
        nodes = tuple(map(_node, words[:-1]))
        return Element(name, line, nodes, words[-1].lower(), (), parameters, tuple(senses))
    count = MAIN_TERMINALS[letter] + CONTROL_TERMINALS.get(letter, 0)
    if letter in "eg" and "value" not in parameters and len(words) >= 4 and not senses:
        count = 4
    if len(words) < count:
        raise ValueError(f"'{name}' needs {count} nodes, but has {len(words)}.")
    nodes, rest = tuple(map(_node, words[:count])), words[count:]
    target = None
    if letter == "q" and len(rest) >= 2 and number(rest[1]) is None:  # with the substrate
        nodes, rest = (*nodes, _node(rest[0])), rest[1:]
    if letter in MODEL_LETTERS:
        index = 1 if letter == "w" and len(rest) > 1 else 0
        if len(rest) <= index:
            raise ValueError(f"'{name}' names no model.")
        target = rest[index].lower()
    return Element(name, line, nodes, target, tuple(rest), parameters, tuple(senses))


def _split_parameters(tokens: list[str]) -> tuple[list[str], dict[str, str]]:
    """Positional words, and `name = value` pairs (a value runs to the next name)."""
    words: list[str] = []
    parameters: dict[str, str] = {}
    index = 0
    while index < len(tokens):
        if index + 1 < len(tokens) and tokens[index + 1] == "=":
            value = tokens[index + 2] if index + 2 < len(tokens) else ""
            parameters[tokens[index].lower()] = value.strip("{}'\"")
            index += 3
        else:
            words.append(tokens[index])
            index += 1
    return words, parameters


def _node(name: str) -> str:
    lower = name.lower()
    return GROUND if lower in ("0", "gnd", "gnd!") else lower


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


def _is_process_library(file: Path) -> bool:
    from cosim.process.gf180mcu import installed_model_folder  # PySpice comes with it

    try:
        return file.is_file() and file.parent == installed_model_folder().resolve()
    except ConfigurationError:
        return False


def _library_subcircuits(library: Path) -> dict[str, tuple[str, ...]]:
    found = {}
    pattern = re.compile(r"^\s*\.subckt\s+(\S+)((?:\s+[^\s=]+(?=\s|$)(?!\s*=))*)", re.IGNORECASE)
    for raw in library.read_text(encoding="latin-1").splitlines():
        if match := pattern.match(raw):
            ports = [word for word in match[2].split() if word.lower() != "params:"]
            found[match[1].lower()] = tuple(port.lower() for port in ports)
    return found
