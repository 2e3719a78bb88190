"""A running trace in the terminal: how far it is, and each signal's last values."""

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cosim.trace import Trace

MICRO = 1e6
LAST_POINTS = 400
WIDTH = 30
BARS = "▁▂▃▄▅▆▇█"
QUIET_SECOND = 10.0


def live_view(trace: Trace, names: list[str], quiet_second: float) -> Group:
    """The view of a trace, or of one member.

    Args:
        quiet_second: since when nothing has been recorded.
    """
    times = trace.read("time", slice(-1, None))
    reached = f"{MICRO * times[0]:.6g} us" if len(times) else "nothing yet"
    who = ""
    if trace.members is not None and trace.number is not None:
        done = sum(status == "complete" for status in trace.member_statuses)
        who = f"  member {trace.number} ({done} of {trace.members} complete)"
    lines = [
        Text.assemble(
            (str(trace.path), "bold"),
            f"{who}  {trace.status}  {trace.points:,} points, {reached}",
        )
    ]
    if trace.status == "running" and quiet_second > QUIET_SECOND:
        lines.append(Text(quiet_note(quiet_second), style="yellow"))
    table = Table(box=None, pad_edge=False)
    for title in ("signal", "last", "lowest", "highest", f"last {LAST_POINTS} points"):
        table.add_column(title, justify="left" if title == "signal" else "right")
    for name in names:
        signal = trace[name]
        values = signal[-LAST_POINTS:]
        if len(values):
            shown = [f"{value:.5g} {signal.unit}" for value in (values[-1], *_extremes(values))]
            table.add_row(name, *shown, sparkline(values))
    return Group(*lines, table)


def quiet_note(quiet_second: float) -> str:
    """What it may mean that nothing comes."""
    return (
        f"nothing for {quiet_second:.0f} s: ngspice is at a hard point, or the run was killed; "
        "Ctrl-C stops following"
    )


def _extremes(values: np.ndarray) -> tuple[float, float]:
    return float(np.nanmin(values)), float(np.nanmax(values))


def sparkline(values: np.ndarray) -> str:
    """Values as at most WIDTH bars; what is not finite is a space."""
    places = np.linspace(0, len(values) - 1, min(WIDTH, len(values))).astype(int)
    chosen = values[places]
    finite = np.isfinite(chosen)
    if not finite.any():
        return " " * len(chosen)
    lowest, highest = _extremes(chosen[finite])
    span = highest - lowest or 1.0
    return "".join(
        BARS[int((value - lowest) / span * (len(BARS) - 1))] if known else " "
        for value, known in zip(chosen, finite, strict=True)
    )
