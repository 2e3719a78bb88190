"""Ends a simulation in which a block switches without end: no step then is short enough."""

from collections import deque

from cosim.errors import CouplingError

STALLED_PART = 1e-5
"""Of the simulation, in which so many points as `SWITCHING_CALLS` are a livelock."""
SWITCHINGS, SWITCHING_PART, SWITCHING_CALLS = 100, 1e-3, 1000
"""A block switches without end if it jumps so often within such a part of the simulation and
within so few points."""


class Switching:
    """Counts the jumps and the points of one block.

    Args:
        name: of the block.
        span_second: length of the simulation.
    """

    def __init__(self, name: str, span_second: float) -> None:
        self._name, self._span_second = name, span_second
        self._jumps: deque[tuple[float, int]] = deque(maxlen=SWITCHINGS)
        self._times: deque[float] = deque(maxlen=SWITCHING_CALLS)

    def take_point(self, time_second: float) -> None:
        """An accepted point.

        Raises:
            CouplingError: ngspice accepts point after point, and time stands still.
        """
        self._times.append(time_second)
        within_second = time_second - self._times[0]
        if len(self._times) == SWITCHING_CALLS and within_second < STALLED_PART * self._span_second:
            raise self._without_end(
                f"{SWITCHING_CALLS} points lie within {within_second:.3g} s before "
                f"t = {time_second:.9g} s, and time stands still",
                time_second,
            )

    def take_jump(self, time_second: float, call: int, largest_volt: float, at_floor: bool) -> None:
        """The output jumped at an accepted point.

        Args:
            call: number of the point.
            largest_volt: of the jumps so far.
            at_floor: whether the step is as short as it may become.

        Raises:
            CouplingError: it did so too often.
        """
        self._jumps.append((time_second, call))
        within_second, calls = (
            last - first for last, first in zip(self._jumps[-1], self._jumps[0], strict=True)
        )
        if (
            len(self._jumps) == SWITCHINGS
            and within_second < SWITCHING_PART * self._span_second
            and calls < SWITCHING_CALLS
        ):
            floor = ", at steps as short as they may become" if at_floor else ""
            raise self._without_end(
                f"its output jumped {SWITCHINGS} times by up to {largest_volt:.3g} V within "
                f"{within_second:.3g} s before t = {time_second:.9g} s{floor}",
                time_second,
            )

    def _without_end(self, seen: str, time_second: float) -> CouplingError:
        return CouplingError(
            f"Block '{self._name}' switches without end: {seen}. It holds the circuit where "
            "it switches, and no step is short enough for that. Give the block some hysteresis, or "
            "sample it (`sample`); the points up to there are kept.",
            block=self._name,
            last_time_second=time_second,
        )
