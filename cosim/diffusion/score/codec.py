"""Images to latents and back: a variational autoencoder, and a classifier that judges images.

    loss = BCE summed over pixels + 3 KL(q(z | image) || N(mean of its class, I))

The classes' means are at radius 4 and 30, 150 and 270 degrees. What diffuses is x = latent / 8
with its coordinates swapped. The classifier is trained on images alone, never on latents.
Source: fact sheet, section 5; Kingma and Welling, arXiv 1312.6114.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from cosim.diffusion.score.images import SOURCES
from cosim.diffusion.score.model_files import MOST_MODEL_BYTE, write_model_files
from cosim.errors import ModelError
from cosim.files import read_regular

LATENT_PER_UNIT = 8.0
PRIOR_RADIUS = 4.0
PRIOR_DEGREES = (30.0, 150.0, 270.0)
PRIOR_WEIGHT = 3.0
BATCH = 64
STEPS = 3000
"""About 30 passes over the images."""

CLASSIFIER_STEPS = 1500
LEARNING_RATE = 1e-3
HELD_OUT = 0.15
STORED_EACH = 1500

Progress = Callable[[int, int, float], None]


class Autoencoder(nn.Module):
    """12 x 12 images to 2 latents and back; 'conv 1-8-16 k3 s2, fc 144-16' (fact sheet)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(144, 16), nn.ReLU(),
        )  # fmt: skip
        self.mean, self.log_variance = nn.Linear(16, 2), nn.Linear(16, 2)
        self.decoder = nn.Sequential(
            nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 144), nn.ReLU(),
            nn.Unflatten(1, (16, 3, 3)), nn.ConvTranspose2d(16, 8, 3, 2, 1, 1), nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 3, 2, 1, 1), nn.Sigmoid(),
        )  # fmt: skip


def make_classifier(classes: int) -> nn.Sequential:
    """A small convolutional network: images [n, 1, 12, 12] to logits [n, classes]."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 9, classes),
    )  # fmt: skip


class CodecCard(BaseModel):
    """What a codec is: enough to make it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    source: str
    images: int
    seed: int
    held_out_accuracy: float
    decoded_accuracy: float
    sha256: str


