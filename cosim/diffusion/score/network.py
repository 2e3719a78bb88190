"""The score network that the arrays hold.

    e = [sin(2 pi W t), cos(2 pi W t)] + c        7 fixed frequencies W, condition c
    h1 = relu(W1 x + b1 + e),  h2 = relu(W2 h1 + b2 + e),  raw = W3 h2 + b3
    score = output_gain * raw                                           `ScoreNetwork`
    score = output_gain * raw / max(sigma(t), LEAST_DEVIATION)          `EpsilonNetwork`

The second predicts minus the noise, epsilon, which is of order 1 at every t, where the score of a
narrow distribution grows without bound as t goes to 0. c is one constant vector for each class, 0
for none. Guidance of weight w mixes two of them: score = (1 + w) score(c) - w score(0).
Source: fact sheet, section 3 (2-14-14-2, output gain 5, condition); Ho and Salimans,
arXiv 2207.12598 (classifier-free guidance); Ho, Jain and Abbeel, NeurIPS 2020, section 3.2
(epsilon).
"""

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from cosim.diffusion.score.sde import Diffusion

RING_FREQUENCIES = (0.26200, -0.81893, 0.24826, 0.41499, 0.03246, -0.27096, 0.07671)
"""The published bench's ring frequencies: fact sheet, section 4."""

LEAST_DEVIATION = 0.01
"""Of the noise that epsilon is divided by, so that beta / sigma stays bounded."""


class Exact:
    """How a forward pass is computed: layers and ReLUs as they are defined."""

    def layer(self, linear: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """A linear layer's output [..., outputs] for x [..., inputs]."""
        total: torch.Tensor = linear(x)
        return total

    def activation(self, total: torch.Tensor) -> torch.Tensor:
        """What the hidden stages give out."""
        return torch.relu(total)


EXACT = Exact()


class ScoreNetwork(nn.Module):
    """Maps a state and a diffusion time to the score.

    Args:
        states: dimension of the sample.
        frequencies: W, in cycles per unit of t; twice their number is the hidden width.
        output_gain: applied after the last layer.

    Attributes:
        offsets: c, added to the time embedding [width].
    """

    frequencies: torch.Tensor
    offsets: torch.Tensor

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
        self.register_buffer("offsets", torch.zeros(width), persistent=False)
        self.linear_layers = nn.ModuleList(
            [nn.Linear(states, width), nn.Linear(width, width), nn.Linear(width, states)]
        )

    def embedding(self, t: torch.Tensor) -> torch.Tensor:
        """Time embedding [..., width] for t [...], without the condition."""
        angle = 2 * math.pi * t[..., None] * self.frequencies
        return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)

    def hidden_and_raw(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        offsets: torch.Tensor | None = None,
        hardware: Exact = EXACT,
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Hidden activations, each [..., width], and the raw output [..., states].

        Args:
            x: states [..., states].
            t: diffusion time, [...] or a scalar.
            offsets: conditions [..., width] instead of the network's own.
            hardware: what computes layers and activations.
        """
        embedding = self.embedding(t) + (self.offsets if offsets is None else offsets)
        hidden = []
        for layer in self.linear_layers[:-1]:
            x = hardware.activation(hardware.layer(layer, x) + embedding)
            hidden.append(x)
        return hidden, hardware.layer(self.linear_layers[-1], x)

    def raw_output(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Output before the gain [..., states]: what the circuit's score nodes carry."""
        return self.hidden_and_raw(x, t)[1]

    def score_factor(self, t: torch.Tensor) -> torch.Tensor:
        """What the raw output is multiplied by to be the score, for t [...]."""
        return torch.full_like(t, self.output_gain)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Score [..., states] for states x [..., states] and time t."""
        return self.score_factor(t)[..., None] * self.raw_output(x, t)

    @property
    def parts(self) -> list[tuple[float, "ScoreNetwork"]]:
        """Networks and their weights in the score: this one alone."""
        return [(1.0, self)]

    def weights_and_biases(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each layer: weight [outputs, inputs] and bias [outputs], float64 copies."""
        return [
            (
                layer.get_parameter("weight").detach().double().numpy().copy(),
                layer.get_parameter("bias").detach().double().numpy().copy(),
            )
            for layer in self.linear_layers
        ]


class EpsilonNetwork(ScoreNetwork):
    """A network whose raw output is minus the noise over the output gain.

    Args:
        sde: the diffusion it is trained with; the others as `ScoreNetwork`.
    """

    def __init__(
        self,
        sde: Diffusion,
        states: int = 2,
        frequencies: Sequence[float] = RING_FREQUENCIES,
        output_gain: float = 1.0,
    ) -> None:
        super().__init__(states, frequencies, output_gain)
        self.sde = sde

    def deviation(self, t: torch.Tensor) -> torch.Tensor:
        """Of the noise at t [...], at least LEAST_DEVIATION."""
        return self.sde.sigma(t).clamp(min=LEAST_DEVIATION)

    def score_factor(self, t: torch.Tensor) -> torch.Tensor:
        """What the raw output is multiplied by to be the score, for t [...]."""
        return self.output_gain / self.deviation(t)


class ConditionalScoreNetwork(ScoreNetwork):
    """A network with a condition c = Linear(GELU(Linear(one-hot class))).

    Args:
        classes: their number; the others as `ScoreNetwork`.
    """

    def __init__(self, classes: int, frequencies: Sequence[float], states: int = 2) -> None:
        super().__init__(states, frequencies)
        width = 2 * len(frequencies)
        self.classes = classes
        self.condition_layers = nn.Sequential(
            nn.Linear(classes, width), nn.GELU(), nn.Linear(width, width)
        )

    def condition(self, labels: torch.Tensor) -> torch.Tensor:
        """c [..., width] of classes [...]; zero where the label is -1."""
        known = (labels >= 0)[..., None]
        one_hot = nn.functional.one_hot(labels.clamp(min=0), self.classes)
        return self.condition_layers(one_hot.to(self.offsets.dtype)) * known

    def given(self, label: int) -> "ConditionalScoreNetwork":
        """The same network with the condition of a class; -1 for none."""
        network = copy.copy(self)
        network._buffers = dict(self._buffers)
        network.offsets = self.condition(torch.tensor(label)).detach()
        return network


class GuidedScore(nn.Module):
    """(1 + weight) score(class) - weight score(no class); used as a `ScoreNetwork`.

    Args:
        weight: of the guidance, above 0.
    """

    def __init__(self, network: ConditionalScoreNetwork, label: int, weight: float) -> None:
        super().__init__()
        self.parts = [(1 + weight, network.given(label)), (-weight, network.given(-1))]
        self.states, self.output_gain = network.states, network.output_gain

    def raw_output(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Output before the gain [..., states]."""
        first, second = (weight * part.raw_output(x, t) for weight, part in self.parts)
        return first + second

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Score [..., states] for states x [..., states] and time t."""
        return self.output_gain * self.raw_output(x, t)


Score = ScoreNetwork | GuidedScore
"""What samplers and circuits take."""
