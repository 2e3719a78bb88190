"""Analyses and options as records: what is asked of ngspice, and its netlist line.

Source: ngspice manual, chapters 11.1 (options) and 11.3 (analyses).
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from cosim.errors import NetlistError


class Analysis(Protocol):
    """What `NgspiceSession.solve` runs."""

    @property
    def line(self) -> str:
        """Its netlist line."""


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise NetlistError(f"An analysis cannot be run: {what}.")


def _name(text: str) -> str:
    """A node's or source's name, which must not end the line it stands in."""
    _require(bool(text) and not set(text) & set(" \t\n;\\\"'`"), f"'{text}' is no name")
    return text


@dataclass(frozen=True)
class OperatingPoint:
    """The direct-current solution, sources at their DC values."""

    @property
    def line(self) -> str:
        """The `.op` line."""
        return ".op"


@dataclass(frozen=True)
class DirectSweep:
    """Operating points while a source (volt or ampere) is swept."""

    source: str
    start: float
    stop: float
    step: float

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (self.start, self.stop, self.step)))
        _require(
            finite and self.step * (self.stop - self.start) > 0,
            f"a sweep from {self.start!r} to {self.stop!r} cannot step by {self.step!r}",
        )

    @property
    def line(self) -> str:
        """The `.dc` line."""
        return f".dc {_name(self.source)} {self.start!r} {self.stop!r} {self.step!r}"


@dataclass(frozen=True)
class _Frequencies:
    """Logarithmic frequencies."""

    points_per_decade: int
    start_hertz: float
    stop_hertz: float

    def __post_init__(self) -> None:
        _require(
            self.points_per_decade > 0 and 0 < self.start_hertz <= self.stop_hertz < math.inf,
            f"{self.points_per_decade} points a decade from {self.start_hertz!r} Hz to "
            f"{self.stop_hertz!r} Hz are no frequencies",
        )

    @property
    def _range(self) -> str:
        return f"dec {self.points_per_decade} {self.start_hertz!r} {self.stop_hertz!r}"


@dataclass(frozen=True)
class SmallSignal(_Frequencies):
    """Response to the sources' AC values around the operating point."""

    @property
    def line(self) -> str:
        """The `.ac` line."""
        return f".ac {self._range}"


@dataclass(frozen=True)
class Noise(_Frequencies):
    """Noise of a node's voltage, and of a source that stands for it at the input."""

    node: str
    source: str

    @property
    def line(self) -> str:
        """The `.noise` line."""
        return f".noise v({_name(self.node)}) {_name(self.source)} {self._range}"


@dataclass(frozen=True)
class PoleZero:
    """Poles and zeros of a node's voltage over a source's voltage or current; `input` and `output`
    are pairs of nodes. Not for circuits with transmission lines.
    """

    input: tuple[str, str]
    output: tuple[str, str]
    driven_by: Literal["vol", "cur"] = "vol"

    @property
    def line(self) -> str:
        """The `.pz` line."""
        nodes = " ".join(map(_name, (*self.input, *self.output)))
        return f".pz {nodes} {self.driven_by} pz"


@dataclass(frozen=True)
class Sensitivity:
    """Derivative of a node's DC voltage by every device's and model's parameters."""

    node: str

    @property
    def line(self) -> str:
        """The `.sens` line."""
        return f".sens v({_name(self.node)})"


@dataclass(frozen=True)
class SimulatorOptions:
    """How ngspice solves; None leaves its default.

    Attributes:
        klu: use the KLU solver (42 and later, and built with it).
        method: trapezoidal ('trap') or Gear.
        maxord: largest order of Gear, 2 to 6.
    """

    reltol: float | None = None
    vntol_volt: float | None = None
    abstol_ampere: float | None = None
    gmin_siemens: float | None = None
    method: Literal["trap", "gear"] | None = None
    maxord: int | None = None
    temperature_celsius: float | None = None
    klu: bool = False

    def __post_init__(self) -> None:
        for name in ("reltol", "vntol_volt", "abstol_ampere", "gmin_siemens"):
            value = getattr(self, name)
            _require(value is None or 0 < value < math.inf, f"{name} is {value!r}, not above 0")
        _require(self.maxord is None or 2 <= self.maxord <= 6, f"maxord is {self.maxord}")

    @property
    def lines(self) -> str:
        """The `.options` and `.temp` lines, each ended; empty for the defaults."""
        given = {
            "reltol": self.reltol,
            "vntol": self.vntol_volt,
            "abstol": self.abstol_ampere,
            "gmin": self.gmin_siemens,
            "method": self.method,
            "maxord": self.maxord,
        }
        words = [f"{name}={value}" for name, value in given.items() if value is not None]
        words += ["klu"] if self.klu else []
        lines = [f".options {' '.join(words)}"] if words else []
        if self.temperature_celsius is not None:
            lines.append(f".temp {self.temperature_celsius!r}")
        return "".join(f"{line}\n" for line in lines)
