"""Digital samplers as one compiles them for speed: what an analog solver is measured against.

Heun's method for the probability-flow equation, Euler-Maruyama for the reverse SDE, in float32, the
time embedding and the rates from tables (as converters have them). `one_by_one` goes through the
layers sample by sample, a layer's units side by side; `in_batches` takes LANES samples through each
layer by BLAS. Both on one core, with its SIMD instructions.
Held against the torch samplers in tests/diffusion/test_baselines.py.
"""

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch

from cosim.diffusion.score.network import ScoreNetwork
from cosim.diffusion.score.sde import Diffusion

LANES = 256
"""Samples in a block: its activations stay in the first cache."""

Layers = tuple[np.ndarray, ...]


@numba.njit(cache=True, fastmath=True)
def _units(weights: Layers, biases: Layers, extra: np.ndarray, x: np.ndarray,
           first: np.ndarray, second: np.ndarray, raw: np.ndarray) -> None:  # fmt: skip
    """One sample's raw output [states]; weights are [inputs, outputs]."""
    for unit in range(len(first)):
        first[unit] = biases[0][unit] + extra[unit]
        second[unit] = biases[1][unit] + extra[unit]
    for state in range(len(x)):
        for unit in range(len(first)):
            first[unit] += weights[0][state, unit] * x[state]
    for before in range(len(first)):
        value = max(first[before], np.float32(0.0))
        for unit in range(len(second)):
            second[unit] += weights[1][before, unit] * value
    for state in range(len(x)):
        total = biases[2][state]
        for unit in range(len(second)):
            total += weights[2][unit, state] * max(second[unit], np.float32(0.0))
        raw[state] = total


@numba.njit(cache=True, fastmath=True)
def one_by_one(weights: Layers, biases: Layers, embedding: np.ndarray, decay: np.ndarray,
               rate: np.ndarray, noise: np.ndarray, draws: np.ndarray,
               states: np.ndarray) -> None:  # fmt: skip
    """Move `states` [samples, states] to tau = 1, each by itself.

    Args:
        embedding: of each grid point [steps + 1, width].
        decay, rate: of each grid point [steps + 1], times the step: dx = decay x + rate raw.
        noise: of each step [steps], times the root of the step; empty for Heun's method.
        draws: N(0, 1) [samples, steps, states].
    """
    count, dimension = states.shape
    width = embedding.shape[1]
    first, second = np.empty(width, np.float32), np.empty(width, np.float32)
    raw, slope = np.empty(dimension, np.float32), np.empty(dimension, np.float32)
    guess = np.empty(dimension, np.float32)
    for sample in range(count):
        x = states[sample]
        for step in range(len(decay) - 1):
            _units(weights, biases, embedding[step], x, first, second, raw)
            for k in range(dimension):
                slope[k] = decay[step] * x[k] + rate[step] * raw[k]
                guess[k] = x[k] + slope[k]
            if len(noise):
                for k in range(dimension):
                    x[k] = guess[k] + noise[step] * draws[sample, step, k]
                continue
            _units(weights, biases, embedding[step + 1], guess, first, second, raw)
            for k in range(dimension):
                after = decay[step + 1] * guess[k] + rate[step + 1] * raw[k]
                x[k] += np.float32(0.5) * (slope[k] + after)


@numba.njit(cache=True, fastmath=True)
def _rectify(total: np.ndarray, bias: np.ndarray, extra: np.ndarray) -> None:
    """Add a layer's constants to [units, LANES] and cut below zero."""
    for unit in range(len(bias)):
        constant, row = bias[unit] + extra[unit], total[unit]
        for lane in range(LANES):
            row[lane] = max(row[lane] + constant, np.float32(0.0))


@numba.njit(cache=True, fastmath=True)
def _block(transposed: Layers, biases: Layers, extra: np.ndarray, x: np.ndarray,
           first: np.ndarray, second: np.ndarray, raw: np.ndarray) -> None:  # fmt: skip
    """The same of LANES samples: x and raw [states, LANES]; weights are [outputs, inputs]."""
    np.dot(transposed[0], x, first)
    _rectify(first, biases[0], extra)
    np.dot(transposed[1], first, second)
    _rectify(second, biases[1], extra)
    np.dot(transposed[2], second, raw)
    for state in range(len(raw)):
        for lane in range(LANES):
            raw[state, lane] += biases[2][state]


