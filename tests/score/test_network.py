"""The score network, and its compiled form against torch."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.score.compiled import CompiledScore
from cosim.score.network import RING_FREQUENCIES, ScoreNetwork


def random_network(seed: int) -> ScoreNetwork:
    torch.manual_seed(seed)
    return ScoreNetwork().double()


def test_forward_is_the_published_formula() -> None:
    """Written out in numpy: fact sheet, section 3."""
    network = random_network(0)
    x, t = np.array([0.3, -1.2]), 0.37
    angle = 2 * math.pi * t * np.array(RING_FREQUENCIES, dtype=np.float32).astype(float)
    embedding = np.concatenate([np.sin(angle), np.cos(angle)])
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    h = x
    for layer in (0, 1):
        weight, bias = (arrays[f"linear_layers.{layer}.{part}"] for part in ("weight", "bias"))
        h = np.maximum(weight @ h + bias + embedding, 0)
    raw = arrays["linear_layers.2.weight"] @ h + arrays["linear_layers.2.bias"]
    score = network(torch.from_numpy(x), torch.tensor(t, dtype=torch.float64))
    np.testing.assert_allclose(score.detach().numpy(), 5 * raw, rtol=1e-13)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10),
    st.tuples(st.floats(-4, 4), st.floats(-4, 4)),
    st.floats(0, 1),
)
def test_compiled_score_is_torch_to_1e_12(seed: int, point: tuple[float, float], t: float) -> None:
    network = random_network(seed)
    value, jacobian, by_time = CompiledScore(network).value_and_tangents(np.array(point), t)
    x, time = torch.tensor(point, dtype=torch.float64), torch.tensor(t, dtype=torch.float64)
    raw = network.raw_output(x, time)
    by_x, by_t = torch.func.jacfwd(network.raw_output, argnums=(0, 1))(x, time)
    for found, expected in ((value, raw), (jacobian, by_x), (by_time, by_t)):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=0, atol=1e-12)
