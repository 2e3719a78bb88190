"""Lockstep of ngspice with blocks that are computed in Python or torch.

After each accepted point every block is evaluated once at the accepted node voltages; until the
next one its outputs are predicted. All schemes reduce to external source values that are affine
in time, `base + slope * (t - t_accepted)`, which is all that ngspice's Newton loop asks for.

Coupling error of the prediction after a step h (measured in tests/engine/test_order.py):
explicit O(h), extrapolated O(h^2), linearised O(h^2) and implicit in the inputs. With a tolerance
the next step is chosen from that error; a step cannot be taken back, as ngspice shows no values
before it has accepted them.
Source: Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section II.4.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from cosim.errors import BlockError, ConfigurationError, ExchangeError
from cosim.lockstep.port import LockstepPort, Scheme

Function = Callable[[float, np.ndarray], np.ndarray]
"""(time in seconds, input node volts [inputs]) -> output node volts [outputs]."""

Tangents = Callable[[float, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""(time, input volts) -> (output volts [outputs], d/d input [outputs, inputs],
d/d time in volts per second [outputs])."""


SAFETY, LEAST_FACTOR, LARGEST_FACTOR = 0.8, 0.2, 1.3
"""Of the next step to the last one, and its bounds: the error of a stiff score rises fast."""
PROPORTIONAL, TREND = 0.7, 0.4
"""Exponents of a proportional-integral controller (Hairer and Wanner II, section IV.2)."""

TINY_VOLT = 1e-15
COMMUNICATION_PART = 1e-6
"""Of a communication step by which a point may miss it."""


