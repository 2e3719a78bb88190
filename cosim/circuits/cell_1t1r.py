"""1T1R cell: an RRAM between bit line and access transistor, whose gate is the word line.

In SET the word line limits the current, and so the conductance that is reached; RESET is gradual
with the source line's voltage. Write-verify programming alternates both until the read
conductance is the wanted one. Conductances are those of the whole cell at the read bias.
Source: Chen and Yu, IEEE TED 62(12), 2015 (1T1R bias conditions); Alibart et al., Nanotechnology
23, 075201 (2012) (write-verify).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from PySpice.Spice.Netlist import Circuit, Netlist, SubCircuit

from cosim.circuits.rram import NANO, ReadOnlyCell, Rram, RramCard, RramDevice, nanometre
from cosim.errors import NetlistError
from cosim.netlist.netlist import Transient, with_analysis
from cosim.netlist.waveform import piecewise_linear
from cosim.process.process import AccessTransistor, Process

NODES = ("bit_line", "word_line", "source_line")


@dataclass(frozen=True)
class Bias:
    """Voltages of the three lines against ground."""

    word_volt: float
    bit_volt: float
    source_volt: float


# Word lines need a boosted supply: 5 V, for which the 6 V transistors are made.
WORD_SUPPLY_VOLT = 5.0
REST = Bias(0.0, 0.0, 0.0)
FORM = Bias(word_volt=1.4, bit_volt=3.3, source_volt=0.0)
SET = Bias(word_volt=1.4, bit_volt=2.0, source_volt=0.0)
RESET = Bias(word_volt=WORD_SUPPLY_VOLT, bit_volt=0.0, source_volt=1.4)
# As in inference: the source line at the analog ground, the bit line one unit above.
READ = Bias(word_volt=WORD_SUPPLY_VOLT, bit_volt=1.75, source_volt=1.65)
READ_VOLT = READ.bit_volt - READ.source_volt

# A gap that overshoots in an abrupt SET has nothing to bring it back: with 1e-4 its error is
# 0.1 nm.
SWITCHING_OPTIONS = ".options reltol=1e-6"


class Cell1T1R(SubCircuit):
    """Nodes: bit_line, word_line, source_line; the bulk is ground.

    Args:
        device: the RRAM (full model or read-only); its parameter is the cell's too.
        access: the process's; its width may differ.
    """

    NODES = NODES

    def __init__(self, device: RramDevice | ReadOnlyCell, access: AccessTransistor) -> None:
        parameter = device.PARAMETER
        super().__init__(f"cell_{device.name}", *NODES, **device.parameters)
        self.device, self.access = device, access
        self.subcircuit(device)
        self.X("device", device.name, "bit_line", "drain", **{parameter: f"{{{parameter}}}"})
        self.X(
            "access", access.model, "drain", "word_line", "source_line", self.gnd,
            **access.parameters,
        )  # fmt: skip

    def place(self, netlist: Netlist, name: str, nodes: Sequence[str], siemens: float) -> None:
        """Add a cell of that conductance, of device and transistor in series, at the read bias.

        Args:
            nodes: bit line, word line, source line.

        Raises:
            NetlistError: the device cannot have the conductance that this takes.
        """
        ohm = 1 / siemens - self.access.on_ohm
        if ohm <= 0:
            raise NetlistError(
                f"Cell {name} cannot have {siemens:.4g} S: its access transistor alone has "
                f"{self.access.on_ohm:g} ohm. Use a lower conductance or a wider transistor."
            )
        parameters = self.device.programmed(1 / ohm, READ_VOLT)
        netlist.X(name, self.name, *nodes, **parameters)


class Simulator(Protocol):
    """What runs a netlist; `cosim.engine.session.NgspiceSession` does."""

    def load(self, netlist: str) -> None:
        """Load a netlist; one that is loaded already stays."""

    def set_source(self, name: str, volt: float) -> None:
        """Set the DC value of a source of the loaded netlist."""

    def analyse(self, netlist: str) -> dict[str, np.ndarray]:
        """Run a netlist's own analysis; its vectors by name."""


