"""Progress of a simulation where somebody sees it: a terminal, or a notebook."""

from collections.abc import Iterator
from contextlib import contextmanager

from cosim.simulation.recording import Progress, unheard


@contextmanager
def shown(wanted: bool, title: str) -> Iterator[Progress]:
    """What to call with the fraction done; shows a bar with the time left, gone when it is done.

    Until the first point the bar has no length: ngspice looks for the operating point, and cannot
    say how far it is.
    """
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from cosim.terminal import Terminal

    console = Terminal(stderr=True)
    if not wanted or not (console.is_terminal or console.is_jupyter):
        yield unheard
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[doing]}"),
        TextColumn("ETA"), TimeRemainingColumn(),
    )  # fmt: skip
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task(title, total=None, doing="operating point")

        def progress(fraction: float, doing: str) -> None:
            if fraction > 0:
                bars.update(task, total=1.0, completed=fraction, doing=doing)

        yield progress
