"""A netlist as a designer reads it: header, hierarchical subcircuits, analysis, deterministic.

The text runs with plain `ngspice -b` when it holds no external source (see `lockstep_port`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySpice.Spice.Netlist import Circuit, SubCircuit
from quantiphy import Quantity

from cosim.errors import NetlistError

PRINTED = 8
"""Vectors that plain `ngspice -b` prints: a designer's look, not the record."""


@dataclass(frozen=True)
class Signal:
    """A recorded vector.

    Attributes:
        name: block and node, as in the trace: `integrator_0.out`.
        vector: its name in ngspice: `x_0`, `vdd#branch`.
        unit: V or A.
        description: what a designer sees in it.
    """

    name: str
    vector: str
    unit: str
    description: str

    @property
    def save(self) -> str:
        """The expression for `.save`."""
        if self.vector.endswith("#branch"):
            return f"i({self.vector.removesuffix('#branch')})"
        return f"v({self.vector})"


@dataclass(frozen=True)
class Tolerances:
    """ngspice's error control (manual, section 11.1.2), tighter than its defaults.

    Attributes:
        trtol: how far its estimate of a step's error may be beyond the tolerances; None: 7.
    """

    reltol: float = 1e-5
    vntol_volt: float = 1e-8
    abstol_ampere: float = 1e-13
    trtol: float | None = None

    @property
    def line(self) -> str:
        """The `.options` line."""
        return (
            f".options reltol={self.reltol!r} vntol={self.vntol_volt!r} "
            f"abstol={self.abstol_ampere!r}"
            + ("" if self.trtol is None else f" trtol={self.trtol!r}")
        )


@dataclass(frozen=True)
class Transient:
    """The `.tran` analysis; `step_second` is the largest step ngspice may take."""

    stop_second: float
    step_second: float

    def __post_init__(self) -> None:
        if not 0 < self.step_second < self.stop_second:
            raise NetlistError(
                f"A transient of {self.stop_second!r} s cannot take steps of "
                f"{self.step_second!r} s. Choose a step between 0 and the stop time."
            )

    @property
    def line(self) -> str:
        """The `.tran` line."""
        return f".tran {self.step_second!r} {self.stop_second!r} 0 {self.step_second!r}"


def with_analysis(
    circuit: Circuit, analysis: str, recorded: Sequence[str], options: str = ""
) -> str:
    """A circuit's text with its analysis: what is recorded is printed too, without which plain
    `ngspice -b` runs nothing.

    Args:
        analysis: its line, such as `.tran 1n 1u`.
        recorded: expressions of vectors, such as `v(out)`.
        options: an `.options` line, if any.
    """
    lines = [*filter(None, [options]), *recording(analysis, recorded), analysis, ".end", ""]
    return str(circuit) + "\n".join(lines)


def recording(analysis: str, recorded: Sequence[str]) -> tuple[str, str]:
    """The `.save` line of an analysis, and the `.print` line of its first vectors."""
    kind = analysis.split()[0].removeprefix(".")
    return (
        ".save " + " ".join(recorded),
        f".print {kind} " + " ".join(recorded[:PRINTED]),
    )


def comment(netlist: Circuit | SubCircuit, text: str) -> None:
    """Write a comment line at the head of a circuit or subcircuit."""
    netlist.raw_spice += f"* {text}\n"


def quantity(value: float, unit: str) -> str:
    """A value with SI prefix, for comments: `9.98 MHz`."""
    return Quantity(value, unit).render(prec=2)


def inner_nodes(
    netlist: Circuit | SubCircuit, scope: Mapping[str, SubCircuit] | None = None, path: str = ""
) -> list[str]:
    """Nodes inside the subcircuits of a circuit, by ngspice's names, such as `xdevice.tail`."""
    scope = {**(scope or {}), **{part.name: part for part in netlist.subcircuits}}
    outside = {str(node) for node in getattr(netlist, "external_nodes", ())} | {"0"}
    nodes: dict[str, None] = {}
    for element in netlist.elements:
        if path:
            inside = [str(pin.node) for pin in element.pins if str(pin.node) not in outside]
            nodes |= dict.fromkeys(f"{path}{node}" for node in inside)
        inner = scope.get(str(element.subcircuit_name)) if element.PREFIX == "X" else None
        if inner is not None:
            nodes |= dict.fromkeys(inner_nodes(inner, scope, f"{path}{element.name.lower()}."))
    return list(nodes)


def device_counts(
    netlist: Circuit | SubCircuit, scope: Mapping[str, SubCircuit] | None = None
) -> Counter[str]:
    """Devices by kind, of the whole hierarchy: element letters (R, C, ...), names of subcircuits
    that the process defines (nfet_03v3, ...), and `node` for nodes inside, ground left out.
    """
    scope = {**(scope or {}), **{part.name: part for part in netlist.subcircuits}}
    counts: Counter[str] = Counter()
    nodes: set[str] = set()
    for element in netlist.elements:
        nodes.update(str(pin.node) for pin in element.pins)
        name = str(element.subcircuit_name) if element.PREFIX == "X" else element.PREFIX
        inner = scope.get(name)
        counts += device_counts(inner, scope) if inner is not None else Counter([name])
    ports = netlist.external_nodes if isinstance(netlist, SubCircuit) else ()
    counts["node"] += len(nodes - {str(port) for port in ports} - {"0"})
    return counts


@dataclass(frozen=True)
class Netlist:
    """A circuit with what is to be analysed and recorded."""

    circuit: Circuit
    header: Sequence[str]
    transient: Transient
    signals: Sequence[Signal]
    tolerances: Tolerances = Tolerances()

    @property
    def size(self) -> str:
        """Such as `1234 transistors, 56 resistors and capacitors, 789 nodes`."""
        counts = device_counts(self.circuit)
        transistors = sum(count for kind, count in counts.items() if "fet_" in kind)
        passive = counts["R"] + counts["C"]
        return (
            f"{transistors} transistors, {passive} resistors and capacitors, {counts['node']} nodes"
        )

    def __str__(self) -> str:
        title, _, body = str(self.circuit).partition("\n")
        return "\n".join(
            [
                title,
                *(f"* {line}" for line in self.header),
                body.rstrip("\n"),
                self.tolerances.line,
                *recording(self.transient.line, [signal.save for signal in self.signals]),
                self.transient.line,
                ".end",
                "",
            ]
        )
