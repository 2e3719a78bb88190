"""Training through the samplers: they are the software's own, and the loss is the discrepancy."""

import dataclasses

import numpy as np
import pytest
import torch

from cosim.diffusion.score.metrics import kernel_mmd
from cosim.diffusion.score.refining import Refinement, _euler, _heun, discrepancy, sampling_loss
from cosim.diffusion.score.sampling import driven_euler, heun
from cosim.diffusion.score.tasks import get_task
from cosim.diffusion.score.training import train

TASK = get_task("circle")


def test_its_samplers_are_the_software_s() -> None:
    network = TASK.network().double()
    start, noise = (torch.randn(shape, dtype=torch.float64) for shape in ((5, 2), (9, 5, 2)))
    with torch.inference_mode():
        flow = _heun(network, TASK.sde, start, 7)
        reverse = _euler(network, TASK.sde, start, noise)
    torch.testing.assert_close(flow, heun(network, TASK.sde, start, 7), rtol=1e-6, atol=1e-6)
    wanted = driven_euler(network, TASK.sde, start, noise)
    torch.testing.assert_close(reverse, wanted, rtol=1e-6, atol=1e-6)


def test_the_discrepancy_is_the_kernel_s_but_for_a_constant() -> None:
    generator = np.random.default_rng(0)
    true = generator.standard_normal((60, 2))
    first, other = generator.standard_normal((2, 40, 2)) * np.array([1.0, 0.3]).reshape(2, 1, 1)
    exact = kernel_mmd(first, true) - kernel_mmd(other, true)
    found = [float(discrepancy(*map(torch.from_numpy, (one, true)))) for one in (first, other)]
    assert found[0] - found[1] == pytest.approx(exact, abs=1e-9)


SAMPLING = Refinement(
    samples=60, flow_weight=1e3, reverse_weight=1e3, flow_steps=3, reverse_steps=3
)


def test_its_gradient_draws_samples_to_the_data() -> None:
    torch.manual_seed(0)
    network = TASK.network()
    data = TASK.sample(1000, torch.Generator().manual_seed(1))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        loss = sampling_loss(
            network, dict(network.named_parameters()), SAMPLING, TASK.sde, 1.0, data,
            torch.Generator().manual_seed(2),
        )  # fmt: skip
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 100


def test_a_stage_takes_it_in() -> None:
    weights = []
    for how in (None, SAMPLING):
        recipe = dataclasses.replace(TASK.recipe, steps=2, sampling=how)
        network = train(TASK, 0, lambda step, steps, loss: None, recipe).network
        weights.append(network.linear_layers[0].weight)
    assert not torch.equal(*weights)
