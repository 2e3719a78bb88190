"""A trace as a notebook shows it: what it holds as a table, signals as a figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from quantiphy import Quantity

from cosim.errors import ConfigurationError
from cosim.html import folded, heading, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_AXES = 8
SHOWN_EVENTS = 50


class Curve(NamedTuple):
    """A signal to be drawn: times in seconds, values in its unit [points]."""

    name: str
    unit: str
    description: str
    time_second: np.ndarray
    values: np.ndarray


def trace_html(facts: dict[str, Any]) -> str:
    """Status, span, signals and events, of a `Trace.summary`."""
    status = "running, or killed" if facts["status"] == "running" else facts["status"]
    rows: list[tuple[str, str]] = [("status", f"{status} {facts['reason']}".strip())]
    if facts["members"] is not None:
        done = sum(one == "complete" for one in facts["members"])
        rows.append(("members", f"{done} of {len(facts['members'])} complete"))
    span = ""
    if facts["first_second"] is not None:
        first, last = (Quantity(facts[f"{end}_second"], "s").render() for end in ("first", "last"))
        span = f", {first} to {last}"
    rows.append(("points", f"{facts['points']:,}{span}"))
    if facts["wall_time_second"] is not None:
        rows.append(("wall time", Quantity(facts["wall_time_second"], "s").render(prec=3)))
    rows.append(("ngspice", facts["software"].get("ngspice", "unknown")))
    signals = [tuple(one.values()) for one in facts["signals"]]
    coupling = [tuple(one.values()) for one in facts["coupling"]]
    columns = ("signal", "unit", "description")
    html = heading(facts["path"], "trace") + table(("", ""), rows) + table(columns, signals)
    if coupling:
        html += folded(f"coupling ({len(coupling)})", table(columns, coupling))
    if events := facts["events"]:
        told = [tuple(one.values()) for one in events[:SHOWN_EVENTS]]
        names = ("time (s)", "member", "kind", "message")
        html += folded(f"events ({len(events)})", table(names, told))
    return html


def plot_signal(curve: Curve, axes: "Axes | None") -> "Axes":
    """A signal over circuit time, with those that are in the axes already."""
    from matplotlib import pyplot
    from matplotlib.ticker import EngFormatter

    if axes is None:
        axes = pyplot.subplots(layout="constrained")[1]
    axes.plot(curve.time_second, curve.values, label=plain(curve.name))
    axes.xaxis.set_major_formatter(EngFormatter(unit="s"))
    axes.yaxis.set_major_formatter(EngFormatter(unit=curve.unit))
    axes.set_xlabel("circuit time")
    axes.set_ylabel(plain(curve.description or curve.name))
    axes.legend()
    return axes


def plot(curves: Sequence[Curve], title: str) -> "list[Axes]":
    """Signals over circuit time: one axes for each unit, with a common time axis, and a cursor
    through all of them where the figure is interactive.

    Raises:
        ConfigurationError: there are too many units.
    """
    from matplotlib import pyplot
    from matplotlib.ticker import EngFormatter
    from matplotlib.widgets import MultiCursor

    by_unit: dict[str, list[Curve]] = {}
    for curve in curves:
        by_unit.setdefault(curve.unit, []).append(curve)
    if len(by_unit) > MOST_AXES:
        raise ConfigurationError(f"Signals of {len(by_unit)} units are too many for one figure.")
    figure, grid = pyplot.subplots(
        len(by_unit), 1, sharex=True, squeeze=False, layout="constrained",
        figsize=(8, 1.5 + 2.2 * len(by_unit)),
    )  # fmt: skip
    axes: list[Any] = list(grid[:, 0])
    for axis, (unit, group) in zip(axes, by_unit.items(), strict=True):
        for curve in group:
            axis.plot(curve.time_second, curve.values, lw=1.0, label=plain(curve.name))
        axis.yaxis.set_major_formatter(EngFormatter(unit=unit))
        axis.grid(alpha=0.3)
        axis.legend(loc="best", fontsize="small", ncols=int(np.ceil(len(group) / 12)))
    axes[-1].xaxis.set_major_formatter(EngFormatter(unit="s"))
    axes[-1].set_xlabel("circuit time")
    figure.suptitle(plain(title), fontsize="small")
    if figure.canvas.manager is not None and figure.canvas.required_interactive_framework:
        figure.cosim_cursor = MultiCursor(None, axes, color="gray", lw=0.7)  # type: ignore[attr-defined]
    return axes


def plain(text: str) -> str:
    """Text as it is: no formula begins at a dollar."""
    return text.replace("$", r"\$")
