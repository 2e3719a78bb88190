"""Compare a run with a golden trace, signal by signal: passed, differs, or cannot tell.

Each curve, linear between its points, must stay in the tube around the other: within
+-time_second and +-(absolute + relative * golden range) of it. Nothing widens this band but what a
golden trace's thinning is known to have cost, a fifth of the tolerance at most (`bounds`).

What leaves the band at a point of the run is a difference. What leaves it where only the golden
trace has a point, or only a golden trace without a known bound has none, may be one, or be the two
grids': it cannot be told, nor can it where a trace has no points at all for much longer than the
other's steps. `Comparison.wanted_times` says where points would help.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from cosim.trace.bounds import EVENT, Bounds, Grid
from cosim.trace.compare_curves import compare_curves, overlaid
from cosim.trace.curves import Points
from cosim.trace.reader import Trace
from cosim.trace.schema import first_disorder
from cosim.trace.table import SignalView, Table
from cosim.trace.tolerances import Tolerance, Tolerances
from cosim.trace.verdict import (
    Comparison,
    Curves,
    Finding,
    SignalComparison,
    Verdict,
    comparison_rows,
    failing_rows,
)

__all__ = [
    "Comparison",
    "Tolerance",
    "Tolerances",
    "Verdict",
    "compare",
    "compare_curves",
    "comparison_rows",
    "failing_rows",
]

LARGEST = 1e100
"""No voltage or current; squares and differences of larger numbers overflow."""

FEWER, LONGER = 5, (2.0, 4.0)
"""A grid says too little that has so many times fewer points, or a gap so many times longer than
the other's longest step; the second only up to a tenth of the time.
"""

COUPLING = "coupling/"
DEFAULTS = Tolerances()


def compare(
    run: Trace | Path | str, golden: Trace | Path | str, tolerances: Tolerances = DEFAULTS
) -> Comparison:
    """Compare two traces, or the files that hold them; ensembles member by member.

    Nothing is raised where they differ: `compare(run, golden).check()` does so.

    Raises:
        TraceError: a trace is damaged.
    """
    run, golden = (one if isinstance(one, Trace) else Trace.open(one) for one in (run, golden))
    mine, theirs = signal_names(run), signal_names(golden)
    named = {tolerances.rename.get(name, name): name for name in mine}
    wanted = [name for name in theirs if not tolerances.ignores(name)]
    pairs = {name: named[name] for name in wanted if name in named}
    wrong = [*tolerances.unfit([*theirs, *named]), *_unfit_renames(tolerances, mine, theirs)]
    findings = [Finding(Verdict.CANNOT_TELL, f"{text}: correct the tolerances") for text in wrong]
    signals: list[SignalComparison] = []
    if run.members != golden.members:
        text = f"the run holds {_held(run)}, the golden trace {_held(golden)}"
        findings.append(Finding(Verdict.DIFFERS, text))
    else:
        for (number, one), (_, other) in zip(parts(run), parts(golden), strict=True):
            told, compared = _compare_runs(one, other, pairs, tolerances, number)
            findings += told
            signals += compared
    if not signals:
        findings.append(Finding(Verdict.CANNOT_TELL, "no signal was compared"))
    return Comparison(
        str(run.path),
        str(golden.path),
        signals,
        missing=[name for name in wanted if name not in named],
        extra=[name for name in named if name not in theirs and not tolerances.ignores(name)],
        findings=findings,
    )


def parts(trace: Trace) -> Iterator[tuple[int | None, Trace]]:
    """A single run, or an ensemble's members with their numbers."""
    if trace.members is None:
        yield None, trace
    for number in range(trace.members or 0):
        yield number, trace.member(number)


def tables(trace: Trace) -> dict[str, Table]:
    """The table of the signals, and of the coupling if there is one, by their names' prefix."""
    return {"": trace} | ({COUPLING: trace.coupling} if trace.coupling.names else {})


def signal_names(trace: Trace) -> list[str]:
    """Names of all signals, as tolerances know them."""
    return [prefix + name for prefix, table in tables(trace).items() for name in table.names]


def _held(trace: Trace) -> str:
    return "a single run" if trace.members is None else f"{trace.members} members"


def _unfit_renames(tolerances: Tolerances, mine: list[str], theirs: list[str]) -> Iterator[str]:
    for new, old in tolerances.rename.items():
        if new not in mine:
            yield f"[rename] names '{new}', which the run does not have"
        if old not in theirs:
            yield f"[rename] names '{old}', which the golden trace does not have"
        if old in mine and tolerances.rename.get(old, old) == old:
            yield f"[rename] makes '{new}' a second '{old}' of the run"
        if new.startswith(COUPLING) is not old.startswith(COUPLING):
            yield f"[rename] takes '{new}' for '{old}', which is on another time base"


