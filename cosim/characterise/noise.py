"""Test bench of the Wiener term's source: distribution, spectrum, independence, and the integral,
whose variance must grow as that of Brownian motion.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PySpice.Spice.Netlist import Circuit
from scipy.signal import welch
from scipy.stats import kurtosis

from cosim.characterise.bench import Analyse, Measured
from cosim.circuits.noise import TransientNoise
from cosim.netlist.netlist import Transient, with_analysis

RMS_VOLT, HOLD_SECOND = 0.1, 100e-9
SOURCES, HOLDS, STEPS_PER_HOLD = 32, 1000, 5
WINDOW_HOLDS = 50


def density(rms_volt: float, hold_second: float) -> float:
    """One-sided density at low frequency in V/rtHz: the square root of 2 rms^2 hold."""
    return float(np.sqrt(2 * rms_volt**2 * hold_second))


@dataclass(frozen=True)
class NoiseBench:
    """Measures many sources side by side."""

    analyse: Analyse

    @property
    def netlist(self) -> str:
        """All sources, 1000 holds long."""
        circuit = Circuit("noise_bench")
        block = TransientNoise("transient_noise", RMS_VOLT, HOLD_SECOND)
        circuit.subcircuit(block)
        for source in range(SOURCES):
            circuit.X(f"device_{source}", block.name, f"out_{source}", circuit.gnd)
        step, stop = HOLD_SECOND / STEPS_PER_HOLD, HOLDS * HOLD_SECOND
        recorded = [f"v(out_{source})" for source in range(SOURCES)]
        return with_analysis(circuit, Transient(stop, step).line, recorded)

    sisters: ClassVar[dict[str, str]] = {}

    def measure(self) -> Measured:
        """The spec sheet; curves `wave` (time, volts of a source), `draws` (index, all draws),
        `density` and `expected density` (frequency, V/rtHz), `variance` and `expected variance`
        (time, of the integral, over 640 windows, V2 s2).
        """
        vectors = self.analyse(self.netlist)
        time = vectors["time"]
        grid = np.arange(HOLDS * STEPS_PER_HOLD) * HOLD_SECOND / STEPS_PER_HOLD
        waves = np.array(
            [np.interp(grid, time, vectors[f"out_{source}"]) for source in range(SOURCES)]
        )
        draws = waves[:, STEPS_PER_HOLD::STEPS_PER_HOLD]
        windows = waves.reshape(-1, WINDOW_HOLDS * STEPS_PER_HOLD)
        elapsed = grid[: windows.shape[1]]
        integral = np.cumsum(windows, axis=1) * HOLD_SECOND / STEPS_PER_HOLD
        variance, brownian = integral.var(axis=0), RMS_VOLT**2 * HOLD_SECOND * elapsed
        correlation = np.corrcoef(draws)[~np.eye(SOURCES, dtype=bool)]
        successive = np.mean(draws[:, 1:] * draws[:, :-1]) / draws.var()
        frequency, power = welch(waves, fs=STEPS_PER_HOLD / HOLD_SECOND, nperseg=1000)
        measured = np.sqrt(power.mean(axis=0))
        low = (frequency > 0) & (frequency < 0.1 / HOLD_SECOND)
        # Beyond the first zero the sampling's aliases count.
        shown = (frequency > 0) & (frequency < 0.9 / HOLD_SECOND)
        # A straight line between draws: the transform of a triangle.
        expected = density(RMS_VOLT, HOLD_SECOND) * np.sinc(frequency * HOLD_SECOND) ** 2
        return Measured(
            {
                "rms_volt": float(draws.std()),
                "density_volt_per_root_hertz": float(np.sqrt(np.mean(measured[low] ** 2))),
                "wiener_slope": float(np.sum(variance * brownian) / np.sum(brownian**2)),
                "excess_kurtosis": float(kurtosis(draws, axis=None)),
                "successive_correlation": float(successive),
                "largest_correlation": float(np.abs(correlation).max()),
            },
            {
                "wave": (grid, waves[0]),
                "draws": (np.arange(draws.size, dtype=float), draws.ravel()),
                "density": (frequency[shown], measured[shown]),
                "expected density": (frequency[shown], expected[shown]),
                "variance": (elapsed, variance),
                "expected variance": (elapsed, brownian),
            },
        )
