"""Training: denoising score matching, aware of the arrays' write errors.

    loss = mean (sigma(t) score(x_t, t) + z)^2 + saturation penalty,   x_t = alpha x_0 + sigma z

With every step each weight and bias is multiplied by 1 + n, n ~ N(0, 0.1); |n| > 0.2 is drawn
again uniformly within the bound. A conditional network is shown a tenth of the points without
their class, for guidance.
Source: Vincent, Neural Computation 23, 1661 (2011); fact sheet, sections 2 and 3.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from cosim.diffusion.score.hardware import Hardware
from cosim.diffusion.score.metrics import (
    histogram_distance,
    kl_nearest_neighbour,
    kl_pooled_histogram,
)
from cosim.diffusion.score.network import EXACT, ConditionalScoreNetwork, Exact, Score, ScoreNetwork
from cosim.diffusion.score.refining import sampling_loss
from cosim.diffusion.score.sampling import EARLIEST_TIME, heun, initial_states
from cosim.diffusion.score.tasks import Task, TrainingRecipe

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
    labels: torch.Tensor | None,
    generator: torch.Generator,
    hardware: Exact = EXACT,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Score-matching loss and saturation penalty of a batch of data points [batch, states], with
    their classes [batch] (-1 for none) where the network has a condition.
    """
    t = EARLIEST_TIME + (1 - EARLIEST_TIME) * torch.rand(len(points), generator=generator)
    z = torch.randn(points.shape, generator=generator)
    alpha, sigma = task.sde.alpha(t)[:, None], task.sde.sigma(t)[:, None]
    hidden, raw = functional_call(
        _HiddenAndRaw(network), parameters, (alpha * points + sigma * z, t, labels, hardware)
    )
    matching = (sigma * network.score_factor(t)[:, None] * raw + z).square().sum(dim=1).mean() / 2
    limit = task.recipe.saturation_limit
    penalty = sum((torch.relu(layer - limit).sum() for layer in hidden), torch.zeros(()))
    return matching, task.recipe.saturation_penalty * penalty


