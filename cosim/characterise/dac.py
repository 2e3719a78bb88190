"""Test bench of the converter: linearity over all codes, settling, glitch at the major carry."""

from dataclasses import dataclass

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.characterise.bench import Analyse, Measured, at_rest, bench_circuit, settling_second
from cosim.circuits.dac import EDGE_SECOND, DacSpec
from cosim.netlist.netlist import Tolerances, Transient, with_analysis
from cosim.process.process import Process

FULL_SCALE_VOLT = 0.1
"""Of a channel of the time embedding: one unit."""
LOAD_OHM = 20e3
"""The two hidden layers' columns."""
STEP_SECOND, STOP_SECOND = 50e-9, 550e-9
BIT_SECOND = 200e-9


@dataclass(frozen=True)
class DacBench:
    """Measures a converter of any fidelity."""

    converter: SubCircuit
    spec: DacSpec
    process: Process | None
    supply_volt: float
    analyse: Analyse

    @property
    def netlist(self) -> str:
        """The major carry."""
        half = 2 ** (self.spec.bits - 1)
        return self._switching(half - 1, half)

    @property
    def sisters(self) -> dict[str, str]:
        """Each bit by itself, one after the other; output and current over a reference."""
        still, circuit = self._circuit(), self._circuit()
        high, edge = self.supply_volt, EDGE_SECOND
        for bit in range(self.spec.bits):
            start = (bit + 1) * BIT_SECOND
            circuit.V(
                f"bit_{bit}", f"bit_{bit}", circuit.gnd,
                f"PULSE(0 {high!r} {start!r} {edge!r} {edge!r} {BIT_SECOND - edge!r} 1)",
            )  # fmt: skip
        line = Transient((self.spec.bits + 1) * BIT_SECOND, 1e-9).line
        for bit in range(self.spec.bits):
            still.V(f"bit_{bit}", f"bit_{bit}", still.gnd, high * (bit % 2))
        sweep = f".dc Vreference_high 0 {2 * FULL_SCALE_VOLT!r} {FULL_SCALE_VOLT / 10!r}"
        return {
            "bits": with_analysis(circuit, line, ["v(out)"], ".options reltol=1e-5"),
            "reference": with_analysis(still, sweep, at_rest(still), Tolerances().line),
        }

    @property
    def _transfer(self) -> str:
        """The sweep of all codes."""
        circuit = self._circuit()
        circuit.V("code", "code", circuit.gnd, 0)
        for bit in range(self.spec.bits):
            circuit.B(
                f"bit_{bit}", f"bit_{bit}", circuit.gnd,
                voltage_expression=(
                    f"{self.supply_volt!r}*(floor((V(code)+0.5)/{2**bit})"
                    f"-2*floor((V(code)+0.5)/{2 ** (bit + 1)}))"
                ),
            )  # fmt: skip
        last = 2**self.spec.bits - 1
        return with_analysis(circuit, f".dc Vcode 0 {last} 1", ["v(code)", "v(out)", "i(vdd)"])

    def measure(self) -> Measured:
        """The spec sheet; errors in parts of a step of one code (LSB). Curves: `transfer` (code,
        volts against the analog ground), `integral` and `differential` (code, nonlinearity),
        `step` and `carry` (time, volts).
        """
        vectors = self.analyse(self._transfer)
        code, out = vectors["code"], vectors["out"] - self.supply_volt / 2
        least = 2 * FULL_SCALE_VOLT / 2**self.spec.bits
        ideal = FULL_SCALE_VOLT * (code / 2 ** (self.spec.bits - 1) - 1)
        slope = (out[-1] - out[0]) / (code[-1] - code[0])
        integral = (out - out[0]) / slope - (code - code[0])
        differential = np.diff(out) / slope - 1
        half = 2 ** (self.spec.bits - 1)
        step = self._switched(0, 2 * half - 1)
        carry = self._switched(half - 1, half)
        time, wave = carry
        glitch = np.trapezoid(np.where(time > STEP_SECOND, wave - wave[-1], wave - wave[0]), time)
        return Measured(
            {
                "offset_volt": float(np.mean(out - ideal)),
                "gain_error": float(slope / least - 1),
                "integral_lsb": float(np.abs(integral).max()),
                "differential_lsb": float(np.abs(differential).max()),
                "settling_second": settling_second(*step, STEP_SECOND, 1e-3),
                "glitch_volt_second": float(abs(glitch)),
                "supply_ampere": float(-vectors["vdd#branch"].mean()),
            },
            {
                "transfer": (code, out),
                "integral": (code, integral),
                "differential": (code[1:], differential),
                "step": step,
                "carry": carry,
            },
        )

    def _circuit(self) -> Circuit:
        circuit = bench_circuit("dac_bench", self.converter, self.process, self.supply_volt)
        for level, sign in (("low", -1), ("high", 1)):
            node = f"reference_{level}"
            circuit.V(node, node, "analog_ground", sign * FULL_SCALE_VOLT)
        circuit.X(
            "device", self.converter.name, *(f"bit_{bit}" for bit in range(self.spec.bits)),
            *("out", "reference_low", "reference_high", "vdd", circuit.gnd),
        )  # fmt: skip
        circuit.R("load", "out", "analog_ground", LOAD_OHM)
        return circuit

    def _switched(self, before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
        """Time and output, against the analog ground, when the code changes."""
        vectors = self.analyse(self._switching(before, after))
        return vectors["time"], vectors["out"] - self.supply_volt / 2

    def _switching(self, before: int, after: int) -> str:
        circuit = self._circuit()
        for bit in range(self.spec.bits):
            first, last = ((code >> bit & 1) * self.supply_volt for code in (before, after))
            circuit.V(
                f"bit_{bit}", f"bit_{bit}", circuit.gnd,
                f"PWL(0 {first!r} {STEP_SECOND!r} {first!r} "
                f"{STEP_SECOND + EDGE_SECOND!r} {last!r})",
            )  # fmt: skip
        return with_analysis(
            circuit,
            Transient(STOP_SECOND, 0.2e-9).line,
            ["v(out)"],
            ".options reltol=1e-5",
        )
