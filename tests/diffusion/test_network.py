"""The score network, and its compiled form against torch."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.diffusion.score.compiled import CompiledScore
from cosim.diffusion.score.network import (
    RING_FREQUENCIES,
    ConditionalScoreNetwork,
    GuidedScore,
    Score,
    ScoreNetwork,
)


def random_network(seed: int) -> ScoreNetwork:
    torch.manual_seed(seed)
    return ScoreNetwork().double()


def conditional_network(seed: int) -> ConditionalScoreNetwork:
    torch.manual_seed(seed)
    return ConditionalScoreNetwork(3, RING_FREQUENCIES).double()


def scores(seed: int) -> list[Score]:
    """Plain, conditional and guided ones."""
    conditional = conditional_network(seed)
    return [random_network(seed), conditional.given(1), GuidedScore(conditional, 2, 1.5)]


def test_condition_of_a_class_is_a_constant_in_both_hidden_layers() -> None:
    """`given` for the circuit, `condition` for training: one network."""
    network = conditional_network(1)
    x, t = torch.randn(3, 2, dtype=torch.float64), torch.rand(3, dtype=torch.float64)
    labels = torch.tensor([0, 2, -1])
    together = network.hidden_and_raw(x, t, network.condition(labels))[1]
    for row, label in enumerate(labels):
        alone = network.given(int(label)).raw_output(x[row], t[row])
        torch.testing.assert_close(alone, together[row])
    assert torch.count_nonzero(network.condition(torch.tensor(-1))) == 0
    assert torch.count_nonzero(network.offsets) == 0  # `given` leaves the network as it was


def test_guidance_is_its_formula() -> None:
    network = conditional_network(2)
    x, t = torch.randn(5, 2, dtype=torch.float64), torch.rand(5, dtype=torch.float64)
    expected = 2.5 * network.given(0)(x, t) - 1.5 * network.given(-1)(x, t)
    torch.testing.assert_close(GuidedScore(network, 0, 1.5)(x, t), expected)


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
    for score in scores(seed):
        value, jacobian, by_time = CompiledScore.of(score).value_and_tangents(np.array(point), t)
        x, time = torch.tensor(point, dtype=torch.float64), torch.tensor(t, dtype=torch.float64)
        raw = score.raw_output(x, time)
        by_x, by_t = torch.func.jacfwd(score.raw_output, argnums=(0, 1))(x, time)
        for found, expected in ((value, raw), (jacobian, by_x), (by_time, by_t)):
            np.testing.assert_allclose(found, expected.detach().numpy(), rtol=0, atol=1e-12)
