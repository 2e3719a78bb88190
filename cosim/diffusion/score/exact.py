"""The ring's exact score, in closed form but for one integral over the radius.

At time t the ring is p(x) = integral w(r) N(|x|; alpha r, sigma) ring average, which for a uniform
angle gives with the scaled Bessel function i0e(z) = I_0(z) exp(-z)

    p(rho)  ~  integral w(r) exp(-(rho - alpha r)^2 / 2 sigma^2) i0e(alpha r rho / sigma^2) dr
    score_radial = d log p / d rho

Source: Abramowitz and Stegun, 9.6.16 (the angle's integral) and 9.6.27 (I0' = I1).
"""

import numpy as np
import torch
from scipy.special import i0e, i1e
from torch import nn

from cosim.diffusion.score.sde import Diffusion
from cosim.diffusion.score.tasks import RING_DEVIATION, RING_RADIUS

NODES, REACH = 241, 5.0
"""Of the radius' integral, and how many standard deviations it spans."""


class ExactRingScore(nn.Module):
    """The score of the noised ring; takes the place of a trained network in a sampler.

    Args:
        sde: that turns the ring to noise.
    """

    states = 2

    def __init__(self, sde: Diffusion) -> None:
        super().__init__()
        self.sde = sde
        offsets = np.linspace(-REACH, REACH, NODES)
        self._radii = RING_RADIUS + RING_DEVIATION * offsets
        self._weights = np.exp(-(offsets**2) / 2)

    def radial(self, rho: np.ndarray, t: float) -> np.ndarray:
        """d log p / d rho at radii [n] and a time at which sigma > 0."""
        now = torch.tensor(t, dtype=torch.float64)
        alpha, variance = float(self.sde.alpha(now)), float(self.sde.sigma(now)) ** 2
        means = alpha * self._radii
        product = rho[:, None] * means / variance
        log_kernel = -((rho[:, None] - means) ** 2) / (2 * variance)
        kernel = self._weights * np.exp(log_kernel - log_kernel.max(axis=1, keepdims=True))
        zeroth = kernel * i0e(product)
        slope = (means * kernel * i1e(product) - rho[:, None] * zeroth) / variance
        return np.asarray(slope.sum(axis=1) / zeroth.sum(axis=1))

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Score [count, 2] of states [count, 2] at one time."""
        points = x.numpy()
        rho = np.maximum(np.linalg.norm(points, axis=1), 1e-9)
        # Within a hundredth of the ring's own deviation, noise that has gone changes nothing.
        radial = self.radial(rho, max(float(t), 1e-4))
        return torch.from_numpy(points * (radial / rho)[:, None])
