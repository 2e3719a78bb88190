"""The operating point of a circuit with blocks: outputs u = f(x(u)), x what the circuit answers.

ngspice solves x(u). With the scheme `linearised` the circuit holds the block's linearisation, so
that repeating is Newton's method. Other outputs take Anderson's mixing of fixed-point steps, which
for one output is the secant method and finds the point however large the loop's gain.
Source: Walker and Ni, SIAM J. Numer. Anal. 49, 1715 (2011), type II.
"""

from functools import cached_property

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
        outputs: those that are moved [moved].
        held: which of them are held in the netlist; it has the linearisation of the others, to
            which the move is added [moved].
        carried, computed: at the operating point [outputs].
    """

    PART, MOST = 1e-3, 8
    UNSTABLE = 1.02
    """A gain of 1 with what ngspice's tolerance makes of it."""

    def __init__(
        self, outputs: np.ndarray, held: np.ndarray, carried: np.ndarray, computed: np.ndarray
    ) -> None:
        self._outputs, self._held = outputs, held
        self._carried, self._computed = carried, computed
        self._by_carried: list[np.ndarray] = []
        self._by_computed: list[np.ndarray] = []

    def following(self) -> np.ndarray | None:
        """What to add to the outputs in the next attempt [outputs]; None when there is none."""
        column = len(self._by_carried)
        if column >= len(self._outputs):
            return None
        added = np.zeros_like(self._carried)
        output = self._outputs[column]
        added[output] = self.PART * (1.0 + abs(float(self._carried[output])))
        return added

    def take(self, carried: np.ndarray, computed: np.ndarray) -> None:
        """What the netlist carried in it, and what the blocks say [outputs]."""
        self._by_carried.append((carried - self._carried)[self._outputs])
        self._by_computed.append((computed - self._computed)[self._outputs])

    @cached_property
    def gain(self) -> np.ndarray:
        """d computed / d carried [moved, moved]."""
        by_carried, by_computed = np.array(self._by_carried), np.array(self._by_computed)
        return np.linalg.lstsq(by_carried, by_computed, rcond=None)[0].T

    @property
    def largest(self) -> float:
        """Of the gains' absolute values."""
        return float(np.abs(np.linalg.eigvals(self.gain)).max())

    @property
    def unstable(self) -> tuple[float, list[int]] | None:
        """The gain of a loop with which the circuit cannot stay at this operating point, and the
        outputs that it goes through; None if there is none.

        A real gain beyond 1 at rest, which falls to 0 at high frequency, encircles 1: an odd
        number of poles lies in the right half plane, if the circuit is stable without the blocks.
        Source: Desoer and Wang, IEEE Trans. Circuits Syst. 27, 104 (1980), generalised Nyquist.
        """
        gains, directions = np.linalg.eig(self.gain)
        real = np.where(np.abs(gains.imag) < 1e-6 * np.abs(gains), gains.real, -np.inf)
        worst = int(np.argmax(real))
        if not real[worst] > self.UNSTABLE:
            return None
        parts = np.abs(directions[:, worst])
        return float(real[worst]), self._outputs[parts > parts.max() / 10].tolist()

    @property
    def amplification(self) -> float:
        """How much larger than the coupling error the error of the solution is, at least 1.

        An error e of the held outputs comes back through the loop: (1 - gain)^-1 e.
        """
        loop = np.eye(len(self._outputs)) - self.gain
        try:
            inverse = np.abs(np.linalg.inv(loop))[np.ix_(self._held, self._held)]
        except np.linalg.LinAlgError:
            return float("inf")
        return max(1.0, float(inverse.sum(axis=1).max(initial=0.0)))
