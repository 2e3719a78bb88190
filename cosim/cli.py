"""The command `cosim`. Heavy imports wait inside the commands, so that `--help` is instant."""

import math
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cosim.circuits.fidelity import Fidelity
from cosim.errors import ConfigurationError, CosimError

app = typer.Typer(
    name="cosim",
    help="Co-simulate analog in-memory neural solvers: ngspice in lockstep with torch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
error_console = Console(stderr=True, soft_wrap=True)
INTERRUPTED = 130
FINDINGS, DIFFERENCES = 3, 4
WIDE = 200
HARDWARE_WEIGHT_LIMIT, HARDWARE_READ_NOISE = 1.5, 0.05

Fidelities = Annotated[
    list[str] | None,
    typer.Option(
        help="block=level, may be repeated: opamp, switch, multiplier, transimpedance, relu, cell, "
        "reference, dac or all (but dac); ideal, macro or transistor."
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def main() -> None:
    """Entry point: a user's error is one paragraph and an exit code, never a traceback."""
    try:
        app()
    except CosimError as error:
        if "--debug" in sys.argv:
            raise
        error_console.print(f"[bold red]Error:[/] {escape(str(error))}", highlight=False)
        sys.exit(error.exit_code)


@contextmanager
def _interruptible(what_is_kept: str) -> Iterator[None]:
    """Ctrl-C ends a command with one line and the shell's exit code for it."""
    try:
        yield
    except KeyboardInterrupt:
        error_console.print(f"[bold yellow]Interrupted.[/] {escape(what_is_kept)}")
        raise typer.Exit(INTERRUPTED) from None


def _progress(*columns: Any) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=error_console,
    )


def _nested(option: str, pairs: list[str]) -> dict[str, str]:
    """`block=level` pairs as a dictionary."""
    values = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise ConfigurationError(
                f"{option} needs block=level, such as opamp=transistor, but is '{pair}'."
            )
        values[key] = value
    return values


@app.command()
def run(
    target: Annotated[str, typer.Argument(help="A task (circle) or a run file (my_run.toml).")],
    samples: Annotated[
        int | None, typer.Option(help="Initial conditions to solve from (default 1).")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="ngspice processes (default 1).")] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Run on a Dask cluster: its scheduler, such as tcp://10.0.0.1:8786."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the initial conditions.")] = None,
    score: Annotated[
        str | None, typer.Option(help="Where the score is computed: torch, analog or split.")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Coupling: explicit, extrapolated or linearised.")
    ] = None,
    step: Annotated[
        float | None, typer.Option(help="Largest time step in seconds (default 50e-9).")
    ] = None,
    exchange: Annotated[
        str | None,
        typer.Option(help="Score in the ngspice process, or through a file: process or file."),
    ] = None,
    fidelity: Fidelities = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder (default results/runs/NAME).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing run.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted or failed run.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Train if needed, generate the netlist, simulate, record the trace and draw it."""
    from cosim.config import merge, parse, run_values
    from cosim.run import Run, default_output
    from cosim.score.store import model_folder, weights_path

    path = Path(target)
    if path.suffix == ".toml":
        values, where = run_values(path), f"The run file {path}"
    else:
        values, where = {"name": path.stem, "task": target}, "The command line"
    given: dict[str, Any] = {
        "score": score,
        "coupling": {"scheme": scheme, "step_second": step, "exchange": exchange},
        "fidelity": _nested("--fidelity", fidelity or []),
        "ensemble": {"samples": samples, "seed": seed},
        "engine": {"jobs": jobs, "scheduler": scheduler},
    }
    job = Run(parse(merge(values, _without_none(given)), where))
    config = job.config
    with _interruptible(
        "The trace holds what was recorded, and opens as usual; --resume goes on with it."
    ):
        if not weights_path(job.task.name, model_folder(job.task)).exists():
            _train_with_progress(config.task, seed=0, folder=None)
        if config.coupling.exchange == "file":
            _announce_exchange(output or default_output(config))
        with _progress(TaskProgressColumn()) as progress:
            bar = progress.add_task(f"{config.name}: simulate", total=1.0)
            outcome = job.execute(
                output,
                overwrite=force,
                resume=resume,
                on_progress=lambda fraction, doing: progress.update(
                    bar, completed=fraction, description=f"{config.name}: {doing}"
                ),
            )
    for line in outcome.lines:
        console.print(escape(line), highlight=False, soft_wrap=True)


def _announce_exchange(folder: Path) -> None:
    """Say how to start what the run will wait for."""
    console.print(
        f"waits    for a server of the score: start `cosim serve {shlex.quote(str(folder))}`, or "
        "another by the README",
        highlight=False, soft_wrap=True, markup=False,
    )  # fmt: skip


@app.command()
def serve(
    folder: Annotated[Path, typer.Argument(help="Output folder of `cosim run --exchange file`.")],
    timeout: Annotated[
        float, typer.Option(help="Longest silence of the simulation, in seconds.", min=0.0)
    ] = 120.0,
    debug: Debug = False,
) -> None:
    """Serve the score of a run that exchanges through a file, until it ends."""
    from cosim.engine.exchange_server import await_request
    from cosim.engine.exchange_server import serve as serve_block
    from cosim.run import served_block

    with _interruptible("The simulation that was served will say so."):
        request = await_request(folder, timeout)
        done = serve_block(request, served_block(folder), timeout)
    console.print(
        f"served   {done.answers} answers; the run is {done.status}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    kept = {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }
    return {key: value for key, value in kept.items() if value != {}}


def _train_with_progress(
    task: str,
    seed: int,
    folder: Path | None,
    data: Path | None = None,
    hardware: bool = False,
) -> Path:
    """Train and store a task's model; the folder it is in."""
    import torch

    from cosim.score.store import PROJECT_MODELS, model_folder, save_model
    from cosim.score.tasks import get_task
    from cosim.score.training import evaluate
    from cosim.score.training import train as train_model

    definition = get_task(task)
    if data is not None and task != "letters":
        raise ConfigurationError(f"--data is of the task 'letters'; '{task}' has data of its own.")
    if definition.images and folder is not None:
        raise ConfigurationError(
            f"The model of '{task}' belongs with the images' codec in {PROJECT_MODELS}: leave "
            "--output out."
        )
    curve = None
    if hardware:
        from cosim.experiments.calibration import measured_activation

        aware = replace(
            definition.recipe, weight_limit=HARDWARE_WEIGHT_LIMIT, read_noise=HARDWARE_READ_NOISE
        )
        definition, curve = replace(definition, recipe=aware), measured_activation()
    # The layers are too small for threads to pay; one is also what makes the sums repeatable.
    torch.set_num_threads(1)
    with _progress(TextColumn("loss {task.fields[loss]:.3f}")) as progress:
        if definition.images:
            _train_codec(task, seed, data, progress)
        bar = progress.add_task(f"{task}: train", total=None, loss=float("nan"))
        trained = train_model(
            definition,
            seed,
            lambda step, steps, loss: progress.update(bar, completed=step, total=steps, loss=loss),
            activation_curve=curve,
        )
    folder = folder or model_folder(definition)
    card = save_model(
        definition, trained.network, seed, evaluate(definition, trained, seed), folder
    )
    for name, value in card.metrics.items():
        console.print(f"{name:26} {value:.4g}", highlight=False)
    return folder


@app.command()
def train(
    task: Annotated[str, typer.Argument(help="The task to train a score model for, e.g. circle.")],
    seed: Annotated[int, typer.Option(help="Seed of weights, data and noise.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder (default models/).")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="letters: folder of EMNIST's IDX files (default: letters drawn here)."),
    ] = None,
    hardware: Annotated[
        bool,
        typer.Option(
            "--hardware", help="Aware of clipped weights, read noise and the measured ReLU."
        ),
    ] = False,
    debug: Debug = False,
) -> None:
    """Train the score model of a task and store it with its card."""
    with _interruptible("The model in the folder is as it was."):
        folder = _train_with_progress(task, seed, output, data, hardware)
    console.print(f"model  {folder}", highlight=False, soft_wrap=True)


def _train_codec(task: str, seed: int, data: Path | None, progress: Progress) -> None:
    """Train and store what turns a task's images into latents and back."""
    from cosim.score.codec import load_codec, save_codec, train_codec
    from cosim.score.store import PROJECT_MODELS

    bar = progress.add_task(f"{task}: images", total=None, loss=float("nan"))
    codec = train_codec(
        task, seed, data,
        lambda step, steps, loss: progress.update(bar, completed=step, total=steps, loss=loss),
    )  # fmt: skip
    save_codec(codec, PROJECT_MODELS)
    load_codec.cache_clear()
    console.print(
        f"images   {codec.card.source}: classifier right on {codec.card.held_out_accuracy:.4f} of "
        f"those held out, {codec.card.decoded_accuracy:.4f} after coding and decoding",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
def calibrate(
    task: Annotated[str, typer.Argument(help="The task whose score network is measured.")],
    fidelity: Fidelities = None,
    debug: Debug = False,
) -> None:
    """Measure gain and offset of a score network in ngspice: the table for a run file."""
    from cosim.config import parse
    from cosim.experiments.calibration import calibrate as fit
    from cosim.run import Run

    levels = _nested("--fidelity", fidelity or ["all=macro"])
    values = {"name": "calibration", "task": task, "score": "analog", "fidelity": levels}
    found = fit(Run(parse(values, "The command line")))
    console.print(found.toml, highlight=False, markup=False, end="")
    error_console.print(
        f"largest error of the score {100 * found.error:.3f} % of its range, after the fit "
        f"{100 * found.left:.3f} %", highlight=False,
    )  # fmt: skip


@app.command()
def netlist(
    block: Annotated[
        str | None, typer.Argument(help="solver, or a block that has a bench.")
    ] = None,
    task: Annotated[str, typer.Argument(help="The task whose score network it holds.")] = "circle",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File (default: standard output).")
    ] = None,
    fidelity: Fidelities = None,
    graph: Annotated[
        Path | None, typer.Option(help="Draw hierarchy and connectivity to this .svg, too.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Write every netlist of netlists/ again.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Write a netlist that holds everything, ready for plain `ngspice -b`."""
    from cosim.netlists import (
        PROJECT_NETLISTS,
        block_netlist,
        finest,
        generated,
        solver_netlist,
    )
    from cosim.run import write_text

    if everything:
        for name, text in generated().items():
            write_text(PROJECT_NETLISTS / name, text)
            console.print(f"netlist  {PROJECT_NETLISTS / name}", highlight=False, soft_wrap=True)
        return
    levels = _nested("--fidelity", fidelity or [])
    if block == "solver":
        text = solver_netlist(task, levels)
    elif block is None:
        raise ConfigurationError(
            "Name a block, such as `cosim netlist solver` or `cosim netlist opamp`, or give --all."
        )
    else:
        text = block_netlist(block, levels.get(block) or levels.get("all") or finest(block))
    if graph is not None:
        from cosim.circuits.parse import parse
        from cosim.report.graph import draw_graph

        draw_graph(parse(text, PROJECT_NETLISTS / block), block, graph)
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(output, text)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A netlist: our own, or any .cir or .sp.")],
    debug: Debug = False,
) -> None:
    """Check a netlist by electrical rules: floating nodes, loops, shorts, unknown models, ..."""
    from cosim.circuits.check import check_parsed
    from cosim.circuits.parse import read_netlist

    parsed = read_netlist(file)
    findings = check_parsed(parsed)
    for finding in findings:
        console.print(f"{file}: {finding}", highlight=False, soft_wrap=True, markup=False)
    if findings:
        error_console.print(f"{file}: {len(findings)} findings.", highlight=False, soft_wrap=True)
        raise typer.Exit(FINDINGS)
    graph = parsed.graph()
    console.print(
        f"{file}: nothing found ({graph.number_of_nodes()} nodes, "
        f"{sum(1 for _ in parsed.devices())} devices).",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(help="A netlist with one analysis: any .cir or .sp.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write all vectors to this .csv.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Run a netlist in ngspice; an answer that cannot be trusted is an error that says why."""
    from cosim.engine.isolated import each_isolated
    from cosim.engine.simulate import as_csv, simulate_file
    from cosim.report.sheet import vector_table
    from cosim.run import write_text

    with _interruptible("Nothing was written."):
        (vectors,) = each_isolated(simulate_file, [file], jobs=1)
    console.print(vector_table(vectors))
    if output is not None:
        write_text(output, as_csv(vectors))
        console.print(f"vectors  {output}", highlight=False, soft_wrap=True, markup=False)


@app.command()
def bench(
    block: Annotated[
        str,
        typer.Argument(
            help="opamp, folded_cascode, integrator, relu, relu_diode, multiplier, "
            "transimpedance, dac, voltage_reference, noise, cell, crossbar or decoder."
        ),
    ],
    process: Annotated[str, typer.Option(help="gf180mcu or generic180.")] = "gf180mcu",
    corner: Annotated[
        list[str] | None, typer.Option(help="typical, ff, ss, fs, sf (default: all).")
    ] = None,
    temp: Annotated[
        list[float] | None, typer.Option(help="Celsius (default: -40, 27 and 125).")
    ] = None,
    supply: Annotated[float, typer.Option(help="Volt.", min=1.0, max=6.0)] = 3.3,
    fidelity: Annotated[
        str | None, typer.Option(help="ideal, macro or transistor (default: the finest).")
    ] = None,
    monte_carlo: Annotated[
        int | None,
        typer.Option(min=1, help="Draws of variation and mismatch, instead of corners."),
    ] = None,
    jobs: Annotated[int, typer.Option(help="ngspice processes.", min=1)] = 1,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")] = Path(
        "results/runs/bench"
    ),
    debug: Debug = False,
) -> None:
    """Measure a block in ngspice: its spec sheet beside the design's values."""
    import json

    from cosim.experiments.bench import (
        TEMPERATURES_CELSIUS,
        conditions,
        find_bench,
        monte_carlo_conditions,
        sheets,
    )
    from cosim.report.sheet import spec_table
    from cosim.run import make_folder, write_text

    chosen = find_bench(block, fidelity)
    level = Fidelity(fidelity) if fidelity else chosen.fidelities[-1]
    if monte_carlo is None:
        where = conditions(process, corner or [], temp or TEMPERATURES_CELSIUS, supply, level)
    elif corner:
        raise ConfigurationError("Give --corner or --monte-carlo: draws are around typical.")
    else:
        where = monte_carlo_conditions(process, monte_carlo, temp or [27.0], supply, level)
    make_folder(output)
    with _interruptible("Nothing was written."), _progress(TaskProgressColumn()) as progress:
        measured = list(
            progress.track(sheets(block, where, jobs), len(where), description=f"{block}: measure")
        )
    table = spec_table(block, measured, chosen.columns, chosen.design(supply))
    # As wide as it needs, also where the terminal is narrower: a broken row cannot be read.
    Console(width=max(console.width, WIDE)).print(table)
    rows = [vars(sheet.condition) | sheet.values for sheet in measured]
    write_text(output / f"{block}.json", json.dumps(rows, indent=2) + "\n")
    console.print(f"sheet    {output / block}.json", highlight=False, soft_wrap=True)
    for name, draw in chosen.figures.items():
        draw(measured, output / f"{name}.png")
        console.print(f"figure   {output / name}.png", highlight=False, soft_wrap=True)


@app.command()
def figures(
    names: Annotated[
        list[str] | None, typer.Argument(help="Such as opamp_bode (default: all).")
    ] = None,
    jobs: Annotated[int, typer.Option(help="ngspice processes.", min=1)] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder (default results/figures).")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Make those again that are there.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A tenth of the samples, macro blocks: minutes.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Make the figures of the blocks and the paper's system, with data, and a page of them."""
    from cosim.experiments.figures import PROJECT_FIGURES, find_figures, gallery, make_figures
    from cosim.run import make_folder, write_text

    wanted = find_figures(names or [])
    folder = output or PROJECT_FIGURES
    make_folder(folder)
    missing = [name for name in wanted if force or not (folder / f"{name}.png").is_file()]
    with (
        _interruptible("Figures that were made are kept; the same command makes the others."),
        _progress(TaskProgressColumn()) as progress,
    ):
        bar = progress.add_task("figures", total=len(missing))
        made = make_figures(
            missing, folder, jobs, quick, lambda doing: progress.update(bar, description=doing)
        )
        for _, path in made:
            progress.update(bar, advance=1)
            console.print(f"figure   {path}", highlight=False, soft_wrap=True)
    page = (folder.parent if output is None else folder) / "README.md"
    write_text(page, gallery(folder, page))
    for name in wanted:
        if name not in missing:
            console.print(f"is there {folder / name}.png", highlight=False, soft_wrap=True)


@app.command()
def compare(
    run: Annotated[Path, typer.Argument(help="The trace to judge.")],
    golden: Annotated[Path, typer.Argument(help="The golden trace.")],
    tolerances: Annotated[
        Path | None, typer.Option(help="A TOML file (default: 0.1 % of each signal's range).")
    ] = None,
    member: Annotated[int | None, typer.Option(help="Of both, for ensembles.", min=0)] = None,
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
    debug: Debug = False,
) -> None:
    """Compare a trace with a golden one; differences are listed, and are exit code 4."""
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
        console.print(
            f"{apart.samples[0]} and {apart.samples[1]} samples of {len(apart.signals)} signals; "
            f"equal distributions fail in {100 * by.false_alarm:g} % of comparisons",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        _report_comparison(apart, distance_rows(apart), draw_distributions, output)
        return
    from cosim.report.compare_figure import draw_comparison
    from cosim.trace.compare import Tolerances, comparison_rows, load_tolerances
    from cosim.trace.compare import compare as compare_traces

    allowed = load_tolerances(tolerances) if tolerances else Tolerances()
    if member is not None:
        mine, theirs = mine.member(member), theirs.member(member)
    found = compare_traces(mine, theirs, allowed)
    _report_comparison(found, comparison_rows(found), draw_comparison, output)


def _report_comparison(
    found: Any,
    rows: Sequence[Mapping[str, str]],
    draw: Callable[[Any, Path], None],
    output: Path | None,
) -> None:
    """Print a comparison, write its files if wanted, and exit with 4 if it fails."""
    from rich.table import Table

    from cosim.run import make_folder, write_text

    table = Table(box=None, pad_edge=False)
    for title in rows[0]:
        table.add_column(title)
    for row in rows:
        table.add_row(*row.values(), style=None if row[""] in ("ok", "extra") else "red")
    Console(width=max(console.width, WIDE)).print(table)
    if output is not None:
        make_folder(output)
        write_text(output / "compare.json", found.to_json())
        write_text(output / "compare.xml", found.to_junit())
        draw(found, output / "compare.png")
        for name in ("compare.json", "compare.xml", "compare.png"):
            console.print(f"written  {output / name}", highlight=False, soft_wrap=True)
    if not found.passes:
        raise typer.Exit(DIFFERENCES)


golden_app = typer.Typer(
    help="Golden traces of every netlist in netlists/: list, check, replace.", no_args_is_help=True
)
app.add_typer(golden_app, name="golden")
GoldenNames = Annotated[list[str] | None, typer.Argument(help="Such as integrator (default: all).")]


@golden_app.command("list")
def golden_list(debug: Debug = False) -> None:
    """Show the golden traces, and why each was taken."""
    from cosim.experiments.golden import PROJECT_GOLDEN
    from cosim.trace import Trace
    from cosim.trace.golden import reason

    for path in sorted(PROJECT_GOLDEN.glob("*.h5")):
        golden = Trace.open(path)
        taken, size = golden.provenance.started[:10], f"{path.stat().st_size / 1024:.0f} kB"
        console.print(f"{path.stem:28} {taken} {size:>7}  {reason(golden)}", soft_wrap=True)


@golden_app.command("update")
def golden_update(
    names: GoldenNames = None,
    why: Annotated[str, typer.Option(help="The reason, which the golden trace will hold.")] = "",
    debug: Debug = False,
) -> None:
    """Simulate netlists anew and take the results for golden."""
    from cosim.experiments.golden import PROJECT_GOLDEN, take_golden

    for name, run in _golden_runs(names or []):
        path = take_golden(name, run, PROJECT_GOLDEN, why)
        console.print(f"golden   {path}", highlight=False, soft_wrap=True, markup=False)


@golden_app.command("check")
def golden_check(names: GoldenNames = None, debug: Debug = False) -> None:
    """Simulate netlists anew and compare with the golden traces; exit code 4: they differ."""
    from cosim.experiments.golden import PROJECT_GOLDEN, judge

    differs = False
    for name, run in _golden_runs(names or []):
        passes, rows = judge(name, run, PROJECT_GOLDEN)
        differs = differs or not passes
        console.print(f"{name:28} {'ok' if passes else 'differs'}", highlight=False)
        for row in rows:
            if row[""] not in ("ok", "extra"):
                console.print("  " + "  ".join(row.values()), highlight=False, soft_wrap=True)
    if differs:
        raise typer.Exit(DIFFERENCES)


def _golden_runs(names: list[str]) -> Iterator[tuple[str, Any]]:
    """Names and fresh traces."""
    import tempfile

    from cosim.experiments.golden import golden_names, simulated

    chosen = names or golden_names()
    with (
        _interruptible("Golden traces that were not reached are as they were."),
        _progress(TaskProgressColumn()) as progress,
        tempfile.TemporaryDirectory() as folder,
    ):
        for name in progress.track(chosen, description="golden"):
            yield name, simulated(name, Path(folder) / f"{name}.h5")


trace_app = typer.Typer(
    help="Look into a recorded trace, export it, import others.", no_args_is_help=True
)
app.add_typer(trace_app, name="trace")
TraceFile = Annotated[Path, typer.Argument(help="A trace, finished or still being written.")]


@trace_app.command()
def info(path: TraceFile, debug: Debug = False) -> None:
    """Show what a trace holds and how its run ended."""
    from cosim.trace import Trace

    console.print(escape(repr(Trace.open(path))), highlight=False, soft_wrap=True)


@trace_app.command()
def verify(path: TraceFile, debug: Debug = False) -> None:
    """Check a finished trace against its content hash."""
    from cosim.trace import Trace

    Trace.open(path).verify()
    console.print(f"{escape(str(path))}: every value is as it was recorded.", highlight=False)


Signals = Annotated[
    list[str] | None,
    typer.Option(help="Name or pattern with * and ?, may be repeated (default: all)."),
]
Start = Annotated[float, typer.Option(help="First circuit time in seconds.")]
Stop = Annotated[float, typer.Option(help="Last circuit time in seconds.")]
Member = Annotated[int | None, typer.Option(help="Which one, of an ensemble.", min=0)]


@trace_app.command()
def plot(
    path: TraceFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .png, .svg or .pdf (default: beside the trace)."),
    ] = None,
    signals: Signals = None,
    start: Start = -math.inf,
    stop: Stop = math.inf,
    member: Member = None,
    debug: Debug = False,
) -> None:
    """Draw signals over circuit time, of a run that may still be going on; no peak is lost."""
    from cosim.report.trace_figure import draw_trace
    from cosim.run import make_folder
    from cosim.trace import Trace

    figure = output or path.with_suffix(".png")
    make_folder(figure.parent)
    with Trace.open(path) as trace:
        chosen = trace if member is None else trace.member(member)
        names = _matched(chosen, signals)
        draw_trace(chosen.window(start, stop), names, figure)
    console.print(f"figure   {figure}", highlight=False, soft_wrap=True, markup=False)


@trace_app.command()
def tail(
    path: TraceFile,
    lines: Annotated[int, typer.Option("--lines", "-n", help="Points to begin with.", min=0)] = 10,
    signals: Signals = None,
    member: Member = None,
    debug: Debug = False,
) -> None:
    """Print the last points, and those that come until the run has ended; tab-separated."""
    from cosim.report.live import QUIET_SECOND, quiet_note
    from cosim.trace.follow import follow

    printed: int | None = None
    names: list[str] = []
    heard, noted = time.monotonic(), False
    with _interruptible("The run goes on."):
        for trace in follow(path):
            chosen = trace if member is None else trace.member(member)
            if printed is None:
                names = _matched(chosen, signals)
                print("\t".join(["time_second", *names]))
                printed = max(chosen.points - lines, 0)
            new = slice(printed, chosen.points)
            columns = [chosen.read(name, new) for name in ("time", *names)]
            for row in zip(*columns, strict=True):
                print("\t".join(f"{value:.9g}" for value in row))
            sys.stdout.flush()
            if chosen.points > printed:
                printed, heard, noted = chosen.points, time.monotonic(), False
            elif not noted and time.monotonic() - heard > QUIET_SECOND:
                error_console.print(quiet_note(time.monotonic() - heard), highlight=False)
                noted = True
            if trace.status != "running":
                error_console.print(f"{trace.status} {escape(trace.reason)}", highlight=False)


@app.command()
def watch(
    path: TraceFile, signals: Signals = None, member: Member = None, debug: Debug = False
) -> None:
    """Watch a run from another terminal: how far it is, and its signals, until it has ended."""
    from rich.live import Live

    from cosim.report.live import live_view
    from cosim.trace.follow import follow

    points, heard = -1, time.monotonic()
    with _interruptible("The run goes on."), Live(console=console, auto_refresh=False) as live:
        for trace in follow(path):
            chosen = trace if member is None else trace.member(member)
            if trace.points != points:
                points, heard = trace.points, time.monotonic()
            view = live_view(chosen, _matched(chosen, signals), time.monotonic() - heard)
            live.update(view, refresh=True)


def _matched(trace: Any, patterns: list[str] | None) -> list[str]:
    """Signals that fit, in the trace's order.

    Raises:
        ConfigurationError: none does.
    """
    wanted = {name for pattern in patterns or ["*"] for name in trace.match(pattern)}
    if not wanted:
        raise ConfigurationError(
            f"No signal of {trace.path} fits {patterns or 'any pattern'}. It has "
            f"{', '.join(trace.names[:10]) or 'none'}."
        )
    return [name for name in trace.names if name in wanted]


@trace_app.command()
def export(
    path: TraceFile,
    output: Annotated[
        Path, typer.Argument(help="File to write: .raw, .csv, .vcd, .parquet or .pwl.")
    ],
    signals: Signals = None,
    start: Start = -math.inf,
    stop: Stop = math.inf,
    member: Member = None,
    as_text: Annotated[bool, typer.Option("--ascii", help="A .raw file as text.")] = False,
    debug: Debug = False,
) -> None:
    """Write signals for another program: SPICE, a waveform viewer, pandas, a spreadsheet."""
    from cosim.trace import Trace
    from cosim.trace.exchange import export_trace

    with Trace.open(path) as trace, _interruptible(f"{output} is as it was."):
        chosen = trace if member is None else trace.member(member)
        export_trace(chosen.window(start, stop), output, signals or ["*"], as_text=as_text)
    console.print(f"export   {output}", highlight=False, soft_wrap=True, markup=False)


@trace_app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A .raw file of ngspice or LTspice, or a .csv.")],
    output: Annotated[Path, typer.Argument(help="The trace to make.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing trace.")] = False,
    debug: Debug = False,
) -> None:
    """Make a trace of a foreign simulator's waveforms, to compare them with our own."""
    from cosim.trace.exchange import import_trace

    with _interruptible(f"{output} is as it was."):
        import_trace(source, output, overwrite=force)
    console.print(f"trace    {output}", highlight=False, soft_wrap=True, markup=False)


@app.command()
def doctor(debug: Debug = False) -> None:
    """Show what is installed, what is missing, and how to get it."""
    from cosim.doctor import examine, render

    report = examine()
    render(report, console)
    raise typer.Exit(0 if report.usable else 1)
