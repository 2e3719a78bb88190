"""Compiled digital samplers against torch's; what analog and digital cost."""

import numpy as np
import pytest
import torch

from cosim.diffusion.config import parse
from cosim.diffusion.problem import Problem
from cosim.diffusion.score.compiled_sampler import LANES, CompiledSampler, in_batches, one_by_one
from cosim.diffusion.score.network import ScoreNetwork
from cosim.diffusion.score.sampling import driven_euler, heun, initial_states

TASKS = [
    {"task": "circle"},
    {"task": "circle", "parametrisation": "epsilon"},
    {"task": "gaussian_mixture", "condition": {"label": "K"}},
]


@pytest.mark.parametrize("tables", TASKS)
@pytest.mark.parametrize("reverse", [False, True])
def test_compiled_samplers_are_torch_s(tables: dict[str, object], reverse: bool) -> None:
    """In float32: a thousandth of a unit after 20 steps."""
    problem = Problem(parse({"name": "test", **tables}, "the test"))
    network, sde = problem.network, problem.task.sampling_sde
    assert isinstance(network, ScoreNetwork)
    sampler = CompiledSampler(network, sde, 20, reverse)
    start, draws = initial_states(LANES, 2, 0), sampler.draws(LANES, 1)
    if reverse:
        noise = torch.from_numpy(draws).double().transpose(0, 1)
        expected = driven_euler(network, sde, start, noise).numpy()
    else:
        expected = heun(network, sde, start, 20).numpy()
    for kernel in (one_by_one, in_batches):
        states = start.numpy().astype(np.float32)
        kernel(*sampler.tables(), draws, states)
        np.testing.assert_allclose(states, expected, atol=1e-3)
