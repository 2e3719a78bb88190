"""Whether the steps of a transient saw what its blocks do.

A block is asked at the accepted points alone: a pulse that it makes of the time, or of an input
that passes by, is leapt over by a step, and no coupling error tells. So it is asked once more,
between the points, for inputs on the straight line from one to the next.
"""

from collections.abc import Sequence

import numpy as np

from cosim.engine.worker import Points
from cosim.lockstep.block import Block
from cosim.lockstep.function import PlainFunction, TorchFunction
from cosim.simulation.events import Leap, leapt_over

CALLS, LEAST_PARTS = 4000, 8
"""Of the function, about; and of a step, so many at least: the longest steps come first."""
PURE_VOLT, PURE_PART = 1e-6, 1e-5
"""So near to what it said a function is that has no state."""
LEAST_VOLT = 1e-6


def missed_by_blocks(blocks: Sequence[Block], points: Points) -> tuple[Block, Leap] | None:
    """The first block of which a step missed something; None if there is none.

    Args:
        points: of the whole transient.
    """
    inputs = outputs = 0
    for block in blocks:
        asked = slice(inputs, inputs := inputs + len(block.inputs))
        said = slice(outputs, outputs := outputs + len(block.outputs))
        if block.stateful or not isinstance(block.function, PlainFunction | TorchFunction):
            continue
        computed = points.outputs[:, said] - points.errors[:, said]
        found = _missed(block, points.time_second, points.inputs[:, asked], computed)
        if found is not None:
            return block, found
    return None


def _missed(
    block: Block, time_second: np.ndarray, volts: np.ndarray, computed: np.ndarray
) -> Leap | None:
    function = block.copied_function()
    longest = np.argsort(np.diff(time_second))[::-1][: CALLS // LEAST_PARTS]
    parts = np.arange(1, count := CALLS // max(len(longest), 1)) / count
    begin, end = time_second[longest, None], time_second[longest + 1, None]
    fine_second = np.union1d(time_second, (begin + parts * (end - begin)).ravel())
    between = np.array([np.interp(fine_second, time_second, one) for one in volts.T]).T
    own = np.isin(fine_second, time_second)
    try:
        values = np.array(
            [function.value(at, one) for at, one in zip(fine_second, between, strict=True)]
        )
    except Exception:
        return None  # where nobody has asked it, it may raise
    known = np.isfinite(computed).all(axis=1)
    apart = np.abs(values[own][known] - computed[known])
    if (apart > PURE_VOLT + PURE_PART * np.abs(computed[known])).any():
        return None  # it has a state, and would have to be asked in order
    for curve in values.T:
        if np.ptp(curve) > LEAST_VOLT:
            found = leapt_over(fine_second, curve, time_second)
            if found is not None:
                return found
    return None
