"""A network that predicts the noise: its score, its circuit, and the ring's exact score."""

import math

import numpy as np
import pytest
import torch

from cosim.diffusion.config import parse
from cosim.diffusion.run import Run
from cosim.diffusion.score.exact import ExactRingScore
from cosim.diffusion.score.metrics import kernel_mmd, kl_histogram
from cosim.diffusion.score.network import LEAST_DEVIATION
from cosim.diffusion.score.sampling import driven_euler, proportional_euler
from cosim.diffusion.score.sde import VariancePreserving
from cosim.diffusion.score.tasks import RING_DEVIATION, RING_RADIUS, get_task
from cosim.diffusion.studies.quality import quality, radial_slope, true_ring
from cosim.errors import ConfigurationError

SDE = VariancePreserving(beta_min=0.001, beta_max=0.5)


def run_of(**tables: object) -> Run:
    values = {"name": "test", "task": "circle", "parametrisation": "epsilon", **tables}
    return Run(parse(values, "the test"))


def test_score_is_the_output_over_sigma() -> None:
    network = run_of().problem.network
    x = torch.randn(4, 2, dtype=torch.float64)
    for t in (1.0, 0.3, 1e-4):
        now = torch.tensor(t, dtype=torch.float64)
        sigma = max(float(SDE.sigma(now)), LEAST_DEVIATION)
        torch.testing.assert_close(network(x, now), network.raw_output(x, now) / sigma)


def test_exact_score_is_the_slope_of_the_log_density() -> None:
    """By brute force: the ring's density on a fine polar grid, noised, and its central slope."""
    score, t = ExactRingScore(SDE), torch.tensor(0.3, dtype=torch.float64)
    alpha, sigma = float(SDE.alpha(t)), float(SDE.sigma(t))
    radii = np.linspace(RING_RADIUS - 6 * RING_DEVIATION, RING_RADIUS + 6 * RING_DEVIATION, 301)
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    grid = np.stack(
        [np.outer(radii, np.cos(angles)), np.outer(radii, np.sin(angles))], axis=-1
    ).reshape(-1, 2)
    weight = np.repeat(np.exp(-((radii - RING_RADIUS) ** 2) / 2 / RING_DEVIATION**2), len(angles))

    def log_density(x: np.ndarray) -> float:
        squares = ((x - alpha * grid) ** 2).sum(axis=1)
        return math.log((weight * np.exp(-squares / (2 * sigma**2))).sum())

    for x in (np.array([0.5, 0.1]), np.array([-0.2, 0.9])):
        step = 1e-4
        slope = [
            (log_density(x + step * axis) - log_density(x - step * axis)) / (2 * step)
            for axis in np.eye(2)
        ]
        found = score(torch.from_numpy(x[None]), t).numpy()[0]
        np.testing.assert_allclose(found, slope, rtol=1e-5, atol=1e-6)


def test_exact_score_ends_as_the_ring_s_own() -> None:
    """d score / d rho = -1 / 0.04^2 = -625 where the noise has gone: the published network has
    -55 there.
    """
    assert radial_slope(ExactRingScore(SDE), 1e-3, RING_RADIUS) == pytest.approx(-625, rel=0.01)
    published = Run(parse({"name": "p", "task": "circle"}, "the test")).problem.network
    assert -80 < radial_slope(published, 1e-3, RING_RADIUS) < -30


def test_kernel_mmd_is_unbiased_and_sees_a_shift() -> None:
    """Equal distributions: zero within its spread. Shifted: the closed form for Gaussians."""
    generator = np.random.default_rng(0)
    same = [kernel_mmd(*generator.standard_normal((2, 200, 2))) for _ in range(30)]
    assert abs(np.mean(same)) < 3 * np.std(same) / math.sqrt(30)
    shift = np.array([0.5, 0.0])
    one, other = generator.standard_normal((2, 2000, 2))
    found = kernel_mmd(one + shift, other)
    expected = sum(  # E k(x, y) of x - y ~ N(m, 2 I) is w^2/(w^2+2) exp(-m^2 / 2(w^2+2))
        2 * w**2 / (w**2 + 2) * (1 - math.exp(-0.25 / (2 * (w**2 + 2)))) for w in (0.05, 0.2, 0.8)
    )
    assert found == pytest.approx(expected, rel=0.25)


