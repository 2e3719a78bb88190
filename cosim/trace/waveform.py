"""A signal's points in memory, joined by straight lines, and the geometry of measurements on them.

Between two points the signal is the line that joins them, as in ngspice's `.meas`.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cosim.errors import MeasurementError
from cosim.netlist.units import si

Edge = Literal["rise", "fall", "either"]


@dataclass(frozen=True)
class Waveform:
    """Finite values at times that do not go back, both [points].

    Raises (as every method):
        MeasurementError: there are no points, or some that are not finite; or what is asked for
            is not in the signal.
    """

    name: str
    unit: str
    time_second: np.ndarray
    values: np.ndarray

    def __post_init__(self) -> None:
        if len(self.values) == 0:
            raise MeasurementError(f"Nothing can be measured of '{self.name}': it has no points.")
        wrong = np.flatnonzero(~np.isfinite(self.values))
        if len(wrong):
            raise MeasurementError(
                f"Nothing can be measured of '{self.name}': at {self.time_second[wrong[0]]:.6g} s "
                f"it is {self.values[wrong[0]]}. Measure `between` times without such values."
            )

    @property
    def duration_second(self) -> float:
        """From the first point to the last."""
        duration = float(self.time_second[-1] - self.time_second[0])
        if duration <= 0:
            raise MeasurementError(
                f"'{self.name}' has no duration: all its points are at one time."
            )
        return duration

    @property
    def middle(self) -> float:
        """Half-way between lowest and highest value."""
        return float(self.values.min() + self.values.max()) / 2

    @property
    def extent(self) -> str:
        """Where it is, in words, for errors."""
        return (
            f"It goes from {self.values.min():.6g} to {self.values.max():.6g} {self.unit}, between "
            f"{self.time_second[0]:.6g} s and {self.time_second[-1]:.6g} s."
        )

    def value_at(self, time: float | str) -> float:
        """The value at a circuit time in seconds."""
        return float(np.interp(self._within(time), self.time_second, self.values))

    def part(self, first: float | str, last: float | str) -> "Waveform":
        """Between two circuit times, with the values just there."""
        start, stop = self._within(first), self._within(last)
        if not start < stop:
            raise MeasurementError(f"There is nothing of '{self.name}' from {first} to {last} s.")
        inside = (self.time_second > start) & (self.time_second < stop)
        times = np.concatenate([[start], self.time_second[inside], [stop]])
        values = np.interp(times, self.time_second, self.values)
        return Waveform(self.name, self.unit, times, values)

    def product_integral(self, values: np.ndarray) -> float:
        """The integral over time of this signal times another at the same times."""
        a, b = self.values, values
        mixed = 2 * a[:-1] * b[:-1] + a[:-1] * b[1:] + a[1:] * b[:-1] + 2 * a[1:] * b[1:]
        return float(np.sum(np.diff(self.time_second) * mixed) / 6)

    def crossings(self, level: float, edge: Edge) -> np.ndarray:
        """Times at which it crosses a level; to reach it and turn back is no crossing."""
        off = np.flatnonzero(self.values != level)  # a stay on the level counts once, at its end
        above = self.values[off] > level
        turns = np.flatnonzero(above[1:] != above[:-1])
        if edge != "either":
            turns = turns[above[turns + 1] == (edge == "rise")]
        # Of a stay, the line is that from its last point.
        after = off[turns + 1]
        t0, t1 = self.time_second[after - 1], self.time_second[after]
        v0, v1 = self.values[after - 1], self.values[after]
        return np.asarray(t0 + (t1 - t0) * (level - v0) / (v1 - v0))

    def frequency(self, level: float) -> float:
        """Hertz, the mean over all whole periods, from rise to rise through a level."""
        rises = self.crossings(level, "rise")
        if len(rises) < 2:
            raise MeasurementError(
                f"'{self.name}' has no frequency: it rises through {level:.6g} {self.unit} "
                f"{len(rises)} times, and a period needs two. {self.extent}"
            )
        return float((len(rises) - 1) / (rises[-1] - rises[0]))

    def transition(
        self, low: float, high: float, levels: tuple[float, float] | None, edge: Edge
    ) -> float:
        """Seconds that the first rise or fall takes between two parts of its height."""
        lower, upper = sorted(levels or (float(self.values[0]), float(self.values[-1])))
        rising = edge == "rise"
        if levels is None and (self.values[-1] > self.values[0]) != rising:
            raise MeasurementError(
                f"'{self.name}' does not {edge}: it begins at {self.values[0]:.6g} and ends at "
                f"{self.values[-1]:.6g} {self.unit}. Give the `levels` that it goes between, or "
                "measure `between` the times of one edge."
            )
        if not 0 <= low < high <= 1:
            raise MeasurementError(f"From {low:g} to {high:g} of its height is no {edge}.")
        first, last = (low, high) if rising else (high, low)
        ends = self.crossings(lower + last * (upper - lower), edge)
        begins = self.crossings(lower + first * (upper - lower), edge)
        for end in ends:
            if len(before := begins[begins < end]):
                return float(end - before[-1])
        raise MeasurementError(
            f"'{self.name}' has no whole {edge} between {low:g} and {high:g} of {lower:.6g} to "
            f"{upper:.6g} {self.unit}. {self.extent}"
        )

    def step_to(self, final: float | str | None) -> tuple[float, float]:
        """The final value, by default the last, and how far it is from the first, not 0."""
        target = float(self.values[-1]) if final is None else si(final, "The final value")
        step = target - float(self.values[0])
        if step == 0:
            raise MeasurementError(
                f"'{self.name}' makes no step: it begins at its final value, {target:.6g} "
                f"{self.unit}. Give its `final` value, or measure `between` times around the step."
            )
        return target, step

    def amplitudes(self, hertz: float, harmonics: int) -> np.ndarray:
        """Of the harmonics [harmonics], fitted with a constant by least squares, weighted by time:
        exact for a signal that consists of them, on any time grid.
        """
        angle = 2 * math.pi * hertz * (self.time_second - self.time_second[0])
        orders = np.arange(1, harmonics + 1)
        waves = np.outer(angle, orders)
        basis = np.hstack([np.ones((len(angle), 1)), np.cos(waves), np.sin(waves)])
        weights = np.sqrt(np.gradient(self.time_second))
        fitted = np.linalg.lstsq(basis * weights[:, None], self.values * weights, rcond=None)[0]
        return np.hypot(fitted[1 : harmonics + 1], fitted[harmonics + 1 :])

    def _within(self, time: float | str) -> float:
        """A circuit time in seconds that lies inside."""
        found = si(time, "The time")
        first, last = float(self.time_second[0]), float(self.time_second[-1])
        slack = 1e-9 * (last - first)
        if not first - slack <= found <= last + slack:
            raise MeasurementError(
                f"'{self.name}' has no value at {found:.6g} s: it lasts from {first:.6g} s to "
                f"{last:.6g} s."
            )
        return min(max(found, first), last)
