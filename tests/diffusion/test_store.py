"""Model files: what was stored comes back; what does not fit is refused by name."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cosim.diffusion.score.store import card_path, load_model, save_model, weights_path
from cosim.diffusion.score.tasks import get_task
from cosim.errors import ConfigurationError, ModelError

TASK = get_task("circle")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(TASK, TASK.network(), seed=1, metrics={"final_loss": 1.0}, folder=tmp_path)
    return tmp_path


def test_round_trip(tmp_path: Path) -> None:
    network = TASK.network()
    card = save_model(TASK, network, seed=7, metrics={"final_loss": 0.5}, folder=tmp_path)
    loaded, loaded_card = load_model(TASK, tmp_path)
    assert loaded_card == card
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.double()), name


def test_the_committed_model_fits_its_task_and_card() -> None:
    network, card = load_model(TASK)
    assert card.recipe["weight_noise"] == 0.1
    assert network.frequencies.dtype == torch.float64


def rewrite(folder: Path, change: str) -> None:
    path, card = weights_path("circle", folder), card_path("circle", folder)
    tensors = load_file(path)
    match change:
        case "missing":
            path.unlink()
        case "truncated":
            path.write_bytes(path.read_bytes()[:-100])
        case "foreign":
            path.write_bytes(b"\x80\x04not a safetensors file at all" * 10)
        case "shape":
            tensors["linear_layers.1.weight"] = torch.zeros(14, 13)
            save_file(tensors, path)
        case "names":
            tensors.pop("linear_layers.2.bias")
            save_file(tensors, path)
        case "nan":
            tensors["linear_layers.0.bias"][3] = float("nan")
            save_file(tensors, path)
        case "swapped":
            tensors["linear_layers.0.bias"] += 1
            save_file(tensors, path)
        case "card":
            card.write_text("{ not json")
        case "card key":
            card.write_text(json.dumps({"task": "circle"}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("missing", "cannot be read"),
        ("truncated", "truncated or no safetensors"),
        ("foreign", "truncated or no safetensors"),
        ("shape", r"'linear_layers.1.weight' has shape \(14, 13\).*\(14, 14\)"),
        ("names", "holds the tensors"),
        ("nan", "'linear_layers.0.bias' holds NaN"),
        ("swapped", "not what its card"),
        ("card", "not a model card"),
        ("card key", "not a model card"),
    ],
)
def test_what_does_not_fit_is_refused(folder: Path, change: str, says: str) -> None:
    rewrite(folder, change)
    with pytest.raises(ModelError, match=says) as caught:
        load_model(TASK, folder)
    assert "cosim train circle" in str(caught.value)


def test_unwritable_folder_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        save_model(TASK, TASK.network(), seed=0, metrics={}, folder=blocker / "models")


def test_unknown_task_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'circle'"):
        get_task("circel")