@dataclass(frozen=True)
class Loop:
    """A quasi-static SET and RESET sweep of a cell.

    Attributes:
        time_second: [n].
        volt: bit line against source line [n].
        current_ampere: into the bit line [n].
        gap_metre: [n].
    """

    gate_volt: float
    time_second: np.ndarray
    volt: np.ndarray
    current_ampere: np.ndarray
    gap_metre: np.ndarray


def loop_netlist(
    process: Process,
    cell: Cell1T1R,
    gate_volt: float,
    initial_gap_metre: float,
    ramp_second: float = 5e-3,
    set_volt: float = SET.bit_volt,
    reset_volt: float = 1.6,
) -> str:
    """Netlist of a SET sweep of the bit line (word line at `gate_volt`), up and down, then of a
    RESET sweep of the source line (word line at its supply), each ramp in `ramp_second`.
    """
    circuit = Circuit("quasi-static loop of a 1T1R cell")
    process.apply(circuit)
    circuit.subcircuit(cell)
    circuit.X("cell", cell.name, *NODES, initial_gap=nanometre(initial_gap_metre))
    ramps = np.arange(5) * ramp_second
    switch = 1e-3 * ramp_second
    for node, time, volt in (
        ("bit_line", ramps, [0.0, set_volt, 0.0, 0.0, 0.0]),
        ("source_line", ramps, [0.0, 0.0, 0.0, reset_volt, 0.0]),
        (
            "word_line",
            [0.0, 2 * ramp_second - switch, 2 * ramp_second],
            [gate_volt, gate_volt, WORD_SUPPLY_VOLT],
        ),
    ):
        piecewise_linear(circuit, node, circuit.gnd, np.array(time), np.array(volt))
    step = ramp_second / 250
    return with_analysis(
        circuit,
        Transient(4 * ramp_second, step).line,
        ["v(bit_line)", "v(source_line)", "i(vbit_line)", "v(xcell.xdevice.gap)"],
        SWITCHING_OPTIONS,
    )


def quasi_static_loop(
    simulator: Simulator,
    process: Process,
    cell: Cell1T1R,
    gate_volt: float,
    initial_gap_metre: float,
) -> Loop:
    """Sweep a cell (see `loop_netlist`)."""
    vectors = simulator.analyse(loop_netlist(process, cell, gate_volt, initial_gap_metre))
    return Loop(
        gate_volt,
        vectors["time"],
        vectors["bit_line"] - vectors["source_line"],
        -vectors["vbit_line#branch"],
        vectors["xcell.xdevice.gap"] * NANO,
    )


class CellBench:
    """One cell with its line drivers: applies a pulse, reads, and carries the state on.

    Args:
        gap_metre: the state it starts from.
        pulse_second: width of a pulse; edges are 10 ns.
    """

    def __init__(
        self,
        simulator: Simulator,
        process: Process,
        card: RramCard,
        gap_metre: float | None = None,
        pulse_second: float = 1e-6,
    ) -> None:
        self._simulator = simulator
        self.gap_metre = card.maximum_gap_metre if gap_metre is None else gap_metre
        self.netlist = self._netlist(process, Cell1T1R(Rram(card), process.ACCESS), pulse_second)

    @staticmethod
    def _netlist(process: Process, cell: Cell1T1R, pulse_second: float) -> str:
        circuit = Circuit("write pulse and read of a 1T1R cell")
        process.apply(circuit)
        circuit.subcircuit(cell)
        circuit.X("cell", cell.name, *NODES)
        edge, settle = 10e-9, 100e-9
        end = edge + pulse_second + edge
        for window, start, stop in (
            ("write", 0.0, end),
            ("read", end + edge, end + 2 * edge + settle),
        ):
            piecewise_linear(
                circuit,
                window,
                circuit.gnd,
                np.array([start, start + edge, stop - edge, stop]),
                np.array([0.0, 1.0, 1.0, 0.0]),
            )
        for node, read_volt in zip(
            NODES, (READ.bit_volt, READ.word_volt, READ.source_volt), strict=True
        ):
            circuit.V(f"{node}_pulse", f"{node}_pulse", circuit.gnd, 0)
            circuit.B(
                node,
                node,
                circuit.gnd,
                voltage_expression=f"V(write)*V({node}_pulse)+V(read)*{read_volt!r}",
            )
        # The last point of the analysis is the read, settled.
        stop = end + edge + settle
        return (
            f"{circuit}{SWITCHING_OPTIONS}\n.save i(bbit_line) v(xcell.xdevice.gap)\n"
            f".tran {pulse_second / 20!r} {stop!r}\n.end\n"
        )

    def pulse(self, bias: Bias) -> float:
        """Apply a pulse and return the conductance in siemens that is read after it."""
        simulator = self._simulator
        simulator.load(self.netlist)
        simulator.set_source("v.xcell.v.xdevice.vinitial", self.gap_metre / NANO)
        for node, volt in zip(
            NODES, (bias.bit_volt, bias.word_volt, bias.source_volt), strict=True
        ):
            simulator.set_source(f"v{node}_pulse", volt)
        vectors = simulator.analyse(self.netlist)
        self.gap_metre = float(vectors["xcell.xdevice.gap"][-1]) * NANO
        return float(-vectors["bbit_line#branch"][-1]) / READ_VOLT


