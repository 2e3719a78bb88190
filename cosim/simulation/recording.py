"""Record simulations of an ensemble into one trace: what the front door is built on.

`record_ensemble` knows netlists, blocks, members and traces, and nothing of what they are for.
Points, what crossed the lockstep interface, second attempts and failures go into the trace as
they come, so that whatever ends the run leaves a trace that can be opened, and gone on with.
"""

import itertools
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from cosim.engine.ensemble import Executor, Retried, run_ensemble
from cosim.engine.worker import (
    Failed,
    Finished,
    Message,
    Points,
    Simulation,
    Started,
    Statistics,
)
from cosim.errors import CosimError, EngineError
from cosim.files import alone
from cosim.lockstep.block import Block
from cosim.lockstep.findings import DOUBTS, NOTES
from cosim.netlist.netlist import Signal
from cosim.simulation.predecessor import Predecessor, Resume
from cosim.trace import Provenance, TraceWriter
from cosim.trace import Signal as TraceSignal

MICRO = 1e6

LOST = (
    "It went on from its last recorded point. What the trace does not hold is lost: voltages of "
    "nodes that are not recorded, and the steps' history. From here on it is not, bit for bit, "
    "what an uninterrupted run gives."
)

START = "start"
"""Kind of the event that says how a member's operating point was found."""

Progress = Callable[[float, str], None]
"""(fraction done, what is being done)."""


def unheard(fraction: float, doing: str) -> None:
    """Progress that nobody listens to."""


@dataclass
class Member:
    """What is kept of a member in memory; all else is in the trace.

    Attributes:
        stop_second: when it ends; infinite until its simulation is known.
        last_time_second: last recorded time.
        final_values: the recorded signals there [signals]; None before the first point.
        statistics: where its wall time went; None until it has finished, or if another run
            simulated it.
    """

    stop_second: float = math.inf
    last_time_second: float = 0.0
    final_values: np.ndarray | None = None
    statistics: Statistics | None = None

    def see(self, points: Points) -> None:
        """Take the next points."""
        self.last_time_second = float(points.time_second[-1])
        self.final_values = points.values[-1]


@dataclass(frozen=True)
class Finding:
    """What a monitor has to say of a member: an event of the trace."""

    time_second: float
    kind: str
    message: str


class Monitor(Protocol):
    """Watches one member's points; made anew for a second attempt."""

    def see(self, points: Points) -> None:
        """Take the next points, those of a resumed trace included."""

    def findings(self) -> Sequence[Finding]:
        """What is to be said, once the member has finished."""


Watching = Callable[[int], Monitor | None] | None
"""Makes what watches a member, by its number, where it is to be watched."""


def record_ensemble(
    simulations: Iterable[Simulation],
    path: Path,
    *,
    signals: Sequence[Signal],
    provenance: Provenance,
    executor: Executor,
    members: int | None = None,
    notes: Mapping[int, str] | None = None,
    told: Sequence[str] = (),
    retry: bool = True,
    overwrite: bool = False,
    resume: Resume | None = None,
    monitor: Watching = None,
    judged: bool = False,
    on_progress: Progress = unheard,
) -> list[Member]:
    """Simulate all and record them in one trace, which is complete when this returns.

    Args:
        simulations: numbered 0, 1, ... by `Simulation.member`; taken one after another, so that a
            generator need not hold them all. All have the same blocks by name, inputs and outputs.
        path: of the trace; its folder must exist.
        signals: what each simulation's `saved` vectors are, in that order.
        provenance: what determines the run.
        executor: `WorkerPool` or `ClusterPool`; entered and left by the caller.
        members: how many, for an ensemble; None for a single simulation, of number 0.
        notes: what distinguishes members (corner, temperature, seed), as events of kind `process`.
        told: what the user was warned of beforehand, as events of kind `warning`.
        retry: run what failed once more, on fresh workers.
        overwrite: replace an existing trace, unless `resume` goes on with it.
        resume: go on with the trace that is there; of one that is complete nothing is simulated,
            and its points are seen once more.
        monitor: makes what watches a member; its findings become events.
        judged: whether an answer in doubt (a grave `CouplingEvent`, or what a monitor finds) is
            warned of here; else who calls has limits of its own.
        on_progress: called often, with the simulated part of all circuit time.

    Returns:
        The members, by number.

    Raises:
        ConfigurationError, TraceError: before anything is simulated; what was there is kept.
        EngineError: members failed; what they recorded before is in the trace.
        KeyboardInterrupt: after the trace has been finished as 'interrupted'.
    """
    first, simulations = _peeked(simulations)
    with ExitStack() as stack:
        stack.enter_context(alone(path))
        before = None
        if resume is not None:
            before = stack.enter_context(Predecessor(path, resume))
            before.check(provenance)
            if before.complete:
                return _seen_again(before, members, monitor)
        writer = stack.enter_context(
            TraceWriter.create(
                path if before is None else before.successor_path,
                signals=[TraceSignal(one.name, one.unit, one.description) for one in signals],
                coupling=coupling_signals(first.blocks),
                provenance=provenance,
                members=members,
                overwrite=overwrite or before is not None,
            )
        )
        recorder = _Recorder(writer, members, before, monitor)
        for number, note in (notes or {}).items():
            writer.event(0.0, "process", note, number)
        for said in told:
            writer.event(math.nan, "warning", said)
        if before is not None:
            simulations = recorder.taken_up(simulations, before)
        simulations = recorder.noted(simulations)
        messages = run_ensemble(executor, simulations) if retry else executor.run(simulations)
        for message in messages:
            recorder.take(message)
            on_progress(recorder.fraction, recorder.doing)
        recorder.close()
    if judged and recorder.doubts:
        warnings.warn(_doubtful(recorder.doubts, path, members), stacklevel=3)
    return recorder.members


