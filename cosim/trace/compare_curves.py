"""Compare one signal's curve with its golden one: what is out of the band, and what may be.

Area and RMS of the difference are reported beside the maximum, and limited where the user says so;
by themselves they follow from the band.
"""

from dataclasses import dataclass

import numpy as np

from cosim.trace.bounds import Bound
from cosim.trace.curves import Points
from cosim.trace.tolerances import Tolerance
from cosim.trace.verdict import Curves, Gap, SignalComparison, Verdict, Violation

KNOWN_PART = 0.2
"""Of the tolerance that a golden trace's thinning may have cost."""


def compare_curves(
    name: str,
    unit: str,
    run: Points,
    golden: Points,
    tolerance: Tolerance,
    bound: Bound | None = None,
) -> SignalComparison:
    """Compare one signal.

    Args:
        run, golden: finite values.
        bound: what the golden trace knows of its own accuracy, if it was thinned.
    """
    width = tolerance.width(unit, golden.values)
    band = width + (bound.thinning if bound else 0.0)
    begins, ends = max(run.time[0], golden.time[0]), min(run.time[-1], golden.time[-1])
    notes = [(Verdict.DIFFERS, _span_note(run.time, golden.time, tolerance.time_second))]
    notes.append((Verdict.CANNOT_TELL, _bound_note(bound, width, unit)))
    if ends < begins:
        verdict, note = notes[0]
        return SignalComparison(name, unit, None, verdict, width, band, note=note)
    # What the run has late, it may have after its end.
    around = tolerance.time_second
    points = run.between(begins, ends), golden.between(begins + around, ends - around)
    certain, open_ = _violations(run, golden, *points, band, around, bound is not None)
    largest, root_mean_square, area = _differences(run, golden)
    notes.append((Verdict.DIFFERS, _limit_note(tolerance, root_mean_square, area, unit)))
    if len(certain.time) and not np.ptp(run.values) and np.ptp(golden.values) > 2 * band:
        notes.append((Verdict.DIFFERS, "it is constant, the golden one is not"))
    verdicts = [verdict for verdict, note in notes if note]
    verdicts += [Verdict.DIFFERS] * bool(len(certain.time))
    verdicts += [Verdict.CANNOT_TELL] * bool(len(open_.time))
    places = certain if len(certain.time) else open_
    return SignalComparison(
        name,
        unit,
        None,
        Verdict.of(verdicts),
        width,
        band,
        largest,
        root_mean_square,
        area,
        first=places.first,
        worst=places.worst,
        gap=_gap(run, golden, places) if places is open_ else None,
        note="; ".join(note for _, note in notes if note),
        wanted_times=places.time[~places.of_run] if places is open_ else np.empty(0),
    )


def overlaid(run: Points, golden: Points, time_second: float, band: float) -> Curves:
    """Both curves, and the band, on the union of their grids."""
    grid = _union(run, golden)
    lowest, highest = golden.tube(grid, time_second)
    return Curves(grid, run.at(grid), golden.at(grid), lowest - band, highest + band)


@dataclass(frozen=True)
class _Places:
    """Points [n] outside the band: when, the run's value, the border, whose point it is."""

    time: np.ndarray
    value: np.ndarray
    limit: np.ndarray
    of_run: np.ndarray

    def where(self, chosen: np.ndarray) -> "_Places":
        return _Places(
            self.time[chosen], self.value[chosen], self.limit[chosen], self.of_run[chosen]
        )

    def together(self, other: "_Places") -> "_Places":
        both = zip(
            (self.time, self.value, self.limit, self.of_run),
            (other.time, other.value, other.limit, other.of_run),
            strict=True,
        )
        return _Places(*(np.concatenate(pair) for pair in both))

    @property
    def first(self) -> Violation | None:
        return self._violation(int(np.argmin(self.time))) if len(self.time) else None

    @property
    def worst(self) -> Violation | None:
        return self._violation(self.index_of_worst) if len(self.time) else None

    @property
    def index_of_worst(self) -> int:
        return int(np.argmax(np.abs(self.value - self.limit)))

    def _violation(self, index: int) -> Violation:
        return Violation(*(float(of[index]) for of in (self.time, self.value, self.limit)))


