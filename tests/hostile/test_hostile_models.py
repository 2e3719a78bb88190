"""Hostile models and run files: refused in a paragraph; nothing that they name is run or read."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from cosim.diffusion.config import parse, run_values
from cosim.diffusion.run import Run
from cosim.diffusion.score.store import card_path, load_model, save_model, weights_path
from cosim.diffusion.score.tasks import get_task
from cosim.errors import CosimError, ModelError
from tests.hostile.outside import Outside

TASK = get_task("circle")
BIAS = "linear_layers.0.bias"

Tensors = dict[str, torch.Tensor]


def _kind(dtype: torch.dtype) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: values.to(dtype) for name, values in tensors.items()}


WEIGHTS: dict[str, Callable[[Tensors], Tensors]] = {
    **{
        str(dtype): _kind(dtype)
        for dtype in (torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool,
                      torch.complex64, torch.float16, torch.bfloat16, torch.float8_e4m3fn)
    },
    "NaN": lambda tensors: tensors | {BIAS: tensors[BIAS] * torch.nan},
    "infinity": lambda tensors: tensors | {BIAS: tensors[BIAS] + torch.inf},
    "one int64": lambda tensors: tensors | {BIAS: torch.zeros_like(tensors[BIAS]).long()},
    "another shape": lambda tensors: tensors | {BIAS: torch.zeros(3)},
    "a scalar": lambda tensors: tensors | {BIAS: torch.tensor(1.0)},
    "nothing in it": lambda tensors: tensors | {BIAS: torch.zeros(0)},
    "one more": lambda tensors: tensors | {"x": torch.zeros(1)},
    "one less": lambda tensors: {k: v for k, v in tensors.items() if k != BIAS},
    "a name that escapes": lambda tensors: tensors | {"\x1b[2J": torch.zeros(1)},
    "none": lambda _: {},
}  # fmt: skip
"""Other weights, whose card knows them."""


def _framed(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def _tensor(**other: object) -> bytes:
    return _framed(
        json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | other}).encode(),
        bytes(8),
    )


BYTES: dict[str, bytes] = {
    "empty": b"", "a pickle": b"\x80\x04cposix\nsystem\n(S'touch CANARY'\ntR.",
    "a zip": b"PK\x03\x04" + bytes(100), "a header of 2^63": _framed(b"{}", length=2**63),
    "a header of 1 GB": _framed(b"{}", length=2**30), "no JSON": _framed(b"what is this"),
    "deep JSON": _framed(b"[" * 100_000), "a list": _framed(b"[]"), "NaN": _framed(b"NaN"),
    "an unknown kind": _tensor(dtype="F1"), "a negative shape": _tensor(shape=[-2]),
    "a huge shape": _tensor(shape=[2**62, 4]), "offsets outside": _tensor(data_offsets=[0, 2**40]),
    "offsets turned": _tensor(data_offsets=[8, 0]),
    "the same place twice": _framed(
        json.dumps(
            {n: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for n in "ab"}
        ).encode(),
        bytes(8),
    ),
}  # fmt: skip

CARDS: dict[str, object] = {
    "seed of 2^70": {"seed": 2**70}, "negative seed": {"seed": -1}, "another task": {"task": "x"},
    "another SDE": {"sde": {"beta_minimum": 1.0}}, "another kind of SDE": {"diffusion": "Other"},
    "another hash": {"sha256": "0" * 64}, "one key more": {"x": 1}, "a list": [], "null": None,
    "words for numbers": {"frequencies": ["x"]}, "a task that escapes": {"task": "\x1b[2J"},
}  # fmt: skip
TEXTS: dict[str, bytes] = {
    "empty": b"", "deep": b"[" * 200_000, "no JSON": b"{'task': 1}", "NUL": b"\0" * 100,
    "UTF-16": "{}".encode("utf-16"),
    "a number of 20,000 digits": b'{"seed": ' + b"9" * 20_000 + b"}",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    save_model(TASK, TASK.network(), seed=1, metrics={"final_loss": 1.0}, folder=folder)
    load_model(TASK, folder)
    return folder


def _give(folder: Path, content: bytes) -> None:
    """Other weights, and their hash in the card."""
    import hashlib

    weights_path("circle", folder).write_bytes(content)
    card = json.loads(card_path("circle", folder).read_text())
    card["sha256"] = hashlib.sha256(content).hexdigest()
    card_path("circle", folder).write_text(json.dumps(card))


def _model_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError) as refused:
        load_model(TASK, folder)
    assert len(str(refused.value)) < 4000


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_refused(name: str, folder: Path, bait: Outside) -> None:
    _give(folder, save(WEIGHTS[name](load_file(weights_path("circle", folder)))))
    _model_is_refused(folder)


@pytest.mark.parametrize("name", BYTES)
def test_bytes_are_refused(name: str, folder: Path, bait: Outside) -> None:
    _give(folder, BYTES[name].replace(b"CANARY", os.fsencode(bait.canary)))
    _model_is_refused(folder)


@pytest.mark.parametrize("name", CARDS)
def test_cards_are_refused(name: str, folder: Path, bait: Outside) -> None:
    card, changed = card_path("circle", folder), CARDS[name]
    if isinstance(changed, dict):
        changed = json.loads(card.read_text()) | changed
    card.write_text(json.dumps(changed))
    _model_is_refused(folder)


@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_cards_are_refused(name: str, folder: Path, bait: Outside) -> None:
    card_path("circle", folder).write_bytes(TEXTS[name])
    _model_is_refused(folder)


@pytest.mark.parametrize("of", [weights_path, card_path])
@pytest.mark.parametrize("kind", ["pipe", "endless", "folder"])
def test_special_files_are_refused(
    kind: str, of: Callable[[str, Path], Path], folder: Path, bait: Outside
) -> None:
    _replace(of("circle", folder), kind)
    _model_is_refused(folder)


def _replace(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()


RUN_FILES: dict[str, str] = {
    **{
        f"{key} of {path}": text.replace("CODE", path)
        for key, text in {
            "task": 'task = "CODE"', "process": 'task = "circle"\nprocess.name = "CODE"',
            "op-amp": 'task = "circle"\nop_amp.topology = "CODE"',
            "scheme": 'task = "circle"\ncoupling.scheme = "CODE"',
        }.items()
        for path in ("../outside/evil.py", "OUTSIDE/evil.py", "link.py", "./../outside/evil.py")
    },
    "no TOML": "task = circle", "JSON": '{"task": "circle"}', "NUL": 'task = "circle"\n\0',
    "another key": 'task = "circle"\nx = 1', "twice": 'task = "circle"\ntask = "circle"',
    "no task": "", "a task that is none": 'task = "../../etc/passwd"',
    "a task that escapes": 'task = "\\u001b[2J"', "deep arrays": "a = " + "[" * 20_000,
    "deep tables": "a." * 20_000 + "b = 1", "a number of 20,000 digits": "task = " + "9" * 20_000,
    "2 MB": "#" * 2_100_000, "a list": 'task = ["circle"]', "a date": "task = 2026-01-01",
    "NaN": 'task = "circle"\nsampling_scale = nan', "inf": 'task = "circle"\nsampling_scale = inf',
    "a name of a path": 'name = "../../x"\ntask = "circle"',
    "a long name": f'name = "{"x" * 1000}"\ntask = "circle"',
    "2^70 samples": f'task = "circle"\nensemble.samples = {2**62}',
    "no jobs": 'task = "circle"\nengine.jobs = -1',
    "a seed of -1": 'task = "circle"\nensemble.seed = -1',
}  # fmt: skip


def test_there_are_enough() -> None:
    models = len(WEIGHTS) + len(BYTES) + len(CARDS) + len(TEXTS)
    assert models >= 40 and len(RUN_FILES) >= 30


@pytest.mark.parametrize("name", RUN_FILES)
def test_run_files_are_refused(name: str, tmp_path: Path, bait: Outside) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "link.py").symlink_to(bait.folder / "evil.py")
    file = folder / "run.toml"
    file.write_text(RUN_FILES[name].replace("OUTSIDE", str(bait.folder)))
    _run_file_is_refused(file)


@pytest.mark.parametrize("kind", ["pipe", "endless", "folder", "missing"])
def test_special_run_files_are_refused(kind: str, tmp_path: Path, bait: Outside) -> None:
    _replace(tmp_path / "run.toml", kind)
    _run_file_is_refused(tmp_path / "run.toml")


def _run_file_is_refused(file: Path) -> None:
    with pytest.raises(CosimError) as refused:
        _task_of(file)
    assert len(str(refused.value)) < 4000


def _task_of(file: Path) -> object:
    return Run(parse(run_values(file), f"The run file {file}")).problem.task
