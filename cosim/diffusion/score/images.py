"""Images to learn from, 12 x 12: letters of EMNIST, letters drawn here, scikit-learn's digits.

EMNIST's are resized to 14 x 14 and cropped at the centre (fact sheet, section 5).
"""

import gzip
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cosim.errors import ModelError
from cosim.trace.optional import optional

SIDE, DRAWN_SIDE = 12, 14
EACH = 2000
"""Drawn letters of a class."""

SUPERSAMPLED = 6
EMNIST_CLASSES = (17, 20, 30)
"""H, K and U in 'byclass'."""

DIGITS = (1, 4, 0)
LARGEST_FILE_IMAGES = 1_000_000


@dataclass(frozen=True)
class LabelledImages:
    """Images [n, 12, 12] in 0..1, their classes [n] from 0 on, and where they come from."""

    images: np.ndarray
    labels: np.ndarray
    source: str


Point = tuple[float, float]
STROKES: dict[str, tuple[tuple[Point, ...], ...]] = {
    "H": (((0.2, 0.1), (0.2, 0.9)), ((0.8, 0.1), (0.8, 0.9)), ((0.2, 0.5), (0.8, 0.5))),
    "K": (((0.22, 0.1), (0.22, 0.9)), ((0.78, 0.1), (0.22, 0.55)), ((0.4, 0.42), (0.8, 0.9))),
    "U": (((0.18, 0.1), (0.18, 0.6), (0.3, 0.85), (0.5, 0.9), (0.7, 0.85), (0.82, 0.6),
           (0.82, 0.1)),),
}  # fmt: skip
"""Pen strokes in the unit square, from the upper left."""


def drawn_letters(seed: int, each: int = EACH) -> LabelledImages:
    """Letters H, K and U as by many hands: each stroke bends, each letter leans, in pens of
    several widths; the same ones for the same seed.

    Args:
        seed: of all draws.
        each: number of images of a letter.
    """
    generator = np.random.default_rng(seed)
    images = [_drawn(strokes, generator) for strokes in STROKES.values() for _ in range(each)]
    labels = np.repeat(np.arange(len(STROKES)), each)
    return LabelledImages(np.array(images), labels, f"drawn strokes, seed {seed}")


