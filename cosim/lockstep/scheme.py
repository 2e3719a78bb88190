"""Coupling schemes: how a block's outputs are predicted from accepted points to the next one.

A prediction is affine in time and in the block's inputs x, which is all that ngspice's Newton loop
asks for: u(t) = offset + slope (t - t_n) + jacobian x(t). Others come by entry point
(`cosim.schemes`) or by a Python file that sets `scheme`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cosim.plugins import Registry, subclass_of


class Accepted(NamedTuple):
    """A block at a point that ngspice accepted.

    Attributes:
        time_second: circuit time.
        volts: of its inputs [inputs].
        output: volts that it said [outputs].
        jacobian, by_time: d output / d volts [outputs, inputs] and d output / d time in V/s
            [outputs], for a scheme that is `IMPLICIT`; else None.
    """

    time_second: float
    volts: np.ndarray
    output: np.ndarray
    jacobian: np.ndarray | None = None
    by_time: np.ndarray | None = None


class Prediction(NamedTuple):
    """Output volts from the last accepted point on.

    Attributes:
        offset: [outputs].
        slope: in V/s [outputs]; None for 0.
        jacobian: [outputs, inputs], of a scheme that is `IMPLICIT`; else None.
    """

    offset: np.ndarray
    slope: np.ndarray | None = None
    jacobian: np.ndarray | None = None


class Scheme(ABC):
    """Predicts the outputs of one block; a function of points, which are remembered for it.

    Attributes:
        NAME: in messages and traces.
        ORDER: p, where the error of the solution is O(step^p); the steps that a coupling tolerance
            asks for are chosen by it. ngspice's own rule is of order 2.
        POINTS: how many accepted points it wants to see.
        IMPLICIT: the block is asked for its derivatives, and the netlist holds a Jacobian, by
            which Newton's method solves for inputs and outputs at once.
    """

    NAME: str
    ORDER: int
    POINTS: int = 1
    IMPLICIT: bool = False

    @abstractmethod
    def predict(self, points: Sequence[Accepted]) -> Prediction:
        """From here on.

        Args:
            points: the latest last, times rising; from 1, at the start and after a jump of the
                block's output, to `POINTS`.
        """


class Explicit(Scheme):
    """What the block said is held."""

    NAME = "explicit"
    ORDER = 1

    def predict(self, points: Sequence[Accepted]) -> Prediction:
        """See the class."""
        return Prediction(points[-1].output)


class Extrapolated(Scheme):
    """The line through the last two points goes on."""

    NAME = "extrapolated"
    ORDER = 2
    POINTS = 2

    def predict(self, points: Sequence[Accepted]) -> Prediction:
        """See the class."""
        last = points[-1]
        if len(points) < 2:
            return Prediction(last.output)
        before = points[-2]
        elapsed_second = last.time_second - before.time_second
        return Prediction(last.output, (last.output - before.output) / elapsed_second)


class Linearised(Scheme):
    """The block's tangent at the last point, implicit in the inputs, as in Newton's own method."""

    NAME = "linearised"
    ORDER = 2
    IMPLICIT = True

    def predict(self, points: Sequence[Accepted]) -> Prediction:
        """See the class."""
        last = points[-1]
        assert last.jacobian is not None
        return Prediction(last.output - last.jacobian.dot(last.volts), last.by_time, last.jacobian)


BUILT_IN = (Explicit, Extrapolated, Linearised)

SCHEMES: Registry[type[Scheme]] = Registry(
    kind="scheme",
    group="cosim.schemes",
    accept=subclass_of(Scheme),
    built_in={scheme.NAME: scheme for scheme in BUILT_IN},
)
