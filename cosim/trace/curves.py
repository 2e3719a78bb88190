"""Curves that are linear between their points, and how far one leaves the tube around another.

Source: de Boor, A Practical Guide to Splines, chapter III (linear interpolation).
"""

from typing import NamedTuple

import numpy as np

TIME_ROUNDING = 1e-15
"""Of the latest time: times that are no nearer are two."""


class Points(NamedTuple):
    """Times [n], which do not go back, and values [n]; two values at one time are an edge."""

    time: np.ndarray
    values: np.ndarray

    def at(self, time: np.ndarray) -> np.ndarray:
        """Values at other times; beyond an end those of the end."""
        return np.interp(time, self.time, self.values)

    def between(self, first: float, last: float) -> "Points":
        """The points from one time to another, both included."""
        inside = (self.time >= first) & (self.time <= last)
        return Points(self.time[inside], self.values[inside])

    def has(self, time: np.ndarray) -> np.ndarray:
        """Whether there is a point at each of these times."""
        slack = self._slack
        first = np.searchsorted(self.time, time - slack, side="left")
        return first < np.searchsorted(self.time, time + slack, side="right")

    def tube(self, time: np.ndarray, time_second: float) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest value within +-time_second of each time."""
        around = max(time_second, self._slack)
        early, late = (self.at(time + shift) for shift in (-around, around))
        lowest, highest = np.minimum(early, late), np.maximum(early, late)
        first = np.searchsorted(self.time, time - around, side="left")
        last = np.searchsorted(self.time, time + around, side="right")
        inside = last > first
        for extreme, result in ((np.minimum, lowest), (np.maximum, highest)):
            found = _extremes_of_runs(self.values, first[inside], last[inside], extreme)
            result[inside] = extreme(result[inside], found)
        return lowest, highest

    def interval(self, time: float) -> tuple[float, float]:
        """The points' times before and after a time at which there is none."""
        after = int(np.clip(np.searchsorted(self.time, time), 1, len(self.time) - 1))
        return float(self.time[after - 1]), float(self.time[after])

    def bend(self, time: np.ndarray) -> np.ndarray:
        """How far a curve may be from the line between two of its points, at most.

        A curve that bends one way lies between this line and the neighbouring ones, drawn on; the
        farther of these is taken. Infinite where there is neither.
        """
        count = len(self.time)
        after = np.clip(np.searchsorted(self.time, time), 1, max(count - 1, 1))
        reach = []
        for first, start in ((after - 2, after - 1), (after, after)):
            there = (first >= 0) & (first + 1 < count)
            one, two = np.clip([first, first + 1], 0, count - 1)
            span = self.time[two] - self.time[one]
            slope = np.zeros(len(time))
            np.divide(self.values[two] - self.values[one], span, out=slope, where=span > 0)
            start = np.clip(start, 0, count - 1)
            sound = there & (span > 0)
            drawn = self.values[start] + np.where(sound, slope, 0.0) * (time - self.time[start])
            reach.append(np.where(sound, np.abs(drawn - self.at(time)), np.nan))
        return np.nan_to_num(np.fmax(*reach), nan=np.inf)

    @property
    def _slack(self) -> float:
        return TIME_ROUNDING * max(abs(float(self.time[0])), abs(float(self.time[-1])))


def beyond(points: Points, other: Points, time_second: float) -> np.ndarray:
    """How far each point is outside of the other curve's tube; below 0 inside."""
    lowest, highest = other.tube(points.time, time_second)
    return np.maximum(points.values - highest, lowest - points.values)


def _extremes_of_runs(
    values: np.ndarray, first: np.ndarray, last: np.ndarray, extreme: np.ufunc
) -> np.ndarray:
    """Extreme of values[first:last] for each pair, of runs that are not empty.

    By a table of the extremes of all runs of 1, 2, 4, ... values, of which two cover any run.
    """
    level = np.log2(np.maximum(last - first, 1)).astype(int)
    row, found = values, np.empty(len(first))
    for number in range(int(level.max(initial=-1)) + 1):
        if number:
            half = 2 ** (number - 1)
            row = extreme(row[:-half], row[half:])
        chosen = level == number
        found[chosen] = extreme(row[first[chosen]], row[last[chosen] - 2**number])
    return found
