"""Golden traces: small, with the reason they were taken, replaced only with another reason.

A golden trace keeps the points from which straight lines give every signal within a twentieth of
its tolerance. It is a trace as any other; its event `golden` says why, and what it replaced, and
others (`bounds`) what the thinning cost and how accurate the run was.
Source: Douglas and Peucker, Cartographica 10, 112 (1973) (thinning of lines).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cosim.errors import ConfigurationError, TraceError
from cosim.trace.bounds import EVENT, Bound, Bounds, Grid
from cosim.trace.compare import COUPLING, Comparison, compare, parts, signal_names, tables
from cosim.trace.compare_curves import KNOWN_PART
from cosim.trace.curves import Points, beyond
from cosim.trace.exchange.replacing import replacing
from cosim.trace.reader import Trace
from cosim.trace.schema import Signal
from cosim.trace.table import Table
from cosim.trace.tolerances import Tolerances
from cosim.trace.writer import TraceWriter

KEPT_PART = 0.05
"""Of the tolerance that thinning may use: the band that this widens remains the tolerance's own."""


def thinned(time: np.ndarray, values: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Indices of the points to keep, so that lines between them are near enough to all others.

    Args:
        time: [n], not going back.
        values: [n, signals].
        allowed: error of each signal [signals].
    """
    kept = np.zeros(len(time), dtype=bool)
    kept[[0, -1]] = True
    waiting = [(0, len(time) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        inner = slice(first + 1, last)
        span = time[last] - time[first]
        part = (time[inner] - time[first]) / span if span > 0 else np.zeros(last - first - 1)
        line = values[first] + part[:, None] * (values[last] - values[first])
        excess = (np.abs(values[inner] - line) / allowed).max(axis=1)
        worst = int(np.argmax(excess))
        if excess[worst] > 1:
            middle = first + 1 + worst
            kept[middle] = True
            waiting += [(first, middle), (middle, last)]
    return np.flatnonzero(kept)


def golden_path(folder: Path, name: str) -> Path:
    """Where a golden trace lies.

    Raises:
        ConfigurationError: the name would lead elsewhere.
    """
    if not name.replace("_", "").replace("-", "").replace(".", "").isalnum() or ".." in name:
        raise ConfigurationError(
            f"A golden trace cannot be named '{name}': use letters, digits, '_', '-' and '.'."
        )
    return folder / f"{name}.h5"


def require_reason(why: str, path: Path) -> str:
    """The reason to take a trace for golden, and what it replaces.

    Raises:
        ConfigurationError: there is no reason.
        TraceError: what it would replace is no trace.
    """
    if not why.strip():
        raise ConfigurationError(
            f"{path} is replaced only with a reason, which it will hold: give --why."
        )
    replaced = f"; replaces one of {Trace.open(path).provenance.started}" if path.exists() else ""
    return f"{why.strip()}{replaced}"


@dataclass(frozen=True)
class _Kept:
    """Of a table: times [n], values [n, signals], and of each signal how well it is known, its unit
    and half of its band.
    """

    time: np.ndarray
    values: np.ndarray
    grid: Grid
    bounds: list[Bound]
    units: list[str]
    widths: np.ndarray


def update_golden(
    run: Trace, path: Path, why: str, tolerances: Tolerances, refined: Trace | None = None
) -> None:
    """Take a run, or an ensemble, for golden; what was there is replaced whole.

    Args:
        refined: the same with all steps halved, from which the numerical error is taken; without
            it that is recorded as not measured.

    Raises:
        ConfigurationError: there is no reason, the run did not end, the tolerances do not fit its
            signals, or a signal's tolerance is not larger than its errors.
        TraceError: the trace is damaged, or the file cannot be written.
    """
    reason = require_reason(why, path)
    _require_fit(run, path, tolerances, refined)
    finer = dict(parts(refined)) if refined else {}
    kept = {
        (number, prefix): _keep(
            prefix, table, tables(finer[number])[prefix] if refined else None, tolerances
        )
        for number, part in parts(run)
        for prefix, table in tables(part).items()
        if _kept_names(prefix, table, tolerances)
    }
    _require_accuracy(path, kept.values())
    chosen = {
        prefix: [
            Signal(name, table[name].unit, table[name].description)
            for name in _kept_names(prefix, table, tolerances)
        ]
        for prefix, table in tables(run).items()
    }
    with (
        replacing(path) as partial,
        TraceWriter.create(
            partial,
            signals=chosen[""],
            coupling=chosen.get(COUPLING, ()),
            provenance=run.provenance,
            members=run.members,
        ) as writer,
    ):
        writer.event(float("nan"), EVENT, reason)
        for (number, prefix), part in kept.items():
            append = writer.append_coupling if prefix else writer.append
            append(part.time, part.values, number)
            known = Bounds({one.signal: one for one in part.bounds}, {prefix: part.grid})
            for kind, message in known.events():
                writer.event(float("nan"), kind, message, number)
        for number in range(run.members or 0):
            writer.finish_member(number)
        writer.finish()


def _kept_names(prefix: str, table: Table, tolerances: Tolerances) -> list[str]:
    return [name for name in table.names if not tolerances.ignores(prefix + name)]


def _require_fit(run: Trace, path: Path, tolerances: Tolerances, refined: Trace | None) -> None:
    """Refuse what no comparison could pass, or all would."""
    faults = tolerances.unfit(signal_names(run))
    for trace in (run, refined) if refined else (run,):
        if any(one.status != "complete" for _, one in parts(trace)):
            faults.append(f"{trace.path} did not end: its status is '{trace.status}'")
    if not all(table.points for _, one in parts(run) for table in tables(one).values()):
        faults.append(f"{run.path} holds no points")
    if all(map(tolerances.ignores, run.names)):
        faults.append("every signal is ignored, and nothing would be compared")
    if refined and (missing := set(signal_names(run)) - set(signal_names(refined))):
        faults.append(f"the finer run lacks {', '.join(sorted(missing))}")
    elif refined and refined.members != run.members:
        faults.append("the finer run has other members")
    elif refined and 1 < run.points >= refined.points:
        faults.append(f"the finer run has {refined.points} points, this one {run.points}")
    if faults:
        raise ConfigurationError(
            f"{path} is not replaced: {'; '.join(faults)}. Correct that first."
        )


def _keep(prefix: str, table: Table, refined: Table | None, tolerances: Tolerances) -> _Kept:
    """Thin a table, and check what that costs against every point that is dropped."""
    names = _kept_names(prefix, table, tolerances)
    time, values = table.time_second, np.stack([table[name].values for name in names], axis=1)
    if not np.isfinite(values).all():
        wrong = names[int(np.flatnonzero(~np.isfinite(values).all(axis=0))[0])]
        raise ConfigurationError(
            f"Signal '{wrong}' of {table.path} has values that are not finite, so that it cannot "
            "be golden. Look for what made them, or leave it out (`ignore` in the tolerances)."
        )
    width = np.array(
        [
            tolerances.of(prefix + name).width(table[name].unit, column)
            for name, column in zip(names, values.T, strict=True)
        ]
    )
    rows = thinned(time, values, np.maximum(KEPT_PART * width, np.finfo(float).tiny))
    cost = np.abs(values - _lines(time, values, rows)).max(axis=0)
    if (cost > KNOWN_PART * width).any():
        wrong = names[int(np.argmax(cost / width))]
        raise TraceError(
            f"Signal '{wrong}' of {table.path} could not be thinned to a known bound. This is a "
            "fault of cosim; report it, with the trace."
        )
    bounds = [
        Bound(
            signal=prefix + name,
            thinning=float(cost[column]),
            numerical=None
            if refined is None
            else _distance(
                Points(time, values[:, column]),
                Points(refined.time_second, refined[name].values),
                tolerances.of(prefix + name).time_second,
            ),
        )
        for column, name in enumerate(names)
    ]
    longest = float(np.diff(time).max(initial=0.0))
    grid = Grid(table=prefix, points=len(time), longest_step_second=longest)
    units = [table[name].unit for name in names]
    return _Kept(time[rows], values[rows], grid, bounds, units, width)


def _lines(time: np.ndarray, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values [n, signals] of the lines between the kept points, at every point."""
    after = np.clip(np.searchsorted(rows, np.arange(len(time))), 1, max(len(rows) - 1, 1))
    first, last = rows[after - 1], rows[np.minimum(after, len(rows) - 1)]
    span = time[last] - time[first]
    part = np.divide(time - time[first], span, out=np.zeros(len(time)), where=span > 0)[:, None]
    lines = values[first] + part * (values[last] - values[first])
    lines[rows] = values[rows]
    return lines


def _distance(run: Points, refined: Points, time_second: float) -> float:
    """How far either curve leaves the tube around the other."""
    both = (beyond(run, refined, time_second), beyond(refined, run, time_second))
    return max(0.0, *(float(one.max()) for one in both))


def _require_accuracy(path: Path, kept: Iterable[_Kept]) -> None:
    """Refuse a tolerance that a run with other steps would exceed by that alone."""
    poor = [
        (bound.numerical / width, bound, unit, width)
        for part in kept
        for bound, unit, width in zip(part.bounds, part.units, part.widths, strict=True)
        if bound.numerical is not None and bound.numerical >= width > 0
    ]
    if poor:
        _, worst, unit, width = max(poor, key=lambda one: one[0])
        raise ConfigurationError(
            f"{path} is not replaced: the numerical error of "
            f"{len({bound.signal for _, bound, _, _ in poor})} of its signals is no less than "
            f"their tolerance. The worst is '{worst.signal}': with steps halved it changes by "
            f"{worst.numerical:.3g} {unit}, and {width:.3g} {unit} are allowed. Simulate with "
            "smaller steps, or allow more (also in time)."
        )


def reason(golden: Trace) -> str:
    """Why it was taken."""
    return next((event.message for event in golden.events if event.kind == EVENT), "no reason")


def check_golden(run: Trace, path: Path, tolerances: Tolerances) -> Comparison:
    """Compare a run with a golden trace.

    Raises:
        ConfigurationError: there is no golden trace yet.
        TraceError: a trace cannot be compared.
    """
    return compare(run, open_golden(path), tolerances)


def open_golden(path: Path) -> Trace:
    """A golden trace.

    Raises:
        ConfigurationError: there is none yet.
        TraceError: it is damaged.
    """
    if not path.exists():
        raise ConfigurationError(
            f"There is no golden trace {path} yet. Take a run that you have looked at for golden: "
            "`cosim golden update`, or --golden-update WHY of pytest."
        )
    return Trace.open(path)
