"""Solves for the operating point of a circuit with blocks, attempt by attempt."""

from collections.abc import Callable, Sequence

import numpy as np

from cosim.errors import CouplingError
from cosim.lockstep.coupled import Coupled, Sources
from cosim.lockstep.operating_point import ATTEMPTS, LoopGain, OperatingPoint
from cosim.lockstep.scheme import Accepted, Prediction


class Settling:
    """Looks at what ngspice solved, and says with which outputs to solve again.

    Args:
        coupled: the blocks.
        put: gives a block's sources to the netlist.
        start_second: circuit time of the operating point.
    """

    def __init__(
        self,
        coupled: Sequence[Coupled],
        put: Callable[[Coupled, Sources], None],
        start_second: float,
    ) -> None:
        self._coupled, self._put, self._start_second = coupled, put, start_second
        self._mixed = self._of_outputs(lambda one: one.is_mixed)
        self._operating_point = OperatingPoint(self._mixed)
        self._loop_gain: LoopGain | None = None
        self._predictions: list[Prediction] = []
        self._measured = False

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
        if self._measured:
            return found
        if self._loop_gain is None and not self._operating_point.consistent(carried, computed):
            following = self._operating_point.following(carried, computed)
            for coupled, evaluated in zip(self._coupled, found, strict=True):
                if evaluated is not None:
                    if not coupled.scheme.IMPLICIT:
                        evaluated = evaluated._replace(output=following[coupled.outputs])
                    self._put(coupled, coupled.predict(evaluated))
            if self._operating_point.attempts > ATTEMPTS:
                self._raise_no_operating_point(carried, computed, volts)
        elif not self._measure(carried, computed):
            return found
        for coupled in self._coupled:
            if coupled.block.sample_second is None:
                coupled.block.restore(coupled.snapshot)
        return None

    def _measure(self, carried: np.ndarray, computed: np.ndarray) -> bool:
        """Take a step in measuring the loops' gain; False if there is no loop to be measured."""
        if self._loop_gain is None:
            moved = np.flatnonzero(self._of_outputs(lambda one: one.is_continuous))
            if not 0 < len(moved) <= LoopGain.MOST:
                return False
            self._loop_gain = LoopGain(moved, self._mixed[moved], carried, computed)
            self._predictions = [coupled.prediction for coupled in self._coupled]
        else:
            self._loop_gain.take(carried, computed)
        added = self._loop_gain.following()
        if added is None:
            self._measured, added = True, np.zeros_like(carried)
            self._tell(self._loop_gain)
        for coupled, prediction in zip(self._coupled, self._predictions, strict=True):
            if coupled.is_continuous:
                self._put(coupled, coupled.predict_moved(prediction, added[coupled.outputs]))
        return True

    def _tell(self, found: LoopGain) -> None:
        for coupled in self._coupled:
            findings = coupled.watch.findings
            if coupled.is_continuous:
                findings.loop_gain = found.largest
            if coupled.is_mixed:
                findings.amplification = found.amplification
        if found.unstable is not None:
            gain, outputs = found.unstable
            nodes = [node for coupled in self._coupled for node in coupled.block.outputs]
            first = next(one for one in self._coupled if one.outputs.stop > outputs[0])
            first.watch.findings.unstable = (gain, [nodes[output] for output in outputs])

    def _of_outputs(self, of: Callable[[Coupled], bool]) -> np.ndarray:
        """Which outputs belong to such blocks [outputs]."""
        return np.array([of(one) for one in self._coupled for _ in one.block.outputs], dtype=bool)

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