def test_bench_s_noise_is_proportional_to_beta() -> None:
    """Without drift the variance is the integral of beta, or of beta^2: (0.5^3 - 0.001^3) / 3 /
    0.499 as beta falls on a straight line.
    """

    def still(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return -x / 2

    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(200, 4000, 1, dtype=torch.float64, generator=generator)
    start = torch.zeros(4000, 1, dtype=torch.float64)
    spread = []
    for sampler in (driven_euler, proportional_euler):
        # score = -x/2 cancels f x = -beta/2 x against beta * score in the reverse drift.
        spread.append(float(sampler(still, SDE, start, draws).var()))  # type: ignore[arg-type]
    assert spread[0] == pytest.approx((0.5 + 0.001) / 2, rel=0.05)
    assert spread[1] == pytest.approx((0.5**3 - 0.001**3) / 3 / 0.499, rel=0.05)


def test_starts_from_the_marginal() -> None:
    """Variance at t = 1: alpha^2 (0.7^2 + 0.04^2) / 2 + sigma^2; 1 as published is an option."""
    one = torch.tensor(1.0, dtype=torch.float64)
    variance = float(SDE.alpha(one)) ** 2 * (0.7**2 + 0.04**2) / 2 + float(SDE.sigma(one)) ** 2
    many = {"ensemble": {"samples": 2000}}
    assert run_of(**many).problem.initial_states.std() == pytest.approx(variance**0.5, rel=0.03)
    published = {"ensemble": {"samples": 2000, "prior_deviation": 1.0}}
    assert run_of(**published).problem.initial_states.std() == pytest.approx(1.0, rel=0.03)
    assert get_task("letters").start_deviation == pytest.approx(0.575, abs=0.002)
    assert get_task("circle").start_deviation == 1.0


def test_conditional_networks_predict_scores() -> None:
    with pytest.raises(ConfigurationError, match="parametrisation 'score'"):
        _ = run_of(task="letters").problem.network


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Errors of the circuit, as parts of the range."""
    found = {}
    for name, tables in {
        "lockstep": {"fidelity": {"all": "ideal"}, "equation": "sde"},
        "netlist": {"score": "analog", "fidelity": {"all": "macro"}},
        "transistors": {"fidelity": {"opamp": "transistor"}},
    }.items():
        run = run_of(**tables, sampling_scale=1.2)
        found[name] = run.execute(tmp_path_factory.mktemp(name)).solve.relative_error
    return found


def test_circuit_follows_the_reference_at_every_fidelity(solved: dict[str, float]) -> None:
    assert solved["lockstep"] < 0.003  # of the SDE, along its noise
    assert solved["netlist"] < 0.005
    assert solved["transistors"] < 0.002


def test_rate_of_the_score_is_beta_over_sigma() -> None:
    """Exact, and as converters hold it: 12 bits of the largest voltage of their bank."""
    exact = str(run_of(equation="sde").plan.netlist)
    assert "score_rate" in exact
    held = run_of(score="analog", fidelity={"all": "ideal", "dac": "macro"}).plan.netlist
    assert "score_rate" in str(held)
    assert "score_rate" not in str(run_of(parametrisation="score").plan.netlist)
    names = [signal.name for signal in run_of().plan.netlist.signals]
    assert "beta.score_rate" in names


def test_quality_of_true_samples_is_the_floor() -> None:
    """0.102 +- 0.012 nats of 500 true samples, which no sampler can go below."""
    clouds, true = [true_ring(500, seed) for seed in range(20)], true_ring()
    kl = [kl_histogram(cloud, true, 1.5) for cloud in clouds]
    assert np.mean(kl) == pytest.approx(0.102, abs=0.012)
    row = quality(clouds[:3])
    assert row["kl_mean_nat"] == pytest.approx(np.mean(kl[:3]))
    assert row["radial_deviation_unit"] == pytest.approx(RING_DEVIATION, rel=0.05)
    assert row["stray_part"] < 1e-3
