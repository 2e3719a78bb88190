"""The score network compiled for the lockstep's hot loop: one point, float64, no torch calls.

Evaluates the network and pushes its tangents (by each state, and by t) forward through the layers
in one pass. tests/score/test_compiled.py holds it against torch and torch.func to 1e-12.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # worker processes do without torch, which takes seconds to import
    from collections.abc import Sequence

    from cosim.diffusion.circuit.mapping import MappedNetwork
    from cosim.diffusion.score.network import Score


Matrices = tuple[np.ndarray, ...]


Part = tuple[float, Matrices, Matrices, np.ndarray, np.ndarray]
"""Of a score: its weight there, the layers' weights and biases, 2 pi W, and the condition."""


class CompiledScore:
    """A score's weights as plain arrays, with the compiled evaluation."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts

    @classmethod
    def of(cls, score: "Score") -> "CompiledScore":
        """A torch score's."""
        parts: list[Part] = []
        for factor, network in score.parts:
            weights, biases = zip(*network.weights_and_biases(), strict=True)
            angular = 2 * math.pi * network.frequencies.double().numpy()
            offsets = network.offsets.double().numpy()
            parts.append((factor, tuple(weights), tuple(biases), angular, offsets))
        return cls(parts)

    @classmethod
    def read(
        cls,
        networks: "Sequence[MappedNetwork]",
        noise: float = 0.0,
        generator: np.random.Generator | None = None,
    ) -> "CompiledScore":
        """That of arrays, as their cells are read: see `MappedLayer.read`."""
        parts: list[Part] = []
        for network in networks:
            read = [layer.read(noise, generator) for layer in network.layers]
            weights, biases = zip(*read, strict=True)
            weights = tuple(map(np.ascontiguousarray, weights))
            angular = 2 * math.pi * network.frequencies
            parts.append((network.weight, weights, biases, angular, network.offsets))
        return cls(parts)

    def value_and_tangents(
        self, x: np.ndarray, t: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Raw output [outputs], its Jacobian [outputs, states] and its derivative by t [outputs].

        Args:
            x: state [states], float64.
            t: diffusion time.
        """
        from cosim.diffusion.score.propagation import propagate  # who only plans needs no numba

        values = tangents = None
        for factor, weights, biases, angular, offsets in self._parts:
            value, tangent = propagate(weights, biases, angular, offsets, x, t)
            if factor != 1.0:
                value, tangent = factor * value, factor * tangent
            values = value if values is None else values + value
            tangents = tangent if tangents is None else tangents + tangent
        assert values is not None and tangents is not None  # a score has a part
        return values, tangents[:, :-1], tangents[:, -1]
