"""Compare a trace with a golden one, signal by signal, on the union of their time grids.

A value passes while it lies in the band around the golden curve:

    lowest golden value within +-time_second   -  (absolute + relative * golden range) - grid
    highest golden value within +-time_second  +  (absolute + relative * golden range) + grid

Both curves are linear between their points, as fits ngspice's trapezoidal rule (order 2). `grid` is
what that costs where only one of them has a point: h^2/8 times the golden curve's second
derivative. So another choice of time steps alone is no difference, and where both have a point
nothing is given away.
Source: de Boor, A Practical Guide to Splines, chapter III (error of linear interpolation).
"""

import fnmatch
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cosim.errors import ConfigurationError, TraceError
from cosim.files import read_toml
from cosim.trace.reader import Table

ROUNDING = 1e-12
"""Of a curve's largest value: what is no difference between two machines."""


class Tolerance(BaseModel):
    """What a signal may differ by.

    Attributes:
        absolute: in the signal's unit.
        relative: of the golden signal's range.
        time_second: by which an edge may be early or late.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    absolute: float = Field(1e-6, ge=0)
    relative: float = Field(1e-3, ge=0)
    time_second: float = Field(0.0, ge=0)


class Tolerances(Tolerance):
    """Defaults, what differs for signals by pattern, and names that were changed.

    Attributes:
        signals: by name or pattern (`integrator_*.out`); the last one that fits counts.
        rename: the golden trace's name of a signal, by its name in the run.
        ignore: patterns of signals that are not compared.
    """

    signals: dict[str, Tolerance] = {}
    rename: dict[str, str] = {}
    ignore: tuple[str, ...] = ()

    def of(self, name: str) -> Tolerance:
        """The tolerance of a signal."""
        chosen: Tolerance = self
        for pattern, tolerance in self.signals.items():
            if fnmatch.fnmatchcase(name, pattern):
                chosen = tolerance
        return chosen


def load_tolerances(path: Path) -> Tolerances:
    """Read a tolerances file.

    Raises:
        ConfigurationError: it cannot be read, is not TOML, or a key is wrong.
    """
    try:
        return Tolerances.model_validate(read_toml(path))
    except ValidationError as error:
        raise ConfigurationError(
            f"{path} holds no tolerances: {faults_of(error)}. Known are absolute, relative, "
            "time_second, the tables [signals.'PATTERN'] and [rename]; ignore lists patterns."
        ) from None


def faults_of(error: ValidationError) -> str:
    """Keys and what is wrong with them."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
    )


@dataclass(frozen=True)
class Violation:
    """A point outside the band."""

    time_second: float
    value: float
    limit: float
    """The nearer border of the band."""

    @property
    def excess(self) -> float:
        """By how much."""
        return abs(self.value - self.limit)


@dataclass(frozen=True)
class Curves:
    """What a figure shows: on the union grid [n], run, golden, and the band."""

    time_second: np.ndarray
    run: np.ndarray
    golden: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


@dataclass(frozen=True)
class SignalComparison:
    """One signal.

    Attributes:
        largest, root_mean_square: of the difference, over time.
        area: integral of the absolute difference over time.
        first, worst: violations; None if it passes.
        note: why it fails other than by its values; empty if it does not.
    """

    name: str
    unit: str
    largest: float
    root_mean_square: float
    area: float
    first: Violation | None
    worst: Violation | None
    note: str = ""
    curves: Curves | None = field(default=None, repr=False, compare=False)

    @property
    def passes(self) -> bool:
        """Whether it is within its tolerance throughout."""
        return self.worst is None and not self.note


@dataclass(frozen=True)
class Comparison:
    """Two traces.

    Attributes:
        signals: those that both have.
        missing, extra: names that only the golden trace or only the run has.
    """

    run: str
    golden: str
    signals: list[SignalComparison]
    missing: list[str]
    extra: list[str]

    @property
    def passes(self) -> bool:
        """Whether the run is as good as the golden one; extra signals are no fault."""
        return not self.missing and all(signal.passes for signal in self.signals)

    def to_json(self) -> str:
        """All but the curves."""
        signals = [
            {key: value for key, value in asdict(signal).items() if key != "curves"}
            | {"passes": signal.passes}
            for signal in (_without_curves(signal) for signal in self.signals)
        ]
        content = {
            "run": self.run, "golden": self.golden, "passes": self.passes,
            "missing": self.missing, "extra": self.extra, "signals": signals,
        }  # fmt: skip
        return json.dumps(content, indent=2) + "\n"

    def to_junit(self) -> str:
        """JUnit XML: a test case for each signal."""
        cases = [(signal.name, _said(signal)) for signal in self.signals]
        cases += [(name, MISSING) for name in self.missing]
        return junit(self.run, self.golden, cases)