def coupling_signals(blocks: Sequence[Block]) -> list[TraceSignal]:
    """What crosses the lockstep interface, in the order in which `Points` have it. Of a node that
    several blocks take the second is `input.NODE#2`.
    """
    inputs: list[str] = []
    taken: Counter[str] = Counter()
    for node in (node for block in blocks for node in block.inputs):
        taken[node] += 1
        inputs.append(node if taken[node] == 1 else f"{node}#{taken[node]}")
    outputs = [node for block in blocks for node in block.outputs]
    described = [("input", node, "accepted voltage, to the block") for node in inputs]
    described += [("output", node, "applied voltage, from the block") for node in outputs]
    described += [("error", node, "applied minus the block's value there") for node in outputs]
    return [TraceSignal(f"{what}.{node}", "V", text) for what, node, text in described]


def _seen_again(before: Predecessor, members: int | None, monitor: Watching) -> list[Member]:
    """Show a complete trace to its monitors; its events are there already."""
    found = [Member() for _ in range(members or 1)]
    for number, member in enumerate(found):
        watch = monitor(number) if monitor is not None else None
        for points in before.kept(number):
            member.see(points)
            if watch is not None:
                watch.see(points)
        if watch is not None:
            watch.findings()
    return found


def _peeked(simulations: Iterable[Simulation]) -> tuple[Simulation, Iterator[Simulation]]:
    iterator = iter(simulations)
    first = next(iterator)
    return first, itertools.chain([first], iterator)


