"""`cosim characterise`: a datasheet of any circuit, with limits."""

import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import MofNCompleteColumn

from cosim.cli.app import (
    CANNOT_TELL,
    DIFFERENCES,
    WIDE,
    Debug,
    Json,
    Trust,
    app,
    console,
    error_console,
    interruptible,
    progress_bar,
)
from cosim.errors import ConfigurationError, LimitError
from cosim.terminal import Terminal

if TYPE_CHECKING:
    from cosim.characterise.datasheet.file import Datasheet
    from cosim.characterise.datasheet.judging import Result
    from cosim.characterise.datasheet.measuring import Outcome
    from cosim.characterise.datasheet.tasks import Task


@app.command()
def characterise(
    file: Annotated[
        Path, typer.Argument(help="A datasheet file (.toml); or a result (.json), to show again.")
    ],
    jobs: Annotated[int, typer.Option(help="ngspice processes.", min=1)] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Run on a Dask cluster: its scheduler, such as tcp://10.0.0.1:8786."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder (default results/runs/datasheets/NAME)."),
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(help="Only this one, may be repeated.")
    ] = None,
    typical: Annotated[bool, typer.Option("--typical", help="Typical points only.")] = False,
    monte_carlo: Annotated[
        int | None, typer.Option(help="Draws, instead of the file's.", min=0)
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Yield's interval by Clopper and Pearson.")
    ] = False,
    stop_at_failure: Annotated[
        bool, typer.Option("--stop-at-failure", help="End at the first value beyond a limit.")
    ] = False,
    repeat: Annotated[
        str | None, typer.Option(help="Run the point of this key alone, and keep its traces.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Another result (datasheet.json) to compare with.")
    ] = None,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run Python functions that the file names.")
    ] = False,
    trust: Trust = None,
    timeout: Annotated[float, typer.Option(help="Seconds for one point.", min=1)] = 300.0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure a circuit over conditions, corners and Monte Carlo draws, and judge it by limits.

    What was measured is kept: the same command goes on. Exit code 8: beyond a limit. 7: something
    could not be measured.
    """
    from cosim.characterise.datasheet.comparing import comparison_table, read_result

    if file.suffix == ".json":
        result = read_result(file)
        _show(result, as_json)
    else:
        from cosim.characterise.datasheet.circuit import fingerprints, software, trust_notes
        from cosim.characterise.datasheet.file import read_datasheet
        from cosim.characterise.datasheet.judging import result_of
        from cosim.characterise.datasheet.tasks import tasks

        started = datetime.now(UTC).isoformat(timespec="seconds")
        sheet = read_datasheet(file, allow_code=allow_code, trust=trust or ())
        if unknown := sorted(set(parameter or []) - set(sheet.parameters)):
            raise ConfigurationError(
                f"{file} has no parameter {', '.join(unknown)}. It has "
                f"{', '.join(sheet.parameters)}."
            )
        wanted = tasks(
            sheet, fingerprints(sheet), draws=monte_carlo, only_typical=typical,
            parameters=parameter or (),
        )  # fmt: skip
        folder = output or Path("results/runs/datasheets") / sheet.name
        if repeat is not None:
            _repeat(sheet, wanted, repeat, folder)
            return
        same = ["cosim", "characterise", str(file)]
        same += [] if output is None else ["--output", str(output)]
        same += [] if monte_carlo is None else ["--monte-carlo", str(monte_carlo)]
        same += ["--allow-code"] * allow_code
        same += [word for folder in trust or () for word in ("--trust", str(folder))]
        outcomes = _outcomes(
            sheet, wanted, folder, jobs=jobs, scheduler=scheduler, stop_at_failure=stop_at_failure,
            timeout_second=timeout,
        )  # fmt: skip
        result = result_of(
            sheet,
            wanted,
            outcomes,
            software=software(sheet),
            trusted=trust_notes(sheet),
            command_line=shlex.join(sys.argv),
            repeating=shlex.join([*same, "--repeat"]),
            started=started,
            interval="exact" if exact else "wilson",
        )
        _write(result, folder)
        _show(result, as_json)
        if not as_json:
            for name in ("datasheet.md", "datasheet.json", "datasheet.csv", "datasheet.xml"):
                console.print(f"written  {folder / name}", highlight=False, soft_wrap=True)
    if against is not None:
        Terminal(width=max(console.width, WIDE)).print(
            comparison_table(result, read_result(against))
        )
    _exit_by(result)


def _outcomes(
    sheet: "Datasheet", wanted: Sequence["Task"], folder: Path, **how: Any
) -> dict[str, "Outcome"]:
    from cosim.characterise.datasheet.campaign import run_tasks
    from cosim.files import make_folder

    make_folder(folder)
    with (
        interruptible("What was measured is kept; the same command goes on."),
        progress_bar(MofNCompleteColumn()) as progress,
    ):
        bar = progress.add_task(f"{sheet.name}: measure", total=len(wanted))
        known = 0

        def advance(done: int, of: int) -> None:
            nonlocal known
            progress.update(bar, advance=done - known)
            known = done

        return run_tasks(sheet, wanted, folder / "journal.jsonl", on_progress=advance, **how)


def _write(result: "Result", folder: Path) -> None:
    from cosim.characterise.datasheet.figures import draw_all
    from cosim.characterise.datasheet.text import as_csv, junit, markdown
    from cosim.files import write_text

    write_text(folder / "datasheet.json", result.model_dump_json(indent=1) + "\n")
    write_text(folder / "datasheet.md", markdown(result))
    write_text(folder / "datasheet.csv", as_csv(result))
    write_text(folder / "datasheet.xml", junit(result))
    draw_all(result, folder)


def _show(result: "Result", as_json: bool) -> None:
    from cosim.characterise.datasheet.text import (
        failing_lines,
        influence_lines,
        terminal_table,
    )

    if as_json:
        print(result.model_dump_json(indent=1))
        return
    Terminal(width=max(console.width, WIDE)).print(terminal_table(result))
    for title, lines in (
        ("beyond limits, or not known (worst first; the command repeats one alone):",
         failing_lines(result, most=3)),
        ("what moves what (share of the variance; ↓ falls with it):", influence_lines(result)),
    ):  # fmt: skip
        if lines:
            console.print(title)
        for line in lines:
            _print(f"  {line}")
    _print(
        f"{result.name}: {result.judgement}; {result.done} of {result.wanted} points, "
        f"{result.second:.3g} s of ngspice"
    )


def _repeat(sheet: "Datasheet", wanted: Sequence["Task"], key: str, folder: Path) -> None:
    from cosim.characterise.datasheet.journal import Journal
    from cosim.characterise.datasheet.repeating import find_task, repeat
    from cosim.characterise.datasheet.tasks import described
    from cosim.characterise.datasheet.text import shown
    from cosim.files import make_folder

    task = find_task(wanted, key)
    alone = (folder / task.key).resolve()
    make_folder(alone)
    with Journal.open(folder / "journal.jsonl") as journal:
        before = journal.outcomes.get(task.key)
    known = {} if before is None else before.values
    with interruptible("Nothing was written."):
        found = repeat(sheet, task, known, alone)
    _print(f"{task.bench} at {described(task.point)}")
    for name in task.parameters:
        unit = sheet.parameters[name].unit
        value: Any = found.outcome.values.get(name)
        said = found.outcome.faults.get(name) or f"{shown(value, unit)} ({value!r})"
        if name in found.differing:
            said += f", and {found.differing[name][0]!r} before"
        elif name in known:
            said += ", the same as before to the last bit"
        _print(f"  {name}: {said}")
    for path in found.files:
        _print(f"trace    {path}")
        if path.suffix == ".h5":
            _print(f"         cosim trace plot {path}")
    if found.differing:
        error_console.print(f"{len(found.differing)} values are not the same as before.")
        raise typer.Exit(DIFFERENCES)


def _print(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)


def _exit_by(result: "Result") -> None:
    from cosim.characterise.datasheet.judging import Judgement

    if result.judgement is Judgement.FAILED:
        raise typer.Exit(LimitError.exit_code)
    if result.judgement is Judgement.CANNOT_TELL:
        raise typer.Exit(CANNOT_TELL)