def _violations(
    run: Points,
    golden: Points,
    run_points: Points,
    golden_points: Points,
    band: float,
    time_second: float,
    bounded: bool,
) -> tuple[_Places, _Places]:
    """Points out of the other curve's tube: those that are certain, and those that may be not.

    With a known bound a golden curve is known between its points too. Without one, what leaves the
    band there by less than the curve may bend is not certain. Nor is what only the golden trace
    has where the run may have it earlier or later, between two of its points.
    """
    mine = _outside(run_points, golden, band, time_second, of_run=True)
    theirs = _outside(golden_points, run, band, time_second, of_run=False)
    sure = golden.has(mine.time) | bounded
    sure |= np.abs(mine.value - mine.limit) > golden.bend(mine.time)
    seen = run.has(theirs.time) & (time_second == 0)
    return mine.where(sure).together(theirs.where(seen)), mine.where(~sure).together(
        theirs.where(~seen)
    )


def _outside(
    points: Points, other: Points, band: float, time_second: float, of_run: bool
) -> _Places:
    lowest, highest = other.tube(points.time, time_second)
    above = points.values - highest > lowest - points.values
    near, sign = np.where(above, highest, lowest), np.where(above, 1.0, -1.0)
    out = np.flatnonzero(sign * (points.values - near) > band)
    sign, near, own = sign[out], near[out], points.values[out]
    value, limit = (own, near + sign * band) if of_run else (near, own - sign * band)
    return _Places(points.time[out], value, limit, np.full(len(out), of_run))


def _gap(run: Points, golden: Points, places: _Places) -> Gap | None:
    """The stretch without a point around the worst place."""
    if not len(places.time):
        return None
    worst = places.index_of_worst
    of_run = not places.of_run[worst]
    return Gap(*(run if of_run else golden).interval(places.time[worst]), of_run)


def _union(run: Points, golden: Points) -> np.ndarray:
    grid = np.union1d(run.time, golden.time)
    begins, ends = max(run.time[0], golden.time[0]), min(run.time[-1], golden.time[-1])
    return grid[(grid >= begins) & (grid <= ends)]


def _differences(run: Points, golden: Points) -> tuple[float, float, float]:
    """Largest, RMS and area of the difference, as of two curves that are linear between points."""
    grid = _union(run, golden)
    difference = run.at(grid) - golden.at(grid)
    size, duration = np.abs(difference), grid[-1] - grid[0]
    square = np.trapezoid(difference**2, grid) / duration if duration else size[0] ** 2
    return float(size.max()), float(np.sqrt(square)), float(np.trapezoid(size, grid))


def _span_note(run: np.ndarray, golden: np.ndarray, time_second: float) -> str:
    allowed = time_second + 1e-9 * (golden[-1] - golden[0])
    # Recorded from a time on, it begins at the first point after that.
    first_step = min(np.diff(times[:2]).sum() if times[0] > 0 else 0.0 for times in (run, golden))
    for what, mine, theirs, step in (
        ("begins", run[0], golden[0], first_step),
        ("ends", run[-1], golden[-1], 0.0),
    ):
        if abs(mine - theirs) > max(allowed, step):
            return f"it {what} at {mine:.9g} s, the golden one at {theirs:.9g} s"
    return ""


def _bound_note(bound: Bound | None, width: float, unit: str) -> str:
    if bound is None:
        return ""
    if bound.thinning > KNOWN_PART * width * (1 + 1e-9):
        what = f"is thinned to within {bound.thinning:.3g} {unit}, over a fifth of"
    elif bound.numerical is not None and bound.numerical >= width > 0:
        what = f"has a numerical error of {bound.numerical:.3g} {unit}, no less than"
    else:
        return ""
    return f"the golden trace {what} the tolerance {width:.3g} {unit}: take it anew, or allow more"


def _limit_note(tolerance: Tolerance, root_mean_square: float, area: float, unit: str) -> str:
    for what, value, limit, its in (
        ("RMS", root_mean_square, tolerance.root_mean_square, unit),
        ("area", area, tolerance.area, f"{unit}s"),
    ):
        if limit is not None and value > limit:
            return f"its difference's {what} is {value:.3g} {its}, the limit {limit:.3g} {its}"
    return ""
