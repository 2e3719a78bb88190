"""The ring's exact score, in closed form but for one integral over the radius.

At time t the noised ring is a mixture over its radius r ~ N(R, s), the angle uniform:

    p(rho)  ~  integral N(r; R, s) exp(-(rho - alpha r)^2 / 2 sigma^2) i0e(alpha r rho / sigma^2) dr
    score_radial = d log p / d rho

with the scaled Bessel function i0e(z) = I_0(z) exp(-z). The two Gaussians make one in r, whose
mean and deviation place the nodes of a Gauss-Hermite quadrature; i0e is smooth over it.
Source: Abramowitz and Stegun, 9.6.16 (the angle's integral), 9.6.27 (I0' = I1), 25.4.46.
"""

import numpy as np
import torch
from scipy.special import i0e, i1e
from torch import nn

from cosim.diffusion.score.sde import Diffusion
from cosim.diffusion.score.tasks import RING_DEVIATION, RING_RADIUS

NODES = 16
LEAST_TIME = 1e-6
"""Where the noise's deviation is a thousandth of the ring's own."""


class ExactRingScore(nn.Module):
    """The score of the noised ring; takes the place of a trained network in a sampler.

    Args:
        sde: that turns the ring to noise.
    """

    states = 2

    def __init__(self, sde: Diffusion) -> None:
        super().__init__()
        self.sde = sde
        self._nodes, self._weights = np.polynomial.hermite_e.hermegauss(NODES)

    def radial(self, rho: np.ndarray, t: float) -> np.ndarray:
        """d log p / d rho at radii [n] and a time at which sigma > 0."""
        now = torch.tensor(t, dtype=torch.float64)
        alpha, variance = float(self.sde.alpha(now)), float(self.sde.sigma(now)) ** 2
        own = RING_DEVIATION**2
        whole = alpha**2 * own + variance
        middle = (alpha * own * rho + variance * RING_RADIUS) / whole
        radii = middle[:, None] + np.sqrt(own * variance / whole) * self._nodes
        product = alpha * radii * rho[:, None] / variance
        zeroth = self._weights * i0e(product)
        slope = self._weights * alpha * radii * i1e(product) - rho[:, None] * zeroth
        return np.asarray(slope.sum(axis=1) / zeroth.sum(axis=1) / variance)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Score [count, 2] of states [count, 2] at one time."""
        points = x.numpy()
        rho = np.maximum(np.linalg.norm(points, axis=1), 1e-9)
        radial = self.radial(rho, max(float(t), LEAST_TIME))
        return torch.from_numpy(points * (radial / rho)[:, None])
