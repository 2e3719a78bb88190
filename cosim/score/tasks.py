"""Tasks: what is to be generated, with everything that a model of it is trained and used by."""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from cosim.errors import ConfigurationError
from cosim.score.network import ScoreNetwork
from cosim.score.sde import VariancePreserving


@dataclass(frozen=True)
class TrainingRecipe:
    """Hyperparameters of denoising score matching (see `cosim.score.training`).

    Attributes:
        steps: optimiser steps.
        learning_rate: at the start; it falls to zero along a cosine.
        averaging: decay of the exponential moving average of the weights, which is what is kept.
        saturation_penalty: weight of the sum of hidden activations above `saturation_limit`.
        weight_noise, weight_noise_bound: relative standard deviation and bound of the noise on
            every weight and bias, redrawn at each step.
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


@dataclass(frozen=True)
class Task:
    """A distribution to generate from.

    Attributes:
        sample: draws n points [n, states] with a generator.
        description: one line for the model card.
        plot_limit: half the width of a plot.
        sde: the diffusion it is trained with.
        sampling_scale: factor on beta in sampling (fact sheet, section 2).
        network: makes an untrained network.
    """

    name: str
    description: str
    sample: Callable[[int, torch.Generator], torch.Tensor]
    plot_limit: float
    sde: VariancePreserving
    sampling_scale: float
    network: Callable[[], ScoreNetwork]
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)

    @property
    def sampling_sde(self) -> VariancePreserving:
        """The diffusion with beta as it is scaled in sampling."""
        return self.sde.scaled(self.sampling_scale)


RING_RADIUS, RING_DEVIATION = 0.7, 0.04


def _ring(count: int, generator: torch.Generator) -> torch.Tensor:
    radius = RING_RADIUS + RING_DEVIATION * torch.randn(count, generator=generator)
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)


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
    )
}


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        ConfigurationError: there is none; the message lists those there are.
    """
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConfigurationError(
            f"There is no task '{name}'.{hint} Known tasks: {', '.join(sorted(TASKS))}."
        )
    return TASKS[name]
