"""Weights to conductances and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cosim.diffusion.circuit.mapping import ConductanceWindow, map_layer

WINDOW = ConductanceWindow()
WEIGHTS = st.floats(-5, 5, allow_subnormal=False)


@given(st.data(), st.integers(1, 6), st.integers(1, 6))
def test_pairs_lie_in_the_window_and_give_the_weights_back(
    data: st.DataObject, inputs: int, outputs: int
) -> None:
    weight = data.draw(hnp.arrays(float, (outputs, inputs), elements=WEIGHTS))
    bias = data.draw(hnp.arrays(float, outputs, elements=WEIGHTS))
    layer = map_layer(weight, bias, WINDOW)
    for siemens in (layer.plus_siemens, layer.minus_siemens):
        assert siemens.shape == (inputs + 1, outputs)
        assert (siemens >= WINDOW.g_min_siemens).all()
        assert (siemens <= WINDOW.g_max_siemens * (1 + 1e-12)).all()
    rows = (layer.plus_siemens - layer.minus_siemens) / layer.siemens_per_weight
    # 1e-4 S holds a 1e-20 S rounding: 1e-12 of the largest weight is a generous bound.
    np.testing.assert_allclose(rows, np.vstack([weight.T, bias]), atol=1e-11)


def test_the_largest_weight_spans_the_window() -> None:
    layer = map_layer(np.array([[2.0, -4.0]]), np.array([1.0]), WINDOW)
    np.testing.assert_allclose(layer.minus_siemens.max(), WINDOW.g_max_siemens)
    np.testing.assert_allclose(layer.minus_siemens.min(), WINDOW.g_min_siemens)


WEIGHT, BIAS = np.random.default_rng(0).standard_normal((2, 40, 30))[0], np.zeros(40)


def test_levels_are_equally_spaced_and_nearest() -> None:
    window = ConductanceWindow(levels=64)
    step = (window.g_max_siemens - window.g_min_siemens) / 63
    exact, quantised = (map_layer(WEIGHT, BIAS, one) for one in (WINDOW, window))
    for side in ("plus_siemens", "minus_siemens"):
        found = getattr(quantised, side)
        assert np.abs(found - getattr(exact, side)).max() <= step / 2 * (1 + 1e-9)
        number = (found - window.g_min_siemens) / step
        np.testing.assert_allclose(number, np.round(number), atol=1e-9)


def test_clipping_spreads_the_window_over_the_others() -> None:
    window = ConductanceWindow(clip_percentile=90)
    layer = map_layer(WEIGHT, BIAS, window)
    limit = np.percentile(np.abs(np.vstack([WEIGHT.T, BIAS])), 90)
    rows = (layer.plus_siemens - layer.minus_siemens) / layer.siemens_per_weight
    np.testing.assert_allclose(rows[:-1].T, np.clip(WEIGHT, -limit, limit), atol=1e-11)
    assert layer.siemens_per_weight > map_layer(WEIGHT, BIAS, WINDOW).siemens_per_weight


def test_write_errors_have_their_deviation_and_bound_and_repeat() -> None:
    exact = map_layer(WEIGHT, BIAS, WINDOW)
    written = [
        map_layer(WEIGHT, BIAS, ConductanceWindow(write_error=0.1, write_seed=seed))
        for seed in (1, 1, 2)
    ]
    error = written[0].plus_siemens / exact.plus_siemens - 1
    assert np.abs(error).max() <= 0.2
    # 4.6 % of a normal's draws lie beyond two sigma and are drawn again uniformly: 0.0894 in all.
    assert np.std(error) == pytest.approx(0.0894, rel=0.06)
    np.testing.assert_array_equal(written[0].plus_siemens, written[1].plus_siemens)
    assert (written[0].plus_siemens != written[2].plus_siemens).all()
    assert (written[0].minus_siemens != written[0].plus_siemens).any()
