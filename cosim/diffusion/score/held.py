"""The shape over tau of noise that is held from draw to draw, as the circuit's sources play it.

An increment of variance h = 1/updates, held for h, is a rate of sqrt(updates) * draw. Sources ramp
from each rate to the next, centred on the boundary; before the first draw the rate is 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Line = Callable[[float], np.ndarray]


@dataclass(frozen=True)
class HeldNoise:
    """dw/dtau, which is straight from corner to corner.

    Attributes:
        tau: of the corners [n], from 0 to 1; two at one time are a jump.
        rates: there [n, ..., states].
    """

    tau: np.ndarray
    rates: np.ndarray

    @classmethod
    def of(cls, draws: np.ndarray, edge_part: float) -> "HeldNoise":
        """Of draws from N(0, 1) [updates, ..., states].

        Args:
            edge_part: of an update that each ramp takes; 0 for jumps.
        """
        updates, half = len(draws), edge_part / 2
        held = np.sqrt(updates) * np.repeat(draws, 2, axis=0)
        begun = held[:1] / 2 if edge_part else held[:1]  # half of its ramp is before tau = 0
        places = np.arange(updates)[:, None] + np.array([half, 1 - half])
        return cls(
            np.concatenate([[0.0], places.ravel() / updates, [1.0]]),
            np.concatenate([begun, held, held[-1:]]),
        )

    def line(self, tau: float) -> Line:
        """The straight line that holds around a time, which is no corner."""
        after = int(np.searchsorted(self.tau, tau))
        return self._between(after - 1, after)

    def lines(self) -> list[tuple[float, float, Line]]:
        """All straight lines: begin, end, and the rate by tau."""
        return [
            (float(self.tau[at]), float(self.tau[at + 1]), self._between(at, at + 1))
            for at in range(len(self.tau) - 1)
            if self.tau[at] < self.tau[at + 1]
        ]

    def _between(self, first: int, second: int) -> Line:
        begin, end = self.tau[first], self.tau[second]
        rate, slope = self.rates[first], (self.rates[second] - self.rates[first]) / (end - begin)
        return lambda tau: np.asarray(rate + (tau - begin) * slope)
