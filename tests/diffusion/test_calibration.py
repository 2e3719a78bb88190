"""Calibration: what it fits is there, and a circuit programmed by it is nearer to torch."""

import numpy as np
import pytest
import torch

from cosim.diffusion.calibration import calibrate, measured_activation, score_on_grid
from cosim.diffusion.config import parse
from cosim.diffusion.run import Run
from cosim.errors import ConfigurationError

MACRO = {"name": "test", "task": "circle", "score": "analog", "fidelity": {"all": "macro"}}


def test_calibrated_circuit_is_nearer() -> None:
    found = calibrate(Run(parse(MACRO, "the test")))
    assert found.left < found.error
    table = {"gains": list(found.gains), "offsets_unit": list(found.offsets_unit)}
    again = calibrate(Run(parse({**MACRO, "calibration": table}, "the test")))
    assert again.error < 0.7 * found.error
    np.testing.assert_allclose(again.gains, 1, atol=1e-3)
    assert "gains = [" in found.toml


def test_the_measured_relu_is_one() -> None:
    inputs, outputs = measured_activation()
    assert (np.diff(inputs) > 0).all()
    np.testing.assert_allclose(outputs, np.maximum(inputs, 0), atol=0.25)


def test_what_cannot_be_calibrated_is_named() -> None:
    with pytest.raises(ConfigurationError, match="--score analog"):
        calibrate(Run(parse({"name": "test", "task": "circle"}, "the test")))
    with pytest.raises(ConfigurationError, match="same outputs"):
        parse({**MACRO, "calibration": {"gains": [1.0]}}, "the test")
    short = {**MACRO, "calibration": {"gains": [1.0], "offsets_unit": [0.0]}}
    with pytest.raises(ConfigurationError, match="1 gains, but the score has 2"):
        _ = Run(parse(short, "the test")).plan.netlist


def test_trims_are_biases_at_every_level() -> None:
    """What converters add is in the netlist, in lockstep and in torch the same."""
    trims = [[0.01 * k for k in range(14)], [-0.02 * k for k in range(14)], [0.3, -0.4]]
    table = {"calibration": {"biases_unit": trims}, "fidelity": {"all": "ideal"}}
    grid = np.linspace(-0.8, 0.8, 3)
    in_netlist, _ = score_on_grid(Run(parse({**MACRO, **table}, "the test")), grid, 0.5)
    network = Run(parse(MACRO, "the test")).problem.network
    x = torch.from_numpy(np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2))
    with torch.no_grad():
        for linear, added in zip(network.linear_layers, trims, strict=True):
            linear.bias += torch.tensor(added, dtype=torch.float64)
        wanted = network.raw_output(x, torch.tensor(0.5, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(in_netlist, wanted, rtol=1e-4, atol=1e-4)
    lockstep = Run(parse({**MACRO, **table, "score": "torch"}, "the test")).plan.blocks[0]
    volts = lockstep.function.value(0.5e-6 + 0.5 * 20e-6, np.array([1.65 - 0.08, 1.65 - 0.08]))
    np.testing.assert_allclose((volts - 1.65) / 0.1, wanted[0], rtol=1e-6)


def test_trims_of_other_columns_are_refused() -> None:
    few = {**MACRO, "calibration": {"biases_unit": [[0.1], [0.1], [0.1]]}}
    with pytest.raises(ConfigurationError, match=r"\[1, 1, 1\] values, but .* \[14, 14, 2\]"):
        _ = Run(parse(few, "the test")).plan.netlist
    with pytest.raises(ConfigurationError, match="untrimmed"):
        parse({**few, "score": "split"}, "the test")