MISSING = "The run does not have it."


def junit(run: str, golden: str, cases: Sequence[tuple[str, str]]) -> str:
    """JUnit XML of a comparison's cases: name, and what failed (empty if it passes)."""
    suite = ElementTree.Element(
        "testsuite", name=f"compare {run}", tests=str(len(cases)),
        failures=str(sum(bool(said) for _, said in cases)),
    )  # fmt: skip
    for name, said in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=golden, name=name)
        if said:
            ElementTree.SubElement(case, "failure", message=said)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _without_curves(signal: SignalComparison) -> SignalComparison:
    values = {name: getattr(signal, name) for name in signal.__dataclass_fields__}
    return SignalComparison(**values | {"curves": None})


def _said(signal: SignalComparison) -> str:
    if signal.note or signal.worst is None or signal.first is None:
        return signal.note
    return (
        f"first at {signal.first.time_second:.9g} s; worst at {signal.worst.time_second:.9g} s: "
        f"{signal.worst.value:.9g} {signal.unit}, limit {signal.worst.limit:.9g}"
    )


def compare(run: Table, golden: Table, tolerances: Tolerances) -> Comparison:
    """Compare two traces, each of one run or one member.

    Raises:
        TraceError: a trace has no points, or a value that is not finite.
    """
    for trace in (run, golden):
        if not trace.points:
            raise TraceError(f"{trace.path} holds no points, so that nothing can be compared.")

    def compared(name: str) -> bool:
        return not any(fnmatch.fnmatchcase(name, pattern) for pattern in tolerances.ignore)

    named = {tolerances.rename.get(name, name): name for name in run.names}
    wanted = [name for name in golden.names if compared(name)]
    signals = [
        compare_curves(
            name,
            golden[name].unit,
            (run.time_second, _finite(run, named[name])),
            (golden.time_second, _finite(golden, name)),
            tolerances.of(name),
        )
        for name in wanted
        if name in named
    ]
    return Comparison(
        str(run.path),
        str(golden.path),
        signals,
        missing=[name for name in wanted if name not in named],
        extra=[name for new, name in named.items() if new not in golden.names and compared(name)],
    )


def _finite(table: Table, name: str) -> np.ndarray:
    values = table[name].values
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise TraceError(
            f"{table.path}: signal '{name}' is {values[wrong[0]]} at t = "
            f"{table.time_second[wrong[0]]:.9g} s, which cannot be compared. Look for what made "
            "it, or leave the signal out (`ignore` in the tolerances)."
        )
    return values


Points = tuple[np.ndarray, np.ndarray]
"""Times [n], which do not go back, and values [n]."""


def compare_curves(
    name: str, unit: str, run: Points, golden: Points, tolerance: Tolerance
) -> SignalComparison:
    """Compare one signal."""
    begins = max(run[0][0], golden[0][0])
    ends = min(run[0][-1], golden[0][-1])
    note = _span_note(run[0], golden[0], tolerance.time_second)
    if ends < begins:
        return SignalComparison(name, unit, math.nan, math.nan, math.nan, None, None, note)
    grid = np.union1d(run[0], golden[0])
    grid = grid[(grid >= begins) & (grid <= ends)]
    mine, theirs = (_at(grid, *points) for points in (run, golden))
    lowest, highest = _extremes(grid, golden, tolerance.time_second)
    scale = max(float(np.abs(golden[1]).max()), float(np.abs(mine).max()))
    width = (
        tolerance.absolute
        + tolerance.relative * float(np.ptp(golden[1]))
        + _grid_error(grid, run[0], golden)
        + ROUNDING * scale
    )
    curves = Curves(grid, mine, theirs, lowest - width, highest + width)
    excess = np.maximum(mine - curves.highest, curves.lowest - mine)
    outside = np.flatnonzero(excess > 0)
    difference = mine - theirs
    duration = grid[-1] - grid[0]
    square = np.trapezoid(difference**2, grid) / duration if duration else difference[0] ** 2
    return SignalComparison(
        name,
        unit,
        float(np.abs(difference).max()),
        float(np.sqrt(square)),
        float(np.trapezoid(np.abs(difference), grid)),
        _violation(curves, int(outside[0])) if len(outside) else None,
        _violation(curves, int(np.argmax(excess))) if len(outside) else None,
        note,
        curves,
    )


