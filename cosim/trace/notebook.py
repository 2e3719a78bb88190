"""A trace as a notebook shows it: what it holds as a table, signals as a figure."""

from typing import TYPE_CHECKING, Any

import numpy as np
from quantiphy import Quantity

from cosim.errors import ConfigurationError
from cosim.html import folded, heading, table
from cosim.trace.summary import summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cosim.trace.reader import Trace
    from cosim.trace.table import SignalView, Table

MOST_AXES = 8
PLOT_POINTS = 8000
SHOWN_EVENTS = 50


def trace_html(trace: "Trace") -> str:
    """Status, span, signals and events; values are not read."""
    facts = summary(trace)
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


def plot_signal(signal: "SignalView", axes: "Axes | None") -> "Axes":
    """A signal over circuit time, with those that are in the axes already."""
    from matplotlib import pyplot
    from matplotlib.ticker import EngFormatter

    if axes is None:
        axes = pyplot.subplots(layout="constrained")[1]
    axes.plot(*signal.decimated(PLOT_POINTS), label=plain(signal.name))
    axes.xaxis.set_major_formatter(EngFormatter(unit="s"))
    axes.yaxis.set_major_formatter(EngFormatter(unit=signal.unit))
    axes.set_xlabel("circuit time")
    axes.set_ylabel(plain(signal.description or signal.name))
    axes.legend()
    return axes


def plot(signals: "Table", patterns: tuple[str, ...]) -> "list[Axes]":
    """Signals over circuit time, decimated without losing peaks: one axes for each unit, with a
    common time axis, and a cursor through all of them where the figure is interactive.

    Raises:
        ConfigurationError: a pattern fits nothing, or there are too many units.
    """
    from matplotlib import pyplot
    from matplotlib.ticker import EngFormatter
    from matplotlib.widgets import MultiCursor

    by_unit: dict[str, list[str]] = {}
    for pattern in patterns or ("*",):
        names = [pattern] if pattern in signals else signals.match(pattern)
        if not names:
            raise ConfigurationError(
                f"No signal of {signals.path} fits '{pattern}'. It has "
                f"{', '.join(signals.names[:10]) or 'none'}."
            )
        for name in names:
            group = by_unit.setdefault(signals[name].unit, [])
            if name not in group:
                group.append(name)
    if len(by_unit) > MOST_AXES:
        raise ConfigurationError(f"Signals of {len(by_unit)} units are too many for one figure.")
    figure, grid = pyplot.subplots(
        len(by_unit), 1, sharex=True, squeeze=False, layout="constrained",
        figsize=(8, 1.5 + 2.2 * len(by_unit)),
    )  # fmt: skip
    axes: list[Any] = list(grid[:, 0])
    for axis, (unit, names) in zip(axes, by_unit.items(), strict=True):
        for name in names:
            axis.plot(*signals[name].decimated(PLOT_POINTS), lw=1.0, label=plain(name))
        axis.yaxis.set_major_formatter(EngFormatter(unit=unit))
        axis.grid(alpha=0.3)
        axis.legend(loc="best", fontsize="small", ncols=int(np.ceil(len(names) / 12)))
    axes[-1].xaxis.set_major_formatter(EngFormatter(unit="s"))
    axes[-1].set_xlabel("circuit time")
    figure.suptitle(plain(signals.path.name), fontsize="small")
    if figure.canvas.manager is not None and figure.canvas.required_interactive_framework:
        figure.cosim_cursor = MultiCursor(None, axes, color="gray", lw=0.7)  # type: ignore[attr-defined]
    return axes


def plain(text: str) -> str:
    """Text as it is: no formula begins at a dollar."""
    return text.replace("$", r"\$")
