"""Score models: `cosim train` and `cosim calibrate`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    Progress,
    TextColumn,
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
)
from cosim.errors import ConfigurationError

HARDWARE_WEIGHT_LIMIT, HARDWARE_READ_NOISE = 1.5, 0.05


def train_with_progress(
    task: str,
    seed: int,
    folder: Path | None,
    data: Path | None = None,
    hardware: bool = False,
    epsilon: bool = False,
) -> tuple[Path, dict[str, float]]:
    """Train and store a task's model; the folder it is in, and how good it is."""
    import torch

    from cosim.diffusion.score.model_files import PROJECT_MODELS
    from cosim.diffusion.score.store import model_folder, save_model
    from cosim.diffusion.score.tasks import get_task
    from cosim.diffusion.score.training import evaluate
    from cosim.diffusion.score.training import train as train_model

    definition = get_task(task).predicting_noise() if epsilon else get_task(task)
    if data is not None and task != "letters":
        raise ConfigurationError(f"--data is of the task 'letters'; '{task}' has data of its own.")
    if definition.images and folder is not None:
        raise ConfigurationError(
            f"The model of '{task}' belongs with the images' codec in {PROJECT_MODELS}: leave "
            "--output out."
        )
    curve = None
    if hardware:
        from cosim.diffusion.calibration import measured_activation

        aware = replace(
            definition.recipe, weight_limit=HARDWARE_WEIGHT_LIMIT, read_noise=HARDWARE_READ_NOISE
        )
        definition, curve = replace(definition, recipe=aware), measured_activation()
    # The layers are too small for threads to pay; one is also what makes the sums repeatable.
    torch.set_num_threads(1)
    with progress_bar(TextColumn("loss {task.fields[loss]:.3f}")) as progress:
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
    return folder, card.metrics


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
    epsilon: Annotated[
        bool, typer.Option("--epsilon", help="The network is to predict the noise.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train the score model of a task and store it with its card."""
    with interruptible("The model in the folder is as it was."):
        folder, metrics = train_with_progress(task, seed, output, data, hardware, epsilon)
    if as_json:
        print_json({"model": str(folder), "metrics": metrics})
        return
    for name, value in metrics.items():
        console.print(f"{name:26} {value:.4g}", highlight=False)
    console.print(f"model  {folder}", highlight=False, soft_wrap=True)


def _train_codec(task: str, seed: int, data: Path | None, progress: Progress) -> None:
    """Train and store what turns a task's images into latents and back."""
    from cosim.diffusion.score.codec import load_codec, save_codec, train_codec
    from cosim.diffusion.score.model_files import PROJECT_MODELS

    bar = progress.add_task(f"{task}: images", total=None, loss=float("nan"))
    codec = train_codec(
        task, seed, data,
        lambda step, steps, loss: progress.update(bar, completed=step, total=steps, loss=loss),
    )  # fmt: skip
    save_codec(codec, PROJECT_MODELS)
    load_codec.cache_clear()
    error_console.print(
        f"images   {codec.card.source}: classifier right on {codec.card.held_out_accuracy:.4f} of "
        f"those held out, {codec.card.decoded_accuracy:.4f} after coding and decoding",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
def calibrate(
    task: Annotated[str, typer.Argument(help="The task whose score network is measured.")],
    fidelity: Fidelities = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure gain and offset of a score network in ngspice: the table for a run file."""
    from cosim.diffusion.calibration import calibrate as fit
    from cosim.diffusion.config import parse
    from cosim.diffusion.run import Run

    levels = nested("--fidelity", fidelity or ["all=macro"])
    values = {"name": "calibration", "task": task, "score": "analog", "fidelity": levels}
    found = fit(Run(parse(values, "The command line")))
    if as_json:
        print_json(vars(found))
        return
    console.print(found.toml, highlight=False, end="")
    error_console.print(
        f"largest error of the score {100 * found.error:.3f} % of its range, after the fit "
        f"{100 * found.left:.3f} %", highlight=False,
    )  # fmt: skip
