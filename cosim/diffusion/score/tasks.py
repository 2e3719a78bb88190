"""Tasks: what is to be generated, with everything that a model of it is trained and used by."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cosim.diffusion.score.network import ConditionalScoreNetwork, EpsilonNetwork, ScoreNetwork
from cosim.diffusion.score.refining import Refinement
from cosim.diffusion.score.sde import Diffusion, VariancePreserving
from cosim.errors import ConfigurationError
from cosim.plugins import Registry, is_file


@dataclass(frozen=True)
class TrainingRecipe:
    """Hyperparameters of denoising score matching (see `cosim.diffusion.score.training`).

    Attributes:
        steps: optimiser steps.
        learning_rate: at the start; it falls to zero along a cosine.
        averaging: decay of the exponential moving average of the weights, which is what is kept.
        saturation_penalty: weight of the sum of hidden activations above `saturation_limit`.
        weight_noise, weight_noise_bound: relative standard deviation and bound of the noise on
            every weight and bias of the arrays, redrawn at each step.
        condition_dropout: probability that a point is shown without its class.
        weight_limit: weights and biases of the arrays are clipped to it after each step, so that
            none alone takes the whole conductance window; 0 for none.
        read_noise: standard deviation of each cell's relative fluctuation, drawn for each point.
        sampling: how the samplers take part; None: not at all.
    """

    steps: int = 40_000
    batch: int = 512
    learning_rate: float = 1e-2
    weight_decay: float = 3e-5
    gradient_clip: float = 0.1
    averaging: float = 0.999
    saturation_limit: float = 1.5
    saturation_penalty: float = 1e-7
    weight_noise: float = 0.1
    weight_noise_bound: float = 0.2
    condition_dropout: float = 0.1
    weight_limit: float = 0.0
    read_noise: float = 0.0
    sampling: Refinement | None = None


@dataclass(frozen=True)
class Task:
    """A distribution to generate from.

    Attributes:
        sample: draws n points [n, states] with a generator, of all classes.
        description: one line for the model card.
        plot_limit: half the width of a plot.
        sde: the diffusion it is trained with.
        sampling_scale: factor on beta in sampling (fact sheet, section 2).
        prior_deviation: standard deviation of the states that generation starts from; the
            diffusion's where it is None.
        network: makes an untrained network.
        further: of further trainings, each from where the one before ends.
        classes: their names, for a conditional model.
        sample_class: draws n points of a class, by its number.
        images: whether its points are latents of images, with a codec of the task's name.
        folder: of its trained model; None for the project's.
    """

    name: str
    description: str
    sample: Callable[[int, torch.Generator], torch.Tensor]
    plot_limit: float = 1.5
    sde: Diffusion = VariancePreserving(beta_min=0.001, beta_max=0.5)
    sampling_scale: float = 2.0
    prior_deviation: float | None = None
    network: Callable[[], ScoreNetwork] = ScoreNetwork
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)
    further: tuple[TrainingRecipe, ...] = ()
    classes: tuple[str, ...] = ()
    sample_class: Callable[[int, int, torch.Generator], torch.Tensor] | None = None
    images: bool = False
    folder: Path | None = None

    def label(self, name: str) -> int:
        """Number of a class.

        Raises:
            ConfigurationError: the task does not have it.
        """
        if name not in self.classes:
            has = f"has the classes {', '.join(self.classes)}" if self.classes else "has no classes"
            raise ConfigurationError(
                f"Task '{self.name}' {has}, but the condition is '{name}'. Choose one it has, or "
                "leave the condition out."
            )
        return self.classes.index(name)

    @property
    def sampling_sde(self) -> Diffusion:
        """The diffusion with beta as it is scaled in sampling."""
        return self.sde.scaled(self.sampling_scale)

    @property
    def start_deviation(self) -> float:
        """Standard deviation of the states that generation starts from."""
        return self.sde.prior_deviation if self.prior_deviation is None else self.prior_deviation

    def predicting_noise(self) -> "Task":
        """The same with a network that predicts the noise, started as the noised data end.

        Raises:
            ConfigurationError: the task has classes.
        """
        if self.classes:
            raise ConfigurationError(
                f"Task '{self.name}' has classes, but parametrisation 'epsilon' is of networks "
                "without a condition. Choose parametrisation 'score', or a task without classes."
            )
        points = self.sample(MARGINAL_POINTS, torch.Generator().manual_seed(0))
        return replace(
            self,
            name=f"{self.name}_epsilon",
            network=partial(EpsilonNetwork, self.sde),
            further=(EPSILON_POLISH, EPSILON_REFINING),
            prior_deviation=marginal_deviation(self.sde, float(points.var(dim=0).mean())),
        )


def marginal_deviation(sde: Diffusion, variance: float) -> float:
    """Standard deviation, of each state, that data of a variance have at t = 1."""
    end = torch.ones((), dtype=torch.float64)
    return float((sde.alpha(end) ** 2 * variance + sde.sigma(end) ** 2).sqrt())


MARGINAL_POINTS = 100_000
EPSILON_POLISH = TrainingRecipe(
    steps=20_000, batch=1024, learning_rate=4e-3, weight_decay=0.0, gradient_clip=1.0,
    weight_noise=0.01, weight_noise_bound=0.02,
)  # fmt: skip
"""With little noise: a network of 14 units cannot be steep and forgiving, and noise costs it ends
of the flow that miss the ring.
"""
EPSILON_REFINING = replace(
    EPSILON_POLISH, steps=600, learning_rate=2e-3, averaging=0.98, sampling=Refinement()
)
"""Through the samplers, which the denoising loss says little of where data are rare."""

CHECKED_POINTS = 16
RING_RADIUS, RING_DEVIATION = 0.7, 0.04


def _ring(count: int, generator: torch.Generator) -> torch.Tensor:
    radius = RING_RADIUS + RING_DEVIATION * torch.randn(count, generator=generator)
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)


MIXTURE_DEVIATION = 0.125
MIXTURE_MEANS = ((0.25, 0.433), (0.25, -0.433), (-0.5, 0.0))
"""Of the letters' latents, H, K and U: fact sheet, section 5."""

