"""Watches the coupling of one block: is it stable, how large is its error, does it jump.

The coupling error is what the netlist carried minus what the block says at the accepted inputs.
In a loop of gain g that the scheme does not solve for, each error is g times the one before: beyond
1 (for `extrapolated` beyond about 1/3 of the wrong sign) the coupling diverges, whatever the
circuit. Then the error soon is as large as the signal, and rises on; that is what is looked for.
"""

import math
from collections import deque
from itertools import pairwise

import numpy as np

from cosim.errors import CouplingError
from cosim.lockstep.block import Block
from cosim.lockstep.extent import Extent
from cosim.lockstep.findings import TOLERANCE_FACTOR, Findings
from cosim.lockstep.scheme import Scheme
from cosim.lockstep.stepping import Stepping
from cosim.lockstep.switching import Switching

LARGE_PART, LARGE_STREAK = 0.75, 6
RISING_PART, RISING_FACTOR, RISING_STREAK = 0.1, 1.01, 12
"""A coupling diverges whose error, for so many points one after another, does not fall and is so
large a part of the output's range; or rises by so much."""
GROWING_RESERVE = 1.3
"""By how much more than the longer step explains an error has to rise, to count."""
RECENT = 4
"""Points from which the loop's gain is estimated."""
JUMP_PART, JUMP_GAIN, JUMP_STEEPER = 0.2, 10.0, 20.0
"""A jump: the output changes by so much of its range, so much more than the inputs do, and so much
faster than in the points before.
"""


