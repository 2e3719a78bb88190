"""Test bench of the 1T1R cell: I-V loops, conductance levels, write-verify programming, noise."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.characterise.bench import Measured
from cosim.circuits.cell_1t1r import (
    READ,
    READ_VOLT,
    Cell1T1R,
    CellBench,
    Programming,
    Simulator,
    WriteVerify,
    loop_netlist,
    program,
    quasi_static_loop,
)
from cosim.circuits.rram import ReadOnlyCell, Rram, RramCard
from cosim.process.process import Process

GATE_VOLTS = (1.1, 1.3, 1.6)
LOWEST_SIEMENS, HIGHEST_SIEMENS = 0.02e-3, 0.10e-3
PROGRAMMED_TARGETS, SHOWN_LEVELS, NOISE_LEVELS = 24, 16, 3
READ_SWEEP_VOLT = 0.3
NOISE_SECOND, NOISE_STEP_SECOND = 2e-3, 1e-6
DISTURB = 0.01
LARGEST_ROW_VOLT = 1.1
"""That a run's rows reach: the figure `hidden_nodes`."""


@dataclass(frozen=True)
class CellSpecBench:
    """Measures a cell of the full RRAM model."""

    card: RramCard
    process: Process
    simulator: Simulator
    recipe: WriteVerify = WriteVerify()

    @property
    def netlist(self) -> str:
        """The quasi-static loop from the formed, fully reset state."""
        return loop_netlist(
            self.process,
            Cell1T1R(Rram(self.card), self.process.ACCESS),
            GATE_VOLTS[1],
            self.card.maximum_gap_metre,
        )

    sisters: ClassVar[dict[str, str]] = {}

    def measure(self) -> Measured:
        """The spec sheet.

        Curves: `loop G V` (bit line against source line in volt, current in ampere), `target` and
        `pulses` (target conductance, reached conductance; pulses needed), `level G` (read voltage,
        current), `noise G` (time, conductance).
        """
        cell = Cell1T1R(Rram(self.card), self.process.ACCESS)
        start = self.card.maximum_gap_metre
        loops = [
            quasi_static_loop(self.simulator, self.process, cell, gate, start)
            for gate in GATE_VOLTS
        ]
        programmed = self.program_levels()
        targets = np.array([one.target_siemens for one in programmed])
        reached = np.array([one.siemens for one in programmed])
        pulses = np.array([float(len(one.pulses)) for one in programmed])
        done = np.array([one.succeeded for one in programmed])
        levels = {
            f"level {siemens * 1e6:.0f} uS": self._read_curve(siemens)
            for siemens in np.linspace(LOWEST_SIEMENS, HIGHEST_SIEMENS, SHOWN_LEVELS)
        }
        noise = {
            f"noise {siemens * 1e6:.0f} uS": self._noise(siemens)
            for siemens in np.linspace(LOWEST_SIEMENS, HIGHEST_SIEMENS, NOISE_LEVELS)
        }
        fluctuation = noise[f"noise {HIGHEST_SIEMENS * 1e6:.0f} uS"][1]
        gap = self.card.gap(HIGHEST_SIEMENS, READ_VOLT)
        celsius = self.process.temperature_celsius
        velocity = self.card.gap_velocity(gap, LARGEST_ROW_VOLT, celsius)
        return Measured(
            {
                "set_current_ampere": float(loops[1].current_ampere.max()),
                "on_off_ratio": self._ratio(loops[1].gap_metre),
                "programming_yield": float(done.mean()),
                "largest_error_siemens": float(np.abs(reached - targets)[done].max()),
                "mean_pulses": float(pulses[done].mean()),
                "read_noise": float(np.std(fluctuation) / HIGHEST_SIEMENS),
                "disturb_second": DISTURB * self.card.gap_scale_metre / abs(velocity),
            },
            {
                **{
                    f"loop {loop.gate_volt:g} V": (loop.volt, loop.current_ampere) for loop in loops
                },
                "target": (targets, reached),
                "pulses": (targets, pulses),
                **levels,
                **noise,
            },
        )

    def program_levels(self) -> list[Programming]:
        """Write-verify of targets over the window, each from the fully reset state."""
        targets = np.linspace(LOWEST_SIEMENS, HIGHEST_SIEMENS, PROGRAMMED_TARGETS)
        return [
            program(CellBench(self.simulator, self.process, self.card), float(target), self.recipe)
            for target in targets
        ]

    def _ratio(self, gap_metre: np.ndarray) -> float:
        closed, opened = float(gap_metre.min()), float(gap_metre[-1])
        return self.card.conductance(closed, READ_VOLT) / self.card.conductance(opened, READ_VOLT)

    def _read_curve(self, siemens: float) -> tuple[np.ndarray, np.ndarray]:
        """Read current of a programmed full model; the state does not move in a DC analysis."""
        circuit = self._biased(Cell1T1R(Rram(self.card), self.process.ACCESS), siemens)
        vectors = self.simulator.analyse(
            f"{circuit}.save i(vbit) v(bit)\n"
            f".dc Vbit {-READ_SWEEP_VOLT!r} {READ_SWEEP_VOLT!r} 0.02\n.end\n"
        )
        return vectors["bit"] - READ.source_volt, -vectors["vbit#branch"]

    def _noise(self, siemens: float) -> tuple[np.ndarray, np.ndarray]:
        """Conductance of a read-only cell over time."""
        device = ReadOnlyCell("read_only", self.card.read_noise, NOISE_STEP_SECOND)
        circuit = self._biased(Cell1T1R(device, self.process.ACCESS), siemens, READ_VOLT)
        vectors = self.simulator.analyse(
            f"{circuit}.save i(vbit)\n.tran {NOISE_STEP_SECOND!r} {NOISE_SECOND!r} 0 "
            f"{NOISE_STEP_SECOND!r}\n.end\n"
        )
        return vectors["time"], -vectors["vbit#branch"] / READ_VOLT

    def _biased(self, cell: Cell1T1R, siemens: float, bit_volt: float = 0.0) -> Circuit:
        circuit = Circuit("cell_read")
        self.process.apply(circuit)
        circuit.subcircuit(cell)
        circuit.V("word", "word", circuit.gnd, READ.word_volt)
        circuit.V("source", "source", circuit.gnd, READ.source_volt)
        circuit.V("bit", "bit", "source", bit_volt)
        cell.place(circuit, "cell", ["bit", "word", "source"], siemens)
        return circuit
