"""Test bench of the integrator: time constant, ramp nonlinearity, leak in hold, handover, Bode."""

from dataclasses import dataclass

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.characterise.bench import Analyse, Curve, Measured, at_rest, bench_circuit
from cosim.circuits.integrator import HOLD_SECOND, SWITCH_EDGE_SECOND
from cosim.netlist.netlist import Tolerances, with_analysis
from cosim.netlist.waveform import piecewise_linear
from cosim.process.process import Process

INPUT_OHM = 200e3
RAMP_VOLT = 0.5
INITIAL_VOLT = 0.25
PRECHARGE_SECOND, RAMP_SECOND, LEAK_SECOND = 0.5e-6, 8e-6, 1e-3
BODE_HERTZ = (1e3, 1e6)
"""In band: an integrator of 20 us solves signals of up to some 100 kHz."""


@dataclass(frozen=True)
class IntegratorBench:
    """Measures an integrator with op-amp and switches of any fidelity.

    A ramp goes from -INITIAL_VOLT through the analog ground; the input falls back to zero after
    RAMP_SECOND, and the output then holds its value but for the leak.
    """

    integrator: SubCircuit
    c_int_farad: float
    process: Process | None
    supply_volt: float
    analyse: Analyse

    def measure(self) -> Measured:
        """The spec sheet; curves `ramp` (time, output), `leak` and `bode` (frequency, gain)."""
        time, out = self.ramp()
        rate = -RAMP_VOLT / (INPUT_OHM * self.c_int_farad)
        start, end = PRECHARGE_SECOND + 0.3e-6, PRECHARGE_SECOND + RAMP_SECOND - 0.3e-6
        inside = (time > start) & (time < end)
        slope, offset = np.polyfit(time[inside], out[inside], 1)
        before = float(np.interp(PRECHARGE_SECOND - 2 * HOLD_SECOND, time, out))
        error = np.abs(out - slope * time - offset)[inside].max() / np.ptp(out[inside])
        leak_time, leak = self._leak()
        late = leak_time > 10e-6
        frequency, gain = self.bode()
        unity = 1 / (2 * np.pi * INPUT_OHM * self.c_int_farad)
        ideal = unity / frequency
        return Measured(
            {
                "time_constant_second": float(-RAMP_VOLT / slope),
                "nonlinearity": float(error),
                "initial_error_volt": before - INITIAL_VOLT,
                "handover_error_volt": float(offset + slope * PRECHARGE_SECOND - before),
                "leak_volt_per_second": float(np.polyfit(leak_time[late], leak[late], 1)[0]),
                "bode_error": float(np.abs(np.abs(gain) / ideal - 1).max()),
                "slope_error": float(slope / rate - 1),
            },
            {
                "ramp": (time, out),
                "leak": (leak_time, leak),
                "bode": (frequency, np.abs(gain)),
            },
        )

    @property
    def netlist(self) -> str:
        """Precharge, ramp and hold."""
        stop = PRECHARGE_SECOND + 1.5 * RAMP_SECOND
        return self._text(self._switched(RAMP_VOLT, RAMP_SECOND), f".tran 5n {stop!r} 0 5n")

    @property
    def sisters(self) -> dict[str, str]:
        """Precharge at rest over the initial value; what the switches inject at the handover."""
        circuit = self._switched(RAMP_VOLT, RAMP_SECOND)
        sweep = f".dc Vinitial {-RAMP_VOLT!r} {RAMP_VOLT!r} {RAMP_VOLT / 10!r}"
        handover = self._text(
            self._switched(0.0, RAMP_SECOND, initial_volt=0.0),
            ".tran 50p 0.6u 0.4u 50p",
        )
        return {
            "precharge": with_analysis(circuit, sweep, at_rest(circuit), Tolerances().line),
            "handover": handover,
        }

    def ramp(self) -> Curve:
        """Time and output of precharge, ramp and hold."""
        vectors = self.analyse(self.netlist)
        return vectors["time"], vectors["out"] - self.supply_volt / 2

    def bode(self) -> tuple[np.ndarray, np.ndarray]:
        """Frequency and complex gain, switches in run; 1 Gohm sets the operating point."""
        circuit = self._circuit()
        circuit.V("in", "input", "analog_ground", "0 ac 1")
        circuit.V("run", "run", circuit.gnd, self.supply_volt)
        circuit.V("precharge", "precharge", circuit.gnd, 0)
        circuit.R("operating_point", "out", "sum", 1e9)
        low, high = BODE_HERTZ
        vectors = self._run(circuit, f".ac dec 20 {low!r} {high!r}")
        return np.real(vectors["frequency"]), vectors["out"]

    def _leak(self) -> Curve:
        circuit = self._switched(0.0, RAMP_SECOND)
        vectors = self._run(circuit, f".tran 1u {LEAK_SECOND!r} 0 5u")
        return vectors["time"], vectors["out"] - self.supply_volt / 2

    def _switched(
        self, input_volt: float, input_second: float, initial_volt: float = INITIAL_VOLT
    ) -> Circuit:
        circuit = self._circuit(initial_volt)
        high, edge, begin = self.supply_volt, SWITCH_EDGE_SECOND / 2, PRECHARGE_SECOND
        release, end = begin - HOLD_SECOND, begin + input_second
        for node, reference, time, volt in (
            ("input", "analog_ground", [0.0, end, end + 1e-9], [input_volt, input_volt, 0.0]),
            ("run", circuit.gnd, [0.0, begin - edge, begin + edge], [0.0, 0.0, high]),
            ("precharge", circuit.gnd, [0.0, release - edge, release + edge], [high, high, 0.0]),
        ):
            piecewise_linear(circuit, node, reference, np.array(time), np.array(volt))
        return circuit

    def _circuit(self, initial_volt: float = INITIAL_VOLT) -> Circuit:
        circuit = bench_circuit("integrator_bench", self.integrator, self.process, self.supply_volt)
        circuit.R("in", "input", "sum", INPUT_OHM)
        circuit.V("initial", "initial", "analog_ground", -initial_volt)
        circuit.X(
            "device", self.integrator.name, "sum", "initial", "out", "run", "precharge",
            "analog_ground", "vdd", circuit.gnd,
        )  # fmt: skip
        return circuit

    def _run(self, circuit: Circuit, analysis: str) -> dict[str, np.ndarray]:
        return self.analyse(self._text(circuit, analysis))

    @staticmethod
    def _text(circuit: Circuit, analysis: str) -> str:
        return with_analysis(circuit, analysis, ["v(out)"], Tolerances().line)
