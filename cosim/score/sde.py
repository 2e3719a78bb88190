"""The diffusion: variance-preserving SDE with a linear beta.

    dx = -beta(t)/2 x dt + sqrt(beta(t)) dw,   beta(t) = beta_min + t (beta_max - beta_min)
    x(t) = alpha(t) x(0) + sigma(t) z,   alpha^2 + sigma^2 = 1

Generation runs in bench time tau = 1 - t: the probability-flow equation is
dx/dtau = beta/2 (x + score).
Source: Song et al., ICLR 2021 (arXiv 2011.13456), sections 3.4 and 4.3; fact sheet, section 2.
"""

import torch
from pydantic import BaseModel, ConfigDict, Field


class VariancePreserving(BaseModel):
    """VP-SDE; all functions take t as a tensor and are elementwise in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    beta_min: float = Field(gt=0)
    beta_max: float = Field(gt=0)

    def scaled(self, factor: float) -> "VariancePreserving":
        """The SDE with beta times `factor`, as used in sampling (fact sheet, section 2)."""
        return VariancePreserving(beta_min=factor * self.beta_min, beta_max=factor * self.beta_max)

    def beta(self, t: torch.Tensor) -> torch.Tensor:
        """Noise rate."""
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        """Mean of x(t) for x(0) = 1."""
        return torch.exp(-0.25 * t**2 * (self.beta_max - self.beta_min) - 0.5 * t * self.beta_min)

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        """Standard deviation of x(t) given x(0)."""
        return torch.sqrt(-torch.expm1(2 * torch.log(self.alpha(t))))

    def flow(self, x: torch.Tensor, score: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
        """dx/dtau of the probability-flow equation, [..., states]."""
        return 0.5 * self.beta(1 - tau) * (x + score)

    def reverse_drift(
        self, x: torch.Tensor, score: torch.Tensor, tau: torch.Tensor
    ) -> torch.Tensor:
        """dx/dtau of the reverse SDE's drift, [..., states]; its diffusion is sqrt(beta)."""
        return self.beta(1 - tau) * (0.5 * x + score)
