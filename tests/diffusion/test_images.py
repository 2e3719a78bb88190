"""Images and their codec: files of a user checked, letters drawn the same, a judge that sees."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from cosim.diffusion.score.codec import PRIOR_RADIUS, Codec, load_codec
from cosim.diffusion.score.images import (
    EMNIST_CLASSES,
    SIDE,
    drawn_letters,
    emnist_letters,
    handwritten_digits,
    read_idx,
)
from cosim.diffusion.score.model_files import PROJECT_MODELS
from cosim.diffusion.score.tasks import get_task
from cosim.errors import ConfigurationError, ModelError

IMAGES, LABELS = "emnist-byclass-train-images-idx3-ubyte", "emnist-byclass-train-labels-idx1-ubyte"


def idx(values: np.ndarray) -> bytes:
    head = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return head + values.astype(np.uint8).tobytes()


def emnist(folder: Path, zipped: bool, each: int = 120) -> np.ndarray:
    """Files as EMNIST's: class numbers as labels, images with a bright upper right corner."""
    labels = np.repeat([3, *EMNIST_CLASSES], each)
    images = np.zeros((len(labels), 28, 28))
    images[:, 20:, :8] = 255  # stored column by column: upright, it is the upper right
    for name, values in ((IMAGES, images), (LABELS, labels)):
        content = idx(values)
        path = folder / (f"{name}.gz" if zipped else name)
        path.write_bytes(gzip.compress(content) if zipped else content)
    return labels


@pytest.mark.parametrize("zipped", [True, False])
def test_emnist_files(zipped: bool, tmp_path: Path) -> None:
    emnist(tmp_path, zipped)
    found = emnist_letters(tmp_path)
    assert found.images.shape == (3 * 120, SIDE, SIDE)
    assert np.bincount(found.labels).tolist() == [120] * 3
    assert found.images[0][0, -1] == 1 and found.images[0][-1, 0] == 0


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / IMAGES).unlink(), "There is no emnist-byclass-train-images"),
        (lambda folder: (folder / LABELS).write_bytes(b"PK\3\4" * 9), "no IDX file of bytes in 1"),
        (lambda folder: (folder / IMAGES).write_bytes((folder / IMAGES).read_bytes()[:-9]), "cut"),
        (lambda folder: (folder / LABELS).write_bytes(idx(np.zeros(7))), "do not belong to 7"),
        (lambda folder: (folder / LABELS).write_bytes(idx(np.full(480, 4))), "too few of the"),
        (
            lambda folder: (folder / LABELS).write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 2**31)),
            "more than EMNIST has",
        ),
        (lambda folder: (folder / f"{IMAGES}.gz").write_bytes(b"no gzip"), "cannot be read"),
    ],
)
def test_what_is_not_emnist_is_named(spoil, says: str, tmp_path: Path) -> None:
    emnist(tmp_path, zipped=False)
    spoil(tmp_path)
    with pytest.raises(ModelError, match=says):
        emnist_letters(tmp_path)


def test_a_zip_bomb_costs_no_memory(tmp_path: Path) -> None:
    bomb = tmp_path / "x.gz"
    bomb.write_bytes(gzip.compress(idx(np.zeros(10)) + bytes(300_000_000)))
    with pytest.raises(ModelError, match="was cut off or changed"):
        read_idx(bomb, 1)


def test_letters_are_drawn_the_same_for_a_seed() -> None:
    first, again, other = (drawn_letters(seed, each=100) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    assert not np.array_equal(first.images, other.images)
    assert first.images.shape == (300, SIDE, SIDE)
    assert first.images.min() == 0 and first.images.max() == 1
    # By many hands: pixels differ within a class, and classes from each other.
    for label in range(3):
        assert first.images[first.labels == label].std(axis=0).max() > 0.3
    means = [first.images[first.labels == label].mean(axis=0) for label in range(3)]
    assert min(np.abs(means[i] - means[j]).max() for i, j in ((0, 1), (0, 2), (1, 2))) > 0.3


def test_digits_are_of_three_classes() -> None:
    found = handwritten_digits()
    assert set(found.labels) == {0, 1, 2} and found.images.shape[1:] == (SIDE, SIDE)


@pytest.fixture(scope="module", params=["letters", "digits"])
def codec(request: pytest.FixtureRequest) -> Codec:
    return load_codec(request.param, PROJECT_MODELS)


def test_the_classifier_is_independent_and_right(codec: Codec) -> None:
    assert codec.card.held_out_accuracy > 0.97
    fresh = drawn_letters(99, each=300) if codec.card.task == "letters" else handwritten_digits()
    assert np.mean(codec.classify(fresh.images) == fresh.labels) > 0.97


def test_latents_lie_where_the_fact_sheet_has_them(codec: Codec) -> None:
    """x is the latent over 8, coordinates swapped: class 0 near (0.25, 0.433)."""
    wanted = PRIOR_RADIUS / 8 * np.array([[0.5, 0.866], [0.5, -0.866], [-1.0, 0.0]])
    for latents, mean in zip(codec.latents, wanted, strict=True):
        np.testing.assert_allclose(latents.mean(dim=0).numpy(), mean, atol=0.12)


def test_decoded_latents_are_seen_as_their_class(codec: Codec) -> None:
    for label, latents in enumerate(codec.latents):
        images = codec.decode(latents.numpy())
        assert images.shape == (len(latents), SIDE, SIDE)
        assert np.mean(codec.classify(images) == label) > 0.95


def test_a_foreign_codec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_codec("letters", tmp_path)
    for path in PROJECT_MODELS.glob("letters_images.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / "letters_images.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="not what its card"):
        load_codec("letters", tmp_path)
    weights.write_bytes(content[:500])
    with pytest.raises(ModelError, match="malformed"):
        load_codec("letters", tmp_path)


def test_moons_are_two() -> None:
    points = get_task("moons").sample(20_000, torch.Generator().manual_seed(0))
    assert points.abs().max() < 1.5
    assert points.mean(dim=0).abs().max() < 0.35


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "There is no task file"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("x = 1", "has no attribute 'task'"),
        ("task = 3", "must be a cosim.diffusion.score.tasks.Task"),
        ("def broken(:", "SyntaxError"),
        (
            "import torch\nfrom cosim.diffusion.score.tasks import Task\n"
            "task = Task(name='t', description='', sample=lambda n, g: torch.zeros(n, 3))",
            r"gave shape \(16, 3\)",
        ),
        (
            "import torch\nfrom cosim.diffusion.score.tasks import Task\n"
            "task = Task(name='t', description='', sample=lambda n, g: torch.zeros(n, 2) / 0)",
            "NaN",
        ),
        (
            "import torch\nfrom cosim.diffusion.score.tasks import Task\n"
            "task = Task(name='../t', description='', sample=lambda n, g: torch.zeros(n, 2))",
            "named by letters and digits",
        ),
    ],
)
def test_a_task_file_that_defines_none_is_named(text: str | None, says: str, tmp_path) -> None:
    path = tmp_path / "own.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=says) as caught:
        get_task(str(path))
    assert "\n" not in str(caught.value)
