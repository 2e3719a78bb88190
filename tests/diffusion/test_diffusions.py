"""Diffusions and samplers against the closed forms of Gaussian data, whose score is known."""

import numpy as np
import pytest
import torch
from torch import nn

from cosim.diffusion.config import parse
from cosim.diffusion.run import Run
from cosim.diffusion.score.sampling import (
    euler,
    euler_maruyama,
    heun,
    initial_states,
    predictor_corrector,
    runge_kutta,
)
from cosim.diffusion.score.sde import (
    Diffusion,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
)
from cosim.errors import ConfigurationError

MEAN, DEVIATION = 0.4, 0.5
SDES = (
    VariancePreserving(beta_min=0.1, beta_max=10.0),
    SubVariancePreserving(beta_min=0.1, beta_max=10.0),
    VarianceExploding(sigma_min=0.05, sigma_max=4.0),
)


class GaussianScore(nn.Module):
    """The exact score of data from N(MEAN, DEVIATION^2) in each coordinate."""

    states = 2

    def __init__(self, sde: Diffusion) -> None:
        super().__init__()
        self.sde = sde

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = self.sde.alpha(t), self.sde.sigma(t)
        return -(x - alpha * MEAN) / (alpha**2 * DEVIATION**2 + sigma**2)


def flow_end(sde: Diffusion, start: torch.Tensor) -> torch.Tensor:
    """Closed form: the flow keeps (x - alpha mean) over its standard deviation."""
    one = torch.ones(()).double()
    alpha, sigma = sde.alpha(one), sde.sigma(one)
    scaled = (start - alpha * MEAN) / torch.sqrt(alpha**2 * DEVIATION**2 + sigma**2)
    return MEAN + DEVIATION * scaled


@pytest.mark.parametrize("sde", SDES, ids=lambda sde: type(sde).__name__)
def test_moments_satisfy_the_sde(sde: Diffusion) -> None:
    """alpha' = f alpha, (sigma^2)' = 2 f sigma^2 + g^2, by central differences."""
    t, h = torch.linspace(0.05, 0.95, 19).double(), 1e-5
    by_time = (sde.alpha(t + h) - sde.alpha(t - h)) / (2 * h)
    torch.testing.assert_close(by_time, sde.drift_rate(t) * sde.alpha(t), rtol=1e-7, atol=1e-9)
    by_time = (sde.sigma(t + h) ** 2 - sde.sigma(t - h) ** 2) / (2 * h)
    expected = 2 * sde.drift_rate(t) * sde.sigma(t) ** 2 + sde.diffusion(t) ** 2
    torch.testing.assert_close(by_time, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("sde", SDES, ids=lambda sde: type(sde).__name__)
def test_flow_samplers_converge_to_the_closed_form(sde: Diffusion) -> None:
    score, start = GaussianScore(sde), sde.prior_deviation * initial_states(50, 2, 0)
    exact = flow_end(sde, start)
    for sampler, order in ((euler, 1), (heun, 2)):
        errors = [
            float((sampler(score, sde, start, steps) - exact).abs().max()) for steps in (100, 400)
        ]
        assert np.log(errors[0] / errors[1]) / np.log(4) == pytest.approx(order, abs=0.25)
    found, evaluations = runge_kutta(score, sde, start)
    assert float((found - exact).abs().max()) < 2e-3
    assert 20 < evaluations < 500


@pytest.mark.parametrize("sde", SDES, ids=lambda sde: type(sde).__name__)
@pytest.mark.parametrize("sampler", [euler_maruyama, predictor_corrector])
def test_stochastic_samplers_give_the_data_s_moments(sde: Diffusion, sampler) -> None:
    """4000 samples of two coordinates: the mean within 5 standard errors and the step's error."""
    start = sde.prior_deviation * initial_states(4000, 2, 1)
    found = sampler(GaussianScore(sde), sde, start, 400, 2)
    assert float(found.mean()) == pytest.approx(MEAN, abs=0.04)
    assert float(found.std()) == pytest.approx(DEVIATION, rel=0.06)
    again = sampler(GaussianScore(sde), sde, start, 400, 2)
    assert torch.equal(found, again)


def test_circuits_solve_the_variance_preserving_one(tmp_path) -> None:
    (tmp_path / "own.py").write_text(
        "import torch\nfrom cosim.diffusion.score.sde import VarianceExploding\n"
        "from cosim.diffusion.score.tasks import Task\n"
        "task = Task(name='own', description='', sample=lambda n, g: torch.randn(n, 2),\n"
        "            sde=VarianceExploding(), sampling_scale=1)\n"
    )
    run = Run(parse({"name": "own", "task": str(tmp_path / "own.py")}, "the test"))
    with pytest.raises(ConfigurationError, match="VarianceExploding, but the circuit"):
        _ = run.problem.circuit_sde
    with pytest.raises(ConfigurationError, match="sampling_scale=1"):
        VarianceExploding().scaled(2.0)
    with pytest.raises(ValueError, match="larger than sigma_min"):
        VarianceExploding(sigma_min=2, sigma_max=1)
