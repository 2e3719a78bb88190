"""Each member of a run against its float64 reference and its limits; the worst ones first."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cosim.diffusion.plan import Plan
from cosim.diffusion.score.paths import Paths, paths
from cosim.engine.worker import Points
from cosim.errors import LimitError
from cosim.report.solve import Solve
from cosim.simulation.limits import LIMIT, LimitMonitor, Limits, Worst
from cosim.simulation.recording import Finding

BATCH = 256
"""Samples whose paths are solved at once."""
SHOWN = 20
"""Members in a report."""
MICRO, MILLI = 1e6, 1e3


@dataclass(frozen=True)
class Verdict:
    """What became of a member.

    Attributes:
        member: its number.
        sample: of the initial conditions.
        transistors: in words: corner or Monte Carlo seed.
        error: largest error over the solve, of the reference's range over all states; NaN if there
            is none.
        error_second: when that is.
        coupling: the largest coupling error.
        lowest, highest: node voltages.
        breaches: of the limits.
    """

    member: int
    sample: int
    transistors: str
    error: float
    error_second: float
    coupling: Worst
    lowest: Worst
    highest: Worst
    breaches: tuple[Finding, ...]


class Judge:
    """Makes the monitors of a run's members, and keeps what they find.

    Attributes:
        verdicts: by member.
        first: the first member beside its reference.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.verdicts: dict[int, Verdict] = {}
        self.first: Solve | None = None
        self._solved = functools.lru_cache(maxsize=4)(self._solve)

    def __call__(self, member: int) -> "MemberMonitor":
        return MemberMonitor(self, member)

    def reference(self, member: int, tau: np.ndarray, noise_unit: np.ndarray | None) -> np.ndarray:
        """What a member should be [n, states]; the first to 1e-10, others as `paths` has them."""
        problem, sample = self.plan.problem, self.plan.place(member)[1]
        own = noise_unit is not None and self.plan.config.noise.source == "transient"
        if member == 0 or own:
            return problem.reference(sample, tau, noise_unit)
        return self._solved(sample // BATCH).at(sample % BATCH, tau)

    def _solve(self, batch: int) -> Paths:
        problem = self.plan.problem
        samples = range(batch * BATCH, min((batch + 1) * BATCH, len(problem.initial_states)))
        return paths(
            problem.network,
            problem.task.sampling_sde,
            problem.initial_states[samples],
            problem.all_draws(samples),
            problem.edge_part,
        )


class MemberMonitor:
    """Watches one member: its limits while it runs, its error when it has finished."""

    def __init__(self, judge: Judge, member: int) -> None:
        plan = judge.plan
        supply_volt, margin = plan.config.scaling.supply_volt, plan.config.limits.rail_margin_volt
        limits = Limits(
            plan.config.limits.coupling_volt, lowest_volt=-margin, highest_volt=supply_volt + margin
        )
        outputs = [node for block in plan.blocks for node in block.outputs]
        self._judge, self._member = judge, member
        self._limits = LimitMonitor(limits, plan.netlist.signals, outputs)
        self._time: list[np.ndarray] = []
        self._state: list[np.ndarray] = []
        self._noise: list[np.ndarray] = []

    def see(self, points: Points) -> None:
        """Take the next points."""
        plan = self._judge.plan
        self._limits.see(points)
        self._time.append(points.time_second)
        self._state.append(plan.units(points.values))
        if plan.config.equation == "sde":
            self._noise.append(plan.units(points.values, "noise.{}"))

    def findings(self) -> Sequence[Finding]:
        """What is beyond a limit; the judge knows all else from now on."""
        judge, config = self._judge, self._judge.plan.config
        time_second = np.concatenate(self._time)
        noise = np.concatenate(self._noise) if self._noise else None
        tau = config.scaling.tau(time_second)
        solve = Solve(
            time_second,
            np.concatenate(self._state),
            judge.reference(self._member, tau, noise),
            config.scaling.precharge_second,
        )
        if self._member == 0:
            judge.first = solve
        found = list(self._limits.findings())
        if not solve.relative_error <= config.limits.error:
            found.append(
                Finding(
                    solve.worst_second,
                    LIMIT,
                    f"the state is {100 * solve.relative_error:.4g} % of range off the float64 "
                    f"reference, limit {100 * config.limits.error:g} %: the circuit does not solve "
                    "the equation",
                )
            )
        variant, sample = judge.plan.place(self._member)
        judge.verdicts[self._member] = Verdict(
            self._member,
            sample,
            config.variants[variant].description,
            solve.relative_error,
            solve.worst_second,
            self._limits.coupling,
            self._limits.lowest,
            self._limits.highest,
            tuple(found),
        )
        return found


def table(verdicts: Sequence[Verdict], temperature_celsius: float) -> list[str]:
    """Members by their error, the worst first: a line each, SHOWN at most."""
    ranked = worst_first(verdicts)
    width = max(len(one.transistors) for one in ranked)
    lines = [
        f"members  {'member':>6}  {'transistors':{width}}  {'temp.':>6}  {'sample':>6}  "
        f"{'error':>10}  {'coupling':>10}  {'nodes':>16}  limits"
    ]
    for one in ranked[:SHOWN]:
        nodes = f"{one.lowest.value:.3g} to {one.highest.value:.3g} V"
        lines.append(
            f"         {one.member:6}  {one.transistors:{width}}  {temperature_celsius:4.0f} C  "
            f"{one.sample:6}  {100 * one.error:8.4f} %  {MILLI * one.coupling.value:7.3f} mV  "
            f"{nodes:>16}  {'beyond' if one.breaches else 'kept'}"
        )
    if len(ranked) > SHOWN:
        lines.append(f"         and {len(ranked) - SHOWN} members with smaller errors")
    return lines


def worst_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those beyond a limit first, then by error; NaN is the worst."""
    return sorted(
        verdicts, key=lambda one: (not one.breaches, -np.nan_to_num(one.error, nan=np.inf))
    )


def breach_lines(verdicts: Sequence[Verdict], repeat: str) -> list[str]:
    """Of each member beyond a limit: what, where, when, and the command that repeats it alone."""
    lines = []
    for one in [one for one in worst_first(verdicts) if one.breaches][:SHOWN]:
        who = "" if len(verdicts) == 1 else f"member {one.member}: "
        lines += [
            f"limit    {who}{breach.message}, at {MICRO * breach.time_second:.4g} us"
            for breach in one.breaches
        ]
        if len(verdicts) > 1:
            lines.append(f"repeat   {repeat} --member {one.member}")
    return lines


def exceeded(
    verdicts: Sequence[Verdict], trace_path: Path, lines: Sequence[str], facts: Mapping[str, Any]
) -> LimitError:
    """The error of a run of which members are beyond a limit."""
    failing = [verdict for verdict in worst_first(verdicts) if verdict.breaches]
    worst = failing[0]
    breach = worst.breaches[0]
    who = "The run is" if len(verdicts) == 1 else f"{len(failing)} of {len(verdicts)} members are"
    where = "" if len(verdicts) == 1 else f"Member {worst.member} ({worst.transistors}): "
    return LimitError(
        f"{who} beyond the limits of the run file's [limits]. {where}{breach.message}, at "
        f"{breach.time_second:.6g} s. The trace {trace_path} is kept and holds an event for each. "
        "Correct the run, or raise the limit if this is what you want.",
        lines,
        facts,
    )
