"""Measurements on a signal: what a designer reads off an oscilloscope, as numbers with units.

What does not happen in a signal is a `MeasurementError`, never NaN. Every method of `Levels` and
`Measurements` raises it, also where there are no points, or some that are not finite.
Source: IEEE Std 181 (levels, transition durations, settling); ngspice manual, section 11.4, with
which they agree where `.meas` has the same.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from quantiphy import Quantity

from cosim.errors import MeasurementError
from cosim.netlist.units import si
from cosim.trace.waveform import Edge, Waveform

LATEST_SETTLING = 0.9
"""Of the duration: what is outside the band later than this has not settled."""
POINTS_A_HARMONIC = 4


class Measured(Protocol):
    """What measurements need of a signal."""

    name: str
    unit: str

    @property
    def time_second(self) -> np.ndarray:
        """Circuit times [points]."""

    @property
    def values(self) -> np.ndarray:
        """In `unit` [points]."""


def waveform(signal: Measured) -> Waveform:
    """A signal's points."""
    return Waveform(signal.name, signal.unit, signal.time_second, signal.values)


class Levels:
    """Values of a signal; each result is a float that knows its unit."""

    def between(self: Measured, first: float | str, last: float | str) -> "Part":
        """The signal from one circuit time (seconds, or '5u') to another, ends interpolated."""
        part = waveform(self).part(first, last)
        return Part(part.name, part.unit, part.time_second, part.values)

    def at(self: Measured, time: float | str) -> Quantity:
        """The value at a circuit time (seconds, or '5u')."""
        return Quantity(waveform(self).value_at(time), self.unit)

    def min(self: Measured) -> Quantity:
        """The lowest value."""
        return Quantity(float(waveform(self).values.min()), self.unit)

    def max(self: Measured) -> Quantity:
        """The highest value."""
        return Quantity(float(waveform(self).values.max()), self.unit)

    def peak_to_peak(self: Measured) -> Quantity:
        """Highest minus lowest value."""
        return Quantity(float(np.ptp(waveform(self).values)), self.unit)

    def integral(self: Measured) -> Quantity:
        """The integral over time."""
        wave = waveform(self)
        return Quantity(float(np.trapezoid(wave.values, wave.time_second)), f"{self.unit}·s")

    def mean(self: Measured) -> Quantity:
        """The mean over time."""
        wave = waveform(self)
        area = float(np.trapezoid(wave.values, wave.time_second))
        return Quantity(area / wave.duration_second, self.unit)

    def rms(self: Measured) -> Quantity:
        """The root of the mean square over time."""
        wave = waveform(self)
        return Quantity(
            math.sqrt(wave.product_integral(wave.values) / wave.duration_second), self.unit
        )

    def energy(self: Measured, current: Measured) -> Quantity:
        """The integral of this voltage times a current of the same trace.

        ngspice counts a source's current into its positive node: a supply that gives energy has
        a negative one.
        """
        wave, other = waveform(self), waveform(current)
        if not np.array_equal(wave.time_second, other.time_second):
            raise MeasurementError(
                f"'{self.name}' and '{current.name}' have no time grid in common. Take both from "
                "one trace, between the same times."
            )
        if {self.unit, current.unit} != {"V", "A"}:
            raise MeasurementError(
                f"'{self.name}' ({self.unit}) and '{current.name}' ({current.unit}) are not a "
                "voltage and a current. Give one of each."
            )
        return Quantity(wave.product_integral(other.values), "J")


