"""Calibration: what it fits is there, and a circuit programmed by it is nearer to torch."""

import numpy as np
import pytest

from cosim.diffusion.calibration import calibrate, measured_activation
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
