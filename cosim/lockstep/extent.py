"""Lowest and highest values of vectors that come one by one."""

import numpy as np

LEAST_RANGE_PART, LEAST_RANGE_VOLT = 1e-3, 1e-6
TOGETHER = 512
"""How many are looked at together: numpy takes as long for two values as for a hundred."""


class Extent:
    """Of what it took; of a zero where there was nothing."""

    def __init__(self) -> None:
        self._taken: list[np.ndarray] = []

    def take(self, values: np.ndarray) -> None:
        """One more, which is not to be written to any more."""
        self._taken.append(values)
        if len(self._taken) > TOGETHER:
            self._taken = [self.low, self.high]

    @property
    def low(self) -> np.ndarray:
        """The lowest of each element."""
        return np.minimum.reduce(self._taken or [np.zeros(1)])

    @property
    def high(self) -> np.ndarray:
        """The highest of each element."""
        return np.maximum.reduce(self._taken or [np.zeros(1)])

    @property
    def largest(self) -> np.ndarray:
        """Of each element, whatever its sign."""
        return np.maximum(-self.low, self.high)

    @property
    def range_volt(self) -> np.ndarray:
        """How far each element went, or what counts as its range if it hardly moved."""
        return range_volt(self.low, self.high)


def range_volt(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far an output went, or what counts as its range if it hardly moved [outputs]."""
    least = LEAST_RANGE_PART * np.maximum(np.abs(low), np.abs(high)) + LEAST_RANGE_VOLT
    return np.maximum(high - low, least)
