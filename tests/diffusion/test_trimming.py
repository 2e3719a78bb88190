"""Trims of a chip: the fit finds what is off, where trims can mend it."""

import numpy as np
import torch

from cosim.diffusion.config import parse
from cosim.diffusion.problem import Problem
from cosim.diffusion.trimming import INSTANTS, INTERVALS, Paths, Trims, Twin, trim

SOLVES, ITERATIONS = 4, 4


def problem() -> Problem:
    values = {"name": "test", "task": "circle", "parametrisation": "epsilon",
              "sampling_scale": 1.2, "ensemble": {"samples": SOLVES}}  # fmt: skip
    return Problem(parse(values, "the test"))


def paths_of(chip: Problem, hidden: np.ndarray, offset: float) -> tuple[list[Trims], Paths]:
    """Solves of a chip with biases off in its first layer, and a constant drift, by Heun's method;
    and the trims that were tried.
    """
    twin, tried = Twin(chip), []
    errors = torch.zeros(twin.count, dtype=torch.float64)
    errors[: len(hidden)] = torch.from_numpy(hidden)

    def paths(biases: Trims) -> np.ndarray:
        tried.append(biases)
        trims = errors + torch.tensor([one for layer in biases for one in layer])
        x, path = torch.from_numpy(chip.initial_states), []
        step = 1 / (2 * INTERVALS)

        def drift(x: torch.Tensor, t: float) -> torch.Tensor:
            return twin.drift(trims, x, torch.tensor(t, dtype=torch.float64)) + offset

        with torch.no_grad():
            for tau in INSTANTS:
                path.append(x.numpy())
                slope = drift(x, 1 - tau)
                x = x + step / 2 * (slope + drift(x + step * slope, max(1 - tau - step, 0.0)))
        return np.stack(path, axis=1)

    return tried, paths


def test_biases_that_are_off_are_found() -> None:
    hidden = 0.2 * np.random.default_rng(0).standard_normal(14)
    _, paths = paths_of(problem(), hidden, 0.0)
    found = trim(problem(), paths, ITERATIONS)
    assert min(found.errors) < 0.15 * found.errors[0]
    assert [len(layer) for layer in found.biases_unit] == [14, 14, 2]


def test_an_offset_of_the_integrators_is_cancelled() -> None:
    """beta / sigma hardly changes over a solve, so that a bias of the output is a drift."""
    tried, paths = paths_of(problem(), np.zeros(1), 0.3)
    found = trim(problem(), paths, ITERATIONS)
    assert found.errors[0] > 0.29
    assert min(found.errors) < 0.1 * found.errors[0]
    assert tried[int(np.argmin(found.errors))] == found.biases_unit, "the best is what counts"
    steps = 512 * np.array([one for layer in found.biases_unit for one in layer])
    np.testing.assert_array_equal(steps, np.round(steps))


def test_an_exact_chip_stays_as_it_is() -> None:
    _, paths = paths_of(problem(), np.zeros(1), 0.0)
    found = trim(problem(), paths, 2)
    assert found.errors[0] < 0.01
