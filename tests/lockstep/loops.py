"""Loops through a block from stable to unstable, each with its solution.

In them tau = 1 us, and `t` is in units of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.optimize import brentq

from cosim.lockstep.block import Block

TAU_SECOND = 1e-6
State = np.ndarray | list[float]


@dataclass(frozen=True)
class Loop:
    """A circuit with the block 'loop'.

    Attributes:
        body: its elements, with states at nodes x, y.
        block: what drives u, v.
        solution: of node x, for times in tau [n].
        stop: in tau.
    """

    body: str
    block: Block
    solution: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    stop: float


def divider(gain: float) -> Loop:
    """x = (u + d) / 2, u = 1 + 2 g x: an algebraic loop of gain g, d a sine of 10 tau."""
    return Loop(
        "Vd d 0 SIN(0.5 0.5 100k)\nR1 u x 1k\nR2 d x 1k",
        Block(lambda v: 1 + 2 * gain * v, ["x"], ["u"], name="loop"),
        lambda t: (1.5 + 0.5 * np.sin(0.2 * np.pi * t)) / 2 / (1 - gain),
        20,
    )


def clipped_divider(gain: float) -> Loop:
    """x = (u + d) / 2, u = 2 tanh(g x): the same, of a gain that depends on x."""

    def solution(t: np.ndarray) -> np.ndarray:
        drive = 0.5 + 0.5 * np.sin(0.2 * np.pi * t)
        return np.array([
            brentq(lambda x, d=d: x - np.tanh(gain * x) - d / 2, -9, 9, xtol=1e-12) for d in drive
        ])  # fmt: skip

    block = Block(lambda v: 2 * np.tanh(gain * v), ["x"], ["u"], name="loop")
    return Loop("Vd d 0 SIN(0.5 0.5 100k)\nR1 u x 1k\nR2 d x 1k", block, solution, 20)


def lag(gain: float) -> Loop:
    """x' = u - x, u = 1 + g x, x(0) = 0, over five time constants of the loop."""
    rate = 1 - gain
    return Loop(
        "R1 u x 1k\nC1 x 0 1n\n.ic v(x)=0",
        Block(lambda v: 1 + gain * v, ["x"], ["u"], name="loop"),
        lambda t: (1 - np.exp(-rate * t)) / rate,
        5 / abs(rate),
    )


def two_lags(gain: float) -> Loop:
    """x' = y - x, y' = u - y, u = 1 + g x: second order, without an integrator."""
    return _linear(
        [[-1, 1], [gain, -1]], [0, 1], 8,
        "R1 u y 1k\nC1 y 0 1n\nE1 z 0 y 0 1\nR2 z x 1k\nC2 x 0 1n\n.ic v(x)=0 v(y)=0",
        Block(lambda v: 1 + gain * v, ["x"], ["u"], name="loop"), [0.0, 0.0],
    )  # fmt: skip


def spring(damping: float, stop: float) -> Loop:
    """x' = y, y' = -x - 2 d y, x(0) = 1: the restoring and the damping force by the block."""
    block = Block(lambda v: -v[0] - 2 * damping * v[1], ["x", "y"], ["u"], name="loop")
    body = "G1 0 x y 0 1m\nC1 x 0 1n\nG2 0 y u 0 1m\nC2 y 0 1n\nR1 u 0 1k\n.ic v(x)=1 v(y)=0"
    return _linear([[0, 1], [-1, -2 * damping]], [0, 0], stop, body, block, [1.0, 0.0])


def rotation(rate: float, stop: float) -> Loop:
    """x' = r x - 2 y, y' = 2 x + r y: two outputs of one block."""
    matrix = np.array([[rate, -2.0], [2.0, rate]])
    block = Block(lambda v: matrix @ v, ["x", "y"], ["u", "v"], name="loop")
    body = (
        "G1 0 x u 0 1m\nC1 x 0 1n\nG2 0 y v 0 1m\nC2 y 0 1n\nR1 u 0 1k\nR2 v 0 1k\n"
        ".ic v(x)=1 v(y)=0"
    )
    return _linear(matrix.tolist(), [0, 0], stop, body, block, [1.0, 0.0])


def flow(function: Callable[..., np.ndarray], start: float, stop: float) -> Loop:
    """x' = f(x), all of it by the block."""
    block = Block(function, ["x"], ["u"], name="loop")
    body = f"G1 0 x u 0 1m\nC1 x 0 1n\nR1 u 0 1k\n.ic v(x)={start!r}"
    return Loop(body, block, _integrated(function, [start], stop), stop)


def van_der_pol(mu: float, stop: float) -> Loop:
    """x' = y + mu (x - x^3 / 3), y' = -x."""

    def slope(state: State) -> np.ndarray:
        x, y = state
        return np.array([y + mu * (x - x**3 / 3), -x])

    block = Block(lambda v: mu * (v - v**3 / 3), ["x"], ["u"], name="loop")
    body = (
        "G1 0 x y 0 1m\nG3 0 x u 0 1m\nC1 x 0 1n\nG2 y 0 x 0 1m\nC2 y 0 1n\nR1 u 0 1k\n"
        ".ic v(x)=2 v(y)=0"
    )
    return Loop(body, block, _integrated(slope, [2.0, 0.0], stop), stop)


def _linear(
    matrix: list[list[float]], drive: list[float], stop: float, body: str, block: Block,
    start: list[float],
) -> Loop:  # fmt: skip
    """s' = A s + b, by the exponential of [[A, b], [0, 0]]."""
    size = len(drive)
    whole = np.zeros((size + 1, size + 1))
    whole[:size, :size], whole[:size, size] = matrix, drive
    begin = np.array([*start, 1.0])
    return Loop(
        body, block, lambda t: np.array([(expm(whole * one) @ begin)[0] for one in t]), stop
    )


def _integrated(
    slope: Callable[..., np.ndarray], start: list[float], stop: float
) -> Callable[[np.ndarray], np.ndarray]:
    def solution(t: np.ndarray) -> np.ndarray:
        found = solve_ivp(
            lambda _, state: slope(state), (0, stop), start, method="DOP853", rtol=1e-12,
            atol=1e-12, t_eval=np.clip(t, 0, stop),
        )  # fmt: skip
        return found.y[0]

    return solution


LOOPS = {
    **{f"divider {gain:g}": divider(gain) for gain in (-8, -4, -1.2, -0.9, -0.2, 0.5, 0.95, 1.5)},
    **{f"clipped divider {gain:g}": clipped_divider(gain) for gain in (-3, 0.8)},
    **{f"lag {gain:g}": lag(gain) for gain in (-200, -50, -5, -0.5, 0.5, 0.9, 1.05, 1.2)},
    **{f"two lags {gain:g}": two_lags(gain) for gain in (-40, -2, 0.8)},
    "spring": spring(0.0, 6.28),
    "spring for 3 turns": spring(0.0, 18.85),
    "damped spring": spring(0.2, 12),
    "spring that swings up": spring(-0.1, 20),
    "spiral in": rotation(-0.5, 8),
    "spiral out": rotation(0.3, 8),
    "logistic growth": flow(lambda x: x * (1 - x), 0.01, 12),
    "cubic decay": flow(lambda x: -(x**3), 2.0, 5),
    "blow-up": flow(lambda x: x**2, 1.0, 0.9),
    "latch that falls": flow(lambda x: np.tanh(3 * x) - x, 0.01, 8),
    "van der Pol": van_der_pol(1.0, 10),
}
