"""Watches the coupling of one block: is it stable, how large is its error, does it jump.

The coupling error is what the netlist carried minus what the block says at the accepted inputs.
In a loop of gain g that the scheme does not solve for, each error is g times the one before: beyond
1 (for `extrapolated` beyond about 1/3 of the wrong sign) the coupling diverges, whatever the
circuit. Then the error soon is as large as the signal, and rises on; that is what is looked for.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from cosim.errors import CouplingError
from cosim.lockstep.block import Block
from cosim.lockstep.port import Scheme
from cosim.lockstep.stepping import Stepping

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
WORTH_TELLING_PART = 0.02
"""Of the output's range: a coupling error beyond it is told."""
ACCUMULATED_PART = 0.01
LEAST_RANGE_PART, LEAST_RANGE_VOLT = 1e-3, 1e-6
STALLED_PART = 1e-5
"""Of the simulation, in which so many points as `SWITCHING_CALLS` are a livelock."""
SWITCHINGS, SWITCHING_PART, SWITCHING_CALLS = 100, 1e-3, 1000
"""A block switches without end if it jumps so often within such a part of the simulation and
within so few points: no step then is short enough."""
TOLERANCE_FACTOR = 3.0


@dataclass(frozen=True)
class CouplingEvent:
    """Something about a coupling that the user has to know.

    Attributes:
        kind: "coupling_error", "tolerance", "jump", "accumulation", "late_sample".
        block: its name.
        time_second: when it was worst.
        message: one sentence or two.
        grave: the result is in doubt; otherwise a note.
    """

    kind: str
    block: str
    time_second: float
    message: str
    grave: bool


@dataclass(frozen=True)
class CouplingReport:
    """How the coupling of one block went.

    Attributes:
        block: its name.
        scheme: how it was coupled.
        largest_error_volt, at_second: of the coupling error, jumps apart.
        range_volt: of the output whose error that is.
        loop_gain: at the operating point, the largest; NaN where it was not asked for.
        amplification: estimated error of the solution to the coupling error.
        jumps, largest_jump_volt, latest_second: of the output, and how late at most the netlist
            carried one.
        calls: of the block, at accepted points.
    """

    block: str
    scheme: Scheme
    largest_error_volt: float
    at_second: float
    range_volt: float
    loop_gain: float
    amplification: float
    jumps: int
    largest_jump_volt: float
    latest_second: float
    calls: int


