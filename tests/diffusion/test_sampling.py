"""Samplers against a diffusion whose flow is known: data at one point, so score = -x' / sigma^2."""

import numpy as np
import pytest
import torch

from cosim.diffusion.score.held import HeldNoise
from cosim.diffusion.score.sampling import (
    driven_euler,
    driven_solution,
    euler,
    euler_maruyama,
    held_noise_solution,
    heun,
    initial_states,
    noise_draws,
    reference_solution,
)
from cosim.diffusion.score.sde import VariancePreserving

SDE = VariancePreserving(beta_min=0.1, beta_max=2.0)
DEVIATION = 0.5


class GaussianScore(torch.nn.Module):
    """Exact score for data N(0, DEVIATION^2)."""

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return -x / variance(t)


def variance(t: torch.Tensor) -> torch.Tensor:
    return SDE.alpha(t) ** 2 * DEVIATION**2 + SDE.sigma(t) ** 2


def exact(states: torch.Tensor) -> torch.Tensor:
    """The flow keeps x / sd(t) constant."""
    zero, one = torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    return states * torch.sqrt(variance(zero) / variance(one))


@pytest.mark.parametrize(("sampler", "order"), [(euler, 1), (heun, 2)])
def test_order(sampler: object, order: int) -> None:
    start = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    steps = [20, 40, 80, 160]
    errors = [
        float((sampler(GaussianScore(), SDE, start, n) - exact(start)).abs().max())  # type: ignore[operator]
        for n in steps
    ]
    slope = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.1)


def test_reference_solution_is_the_closed_form() -> None:
    start = torch.tensor([1.0, -2.0], dtype=torch.float64)
    solved = reference_solution(GaussianScore(), SDE, start.numpy(), np.array([0.0, 1.0]))  # type: ignore[arg-type]
    np.testing.assert_allclose(solved, [start.numpy(), exact(start).numpy()], rtol=1e-7)


def test_reverse_sde_reaches_the_data_distribution() -> None:
    one = torch.tensor(1.0, dtype=torch.float64)
    start = torch.sqrt(variance(one)) * initial_states(20_000, 2, seed=1)
    samples = euler_maruyama(GaussianScore(), SDE, start, steps=200, seed=2)  # type: ignore[arg-type]
    # 40,000 values: the sd's own standard error is 0.35 %; Euler-Maruyama's bias is about 1 %.
    assert float(samples.std()) == pytest.approx(DEVIATION, rel=0.03)


def test_euler_maruyama_converges_to_the_held_noise_solution() -> None:
    """Each draw split into n equal parts of the same rate: the error falls as 1/n."""
    start = initial_states(1, 2, seed=1)
    draws = noise_draws(0, updates=10, states=2, seed=3)
    exact_path = held_noise_solution(GaussianScore(), SDE, start[0].numpy(), np.ones(1), draws)  # type: ignore[arg-type]
    parts = [20, 40, 80]
    errors = []
    for count in parts:
        split = torch.from_numpy(np.repeat(draws, count, axis=0)[:, None, :]) / np.sqrt(count)
        reached = driven_euler(GaussianScore(), SDE, start, split)  # type: ignore[arg-type]
        errors.append(float(np.abs(reached.numpy() - exact_path).max()))
    assert -np.polyfit(np.log(parts), np.log(errors), 1)[0] == pytest.approx(1, abs=0.15)


def test_driven_solution_is_the_held_noise_solution_for_constant_rates() -> None:
    """One draw held throughout, on a straight line: two integrators, one path."""
    start, draws = np.array([1.0, -2.0]), np.array([[0.7, -1.1], [0.7, -1.1]])
    tau = np.linspace(0, 1, 201)
    held = held_noise_solution(GaussianScore(), SDE, start, tau, draws)  # type: ignore[arg-type]
    rates = np.repeat(np.sqrt(2) * draws[:1], len(tau), axis=0)
    driven = driven_solution(GaussianScore(), SDE, start, tau, rates)  # type: ignore[arg-type]
    np.testing.assert_allclose(driven, held, atol=1e-6)


def test_ramps_between_draws_keep_their_sum() -> None:
    """Each takes from a draw what it gives to its neighbour; the first ramp begins before."""
    draws = noise_draws(0, updates=10, states=2, seed=3)
    sharp, ramped = (HeldNoise.of(draws, part) for part in (0.0, 1 / 3))
    for shape in (sharp, ramped):
        assert shape.tau[0] == 0 and shape.tau[-1] == 1 and (np.diff(shape.tau) >= 0).all()
    sums = [np.trapezoid(shape.rates, shape.tau, axis=0) for shape in (sharp, ramped)]
    np.testing.assert_allclose(sums[0], draws.sum(axis=0) / np.sqrt(10))
    missing = draws[0] / np.sqrt(10) / 24
    np.testing.assert_allclose(sums[0] - sums[1], missing)


def test_held_noise_with_ramps_is_followed_like_a_recorded_one() -> None:
    start, draws = np.array([1.0, -2.0]), noise_draws(0, updates=5, states=2, seed=3)
    tau = np.linspace(0, 1, 601)
    held = held_noise_solution(GaussianScore(), SDE, start, tau, draws, 1 / 3)  # type: ignore[arg-type]
    shape = HeldNoise.of(draws, 1 / 3)
    rates = np.stack([np.interp(tau, shape.tau, rate) for rate in shape.rates.T], axis=1)
    driven = driven_solution(GaussianScore(), SDE, start, tau, rates)  # type: ignore[arg-type]
    np.testing.assert_allclose(driven, held, atol=1e-6)


def test_noise_of_a_member_does_not_depend_on_the_others() -> None:
    first, second = (noise_draws(member, 50, 2, seed=7) for member in (0, 1))
    np.testing.assert_array_equal(first, noise_draws(0, 50, 2, seed=7))
    assert np.abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.4


def test_initial_states_do_not_depend_on_their_number() -> None:
    assert torch.equal(initial_states(3, 2, seed=5), initial_states(10, 2, seed=5)[:3])
