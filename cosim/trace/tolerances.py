"""What a signal may differ by from its golden curve, and the TOML file that says so."""

import fnmatch
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cosim.errors import ConfigurationError
from cosim.files import read_toml

ROUNDING = 1e-12
"""Of a curve's largest value: what is no difference between two machines."""

RESIDUE = 1e-6
"""Of a curve's largest value: what is left of the iterations of two solvers, some 1e-3 of ngspice's
own `reltol`. It scales with the signal, so that a current of nA is guarded as one of mA.
"""

FLOORS = {"V": 1e-9, "A": 1e-15}
"""For a signal that is zero but for rounding: a thousandth of ngspice's `vntol` and `abstol`."""


class Tolerance(BaseModel):
    """What a signal may differ by: absolute + relative * range, either way.

    Attributes:
        absolute: in the signal's unit; by default 1e-6 of its largest value, and 1e-9 V or 1e-15 A.
        relative: of the golden signal's range.
        time_second: by which an edge may be early or late.
        root_mean_square: limit of the difference's RMS over time, in the signal's unit; by default
            what the band implies.
        area: limit of the integral of the absolute difference, unit times s; by default as above.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    absolute: float | None = Field(None, ge=0)
    relative: float = Field(1e-3, ge=0)
    time_second: float = Field(0.0, ge=0)
    root_mean_square: float | None = Field(None, ge=0)
    area: float | None = Field(None, ge=0)

    def width(self, unit: str, golden: np.ndarray) -> float:
        """Half of the band, in the signal's unit, around finite golden values [n]."""
        largest = float(np.abs(golden).max())
        absolute = self.absolute
        if absolute is None:
            absolute = FLOORS.get(unit, 0.0) + RESIDUE * largest
        return absolute + self.relative * float(np.ptp(golden)) + ROUNDING * largest


class Tolerances(Tolerance):
    """Defaults, what differs for signals by pattern, and names that were changed.

    Signals of the lockstep coupling are named `coupling/score.s0`.

    Attributes:
        signals: by name or pattern (`integrator_*.out`); the last one that fits counts.
        rename: the golden trace's name of a signal, by its name in the run.
        ignore: patterns of signals that are not compared.
    """

    signals: dict[str, Tolerance] = {}
    rename: dict[str, str] = {}
    ignore: tuple[str, ...] = ()

    def of(self, name: str) -> Tolerance:
        """The tolerance of a signal."""
        chosen: Tolerance = self
        for pattern, tolerance in self.signals.items():
            if fnmatch.fnmatchcase(name, pattern):
                chosen = tolerance
        return chosen

    def ignores(self, name: str) -> bool:
        """Whether a signal is not compared."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.ignore)

    def unfit(self, names: Iterable[str]) -> list[str]:
        """What is wrong with the patterns, for signals of these names: each must fit one."""
        known = list(names)
        tables = {"signals": self.signals, "ignore": self.ignore}
        return [
            f"the pattern '{pattern}' in {table} fits no signal"
            for table, patterns in tables.items()
            for pattern in patterns
            if not fnmatch.filter(known, pattern)
        ]


def load_tolerances(path: Path) -> Tolerances:
    """Read a tolerances file.

    Raises:
        ConfigurationError: it cannot be read, is not TOML, or a key is wrong.
    """
    try:
        return Tolerances.model_validate(read_toml(path))
    except ValidationError as error:
        raise ConfigurationError(
            f"{path} holds no tolerances: {faults_of(error)}. Known are absolute, relative, "
            "time_second, root_mean_square, area, the tables [signals.'PATTERN'] and [rename]; "
            "ignore lists patterns."
        ) from None


def faults_of(error: ValidationError) -> str:
    """Keys and what is wrong with them."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
    )
