"""A netlist as data: scopes of elements, its hierarchy flattened, its graph."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from cosim.netlist.finding import Finding
from cosim.netlist.statement import Statement

if TYPE_CHECKING:
    import networkx as nx

GROUND = "0"
MAXIMUM_DEPTH = 40
MAXIMUM_DEVICES = 300_000
"""Devices and instances of the flattened netlist: seconds of reading."""

MAIN_TERMINALS = {
    **dict.fromkeys("rclvidb", 2), **dict.fromkeys("efgh", 2), **dict.fromkeys("sw", 2),
    "m": 4, "q": 3, "j": 3, "z": 3, "t": 4, "o": 4, "u": 3,
}  # fmt: skip
"""Nodes that carry current, by the element's letter; X and A have any number."""


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

    statement: Statement
    name: str
    nodes: tuple[str, ...]
    target: str | None
    values: tuple[str, ...]
    parameters: dict[str, str]
    senses: tuple[str, ...] = ()

    @property
    def line(self) -> int:
        """Where it is defined."""
        return self.statement.line

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


@dataclass(frozen=True)
class Model:
    """A `.model` line; `kind` is such as nmos."""

    statement: Statement
    name: str
    kind: str
    parameters: dict[str, str]


@dataclass(frozen=True)
class Parameter:
    """A name that `.param` or a `.subckt` line defines, and its expression."""

    statement: Statement
    name: str
    expression: str


@dataclass
class Scope:
    """A subcircuit, or the whole netlist (name '')."""

    name: str
    statement: Statement
    ports: tuple[str, ...] = ()
    elements: list[Element] = field(default_factory=list)
    defined: dict[str, Statement] = field(default_factory=dict)
    """Where each element is first defined."""
    subcircuits: dict[str, "Scope"] = field(default_factory=dict)
    models: dict[str, Model | None] = field(default_factory=dict)
    """None: a process library has it."""
    parent: "Scope | None" = None
    arguments: frozenset[str] = frozenset()
    """Names that an instance may give values to."""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    from_library: set[str] = field(default_factory=set)
    """Names that a process library defines."""
    functions: set[str] = field(default_factory=set)
    external: bool = False
    """Defined in a process library: known by name and ports only."""

    def chain(self) -> Iterator["Scope"]:
        """This scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def subcircuit(self, name: str | None) -> "Scope | None":
        """The definition that `name` has here."""
        for scope in self.chain():
            if name is not None and name in scope.subcircuits:
                return scope.subcircuits[name]
        return None

    def model(self, name: str) -> Model | None:
        """The `.model` line that `name` has here; None where it is unknown or binned."""
        for scope in self.chain():
            if name in scope.models:
                return scope.models[name]
        return None

    def has_model(self, name: str) -> bool:
        """Whether a model of that name is known here (binned models end in .0, .1, ...)."""
        return any(
            name in scope.models or any(key.startswith(name + ".") for key in scope.models)
            for scope in self.chain()
        )

    def library_parameters(self) -> frozenset[str]:
        """Every parameter that a process library defines, inside its subcircuits or outside."""
        return frozenset().union(*(scope.from_library for scope in self.chain()))

    def has_parameter(self, name: str) -> bool:
        """Whether a parameter of that name is known here."""
        return any(name in scope.parameters or name in scope.from_library for scope in self.chain())


@dataclass(frozen=True)
class Device:
    """A device of the flattened netlist; `path` is the chain of instances, `x1.x2.r3`."""

    path: str
    element: Element
    terminals: tuple[str, ...]
    controls: tuple[str, ...]
    ports: tuple[str, ...] = ()
    """Of an external subcircuit: the names of its ports."""


@dataclass(frozen=True)
class Waiver:
    """A comment `* cosim: allow RULE because REASON`."""

    statement: Statement
    rule: str
    reason: str


@dataclass
class Parsed:
    """A netlist: its scopes, its directives in order, what is wrong with its text."""

    top: Scope
    title: str = ""
    problems: list[Finding] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    """What may be given to ngspice, in order: included files in their places."""
    directives: list[tuple[Statement, Scope]] = field(default_factory=list)
    """Lines that begin with a dot and define nothing: analyses, options, outputs, conditions."""
    global_nodes: set[str] = field(default_factory=set)
    observed: set[str] = field(default_factory=set)
    """Nodes of the top scope that are saved, printed or measured."""
    waivers: list[Waiver] = field(default_factory=list)

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
        everywhere = {node: node for node in (GROUND, *self.global_nodes)}
        yield from _flatten(self.top, "", {}, everywhere, 0, count())

    def graph(self) -> "nx.MultiGraph":
        """Nets as nodes, and an edge between the first terminal of a device and each other one."""
        import networkx as nx  # slow to import, and only pictures need it

        graph = nx.MultiGraph()
        for device in self.devices():
            graph.add_nodes_from(device.terminals)
            for other in device.terminals[1:]:
                graph.add_edge(device.terminals[0], other, device=device.path)
        return graph


def _flatten(
    scope: Scope,
    prefix: str,
    ports: dict[str, str],
    everywhere: dict[str, str],
    depth: int,
    visited: Iterator[int],
) -> Iterator[Device]:
    if depth > MAXIMUM_DEPTH:
        raise RecursionError(prefix.rstrip("."))

    def outer(node: str) -> str:
        return everywhere.get(node) or ports.get(node) or prefix + node

    for element in scope.elements:
        if next(visited) >= MAXIMUM_DEVICES:
            raise RecursionError(f"more than {MAXIMUM_DEVICES} devices and instances")
        path = prefix + element.name
        nodes = tuple(map(outer, element.nodes))
        inner = scope.subcircuit(element.target) if element.letter == "x" else None
        if element.letter == "x" and element.target and inner is not None and not inner.external:
            if len(inner.ports) == len(nodes):
                inside = dict(zip(inner.ports, nodes, strict=True))
                yield from _flatten(inner, path + ".", inside, everywhere, depth + 1, visited)
            continue
        main = len(element.terminals)
        yield Device(
            path,
            element,
            nodes[:main],
            nodes[main:] + tuple(map(outer, element.senses)),
            inner.ports if inner is not None else (),
        )