class Watch:
    """Of one block that is coupled by a scheme.

    Args:
        span_second: length of the simulation.
    """

    def __init__(self, block: Block, scheme: Scheme, stepping: Stepping, span_second: float):
        self._block, self._scheme, self._stepping = block, scheme, stepping
        self._span_second = span_second
        self.loop_gain, self.amplification = math.nan, 1.0
        self._low = self._high = np.empty(0)
        self._input_low = self._input_high = np.empty(0)
        self._carried = self._computed = self._volts = np.empty(0)
        self._recent: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=RECENT)
        self._norm, self._elapsed_second = 0.0, math.inf
        self._large = self._rising = 0
        self._error_volt = np.empty(0)
        self._error_second = 0.0
        self._worst_tolerance, self._worst_second, self._exceeded = 0.0, 0.0, 0
        self._recent_jumps: deque[tuple[float, int]] = deque(maxlen=SWITCHINGS)
        self._jumps, self._jump_volt, self._latest_second = 0, 0.0, 0.0
        self._jump_at = 0.0
        self._slopes: list[np.ndarray] = []
        self._accumulated = self._steepest = 0.0
        self._calls = 0
        self._times: deque[float] = deque(maxlen=SWITCHING_CALLS)
        self.latest_sample_second = 0.0

    def take(
        self,
        time_second: float,
        elapsed_second: float,
        volts: np.ndarray,
        carried: np.ndarray,
        computed: np.ndarray,
        at_floor: bool,
    ) -> bool:
        """An accepted point; returns whether the output jumped.

        Raises:
            CouplingError: the coupling diverges, switches without end or exceeds its limit.
        """
        self._calls += 1
        self._require_progress(time_second)
        if self._calls == 1:
            self._low, self._high = computed, computed
            self._input_low, self._input_high = volts, volts
            self._error_volt = np.abs(carried - computed)
            self._error_second = time_second
            self._carried, self._computed, self._volts = carried, computed, volts
            return False
        low, high = np.minimum(self._low, computed), np.maximum(self._high, computed)
        self._input_low = np.minimum(self._input_low, volts)
        self._input_high = np.maximum(self._input_high, volts)
        change = computed - self._computed
        jumped = self._jumped(elapsed_second, np.abs(change), _range(low, high), volts)
        self._low, self._high = low, high
        error = np.abs(carried - computed)
        self._recent.append((carried - self._carried, change))
        self._carried, self._computed, self._volts = carried, computed, volts
        if self._block.sample_second is not None:
            return jumped
        if jumped:
            self._take_jump(time_second, elapsed_second, float(np.abs(change).max()), at_floor)
        else:
            if error.max() > self._error_volt.max():
                self._error_second = time_second
            self._error_volt = np.maximum(self._error_volt, error)
            self._accumulate(elapsed_second, error, change)
        self._take_error(time_second, elapsed_second, error, jumped)
        return jumped

    def _jumped(
        self, elapsed_second: float, change: np.ndarray, span: np.ndarray, volts: np.ndarray
    ) -> bool:
        if self._block.discontinuous:
            return bool((change > JUMP_PART * span).any())
        if elapsed_second <= 0:
            return False
        slope = change / elapsed_second
        before, self._slopes = self._slopes, [*self._slopes[1 - RECENT :], slope]
        if len(before) < 2 or not (slope > JUMP_STEEPER * np.max(before, axis=0)).any():
            return False
        input_span = _range(self._input_low, self._input_high)
        moved = float((np.abs(volts - self._volts) / input_span).max(initial=0.0))
        return bool((change / span > max(JUMP_PART, JUMP_GAIN * moved)).any())

    def _take_jump(
        self, time_second: float, elapsed_second: float, volt: float, at_floor: bool
    ) -> None:
        self._jumps += 1
        self._latest_second = max(self._latest_second, elapsed_second)
        if volt > self._jump_volt:
            self._jump_volt, self._jump_at = volt, time_second
        recent = self._recent_jumps
        recent.append((time_second, self._calls))
        within_second, calls = (
            last - first for last, first in zip(recent[-1], recent[0], strict=True)
        )
        if (
            len(recent) == SWITCHINGS
            and within_second < SWITCHING_PART * self._span_second
            and calls < SWITCHING_CALLS
        ):
            floor = ", at steps as short as they may become" if at_floor else ""
            raise self._switches_without_end(
                f"its output jumped {SWITCHINGS} times by up to {self._jump_volt:.3g} V within "
                f"{within_second:.3g} s before t = {time_second:.9g} s{floor}",
                time_second,
            )

    def _require_progress(self, time_second: float) -> None:
        """A livelock: ngspice accepts point after point, and time stands still."""
        self._times.append(time_second)
        within_second = time_second - self._times[0]
        if len(self._times) == SWITCHING_CALLS and within_second < STALLED_PART * self._span_second:
            raise self._switches_without_end(
                f"{SWITCHING_CALLS} points lie within {within_second:.3g} s before "
                f"t = {time_second:.9g} s, and time stands still",
                time_second,
            )

    def _switches_without_end(self, seen: str, time_second: float) -> CouplingError:
        return CouplingError(
            f"Block '{self._block.name}' switches without end: {seen}. It holds the circuit where "
            "it switches, and no step is short enough for that. Give the block some hysteresis, or "
            "sample it (`sample`); the points up to there are kept.",
            block=self._block.name,
            last_time_second=time_second,
        )

    def _accumulate(self, elapsed_second: float, error: np.ndarray, change: np.ndarray) -> None:
        """Errors add up in a loop that forgets nothing: their sum, in times of the signal's."""
        if elapsed_second <= 0:
            return
        self._steepest = max(self._steepest, float(np.abs(change).max()) / elapsed_second)
        self._accumulated += float(error.max()) * elapsed_second

    def _take_error(
        self, time_second: float, elapsed_second: float, error: np.ndarray, jumped: bool
    ) -> None:
        norm, before = float(error.max()), self._norm
        self._norm = norm
        tolerance = self._stepping.tolerance_volt
        if tolerance is not None and norm > TOLERANCE_FACTOR * tolerance:
            self._exceeded += 1
            if norm > self._worst_tolerance:
                self._worst_tolerance, self._worst_second = norm, time_second
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
        span = float(_range(self._low, self._high).max())
        # A step that is twice as long as the last has a larger error by right.
        longer = max(elapsed_second / self._elapsed_second, 1.0)
        before *= longer**self._scheme.order * (GROWING_RESERVE if longer > 1.01 else 1.0)
        self._elapsed_second = elapsed_second
        rises = not jumped and norm > RISING_FACTOR * before and norm > RISING_PART * span
        self._rising = self._rising + 1 if rises else 0
        large = not jumped and norm > LARGE_PART * span and norm >= 0.999 * before
        # A switch is bounded, and in a stiff implicit loop the error is that of a large slope.
        counts = not self._block.discontinuous and self._scheme is not Scheme.LINEARISED
        self._large = self._large + 1 if large and counts else 0
        if self._large >= LARGE_STREAK or self._rising >= RISING_STREAK:
            gain = self.recent_gain
            raise CouplingError(
                f"The coupling with block '{self._block.name}' diverges: at "
                f"t = {time_second:.9g} s its output is {norm:.4g} V away from what the netlist "
                f"carried, and the error does not fall from point to point. The loop through the "
                f"block has a gain of about {gain:.3g} in one step (scheme "
                f"'{self._scheme}'). The points up to there are kept. "
                f"{self._advice(elapsed_second)}",
                block=self._block.name,
                loop_gain=gain,
                last_time_second=time_second,
            )

    @property
    def recent_gain(self) -> float:
        """Of the loop: how the block's output answers to what the netlist carried."""
        by_carried = sum(float(carried @ computed) for carried, computed in self._recent)
        square = sum(float(carried @ carried) for carried, _ in self._recent)
        return by_carried / square if square > 0 else math.nan

    @property
    def algebraic(self) -> bool:
        """Whether the loop is as strong at the operating point as in a step: no capacitor or
        inductor slows it down, so that no step is short enough.
        """
        gain = abs(self.recent_gain)
        return math.isfinite(gain) and abs(gain - self.loop_gain) < 0.3 * gain

    def _advice(self, elapsed_second: float) -> str:
        if self._block.discontinuous:
            return f"Take steps below {elapsed_second:.3g} s, or give the block some hysteresis."
        if self._scheme is Scheme.LINEARISED:
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

    # -- in the end -----------------------------------------------------------------------------

    def report(self) -> CouplingReport:
        """What became of it."""
        if not self._calls:
            self._error_volt = self._low = self._high = np.zeros(1)
        worst = int(np.argmax(self._error_volt))
        return CouplingReport(
            self._block.name,
            self._scheme,
            float(self._error_volt[worst]),
            self._error_second,
            float(_range(self._low, self._high)[worst]),
            self.loop_gain,
            self.amplification,
            self._jumps,
            self._jump_volt,
            self._latest_second,
            self._calls,
        )

    def events(self) -> list[CouplingEvent]:
        """What the user has to know of it."""
        report, name = self.report(), self._block.name
        events = []

        def tell(kind: str, time_second: float, message: str, grave: bool) -> None:
            events.append(CouplingEvent(kind, name, time_second, message, grave))

        part = self.amplification * report.largest_error_volt / report.range_volt
        if self._calls and self._block.sample_second is None and part > WORTH_TELLING_PART:
            through = (
                f", which its loop (gain {self.loop_gain:.3g} at the operating point) may make "
                f"{self.amplification:.3g} times as large in the result"
                if self.amplification > 1.5
                else ""
            )
            tell(
                "coupling_error",
                report.at_second,
                f"The coupling error of block '{name}' reaches "
                f"{100 * report.largest_error_volt / report.range_volt:.3g} % of its output's "
                f"range ({report.largest_error_volt:.3g} V at t = {report.at_second:.6g} s)"
                f"{through}. Take shorter steps, or the scheme 'linearised'.",
                True,
            )
        added = self._accumulated * self._steepest / report.range_volt**2
        if self._block.sample_second is None and added > ACCUMULATED_PART:
            tell(
                "accumulation",
                report.at_second,
                f"The coupling errors of block '{name}' add up to as much as {100 * added:.3g} % "
                "of its output's range in a loop that forgets nothing, such as an oscillator; one "
                "with losses forgets. Compare with a run of half the step.",
                False,
            )
        if self._exceeded:
            tolerance = self._stepping.tolerance_volt or math.nan
            tell(
                "tolerance",
                self._worst_second,
                f"The coupling error of block '{name}' exceeded `tolerance_volt` more than "
                f"{TOLERANCE_FACTOR:g} times at {self._exceeded} points, at worst "
                f"{self._worst_tolerance / tolerance:.3g} times at t = {self._worst_second:.6g} s: "
                "a step is chosen from the one before and cannot be taken back.",
                True,
            )
        if self._jumps:
            tell(
                "jump",
                self._jump_at,
                f"The output of block '{name}' jumped {self._jumps} times, by up to "
                f"{self._jump_volt:.3g} V; the netlist carried each up to "
                f"{self._latest_second:.3g} s late, one step. A shorter step makes that less.",
                not self._block.discontinuous,
            )
        if self.latest_sample_second > 0:
            tell(
                "late_sample",
                0.0,
                f"Block '{name}' was sampled up to {self.latest_sample_second:.3g} s late: another "
                "breakpoint lay too near. Choose a period that does not nearly meet the edges of "
                "sources.",
                True,
            )
        return events


def _range(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    least = LEAST_RANGE_PART * np.maximum(np.abs(low), np.abs(high)) + LEAST_RANGE_VOLT
    return np.maximum(high - low, least)
