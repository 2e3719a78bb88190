"""How exactly ngspice solves: presets, whose numerical error is measured in the manual.

There are two classes of circuit. One is stepped with torch or has ideal blocks: its own error is
small, and steps carry the coupling. The other has a score network of transistors: its own error is
some 0.5 % of range, and each step costs a thousand BSIM4 evaluations.
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
    """Error control of a transient, and its largest step."""

    tolerances: Tolerances
    step_second: float


SMALL = {
    Preset.DRAFT: Accuracy(Tolerances(1e-4, 1e-7, 1e-12), 100e-9),
    Preset.STANDARD: Accuracy(Tolerances(), 50e-9),
    Preset.REFERENCE: Accuracy(Tolerances(1e-6, 1e-9, 1e-14), 10e-9),
}
"""Of circuits that torch steps, or with ideal blocks."""

TRANSISTORS = {
    Preset.DRAFT: Accuracy(Tolerances(1e-3, 1e-5, 1e-10, trtol=100.0), 500e-9),
    Preset.STANDARD: Accuracy(Tolerances(1e-4, 1e-6, 1e-11, trtol=50.0), 200e-9),
    Preset.REFERENCE: Accuracy(Tolerances(1e-6, 1e-9, 1e-14), 10e-9),
}
"""Of score networks of transistors."""
