"""How ngspice found an operating point, and at what cost.

Newton's method comes first. Where it fails, ngspice tries two gmin steppings, source stepping, and
at last a transient with relaxed steps, whose end it takes as it is. Source: ngspice 46,
`spicelib/analysis/cktop.c`, `optran.c`; manual, section 11.3.5.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cosim.errors import ConvergenceError

NEWTON_ALONE = "optran 1 0 0 0 0 0"
EVERY_WAY = "optran 1 1 1 100n 10u 0"
"""Commands that choose ngspice's ways (manual, section 13.5): Newton's method alone, so that where
it fails there is an error; and all, as ngspice has them by itself.
"""

MOVED_PART, MOVED_VOLT = 0.05, 5e-3
"""How far a start may be from the operating point that is known: of a current, and of a node."""


class Way(StrEnum):
    """By what an operating point was found."""

    NEWTON = "Newton's method"
    GMIN = "gmin stepping"
    SOURCE = "source stepping"
    PSEUDO_TRANSIENT = "pseudo-transient"


@dataclass(frozen=True)
class Found:
    """An operating point, as ngspice came to it.

    Attributes:
        way: the one that led there.
        iterations: Newton iterations of all ways together, those that failed included.
    """

    way: Way
    iterations: int

    def __str__(self) -> str:
        return f"{self.way}, {self.iterations} iterations"


_ENDS = {
    re.compile(r"(Dynamic gmin|True gmin|gmin) stepping completed", re.I): Way.GMIN,
    re.compile(r"One successful gmin step", re.I): Way.GMIN,
    re.compile(r"Source stepping completed|One successful source step", re.I): Way.SOURCE,
    re.compile(r"Transient op finished", re.I): Way.PSEUDO_TRANSIENT,
}


def way_of(lines: Iterable[str]) -> Way:
    """What ngspice's lines say about its operating point; it says nothing of Newton's method."""
    found = Way.NEWTON
    for line in lines:
        for pattern, way in _ENDS.items():
            if pattern.search(line):
                found = way
    return found


def require_start(names: Sequence[str], known: Sequence[float], values: np.ndarray) -> None:
    """Compare a start with an operating point that is known.

    Args:
        names: of the vectors; currents end in `#branch`.
        known: their values there.
        values: as ngspice starts.

    Raises:
        ConvergenceError: it is another one.
    """
    for name, expected, value in zip(names, known, values, strict=False):
        current = name.endswith("#branch")
        allowed = MOVED_PART * abs(expected) if current else MOVED_VOLT
        if not abs(value - expected) <= allowed:
            unit = "A" if current else "V"
            raise ConvergenceError(
                f"ngspice starts from another operating point than the confirmed one: {name} is "
                f"{value:.5g} {unit}, and not {expected:.5g} {unit}. The circuit has more states "
                "than one, and this one is not meant. Remove the stored operating points of the "
                "run (`operating_points.json`), and run again."
            )
