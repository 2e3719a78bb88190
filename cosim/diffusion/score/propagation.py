"""A score network's output and tangents at one point, as compiled code."""

import math

import numba
import numpy as np

Matrices = tuple[np.ndarray, ...]


@numba.njit(cache=True)
def propagate(
    weights: Matrices,
    biases: Matrices,
    angular: np.ndarray,
    offsets: np.ndarray,
    x: np.ndarray,
    t: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Raw output [outputs] and its tangents [outputs, states + 1], the last one by t."""
    half = len(angular)
    states = len(x)
    value = x
    tangent = np.eye(states, states + 1)
    for number in range(len(weights)):
        weight, bias = weights[number], biases[number]
        rows, columns = weight.shape
        after = np.empty(rows)
        tangent_after = np.empty((rows, states + 1))
        hidden = number < len(weights) - 1
        for row in range(rows):
            total = bias[row]
            for column in range(columns):
                total += weight[row, column] * value[column]
            for direction in range(states + 1):
                slope = 0.0
                for column in range(columns):
                    slope += weight[row, column] * tangent[column, direction]
                tangent_after[row, direction] = slope
            if hidden:
                omega = angular[row % half]
                total += offsets[row]
                if row < half:
                    total += math.sin(omega * t)
                    tangent_after[row, states] += omega * math.cos(omega * t)
                else:
                    total += math.cos(omega * t)
                    tangent_after[row, states] -= omega * math.sin(omega * t)
                if total <= 0.0:
                    total = 0.0
                    tangent_after[row, :] = 0.0
            after[row] = total
        value, tangent = after, tangent_after
    return value, tangent