@numba.njit(cache=True, fastmath=True)
def in_batches(weights: Layers, biases: Layers, embedding: np.ndarray, decay: np.ndarray,
               rate: np.ndarray, noise: np.ndarray, draws: np.ndarray,
               states: np.ndarray) -> None:  # fmt: skip
    """As `one_by_one`; the samples must be a multiple of LANES."""
    count, dimension = states.shape
    width = embedding.shape[1]
    transposed = (weights[0].T.copy(), weights[1].T.copy(), weights[2].T.copy())
    first = np.empty((width, LANES), np.float32)
    second = np.empty((width, LANES), np.float32)
    x, raw = np.empty((dimension, LANES), np.float32), np.empty((dimension, LANES), np.float32)
    slope, guess = np.empty_like(x), np.empty_like(x)
    for block in range(0, count, LANES):
        for lane in range(LANES):
            for k in range(dimension):
                x[k, lane] = states[block + lane, k]
        for step in range(len(decay) - 1):
            _block(transposed, biases, embedding[step], x, first, second, raw)
            for k in range(dimension):
                for lane in range(LANES):
                    slope[k, lane] = decay[step] * x[k, lane] + rate[step] * raw[k, lane]
                    guess[k, lane] = x[k, lane] + slope[k, lane]
            if len(noise):
                for k in range(dimension):
                    for lane in range(LANES):
                        x[k, lane] = guess[k, lane] + noise[step] * draws[block + lane, step, k]
                continue
            _block(transposed, biases, embedding[step + 1], guess, first, second, raw)
            for k in range(dimension):
                for lane in range(LANES):
                    after = decay[step + 1] * guess[k, lane] + rate[step + 1] * raw[k, lane]
                    x[k, lane] += np.float32(0.5) * (slope[k, lane] + after)
        for lane in range(LANES):
            for k in range(dimension):
                states[block + lane, k] = x[k, lane]


@dataclass(frozen=True)
class CompiledSampler:
    """A digital sampler of so many steps.

    Args:
        network: whose score is `score_factor` times its raw output.
        reverse: the reverse SDE instead of the probability-flow equation.
    """

    network: ScoreNetwork
    sde: Diffusion
    steps: int
    reverse: bool = False

    @property
    def evaluations(self) -> int:
        """Of the network, in a sample."""
        return self.steps * (1 if self.reverse else 2)

    def tables(self) -> tuple[Any, ...]:
        """The kernels' arguments before the draws and the states."""
        t = torch.linspace(1, 0, self.steps + 1, dtype=torch.float64)
        with torch.inference_mode():
            embedding = self.network.embedding(t) + self.network.offsets
            decay = -self.sde.drift_rate(t) / self.steps
            part = 1.0 if self.reverse else 0.5
            rate = part * self.sde.diffusion(t) ** 2 * self.network.score_factor(t) / self.steps
            noise = self.sde.diffusion(t[:-1]) / math.sqrt(self.steps)
        matrices, biases = zip(*self.network.weights_and_biases(), strict=True)
        return (
            tuple(np.ascontiguousarray(matrix.T, np.float32) for matrix in matrices),
            tuple(bias.astype(np.float32) for bias in biases),
            embedding.numpy().astype(np.float32),
            *(table.numpy().astype(np.float32) for table in (decay, rate)),
            noise.numpy().astype(np.float32) if self.reverse else np.empty(0, np.float32),
        )

    def draws(self, count: int, seed: int) -> np.ndarray:
        """N(0, 1) for so many samples [samples, steps, states]; empty without noise."""
        shape = (count, self.steps, self.network.states) if self.reverse else (0, 0, 0)
        return np.random.default_rng(seed).standard_normal(shape, np.float32)