class Measurements(Levels):
    """Values and times of a signal; each result is a float that knows its unit."""

    def crossings(self: Measured, level: float | str, edge: Edge = "either") -> np.ndarray:
        """Every time at which it crosses a level, in seconds; empty if it does not."""
        return waveform(self).crossings(si(level, "The level"), edge)

    def crossing(
        self: Measured, level: float | str, edge: Edge = "either", number: int = 1
    ) -> Quantity:
        """When it crosses a level for the `number`th time; -1 is the last time."""
        wave = waveform(self)
        found = wave.crossings(si(level, "The level"), edge)
        if number == 0 or len(found) < abs(number):
            raise MeasurementError(
                f"There is no crossing {number} of '{self.name}': it crosses {level} {self.unit} "
                f"({edge}) {len(found)} times. {wave.extent}"
            )
        return Quantity(float(found[number - 1 if number > 0 else number]), "s")

    def rise_time(
        self: Measured,
        low: float = 0.1,
        high: float = 0.9,
        levels: tuple[float, float] | None = None,
    ) -> Quantity:
        """How long its first rise takes from one part of its height to another.

        Args:
            levels: that it rises between; by default the first and the last value.
        """
        return Quantity(waveform(self).transition(low, high, levels, "rise"), "s")

    def fall_time(
        self: Measured,
        low: float = 0.1,
        high: float = 0.9,
        levels: tuple[float, float] | None = None,
    ) -> Quantity:
        """How long its first fall takes; as `rise_time`."""
        return Quantity(waveform(self).transition(low, high, levels, "fall"), "s")

    def slew(self: Measured, low: float = 0.1, high: float = 0.9) -> Quantity:
        """The mean slope between two parts of the step from the first to the last value; negative
        for one down.
        """
        wave = waveform(self)
        _, step = wave.step_to(None)
        second = wave.transition(low, high, None, "rise" if step > 0 else "fall")
        return Quantity((high - low) * step / second, f"{self.unit}/s")

    def settling_time(
        self: Measured, tolerance: float = 0.01, final: float | str | None = None
    ) -> Quantity:
        """From the first point until it stays near its final value.

        Args:
            tolerance: how near, as a part of the step from the first to the final value.
            final: in its unit; by default the last value, and then it must be near it for the
                last tenth of the time.
        """
        wave = waveform(self)
        target, step = wave.step_to(final)
        band = abs(tolerance * step)
        outside = np.flatnonzero(np.abs(wave.values - target) > band)
        if len(outside) == 0:
            return Quantity(0.0, "s")
        last = int(outside[-1])
        start, still = float(wave.time_second[0]), float(wave.time_second[last])
        late = final is None and still > start + LATEST_SETTLING * wave.duration_second
        if late or last == len(wave.values) - 1:
            raise MeasurementError(
                f"'{self.name}' has not settled to within {tolerance:g} of its step "
                f"({band:.4g} {self.unit}) around {target:.6g} {self.unit}: it is outside at "
                f"{still:.6g} s, and ends at {wave.time_second[-1]:.6g} s. Simulate for longer, "
                "allow more, or give its `final` value."
            )
        before, after = wave.values[last : last + 2]
        edge = target + math.copysign(band, before - target)
        span = float(wave.time_second[last + 1]) - still
        return Quantity(still + span * (edge - before) / (after - before) - start, "s")

    def overshoot(self: Measured, final: float | str | None = None) -> Quantity:
        """How far it goes beyond its final value, as a part of the step from the first to the
        final value; 0 if it does not.

        Args:
            final: in its unit; by default the last value.
        """
        wave = waveform(self)
        target, step = wave.step_to(final)
        return Quantity(max(float(np.max((wave.values - target) / step)), 0.0), "")

    def delay(
        self: Measured,
        of: Measured,
        level: float | str | None = None,
        of_level: float | str | None = None,
        edge: Edge = "either",
        of_edge: Edge = "either",
    ) -> Quantity:
        """From when another signal first crosses its level until this one next does.

        Args:
            level, of_level: by default half-way between lowest and highest value of each.
        """
        wave, other = waveform(self), waveform(of)
        of_middle = other.middle if of_level is None else si(of_level, "The level")
        middle = wave.middle if level is None else si(level, "The level")
        starts = other.crossings(of_middle, of_edge)
        if not len(starts):
            raise MeasurementError(
                f"'{of.name}' does not cross {of_middle:.6g} {of.unit} ({of_edge}). {other.extent}"
            )
        ends = wave.crossings(middle, edge)
        ends = ends[ends >= starts[0]]
        if not len(ends):
            raise MeasurementError(
                f"'{self.name}' does not cross {middle:.6g} {self.unit} ({edge}) after "
                f"{starts[0]:.6g} s, when '{of.name}' crosses {of_middle:.6g}. {wave.extent}"
            )
        return Quantity(float(ends[0] - starts[0]), "s")

    def frequency(self: Measured, level: float | str | None = None) -> Quantity:
        """Of what repeats: the mean over all whole periods, from rise to rise.

        Args:
            level: by default half-way between lowest and highest value.
        """
        wave = waveform(self)
        middle = wave.middle if level is None else si(level, "The level")
        return Quantity(wave.frequency(middle), "Hz")

    def thd(
        self: Measured, fundamental: float | str | None = None, harmonics: int = 10
    ) -> Quantity:
        """Total harmonic distortion over the last whole periods: the harmonics from the second on,
        rms, by the first.

        Args:
            fundamental: hertz; by default the signal's `frequency`.
            harmonics: how many, the fundamental among them.
        """
        wave = waveform(self)
        if fundamental is None:
            hertz = wave.frequency(wave.middle)
        else:
            hertz = si(fundamental, "The fundamental")
        count = wave.duration_second * hertz
        periods = math.floor(count * (1 + 1e-9))
        if periods < 1:
            raise MeasurementError(
                f"'{wave.name}' lasts {wave.duration_second:.6g} s, less than one period of "
                f"{hertz:.6g} Hz. Simulate for longer."
            )
        if periods < count:
            stop = float(wave.time_second[-1])
            wave = wave.part(stop - periods / hertz, stop)
        if len(wave.values) < POINTS_A_HARMONIC * harmonics * periods:
            raise MeasurementError(
                f"'{wave.name}' has {len(wave.values)} points in {periods} periods, too few for "
                f"{harmonics} harmonics. Take smaller steps, or ask for fewer harmonics."
            )
        first, *others = wave.amplitudes(hertz, harmonics)
        if first == 0:
            raise MeasurementError(f"'{wave.name}' has nothing at {hertz:.6g} Hz.")
        return Quantity(math.hypot(*others) / float(first), "")


@dataclass(frozen=True)
class Part(Measurements):
    """A signal between two times, in memory."""

    name: str
    unit: str
    time_second: np.ndarray
    values: np.ndarray
