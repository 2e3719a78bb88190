"""Weights to conductances and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cosim.score.mapping import ConductanceWindow, map_layer

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