@dataclass(frozen=True)
class Block:
    """A function in the loop: node voltages in, source voltages out.

    Both functions must be picklable (module level, a bound method or a torch module): they are
    evaluated in the ngspice process. `tangents` is needed by the scheme `linearised` alone.
    `ended` is called there once the simulation has ended, with whether it is complete.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    function: Function
    tangents: Tangents | None = None
    ended: Callable[[bool], None] | None = None

    def port(self, scheme: Scheme) -> LockstepPort:
        """The netlist side of this block.

        Raises:
            ConfigurationError: `linearised` asked of a block without tangents.
        """
        if scheme is Scheme.LINEARISED and self.tangents is None:
            raise ConfigurationError(
                f"Block '{self.name}' cannot be coupled with scheme 'linearised': it has no "
                "tangents (Jacobian and time derivative). Give it some, or choose 'extrapolated'."
            )
        return LockstepPort(self.inputs, self.outputs, scheme)


@dataclass(frozen=True)
class Stepping:
    """How time steps serve the coupling; by default ngspice chooses them, and each is one.

    Attributes:
        tolerance_volt: wanted coupling error, by which steps are chosen.
        communication_second: fixed communication step: blocks are evaluated at its multiples
            alone, which ngspice meets, and their outputs predicted from there in between.
    """

    tolerance_volt: float | None = None
    communication_second: float | None = None

    @property
    def limits_steps(self) -> bool:
        """Whether ngspice has to ask before each step."""
        return self.tolerance_volt is not None or self.communication_second is not None


@dataclass
class _Coupled:
    """One block: its place among the lockstep's arrays, and its prediction.

    From `accepted_second` on: offset + slope * elapsed (+ jacobian @ inputs when linearised).
    """

    block: Block
    inputs: slice
    outputs: slice
    externals: slice
    offset: np.ndarray
    slope: np.ndarray
    jacobian: np.ndarray | None = None
    output: np.ndarray | None = None


class Lockstep:
    """Predicts every external source between accepted points.

    Args:
        blocks: the coupled blocks.
        scheme: how outputs are predicted.
        initial_volts: voltages of `input_nodes` before the operating point is known [inputs].
        stepping: how steps are limited.
        start_second: circuit time of the operating point.

    Attributes:
        input_nodes, output_nodes: what crosses the interface, block by block.
        external_index: place of an external source (name in lower case) in `base` and `slope`.
        base, slope: value of each external source: base + slope * (t - accepted_second).
        block_second: wall time spent in the blocks so far.
        longest_step_second: limit of the next step; None leaves steps to ngspice.

    Raises:
        BlockError, ExchangeError: a block fails at the initial voltages.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        scheme: Scheme,
        initial_volts: Sequence[float],
        stepping: Stepping = Stepping(),
        start_second: float = 0.0,
    ) -> None:
        self.scheme = scheme
        self.stepping = stepping
        self.longest_step_second = math.inf if stepping.limits_steps else None
        self._start_second = self._following_second = start_second
        self._reserve = 1.0
        self.input_nodes = tuple(node for block in blocks for node in block.inputs)
        self.output_nodes = tuple(node for block in blocks for node in block.outputs)
        self.block_second = 0.0
        self.accepted_second = start_second
        names: list[str] = []
        self._coupled: list[_Coupled] = []
        inputs = outputs = 0
        for block in blocks:
            externals = block.port(scheme).external_sources
            count_in, count_out = len(block.inputs), len(block.outputs)
            self._coupled.append(
                _Coupled(
                    block,
                    slice(inputs, inputs + count_in),
                    slice(outputs, outputs + count_out),
                    slice(len(names), len(names) + len(externals)),
                    offset=np.zeros(count_out),
                    slope=np.zeros(count_out),
                )
            )
            names.extend(externals)
            inputs, outputs = inputs + count_in, outputs + count_out
        self.external_index = {name: index for index, name in enumerate(names)}
        self.base = [0.0] * len(names)
        self.slope = [0.0] * len(names)
        volts = np.asarray(initial_volts, dtype=float)
        for coupled in self._coupled:
            self._predict(coupled, start_second, volts[coupled.inputs])
        self.block_second = 0.0  # the first evaluation may compile or load

    def accept(
        self, time_second: float, volts: np.ndarray, applied: np.ndarray, error: np.ndarray
    ) -> None:
        """Take an accepted point; predict from there on.

        Args:
            time_second: accepted time.
            volts: voltages of `input_nodes` [inputs].
            applied: receives the output volts that the netlist carried at this time [outputs].
            error: receives the coupling error estimate, applied minus the blocks' values at the
                accepted inputs, in volts [outputs]; NaN between two communication points.

        Raises:
            BlockError: a block raised, or returned a wrong shape, NaN or infinity.
            ExchangeError: nobody serves a block any more.
        """
        elapsed, communicates = time_second - self.accepted_second, self._communicates(time_second)
        for coupled in self._coupled:
            own_volts = volts[coupled.inputs]
            carried = coupled.offset + coupled.slope * elapsed
            if coupled.jacobian is not None:
                carried += coupled.jacobian @ own_volts
            applied[coupled.outputs] = carried
            if communicates:
                carried = carried - self._predict(coupled, time_second, own_volts)
            error[coupled.outputs] = carried if communicates else math.nan
        if communicates:
            self.accepted_second = time_second
        if self._following_second > time_second:
            self.longest_step_second = self._following_second - time_second
        elif self.stepping.tolerance_volt is not None and elapsed > 0:
            largest = max(float(np.abs(error).max(initial=0.0)), TINY_VOLT)
            reserve = self.stepping.tolerance_volt / largest
            self.longest_step_second = elapsed * self._growth(reserve)

    def _communicates(self, time_second: float) -> bool:
        """Whether blocks are evaluated at this point; the next time follows."""
        step = self.stepping.communication_second
        if step is None:
            return True
        passed = math.floor((time_second - self._start_second) / step + COMMUNICATION_PART)
        before, self._following_second = (
            self._following_second,
            self._start_second + (passed + 1) * step,
        )
        return self._following_second > before

    def _growth(self, reserve: float) -> float:
        """Of the step, by the part of the tolerance that the last one left, and its trend."""
        trend, self._reserve = reserve / self._reserve, reserve
        order = self.scheme.order
        factor = SAFETY * reserve ** (PROPORTIONAL / order) * min(trend, 1.0) ** (TREND / order)
        return min(max(factor, LEAST_FACTOR), LARGEST_FACTOR)

    def _predict(self, coupled: _Coupled, time_second: float, volts: np.ndarray) -> np.ndarray:
        """Evaluate a block, set its prediction, return its output."""
        started = perf_counter()
        try:
            output, jacobian, by_time = self._evaluate(coupled.block, time_second, volts)
        except ExchangeError:
            raise  # it is not the function's fault
        except Exception as error:
            raise BlockError(
                f"Block '{coupled.block.name}' raised {type(error).__name__} at "
                f"t = {time_second:.9g} s with inputs {volts} V: {error}. The points "
                "before it are kept. Correct the block's function."
            ) from error
        self.block_second += perf_counter() - started
        check = _Check(coupled.block, time_second, volts)
        count = len(coupled.block.outputs)
        check("output", output, (count,))
        if jacobian is None or by_time is None:
            elapsed = time_second - self.accepted_second
            coupled.offset = output
            if self.scheme is Scheme.EXTRAPOLATED and elapsed > 0:
                coupled.slope = (output - coupled.output) / elapsed
            self.base[coupled.externals] = output.tolist()
            self.slope[coupled.externals] = coupled.slope.tolist()
        else:
            check("Jacobian", jacobian, (count, len(volts)))
            check("time derivative", by_time, (count,))
            coupled.offset = output - jacobian @ volts
            coupled.slope, coupled.jacobian = by_time, jacobian
            self.base[coupled.externals] = coupled.offset.tolist() + jacobian.ravel().tolist()
            self.slope[coupled.externals] = by_time.tolist() + [0.0] * jacobian.size
        coupled.output = output
        return output

    def _evaluate(
        self, block: Block, time_second: float, volts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        if self.scheme is Scheme.LINEARISED:
            assert block.tangents is not None  # Block.port has checked it
            return block.tangents(time_second, volts)
        return block.function(time_second, volts), None, None


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