class _Recorder:
    """Writes what workers send; knows how far each member is."""

    def __init__(
        self,
        writer: TraceWriter,
        members: int | None,
        before: Predecessor | None,
        monitor: Watching,
    ) -> None:
        self.members = [Member() for _ in range(members or 1)]
        self._writer = writer
        self._ensemble = members is not None
        self._before = before
        self._monitor = monitor
        self._monitors: dict[int, Monitor | None] = {}
        self._failures: list[Failed] = []
        self.doubts: list[tuple[int, str]] = []
        self._retried: set[int] = set()

    @property
    def fraction(self) -> float:
        """Simulated part of all circuit time."""
        done = sum(member.last_time_second / member.stop_second for member in self.members)
        return done / len(self.members)

    @property
    def doing(self) -> str:
        """How far it is, in words."""
        if not self._ensemble:
            return f"t = {MICRO * self.members[0].last_time_second:.1f} us"
        finished = sum(member.statistics is not None for member in self.members)
        return f"{finished} of {len(self.members)} solves"

    def noted(self, simulations: Iterator[Simulation]) -> Iterator[Simulation]:
        """The same simulations, once it is known when they end."""
        for simulation in simulations:
            self.members[simulation.member].stop_second = simulation.stop_second
            yield simulation

    def taken_up(
        self, simulations: Iterator[Simulation], before: Predecessor
    ) -> Iterator[Simulation]:
        """Copy what was recorded; what remains to be simulated.

        Copied at once, as the trace takes the old one's place as soon as it holds all of it.
        """
        remaining = []
        for simulation in simulations:
            number = simulation.member
            self.members[number].stop_second = simulation.stop_second
            rest = before.rest_of(simulation)
            for points in before.kept(number):
                self._record(points)
            if rest is not None:
                if rest is not simulation:
                    at_second = self.members[number].last_time_second
                    self._writer.event(at_second, "resumed", LOST, self._number(number))
                remaining.append(rest)
            else:
                self._retell(before, number)
                self._end(number)
        self._writer.flush()
        before.give_way()
        return iter(remaining)

    def _retell(self, before: Predecessor, number: int) -> None:
        """What was said of the coupling of a member that is complete."""
        member = self._number(number)
        for event in before.trace.events:
            if event.member in (number, -1) and event.kind in DOUBTS | NOTES:
                self._writer.event(event.time_second, event.kind, event.message, member)

    def take(self, message: Message) -> None:
        """Record a message."""
        number = message.member
        at_second = self.members[number].last_time_second
        if isinstance(message, Started):
            if number in self._retried:
                self._begin_anew(number)
        elif isinstance(message, Points):
            self._record(message)
        elif isinstance(message, Finished):
            self.members[number].statistics = message.statistics
            if message.start is not None:
                self._writer.event(0.0, START, str(message.start), self._number(number))
            self.doubts += [(number, event.message) for event in message.events if event.grave]
            for event in message.events:
                self._writer.event(
                    event.time_second, event.kind, event.message, self._number(number)
                )
            self._end(number)
        elif isinstance(message, Retried):
            self._retried.add(number)
            self._writer.event(at_second, "retried", str(message.error), self._number(number))
        elif isinstance(message, Failed):
            self._failures.append(message)
            self._writer.event(at_second, "failed", str(message.error), self._number(number))
            if self._ensemble:
                self._writer.finish_member(number, "failed")

    def close(self) -> None:
        """Finish the trace; raise what failed."""
        if self._failures:
            error = _joined(self._failures, len(self.members))
            self._writer.finish("failed", str(error))
            raise error
        self._writer.finish()

    def _number(self, member: int) -> int | None:
        return member if self._ensemble else None

    def _begin_anew(self, number: int) -> None:
        """What was sent by an attempt that failed no longer counts."""
        self.members[number] = Member(self.members[number].stop_second)
        self._monitors.pop(number, None)
        self._writer.restart(self._number(number))
        if self._before is not None:
            for points in self._before.kept(number):
                self._record(points)

    def _record(self, points: Points) -> None:
        number, member = self._number(points.member), self.members[points.member]
        self._writer.append(points.time_second, points.values, number)
        crossed = np.hstack([points.inputs, points.outputs, points.errors])
        if crossed.shape[1]:
            self._writer.append_coupling(points.time_second, crossed, number)
        member.see(points)
        if self._monitor is not None:
            if points.member not in self._monitors:
                self._monitors[points.member] = self._monitor(points.member)
            monitor = self._monitors[points.member]
            if monitor is not None:
                monitor.see(points)

    def _end(self, number: int) -> None:
        """A member is complete: ask what watched it, and say so."""
        monitor = self._monitors.pop(number, None)
        for finding in monitor.findings() if monitor is not None else ():
            self.doubts.append((number, finding.message))
            self._writer.event(
                finding.time_second, finding.kind, finding.message, self._number(number)
            )
        if self._ensemble:
            self._writer.finish_member(number)


def _joined(failures: list[Failed], members: int) -> CosimError:
    first = failures[0]
    if members == 1:
        return first.error
    return EngineError(
        f"{len(failures)} of {members} members failed; the others are complete in the trace. "
        f"Member {first.member}: {first.error}"
    )


def _doubtful(doubts: Sequence[tuple[int, str]], path: Path, members: int | None) -> str:
    number, first = doubts[0]
    doubtful = len({one for one, _ in doubts})
    whose = "" if members is None else f", of {doubtful} of {members} members; member {number}"
    return (
        f"The simulation ended, but its result is in doubt{whose}: {first} "
        f"The events of the trace {path} hold all that is to be said."
    )
