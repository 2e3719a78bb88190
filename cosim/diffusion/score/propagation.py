"""A score network's output and tangents at one point, as compiled code.

The call costs as much as the network: each array that is handed over takes a tenth of a
microsecond, each that is returned one, and so all weights come as one, and results are written to.
"""

import math

import numba
import numpy as np


@numba.njit(cache=True)
def propagate(
    weights: np.ndarray,
    widths: np.ndarray,
    angular: np.ndarray,
    offsets: np.ndarray,
    x: np.ndarray,
    t: float,
    raw: np.ndarray,
    jacobian: np.ndarray,
    by_time: np.ndarray,
) -> None:
    """Write a network's output and its tangents.

    Args:
        weights: of each layer the matrix, row by row, and the biases.
        widths: states, and the outputs of each layer [layers + 1].
        raw: output [outputs].
        jacobian: d output / d state [outputs, states].
        by_time: d output / dt [outputs].
    """
    half = len(angular)
    states = len(x)
    value = x
    tangent = np.eye(states, states + 1)
    begin = 0
    for number in range(1, len(widths)):
        columns, rows = widths[number - 1], widths[number]
        end = begin + rows * columns
        weight, bias = weights[begin:end].reshape(rows, columns), weights[end : end + rows]
        begin = end + rows
        after = np.empty(rows)
        tangent_after = np.empty((rows, states + 1))
        hidden = number < len(widths) - 1
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
    raw[:] = value
    jacobian[:] = tangent[:, :states]
    by_time[:] = tangent[:, states]
