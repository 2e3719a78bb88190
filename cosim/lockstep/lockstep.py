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

import numpy as np

from cosim.lockstep.block import Block
from cosim.lockstep.coupled import Coupled, Sources
from cosim.lockstep.findings import CouplingEvent, CouplingReport
from cosim.lockstep.scheme import Accepted, Scheme
from cosim.lockstep.settling import Settling
from cosim.lockstep.stepping import BY_NGSPICE, COMMUNICATION_PART, StepControl, Stepping
from cosim.lockstep.watch import Watch


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
        base, slope: value of each external source: base + slope * (t - accepted_second). These
            arrays stay, and are written to.
        repeats: whether the operating point has to be solved for again; points are not to be
            given meanwhile.
        breakpoint_second: the next time that a point has to meet, infinite if there is none.

    Raises:
        BlockError, ExchangeError: a block fails at the initial voltages.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        scheme: type[Scheme],
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
        self.accepted_second = start_second
        self.breakpoint_second = math.inf
        names: list[str] = []
        self._coupled: list[Coupled] = []
        inputs = outputs = 0
        for block in blocks:
            block.reset()
            own = block.scheme(scheme)
            externals = block.port(scheme).external_sources
            count_in, count_out = len(block.inputs), len(block.outputs)
            self._coupled.append(
                Coupled(
                    block,
                    own,
                    slice(inputs, inputs + count_in),
                    slice(outputs, outputs + count_out),
                    slice(len(names), len(names) + len(externals)),
                    Watch(block, own, stepping, span),
                    block.snapshot(),
                )
            )
            names.extend(externals)
            inputs, outputs = inputs + count_in, outputs + count_out
        self.external_index = {name: index for index, name in enumerate(names)}
        self.base, self.slope = np.zeros(len(names)), np.zeros(len(names))
        self._settling = Settling(self._coupled, self._put, start_second)
        self._settled = not (blocks and settles)
        self.repeats = False
        volts = np.asarray(initial_volts, dtype=float)
        for coupled in self._coupled:
            own_volts = volts[coupled.inputs]
            if coupled.block.sample_second is not None:
                said = Accepted(start_second, own_volts, coupled.block.initial_volt)
                self._put(coupled, coupled.predict(said))
                continue
            self._put(coupled, coupled.predict(coupled.evaluate(start_second, own_volts)))
            coupled.block.restore(coupled.snapshot)
            coupled.block_second = 0.0  # the first evaluation may compile or load

    @property
    def longest_step_second(self) -> float | None:
        """Limit of the next step; None leaves steps to ngspice."""
        return self._control.longest_second

    @property
    def block_second(self) -> float:
        """Wall time spent in the blocks so far."""
        return sum(coupled.block_second for coupled in self._coupled)

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
        found: list[Accepted | None] = [None] * len(self._coupled)
        if not self._settled:
            if self.repeats:
                return False
            settled = self._settling.attempt(time_second, volts)
            self._settled = settled is not None
            if settled is None:
                self.repeats = True
                return False
            found = settled
        elapsed = time_second - self.accepted_second
        communicates = self._control.communicates(time_second)
        for coupled, said in zip(self._coupled, found, strict=True):
            own_volts = volts[coupled.inputs]
            carried = coupled.carried(elapsed, own_volts)
            applied[coupled.outputs] = carried
            sampled = coupled.block.sample_second is not None
            error[coupled.outputs] = 0.0 if sampled else math.nan
            if not (self._samples(coupled, time_second) if sampled else communicates):
                continue
            said = said or coupled.evaluate(time_second, own_volts)
            computed = said.output
            away = carried - computed
            jumped = coupled.watch.take(
                time_second, elapsed, own_volts, carried, computed, away, self._control.at_floor
            )
            self._put(coupled, coupled.predict(said, jumped=jumped))
            if not sampled:
                error[coupled.outputs] = away
        if communicates:
            self.accepted_second = time_second
        self._control.take(time_second, elapsed, error)
        return True

    def repeat(self) -> None:
        """The operating point is about to be solved for once more."""
        self.repeats = False

    def reports(self) -> list[CouplingReport]:
        """How the coupling of each block went."""
        return [coupled.watch.findings.report() for coupled in self._coupled]

    def events(self) -> list[CouplingEvent]:
        """What the user has to know of it."""
        return [event for coupled in self._coupled for event in coupled.watch.findings.events()]

    def _samples(self, coupled: Coupled, time_second: float) -> bool:
        """Whether this point is a sampling instant; the next one becomes a breakpoint."""
        period = coupled.block.sample_second
        assert period is not None
        due = self._start_second + coupled.sample_number * period
        late = time_second - due
        if late < -COMMUNICATION_PART * period:
            return False
        if late > COMMUNICATION_PART * period:
            seen = coupled.watch.findings
            seen.latest_sample_second = max(seen.latest_sample_second, late)
        coupled.sample_number += 1
        self.breakpoint_second = min(
            self._start_second + one.sample_number * one.block.sample_second
            for one in self._coupled
            if one.block.sample_second is not None
        )
        return True

    def _put(self, coupled: Coupled, predicted: Sources) -> None:
        """A block's sources, from here on."""
        self.base[coupled.externals], self.slope[coupled.externals] = predicted