MIXTURE_VARIANCE = MIXTURE_DEVIATION**2 + sum(x**2 for mean in MIXTURE_MEANS for x in mean) / 6
"""Of each of the two states, over all classes."""

LETTERS_FREQUENCIES = (-0.5548, -0.0479, -1.0204, -1.3010, -0.4350, -0.6310, -0.0156)
"""The published bench's frequencies for the letters: fact sheet, section 4."""


def _mixture_class(label: int, count: int, generator: torch.Generator) -> torch.Tensor:
    mean = torch.tensor(MIXTURE_MEANS[label])
    return mean + MIXTURE_DEVIATION * torch.randn((count, 2), generator=generator)


def _mixture(count: int, generator: torch.Generator) -> torch.Tensor:
    labels = torch.randint(len(MIXTURE_MEANS), (count,), generator=generator)
    noise = torch.randn((count, 2), generator=generator)
    return torch.tensor(MIXTURE_MEANS)[labels] + MIXTURE_DEVIATION * noise


MOON_DEVIATION = 0.05


def _moons(count: int, generator: torch.Generator) -> torch.Tensor:
    """Two half circles of radius 0.7 that reach into each other."""
    angle = math.pi * torch.rand(count, generator=generator)
    lower = torch.randint(2, (count,), generator=generator)
    sign = 1.0 - 2.0 * lower
    points = torch.stack(
        [0.7 * sign * torch.cos(angle) + 0.35 * (2 * lower - 1),
         0.7 * sign * torch.sin(angle) + 0.15 * (2 * lower - 1)], dim=1,
    )  # fmt: skip
    return points + MOON_DEVIATION * torch.randn((count, 2), generator=generator)


