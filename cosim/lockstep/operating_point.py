"""The operating point of a circuit with blocks: outputs u = f(x(u)), x what the circuit answers.

ngspice solves x(u). With the scheme `linearised` the circuit holds the block's linearisation, so
that repeating is Newton's method. Other outputs take Anderson's mixing of fixed-point steps, which
for one output is the secant method and finds the point however large the loop's gain.
Source: Walker and Ni, SIAM J. Numer. Anal. 49, 1715 (2011), type II.
"""

import numpy as np

CONSISTENT_PART = 1e-6
"""Of a volt and of the output: how near the netlist's output and the block's have to be."""
LOOSE_PART, LOOSE_ATTEMPTS = 1e-4, 25
"""The same where ngspice's own tolerance stands in the way, after so many attempts."""
ATTEMPTS = 50
REMEMBERED = 8


class OperatingPoint:
    """Finds consistent outputs, attempt by attempt.

    Args:
        mixed: which outputs take Anderson's steps; the others take what the block says [outputs].
    """

    def __init__(self, mixed: np.ndarray) -> None:
        self._mixed = mixed
        self._carried: list[np.ndarray] = []
        self._residuals: list[np.ndarray] = []
        self.attempts = 0

    def consistent(self, carried: np.ndarray, computed: np.ndarray) -> bool:
        """Whether the netlist carried what the blocks say."""
        part = CONSISTENT_PART if self.attempts < LOOSE_ATTEMPTS else LOOSE_PART
        return bool((np.abs(carried - computed) <= part * (1.0 + np.abs(computed))).all())

    def following(self, carried: np.ndarray, computed: np.ndarray) -> np.ndarray:
        """Outputs of the next attempt [outputs]."""
        self.attempts += 1
        residual = computed - carried
        self._carried = [*self._carried[-REMEMBERED:], carried]
        self._residuals = [*self._residuals[-REMEMBERED:], residual]
        following = computed.copy()
        mixed = self._mixed
        if mixed.any() and len(self._carried) > 1:
            by_carried = np.diff(np.array(self._carried)[:, mixed], axis=0).T
            by_residual = np.diff(np.array(self._residuals)[:, mixed], axis=0).T
            part = np.linalg.lstsq(by_residual, residual[mixed], rcond=None)[0]
            following[mixed] -= (by_carried + by_residual) @ part
        return following


class LoopGain:
    """Gain of the loops at the operating point, from one attempt with each output moved a little.

    Args:
        outputs: those that are held between points [moved].
        carried, computed: at the operating point [outputs].
    """

    PART, MOST = 1e-3, 8

    def __init__(self, outputs: np.ndarray, carried: np.ndarray, computed: np.ndarray) -> None:
        self._outputs, self._carried, self._computed = outputs, carried, computed
        self._gain = np.zeros((len(outputs), len(outputs)))
        self._column = -1

    def following(self) -> np.ndarray | None:
        """Outputs of the next attempt [outputs]; None when there is none."""
        self._column += 1
        if self._column >= len(self._outputs):
            return None
        moved = self._carried.copy()
        moved[self._outputs[self._column]] += self._move
        return moved

    @property
    def _move(self) -> float:
        return self.PART * (1.0 + abs(float(self._carried[self._outputs[self._column]])))

    def take(self, computed: np.ndarray) -> None:
        """What the blocks say of it [outputs]."""
        change = (computed - self._computed)[self._outputs]
        self._gain[:, self._column] = change / self._move

    @property
    def gain(self) -> np.ndarray:
        """d computed / d carried [moved, moved]."""
        return self._gain

    @property
    def amplification(self) -> float:
        """How much larger than the coupling error the error of the solution is, at least 1.

        An error e of the outputs comes back through the loop: (1 - gain)^-1 e.
        """
        loop = np.eye(len(self._outputs)) - self._gain
        try:
            return max(1.0, float(np.abs(np.linalg.inv(loop)).sum(axis=1).max()))
        except np.linalg.LinAlgError:
            return float("inf")