def _span_note(run: np.ndarray, golden: np.ndarray, time_second: float) -> str:
    allowed = time_second + 1e-9 * (golden[-1] - golden[0])
    for what, mine, theirs in (("begins", run[0], golden[0]), ("ends", run[-1], golden[-1])):
        if abs(mine - theirs) > allowed:
            return f"it {what} at {mine:.9g} s, the golden one at {theirs:.9g} s"
    return ""


def _at(grid: np.ndarray, time: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.interp(grid, time, values)


def _violation(curves: Curves, index: int) -> Violation:
    value = float(curves.run[index])
    above = value > curves.highest[index]
    limit = float((curves.highest if above else curves.lowest)[index])
    return Violation(float(curves.time_second[index]), value, limit)


def _extremes(
    grid: np.ndarray, golden: Points, time_second: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest golden value within +-time_second of each time."""
    here = _at(grid, *golden)
    if not time_second:
        return here, here
    early, late = (_at(grid + shift, *golden) for shift in (-time_second, time_second))
    lowest, highest = np.minimum(early, late), np.maximum(early, late)
    first = np.searchsorted(golden[0], grid - time_second, side="left")
    last = np.searchsorted(golden[0], grid + time_second, side="right")
    inside = last > first
    for extreme, result in ((np.minimum, lowest), (np.maximum, highest)):
        found = _extremes_of_runs(golden[1], first[inside], last[inside], extreme)
        result[inside] = extreme(result[inside], found)
    return lowest, highest


def _extremes_of_runs(
    values: np.ndarray, first: np.ndarray, last: np.ndarray, extreme: np.ufunc
) -> np.ndarray:
    """Extreme of values[first:last] for each pair, of runs that are not empty.

    By a table of the extremes of all runs of 1, 2, 4, ... values, of which two cover any run.
    """
    level = np.log2(np.maximum(last - first, 1)).astype(int)
    row, found = values, np.empty(len(first))
    for number in range(int(level.max(initial=-1)) + 1):
        if number:
            half = 2 ** (number - 1)
            row = extreme(row[:-half], row[half:])
        chosen = level == number
        found[chosen] = extreme(row[first[chosen]], row[last[chosen] - 2**number])
    return found


def _grid_error(grid: np.ndarray, run_time: np.ndarray, golden: Points) -> np.ndarray:
    """Largest error of linear interpolation at each time where only one curve has a point."""
    time, values = golden
    distinct = np.concatenate([[True], np.diff(time) > 0])
    time, values = time[distinct], values[distinct]
    if len(time) < 3:
        return np.zeros(len(grid))
    slopes = np.diff(values) / np.diff(time)
    bends = np.abs(np.diff(slopes)) / ((time[2:] - time[:-2]) / 2)
    at_points = np.concatenate([[bends[0]], bends, [bends[-1]]])
    error = np.zeros(len(grid))
    for own_time in (run_time, time):
        begins, ends = _interval(grid, own_time)
        # The bends at the points around the interval count too: between points none is known.
        first = np.maximum(np.searchsorted(time, begins, side="right") - 2, 0)
        last = np.minimum(np.searchsorted(time, ends, side="left") + 2, len(time))
        bend = _extremes_of_runs(at_points, first, last, np.maximum)
        error += bend * (ends - begins) ** 2 / 8
    return error


def _interval(grid: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Begin and end of the interval that a time lies inside of; at a point that time twice."""
    after = np.searchsorted(time, grid, side="left")
    inside = (after > 0) & (after < len(time))
    inside[inside] &= time[after[inside]] != grid[inside]
    begins, ends = grid.copy(), grid.copy()
    begins[inside], ends[inside] = time[after[inside] - 1], time[after[inside]]
    return begins, ends


def comparison_rows(comparison: Comparison) -> list[Mapping[str, str]]:
    """The table's rows: worst first, then what passes, then what only one of the traces has."""
    ordered = sorted(
        comparison.signals,
        key=lambda signal: (signal.passes, -(signal.worst.excess if signal.worst else 0.0)),
    )
    rows: list[Mapping[str, str]] = [
        {
            "signal": signal.name,
            "": "ok" if signal.passes else "differs",
            "largest": f"{signal.largest:.3g} {signal.unit}",
            "rms": f"{signal.root_mean_square:.3g} {signal.unit}",
            "area": f"{signal.area:.3g} {signal.unit}s",
            "first, worst violation": _said(signal),
        }
        for signal in ordered
    ]
    rows += [{"signal": name, "": "missing"} for name in comparison.missing]
    rows += [{"signal": name, "": "extra"} for name in comparison.extra]
    return rows
