"""Training: denoising score matching, aware of the arrays' write errors.

    loss = mean (sigma(t) score(x_t, t) + z)^2 + saturation penalty,   x_t = alpha x_0 + sigma z

With every step each weight and bias is multiplied by 1 + n, n ~ N(0, 0.1); |n| > 0.2 is drawn
again uniformly within the bound.
Source: Vincent, Neural Computation 23, 1661 (2011); fact sheet, sections 2 and 3.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call

from cosim.score.metrics import histogram_distance, kl_nearest_neighbour, kl_pooled_histogram
from cosim.score.network import ScoreNetwork
from cosim.score.sampling import heun, initial_states
from cosim.score.tasks import Task, TrainingRecipe

EARLIEST_TIME = 1e-5
DATA_POINTS = 10_000
REPORT_STEPS = 100
TRUE_SAMPLES = 10_000

Progress = Callable[[int, int, float], None]
"""(step, steps, mean loss since the last call)."""


@dataclass(frozen=True)
class Trained:
    """A trained network and the mean loss of its last tenth of steps."""

    network: ScoreNetwork
    final_loss: float


def weight_noise(
    shape: torch.Size, recipe: TrainingRecipe, generator: torch.Generator
) -> torch.Tensor:
    """Relative errors of programmed weights."""
    noise = recipe.weight_noise * torch.randn(shape, generator=generator)
    bound = recipe.weight_noise_bound
    uniform = bound * (2 * torch.rand(shape, generator=generator) - 1)
    return torch.where(noise.abs() > bound, uniform, noise)


def denoising_loss(
    network: ScoreNetwork,
    parameters: dict[str, torch.Tensor],
    task: Task,
    points: torch.Tensor,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Score-matching loss and saturation penalty of a batch of data points [batch, states]."""
    t = EARLIEST_TIME + (1 - EARLIEST_TIME) * torch.rand(len(points), generator=generator)
    z = torch.randn(points.shape, generator=generator)
    alpha, sigma = task.sde.alpha(t)[:, None], task.sde.sigma(t)[:, None]
    hidden, raw = functional_call(
        _HiddenAndRaw(network), parameters, (alpha * points + sigma * z, t)
    )
    matching = (sigma * network.output_gain * raw + z).square().sum(dim=1).mean() / 2
    limit = task.recipe.saturation_limit
    penalty = sum((torch.relu(layer - limit).sum() for layer in hidden), torch.zeros(()))
    return matching, task.recipe.saturation_penalty * penalty


class _HiddenAndRaw(nn.Module):
    """Lets `functional_call` reach the hidden activations."""

    def __init__(self, network: ScoreNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        return self.network.hidden_and_raw(x, t)


def train(
    task: Task, seed: int, on_progress: Progress, recipe: TrainingRecipe | None = None
) -> Trained:
    """Train a network for `task`; the same seed gives the same weights on the same machine.

    Args:
        seed: of the initial weights, the data, and every draw in training.
        on_progress: called every few steps.
        recipe: instead of the task's own.
    """
    recipe = recipe or task.recipe
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = task.network()
    data = task.sample(DATA_POINTS, generator)
    parameters = dict(network.named_parameters())
    optimiser = torch.optim.Adam(
        parameters.values(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    average = {name: value.detach().clone() for name, value in parameters.items()}
    since, recent, last_tenth = 0.0, 0, []
    for step in range(1, recipe.steps + 1):
        points = data[torch.randint(DATA_POINTS, (recipe.batch,), generator=generator)]
        noisy = {
            f"network.{name}": value * (1 + weight_noise(value.shape, recipe, generator))
            for name, value in parameters.items()
        }
        matching, penalty = denoising_loss(network, noisy, task, points, generator)
        optimiser.zero_grad()
        (matching + penalty).backward()
        nn.utils.clip_grad_norm_(parameters.values(), recipe.gradient_clip)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            for name, value in parameters.items():
                average[name].lerp_(value, 1 - recipe.averaging)
        loss = float(matching.detach())
        since, recent = since + loss, recent + 1
        if step > 0.9 * recipe.steps:
            last_tenth.append(loss)
        if step % REPORT_STEPS == 0 or step == recipe.steps:
            on_progress(step, recipe.steps, since / recent)
            since, recent = 0.0, 0
    network.load_state_dict(average, strict=False)
    return Trained(network.eval(), sum(last_tenth) / len(last_tenth))


EVALUATION_SAMPLES, EVALUATION_STEPS = 2_000, 400


def evaluate(task: Task, trained: Trained, seed: int) -> dict[str, float]:
    """Metrics of the model card: loss, and KL of software samples to the true distribution."""
    network = trained.network.double()
    start = initial_states(EVALUATION_SAMPLES, network.states, seed)
    generator = torch.Generator().manual_seed(seed)
    true = task.sample(TRUE_SAMPLES, generator).double().numpy()
    flow = heun(network, task.sampling_sde, start, EVALUATION_STEPS).numpy()
    return {
        "final_loss": trained.final_loss,
        "ode_samples": EVALUATION_SAMPLES,
        "ode_kl_nearest_neighbour": kl_nearest_neighbour(flow, true),
        "ode_kl_pooled_histogram": kl_pooled_histogram(flow, true),
        "ode_histogram_distance": histogram_distance(flow, true),
        "largest_weight": max(float(p.detach().abs().max()) for p in network.parameters()),
    }