def _latents_class(task: str, label: int, count: int, generator: torch.Generator) -> torch.Tensor:
    from cosim.diffusion.score.codec import sample_latents
    from cosim.diffusion.score.model_files import PROJECT_MODELS

    return sample_latents(task, label, count, generator, PROJECT_MODELS)


def _latents(task: str, count: int, generator: torch.Generator) -> torch.Tensor:
    each = [_latents_class(task, label, count, generator) for label in range(3)]
    chosen = torch.randint(3, (count,), generator=generator)
    return torch.stack(each)[chosen, torch.arange(count)]


def _image_task(name: str, description: str, classes: tuple[str, ...]) -> Task:
    """Latent diffusion of images, conditional on their class.

    Started from N(0, I), as published, latents keep a tail: their marginal at t = 1 is narrower.
    """
    sde = VariancePreserving(beta_min=0.001, beta_max=0.5)
    return Task(
        name=name,
        description=description,
        sample=partial(_latents, name),
        plot_limit=1.5,
        sde=sde,
        sampling_scale=1.5,
        prior_deviation=marginal_deviation(sde, MIXTURE_VARIANCE),
        network=partial(ConditionalScoreNetwork, len(classes), LETTERS_FREQUENCIES),
        recipe=TrainingRecipe(weight_decay=1e-4, saturation_penalty=3e-6),
        classes=classes,
        sample_class=partial(_latents_class, name),
        images=True,
    )


TASKS = {
    task.name: task
    for task in (
        Task(
            name="circle",
            description="ring: radius N(0.7, 0.04), angle uniform",
            sample=_ring,
            plot_limit=1.5,
            sde=VariancePreserving(beta_min=0.001, beta_max=0.5),
            sampling_scale=2.0,
            network=ScoreNetwork,
        ),
        Task(
            name="gaussian_mixture",
            description="three Gaussians of deviation 0.125, where the letters' latents are",
            sample=_mixture,
            plot_limit=1.5,
            sde=VariancePreserving(beta_min=0.001, beta_max=0.5),
            sampling_scale=1.5,
            network=partial(ConditionalScoreNetwork, len(MIXTURE_MEANS), LETTERS_FREQUENCIES),
            recipe=TrainingRecipe(weight_decay=1e-4, saturation_penalty=3e-6),
            classes=("H", "K", "U"),
            sample_class=_mixture_class,
        ),
        Task(
            name="moons",
            description="two half circles of radius 0.7, deviation 0.05",
            sample=_moons,
            plot_limit=1.5,
            sde=VariancePreserving(beta_min=0.001, beta_max=0.5),
            sampling_scale=2.0,
            network=ScoreNetwork,
        ),
        _image_task(
            "letters", "latents of letters H, K and U, see the codec's card", ("H", "K", "U")
        ),
        _image_task("digits", "latents of the digits 1, 4 and 0", ("1", "4", "0")),
    )
}


def _accepted(found: Any) -> Task:
    if not isinstance(found, Task) or not re.fullmatch(r"\w{1,60}", found.name):
        raise TypeError(
            "`task` must be a cosim.diffusion.score.tasks.Task named by letters and digits"
        )
    points = found.sample(CHECKED_POINTS, torch.Generator().manual_seed(0))
    expected = (CHECKED_POINTS, found.network().states)
    if points.shape != expected or not torch.isfinite(points).all():
        raise ValueError(
            f"`task.sample` gave shape {tuple(points.shape)}, or NaN; it must give finite points "
            f"{expected}"
        )
    return found


REGISTRY = Registry("task", "cosim.tasks", _accepted, TASKS)


def get_task(name: str) -> Task:
    """The task of that name: built in, or of an entry point in the group `cosim.tasks`; or that a
    Python file (`my_task.py`) sets `task` to, whose model is kept beside it.

    Raises:
        ConfigurationError: there is none; the message lists those there are, or says what is wrong
            with the file.
    """
    task = REGISTRY.find(name)
    return replace(task, folder=Path(name).resolve().parent) if is_file(name) else task
