"""One block in lockstep: called and checked, and its outputs predicted until the next call."""

import math
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from cosim.errors import BlockError, CouplingError, ExchangeError
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import Accepted, Prediction, Scheme
from cosim.lockstep.watch import Watch

Sources = tuple[list[float], list[float]]
"""Base and slope of the external sources of a block."""

ANSWERS = ("output", "Jacobian", "time derivative")
"""What a block says at a point, in the order of `Accepted`."""


@dataclass
class Coupled:
    """One block: its place among the lockstep's arrays, and its prediction."""

    block: Block
    scheme: type[Scheme]
    inputs: slice
    outputs: slice
    externals: slice
    watch: Watch
    snapshot: bytes
    points: list[Accepted] = field(default_factory=list)
    prediction: Prediction = Prediction(np.zeros(0))
    sample_number: int = 0
    block_second: float = 0.0

    @property
    def is_continuous(self) -> bool:
        """Whether its output is not held by its own nature."""
        return self.block.sample_second is None and not self.block.discontinuous

    @property
    def is_mixed(self) -> bool:
        """Whether its output is held in the netlist, but not by its own nature."""
        return not self.scheme.IMPLICIT and self.is_continuous

    def carried(self, elapsed_second: float, volts: np.ndarray) -> np.ndarray:
        """The output volts in the netlist [outputs]."""
        carried, slope, jacobian = self.prediction
        if slope is not None:
            carried = carried + slope * elapsed_second
        return carried if jacobian is None else carried + jacobian.dot(volts)

    def evaluate(self, time_second: float, volts: np.ndarray) -> Accepted:
        """Call the block, and check what it says.

        Raises:
            BlockError: it raised, or returned a wrong shape, NaN or infinity.
            ExchangeError: nobody serves it any more.
        """
        started = perf_counter()
        function = self.block.function
        try:
            if self.scheme.IMPLICIT:
                said = Accepted(time_second, volts, *function.tangents(time_second, volts))
            else:
                said = Accepted(time_second, volts, function.value(time_second, volts))
        except ExchangeError:
            raise  # it is not the function's fault
        except Exception as error:
            raise BlockError(
                f"Block '{self.block.name}' raised {type(error).__name__} at "
                f"t = {time_second:.9g} s with inputs {volts} V: {error}. The points "
                "before it are kept. Correct the block's function."
            ) from error
        self.block_second += perf_counter() - started
        self._refuse_unsound(said)
        return said

    def _refuse_unsound(self, said: Accepted) -> None:
        outputs = len(self.block.outputs)
        shapes = ((outputs,), (outputs, len(said.volts)), (outputs,))
        answers = said[2:] if self.scheme.IMPLICIT else said[2:3]
        for what, value, shape in zip(ANSWERS, answers, shapes, strict=False):
            found = getattr(value, "shape", None)
            if value is None or found != shape:
                raise BlockError(
                    f"Block '{self.block.name}' returned an {what} of shape {found} at "
                    f"t = {said.time_second:.9g} s, where {shape} is needed "
                    f"({outputs} outputs, {len(said.volts)} inputs). "
                    "The points before it are kept. Correct the block's function."
                )
            if not math.isfinite(sum(value.ravel().tolist())):
                raise BlockError(
                    f"Block '{self.block.name}' returned NaN or infinity in its {what} at "
                    f"t = {said.time_second:.9g} s with inputs {said.volts} V: {value}. The points "
                    "before it are kept. Check the model's weights and the range of its inputs."
                )

    def predict(self, said: Accepted, *, jumped: bool = False) -> Sources:
        """Predict from here on.

        Args:
            jumped: the output did, and is not to go on as it went.

        Raises:
            CouplingError: the scheme raised, or its prediction does not fit.
        """
        if jumped or (self.points and said.time_second <= self.points[-1].time_second):
            # The start may be repeated, until the operating point is found.
            self.points.clear()
        self.points = [*self.points, said][-self.scheme.POINTS :]
        try:
            self.prediction = self.scheme().predict(self.points)
            return self._sources(self.prediction)
        except Exception as error:
            raise CouplingError(
                f"The coupling scheme '{self.scheme.NAME}' of block '{self.block.name}' has a "
                f"fault at t = {said.time_second:.9g} s: {type(error).__name__}: {error}. The "
                "points before it are kept. Correct the scheme, or take another one.",
                block=self.block.name,
                last_time_second=said.time_second,
            ) from error

    def predict_moved(self, prediction: Prediction, added_volt: np.ndarray) -> Sources:
        """Predict so, with something added to the outputs [outputs]."""
        self.prediction = prediction._replace(offset=prediction.offset + added_volt)
        return self._sources(self.prediction)

    def _sources(self, prediction: Prediction) -> Sources:
        offset, slope, jacobian = prediction
        count = len(self.block.outputs)
        if slope is None:
            slope = np.zeros(count)
        base, by_time = offset.tolist(), slope.tolist()
        if self.scheme.IMPLICIT:
            wanted = (count, len(self.block.inputs))
            if jacobian is None or jacobian.shape != wanted:
                raise ValueError(f"it is implicit, and its Jacobian is {jacobian}, not {wanted}")
            base += jacobian.ravel().tolist()
            by_time += [0.0] * jacobian.size
        elif jacobian is not None:
            raise ValueError("it gives a Jacobian, but is not `IMPLICIT`")
        if offset.shape != (count,) or slope.shape != (count,):
            raise ValueError(
                f"offset and slope have shapes {offset.shape} and {slope.shape}, not ({count},)"
            )
        if not math.isfinite(sum(base) + sum(by_time)):
            raise ValueError("it predicts NaN or infinity")
        return base, by_time
