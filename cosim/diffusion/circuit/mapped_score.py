"""A score model as conductances: each of its networks, programmed for what outputs measured."""

from collections.abc import Sequence

import numpy as np

from cosim.diffusion.circuit.mapping import ConductanceWindow, MappedNetwork, map_layer
from cosim.diffusion.score.network import Score


def map_score(
    score: Score,
    window: ConductanceWindow,
    gains: Sequence[float] = (),
    offsets: Sequence[float] = (),
) -> tuple[MappedNetwork, ...]:
    """Map every network of a score; of one with a negative weight the last layer is negated.

    Args:
        gains, offsets: of the circuit's outputs, as measured; the last layer is programmed so that
            they come out right. None where they are empty.
    """
    mapped = []
    for number, (weight, network) in enumerate(score.parts):
        layers = network.weights_and_biases()
        if len(gains):
            matrix, bias = layers[-1]
            gain, offset = np.asarray(gains), np.asarray(offsets)
            layers[-1] = (matrix / gain[:, None], (bias - offset) / gain)
        if weight < 0:
            layers[-1] = (-layers[-1][0], -layers[-1][1])
        # Each array of the solver is written with errors of its own.
        first = number * len(layers)
        mapped.append(
            MappedNetwork(
                tuple(
                    map_layer(matrix, bias, window, first + layer)
                    for layer, (matrix, bias) in enumerate(layers)
                ),
                network.frequencies.detach().double().numpy(),
                network.offsets.detach().double().numpy(),
                abs(weight),
            )
        )
    return tuple(mapped)
