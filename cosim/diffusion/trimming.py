"""Trim a chip: biases that converters add, so that its drift is the equation's, errors and all.

Forward passes are the circuit's: states x and column sums s of several solves at instants of tau.
First each column is zeroed, twice: with W, b and e the trained weights, biases and embedding,

    trims_l <- trims_l - mean(s_l - W_l relu(s_l-1) - b_l - e)        (s_0 = x without the relu)

Then the drift is fitted. Gradients are those of the float64 twin, which has the trained weights,
but knows nothing of the chip's write errors, offsets and trims, as these undo each other
(physics-aware training). With r the circuit's mean dx/dtau over each interval less the equation's
there, and J the twin's derivative of dx/dtau by a trim,

    trims <- trims - step (J'J + damping)^-1 J' r          (Gauss, Newton, Levenberg)

and the step is halved where r has grown.
Source: Wright et al., Nature 601, 549 (2022); Levenberg, Q. Appl. Math. 2, 164 (1944).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch.func import functional_call, jacrev, vmap

from cosim.diffusion.problem import Problem
from cosim.diffusion.score.network import ScoreNetwork

INTERVALS = 60
INSTANTS = np.linspace(0.0, 1.0, 2 * INTERVALS + 1)
"""Of tau: the ends and middles of the intervals over which a drift is the mean."""

DAMPING, ITERATIONS, ZEROINGS = 1e-2, 10, 2
STEP_UNIT, MOST_UNIT = 1 / 256, 8.0
"""A 12-bit converter's step, and the largest it gives."""

Trims = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Observed:
    """What solves of a circuit were at INSTANTS, in units.

    Attributes:
        states: [solves, instants, states].
        sums: of each layer's columns, before the ReLU [solves, instants, outputs].
    """

    states: np.ndarray
    sums: tuple[np.ndarray, ...]


Solve = Callable[[Trims], Observed]
"""Solves of the circuit with trims."""


@dataclass(frozen=True)
class Trimmed:
    """What a fit found.

    Attributes:
        biases_unit: for `[calibration]` of a run file.
        errors: root mean square of r in units, of each circuit that was tried.
    """

    biases_unit: Trims
    errors: tuple[float, ...]


class Twin:
    """The probability-flow equation with the trained network, in float64."""

    def __init__(self, problem: Problem) -> None:
        network = problem.network
        assert isinstance(network, ScoreNetwork)  # guidance has two networks, whose trims differ
        self._network, self._sde = network, problem.task.sampling_sde
        self._widths = [len(bias) for _, bias in network.weights_and_biases()]

    @property
    def count(self) -> int:
        """Of trims."""
        return sum(self._widths)

    def drift(self, trims: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """dx/dtau [states] at a state [states] and diffusion time, with trims [count]."""
        parameters: dict[str, torch.Tensor] = dict(self._network.named_parameters())
        for layer, added in enumerate(torch.split(trims, self._widths)):
            name = f"linear_layers.{layer}.bias"
            parameters[name] = parameters[name] + added
        score = functional_call(self._network, parameters, (x, t))
        return self._sde.flow(x, score, 1 - t)

    def biases(self, trims: np.ndarray) -> Trims:
        """Trims as a run file has them: of each layer, in steps of the converters."""
        held = STEP_UNIT * np.round(np.clip(trims, -MOST_UNIT, MOST_UNIT) / STEP_UNIT)
        return tuple(tuple(part.tolist()) for part in np.split(held, np.cumsum(self._widths)[:-1]))

    def zeroed(self, trims: torch.Tensor, seen: Observed) -> torch.Tensor:
        """Trims [count] that take from each column what it is off by in the mean."""
        inputs = torch.from_numpy(seen.states)
        embedding = self._network.embedding(torch.from_numpy(1 - INSTANTS)) + self._network.offsets
        off = []
        for layer, sums in enumerate(map(torch.from_numpy, seen.sums)):
            wanted = self._network.linear_layers[layer](inputs)
            if layer < len(seen.sums) - 1:
                wanted = wanted + embedding
            off.append((sums - wanted).mean(dim=(0, 1)))
            inputs = sums.relu()
        return trims - torch.cat(off)

    def residual(self, path: np.ndarray) -> torch.Tensor:
        """The mean drift over each interval of paths less the equation's, by Simpson's rule
        [solves * intervals, states].
        """
        x = torch.from_numpy(path)
        t = torch.from_numpy(1 - INSTANTS).expand(x.shape[:2])
        none = torch.zeros(self.count, dtype=torch.float64)
        wanted = vmap(partial(self.drift, none))(x.flatten(0, 1), t.flatten()).view_as(x)
        first, middle, last = wanted[:, :-1:2], wanted[:, 1::2], wanted[:, 2::2]
        found = (x[:, 2::2] - x[:, :-1:2]) * INTERVALS
        return (found - (first + 4 * middle + last) / 6).flatten(0, 1)

    def slopes(self, path: np.ndarray) -> torch.Tensor:
        """The drift's derivative by each trim in the middle of each interval
        [solves * intervals * states, count].
        """
        none = torch.zeros(self.count, dtype=torch.float64)
        x = torch.from_numpy(path[:, 1::2]).flatten(0, 1)
        t = torch.from_numpy(1 - INSTANTS[1::2]).repeat(len(path))
        each = vmap(jacrev(self.drift), (None, 0, 0))(none, x, t)
        return each.flatten(0, 1)


def trim(problem: Problem, solve: Solve, iterations: int = ITERATIONS) -> Trimmed:
    """Fit the trims of a chip whose solves are `solve`; the best that was tried is what counts."""
    twin = Twin(problem)
    best = direction = trims = torch.zeros(twin.count, dtype=torch.float64)
    least, step, errors = np.inf, 1.0, []
    with torch.no_grad():
        for tried in range(iterations):
            seen = solve(twin.biases(trims.numpy()))
            left = twin.residual(seen.states)
            errors.append(float(left.square().mean().sqrt()))
            if errors[-1] < least:
                least, best = errors[-1], trims
                slopes = twin.slopes(seen.states)
                normal = slopes.T @ slopes
                damping = DAMPING * normal.diagonal().mean() * torch.eye(twin.count).double()
                direction = torch.linalg.solve(normal + damping, slopes.T @ left.flatten())
            elif tried > ZEROINGS:
                step /= 2
            zeroing = tried < ZEROINGS
            trims = twin.zeroed(trims, seen) if zeroing else best - step * direction
    return Trimmed(twin.biases(best.numpy()), tuple(errors))