def _drawn(strokes: Sequence[Sequence[Point]], generator: np.random.Generator) -> np.ndarray:
    angle = generator.normal(0, 0.1)
    lean, width, height = generator.normal(0, 0.12), *generator.uniform(0.75, 1.0, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shape = turn @ np.array([[width, lean], [0.0, height]])
    shift = 0.5 + generator.normal(0, 0.025, 2)
    size = DRAWN_SIDE * SUPERSAMPLED
    canvas = Image.new("L", (size, size))
    pen = ImageDraw.Draw(canvas)
    thick = generator.uniform(0.07, 0.15) * size
    for stroke in strokes:
        corners = np.array(stroke) + generator.normal(0, 0.03, (len(stroke), 2))
        place = np.linspace(0, len(corners) - 1, 24)
        bend = generator.normal(0, 0.03, 2)[:, None] * np.sin(np.pi * place / place[-1])
        path = (
            np.stack([np.interp(place, range(len(corners)), column) for column in corners.T]) + bend
        )
        ink = size * ((shape @ (path - 0.5)).T + shift)
        pen.line([tuple(point) for point in ink], fill=255, width=round(thick), joint="curve")
        for x, y in (ink[0], ink[-1]):
            half = thick / 2
            pen.ellipse([x - half, y - half, x + half, y + half], fill=255)
    pixels = np.asarray(canvas, dtype=float).reshape(DRAWN_SIDE, SUPERSAMPLED, DRAWN_SIDE, -1)
    return cropped(pixels.mean(axis=(1, 3)) / 255)


def cropped(image: np.ndarray) -> np.ndarray:
    """The middle 12 x 12 of the last two axes."""
    edge = (image.shape[-1] - SIDE) // 2
    return image[..., edge : edge + SIDE, edge : edge + SIDE]


def emnist_letters(folder: Path) -> LabelledImages:
    """H, K and U of EMNIST 'byclass', from a user's IDX files, as downloaded or unpacked.

    Raises:
        ModelError: a file is missing, truncated, or not what its name says.
    """
    images = read_idx(_find(folder, "emnist-byclass-train-images-idx3-ubyte"), 3)
    labels = read_idx(_find(folder, "emnist-byclass-train-labels-idx1-ubyte"), 1)
    if len(images) != len(labels) or images.shape[1:] != (28, 28):
        raise ModelError(
            f"{folder}: images of shape {images.shape} do not belong to {len(labels)} labels, or "
            "are not of 28 x 28 pixels. Take both files of EMNIST 'byclass', training part."
        )
    chosen = np.isin(labels, EMNIST_CLASSES)
    if any(np.sum(labels == label) < EACH // 20 for label in EMNIST_CLASSES):
        raise ModelError(
            f"{folder}: the labels hold too few of the classes {EMNIST_CLASSES} (H, K, U). Take "
            "the split 'byclass', not 'letters' or 'balanced'."
        )
    upright = images[chosen].transpose(0, 2, 1) / 255  # stored column by column
    small = upright.reshape(-1, DRAWN_SIDE, 2, DRAWN_SIDE, 2).mean(axis=(2, 4))
    numbers = np.searchsorted(EMNIST_CLASSES, labels[chosen])
    return LabelledImages(cropped(small), numbers, "EMNIST byclass")


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise ModelError(
        f"There is no {name} or {name}.gz in {folder}. Download EMNIST's 'gzip' archive (NIST) and "
        "give the folder with its files, or leave --data out to draw letters instead."
    )


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Bytes of an IDX file (LeCun's format: two zeros, type, dimensions, sizes, values).

    Raises:
        ModelError: it is truncated, foreign, or claims to be too large.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4 + 4 * dimensions)
            if len(head) < 4 + 4 * dimensions or head[:4] != bytes([0, 0, 8, dimensions]):
                raise ModelError(
                    f"{path} is no IDX file of bytes in {dimensions} dimensions: it begins with "
                    f"{head[:4].hex(' ')}. Download it again."
                )
            shape = struct.unpack(f">{dimensions}I", head[4:])
            count = int(np.prod(shape, dtype=object))
            if shape[0] > LARGEST_FILE_IMAGES or count > LARGEST_FILE_IMAGES * 28 * 28:
                raise ModelError(f"{path} claims {shape} values, more than EMNIST has.")
            values = file.read(count + 1)
    except (OSError, EOFError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Download it again.") from None
    if len(values) != count:
        raise ModelError(
            f"{path} holds {len(values)} values or more, but its header says {count}: it was cut "
            "off or changed. Download it again."
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def handwritten_digits() -> LabelledImages:
    """The digits 1, 4 and 0 among scikit-learn's 8 x 8 ones (UCI), enlarged to 12 x 12.

    Raises:
        TraceError: scikit-learn is not installed.
    """
    bundle = optional("sklearn.datasets").load_digits()
    chosen = np.isin(bundle.target, DIGITS)
    images = [_enlarged(image / 16) for image in bundle.images[chosen]]
    labels = np.array([DIGITS.index(digit) for digit in bundle.target[chosen]])
    return LabelledImages(np.array(images), labels, "scikit-learn's digits (UCI)")


def _enlarged(image: np.ndarray) -> np.ndarray:
    pixels = Image.fromarray((255 * image).astype(np.uint8))
    return np.asarray(pixels.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) / 255


SOURCES: dict[str, Callable[[int, Path | None], LabelledImages]] = {
    "letters": lambda seed, data: emnist_letters(data) if data else drawn_letters(seed),
    "digits": lambda seed, data: handwritten_digits(),
}
"""By task: seed, folder of the user's data."""
