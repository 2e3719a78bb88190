"""`cosim report`: one page of runs and datasheets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.app import Debug, app, console, interruptible
from cosim.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np

    from cosim.report.page.content import View
    from cosim.trace import Trace

MOST_FAILURES = 200
"""Of a parameter, on the page."""


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Traces (.h5), and results of datasheets (.json).")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page, an .html file.")] = Path(
        "report.html"
    ),
    golden: Annotated[
        Path | None, typer.Option(help="A golden trace to hold each trace against.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Make one self-contained HTML page: verdicts, waveforms to zoom into, what was run."""
    from cosim.report.page.build import BUDGET_BYTE, write_page

    if output.suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"The page {output} is HTML: end its name in .html.")
    budget = BUDGET_BYTE // len(runs)
    with interruptible(f"{output} is as it was."):
        views = [
            _datasheet(run) if run.suffix == ".json" else _trace(run, golden, budget)
            for run in runs
        ]
        write_page(views, ", ".join(view.title for view in views)[:120], output)
    console.print(f"page     {output}", highlight=False, soft_wrap=True)


def _trace(path: Path, golden: Path | None, budget: int) -> "View":
    from cosim.report.page.content import view_of
    from cosim.trace import Trace
    from cosim.trace.compare import compare

    with Trace.open(path) as trace:
        if golden is None:
            return view_of(trace, budget, divergence=_divergence)
        with Trace.open(golden) as theirs:
            return view_of(trace, budget, compare(trace, theirs), _divergence)


def _divergence(trace: "Trace", instants: "np.ndarray") -> "list[float] | None":
    """Of an ensemble of the diffusion solver."""
    from cosim.diffusion.divergence import kl_over_time

    return kl_over_time(trace, instants)


def _datasheet(path: Path) -> "View":
    """The result of a datasheet, with the figures beside it."""
    import base64

    from cosim.characterise.datasheet.comparing import read_result
    from cosim.characterise.datasheet.judging import Judgement
    from cosim.characterise.datasheet.text import (
        COLUMNS,
        failing_lines,
        influence_lines,
        summary_rows,
    )
    from cosim.report.page.content import BAD, DOUBTFUL, GOOD, Section, View

    result = read_result(path)
    figures = [path.parent / f"{name}.png" for name in result.parameters]
    images = [
        f"data:image/png;base64,{base64.b64encode(figure.read_bytes()).decode()}"
        for figure in figures
        if figure.is_file()
    ]
    tones = {
        Judgement.PASSED: GOOD,
        Judgement.WARNED: DOUBTFUL,
        Judgement.CANNOT_TELL: DOUBTFUL,
        Judgement.FAILED: BAD,
    }
    failing, moved = failing_lines(result, MOST_FAILURES), influence_lines(result)
    count = sum(len(one.failing) for one in result.parameters.values())
    sections = [
        Section("Datasheet", [*COLUMNS[:-1], "verdict"], summary_rows(result)),
        Section(
            f"Beyond limits, or not known ({count})",
            ("what, and the command that repeats it",),
            [(one,) for one in failing],
        ),
        Section(
            "What moves what", ("share of the variance",), [(one,) for one in moved], images=images
        ),
    ]
    return View(
        title=result.title,
        tone=tones[result.judgement],
        verdict=str(result.judgement),
        facts=[
            ("file", path),
            ("started", result.started),
            ("command", result.command_line),
            ("points", f"{result.done} of {result.wanted}"),
            ("process", result.process),
            *result.conditions.items(),
            ("software", ", ".join(f"{name} {one}" for name, one in result.software.items())),
        ],
        sections=[section for section in sections if section.rows],
    )
