"""Limits of a simulation: how far torch and ngspice may be apart, and where nodes may be.

What is beyond a limit becomes an event `limit` of the trace, at the time of the worst value. A
value that is not finite is beyond every limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cosim.engine.worker import Points
from cosim.netlist.netlist import Signal
from cosim.simulation.recording import Finding

LIMIT = "limit"
"""Kind of the events."""


@dataclass(frozen=True)
class Limits:
    """What no member may exceed.

    Attributes:
        coupling_volt: applied minus the block's value, at every output of a block.
        lowest_volt, highest_volt: every recorded node.
    """

    coupling_volt: float
    lowest_volt: float
    highest_volt: float


@dataclass(frozen=True)
class Worst:
    """The most extreme of some values; `where` is empty if there were none."""

    value: float = 0.0
    where: str = ""
    time_second: float = 0.0


class LimitMonitor:
    """Watches one member for its limits.

    Attributes:
        coupling: the largest coupling error, as an absolute value.
        lowest, highest: node voltages.
    """

    def __init__(self, limits: Limits, signals: Sequence[Signal], outputs: Sequence[str]) -> None:
        """For a member.

        Args:
            signals: the recorded ones, in their order.
            outputs: the blocks' output nodes, in their order.
        """
        self.coupling = self.lowest = self.highest = Worst()
        self._limits = limits
        self._nodes = [number for number, one in enumerate(signals) if one.unit == "V"]
        self._node_names = [signals[number].name for number in self._nodes]
        self._outputs = list(outputs)

    def see(self, points: Points) -> None:
        """Take the next points."""
        volts = points.values[:, self._nodes]
        self.coupling = _worse(self.coupling, np.abs(points.errors), self._outputs, points, 1)
        self.lowest = _worse(self.lowest, volts, self._node_names, points, -1)
        self.highest = _worse(self.highest, volts, self._node_names, points, 1)

    def findings(self) -> list[Finding]:
        """What is beyond its limit."""
        limits, found = self._limits, []
        if not abs(self.coupling.value) <= limits.coupling_volt:
            found.append(
                _finding(
                    self.coupling,
                    f"the coupling error is {self.coupling.value:.4g} V, limit "
                    f"{limits.coupling_volt:g} V: take smaller steps or the scheme linearised",
                )
            )
        for worst in (self.lowest, self.highest):
            if not limits.lowest_volt <= worst.value <= limits.highest_volt and worst.where:
                found.append(
                    _finding(
                        worst,
                        f"the node is at {worst.value:.4g} V, limits {limits.lowest_volt:g} to "
                        f"{limits.highest_volt:g} V: no circuit at this supply could do that",
                    )
                )
        return found


def _finding(worst: Worst, message: str) -> Finding:
    return Finding(worst.time_second, LIMIT, f"{worst.where}: {message}")


def _worse(
    before: Worst, values: np.ndarray, names: Sequence[str], points: Points, sign: int
) -> Worst:
    """The worst so far: the largest for sign 1, the smallest for -1, and before all what is NaN."""
    if not values.size or np.isnan(before.value):
        return before
    signed = np.where(np.isnan(values), np.inf, sign * values)
    row, column = np.unravel_index(np.argmax(signed), signed.shape)
    if before.where and sign * before.value >= signed[row, column]:
        return before
    return Worst(float(values[row, column]), names[int(column)], float(points.time_second[row]))
