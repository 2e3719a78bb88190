"""What arrays and stages make of a forward pass, for training that bears it.

Each weight is a pair of cells (`cosim.diffusion.circuit.mapping`): plus = floor + max(w, 0),
minus = floor + max(-w, 0) in units of the weight. Every cell fluctuates by a relative
N(0, read_noise), anew for each sample. A sum of independent Gaussians is one, so that a layer's
output is drawn at once: variance = read_noise^2 sum_j (plus_j^2 + minus_j^2) x_j^2. Activations
follow a measured curve.
Source: Kingma, Salimans and Welling, NIPS 2015 (local reparameterisation).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cosim.diffusion.circuit.mapping import ConductanceWindow
from cosim.diffusion.score.network import Exact


@dataclass(frozen=True)
class Hardware(Exact):
    """Noise and curves of a forward pass.

    Attributes:
        generator: of the noise.
        read_noise: standard deviation of a cell's relative fluctuation.
        curve: what a ReLU gives out [2, n]: inputs, rising, and outputs, in units of x; beyond its
            ends it stays. None for the ideal ReLU.
        window: of the conductances, for the floor of each pair.
    """

    generator: torch.Generator
    read_noise: float = 0.0
    curve: np.ndarray | None = None
    window: ConductanceWindow = ConductanceWindow()

    def layer(self, linear: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """A linear layer's output [..., outputs] for x [..., inputs], as it is read."""
        total = super().layer(linear, x)
        if not self.read_noise:
            return total
        assert isinstance(linear, nn.Linear)
        weight, bias = linear.weight, linear.bias
        rows = torch.cat([weight, bias[:, None]], dim=1)
        floor = self.window.floor_part * rows.abs().max()
        squares = (floor + rows.abs()).square() + floor**2
        variance = nn.functional.linear(x.square(), squares[:, :-1], squares[:, -1])
        noise = torch.randn(total.shape, generator=self.generator)
        return total + self.read_noise * variance.sqrt() * noise

    def activation(self, total: torch.Tensor) -> torch.Tensor:
        """What the hidden stages give out."""
        if self.curve is None:
            return super().activation(total)
        inputs, outputs = torch.from_numpy(self.curve).to(total.dtype)
        inside = total.clamp(float(inputs[0]), float(inputs[-1]))
        after = torch.searchsorted(inputs, inside.detach()).clamp(1, len(inputs) - 1)
        slope = (outputs[after] - outputs[after - 1]) / (inputs[after] - inputs[after - 1])
        return outputs[after - 1] + slope * (inside - inputs[after - 1])
