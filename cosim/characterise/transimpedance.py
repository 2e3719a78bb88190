"""Test bench of the transimpedance stage, at an array column's load."""

from dataclasses import dataclass

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.characterise.bench import (
    RESPONSE,
    Analyse,
    Measured,
    at_rest,
    bench_circuit,
    corner_hertz,
)
from cosim.netlist.netlist import Tolerances, Transient, with_analysis
from cosim.process.process import Process

LINE_SIEMENS, LINE_FARAD = 0.4e-3, 0.5e-12
"""A line of 15 cells, and its wire."""
COMMON_VOLT, DIFFERENCE_VOLT = 0.15, 0.06


@dataclass(frozen=True)
class TransimpedanceBench:
    """Measures a stage of any fidelity; both lines are driven through the cells of a column."""

    stage: SubCircuit
    process: Process | None
    supply_volt: float
    analyse: Analyse

    def measure(self) -> Measured:
        """The spec sheet; curve `transfer` (i_plus - i_minus, output)."""
        vectors = self.analyse(self.netlist)
        ground = self.supply_volt / 2
        current = LINE_SIEMENS * (vectors["drive_plus"] - ground - COMMON_VOLT)
        out = vectors["out"] - ground
        slope, offset = np.polyfit(current, out, 1)
        frequency, plus = self._gain("ac 1", "")
        _, minus = self._gain("", "ac 1")
        _, common = self._gain("ac 1", "ac 1")
        return Measured(
            {
                "transimpedance_ohm": float(slope),
                "offset_volt": float(offset),
                "nonlinearity": float(np.abs(out - slope * current - offset).max() / np.ptp(out)),
                "bandwidth_plus_hertz": corner_hertz(frequency, plus),
                "bandwidth_minus_hertz": corner_hertz(frequency, minus),
                "peaking_decibel": float(20 * np.log10(plus.max() / plus[0])),
                "common_mode_rejection_decibel": float(
                    20 * np.log10(plus[0] / max(common[0], 1e-12))
                ),
                "supply_ampere": float(-vectors["vdd#branch"][0]),
            },
            {"transfer": (current, out), "response": (frequency, plus)},
        )

    @property
    def netlist(self) -> str:
        """The transfer from the plus line's drive."""
        low, high = COMMON_VOLT - DIFFERENCE_VOLT, COMMON_VOLT + DIFFERENCE_VOLT
        circuit = self._driven("0", repr(COMMON_VOLT))
        sweep = f".dc Vplus {low!r} {high!r} {DIFFERENCE_VOLT / 20!r}"
        recorded = ["v(drive_plus)", *at_rest(circuit)]
        return with_analysis(circuit, sweep, recorded, Tolerances().line)

    @property
    def sisters(self) -> dict[str, str]:
        """A pulse on the plus line, then one on the minus line; the small-signal response."""
        high = COMMON_VOLT + DIFFERENCE_VOLT
        plus, minus = (
            f"PULSE({COMMON_VOLT!r} {high!r} {start} 2n 2n 0.2u 10u)" for start in ("20n", "0.4u")
        )
        return {
            "step": with_analysis(
                self._driven(plus, minus),
                Transient(0.8e-6, 0.2e-9).line,
                ["v(out)", "v(plus)", "v(minus)"],
                Tolerances().line,
            ),
            "response": self._response_text("ac 1", ""),
        }

    def _driven(self, plus: str, minus: str) -> Circuit:
        circuit = bench_circuit("transimpedance_bench", self.stage, self.process, self.supply_volt)
        for line, source in (("plus", plus), ("minus", minus)):
            circuit.V(line, f"drive_{line}", "analog_ground", source)
            circuit.R(line, f"drive_{line}", line, 1 / LINE_SIEMENS)
            circuit.C(line, line, circuit.gnd, LINE_FARAD)
        circuit.X(
            "device", self.stage.name, "plus", "minus", "out", "analog_ground", "vdd", circuit.gnd
        )
        return circuit

    def _gain(self, plus: str, minus: str) -> tuple[np.ndarray, np.ndarray]:
        vectors = self.analyse(self._response_text(plus, minus))
        return np.real(vectors["frequency"]), np.abs(vectors["out"])

    def _response_text(self, plus: str, minus: str) -> str:
        circuit = self._driven(f"{COMMON_VOLT!r} {plus}", f"{COMMON_VOLT!r} {minus}")
        return with_analysis(circuit, RESPONSE, ["v(out)"])
