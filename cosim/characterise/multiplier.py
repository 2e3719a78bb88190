"""Test bench of the multiplier: product error over the range, bandwidths, feed-through."""

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

RANGE_VOLT, POINTS = 0.4, 9


@dataclass(frozen=True)
class MultiplierBench:
    """Measures a multiplier of any fidelity."""

    multiplier: SubCircuit
    process: Process | None
    supply_volt: float
    analyse: Analyse

    def measure(self) -> Measured:
        """The spec sheet; curves `b=...` (a, output), against the analog ground.

        Errors are relative to the output of both inputs at the end of their range. The gain is
        that of least squares over the range, 1/V; nonlinearity is what it leaves.
        """
        levels = np.linspace(-RANGE_VOLT, RANGE_VOLT, POINTS)
        vectors = self.analyse(self.netlist)
        out = (vectors["out"] - self.supply_volt / 2).reshape(POINTS, POINTS)  # [b, a]
        product = np.outer(levels, levels)
        gain = float((out * product).sum() / (product**2).sum())
        full = abs(gain) * RANGE_VOLT**2
        frequency, by_a = self._gain("0 ac 1", f"{RANGE_VOLT!r}")
        _, by_b = self._gain(f"{RANGE_VOLT!r}", "0 ac 1")
        _, leak_a = self._gain("0 ac 1", "0")
        _, leak_b = self._gain("0", "0 ac 1")
        return Measured(
            {
                "gain_per_volt": gain,
                "nonlinearity": float(np.abs(out - gain * product).max() / full),
                "offset_volt": float(out[POINTS // 2, POINTS // 2]),
                "bandwidth_a_hertz": corner_hertz(frequency, by_a),
                "bandwidth_b_hertz": corner_hertz(frequency, by_b),
                "feed_through_a_decibel": _decibel(leak_a[0] / by_a[0]),
                "feed_through_b_decibel": _decibel(leak_b[0] / by_b[0]),
                "supply_ampere": float(-vectors["vdd#branch"][0]),
            },
            {f"b = {level:+.1f} V": (levels, row) for level, row in zip(levels, out, strict=True)},
        )

    @property
    def netlist(self) -> str:
        """The products of all levels of a, for each of b."""
        step = 2 * RANGE_VOLT / (POINTS - 1)
        sweep = f"{-RANGE_VOLT!r} {RANGE_VOLT + step / 2!r} {step!r}"
        circuit = self._driven("0", "0")
        analysis = f".dc Va {sweep} Vb {sweep}"
        return with_analysis(circuit, analysis, at_rest(circuit), Tolerances().line)

    @property
    def sisters(self) -> dict[str, str]:
        """Steps of both inputs, one after the other: each by itself and both together; the
        small-signal response.
        """
        a, b = (
            f"PULSE({-RANGE_VOLT!r} {RANGE_VOLT!r} {start} 5n 5n 0.4u 10u)"
            for start in ("50n", "0.25u")
        )
        return {
            "step": with_analysis(
                self._driven(a, b),
                Transient(0.9e-6, 0.5e-9).line,
                ["v(out)"],
                Tolerances().line,
            ),
            "response": self._response("0 ac 1", f"{RANGE_VOLT!r}"),
        }

    def _driven(self, a: str, b: str) -> Circuit:
        circuit = bench_circuit("multiplier_bench", self.multiplier, self.process, self.supply_volt)
        circuit.V("a", "a", "analog_ground", a)
        circuit.V("b", "b", "analog_ground", b)
        circuit.X(
            "device", self.multiplier.name, "a", "b", "out", "analog_ground", "vdd", circuit.gnd
        )
        return circuit

    def _gain(self, a: str, b: str) -> tuple[np.ndarray, np.ndarray]:
        vectors = self.analyse(self._response(a, b))
        return np.real(vectors["frequency"]), np.abs(vectors["out"])

    def _response(self, a: str, b: str) -> str:
        return with_analysis(self._driven(a, b), RESPONSE, ["v(out)"])


def _decibel(ratio: float) -> float:
    return float(20 * np.log10(max(ratio, 1e-15)))