class Watch:
    """Of one block that is coupled by a scheme.

    Args:
        span_second: length of the simulation.

    Attributes:
        findings: what was seen so far.
    """

    def __init__(self, block: Block, scheme: type[Scheme], stepping: Stepping, span_second: float):
        self._block, self._scheme, self._stepping = block, scheme, stepping
        self.findings = Findings(block, scheme, stepping)
        self._switching = Switching(block.name, span_second)
        self._inputs = Extent()
        self._computed = self._volts = np.empty(0)
        self._recent: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=RECENT + 1)
        self._norm, self._elapsed_second = 0.0, math.inf
        self._range_volt = 0.0
        self._large = self._rising = 0
        self._slopes: list[list[float]] = []

    def take(
        self,
        time_second: float,
        elapsed_second: float,
        volts: np.ndarray,
        carried: np.ndarray,
        computed: np.ndarray,
        errors: np.ndarray,
        at_floor: bool,
    ) -> bool:
        """An accepted point, whose `errors` are carried minus computed; returns whether the output
        jumped. A few numbers, which are sooner told one by one than by numpy.

        Raises:
            CouplingError: the coupling diverges, switches without end or exceeds its limit.
        """
        seen = self.findings
        seen.calls += 1
        self._switching.take_point(time_second)
        seen.outputs.take(computed)
        self._inputs.take(volts)
        self._recent.append((carried, computed))
        norm = max(map(abs, errors.tolist()))
        if seen.calls == 1:
            seen.errors.take(errors)
            seen.error_volt, seen.error_second = norm, time_second
            self._computed, self._volts = computed, volts
            return False
        moved = list(map(abs, (computed - self._computed).tolist()))
        jumped = self._jumped(elapsed_second, moved, volts)
        self._computed, self._volts = computed, volts
        if self._block.sample_second is not None:
            return jumped
        if jumped:
            seen.take_jump(time_second, elapsed_second, max(moved))
            self._switching.take_jump(time_second, seen.calls, seen.jump_volt, at_floor)
        else:
            seen.take_error(time_second, elapsed_second, errors, norm, max(moved))
        self._take_error(time_second, elapsed_second, norm, jumped)
        return jumped

    def _jumped(self, elapsed_second: float, moved: list[float], volts: np.ndarray) -> bool:
        seen = self.findings
        if self._block.discontinuous:
            return bool((np.array(moved) > JUMP_PART * seen.outputs.range_volt).any())
        if elapsed_second <= 0:
            return False
        slopes = [one / elapsed_second for one in moved]
        before, self._slopes = self._slopes, [*self._slopes[1 - RECENT :], slopes]
        if not (seen.jumps or _steeper(slopes, before)):
            return False  # but one that has jumped may do so at every point
        by_input = np.abs(volts - self._volts) / self._inputs.range_volt
        by_output = np.array(moved) / seen.outputs.range_volt
        least = max(JUMP_PART, JUMP_GAIN * float(by_input.max(initial=0.0)))
        return bool((by_output > least).any())

    def _take_error(
        self, time_second: float, elapsed_second: float, norm: float, jumped: bool
    ) -> None:
        before, self._norm = self._norm, norm
        tolerance = self._stepping.tolerance_volt
        if tolerance is not None and norm > TOLERANCE_FACTOR * tolerance:
            self.findings.take_excess(time_second, norm)
        limit = self._stepping.largest_error_volt
        if limit is not None and norm > limit and not (jumped and self._block.discontinuous):
            raise CouplingError(
                f"The coupling error of block '{self._block.name}' is {norm:.4g} V at "
                f"t = {time_second:.9g} s, over its limit of {limit:g} V; the points up to there "
                f"are kept. {self._advice(elapsed_second)}",
                block=self._block.name,
                loop_gain=self.recent_gain,
                last_time_second=time_second,
            )
        # A step that is twice as long as the last has a larger error by right.
        longer = max(elapsed_second / self._elapsed_second, 1.0)
        before *= longer**self._scheme.ORDER * (GROWING_RESERVE if longer > 1.01 else 1.0)
        self._elapsed_second = elapsed_second
        rises = large = False
        # The range only grows: as long as the error is small beside what it was, nothing is asked.
        if not (jumped or norm < 0.999 * before) and norm > RISING_PART * self._range_volt:
            self._range_volt = range_volt = float(self.findings.outputs.range_volt.max())
            rises = norm > RISING_FACTOR * before and norm > RISING_PART * range_volt
            large = norm > LARGE_PART * range_volt
        if rises and self.findings.loop_gain < 1 and self.recent_gain > 0:
            rises = False  # errors of one sign add up to what positive feedback below 1 lags behind
        self._rising = self._rising + 1 if rises else 0
        # A switch is bounded, and in a stiff implicit loop the error is that of a large slope.
        counts = not self._block.discontinuous and not self._scheme.IMPLICIT
        self._large = self._large + 1 if large and counts else 0
        if self._large >= LARGE_STREAK or self._rising >= RISING_STREAK:
            gain = self.recent_gain
            raise CouplingError(
                f"The coupling with block '{self._block.name}' diverges: at "
                f"t = {time_second:.9g} s its output is {norm:.4g} V away from what the netlist "
                f"carried, and the error does not fall from point to point. The loop through the "
                f"block has a gain of about {gain:.3g} in one step (scheme "
                f"'{self._scheme.NAME}'). The points up to there are kept. "
                f"{self._advice(elapsed_second)}",
                block=self._block.name,
                loop_gain=gain,
                last_time_second=time_second,
            )

    @property
    def recent_gain(self) -> float:
        """Of the loop: how the block's output answers to what the netlist carried."""
        changes = [
            (later[0] - earlier[0], later[1] - earlier[1])
            for earlier, later in pairwise(self._recent)
        ]
        by_carried = sum(float(carried @ computed) for carried, computed in changes)
        square = sum(float(carried @ carried) for carried, _ in changes)
        return by_carried / square if square > 0 else math.nan

    @property
    def algebraic(self) -> bool:
        """Whether the loop is as strong at the operating point as in a step: no capacitor or
        inductor slows it down, so that no step is short enough.
        """
        gain = abs(self.recent_gain)
        return math.isfinite(gain) and abs(gain - self.findings.loop_gain) < 0.3 * gain

    def _advice(self, elapsed_second: float) -> str:
        if self._block.discontinuous:
            return f"Take steps below {elapsed_second:.3g} s, or give the block some hysteresis."
        if self._scheme.IMPLICIT:
            return (
                f"The block's Jacobian may be wrong, or the step ({elapsed_second:.3g} s) too "
                "long for its curvature: check the one, and limit the other (`max_step`, "
                "`tolerance_volt`). A block that jumps is to be declared `discontinuous`."
            )
        step = (
            "a smaller step cannot help, as nothing in this loop slows it down (an algebraic loop)"
            if self.algebraic
            else f"or take steps well below {elapsed_second:.3g} s, which help if a capacitor or "
            "an inductor slows the loop down"
        )
        state = (
            "a block with a state cannot be: put a capacitor into the loop, or sample the block"
            if self._block.stateful
            else "it is implicit in the inputs"
        )
        return f"Couple it by the scheme 'linearised' ({state}); {step}."


def _steeper(slopes: list[float], before: list[list[float]]) -> bool:
    """Whether an output is far steeper than at any of the points before."""
    if len(before) < 2:
        return False
    latest = zip(slopes, before[-1], strict=True)
    return any(slope > JUMP_STEEPER * last for slope, last in latest) and any(
        slope > JUMP_STEEPER * max(own) for slope, *own in zip(slopes, *before, strict=True)
    )
