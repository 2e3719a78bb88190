"""How exactly ngspice solves: presets, whose numerical error is measured in the manual.

There are three classes of circuit. One is stepped with torch or has ideal blocks: its own error is
small, and steps carry the coupling. Another has a score network of transistors: its own error is
some 0.5 % of range, and each step costs a thousand BSIM4 evaluations. The third is that with noise.
"""

from dataclasses import dataclass
from enum import StrEnum

from cosim.netlist.netlist import Tolerances


class Preset(StrEnum):
    """Of an accuracy."""

    DRAFT = "draft"
    STANDARD = "standard"
    REFERENCE = "reference"


@dataclass(frozen=True)
class Accuracy:
    """Error control of a transient, and its largest step.

    Attributes:
        hold_part: of a hold of the noise: what the largest step is, where that is less.
    """

    tolerances: Tolerances
    step_second: float
    hold_part: float | None = None


SMALL = {
    Preset.DRAFT: Accuracy(Tolerances(1e-4, 1e-7, 1e-12), 100e-9),
    Preset.STANDARD: Accuracy(Tolerances(), 50e-9),
    Preset.REFERENCE: Accuracy(Tolerances(1e-6, 1e-9, 1e-14), 10e-9),
}
"""Of circuits that torch steps, or with ideal blocks."""

TRANSISTORS = {
    Preset.DRAFT: Accuracy(Tolerances(1e-3, 1e-5, 1e-10, trtol=100.0), 500e-9),
    Preset.STANDARD: Accuracy(Tolerances(3e-5, 1e-6, 1e-11, trtol=170.0), 200e-9),
    Preset.REFERENCE: Accuracy(Tolerances(1e-6, 1e-9, 1e-12), 20e-9),
}
"""Of score networks of transistors. With `abstol_ampere` of 1e-14, `reference` takes 2.7 iterations
a point, not 2.6, and with noise 13, not 3; the solves are the same within 0.01 % of range, which is
also what a quarter of the step and a tenth of `reltol` and `vntol_volt` change.
"""

TRANSISTORS_AND_NOISE = {
    Preset.DRAFT: Accuracy(Tolerances(1e-3, 1e-5, 1e-10, trtol=500.0), 500e-9, 1 / 3),
    Preset.STANDARD: Accuracy(Tolerances(1e-4, 1e-6, 1e-11, trtol=500.0), 200e-9, 1 / 4),
    Preset.REFERENCE: Accuracy(Tolerances(1e-6, 1e-9, 1e-12), 20e-9, 1 / 5),
}
"""Of these with held noise, which has no breakpoints: each would cost as much as ten points.

Steps are equal, whatever ngspice's estimate (`trtol`): then what the trapezoidal rule takes from a
draw where it does not meet a ramp, it gives to the next. Unequal steps lose a part of each draw, so
that a lower `trtol` gives more points and larger errors.
"""
