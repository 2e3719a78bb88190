"""One block in lockstep: called and checked, and its outputs predicted until the next call."""

import math
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np

from cosim.errors import BlockError, ExchangeError
from cosim.lockstep.block import Block
from cosim.lockstep.port import Scheme
from cosim.lockstep.watch import Watch


class Evaluated(NamedTuple):
    """What a block says: as of `cosim.lockstep.function.Tangents`."""

    output: np.ndarray
    jacobian: np.ndarray | None = None
    by_time: np.ndarray | None = None


@dataclass
class Coupled:
    """One block: its place among the lockstep's arrays, and its prediction.

    From the last accepted point on: offset + slope * elapsed (+ jacobian @ inputs when linearised).
    """

    block: Block
    scheme: Scheme
    inputs: slice
    outputs: slice
    externals: slice
    watch: Watch
    snapshot: bytes
    offset: np.ndarray
    slope: np.ndarray
    jacobian: np.ndarray | None = None
    output: np.ndarray | None = None
    sample_number: int = 0
    block_second: float = 0.0

    @property
    def is_mixed(self) -> bool:
        """Whether its output is held in the netlist, but not by its own nature."""
        return (
            self.scheme is not Scheme.LINEARISED
            and self.block.sample_second is None
            and not self.block.discontinuous
        )

    def carried(self, elapsed_second: float, volts: np.ndarray) -> np.ndarray:
        """The output volts in the netlist [outputs]."""
        carried = self.offset + self.slope * elapsed_second
        return carried if self.jacobian is None else carried + self.jacobian @ volts

    def evaluate(self, time_second: float, volts: np.ndarray) -> Evaluated:
        """Call the block, and check what it says.

        Raises:
            BlockError: it raised, or returned a wrong shape, NaN or infinity.
            ExchangeError: nobody serves it any more.
        """
        started = perf_counter()
        function = self.block.function
        try:
            if self.scheme is Scheme.LINEARISED:
                evaluated = Evaluated(*function.tangents(time_second, volts))
            else:
                evaluated = Evaluated(function.value(time_second, volts))
        except ExchangeError:
            raise  # it is not the function's fault
        except Exception as error:
            raise BlockError(
                f"Block '{self.block.name}' raised {type(error).__name__} at "
                f"t = {time_second:.9g} s with inputs {volts} V: {error}. The points "
                "before it are kept. Correct the block's function."
            ) from error
        self.block_second += perf_counter() - started
        check = _Check(self.block, time_second, volts)
        count = len(self.block.outputs)
        check("output", evaluated.output, (count,))
        if self.scheme is Scheme.LINEARISED:
            check("Jacobian", evaluated.jacobian, (count, len(volts)))
            check("time derivative", evaluated.by_time, (count,))
        return evaluated

    def predict(
        self,
        evaluated: Evaluated,
        elapsed_second: float = 0.0,
        volts: np.ndarray | None = None,
        *,
        jumped: bool = False,
    ) -> tuple[list[float], list[float]]:
        """Predict from here on; returns base and slope of its external sources."""
        output, jacobian, by_time = evaluated
        if jacobian is None or by_time is None:
            self.offset = output
            if self.scheme is Scheme.EXTRAPOLATED and elapsed_second > 0:
                # What jumps is not to go on as it went.
                change = output - self.output
                self.slope = np.zeros_like(output) if jumped else change / elapsed_second
            base, slope = output.tolist(), self.slope.tolist()
        else:
            self.offset = output - jacobian @ volts
            self.slope, self.jacobian = by_time, jacobian
            base = self.offset.tolist() + jacobian.ravel().tolist()
            slope = by_time.tolist() + [0.0] * jacobian.size
        self.output = output
        return base, slope


@dataclass(frozen=True)
class _Check:
    """Refuses what a block must not return."""

    block: Block
    time_second: float
    volts: np.ndarray

    def __call__(self, what: str, value: np.ndarray | None, shape: tuple[int, ...]) -> None:
        found = getattr(value, "shape", None)
        if value is None or found != shape:
            raise BlockError(
                f"Block '{self.block.name}' returned an {what} of shape {found} at "
                f"t = {self.time_second:.9g} s, where {shape} is needed "
                f"({len(self.block.outputs)} outputs, {len(self.block.inputs)} inputs). "
                "The points before it are kept. Correct the block's function."
            )
        if not math.isfinite(sum(value.ravel().tolist())):
            raise BlockError(
                f"Block '{self.block.name}' returned NaN or infinity in its {what} at "
                f"t = {self.time_second:.9g} s with inputs {self.volts} V: {value}. The points "
                "before it are kept. Check the model's weights and the range of its inputs."
            )
