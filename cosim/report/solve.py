"""A solve beside its reference: how far the circuit is from the equation."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Solve:
    """One solve beside its reference, on the circuit's own time grid.

    Attributes:
        time_second: accepted times [n].
        state: the circuit's state in units of x [n, states].
        reference: float64 solution of the same equation [n, states].
        precharge_second: when tau starts.
    """

    time_second: np.ndarray
    state: np.ndarray
    reference: np.ndarray
    precharge_second: float

    @property
    def error(self) -> np.ndarray:
        """Circuit minus reference, in units of x [n, states]."""
        return self.state - self.reference

    @property
    def running(self) -> np.ndarray:
        """Which points belong to the solve, after the precharge [n]."""
        return self.time_second >= self.precharge_second

    @property
    def relative_error(self) -> float:
        """Largest error over the solve, relative to the reference's range over all states."""
        reference = self.reference[self.running]
        return float(np.abs(self.error[self.running]).max() / np.ptp(reference))

    @property
    def worst_second(self) -> float:
        """When the error is largest."""
        worst = np.abs(self.error[self.running]).max(axis=1).argmax()
        return float(self.time_second[self.running][worst])
