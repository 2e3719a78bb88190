"""Progress of a simulation where somebody sees it: a terminal, or a notebook."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from time import monotonic

from cosim.simulation.recording import Progress, unheard

REDRAW_SECOND = 0.2


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
    if console.is_jupyter:  # where rich's bars need ipywidgets, which a notebook may lack
        with _shown_in_notebook(title) as progress:
            yield progress
        return
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(),
        TextColumn("{task.fields[doing]}"),
        TextColumn("ETA"), TimeRemainingColumn(),
    )  # fmt: skip
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task(title, total=None, doing="operating point")

        def progress(fraction: float, doing: str) -> None:
            if fraction > 0:
                bars.update(task, total=1.0, completed=fraction, doing=doing)

        yield progress


@contextmanager
def _shown_in_notebook(title: str) -> Iterator[Progress]:
    from IPython.display import HTML, display

    start = last = monotonic()
    line = display(HTML(f"{escape(title)}: operating point"), display_id=True)

    def progress(fraction: float, doing: str) -> None:
        nonlocal last
        now = monotonic()
        if fraction > 0 and now - last > REDRAW_SECOND:
            last, left_second = now, (now - start) * (1 - fraction) / fraction
            line.update(
                HTML(
                    f"{escape(title)} <progress value={fraction:.3f}></progress> {escape(doing)}, "
                    f"{left_second:.0f} s left"
                )
            )

    try:
        yield progress
    finally:
        line.update(HTML(""))
