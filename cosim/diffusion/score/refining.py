"""Last stage of training: through the samplers themselves, against the data.

    loss = denoising loss + flow_weight MMD^2(ODE samples, data)
           + reverse_weight MMD^2(reverse-SDE samples, data)

A small network's score is off where the data are rare, and a denoising loss hardly sees it; what
becomes of it after a whole solve, the maximum mean discrepancy (MMD) of the samples does. Weights
are noisy as in the stage before; a solve has one draw of them, as a chip has.
Source: Li, Swersky and Zemel, ICML 2015 (generative moment matching networks).
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.func import functional_call

from cosim.diffusion.score.metrics import KERNEL_UNITS
from cosim.diffusion.score.network import ScoreNetwork
from cosim.diffusion.score.sde import Diffusion

Field = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""The score at states [count, states] and a time."""


@dataclass(frozen=True)
class Refinement:
    """How the samplers take part in a stage of training.

    Attributes:
        samples: drawn by each sampler at each step of the optimiser; of the data, twice as many.
        flow_scale, reverse_scale: factors on beta in sampling.
        flow_steps, reverse_steps: of Heun's method, and of Euler-Maruyama.
    """

    samples: int = 800
    flow_weight: float = 1000.0
    reverse_weight: float = 200.0
    flow_scale: float = 1.5
    reverse_scale: float = 2.0
    flow_steps: int = 20
    reverse_steps: int = 50


def sampling_loss(
    network: ScoreNetwork,
    parameters: dict[str, torch.Tensor],
    refinement: Refinement,
    sde: Diffusion,
    deviation: float,
    data: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """Weighted MMD^2 of both samplers' samples to points of the data.

    Args:
        parameters: of the network, as written.
        sde: the diffusion in training.
        deviation: of the initial states.
        data: all points [n, states].
    """

    def score(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = functional_call(network, parameters, (x, t))
        return found

    count = refinement.samples
    shown = data[torch.randint(len(data), (2 * count,), generator=generator)]
    first, second = (
        deviation * torch.randn((count, network.states), generator=generator) for _ in range(2)
    )
    noise = torch.randn((refinement.reverse_steps, *second.shape), generator=generator)
    flow = _heun(score, sde.scaled(refinement.flow_scale), first, refinement.flow_steps)
    reverse = _euler(score, sde.scaled(refinement.reverse_scale), second, noise)
    return refinement.flow_weight * discrepancy(flow, shown) + (
        refinement.reverse_weight * discrepancy(reverse, shown)
    )


def _heun(score: Field, sde: Diffusion, x: torch.Tensor, steps: int) -> torch.Tensor:
    """As `cosim.diffusion.score.sampling.heun`, whose states have no gradients."""
    times = torch.arange(steps + 1) / steps
    for now, following in itertools.pairwise(times):
        slope = sde.flow(x, score(x, 1 - now), now)
        guess = x + slope / steps
        after = sde.flow(guess, score(guess, 1 - following), following)
        x = x + (slope + after) / (2 * steps)
    return x


def _euler(score: Field, sde: Diffusion, x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """As `cosim.diffusion.score.sampling.driven_euler`, whose states have no gradients."""
    steps = len(noise)
    for number, draw in enumerate(noise):
        now = torch.tensor(number / steps)
        drift = sde.reverse_drift(x, score(x, 1 - now), now)
        x = x + drift / steps + sde.diffusion(1 - now) * draw / math.sqrt(steps)
    return x


def discrepancy(generated: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """MMD^2 but for the part that is the data's alone; see `cosim.diffusion.score.metrics`."""

    def kernel(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        squares = (one[:, None] - other[None]).square().sum(dim=-1)
        each = [torch.exp(-squares / (2 * width**2)) for width in KERNEL_UNITS]
        return torch.stack(each).sum(dim=0)

    count = len(generated)
    own = kernel(generated, generated).sum() - count * len(KERNEL_UNITS)
    return own / (count * (count - 1)) - 2 * kernel(generated, true).mean()
