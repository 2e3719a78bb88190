"""Digital samplers of the reverse-time equations, batched, in float64.

All start at tau = 0 from given states and end at tau = 1 (t = 0).
Source: Song et al., ICLR 2021 (arXiv 2011.13456), sections 4.1 and 4.3.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from cosim.diffusion.score.held import HeldNoise, Line
from cosim.diffusion.score.network import Score
from cosim.diffusion.score.sde import Diffusion
from cosim.errors import ModelError

EARLIEST_TIME = 1e-5
"""Where training ends: below it a score need not be bounded."""

REFERENCE_RTOL, REFERENCE_ATOL = 1e-8, 1e-10
HELD_RTOL, HELD_ATOL = 1e-7, 1e-9
"""Both leave some 1e-6 of a solution's range, where ReLUs of the score switch; circuits are 50
times further away, and more.
"""


def initial_states(count: int, states: int, seed: int) -> torch.Tensor:
    """Draws from N(0, I) [count, states], float64; the first n are the same for every count."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack(
        [torch.randn(states, generator=generator, dtype=torch.float64) for _ in range(count)]
    )


def reference_solution(
    network: Score, sde: Diffusion, state: np.ndarray, tau: np.ndarray
) -> np.ndarray:
    """The probability-flow equation solved by DOP853, to some 1e-6 of its range.

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

    solved = _solved(flow, (0.0, 1.0), state, "DOP853", REFERENCE_RTOL, REFERENCE_ATOL)
    return solved.sol(np.clip(tau, 0.0, 1.0)).T


def _solved(
    slope: Callable[[float, np.ndarray], np.ndarray],
    span: tuple[float, float],
    state: np.ndarray,
    method: str,
    rtol: float,
    atol: float,
) -> Any:
    """SciPy's solution between two times of tau, continuous, or ModelError."""
    from scipy.integrate import solve_ivp  # as long to import as a solve takes

    solved = solve_ivp(slope, span, state, method=method, rtol=rtol, atol=atol, dense_output=True)
    if not solved.success:
        raise ModelError(
            f"The float64 reference solution stopped at tau = {solved.t[-1]:.6g}: "
            f"{solved.message}. Check the model's weights."
        )
    return solved


def noise_draws(member: int, updates: int, states: int, seed: int) -> np.ndarray:
    """Draws of one member's Wiener increments, N(0, 1) [updates, states]."""
    return np.random.default_rng([seed, member]).standard_normal((updates, states))


def held_noise_solution(
    network: Score,
    sde: Diffusion,
    state: np.ndarray,
    tau: np.ndarray,
    draws: np.ndarray,
    edge_part: float = 0.0,
) -> np.ndarray:
    """The reverse SDE driven by held noise, solved by RK45 between its corners, which are too close
    for a higher order.

    Args, returns and raises as `reference_solution`, and
        draws, edge_part: as of `HeldNoise.of` [updates, states].
    """
    solved = np.empty((len(tau), len(state)))
    tau = np.clip(tau, 0.0, 1.0)
    x = np.asarray(state, dtype=float)
    for begin, end, rate in HeldNoise.of(draws, edge_part).lines():

        def drift(tau: float, x: np.ndarray, rate: Line = rate) -> np.ndarray:
            with torch.inference_mode():
                now = torch.tensor(tau, dtype=torch.float64)
                point = torch.from_numpy(x)
                amplitude = float(sde.diffusion(1 - now))
                reverse = sde.reverse_drift(point, network(point, 1 - now), now).numpy()
            return reverse + amplitude * rate(tau)

        step = _solved(drift, (begin, end), x, "RK45", HELD_RTOL, HELD_ATOL)
        inside = (begin <= tau) & (tau <= end)
        if inside.any():
            solved[inside] = step.sol(tau[inside]).T
        x = step.y[:, -1]
    return solved


