"""How time steps serve the coupling: fixed communication steps, or steps by a tolerance."""

import math
from dataclasses import dataclass

import numpy as np

from cosim.lockstep.scheme import Scheme

SAFETY, LEAST_FACTOR, LARGEST_FACTOR = 0.8, 0.2, 1.3
"""Of the next step to the last one, and its bounds: the error of a stiff score rises fast."""
PROPORTIONAL, TREND = 0.7, 0.4
"""Exponents of a proportional-integral controller (Hairer and Wanner II, section IV.2)."""

TINY_VOLT = 1e-15
COMMUNICATION_PART = 1e-6
"""Of a communication step, or a sampling period, by which a point may miss it."""
LEAST_PART = 1e-9
"""Of the simulated time: no shorter step is asked for."""


@dataclass(frozen=True)
class Stepping:
    """How time steps serve the coupling; by default ngspice chooses them, and each is one.

    Attributes:
        tolerance_volt: wanted coupling error, by which steps are chosen.
        communication_second: fixed communication step: blocks are evaluated at its multiples
            alone, which ngspice meets, and their outputs predicted from there in between.
        largest_error_volt: coupling error that ends the simulation; None for no limit. Jumps of
            blocks that are declared `discontinuous` do not count.
    """

    tolerance_volt: float | None = None
    communication_second: float | None = None
    largest_error_volt: float | None = None

    @property
    def limits_steps(self) -> bool:
        """Whether ngspice has to ask before each step."""
        return self.tolerance_volt is not None or self.communication_second is not None


BY_NGSPICE = Stepping()


class StepControl:
    """Chooses the longest next step, point by point.

    Args:
        start_second: of the simulation.
        span_second: its length; infinite if not known.

    Attributes:
        longest_second: limit of the next step; None leaves steps to ngspice.
        at_floor: whether the step is as short as it may become.
    """

    def __init__(
        self, stepping: Stepping, scheme: type[Scheme], start_second: float, span_second: float
    ) -> None:
        self._stepping, self._order = stepping, scheme.ORDER
        self._start_second = self._following_second = start_second
        self._least_second = LEAST_PART * span_second if math.isfinite(span_second) else 0.0
        self._reserve = 1.0
        self.longest_second = math.inf if stepping.limits_steps else None
        self.at_floor = False

    def communicates(self, time_second: float) -> bool:
        """Whether blocks are evaluated at this point; the next time follows."""
        step = self._stepping.communication_second
        if step is None:
            return True
        passed = math.floor((time_second - self._start_second) / step + COMMUNICATION_PART)
        before, self._following_second = (
            self._following_second,
            self._start_second + (passed + 1) * step,
        )
        return self._following_second > before

    def take(self, time_second: float, elapsed_second: float, error_volt: np.ndarray) -> None:
        """A point was accepted, with these coupling errors; NaN of outputs that have none."""
        tolerance = self._stepping.tolerance_volt
        if self._following_second > time_second:
            self.longest_second = self._following_second - time_second
        elif tolerance is not None and elapsed_second > 0:
            largest_volt = float(np.abs(error_volt[np.isfinite(error_volt)]).max(initial=TINY_VOLT))
            reserve = tolerance / largest_volt
            wanted = elapsed_second * self._growth(reserve)
            self.at_floor = wanted <= self._least_second
            self.longest_second = max(wanted, self._least_second)

    def _growth(self, reserve: float) -> float:
        """Of the step, by the part of the tolerance that the last one left, and its trend."""
        trend, self._reserve = reserve / self._reserve, reserve
        order = self._order
        factor = SAFETY * reserve ** (PROPORTIONAL / order) * min(trend, 1.0) ** (TREND / order)
        return min(max(factor, LEAST_FACTOR), LARGEST_FACTOR)
