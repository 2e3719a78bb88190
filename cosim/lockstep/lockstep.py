"""Lockstep of ngspice with blocks that are computed in Python or torch.

After each accepted point every block is evaluated once at the accepted node voltages, a sampled
one at its sampling instants; until the next one its outputs are predicted. All schemes reduce to
external source values that are affine in time, `base + slope * (t - t_accepted)`, which is all that
ngspice's Newton loop asks for.

Coupling error of the prediction after a step h (measured in tests/lockstep/test_order.py):
explicit O(h), extrapolated O(h^2), linearised O(h^2) and implicit in the inputs. With a tolerance
the next step is chosen from that error; a step cannot be taken back, as ngspice shows no values
before it has accepted them.

At the first point the blocks' outputs and the operating point depend on each other. That point is
solved for again and again (`repeats`) until both agree; only then is it accepted. Functions with a
state are put back to its beginning for each attempt, so that to them it is one point.
Source: Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section II.4.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np

from cosim.errors import BlockError, CouplingError, ExchangeError
from cosim.lockstep.block import Block
from cosim.lockstep.operating_point import ATTEMPTS, LoopGain, OperatingPoint
from cosim.lockstep.port import Scheme
from cosim.lockstep.stepping import BY_NGSPICE, COMMUNICATION_PART, StepControl, Stepping
from cosim.lockstep.watch import CouplingEvent, CouplingReport, Watch


class _Evaluated(NamedTuple):
    """What a block says: as of `cosim.lockstep.function.Tangents`."""

    output: np.ndarray
    jacobian: np.ndarray | None = None
    by_time: np.ndarray | None = None


@dataclass
class _Coupled:
    """One block: its place among the lockstep's arrays, and its prediction.

    From `accepted_second` on: offset + slope * elapsed (+ jacobian @ inputs when linearised).
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

    def carried(self, elapsed_second: float, volts: np.ndarray) -> np.ndarray:
        """The output volts in the netlist [outputs]."""
        carried = self.offset + self.slope * elapsed_second
        return carried if self.jacobian is None else carried + self.jacobian @ volts


