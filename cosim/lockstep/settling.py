"""Solves for the operating point of a circuit with blocks, attempt by attempt."""

from collections.abc import Callable, Sequence

import numpy as np

from cosim.errors import CouplingError
from cosim.lockstep.coupled import Coupled
from cosim.lockstep.operating_point import ATTEMPTS, LoopGain, OperatingPoint
from cosim.lockstep.scheme import Accepted


class Settling:
    """Looks at what ngspice solved, and says with which outputs to solve again.

    Args:
        coupled: the blocks.
        predict: gives to the netlist what a block says.
        start_second: circuit time of the operating point.
    """

    def __init__(
        self,
        coupled: Sequence[Coupled],
        predict: Callable[[Coupled, Accepted], None],
        start_second: float,
    ) -> None:
        self._coupled, self._predict, self._start_second = coupled, predict, start_second
        self._mixed = np.array(
            [one.is_mixed for one in coupled for _ in one.block.outputs], dtype=bool
        )
        self._operating_point = OperatingPoint(self._mixed)
        self._loop_gain: LoopGain | None = None
        self._solution: np.ndarray | None = None

    def attempt(self, time_second: float, volts: np.ndarray) -> list[Accepted | None] | None:
        """What the blocks say at the operating point; None if it has to be solved for again.

        Raises:
            BlockError, ExchangeError: a block fails.
            CouplingError: there is no operating point.
        """
        found: list[Accepted | None] = []
        for coupled in self._coupled:
            own_volts = volts[coupled.inputs]
            sampled = coupled.block.sample_second is not None
            found.append(None if sampled else coupled.evaluate(time_second, own_volts))
        carried = np.concatenate(
            [coupled.carried(0.0, volts[coupled.inputs]) for coupled in self._coupled]
        )
        computed = carried.copy()
        for coupled, evaluated in zip(self._coupled, found, strict=True):
            if evaluated is not None:
                computed[coupled.outputs] = evaluated.output
        following = self._following(carried, computed)
        if following is None:
            return found
        for coupled, evaluated in zip(self._coupled, found, strict=True):
            if evaluated is not None:
                coupled.block.restore(coupled.snapshot)
                implicit = coupled.scheme.IMPLICIT
                if not implicit:
                    evaluated = evaluated._replace(output=following[coupled.outputs])
                if self._loop_gain is None or not implicit:
                    self._predict(coupled, evaluated)
        if self._operating_point.attempts > ATTEMPTS:
            self._raise_no_operating_point(carried, computed, volts)
        return None

    def _following(self, carried: np.ndarray, computed: np.ndarray) -> np.ndarray | None:
        """Outputs with which to solve again; None if this is the operating point."""
        if self._loop_gain is None:
            if not self._operating_point.consistent(carried, computed):
                return self._operating_point.following(carried, computed)
            moved = np.flatnonzero(self._mixed)
            if not 0 < len(moved) <= LoopGain.MOST:
                return None
            self._loop_gain = LoopGain(moved, carried, computed)
            self._solution = carried
            return self._loop_gain.following()
        if self._solution is None:
            return None
        self._loop_gain.take(computed)
        following = self._loop_gain.following()
        if following is None:
            following, self._solution = self._solution, None
            self._tell_loop_gain(self._loop_gain)
        return following

    def _tell_loop_gain(self, found: LoopGain) -> None:
        largest = float(np.abs(np.linalg.eigvals(found.gain)).max())
        for coupled in self._coupled:
            if coupled.is_mixed:
                coupled.watch.findings.loop_gain = largest
                coupled.watch.findings.amplification = found.amplification

    def _raise_no_operating_point(
        self, carried: np.ndarray, computed: np.ndarray, volts: np.ndarray
    ) -> None:
        worst = int(np.argmax(np.abs(carried - computed)))
        coupled = next(one for one in self._coupled if one.outputs.stop > worst)
        node = coupled.block.outputs[worst - coupled.outputs.start]
        raise CouplingError(
            f"No operating point was found with block '{coupled.block.name}': at inputs of "
            f"{volts[coupled.inputs]} V it gives {computed[worst]:.6g} V for node "
            f"'{node}', where the netlist carries {carried[worst]:.6g} V, a "
            f"residual of {abs(carried[worst] - computed[worst]):.3g} V after {ATTEMPTS} attempts. "
            "Give initial conditions (`.ic`) to the nodes that store the circuit's state; "
            "inputs nearer to the solution (`initial`); or, if the block is a digital one, its "
            "period (`sample`), before whose first sample its output is `initial`.",
            block=coupled.block.name,
            last_time_second=self._start_second,
        )
