"""Test bench of the ReLU: transfer error, knee, bandwidth, feed-through, speed of the edge."""

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
    settling_second,
)
from cosim.netlist.netlist import Tolerances, Transient, with_analysis
from cosim.process.process import Process

ROW_OHM = 1.2e3
"""An array row: 28 cells of 0.03 mS to virtual grounds."""
RANGE_VOLT, ON_VOLT = 0.8, 0.3
LOW_VOLT, HIGH_VOLT = -0.3, 0.6
EDGE_SECOND, STOP_SECOND = 0.2e-6, 2e-6


@dataclass(frozen=True)
class ReluBench:
    """Measures a ReLU of any fidelity, driving an array row."""

    relu: SubCircuit
    process: Process | None
    supply_volt: float
    analyse: Analyse

    def measure(self) -> Measured:
        """The spec sheet; curve `transfer` (input, output), both against the analog ground."""
        vectors = self.analyse(self.netlist)
        drive, out = self._signals(vectors)
        error = out - np.maximum(drive, 0)
        knee = np.abs(drive) < 0.02
        on, off = self._gain(ON_VOLT), self._gain(-ON_VOLT)
        step = self.analyse(self._step())
        time, rise = step["time"], self._signals(step)[1]
        up = time < EDGE_SECOND + 0.8e-6
        return Measured(
            {
                "transfer_error_volt": float(np.abs(error[~knee]).max()),
                "knee_error_volt": float(np.abs(error[knee]).max()),
                "bandwidth_hertz": corner_hertz(*on),
                "feed_through_decibel": float(20 * np.log10(max(off[1].max() / on[1][0], 1e-15))),
                "turn_on_second": settling_second(time[up], rise[up], EDGE_SECOND, 0.01),
                "undershoot_volt": float(-min(rise.min(), 0.0)),
                "supply_ampere": float(-vectors["vdd#branch"][0]),
            },
            {"transfer": (drive, out), "step": (time, rise)},
        )

    @property
    def netlist(self) -> str:
        """The transfer."""
        circuit = self._driven("0")
        sweep = f".dc Vin {-RANGE_VOLT!r} {RANGE_VOLT!r} 5m"
        return with_analysis(circuit, sweep, ["v(input)", *at_rest(circuit)], Tolerances().line)

    @property
    def sisters(self) -> dict[str, str]:
        """The edge, on and off; the small-signal response while it conducts."""
        return {"step": self._step(), "response": self._response(ON_VOLT)}

    def _step(self) -> str:
        pulse = f"PULSE({LOW_VOLT!r} {HIGH_VOLT!r} {EDGE_SECOND!r} 1n 1n 0.8u 10u)"
        line = Transient(STOP_SECOND, 0.5e-9).line
        return with_analysis(self._driven(pulse), line, ["v(input)", "v(out)"], Tolerances().line)

    def _driven(self, source: str) -> Circuit:
        circuit = bench_circuit("relu_bench", self.relu, self.process, self.supply_volt)
        circuit.V("in", "input", "analog_ground", source)
        circuit.X("device", self.relu.name, "input", "out", "analog_ground", "vdd", circuit.gnd)
        circuit.R("row", "out", "analog_ground", ROW_OHM)
        return circuit

    def _response(self, at_volt: float) -> str:
        return with_analysis(self._driven(f"{at_volt!r} ac 1"), RESPONSE, ["v(out)"])

    def _signals(self, vectors: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        ground = self.supply_volt / 2
        return vectors["input"] - ground, vectors["out"] - ground

    def _gain(self, at_volt: float) -> tuple[np.ndarray, np.ndarray]:
        vectors = self.analyse(self._response(at_volt))
        return np.real(vectors["frequency"]), np.abs(vectors["out"])
