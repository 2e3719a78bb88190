"""Trims of a chip: the fit finds what is off, where trims can mend it."""

import numpy as np
import pytest
import torch

from cosim.diffusion.config import parse
from cosim.diffusion.problem import Problem
from cosim.diffusion.trimming import INSTANTS, INTERVALS, Observed, Solve, Trims, Twin, trim

SOLVES, ITERATIONS = 4, 5


def problem() -> Problem:
    values = {"name": "test", "task": "circle", "parametrisation": "epsilon",
              "sampling_scale": 1.2, "ensemble": {"samples": SOLVES}}  # fmt: skip
    return Problem(parse(values, "the test"))


def sums_of(chip: Problem, trims: torch.Tensor, states: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the columns of an exact chip with trims carry, before the ReLU."""
    network, inputs, sums = chip.network, torch.from_numpy(states), []
    embedding = network.embedding(torch.from_numpy(1 - INSTANTS))
    for layer, added in zip(network.linear_layers, trims.split([14, 14, 2]), strict=True):
        total = layer(inputs) + added + (embedding if len(added) == 14 else 0)
        sums.append(total.numpy())
        inputs = total.relu()
    return tuple(sums)


def solves_of(chip: Problem, hidden: np.ndarray, offset: float) -> tuple[list[Trims], Solve]:
    """Solves of a chip with biases off in its first layer, and a constant drift, by Heun's method;
    and the trims that were tried.
    """
    twin, tried = Twin(chip), []
    errors = torch.zeros(twin.count, dtype=torch.float64)
    errors[: len(hidden)] = torch.from_numpy(hidden)

    def solve(biases: Trims) -> Observed:
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
            states = np.stack(path, axis=1)
            return Observed(states, sums_of(chip, trims, states))

    return tried, solve


def test_biases_that_are_off_are_found() -> None:
    hidden = 0.2 * np.random.default_rng(0).standard_normal(14)
    _, solve = solves_of(problem(), hidden, 0.0)
    found = trim(problem(), solve, ITERATIONS)
    assert min(found.errors) < 0.15 * found.errors[0]
    assert [len(layer) for layer in found.biases_unit] == [14, 14, 2]


def test_an_offset_of_the_integrators_is_cancelled() -> None:
    """beta / sigma hardly changes over a solve, so that a bias of the output is a drift."""
    tried, solve = solves_of(problem(), np.zeros(1), 0.3)
    found = trim(problem(), solve, ITERATIONS)
    assert found.errors[0] > 0.29
    assert min(found.errors) < 0.1 * found.errors[0]
    assert tried[int(np.argmin(found.errors))] == found.biases_unit, "the best is what counts"
    steps = 256 * np.array([one for layer in found.biases_unit for one in layer])
    np.testing.assert_array_equal(steps, np.round(steps))


def test_an_exact_chip_stays_as_it_is() -> None:
    _, solve = solves_of(problem(), np.zeros(1), 0.0)
    found = trim(problem(), solve, 2)
    assert found.errors[0] < 0.01


def test_columns_are_zeroed_one_by_one() -> None:
    """Each trim undoes its own column's error at once, however large: what a hidden layer gives on
    is of its own sums.
    """
    chip = problem()
    errors = torch.from_numpy(2 * np.random.default_rng(1).standard_normal(30))
    states = np.random.default_rng(2).standard_normal((3, len(INSTANTS), 2))
    with torch.no_grad():
        seen = Observed(states, sums_of(chip, errors, states))
        trims = Twin(chip).zeroed(torch.zeros(30, dtype=torch.float64), seen)
    np.testing.assert_allclose(trims.numpy(), -errors.numpy(), atol=1e-9)


@pytest.mark.parametrize("tried", [1, 2])
def test_large_errors_of_biases_are_found_at_once(tried: int) -> None:
    """1.5 units, of which the twin's slopes know nothing."""
    hidden = 1.5 * np.random.default_rng(0).standard_normal(14)
    _, solve = solves_of(problem(), hidden, 0.0)
    found = trim(problem(), solve, 1 + tried)
    assert min(found.errors) < 0.05 * found.errors[0]
