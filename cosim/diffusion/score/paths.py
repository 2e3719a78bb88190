"""Whole solutions of many samples at once, to compare circuits with: Runge-Kutta in equal steps.

The equations are those of `sampling.reference_solution` and `held_noise_solution`, which solve one
sample more exactly; here all samples share each evaluation of the network, so that every
member of an ensemble can be judged. Between steps: cubic Hermite interpolation. With STEPS steps
the error is below 1e-5 of the range (tests/diffusion/test_paths.py).
Source: Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, sections II.1, II.6.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from cosim.diffusion.score.held import HeldNoise
from cosim.diffusion.score.network import Score
from cosim.diffusion.score.sde import Diffusion

STEPS = 500


@dataclass(frozen=True)
class Paths:
    """States on a grid of equal steps of tau from 0 to 1.

    Attributes:
        states: [steps + 1, samples, states].
        first_slopes, last_slopes: dx/dtau at both ends of each step [steps, samples, states]; held
            noise makes them jump from one to the next.
    """

    states: np.ndarray
    first_slopes: np.ndarray
    last_slopes: np.ndarray

    def at(self, sample: int, tau: np.ndarray) -> np.ndarray:
        """A sample's states at times in [0, 1] [n, states]."""
        steps = len(self.first_slopes)
        place = np.clip(tau, 0.0, 1.0) * steps
        step = np.minimum(place.astype(int), steps - 1)
        s = (place - step)[:, None]
        begin, end = self.states[step, sample], self.states[step + 1, sample]
        first = self.first_slopes[step, sample] / steps
        last = self.last_slopes[step, sample] / steps
        straight, h = begin + s * (end - begin), s * (1 - s)
        bent: np.ndarray = straight + h * (
            (1 - s) * (first - (end - begin)) + s * ((end - begin) - last)
        )
        return bent


def paths(
    network: Score,
    sde: Diffusion,
    states: np.ndarray,
    draws: np.ndarray | None = None,
    edge_part: float = 0.0,
) -> Paths:
    """Solve the probability-flow equation or, with noise, the reverse SDE.

    Args:
        network: in float64.
        states: at tau = 0 [samples, states].
        draws, edge_part: as of `HeldNoise.of` [updates, samples, states].
    """
    updates = 1 if draws is None else len(draws)
    each = math.ceil(STEPS / updates)  # so that no step crosses an update
    if edge_part:  # nor a ramp's end
        parts = round(2 / edge_part)
        each = parts * math.ceil(each / parts)
    steps = each * updates
    x = torch.from_numpy(np.asarray(states, dtype=float))
    solved, first_slopes, last_slopes = [x], [], []

    def drift(x: torch.Tensor, now: float) -> torch.Tensor:
        tau = torch.tensor(now, dtype=torch.float64)
        score = network(x, 1 - tau)
        flow = sde.flow if draws is None else sde.reverse_drift
        return flow(x, score, tau)

    held = None if draws is None else HeldNoise.of(draws, edge_part)

    def noise(number: int, now: float) -> torch.Tensor | float:
        if held is None:
            return 0.0
        rate = torch.from_numpy(held.line((number + 0.5) / steps)(now))
        return sde.diffusion(1 - torch.tensor(now, dtype=torch.float64)) * rate

    with torch.inference_mode():
        begun = drift(x, 0.0)
        for number in range(steps):
            now, middle, following = number / steps, (number + 0.5) / steps, (number + 1) / steps
            k1, pushed = begun + noise(number, now), noise(number, middle)
            k2 = drift(x + k1 / (2 * steps), middle) + pushed
            k3 = drift(x + k2 / (2 * steps), middle) + pushed
            k4 = drift(x + k3 / steps, following) + noise(number, following)
            x = x + (k1 + 2 * k2 + 2 * k3 + k4) / (6 * steps)
            begun = drift(x, following)
            solved.append(x)
            first_slopes.append(k1)
            last_slopes.append(begun + noise(number, following))
    return Paths(*(torch.stack(part).numpy() for part in (solved, first_slopes, last_slopes)))
