"""The score model as a lockstep block: node volts in, raw-score volts out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cosim.diffusion.scaling import Scaling
from cosim.diffusion.score.compiled import CompiledScore
from cosim.lockstep.block import Block

if TYPE_CHECKING:
    from cosim.diffusion.circuit.mapping import MappedNetwork
    from cosim.diffusion.score.network import ScoreNetwork


class ScoreFunction:
    """Evaluates a score at circuit time and node volts.

    Args:
        score: compiled, in float64.
        scaling: ties volts and seconds to x and t.
    """

    def __init__(self, score: CompiledScore, scaling: Scaling) -> None:
        self._score = score
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


class ReadNoiseFunction(ScoreFunction):
    """A score whose cells fluctuate: what they are read as is drawn anew at each update.

    Args:
        networks: as programmed.
        noise: standard deviation of a cell's relative fluctuation.
        updates: in a solve.
        seed: of the draws; each update has its own, so that a solve can be resumed.
    """

    def __init__(
        self,
        networks: "Sequence[MappedNetwork]",
        scaling: Scaling,
        noise: float,
        updates: int,
        seed: tuple[int, ...],
    ) -> None:
        super().__init__(CompiledScore.read(networks), scaling)
        self._networks, self._noise = networks, noise
        self._updates, self._seed, self._update = updates, seed, -1

    def tangents(
        self, time_second: float, volts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As of a `ScoreFunction`, with the cells' present values."""
        tau = max(time_second - self._start_second, 0.0) / self._solve_second
        update = min(int(tau * self._updates * (1 + 1e-12)), self._updates - 1)
        if update != self._update:
            self._update = update
            generator = np.random.default_rng([*self._seed, update])
            self._score = CompiledScore.read(self._networks, self._noise, generator)
        return super().tangents(time_second, volts)


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
    return Block(layer, inputs, outputs, name="last_layer")


def score_block(
    function: ScoreFunction, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> Block:
    """The block that drives `outputs` (raw score) from `inputs` (states)."""
    return Block(function, inputs, outputs, name="score")
