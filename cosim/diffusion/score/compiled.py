"""The score network compiled for the lockstep's hot loop: one point, float64, no torch calls.

Evaluates the network and pushes its tangents (by each state, and by t) forward through the layers
in one pass. tests/score/test_compiled.py holds it against torch and torch.func to 1e-12.
"""

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:  # worker processes do without torch, which takes seconds to import
    from collections.abc import Callable, Sequence

    from cosim.diffusion.circuit.mapping import MappedNetwork
    from cosim.diffusion.score.network import Score


class Part(NamedTuple):
    """A network of a score.

    Attributes:
        factor: its weight there.
        weights, widths: as `propagation.propagate` takes them.
        angular: 2 pi W.
        offsets: the condition's.
        outputs: how many.
    """

    factor: float
    weights: np.ndarray
    widths: np.ndarray
    angular: np.ndarray
    offsets: np.ndarray
    outputs: int

    @classmethod
    def of(
        cls,
        factor: float,
        layers: "Sequence[tuple[np.ndarray, np.ndarray]]",
        angular: np.ndarray,
        offsets: np.ndarray,
    ) -> "Part":
        """From matrix [outputs, inputs] and bias [outputs] of each layer."""
        weights = np.concatenate([one.ravel() for layer in layers for one in layer])
        widths = np.array([layers[0][0].shape[1], *(len(bias) for _, bias in layers)])
        return cls(factor, weights, widths, angular, offsets, len(layers[-1][1]))


class CompiledScore:
    """A score's weights as plain arrays, with the compiled evaluation."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts

    @classmethod
    def of(cls, score: "Score") -> "CompiledScore":
        """A torch score's."""
        parts: list[Part] = []
        for factor, network in score.parts:
            angular = 2 * math.pi * network.frequencies.double().numpy()
            offsets = network.offsets.double().numpy()
            parts.append(Part.of(factor, network.weights_and_biases(), angular, offsets))
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
            angular = 2 * math.pi * network.frequencies
            parts.append(Part.of(network.weight, read, angular, network.offsets))
        return cls(parts)

    def value_and_tangents(
        self, x: np.ndarray, t: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Raw output [outputs], its Jacobian [outputs, states] and its derivative by t [outputs].

        Args:
            x: state [states], float64.
            t: diffusion time.
        """
        raw, jacobian, by_time = self._of(self._parts[0], x, t)
        for part in self._parts[1:]:
            more, more_jacobian, more_by_time = self._of(part, x, t)
            raw, jacobian, by_time = raw + more, jacobian + more_jacobian, by_time + more_by_time
        return raw, jacobian, by_time

    @staticmethod
    def _of(part: Part, x: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        factor, weights, widths, angular, offsets, outputs = part
        raw, jacobian, by_time = np.empty(outputs), np.empty((outputs, len(x))), np.empty(outputs)
        _propagate()(weights, widths, angular, offsets, x, t, raw, jacobian, by_time)
        if factor != 1.0:
            return factor * raw, factor * jacobian, factor * by_time
        return raw, jacobian, by_time


@cache
def _propagate() -> "Callable[..., None]":
    """Imported when a network is first asked: who only plans needs no numba."""
    from cosim.diffusion.score.propagation import propagate

    compiled: Callable[..., None] = propagate
    return compiled
