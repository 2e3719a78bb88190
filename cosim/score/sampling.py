"""Digital samplers of the reverse-time equations, batched, in float64.

All start at tau = 0 from given states and end at tau = 1 (t = 0).
Source: Song et al., ICLR 2021 (arXiv 2011.13456), sections 4.1 and 4.3.
"""

import numpy as np
import torch
from scipy.integrate import solve_ivp

from cosim.errors import ModelError
from cosim.score.network import ScoreNetwork
from cosim.score.sde import VariancePreserving

REFERENCE_RTOL, REFERENCE_ATOL = 1e-10, 1e-12


def initial_states(count: int, states: int, seed: int) -> torch.Tensor:
    """Draws from N(0, I) [count, states], float64; the first n are the same for every count."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack(
        [torch.randn(states, generator=generator, dtype=torch.float64) for _ in range(count)]
    )


def reference_solution(
    network: ScoreNetwork, sde: VariancePreserving, state: np.ndarray, tau: np.ndarray
) -> np.ndarray:
    """The probability-flow equation solved by DOP853 at 1e-10.

    Args:
        network: in float64.
        sde: as used in sampling.
        state: at tau = 0 [states].
        tau: increasing times in [0, 1] [n].

    Returns:
        States at these times [n, states].

    Raises:
        ModelError: the solver did not reach tau = 1.
    """

    def flow(tau: float, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            now = torch.tensor(tau, dtype=torch.float64)
            point = torch.from_numpy(x)
            return sde.flow(point, network(point, 1 - now), now).numpy()

    solved = solve_ivp(
        flow, (0.0, 1.0), state, method="DOP853", rtol=REFERENCE_RTOL, atol=REFERENCE_ATOL,
        dense_output=True,
    )  # fmt: skip
    if not solved.success:
        raise ModelError(
            f"The float64 reference solution stopped at tau = {solved.t[-1]:.6g}: "
            f"{solved.message}. Check the model's weights."
        )
    return solved.sol(np.clip(tau, 0.0, 1.0)).T


def euler(
    network: ScoreNetwork, sde: VariancePreserving, states: torch.Tensor, steps: int
) -> torch.Tensor:
    """Probability-flow samples [count, states] by Euler's method in equal steps of tau."""
    with torch.inference_mode():
        for now in _grid(steps):
            states = states + sde.flow(states, network(states, 1 - now), now) / steps
    return states


def heun(
    network: ScoreNetwork, sde: VariancePreserving, states: torch.Tensor, steps: int
) -> torch.Tensor:
    """Probability-flow samples [count, states] by Heun's method (order 2)."""
    with torch.inference_mode():
        for now in _grid(steps):
            following = now + 1 / steps
            slope = sde.flow(states, network(states, 1 - now), now)
            guess = states + slope / steps
            after = sde.flow(guess, network(guess, 1 - following), following)
            states = states + (slope + after) / (2 * steps)
    return states


def euler_maruyama(
    network: ScoreNetwork,
    sde: VariancePreserving,
    states: torch.Tensor,
    steps: int,
    seed: int,
) -> torch.Tensor:
    """Reverse-SDE samples [count, states] by Euler-Maruyama."""
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        for now in _grid(steps):
            drift = sde.reverse_drift(states, network(states, 1 - now), now)
            noise = torch.randn(states.shape, generator=generator, dtype=states.dtype)
            states = states + drift / steps + torch.sqrt(sde.beta(1 - now) / steps) * noise
    return states


def _grid(steps: int) -> torch.Tensor:
    return torch.arange(steps, dtype=torch.float64) / steps
