"""`cosim compare` and `cosim golden`: a trace against a golden one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import (
    TaskProgressColumn,
)

from cosim.cli.app import (
    CANNOT_TELL,
    DIFFERENCES,
    WIDE,
    Debug,
    Json,
    app,
    console,
    error_console,
    interruptible,
    print_json,
    progress_bar,
)
from cosim.terminal import Terminal


@app.command()
def compare(
    run: Annotated[Path, typer.Argument(help="The trace to judge.")],
    golden: Annotated[Path, typer.Argument(help="The golden trace.")],
    tolerances: Annotated[
        Path | None, typer.Option(help="A TOML file (default: 0.1 % of each signal's range).")
    ] = None,
    member: Annotated[
        int | None, typer.Option(help="Of both ensembles, only this one.", min=0)
    ] = None,
    distributions: Annotated[
        bool,
        typer.Option("--distributions", help="Of noisy runs: an ensemble's final values."),
    ] = False,
    every: Annotated[
        float | None, typer.Option(help="Seconds between independent values of one noisy run.")
    ] = None,
    signals: Annotated[
        list[str] | None, typer.Option(help="Of distributions: names or patterns (default: all).")
    ] = None,
    false_alarm: Annotated[
        float, typer.Option(help="Of distributions: how often equal ones may fail.")
    ] = 0.01,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for JSON, JUnit XML and figure.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare a trace with a golden one, ensembles member by member; what is wrong is listed.

    Exit code 4: they differ. 7: it cannot be told, as one of them has no points where it matters.
    """
    from cosim.trace import Trace

    mine, theirs = Trace.open(run), Trace.open(golden)
    if distributions:
        from cosim.report.compare_figure import draw_distributions
        from cosim.trace.compare_distributions import (
            compare_distributions,
            distance_rows,
            distribution_of,
        )

        by = distribution_of(every, signals, false_alarm)
        apart = compare_distributions(mine, theirs, by)
        said = error_console if as_json else console
        said.print(
            f"{apart.samples[0]} and {apart.samples[1]} samples of {len(apart.signals)} signals; "
            f"equal distributions fail in {100 * by.false_alarm:g} % of comparisons",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        _report_comparison(apart, distance_rows(apart), draw_distributions, output, as_json)
        return
    from cosim.report.compare_figure import draw_comparison
    from cosim.trace.compare import Tolerances, comparison_rows
    from cosim.trace.compare import compare as compare_traces
    from cosim.trace.tolerances import load_tolerances

    allowed = load_tolerances(tolerances) if tolerances else Tolerances()
    if member is not None:
        mine, theirs = mine.member(member), theirs.member(member)
    found = compare_traces(mine, theirs, allowed)
    _report_comparison(found, comparison_rows(found), draw_comparison, output, as_json)


def _report_comparison(
    found: Any,
    rows: Sequence[Mapping[str, str]],
    draw: Callable[[Any, Path], None],
    output: Path | None,
    as_json: bool,
) -> None:
    """Print a comparison, write its files if wanted, and exit by its verdict."""
    from rich.table import Table

    from cosim.files import make_folder, write_text

    table = Table(box=None, pad_edge=False)
    for title in rows[0]:
        table.add_column(title)
    for row in rows:
        table.add_row(*row.values(), style=None if row[""] in ("ok", "extra") else "red")
    if as_json:
        print(found.to_json(), end="")
    else:
        Terminal(width=max(console.width, WIDE)).print(table)
    if output is not None:
        make_folder(output)
        write_text(output / "compare.json", found.to_json())
        write_text(output / "compare.xml", found.to_junit())
        draw(found, output / "compare.png")
        for name in () if as_json else ("compare.json", "compare.xml", "compare.png"):
            console.print(f"written  {output / name}", highlight=False, soft_wrap=True)
    _exit_by(found.verdict)


def _exit_by(verdict: str) -> None:
    """Only one verdict is success."""
    from cosim.trace.verdict import Verdict

    codes = {Verdict.DIFFERS: DIFFERENCES, Verdict.CANNOT_TELL: CANNOT_TELL}
    if verdict in codes:
        raise typer.Exit(codes[Verdict(verdict)])


golden_app = typer.Typer(
    help="Golden traces of every netlist in netlists/: list, check, replace.", no_args_is_help=True
)


app.add_typer(golden_app, name="golden")


GoldenNames = Annotated[list[str] | None, typer.Argument(help="Such as integrator (default: all).")]


@golden_app.command("list")
def golden_list(as_json: Json = False, debug: Debug = False) -> None:
    """Show the golden traces, and why each was taken."""
    from cosim.diffusion.golden import PROJECT_GOLDEN
    from cosim.trace import Trace
    from cosim.trace.golden import reason

    listed = []
    for path in sorted(PROJECT_GOLDEN.glob("*.h5")):
        with Trace.open(path) as golden:
            taken, why = golden.provenance.started, reason(golden)
        size_byte = path.stat().st_size
        listed.append({"name": path.stem, "taken": taken, "bytes": size_byte, "reason": why})
        if not as_json:
            size = f"{size_byte / 1024:.0f} kB"
            console.print(f"{path.stem:28} {taken[:10]} {size:>7}  {why}", soft_wrap=True)
    if as_json:
        print_json(listed)


@golden_app.command("update")
def golden_update(
    names: GoldenNames = None,
    why: Annotated[str, typer.Option(help="The reason, which the golden trace will hold.")] = "",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Simulate netlists anew and take the results for golden."""
    from cosim.diffusion.golden import PROJECT_GOLDEN, take_golden

    taken = {}
    for name, scratch in _each_golden(names or []):
        taken[name] = str(take_golden(name, PROJECT_GOLDEN, why, scratch))
        if not as_json:
            console.print(f"golden   {taken[name]}", highlight=False, soft_wrap=True)
    if as_json:
        print_json(taken)


@golden_app.command("check")
def golden_check(names: GoldenNames = None, as_json: Json = False, debug: Debug = False) -> None:
    """Simulate netlists anew and compare with the golden traces.

    Where that cannot tell, a netlist is run again with points where the golden trace has its own.
    Exit code 4: they differ. 7: it cannot be told.
    """
    from cosim.diffusion.golden import PROJECT_GOLDEN, judge
    from cosim.trace.compare import Verdict, failing_rows

    verdicts, failing = {}, {}
    for name, scratch in _each_golden(names or []):
        verdicts[name], rows = judge(name, PROJECT_GOLDEN, scratch)
        failing[name] = failing_rows(rows)
        if as_json:
            continue
        console.print(f"{name:28} {verdicts[name]}", highlight=False)
        for row in failing[name]:
            console.print("  " + "  ".join(row.values()), highlight=False, soft_wrap=True)
    verdict = Verdict.of(list(verdicts.values()))
    if as_json:
        each = {
            name: {
                "verdict": one,
                "failing": [
                    {title or "verdict": cell for title, cell in row.items()}
                    for row in failing[name]
                ],
            }
            for name, one in verdicts.items()
        }
        print_json({"verdict": verdict, "netlists": each})
    _exit_by(verdict)


def _each_golden(names: list[str]) -> Iterator[tuple[str, Path]]:
    """Names, and a folder for the runs."""
    import tempfile

    from cosim.diffusion.golden import golden_names

    chosen = names or golden_names()
    with (
        interruptible("Golden traces that were not reached are as they were."),
        progress_bar(TaskProgressColumn()) as progress,
        tempfile.TemporaryDirectory() as folder,
    ):
        for name in progress.track(chosen, description="golden"):
            yield name, Path(folder)
