"""Figures of a datasheet: each parameter over each condition, and the histogram of its draws."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cosim.characterise.datasheet.judging import ParameterResult, Result, Row
from cosim.files import replacing

BINS = 30
SIGMAS = (-3, -2, -1, 0, 1, 2, 3)


def draw_parameter(name: str, of: ParameterResult, path: Path) -> bool:
    """Draw a parameter; False where there is nothing to see.

    Limits are dashed, the worst point is marked; sigma levels are dotted.
    """
    import matplotlib.pyplot as plt

    corners = [row for row in of.rows if not row.is_draw and row.value is not None]
    draws = [row for row in of.rows if row.is_draw and row.value is not None]
    over = [
        what for what in (corners[0].point if corners else ()) if len(_levels(corners, what)) > 1
    ]
    count = len(over) + bool(draws)
    if not count:
        return False
    figure, axes = plt.subplots(
        1, count, figsize=(3.6 * count, 3.2), squeeze=False, layout="constrained"
    )
    for axis, what in zip(axes[0], over, strict=False):
        _over_condition(axis, of, corners, what)
    if draws:
        _histogram(axes[0][-1], of, draws)
    axes[0][0].set_ylabel(f"{name} ({of.unit})" if of.unit else name)
    figure.suptitle(f"{of.title}: {of.judgement}", fontsize="small")
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
    plt.close(figure)
    return True


def draw_all(result: Result, folder: Path) -> list[Path]:
    """The figures of all parameters that have one."""
    paths = [(name, one, folder / f"{name}.png") for name, one in result.parameters.items()]
    return [path for name, one, path in paths if draw_parameter(name, one, path)]


def _levels(rows: Sequence[Row], what: str) -> list[float | str]:
    levels = list(dict.fromkeys(row.point[what] for row in rows))
    return levels if any(isinstance(one, str) for one in levels) else sorted(levels)


def _over_condition(axis: object, of: ParameterResult, rows: Sequence[Row], what: str) -> None:
    """Every point over one condition, equal other conditions joined by a line."""
    from matplotlib.axes import Axes

    assert isinstance(axis, Axes)
    levels = _levels(rows, what)
    places = {level: level if isinstance(level, float) else number
              for number, level in enumerate(levels)}  # fmt: skip
    lines: dict[str, list[Row]] = {}
    for row in rows:
        others = str([value for name, value in row.point.items() if name != what])
        lines.setdefault(others, []).append(row)
    for line in lines.values():
        points = sorted((places[row.point[what]], _number(row)) for row in line)
        axis.plot(*zip(*points, strict=True), ".-", color="C0", lw=0.6, ms=3, alpha=0.6)
    if of.worst is not None and not of.worst.is_draw:
        place = places[of.worst.point[what]]
        axis.plot(place, _number(of.worst), "o", mfc="none", color="C3")
    if isinstance(levels[0], str):
        axis.set_xticks(range(len(levels)), [str(level) for level in levels], fontsize="small")
    _limit_lines(of, axis.axhline)
    axis.set_xlabel(what)
    axis.grid(alpha=0.3)


def _histogram(axis: object, of: ParameterResult, rows: Sequence[Row]) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axis, Axes) and of.draws is not None
    values = np.array([row.value for row in rows], dtype=float)
    axis.hist(values, BINS, color="C0", alpha=0.7)
    if of.draws.mean is not None and of.draws.sigma:
        for sigma in SIGMAS:
            axis.axvline(of.draws.mean + sigma * of.draws.sigma, color="0.4", ls=":", lw=0.8)
    _limit_lines(of, axis.axvline)
    axis.set_xlabel(f"{len(values)} draws; dotted: sigma")


def _number(row: Row) -> float:
    return float("nan") if row.value is None else row.value


def _limit_lines(of: ParameterResult, line: object) -> None:
    assert callable(line)
    for limit in (of.limits.minimum, of.limits.maximum):
        if limit is not None:
            line(limit.value, color="C3" if limit.severity == "fail" else "C1", ls="--", lw=1)
