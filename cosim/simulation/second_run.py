"""Does a transient's answer depend on its steps? It is simulated once more, and compared.

What a coupling error of one point does to the answer, only the circuit knows: a loop that settles
forgets it, one that runs away makes it larger without end, however small it is against the signal
(`cosim.lockstep.watch` sees a point at a time). With steps of half the length an answer of order p
moves by 1 - 2^-p of its error.
Source: Press et al., Numerical Recipes, section 16.2 (step doubling).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np

from cosim.engine.audit import read_asked
from cosim.engine.isolated import isolated
from cosim.engine.worker import Points, Simulation, WorkerPool
from cosim.errors import CosimError
from cosim.lockstep.block import Block
from cosim.lockstep.extent import range_volt
from cosim.lockstep.scheme import Scheme
from cosim.netlist.trust import trusting
from cosim.simulation.block_events import missed_by_blocks
from cosim.simulation.confirm import (
    HALF,
    WARNING_PART,
    confirm,
    finer,
    is_suspect,
    worst_difference,
)
from cosim.simulation.events import missed_event
from cosim.simulation.plan import Plan
from cosim.simulation.recording import Finding, Monitor

Pool = Callable[[], AbstractContextManager[WorkerPool]]
COARSE_PART = 5e-3
"""Of a block's range: a coupling error beyond it is worth a second run."""

UNCONFIRMED = "unconfirmed"
"""Kind of the events."""


def second_opinion(
    plans: Sequence[Plan], asked: bool | None, pool: Pool, number: int
) -> Monitor | None:
    """What confirms the answer of a member; None where nothing is to be confirmed.

    Args:
        plans: of all members.
        asked: True: whatever it costs; None: where a block is held between points, or the netlist
            is of a kind that goes wrong (expressions in time, inductors with capacitors), or a
            coupling error is large. Whether a step leaps over what a block does is asked in any
            case.
        pool: makes a worker pool.
        number: of the member.
    """
    if asked is False:
        return None
    plan = plans[number]
    suspect = is_suspect(plan.netlist.circuit, plan.netlist.parsed.devices())
    if plan.blocks:
        repeats = asked or suspect or any(held(block, plan.scheme) for block in plan.blocks)
        return SecondRun(
            plan.simulation(number), pool, plan.netlist.circuit if suspect else None, repeats
        )
    return Confirmed(plan, asked) if asked or suspect else None


def held(block: Block, scheme: type[Scheme]) -> bool:
    """Whether a block's output is held between points, though by its own nature it is not."""
    return _smooth(block) and not block.scheme(scheme).IMPLICIT


def _smooth(block: Block) -> bool:
    return block.sample_second is None and not block.discontinuous


def _coarse(blocks: Sequence[Block], points: Points) -> bool:
    """Whether a coupling error is so large that a loop's gain could make an error of it."""
    smooth = np.array([_smooth(block) for block in blocks for _ in block.outputs])
    errors, computed = points.errors[:, smooth], (points.outputs - points.errors)[:, smooth]
    low, high = np.nanmin(computed, axis=0), np.nanmax(computed, axis=0)
    return bool((np.nanmax(np.abs(errors), axis=0) > COARSE_PART * range_volt(low, high)).any())


class _Kept:
    """Keeps the points of a member."""

    def __init__(self) -> None:
        self._parts: list[Points] = []

    def see(self, points: Points) -> None:
        """Take the next points."""
        self._parts.append(points)


