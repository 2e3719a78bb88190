"""The score network that the arrays hold.

    e = [sin(2 pi W t), cos(2 pi W t)]            7 fixed frequencies W
    h1 = relu(W1 x + b1 + e),  h2 = relu(W2 h1 + b2 + e),  raw = W3 h2 + b3
    score = output_gain * raw

Source: fact sheet, section 3 (2-14-14-2, output gain 5).
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

RING_FREQUENCIES = (0.26200, -0.81893, 0.24826, 0.41499, 0.03246, -0.27096, 0.07671)
"""The published bench's ring frequencies: fact sheet, section 4."""


class ScoreNetwork(nn.Module):
    """Maps a state and a diffusion time to the score.

    Args:
        states: dimension of the sample.
        frequencies: W, in cycles per unit of t; twice their number is the hidden width.
        output_gain: applied after the last layer.
    """

    frequencies: torch.Tensor

    def __init__(
        self,
        states: int = 2,
        frequencies: Sequence[float] = RING_FREQUENCIES,
        output_gain: float = 5.0,
    ) -> None:
        super().__init__()
        width = 2 * len(frequencies)
        self.states = states
        self.output_gain = output_gain
        self.register_buffer("frequencies", torch.tensor(frequencies, dtype=torch.float32))
        self.linear_layers = nn.ModuleList(
            [nn.Linear(states, width), nn.Linear(width, width), nn.Linear(width, states)]
        )

    def embedding(self, t: torch.Tensor) -> torch.Tensor:
        """Time embedding [..., width] for t [...]."""
        angle = 2 * math.pi * t[..., None] * self.frequencies
        return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)

    def hidden_and_raw(
        self, x: torch.Tensor, t: torch.Tensor
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Hidden activations, each [..., width], and the raw output [..., states].

        Args:
            x: states [..., states].
            t: diffusion time, [...] or a scalar.
        """
        embedding = self.embedding(t)
        hidden = []
        for layer in self.linear_layers[:-1]:
            x = torch.relu(layer(x) + embedding)
            hidden.append(x)
        return hidden, self.linear_layers[-1](x)

    def raw_output(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Output before the gain [..., states]: what the circuit's score nodes carry."""
        return self.hidden_and_raw(x, t)[1]

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Score [..., states] for states x [..., states] and time t."""
        return self.output_gain * self.raw_output(x, t)

    def weights_and_biases(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each layer: weight [outputs, inputs] and bias [outputs], float64 copies."""
        return [
            (
                layer.get_parameter("weight").detach().double().numpy().copy(),
                layer.get_parameter("bias").detach().double().numpy().copy(),
            )
            for layer in self.linear_layers
        ]
