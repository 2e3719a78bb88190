"""Figures of a run: each function draws what it is given and writes one PNG."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from cosim.files import replacing
from cosim.report.solve import Solve

mpl.use("Agg")
import matplotlib.pyplot as plt

plt.rcParams["text.parse_math"] = False  # names and paths are no formulas

MICRO = 1e6
_CIRCUIT, _REFERENCE = "tab:blue", "black"


def draw_solve(solve: Solve, title: str, path: Path) -> None:
    """States over circuit time with the reference, path in the phase plane, and the error."""
    figure, axes = plt.subplot_mosaic(
        [["states", "plane"], ["error", "plane"]],
        figsize=(11, 5.5),
        height_ratios=[2, 1],
        width_ratios=[1.25, 1],
        layout="constrained",
    )
    time_us = solve.time_second * MICRO
    for index, colour in enumerate(("tab:blue", "tab:orange")[: solve.state.shape[1]]):
        label = f"x{index + 1}"
        axes["states"].plot(time_us, solve.state[:, index], color=colour, label=f"{label} circuit")
        axes["states"].plot(
            time_us, solve.reference[:, index], "--", color=_REFERENCE, lw=0.9,
            label="float64 reference" if index == 0 else None,
        )  # fmt: skip
        axes["error"].plot(time_us, 1e3 * solve.error[:, index], color=colour, label=label)
    for name in ("states", "error"):
        axes[name].axvspan(0, solve.precharge_second * MICRO, color="0.9", lw=0)
        axes[name].set_xlim(time_us[0], time_us[-1])
        axes[name].grid(alpha=0.3)
    axes["states"].set_ylabel("state (units of x)")
    axes["states"].tick_params(labelbottom=False)
    axes["states"].legend(fontsize="small")
    axes["error"].set_ylabel("circuit - reference\n(0.001 units)")
    axes["error"].set_xlabel("circuit time (us); precharge shaded")
    plane = axes["plane"]
    running = solve.running
    plane.plot(
        *solve.reference[running].T[:2], "--", color=_REFERENCE, lw=0.9, zorder=3, label="reference"
    )
    plane.plot(*solve.state[running].T[:2], color=_CIRCUIT, label="circuit")
    plane.plot(*solve.state[running][0][:2], "o", mfc="white", color=_CIRCUIT, label="tau = 0")
    plane.plot(*solve.state[running][-1][:2], "o", color=_CIRCUIT, label="tau = 1: the sample")
    plane.set_xlabel("x1")
    plane.set_ylabel("x2")
    plane.set_aspect("equal", adjustable="datalim")
    plane.grid(alpha=0.3)
    plane.legend(fontsize="small")
    figure.suptitle(f"{title}: max error {100 * solve.relative_error:.3g} % of range")
    save_figure(figure, path)


def draw_cloud(
    panels: Sequence[tuple[str, np.ndarray]], true_points: np.ndarray, limit: float, path: Path
) -> None:
    """Generated points [n, 2], a panel each, over draws from the true distribution."""
    figure, axes = plt.subplots(
        1, len(panels), figsize=(5 * len(panels), 5.2), layout="constrained", squeeze=False
    )
    for axis, (title, points) in zip(axes[0], panels, strict=True):
        draw_points(axis, points, true_points, limit)
        outside = int((np.abs(points) > limit).any(axis=1).sum())
        axis.set_title(title + (f"; {outside} outside the window" if outside else ""))
        axis.set(xlabel="x1", ylabel="x2")
        axis.legend(loc="upper right", fontsize="small")
    save_figure(figure, path)


def draw_points(axis: Axes, points: np.ndarray, true_points: np.ndarray, limit: float) -> None:
    """Generated points [n, 2] over draws from the true distribution, within +-limit."""
    axis.plot(*true_points.T, ".", color="0.8", ms=2, label="true distribution", zorder=0)
    size = 5 if len(points) <= 200 else 2.5
    axis.plot(*points.T, ".", color=_CIRCUIT, ms=size, label=f"{len(points)} samples")
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit))
    axis.set_aspect("equal")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all, and close it."""
    _write_ticks_plainly(figure)
    # Rendered beside its place and renamed: an interrupted run leaves no half-written picture.
    with replacing(path) as partial:
        figure.savefig(partial, dpi=130, format=path.suffix.removeprefix(".") or "png")
        plt.close(figure)


def _write_ticks_plainly(figure: Figure) -> None:
    """Logarithmic axes label their ticks by formulas, which are no longer read as such."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                low, high = sorted(axis.get_view_interval())
                if high < 100 * low:
                    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter(StrMethodFormatter("{x:g}"))
                axis.set_minor_formatter(NullFormatter())