class SecondRun(_Kept):
    """Asks whether the steps of a member with blocks saw what happened, and simulates it again.

    Args:
        simulation: the member's.
        pool: makes the worker pool that it is done on.
        circuit: its circuit without the blocks, if that has events of its own.
        repeats: whether it is simulated again in any case; else where its coupling is coarse.
    """

    def __init__(
        self,
        simulation: Simulation,
        pool: Pool,
        circuit: str | None = None,
        repeats: bool = True,
    ) -> None:
        super().__init__()
        self._simulation, self._pool = simulation, pool
        self._circuit, self._repeats = circuit, repeats

    def findings(self) -> list[Finding]:
        """What was missed, and what differs."""
        points = Points.joined(self._parts)
        found = self._missed(points)
        repeats = self._repeats or _coarse(self._simulation.blocks, points)
        return [*found, *self._differs(points)] if repeats else found

    def _missed(self, points: Points) -> list[Finding]:
        found = []
        by_block = missed_by_blocks(self._simulation.blocks, points)
        if by_block is not None:
            block, leap = by_block
            said = (
                f"A step leaps over what block '{block.name}' does {leap}. Take steps (`max_step`) "
                f"of {leap.would_do_second:.2g} s or less."
            )
            found.append(Finding(leap.at_second, UNCONFIRMED, said))
        if self._circuit is not None:
            missed = isolated(_missed_by_sources, self._circuit, points.time_second, closed=True)
            if missed is not None:
                said = f"The answer is not that of the netlist: {missed}."
                found.append(Finding(np.nan, UNCONFIRMED, said))
        return found

    def _differs(self, points: Points) -> list[Finding]:
        step_second = HALF * float(np.diff(points.time_second).max())
        try:
            with self._pool() as pool:
                again, _ = pool.run_one(_finer(self._simulation, step_second))
        except CosimError as error:
            at_second = float(points.time_second[-1])
            said = "The answer could not be confirmed: with steps of half the length it ends with: "
            return [Finding(at_second, UNCONFIRMED, f"{said}{error}")]
        vectors = (_vectors(self._simulation, one) for one in (points, again))
        jumps = any(block.discontinuous for block in self._simulation.blocks)
        found = worst_difference(*vectors, smooth=not jumps)
        return [] if found is None else [self._finding(step_second, *found)]

    def _finding(
        self, step_second: float, part: float, name: str, at_second: float, once: float, then: float
    ) -> Finding:
        blocks, scheme = self._simulation.blocks, self._simulation.scheme
        order = min(block.scheme(scheme).ORDER for block in blocks)
        error = part / (1.0 - HALF**order)
        would_do = step_second / HALF * min(1.0, WARNING_PART / error) ** (1 / order)
        can = all(not block.stateful for block in blocks) and not scheme.IMPLICIT
        return Finding(
            at_second,
            UNCONFIRMED,
            f"The answer depends on the steps: '{name}' is {once:.6g} at t = {at_second:.6g} s, "
            f"but {then:.6g} with steps of half the length ({100 * part:.3g} % of its range; by "
            f"the coupling's order the error of the answer is about {100 * error:.2g} %). Steps "
            f"of at most {would_do:.2g} s would do{', or the scheme linearised' if can else ''}.",
        )


class Confirmed(_Kept):
    """Confirms a member without blocks by `cosim.simulation.confirm`, in a process of its own."""

    def __init__(self, plan: Plan, asked: bool | None) -> None:
        super().__init__()
        self._plan, self._asked = plan, asked

    def findings(self) -> list[Finding]:
        """What the second opinion says."""
        vectors = _vectors(self._plan.simulation(0), Points.joined(self._parts))
        said = isolated(_confirmed, self._plan, vectors, self._asked, closed=True)
        return [Finding(np.nan, UNCONFIRMED, one) for one in said]


def _missed_by_sources(circuit: str, time_second: np.ndarray) -> str | None:
    from cosim.engine.session import NgspiceSession

    return missed_event(NgspiceSession.start(), circuit, time_second)


def _confirmed(plan: Plan, vectors: dict[str, np.ndarray], asked: bool | None) -> Sequence[str]:
    from cosim.engine.session import NgspiceSession

    words = read_asked(plan.text).analysis
    session = NgspiceSession.start()
    try:
        with trusting(plan.netlist.trusted):
            return confirm(
                session, plan.text, plan.netlist.path, words, vectors, 1.0, asked=asked
            ).warnings
    except CosimError as error:
        return [str(error)]


def _vectors(simulation: Simulation, points: Points) -> Mapping[str, np.ndarray]:
    return {"time": points.time_second, **dict(zip(simulation.saved, points.values.T, strict=True))}


def _finer(simulation: Simulation, step_second: float) -> Simulation:
    stepping = simulation.stepping
    if stepping.tolerance_volt is not None:
        stepping = replace(stepping, tolerance_volt=stepping.tolerance_volt / 10)
    if stepping.communication_second is not None:
        stepping = replace(stepping, communication_second=stepping.communication_second / 2)
    text = simulation.netlist
    return replace(
        simulation, netlist=finer(text, read_asked(text).analysis, step_second), stepping=stepping
    )