@dataclass(frozen=True)
class Codec:
    """A trained autoencoder and classifier.

    Attributes:
        latents: of training images by class, in units of x, each [n, 2].
    """

    autoencoder: Autoencoder
    classifier: nn.Sequential
    latents: tuple[torch.Tensor, ...]
    card: CodecCard

    def decode(self, x: np.ndarray) -> np.ndarray:
        """Images [n, 12, 12] in 0..1 of samples x [n, 2]."""
        latent = LATENT_PER_UNIT * torch.from_numpy(np.asarray(x)).float().flip(1)
        with torch.inference_mode():
            return np.asarray(self.autoencoder.decoder(latent)[:, 0].numpy(), dtype=float)

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Classes [n] that the independent classifier sees in images [n, 12, 12]."""
        with torch.inference_mode():
            logits = self.classifier(torch.from_numpy(images).float()[:, None])
        return np.asarray(logits.argmax(dim=1).numpy())


def train_codec(task: str, seed: int, data: Path | None, on_progress: Progress) -> Codec:
    """Train both on a task's images; the same seed gives the same weights on the same machine.

    Raises:
        ModelError: the user's data cannot be read.
    """
    source = SOURCES[task](seed, data)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        autoencoder = Autoencoder()
        classifier = make_classifier(int(source.labels.max()) + 1)
    images = torch.from_numpy(source.images).float()[:, None]
    labels = torch.from_numpy(source.labels).long()
    order = torch.randperm(len(images), generator=generator)
    held = order[: int(HELD_OUT * len(order))]
    kept = order[len(held) :]
    angles = torch.deg2rad(torch.tensor(PRIOR_DEGREES))
    priors = PRIOR_RADIUS * torch.stack([torch.cos(angles), torch.sin(angles)], dim=1)

    def reconstruction(batch: torch.Tensor) -> torch.Tensor:
        hidden = autoencoder.encoder(images[batch])
        mean, log_variance = autoencoder.mean(hidden), autoencoder.log_variance(hidden)
        noise = torch.randn(mean.shape, generator=generator)
        decoded = autoencoder.decoder(mean + torch.exp(log_variance / 2) * noise)
        entropy = nn.functional.binary_cross_entropy(decoded, images[batch], reduction="sum")
        away = (mean - priors[labels[batch]]).square() + log_variance.exp() - 1 - log_variance
        return (entropy + PRIOR_WEIGHT * away.sum() / 2) / len(batch)

    def judgement(batch: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(classifier(images[batch]), labels[batch])

    _minimise(autoencoder, reconstruction, kept, STEPS, generator, on_progress)
    _minimise(classifier, judgement, kept, CLASSIFIER_STEPS, generator, on_progress)
    autoencoder.eval()
    classifier.eval()
    with torch.inference_mode():
        latent = autoencoder.mean(autoencoder.encoder(images)).flip(1) / LATENT_PER_UNIT
        right = classifier(images[held]).argmax(dim=1) == labels[held]
        seen = classifier(autoencoder.decoder(LATENT_PER_UNIT * latent[held].flip(1)))
    latents = tuple(
        latent[labels == label][:STORED_EACH].clone() for label in range(len(PRIOR_DEGREES))
    )
    card = CodecCard(
        task=task, source=source.source, images=len(images), seed=seed,
        held_out_accuracy=float(right.float().mean()),
        decoded_accuracy=float((seen.argmax(dim=1) == labels[held]).float().mean()), sha256="",
    )  # fmt: skip
    return Codec(autoencoder, classifier, latents, card)


def _minimise(
    module: nn.Module,
    loss_of: Callable[[torch.Tensor], torch.Tensor],
    indices: torch.Tensor,
    steps: int,
    generator: torch.Generator,
    on_progress: Progress,
) -> None:
    """Adam on random batches, the learning rate falling along a cosine."""
    optimiser = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(1, steps + 1):
        chosen = indices[torch.randint(len(indices), (BATCH,), generator=generator)]
        loss = loss_of(chosen)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            on_progress(step, steps, float(loss.detach()))


def codec_paths(task: str, folder: Path) -> tuple[Path, Path]:
    """Weights and card."""
    return folder / f"{task}_images.safetensors", folder / f"{task}_images.json"


def save_codec(codec: Codec, folder: Path) -> None:
    """Write weights and card; each appears whole or not at all.

    Raises:
        ModelError: the folder cannot be written.
    """
    weights = save(
        {f"autoencoder.{k}": v.contiguous() for k, v in codec.autoencoder.state_dict().items()}
        | {f"classifier.{k}": v.contiguous() for k, v in codec.classifier.state_dict().items()}
        | {f"latents.{k}": v.contiguous() for k, v in enumerate(codec.latents)}
    )
    card = codec.card.model_copy(update={"sha256": hashlib.sha256(weights).hexdigest()})
    text = (card.model_dump_json(indent=2) + "\n").encode()
    path, card_path = codec_paths(codec.card.task, folder)
    write_model_files(codec.card.task, folder, {path: weights, card_path: text})


@cache
def load_codec(task: str, folder: Path) -> Codec:
    """A task's codec.

    Raises:
        ModelError: a file is missing, truncated, foreign, or does not fit the other.
    """
    path, card_path = codec_paths(task, folder)
    remedy = f"Make it again with `cosim train {task}`."
    try:
        content = read_regular(path, MOST_MODEL_BYTE)
        card = CodecCard.model_validate_json(read_regular(card_path, MOST_MODEL_BYTE))
        tensors = load(content)
    except OSError as error:
        raise ModelError(f"The codec of '{task}' cannot be read: {error}. {remedy}") from None
    except (ValidationError, SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path} or {card_path} is malformed: {error}. {remedy}") from None
    if card.task != task or hashlib.sha256(content).hexdigest() != card.sha256:
        raise ModelError(f"{path} is not what its card {card_path.name} describes. {remedy}")
    latents = tuple(
        tensors.get(f"latents.{label}", torch.empty(0)) for label in range(len(PRIOR_DEGREES))
    )
    if not all(
        tensor.is_floating_point() and tensor.isfinite().all() for tensor in tensors.values()
    ):
        raise ModelError(f"{path} holds what are no weights, NaN or infinity. {remedy}")
    if any(one.ndim != 2 or not len(one) or one.shape[1] != 2 for one in latents):
        raise ModelError(f"{path} has no latents [n, 2] of each class. {remedy}")
    autoencoder, classifier = Autoencoder(), make_classifier(len(latents))
    for name, module in (("autoencoder", autoencoder), ("classifier", classifier)):
        own = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(name)}
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            raise ModelError(f"{path} does not fit its {name}: {error}. {remedy}") from None
    return Codec(autoencoder.eval(), classifier.eval(), latents, card)


def sample_latents(
    task: str, label: int, count: int, generator: torch.Generator, folder: Path
) -> torch.Tensor:
    """Draws [count, 2] among the stored latents of a class, in units of x."""
    own = load_codec(task, folder).latents[label]
    return own[torch.randint(len(own), (count,), generator=generator)]
