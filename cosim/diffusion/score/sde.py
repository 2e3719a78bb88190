"""Diffusions: stochastic differential equations dx = f(t) x dt + g(t) dw that turn data to noise.

    x(t) = alpha(t) x(0) + sigma(t) z

Generation runs in bench time tau = 1 - t. The probability-flow equation is
dx/dtau = -f x + g^2/2 score, the reverse SDE dx = (-f x + g^2 score) dtau + g dw. The circuits
solve the variance-preserving one: f = -beta/2, g^2 = beta.
Source: Song et al., ICLR 2021 (arXiv 2011.13456), sections 3.4 and 4.3, appendix B; fact sheet,
section 2.
"""

import math
from abc import abstractmethod
from typing import Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosim.errors import ConfigurationError


class Diffusion(BaseModel):
    """All functions take t as a tensor and are elementwise in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @abstractmethod
    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        """Mean of x(t) for x(0) = 1."""

    @abstractmethod
    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        """Standard deviation of x(t) given x(0)."""

    @abstractmethod
    def drift_rate(self, t: torch.Tensor) -> torch.Tensor:
        """f(t)."""

    @abstractmethod
    def diffusion(self, t: torch.Tensor) -> torch.Tensor:
        """g(t)."""

    @property
    def prior_deviation(self) -> float:
        """Standard deviation of the states that generation starts from."""
        return 1.0

    def scaled(self, factor: float) -> Self:
        """The diffusion with its rates times `factor`, as used in sampling (fact sheet, section 2).

        Raises:
            ConfigurationError: this one has no rates to scale.
        """
        if factor != 1:
            raise ConfigurationError(
                f"{type(self).__name__} cannot be scaled by {factor:g} in sampling: give the task "
                "`sampling_scale=1`."
            )
        return self

    def flow(self, x: torch.Tensor, score: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
        """dx/dtau of the probability-flow equation, [..., states]."""
        t = 1 - tau
        return -self.drift_rate(t) * x + 0.5 * self.diffusion(t) ** 2 * score

    def reverse_drift(
        self, x: torch.Tensor, score: torch.Tensor, tau: torch.Tensor
    ) -> torch.Tensor:
        """dx/dtau of the reverse SDE's drift, [..., states]; its diffusion is g."""
        t = 1 - tau
        return -self.drift_rate(t) * x + self.diffusion(t) ** 2 * score


class VariancePreserving(Diffusion):
    """VP: f = -beta/2, g^2 = beta with beta(t) = beta_min + t (beta_max - beta_min)."""

    beta_min: float = Field(gt=0)
    beta_max: float = Field(gt=0)

    def scaled(self, factor: float) -> Self:
        """The SDE with beta times `factor`, as used in sampling (fact sheet, section 2)."""
        return type(self)(beta_min=factor * self.beta_min, beta_max=factor * self.beta_max)

    def beta(self, t: torch.Tensor) -> torch.Tensor:
        """Noise rate."""
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        """Mean of x(t) for x(0) = 1."""
        return torch.exp(-0.25 * t**2 * (self.beta_max - self.beta_min) - 0.5 * t * self.beta_min)

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        """Standard deviation of x(t) given x(0): alpha^2 + sigma^2 = 1."""
        return torch.sqrt(-torch.expm1(2 * torch.log(self.alpha(t))))

    def drift_rate(self, t: torch.Tensor) -> torch.Tensor:
        """f(t)."""
        return -0.5 * self.beta(t)

    def diffusion(self, t: torch.Tensor) -> torch.Tensor:
        """g(t)."""
        return torch.sqrt(self.beta(t))


class SubVariancePreserving(VariancePreserving):
    """Sub-VP: f of VP, g^2 = beta (1 - alpha^4), so that sigma = 1 - alpha^2 is below VP's."""

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        """Standard deviation of x(t) given x(0)."""
        return -torch.expm1(2 * torch.log(self.alpha(t)))

    def diffusion(self, t: torch.Tensor) -> torch.Tensor:
        """g(t)."""
        return torch.sqrt(-self.beta(t) * torch.expm1(4 * torch.log(self.alpha(t))))


class VarianceExploding(Diffusion):
    """VE: f = 0, sigma(t)^2 = s(t)^2 - s(0)^2 with s(t) = sigma_min (sigma_max / sigma_min)^t."""

    sigma_min: float = Field(0.01, gt=0)
    sigma_max: float = Field(5.0, gt=0)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.sigma_max <= self.sigma_min:
            raise ValueError("sigma_max must be larger than sigma_min")
        return self

    @property
    def prior_deviation(self) -> float:
        """Standard deviation of the states that generation starts from."""
        return math.sqrt(self.sigma_max**2 - self.sigma_min**2)

    def _deviation(self, t: torch.Tensor) -> torch.Tensor:
        return self.sigma_min * torch.exp(t * math.log(self.sigma_max / self.sigma_min))

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        """Mean of x(t) for x(0) = 1."""
        return torch.ones_like(t)

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        """Standard deviation of x(t) given x(0)."""
        return torch.sqrt(self._deviation(t) ** 2 - self.sigma_min**2)

    def drift_rate(self, t: torch.Tensor) -> torch.Tensor:
        """f(t)."""
        return torch.zeros_like(t)

    def diffusion(self, t: torch.Tensor) -> torch.Tensor:
        """g(t): g^2 is the derivative of sigma^2."""
        return self._deviation(t) * math.sqrt(2 * math.log(self.sigma_max / self.sigma_min))
