"""Trained models on disk: weights as safetensors, and a JSON card that says what they are.

Nothing is ever unpickled; a file that does not fit its task is refused by name.
"""

import hashlib
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from cosim.diffusion.score.model_files import MOST_MODEL_BYTE, PROJECT_MODELS, write_model_files
from cosim.diffusion.score.network import EpsilonNetwork, ScoreNetwork
from cosim.diffusion.score.tasks import Task, TrainingRecipe
from cosim.errors import ModelError
from cosim.files import read_regular

WEIGHTS = (torch.float32, torch.float64)


class ModelCard(BaseModel):
    """What a set of weights is: enough to make it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    data: str
    architecture: str
    frequencies: list[float]
    diffusion: str = "VariancePreserving"
    sde: dict[str, float]
    sampling_scale: float
    seed: int = Field(ge=0, lt=2**63)
    recipe: dict[str, float]
    metrics: dict[str, float]
    departures: list[str]
    sha256: str
    versions: dict[str, str]
    trained: str


def _departures(network: ScoreNetwork, recipe: TrainingRecipe) -> list[str]:
    """Where the training is not the published one (fact sheet, section 3), and why."""
    aware = [
        f"Hardware-aware: weights clipped to {recipe.weight_limit:g}, read noise of "
        f"{recipe.read_noise:g} for each cell and point, the ReLU's curve as measured in ngspice."
    ]
    noise = [
        "The network predicts minus the noise, and score = output / sigma(t), where the published "
        "one predicts the score; a second training with less weight noise follows the first, and a "
        "third through the samplers, by the discrepancy of their samples from the data."
    ]
    return [
        *(aware if recipe.weight_limit else []),
        *(noise if isinstance(network, EpsilonNetwork) else []),
        f"Adam with learning rate {recipe.learning_rate:g} falling along a cosine over "
        f"{recipe.steps} steps of {recipe.batch}, instead of 2e-4 over about 200,000 steps: "
        "minutes on two cores.",
        "An exponential moving average of the weights is what is kept; the authors' code "
        "registers one but does not copy it back.",
    ]


def _numbers(task: Task) -> dict[str, float]:
    """Of all stages of training; names of the further ones begin with their number."""
    found: dict[str, float] = {}
    for number, recipe in enumerate((task.recipe, *task.further), 1):
        stage = "" if number == 1 else f"{number}_"
        plain = {name: value for name, value in vars(recipe).items() if name != "sampling"}
        found |= {f"{stage}{name}": float(value) for name, value in plain.items()}
        if recipe.sampling is not None:
            sampling = vars(recipe.sampling).items()
            found |= {f"{stage}sampling_{name}": float(value) for name, value in sampling}
    return found


def weights_path(task: str, folder: Path) -> Path:
    """Where a task's weights are."""
    return folder / f"{task}.safetensors"


def card_path(task: str, folder: Path) -> Path:
    """Where a task's card is."""
    return folder / f"{task}.json"


def save_model(
    task: Task, network: ScoreNetwork, seed: int, metrics: dict[str, float], folder: Path
) -> ModelCard:
    """Write weights and card; each appears whole or not at all.

    Raises:
        ModelError: the folder cannot be written.
    """
    widths = [layer.in_features for layer in network.linear_layers] + [network.states]
    weights = save({name: value.contiguous() for name, value in network.state_dict().items()})
    card = ModelCard(
        task=task.name,
        data=task.description,
        architecture=f"{'-'.join(map(str, widths))}, ReLU, output gain {network.output_gain:g}",
        frequencies=[round(float(value), 6) for value in network.frequencies],
        diffusion=type(task.sde).__name__,
        sde=task.sde.model_dump(),
        sampling_scale=task.sampling_scale,
        seed=seed,
        recipe=_numbers(task),
        metrics=metrics,
        departures=_departures(network, task.recipe),
        sha256=hashlib.sha256(weights).hexdigest(),
        versions={"python": platform.python_version(), "torch": torch.__version__},
        trained=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    text = (card.model_dump_json(indent=2) + "\n").encode()
    paths = weights_path(task.name, folder), card_path(task.name, folder)
    write_model_files(task.name, folder, dict(zip(paths, (weights, text), strict=True)))
    return card


def model_folder(task: Task) -> Path:
    """Where a task's model is unless told otherwise."""
    return task.folder or PROJECT_MODELS


def load_model(task: Task, folder: Path | None = None) -> tuple[ScoreNetwork, ModelCard]:
    """The trained network of `task`, in float64 for evaluation, and its card.

    Raises:
        ModelError: a file is missing, truncated or foreign, or does not fit the task or its card.
    """
    folder = folder or model_folder(task)
    weights, card_file = weights_path(task.name, folder), card_path(task.name, folder)
    remedy = f"Make it again with `cosim train {task.name}`."
    try:
        content = read_regular(weights, MOST_MODEL_BYTE)
        card = ModelCard.model_validate_json(read_regular(card_file, MOST_MODEL_BYTE))
    except OSError as error:
        raise ModelError(f"The model of '{task.name}' cannot be read: {error}. {remedy}") from None
    except (ValidationError, json.JSONDecodeError) as error:
        raise ModelError(f"{card_file} is not a model card: {error}. {remedy}") from None
    try:
        tensors = load(content)
    except (SafetensorError, KeyError, ValueError) as error:  # a kind that torch has not
        raise ModelError(
            f"{weights} ({len(content)} bytes) is truncated or no safetensors file: {error}. "
            f"{remedy}"
        ) from None
    network = task.network()
    _check_tensors(weights, tensors, network.state_dict(), remedy)
    if card.task != task.name or hashlib.sha256(content).hexdigest() != card.sha256:
        raise ModelError(
            f"{weights} is not what its card {card_file.name} describes (task '{card.task}', "
            f"sha256 {card.sha256[:12]}...): one of them was changed alone. {remedy}"
        )
    wanted = type(task.sde).__name__, task.sde.model_dump()
    if (card.diffusion, card.sde) != wanted:
        raise ModelError(
            f"{weights} was trained for the diffusion {card.diffusion} {card.sde}, but the task "
            f"has {wanted[0]} {wanted[1]}: its score is of another equation. {remedy}"
        )
    network.load_state_dict(tensors)
    return network.double().eval(), card


def _check_tensors(
    path: Path, found: dict[str, Any], expected: dict[str, torch.Tensor], remedy: str
) -> None:
    if found.keys() != expected.keys():
        raise ModelError(
            f"{path} holds the tensors {sorted(found)}, but the network has {sorted(expected)}. "
            f"{remedy}"
        )
    for name, tensor in found.items():
        if tensor.shape != expected[name].shape:
            raise ModelError(
                f"{path}: tensor '{name}' has shape {tuple(tensor.shape)}, but the network needs "
                f"{tuple(expected[name].shape)}. {remedy}"
            )
        if tensor.dtype not in WEIGHTS:
            raise ModelError(f"{path}: tensor '{name}' holds {tensor.dtype}, no weights. {remedy}")
        if not torch.isfinite(tensor).all():
            raise ModelError(f"{path}: tensor '{name}' holds NaN or infinity. {remedy}")