def driven_solution(
    network: Score,
    sde: Diffusion,
    state: np.ndarray,
    tau: np.ndarray,
    rates: np.ndarray,
) -> np.ndarray:
    """The reverse SDE along a recorded noise, by the classical Runge-Kutta method on its grid.

    Args and returns as `reference_solution`, and
        rates: dw/dtau at these times [n, states], on a straight line between them.
    """
    solved = np.empty((len(tau), len(state)))
    solved[0] = x = np.asarray(state, dtype=float)

    def slope(tau: float, x: np.ndarray, rate: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            now = torch.tensor(tau, dtype=torch.float64)
            point = torch.from_numpy(x)
            drift = sde.reverse_drift(point, network(point, 1 - now), now).numpy()
            return drift + float(sde.diffusion(1 - now)) * rate

    for number, (begin, end) in enumerate(pairwise(tau)):
        step, middle = end - begin, (begin + end) / 2
        first, last = rates[number], rates[number + 1]
        mean = (first + last) / 2
        k1 = slope(begin, x, first)
        k2 = slope(middle, x + step / 2 * k1, mean)
        k3 = slope(middle, x + step / 2 * k2, mean)
        k4 = slope(end, x + step * k3, last)
        solved[number + 1] = x = x + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return solved


def euler(network: Score, sde: Diffusion, states: torch.Tensor, steps: int) -> torch.Tensor:
    """Probability-flow samples [count, states] by Euler's method in equal steps of tau."""
    with torch.inference_mode():
        for now in _grid(steps):
            states = states + sde.flow(states, network(states, 1 - now), now) / steps
    return states


def heun(
    network: Score,
    sde: Diffusion,
    states: torch.Tensor,
    steps: int,
    until: float = 1.0,
) -> torch.Tensor:
    """Probability-flow states [count, states] by Heun's method (order 2), at tau = `until`."""
    with torch.inference_mode():
        for now in _grid(steps)[: round(until * steps)]:
            following = now + 1 / steps
            slope = sde.flow(states, network(states, 1 - now), now)
            guess = states + slope / steps
            after = sde.flow(guess, network(guess, 1 - following), following)
            states = states + (slope + after) / (2 * steps)
    return states


def euler_maruyama(
    network: Score,
    sde: Diffusion,
    states: torch.Tensor,
    steps: int,
    seed: int,
) -> torch.Tensor:
    """Reverse-SDE samples [count, states] by Euler-Maruyama."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((steps, *states.shape), generator=generator, dtype=states.dtype)
    return driven_euler(network, sde, states, noise)


def driven_euler(
    network: Score,
    sde: Diffusion,
    states: torch.Tensor,
    noise: torch.Tensor,
    until: float = 1.0,
) -> torch.Tensor:
    """Euler-Maruyama with given draws of N(0, 1) [steps, count, states], at tau = `until`."""
    steps = len(noise)
    taken = round(until * steps)
    with torch.inference_mode():
        for now, draw in zip(_grid(steps)[:taken], noise[:taken], strict=True):
            drift = sde.reverse_drift(states, network(states, 1 - now), now)
            states = states + drift / steps + sde.diffusion(1 - now) * draw / math.sqrt(steps)
    return states


def proportional_euler(
    network: Score, sde: Diffusion, states: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """As `driven_euler`, with the noise that the published bench adds: proportional to beta, where
    the theory has sqrt(beta) (fact sheet, section 4).
    """
    steps = len(noise)
    with torch.inference_mode():
        for now, draw in zip(_grid(steps), noise, strict=True):
            drift = sde.reverse_drift(states, network(states, 1 - now), now)
            beta = sde.diffusion(1 - now) ** 2
            states = states + drift / steps + beta * draw / math.sqrt(steps)
    return states


def runge_kutta(
    network: Score, sde: Diffusion, states: torch.Tensor, tolerance: float = 1e-5
) -> tuple[torch.Tensor, int]:
    """Probability-flow samples [count, states] by RK45 with one step for all, and how often the
    network was evaluated.

    Raises:
        ModelError: the solver did not reach tau = 1.
    """
    shape = states.shape

    def slope(tau: float, flat: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x, now = torch.from_numpy(flat).reshape(shape), torch.tensor(tau, dtype=states.dtype)
            return sde.flow(x, network(x, 1 - now), now).numpy().ravel()

    span, flat = (0.0, 1.0 - EARLIEST_TIME), states.numpy().ravel()
    solved = _solved(slope, span, flat, "RK45", tolerance, tolerance)
    return torch.from_numpy(solved.y[:, -1].copy()).reshape(shape), int(solved.nfev)


def predictor_corrector(
    network: Score,
    sde: Diffusion,
    states: torch.Tensor,
    steps: int,
    seed: int,
    signal_to_noise: float = 0.16,
) -> torch.Tensor:
    """Reverse-SDE samples [count, states]: an Euler-Maruyama step, then one of Langevin dynamics at
    the reached t; 2 evaluations a step.

    Source: Song et al., ICLR 2021, section 4.2, algorithms 4 and 5 (`signal_to_noise` is r there).
    """
    generator = torch.Generator().manual_seed(seed)

    def draw() -> torch.Tensor:
        return torch.randn(states.shape, generator=generator, dtype=states.dtype)

    with torch.inference_mode():
        for now in _grid(steps):
            drift = sde.reverse_drift(states, network(states, 1 - now), now)
            noise = sde.diffusion(1 - now) * draw() / math.sqrt(steps)
            states = states + drift / steps + noise
            reached = torch.clamp(1 - now - 1 / steps, min=EARLIEST_TIME)
            score, noise = network(states, reached), draw()
            size = float(noise.norm(dim=1).mean() / score.norm(dim=1).mean())
            step = 2 * (signal_to_noise * size) ** 2 * sde.alpha(reached) ** 2
            states = states + step * score + torch.sqrt(2 * step) * noise
    return states


def _grid(steps: int) -> torch.Tensor:
    return torch.arange(steps, dtype=torch.float64) / steps