class _HiddenAndRaw(nn.Module):
    """Lets `functional_call` reach the hidden activations."""

    def __init__(self, network: ScoreNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        labels: torch.Tensor | None,
        hardware: Exact,
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        if labels is None:
            return self.network.hidden_and_raw(x, t, hardware=hardware)
        assert isinstance(self.network, ConditionalScoreNetwork)
        return self.network.hidden_and_raw(x, t, self.network.condition(labels), hardware)


def train(
    task: Task,
    seed: int,
    on_progress: Progress,
    recipe: TrainingRecipe | None = None,
    activation_curve: np.ndarray | None = None,
) -> Trained:
    """Train a network for `task`; the same seed gives the same weights on the same machine.

    Args:
        seed: of the initial weights, the data, and every draw in training.
        on_progress: called every few steps.
        recipe: instead of the task's own.
        activation_curve: of the hidden stages, measured [2, n]; see `Hardware`.
    """
    recipe = recipe or task.recipe
    task = replace(task, recipe=recipe)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = task.network()
    data = _data(task, generator)
    trained = _stage(network, task, data, generator, on_progress, activation_curve)
    for recipe in task.further:
        stage = replace(task, recipe=recipe)
        trained = _stage(network, stage, data, generator, on_progress, activation_curve)
    return trained


def _stage(
    network: ScoreNetwork,
    task: Task,
    data: tuple[torch.Tensor, torch.Tensor | None],
    generator: torch.Generator,
    on_progress: Progress,
    activation_curve: np.ndarray | None,
) -> Trained:
    """Train a network by a task's recipe, from what it is."""
    recipe, (data_points, classes) = task.recipe, data
    hardware: Exact = EXACT
    if recipe.read_noise or activation_curve is not None:
        hardware = Hardware(generator, recipe.read_noise, activation_curve)
    parameters = dict(network.named_parameters())
    optimiser = torch.optim.Adam(
        parameters.values(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    average = {name: value.detach().clone() for name, value in parameters.items()}
    since, recent, last_tenth = 0.0, 0, []
    for step in range(1, recipe.steps + 1):
        drawn = torch.randint(len(data_points), (recipe.batch,), generator=generator)
        labels = None
        if classes is not None:
            unseen = torch.rand(recipe.batch, generator=generator) < recipe.condition_dropout
            labels = torch.where(unseen, -1, classes[drawn])
        # A condition is computed once, in software; only the arrays' weights are written.
        noisy = {
            f"network.{name}": value * (1 + weight_noise(value.shape, recipe, generator))
            if name.startswith("linear_layers")
            else value
            for name, value in parameters.items()
        }
        matching, penalty = denoising_loss(
            network, noisy, task, data_points[drawn], labels, generator, hardware
        )
        loss = matching + penalty
        if recipe.sampling is not None:
            written = {name.removeprefix("network."): value for name, value in noisy.items()}
            loss = loss + sampling_loss(
                network, written, recipe.sampling, task.sde, task.start_deviation, data_points,
                generator,
            )  # fmt: skip
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters.values(), recipe.gradient_clip)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            for name, value in parameters.items():
                if recipe.weight_limit and name.startswith("linear_layers"):
                    value.clamp_(-recipe.weight_limit, recipe.weight_limit)
                average[name].lerp_(value, 1 - recipe.averaging)
        matched = float(matching.detach())
        since, recent = since + matched, recent + 1
        if step > 0.9 * recipe.steps:
            last_tenth.append(matched)
        if step % REPORT_STEPS == 0 or step == recipe.steps:
            on_progress(step, recipe.steps, since / recent)
            since, recent = 0.0, 0
    network.load_state_dict(average, strict=False)
    return Trained(network.eval(), sum(last_tenth) / len(last_tenth))


def _data(task: Task, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Points and, for a conditional task, their classes, equally many of each."""
    if task.sample_class is None:
        return task.sample(DATA_POINTS, generator), None
    count = DATA_POINTS // len(task.classes)
    each = [task.sample_class(label, count, generator) for label in range(len(task.classes))]
    return torch.cat(each), torch.arange(len(each)).repeat_interleave(count)


EVALUATION_SAMPLES, EVALUATION_STEPS, ACCURACY_SAMPLES = 2_000, 400, 500


def evaluate(task: Task, trained: Trained, seed: int) -> dict[str, float]:
    """Metrics of the model card: loss, and KL of software samples to the true distribution; of a
    conditional model for each class, by its name.
    """
    network = trained.network.double()
    values = {
        "final_loss": trained.final_loss,
        "largest_weight": max(float(p.detach().abs().max()) for p in network.parameters()),
        "ode_samples": EVALUATION_SAMPLES,
    }
    generator = torch.Generator().manual_seed(seed)
    if task.sample_class is None:
        true = task.sample(TRUE_SAMPLES, generator)
        return values | _distances(task, network, true, seed)
    assert isinstance(network, ConditionalScoreNetwork)
    for label, name in enumerate(task.classes):
        true = task.sample_class(label, TRUE_SAMPLES, generator)
        found = _distances(task, network.given(label), true, seed)
        values |= {f"{name}_{metric}": value for metric, value in found.items()}
        if task.images:
            values[f"{name}_class_accuracy"] = class_accuracy(task, network, label, seed)
    return values


def class_accuracy(task: Task, network: ConditionalScoreNetwork, label: int, seed: int) -> float:
    """Part of software samples of a class whose decoded images the classifier takes for it."""
    from cosim.diffusion.score.codec import load_codec
    from cosim.diffusion.score.model_files import PROJECT_MODELS

    start = task.start_deviation * initial_states(ACCURACY_SAMPLES, network.states, seed)
    samples = heun(network.given(label), task.sampling_sde, start, EVALUATION_STEPS).numpy()
    codec = load_codec(task.name, PROJECT_MODELS)
    return float(np.mean(codec.classify(codec.decode(samples)) == label))


def _distances(task: Task, network: Score, true: torch.Tensor, seed: int) -> dict[str, float]:
    start = task.start_deviation * initial_states(EVALUATION_SAMPLES, network.states, seed)
    flow = heun(network, task.sampling_sde, start, EVALUATION_STEPS).numpy()
    points = true.double().numpy()
    return {
        "ode_kl_nearest_neighbour": kl_nearest_neighbour(flow, points),
        "ode_kl_pooled_histogram": kl_pooled_histogram(flow, points),
        "ode_histogram_distance": histogram_distance(flow, points),
    }
