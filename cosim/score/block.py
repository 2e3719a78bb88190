"""The score model as a lockstep block: node volts in, raw-score volts out."""

from typing import TYPE_CHECKING

import numpy as np

from cosim.engine.lockstep import Block
from cosim.scaling import Scaling
from cosim.score.compiled import CompiledScore

if TYPE_CHECKING:
    from cosim.score.network import Score, ScoreNetwork


class ScoreFunction:
    """Evaluates a score network at circuit time and node volts.

    Args:
        network: evaluated in float64, compiled.
        scaling: ties volts and seconds to x and t.
    """

    def __init__(self, network: "Score", scaling: Scaling) -> None:
        self._score = CompiledScore(network)
        self._volt_per_unit = scaling.volt_per_unit
        self._ground_volt = scaling.analog_ground_volt
        self._start_second = scaling.precharge_second
        self._solve_second = scaling.solve_second

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        """Raw-score node volts [outputs] for state node volts [states]."""
        return self.tangents(time_second, volts)[0]

    def tangents(
        self, time_second: float, volts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Volts [outputs], d volt / d volt [outputs, states], d volt / d second [outputs]."""
        elapsed = time_second - self._start_second
        # t = 1 - tau; before tau starts the score stands still.
        rate = -self._volt_per_unit / self._solve_second if elapsed >= 0 else 0.0
        raw, jacobian, by_time = self._score.value_and_tangents(
            (volts - self._ground_volt) / self._volt_per_unit,
            1.0 - max(elapsed, 0.0) / self._solve_second,
        )
        return self._ground_volt + self._volt_per_unit * raw, jacobian, rate * by_time


class LastLayer:
    """The last linear layer alone, at node volts: raw = W h + b.

    Args:
        weight: [outputs, hidden].
        bias: [outputs].
    """

    def __init__(self, weight: np.ndarray, bias: np.ndarray, scaling: Scaling) -> None:
        self._weight, ground = weight, scaling.analog_ground_volt
        self._offset = ground + scaling.volt_per_unit * bias - ground * weight.sum(axis=1)
        self._still = np.zeros(len(bias))

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        """Raw-score node volts [outputs] for activation node volts [hidden]."""
        return self._offset + self._weight @ volts

    def tangents(
        self, time_second: float, volts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Volts [outputs], d volt / d volt [outputs, hidden], d volt / d second [outputs]."""
        return self.value(time_second, volts), self._weight, self._still


def last_layer_block(
    network: "ScoreNetwork", scaling: Scaling, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> Block:
    """The block that drives `outputs` (raw score) from `inputs` (last activations)."""
    layer = LastLayer(*network.weights_and_biases()[-1], scaling)
    return Block("last_layer", inputs, outputs, layer.value, layer.tangents)


def score_block(
    network: "Score", scaling: Scaling, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> Block:
    """The block that drives `outputs` (raw score) from `inputs` (states)."""
    function = ScoreFunction(network, scaling)
    return Block("score", inputs, outputs, function.value, function.tangents)
