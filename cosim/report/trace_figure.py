"""Figure of a trace: its signals over circuit time, one axes for each block and unit."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from cosim.errors import ConfigurationError
from cosim.report.figures import MICRO, save_figure
from cosim.trace import Trace

MOST_AXES = 16
LEGEND_LINES = 10
POINTS = 4000
"""Of a curve as drawn: peaks are kept."""


def draw_trace(members: Sequence[Trace], names: Sequence[str], path: Path) -> None:
    """Draw signals of a run, or of members of an ensemble over each other.

    Raises:
        ConfigurationError: too many to be seen, or a file type that cannot be drawn.
        TraceError: the trace is damaged.
    """
    trace, thin = members[0], len(members) > 1
    panels: dict[tuple[str, str], list[str]] = {}
    for name in names:
        block, _, node = name.partition(".")
        kind = block.rstrip("0123456789_") if node else ""
        panels.setdefault((kind, trace[name].unit), []).append(name)
    if len(panels) > MOST_AXES:
        raise ConfigurationError(
            f"{len(names)} signals of {len(panels)} kinds of blocks cannot be seen in one figure. "
            "Choose some with --signals, such as 'integrator_*.out'."
        )
    figure, axes = plt.subplots(
        len(panels), 1, sharex=True, squeeze=False, figsize=(10, 1.2 + 2.2 * len(panels)),
        layout="constrained",
    )  # fmt: skip
    for axis, ((_, unit), group) in zip(axes[:, 0], panels.items(), strict=True):
        for number, name in enumerate(group):
            for member in members:
                time_second, values = member.decimated(name, POINTS)
                axis.plot(
                    MICRO * time_second, values, color=f"C{number % 10}", lw=0.5 if thin else 0.9,
                    alpha=0.6 if thin else 1, label=name if member is trace else None,
                )  # fmt: skip
        axis.set_ylabel(unit)
        axis.grid(alpha=0.3)
        axis.legend(
            fontsize="x-small" if len(group) <= LEGEND_LINES else 5, loc="upper left",
            bbox_to_anchor=(1.0, 1.0), ncols=math.ceil(len(group) / LEGEND_LINES),
        )  # fmt: skip
    axes[-1, 0].set_xlabel("circuit time (us)")
    what = f"{len(members)} members" if thin else trace.status
    figure.suptitle(f"{trace.path.name}: {what}", fontsize="small")
    try:
        save_figure(figure, path)
    except ValueError:  # matplotlib's, of the ending
        raise ConfigurationError(
            f"{path} cannot be drawn: end its name in .png, .svg or .pdf."
        ) from None