@dataclass(frozen=True)
class WriteVerify:
    """How a cell is programmed.

    SET pulses raise the word line from `gate_start_volt` until the conductance is reached; if it
    is exceeded, RESET pulses raise the source line from `source_start_volt`, and so on. Each
    reversal backs a ramp off and halves its step.

    Attributes:
        tolerance_siemens: accepted error; 2 % of the window of 0.02 to 0.10 mS.
        maximum_pulses: after which programming has failed.
    """

    tolerance_siemens: float = 0.02 * 0.08e-3
    maximum_pulses: int = 60
    gate_start_volt: float = 0.9
    gate_step_volt: float = 0.08
    source_start_volt: float = 1.1
    source_step_volt: float = 0.05


@dataclass(frozen=True)
class Pulse:
    """A pulse and the conductance read after it."""

    bias: Bias
    siemens: float


@dataclass(frozen=True)
class Programming:
    """What came of programming one cell."""

    target_siemens: float
    siemens: float
    succeeded: bool
    pulses: tuple[Pulse, ...] = field(repr=False)

    @property
    def error_siemens(self) -> float:
        """Reached less wanted."""
        return self.siemens - self.target_siemens


@dataclass
class _Ramp:
    """A voltage that rises from pulse to pulse, up to a limit."""

    volt: float
    step: float
    limit: float

    def next(self) -> float:
        volt = self.volt
        self.volt = min(volt + self.step, self.limit)
        return volt

    def back_off(self) -> None:
        """After a pulse that went too far: start below it, in half the steps."""
        self.volt -= 2 * self.step
        self.step /= 2


def program(bench: CellBench, target_siemens: float, recipe: WriteVerify) -> Programming:
    """Program the bench's cell by write-verify.

    Args:
        target_siemens: wanted conductance of the cell at the read bias.
    """
    gate = _Ramp(recipe.gate_start_volt, recipe.gate_step_volt, WORD_SUPPLY_VOLT)
    source = _Ramp(recipe.source_start_volt, recipe.source_step_volt, WORD_SUPPLY_VOLT)
    siemens = bench.pulse(REST)
    pulses: list[Pulse] = []
    while abs(siemens - target_siemens) > recipe.tolerance_siemens:
        if len(pulses) == recipe.maximum_pulses:
            return Programming(target_siemens, siemens, False, tuple(pulses))
        rise = siemens < target_siemens
        if rise:
            bias = replace(SET, word_volt=gate.next())
        else:
            bias = replace(RESET, source_volt=source.next())
        siemens = bench.pulse(bias)
        pulses.append(Pulse(bias, siemens))
        if (siemens < target_siemens) != rise:
            (gate if rise else source).back_off()
    return Programming(target_siemens, siemens, True, tuple(pulses))
