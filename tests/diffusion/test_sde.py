"""The diffusion against its definition, integrated numerically."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from cosim.diffusion.score.sde import VariancePreserving

TIMES = st.floats(1e-3, 1.0)
SDES = st.builds(VariancePreserving, beta_min=st.floats(1e-3, 1.0), beta_max=st.floats(1e-3, 25.0))


@given(SDES, TIMES)
def test_alpha_and_sigma_follow_from_beta(sde: VariancePreserving, t: float) -> None:
    """alpha = exp(-1/2 integral of beta), alpha^2 + sigma^2 = 1."""
    integral = quad(lambda s: float(sde.beta(torch.tensor(s, dtype=torch.float64))), 0, t)[0]
    time = torch.tensor(t, dtype=torch.float64)
    assert float(sde.alpha(time)) == pytest.approx(np.exp(-integral / 2), rel=1e-9)
    assert float(sde.alpha(time) ** 2 + sde.sigma(time) ** 2) == pytest.approx(1, rel=1e-12)


def test_published_values() -> None:
    """Fact sheet, section 2: alpha(1) = 0.882, sigma(1) = 0.471."""
    sde = VariancePreserving(beta_min=0.001, beta_max=0.5)
    one = torch.tensor(1.0, dtype=torch.float64)
    assert float(sde.alpha(one)) == pytest.approx(0.882, abs=5e-4)
    assert float(sde.sigma(one)) == pytest.approx(0.471, abs=5e-4)


def test_scaling_multiplies_beta() -> None:
    sde = VariancePreserving(beta_min=0.001, beta_max=0.5)
    t = torch.linspace(0, 1, 5)
    torch.testing.assert_close(sde.scaled(2.0).beta(t), 2 * sde.beta(t))