def _compare_runs(
    run: Trace, golden: Trace, pairs: dict[str, str], tolerances: Tolerances, member: int | None
) -> tuple[list[Finding], list[SignalComparison]]:
    """Compare two runs, or two members; `pairs`: the run's name of a signal by the golden one."""
    bounds = Bounds.read(golden)
    findings = list(_status_findings(run, golden, bounds))
    signals = []
    mine = tables(run)
    for prefix, table in tables(golden).items():
        names = {
            name.removeprefix(prefix): own.removeprefix(prefix)
            for name, own in pairs.items()
            if name.startswith(COUPLING) is own.startswith(COUPLING) is bool(prefix)
        }
        if not names:
            continue
        unusable = list(_time_findings(mine[prefix], table))
        of_table = unusable or _gap_findings(mine[prefix], table, bounds.grids.get(prefix))
        where = "in the coupling, " if prefix else ""
        findings += [replace(one, text=f"{where}{one.text}") for one in of_table]
        if not unusable:
            signals += [
                _compare_signal(
                    mine[prefix][own], table[name], prefix + name, tolerances, bounds, member
                )
                for name, own in names.items()
            ]
    if member is not None:
        findings = [replace(one, text=f"member {member}: {one.text}") for one in findings]
    return findings, signals


def _status_findings(run: Trace, golden: Trace, bounds: Bounds) -> Iterator[Finding]:
    for what, trace, verdict in (
        ("run", run, Verdict.DIFFERS),
        ("golden trace", golden, Verdict.CANNOT_TELL),
    ):
        if not trace.complete:
            why = f" ({trace.reason})" if trace.reason else ""
            yield Finding(verdict, f"the {what} did not end: its status is '{trace.status}'{why}")
    if not bounds.grids and any(event.kind == EVENT for event in golden.events):
        text = "the golden trace does not say what its thinning cost: take it anew"
        yield Finding(Verdict.CANNOT_TELL, text)


def _time_findings(run: Table, golden: Table) -> Iterator[Finding]:
    """What keeps two tables from being compared at all."""
    for what, table, verdict in (
        ("run", run, Verdict.DIFFERS),
        ("golden trace", golden, Verdict.CANNOT_TELL),
    ):
        wrong = first_disorder(-math.inf, table.time_second)
        if not table.points:
            yield Finding(verdict, f"the {what} holds no points")
        elif wrong is not None:
            before, then = table.time_second[[max(wrong - 1, 0), wrong]]
            yield Finding(verdict, f"the {what}'s time goes from {before:.9g} to {then:.9g} s")


def _gap_findings(run: Table, golden: Table, grid: Grid | None) -> list[Finding]:
    """Stretches of which a trace says too little to be told from another."""
    mine, theirs = run.time_second, golden.time_second
    longest = grid.longest_step_second if grid else _longest(theirs)
    points = grid.points if grid else len(theirs)
    findings = []
    if len(mine) * FEWER < points:
        text = f"the run has {len(mine)} points, the golden one had {points}"
        findings.append(Finding(Verdict.CANNOT_TELL, text))
    findings += _long_steps(mine, longest, "run", theirs)
    if grid is None:
        findings += _long_steps(theirs, _longest(mine), "golden trace", None)
    return findings


def _longest(time: np.ndarray) -> float:
    return float(np.diff(time).max(initial=0.0))


def _long_steps(
    time: np.ndarray, longest: float, what: str, wanted: np.ndarray | None
) -> list[Finding]:
    duration = float(time[-1] - time[0])
    allowed = max(LONGER[0] * longest, min(LONGER[1] * longest, duration / 10))
    steps = np.diff(time)
    if len(time) < 2 or steps.max() <= allowed * (1 + 1e-9):
        return []
    worst = int(np.argmax(steps))
    text = (
        f"the {what} has no point for {steps[worst]:.3g} s, from {time[worst]:.9g} to "
        f"{time[worst + 1]:.9g} s; the other's longest step is {longest:.3g} s"
    )
    times: tuple[float, ...] = ()
    if wanted is not None and longest > 0:
        begins, ends = time[:-1][steps > allowed], time[1:][steps > allowed]
        times = tuple(
            float(at)
            for begin, end in zip(begins, ends, strict=True)
            for at in np.linspace(begin, end, math.ceil((end - begin) / longest) + 1)[1:-1]
        )
    return [Finding(Verdict.CANNOT_TELL, text, times)]


def _compare_signal(
    run: SignalView,
    golden: SignalView,
    name: str,
    tolerances: Tolerances,
    bounds: Bounds,
    member: int | None,
) -> SignalComparison:
    mine, theirs = (Points(one.time_second, one.values) for one in (run, golden))
    tolerance = tolerances.of(name)
    note, verdict = "", Verdict.DIFFERS
    if run.unit != golden.unit:
        note = f"its unit is '{run.unit}', the golden one's '{golden.unit}'"
    note = note or _not_finite(mine)
    if not note and (fault := _not_finite(theirs)):
        note, verdict = f"of the golden trace, {fault}", Verdict.CANNOT_TELL
    if note:
        return SignalComparison(name, golden.unit, member, verdict, note=note)
    found = compare_curves(name, golden.unit, mine, theirs, tolerance, bounds.signals.get(name))

    def curves() -> Curves:
        mine, theirs = (Points(one.time_second, one.values) for one in (run, golden))
        return overlaid(mine, theirs, tolerance.time_second, found.band)

    return replace(found, member=member, curves=curves)


def _not_finite(points: Points) -> str:
    wrong = np.flatnonzero(~(np.abs(points.values) < LARGEST))
    if not len(wrong):
        return ""
    at = int(wrong[0])
    return f"it is {points.values[at]:.3g} at {points.time[at]:.9g} s, which is no value"
