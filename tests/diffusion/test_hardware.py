"""Training aware of the hardware: its noise is that of cells, its curve the measured one."""

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cosim.diffusion.circuit.mapping import ConductanceWindow, map_layer
from cosim.diffusion.score.hardware import Hardware
from cosim.diffusion.score.sampling import heun, initial_states
from cosim.diffusion.score.tasks import get_task
from cosim.diffusion.score.training import train

NOISE = 0.05
SATURATING = np.array([[-8.0, 0.0, 1.5, 8.0], [0.0, 0.0, 1.5, 1.5]])


def test_read_noise_is_that_of_fluctuating_cells() -> None:
    """Mean and deviation against cells that are drawn one by one."""
    torch.manual_seed(0)
    linear, x = nn.Linear(5, 3).double(), torch.randn(5).double()
    hardware = Hardware(torch.Generator().manual_seed(1), NOISE)
    with torch.no_grad():
        many = hardware.layer(linear, x.expand(20_000, 5)).numpy()
    weight, bias = (p.detach().numpy() for p in (linear.weight, linear.bias))
    mapped, generator = map_layer(weight, bias, ConductanceWindow()), np.random.default_rng(2)
    cells = []
    for _ in range(20_000):
        read, offset = mapped.read(NOISE, generator)
        cells.append(read @ x.numpy() + offset)
    np.testing.assert_allclose(many.mean(axis=0), np.mean(cells, axis=0), atol=5e-3)
    np.testing.assert_allclose(many.std(axis=0), np.std(cells, axis=0), rtol=0.04)


@settings(deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_measured_curve_is_interpolated(values: list[float]) -> None:
    hardware = Hardware(torch.Generator(), curve=SATURATING)
    found = hardware.activation(torch.tensor(values, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(found, np.interp(values, *SATURATING), atol=1e-12)


def test_training_keeps_to_weights_and_curve() -> None:
    """Weights stay within their limit, hidden nodes within the curve, and the ring comes out."""
    task = get_task("circle")
    recipe = replace(task.recipe, steps=1500, weight_limit=1.5, read_noise=0.02)
    trained = train(task, 0, lambda step, steps, loss: None, recipe, SATURATING)
    network = trained.network
    largest = max(float(p.detach().abs().max()) for p in network.linear_layers.parameters())
    assert largest <= 1.5
    assert trained.final_loss < 0.85
    hardware = Hardware(torch.Generator(), curve=SATURATING)
    x, t = torch.randn(500, 2), torch.rand(500)
    with torch.no_grad():
        hidden, _ = network.hidden_and_raw(x, t, hardware=hardware)
    assert max(float(layer.max()) for layer in hidden) <= 1.5
    ends = heun(network.double(), task.sampling_sde, initial_states(300, 2, 0), 100)
    assert 0.6 < float(ends.norm(dim=1).median()) < 0.85
