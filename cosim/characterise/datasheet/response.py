"""Signals of an analysis, as measurements take them; and those of a small-signal response.

Signals have the names of the front door: nodes (`out`, `x1.tail`), currents (`i(vdd)`); of noise
`output` and `input` densities with their totals `total_output` and `total_input`. Of a complex one
there are `db(out)`, `phase(out)` (degrees, unwrapped) and `mag(out)`, the last also by its name.
Source: Gray, Hurst, Lewis and Meyer, Analysis and Design of Analog Integrated Circuits, 5th ed.,
section 9.2 (margins).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from quantiphy import Quantity

from cosim.errors import MeasurementError
from cosim.trace.measure import Part
from cosim.trace.waveform import Waveform

_OF = re.compile(r"(db|phase|mag)\((.+)\)")


@dataclass(frozen=True)
class Vector:
    """One of an analysis' vectors, real or complex [points], with its unit."""

    values: np.ndarray
    unit: str


@dataclass(frozen=True)
class Signals:
    """An analysis' vectors by name, over its abscissa [points].

    Attributes:
        part: first and last abscissa of what is measured; None for all.
    """

    vectors: Mapping[str, Vector]
    abscissa: np.ndarray
    part: tuple[str, str] | None = None

    def __getitem__(self, name: str) -> Part:
        """A real signal.

        Raises:
            MeasurementError: there is none of that name.
        """
        match = _OF.fullmatch(name)
        vector = self.vector(match[2] if match else name)
        values, unit = vector.values, vector.unit
        if match and match[1] == "db":
            values, unit = 20 * np.log10(np.maximum(np.abs(values), 1e-300)), "dB"
        elif match and match[1] == "phase":
            values, unit = np.degrees(np.unwrap(np.angle(values))), "deg"
        elif np.iscomplexobj(values):
            values = np.abs(values)
        abscissa = self.abscissa
        if len(values) != len(abscissa):  # a total
            abscissa = np.zeros(len(values))
        if self.part is not None:
            part = Waveform(name, unit, abscissa, values).part(*self.part)
            abscissa, values = part.time_second, part.values
        return Part(name, unit, abscissa, values)

    def vector(self, name: str) -> Vector:
        """As it is, complex where it is.

        Raises:
            MeasurementError: there is none of that name.
        """
        if name not in self.vectors:
            raise MeasurementError(
                f"There is no signal '{name}'. There are {', '.join(list(self.vectors)[:20])}."
            )
        return self.vectors[name]

    def response(self, name: str, what: str) -> Quantity:
        """One of `RESPONSE_MEASUREMENTS` of a complex signal.

        Raises:
            MeasurementError: it is not complex, or does not happen.
        """
        vector = self.vector(name)
        if not np.iscomplexobj(vector.values):
            raise MeasurementError(f"'{what}' is of an AC analysis, and '{name}' is not complex.")
        return RESPONSE_MEASUREMENTS[what](_Response(name, self.abscissa, vector.values))


@dataclass(frozen=True)
class _Response:
    """Frequencies in hertz and complex values, both [points]."""

    name: str
    hertz: np.ndarray
    values: np.ndarray

    def falls_through(self, magnitude: float) -> float:
        """Frequency at which its magnitude falls through a value, logarithms interpolated."""
        logs = np.log10(np.maximum(np.abs(self.values), 1e-300))
        wave = Waveform(self.name, "dec", np.log10(self.hertz), logs)
        found = wave.crossings(float(np.log10(magnitude)), "fall")
        if not len(found):
            raise MeasurementError(
                f"The magnitude of '{self.name}' does not fall through {magnitude:.6g} between "
                f"{self.hertz[0]:.6g} Hz and {self.hertz[-1]:.6g} Hz: it goes from "
                f"{10 ** logs.min():.6g} to {10 ** logs.max():.6g}."
            )
        return float(10 ** found[0])

    @property
    def turned_degree(self) -> np.ndarray:
        """Its phase [points] from 0 or 180 degrees, whichever is nearer at the first frequency:
        that of a gain without poles, or of an inverting one.
        """
        phase = np.degrees(np.unwrap(np.angle(self.values)))
        return np.asarray(phase - 180.0 * np.round(phase[0] / 180.0))


def _unity_gain_frequency(of: _Response) -> Quantity:
    return Quantity(of.falls_through(1.0), "Hz")


def _bandwidth(of: _Response) -> Quantity:
    """Where it has fallen by 3 dB from its value at the first frequency."""
    return Quantity(of.falls_through(float(np.abs(of.values[0])) / np.sqrt(2)), "Hz")


def _phase_margin(of: _Response) -> Quantity:
    """180 degrees less what the phase has turned by where the gain is 1."""
    at = np.log10(of.falls_through(1.0))
    turned = float(np.interp(at, np.log10(of.hertz), of.turned_degree))
    return Quantity(180.0 - abs(turned), "deg")


def _gain_margin(of: _Response) -> Quantity:
    """How far the gain is below 1 where the phase has turned by 180 degrees, dB."""
    turned = Waveform(of.name, "deg", np.log10(of.hertz), np.abs(of.turned_degree))
    found = turned.crossings(180.0, "rise")
    if not len(found):
        raise MeasurementError(f"The phase of '{of.name}' does not turn by 180 degrees.")
    logs = 20 * np.log10(np.maximum(np.abs(of.values), 1e-300))
    return Quantity(-float(np.interp(found[0], np.log10(of.hertz), logs)), "dB")


RESPONSE_MEASUREMENTS: Mapping[str, Callable[[_Response], Quantity]] = {
    "unity_gain_frequency": _unity_gain_frequency,
    "bandwidth": _bandwidth,
    "phase_margin": _phase_margin,
    "gain_margin": _gain_margin,
}
"""Of a complex signal, beside those of `cosim.trace.measure`."""
