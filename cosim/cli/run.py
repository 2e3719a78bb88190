"""The application's main job: `cosim run`, and `cosim serve` for a score in another process."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import (
    TaskProgressColumn,
)

from cosim.cli.app import (
    Debug,
    Fidelities,
    Json,
    app,
    console,
    error_console,
    interruptible,
    nested,
    print_json,
    progress_bar,
    without_none,
)
from cosim.cli.training import train_with_progress
from cosim.errors import LimitError

if TYPE_CHECKING:
    from cosim.diffusion.report import Outcome


@app.command()
def run(
    target: Annotated[
        str, typer.Argument(help="A task (circle), a run file (my_run.toml) or a run's trace.")
    ],
    samples: Annotated[
        int | None, typer.Option(help="Initial conditions to solve from (default 1).")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="ngspice processes (default 1).")] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Run on a Dask cluster: its scheduler, such as tcp://10.0.0.1:8786."),
    ] = None,
    member: Annotated[
        int | None, typer.Option(help="Only this member of the ensemble, by its number.", min=0)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the initial conditions.")] = None,
    score: Annotated[
        str | None, typer.Option(help="Where the score is computed: torch, analog or split.")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Coupling: explicit, extrapolated, linearised, or a my.py.")
    ] = None,
    step: Annotated[
        float | None, typer.Option(help="Largest time step in seconds (default 50e-9).")
    ] = None,
    exchange: Annotated[
        str | None,
        typer.Option(help="Score in the ngspice process, or through a file: process or file."),
    ] = None,
    fidelity: Fidelities = None,
    process: Annotated[
        str | None, typer.Option(help="Transistors: gf180mcu, generic180, sky130, or a my.py.")
    ] = None,
    op_amp: Annotated[
        str | None, typer.Option(help="Topology: miller, folded_cascode, or a my.py.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder (default results/runs/NAME).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing run.")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted or failed run: complete members are kept, others "
            "simulated from their beginning; figures are drawn again.",
        ),
    ] = False,
    resume_inside: Annotated[
        bool,
        typer.Option(
            "--resume-inside",
            help="As --resume, but unfinished members go on from their last points; the result "
            "differs a little from an uninterrupted run's.",
        ),
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train if needed, generate the netlist, simulate, record the trace and draw it."""
    from cosim.diffusion.config import merge, parse, run_values
    from cosim.diffusion.run import Run, default_output, run_values_of_trace
    from cosim.diffusion.score.store import model_folder, weights_path
    from cosim.plugins import absolute

    path = Path(target)
    if path.suffix == ".toml":
        values, where = run_values(path), f"The run file {path}"
    elif path.suffix == ".h5":
        values, where = run_values_of_trace(path), f"The trace {path}"
    else:
        values, where = {"name": path.stem, "task": absolute(target)}, "The command line"
    given: dict[str, Any] = {
        "score": score,
        "coupling": {
            "scheme": scheme and absolute(scheme),
            "step_second": step,
            "exchange": exchange,
        },
        "fidelity": nested("--fidelity", fidelity or []),
        "process": {"name": process and absolute(process)},
        "op_amp": {"topology": op_amp and absolute(op_amp)},
        "ensemble": {"samples": samples, "seed": seed, "member": member},
        "engine": {"jobs": jobs, "scheduler": scheduler},
    }
    job = Run(parse(merge(values, without_none(given)), where))
    config = job.config
    said: Outcome | LimitError
    beyond: LimitError | None = None
    with interruptible(
        "The trace holds what was recorded, and opens as usual; --resume goes on with it."
    ):
        if not weights_path(job.problem.task.name, model_folder(job.problem.task)).exists():
            train_with_progress(
                config.task, seed=0, folder=None, epsilon=config.parametrisation == "epsilon"
            )
        if config.coupling.exchange == "file":
            _announce_exchange(output or default_output(config))
        with progress_bar(TaskProgressColumn()) as progress:
            bar = progress.add_task(f"{config.name}: simulate", total=1.0)
            try:
                said = job.execute(
                    output,
                    overwrite=force,
                    resume=resume or resume_inside,
                    inside=resume_inside,
                    on_progress=lambda fraction, doing: progress.update(
                        bar, completed=fraction, description=f"{config.name}: {doing}"
                    ),
                )
            except LimitError as error:  # all is written, and the report is to be seen
                said = beyond = error
    if as_json:
        print_json(said.facts)
    for line in () if as_json else said.lines:
        console.print(line, highlight=False, soft_wrap=True)
    if beyond is not None:
        raise beyond


def _announce_exchange(folder: Path) -> None:
    """Say how to start what the run will wait for."""
    error_console.print(
        f"waits    for a server of the score: start `cosim serve {shlex.quote(str(folder))}`, or "
        "another by cosim/docs/how-to/serve_the_score.md",
        highlight=False, soft_wrap=True,
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
    from cosim.diffusion.run import served_block
    from cosim.lockstep.exchange_server import await_request
    from cosim.lockstep.exchange_server import serve as serve_block

    with interruptible("The simulation that was served will say so."):
        request = await_request(folder, timeout)
        done = serve_block(request, served_block(folder), timeout)
    console.print(
        f"served   {done.answers} answers; the run is {done.status}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
