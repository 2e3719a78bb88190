"""Training: deterministic, and with the noise it says."""

import dataclasses

import pytest
import torch

from cosim.diffusion.score.tasks import RING_DEVIATION, RING_RADIUS, get_task
from cosim.diffusion.score.training import Trained, train, weight_noise

TASK = get_task("circle")


def short_training(seed: int, steps: int) -> Trained:
    recipe = dataclasses.replace(TASK.recipe, steps=steps)
    return train(TASK, seed, lambda step, steps, loss: None, recipe)


def test_the_seed_decides_the_weights_to_the_bit() -> None:
    first, again, other = (short_training(seed, 30) for seed in (3, 3, 4))
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name
    assert not torch.equal(
        first.network.linear_layers[0].weight, other.network.linear_layers[0].weight
    )


def test_loss_falls_below_that_of_no_score() -> None:
    """A score of zero has loss E z^2 / ... = 1 for each coordinate's half sum: 1.0."""
    assert short_training(0, 300).final_loss < 0.85


def test_weight_noise_is_ten_percent_and_bounded() -> None:
    """sd of N(0, 0.1) whose tail beyond 0.2 (4.55 %) is uniform within 0.2 instead."""
    noise = weight_noise(torch.Size([200_000]), TASK.recipe, torch.Generator().manual_seed(0))
    assert float(noise.abs().max()) <= 0.2
    # Variance: of the normal cut at 2 sd, 0.7737 * 0.01 * 0.9545, plus 0.0455 * 0.2^2 / 3.
    assert float(noise.var()) == pytest.approx(0.7737 * 0.01 * 0.9545 + 0.0455 * 0.04 / 3, rel=0.02)


def test_ring_is_the_published_one() -> None:
    points = TASK.sample(50_000, torch.Generator().manual_seed(0))
    radius = points.norm(dim=1)
    assert float(radius.mean()) == pytest.approx(RING_RADIUS, abs=1e-3)
    assert float(radius.std()) == pytest.approx(RING_DEVIATION, abs=1e-3)
    assert points.mean(dim=0).abs().max() < 0.01


def test_saturation_penalty_holds_hidden_nodes_down() -> None:
    """A heavy one, so that 60 steps show it; without it, hidden nodes go on beyond the limit."""
    highest = []
    for weight in (0.0, 1e-1):
        recipe = dataclasses.replace(
            TASK.recipe, steps=60, saturation_penalty=weight, saturation_limit=0.5, averaging=0.0
        )
        network = train(TASK, 0, lambda step, steps, loss: None, recipe).network
        with torch.inference_mode():
            hidden, _ = network.hidden_and_raw(torch.randn(500, 2), torch.rand(500))
        highest.append(float(torch.stack(hidden).clamp(min=0.5).mean()))
    assert highest[1] < highest[0] - 0.05