class Lockstep:
    """Predicts every external source between accepted points.

    Args:
        blocks: the coupled blocks.
        scheme: how outputs are predicted.
        initial_volts: voltages of `input_nodes` before the operating point is known [inputs].
        stepping: how steps are limited.
        start_second: circuit time of the operating point.
        stop_second: of the end.
        settles: whether the operating point is solved for.

    Attributes:
        input_nodes, output_nodes: what crosses the interface, block by block.
        external_index: place of an external source (name in lower case) in `base` and `slope`.
        base, slope: value of each external source: base + slope * (t - accepted_second).
        block_second: wall time spent in the blocks so far.
        repeats: whether the operating point has to be solved for again; points are not to be
            given meanwhile.
        breakpoint_second: the next time that a point has to meet, infinite if there is none.

    Raises:
        BlockError, ExchangeError: a block fails at the initial voltages.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        scheme: Scheme,
        initial_volts: Sequence[float],
        stepping: Stepping = BY_NGSPICE,
        start_second: float = 0.0,
        stop_second: float = math.inf,
        settles: bool = True,
    ) -> None:
        self._start_second = start_second
        span = stop_second - start_second
        self._control = StepControl(stepping, scheme, start_second, span)
        self.input_nodes = tuple(node for block in blocks for node in block.inputs)
        self.output_nodes = tuple(node for block in blocks for node in block.outputs)
        self.block_second = 0.0
        self.accepted_second = start_second
        self.breakpoint_second = math.inf
        names: list[str] = []
        self._coupled: list[_Coupled] = []
        inputs = outputs = 0
        for block in blocks:
            block.reset()
            own = block.scheme(scheme)
            externals = block.port(scheme).external_sources
            count_in, count_out = len(block.inputs), len(block.outputs)
            self._coupled.append(
                _Coupled(
                    block,
                    own,
                    slice(inputs, inputs + count_in),
                    slice(outputs, outputs + count_out),
                    slice(len(names), len(names) + len(externals)),
                    Watch(block, own, stepping, span),
                    block.snapshot(),
                    offset=np.zeros(count_out),
                    slope=np.zeros(count_out),
                )
            )
            names.extend(externals)
            inputs, outputs = inputs + count_in, outputs + count_out
        self.external_index = {name: index for index, name in enumerate(names)}
        self.base = [0.0] * len(names)
        self.slope = [0.0] * len(names)
        self._operating_point = OperatingPoint(self._of_outputs(_is_mixed))
        self._loop_gain: LoopGain | None = None
        self._settled = not (blocks and settles)
        self.repeats = False
        volts = np.asarray(initial_volts, dtype=float)
        for coupled in self._coupled:
            if coupled.block.sample_second is not None:
                self._set(coupled, _Evaluated(coupled.block.initial_volt))
                continue
            own_volts = volts[coupled.inputs]
            self._set(coupled, self._evaluate(coupled, start_second, own_volts), volts=own_volts)
            coupled.block.restore(coupled.snapshot)
        self.block_second = 0.0  # the first evaluation may compile or load

    @property
    def longest_step_second(self) -> float | None:
        """Limit of the next step; None leaves steps to ngspice."""
        return self._control.longest_second

    @property
    def settles(self) -> bool:
        """Whether the operating point has to be solved for, attempt by attempt."""
        return not self._settled

    def accept(
        self, time_second: float, volts: np.ndarray, applied: np.ndarray, error: np.ndarray
    ) -> bool:
        """Take an accepted point; predict from there on.

        Args:
            time_second: accepted time.
            volts: voltages of `input_nodes` [inputs].
            applied: receives the output volts that the netlist carried at this time [outputs].
            error: receives the coupling error estimate, applied minus the blocks' values at the
                accepted inputs, in volts [outputs]; NaN between two communication points, 0 of a
                sampled block, whose output is meant to be held.

        Returns:
            Whether it counts: not if the operating point has to be solved for again.

        Raises:
            BlockError: a block raised, or returned a wrong shape, NaN or infinity.
            CouplingError: the coupling diverges, or there is no operating point.
            ExchangeError: nobody serves a block any more.
        """
        found: list[_Evaluated | None] = [None] * len(self._coupled)
        if not self._settled:
            if self.repeats:
                return False
            settled = self._settle(time_second, volts)
            if settled is None:
                return False
            found = settled
        elapsed = time_second - self.accepted_second
        communicates = self._control.communicates(time_second)
        for coupled, evaluated in zip(self._coupled, found, strict=True):
            own_volts = volts[coupled.inputs]
            carried = coupled.carried(elapsed, own_volts)
            applied[coupled.outputs] = carried
            sampled = coupled.block.sample_second is not None
            error[coupled.outputs] = 0.0 if sampled else math.nan
            if not (self._samples(coupled, time_second) if sampled else communicates):
                continue
            evaluated = evaluated or self._evaluate(coupled, time_second, own_volts)
            computed = evaluated.output
            jumped = coupled.watch.take(
                time_second, elapsed, own_volts, carried, computed, self._control.at_floor
            )
            self._set(coupled, evaluated, elapsed, own_volts, jumped=jumped)
            if not sampled:
                error[coupled.outputs] = carried - computed
        if communicates:
            self.accepted_second = time_second
        finite = error[np.isfinite(error)]
        self._control.take(time_second, elapsed, float(np.abs(finite).max(initial=0.0)))
        return True

    def repeat(self) -> None:
        """The operating point is about to be solved for once more."""
        self.repeats = False

    def reports(self) -> list[CouplingReport]:
        """How the coupling of each block went."""
        return [coupled.watch.report() for coupled in self._coupled]

    def events(self) -> list[CouplingEvent]:
        """What the user has to know of it."""
        return [event for coupled in self._coupled for event in coupled.watch.events()]

    # -- the operating point --------------------------------------------------------------------

    def _settle(self, time_second: float, volts: np.ndarray) -> list[_Evaluated | None] | None:
        """What the blocks say at the operating point; None if it has to be solved for again."""
        found: list[_Evaluated | None] = []
        for coupled in self._coupled:
            own_volts = volts[coupled.inputs]
            sampled = coupled.block.sample_second is not None
            found.append(None if sampled else self._evaluate(coupled, time_second, own_volts))
        carried = np.concatenate(
            [coupled.carried(0.0, volts[coupled.inputs]) for coupled in self._coupled]
        )
        computed = carried.copy()
        for coupled, evaluated in zip(self._coupled, found, strict=True):
            if evaluated is not None:
                computed[coupled.outputs] = evaluated.output
        following = self._following(carried, computed)
        if following is None:
            self._settled = True
            return found
        self.repeats = True
        for coupled, evaluated in zip(self._coupled, found, strict=True):
            if evaluated is not None:
                coupled.block.restore(coupled.snapshot)
                if coupled.jacobian is None:
                    evaluated = _Evaluated(following[coupled.outputs])
                if self._loop_gain is None or coupled.jacobian is None:
                    self._set(coupled, evaluated, volts=volts[coupled.inputs])
        if self._operating_point.attempts > ATTEMPTS:
            self._raise_no_operating_point(carried, computed, volts)
        return None

    def _following(self, carried: np.ndarray, computed: np.ndarray) -> np.ndarray | None:
        """Outputs with which to solve again; None if this is the operating point."""
        if self._loop_gain is None:
            if not self._operating_point.consistent(carried, computed):
                return self._operating_point.following(carried, computed)
            moved = np.flatnonzero(self._of_outputs(_is_mixed))
            if not 0 < len(moved) <= LoopGain.MOST:
                return None
            self._loop_gain = LoopGain(moved, carried, computed)
            self._solution: np.ndarray | None = carried
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
            if _is_mixed(coupled):
                coupled.watch.loop_gain = largest
                coupled.watch.amplification = found.amplification

    def _of_outputs(self, wanted) -> np.ndarray:  # type: ignore[no-untyped-def]
        return np.array(
            [wanted(coupled) for coupled in self._coupled for _ in coupled.block.outputs],
            dtype=bool,
        )

    def _raise_no_operating_point(
        self, carried: np.ndarray, computed: np.ndarray, volts: np.ndarray
    ) -> None:
        worst = int(np.argmax(np.abs(carried - computed)))
        coupled = next(one for one in self._coupled if one.outputs.stop > worst)
        raise CouplingError(
            f"No operating point was found with block '{coupled.block.name}': at inputs of "
            f"{volts[coupled.inputs]} V it gives {computed[worst]:.6g} V for node "
            f"'{self.output_nodes[worst]}', where the netlist carries {carried[worst]:.6g} V, a "
            f"residual of {abs(carried[worst] - computed[worst]):.3g} V after {ATTEMPTS} attempts. "
            "Give initial conditions (`.ic`) to the nodes that store the circuit's state; "
            "inputs nearer to the solution (`initial`); or, if the block is a digital one, its "
            "period (`sample`), before whose first sample its output is `initial`.",
            block=coupled.block.name,
            last_time_second=self._start_second,
        )

    # -- sampled blocks -------------------------------------------------------------------------

    def _samples(self, coupled: _Coupled, time_second: float) -> bool:
        """Whether this point is a sampling instant; the next one becomes a breakpoint."""
        period = coupled.block.sample_second
        assert period is not None
        due = self._start_second + coupled.sample_number * period
        late = time_second - due
        if late < -COMMUNICATION_PART * period:
            return False
        if late > COMMUNICATION_PART * period:
            coupled.watch.latest_sample_second = max(coupled.watch.latest_sample_second, late)
        coupled.sample_number += 1
        self.breakpoint_second = min(
            self._start_second + one.sample_number * one.block.sample_second
            for one in self._coupled
            if one.block.sample_second is not None
        )
        return True

    # -- evaluation -----------------------------------------------------------------------------

    def _evaluate(self, coupled: _Coupled, time_second: float, volts: np.ndarray) -> _Evaluated:
        """Call a block, and check what it says."""
        started = perf_counter()
        function = coupled.block.function
        try:
            if coupled.scheme is Scheme.LINEARISED:
                evaluated = _Evaluated(*function.tangents(time_second, volts))
            else:
                evaluated = _Evaluated(function.value(time_second, volts))
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
        check("output", evaluated.output, (count,))
        if coupled.scheme is Scheme.LINEARISED:
            check("Jacobian", evaluated.jacobian, (count, len(volts)))
            check("time derivative", evaluated.by_time, (count,))
        return evaluated

    def _set(
        self,
        coupled: _Coupled,
        evaluated: _Evaluated,
        elapsed_second: float = 0.0,
        volts: np.ndarray | None = None,
        *,
        jumped: bool = False,
    ) -> None:
        """Set a block's prediction."""
        output, jacobian, by_time = evaluated
        if jacobian is None or by_time is None:
            coupled.offset = output
            if coupled.scheme is Scheme.EXTRAPOLATED and elapsed_second > 0:
                # What jumps is not to go on as it went.
                change = output - coupled.output
                coupled.slope = np.zeros_like(output) if jumped else change / elapsed_second
            self.base[coupled.externals] = output.tolist()
            self.slope[coupled.externals] = coupled.slope.tolist()
        else:
            coupled.offset = output - jacobian @ volts
            coupled.slope, coupled.jacobian = by_time, jacobian
            self.base[coupled.externals] = coupled.offset.tolist() + jacobian.ravel().tolist()
            self.slope[coupled.externals] = by_time.tolist() + [0.0] * jacobian.size
        coupled.output = output


def _is_mixed(coupled: _Coupled) -> bool:
    """Whether its output is held in the netlist, but not by its own nature."""
    block = coupled.block
    return (
        coupled.scheme is not Scheme.LINEARISED
        and block.sample_second is None
        and not block.discontinuous
    )


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
