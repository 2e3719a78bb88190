"""Fidelity: how much of a block's physics its netlist holds."""

from enum import StrEnum


class Fidelity(StrEnum):
    """Controlled source; with finite gain, bandwidth, slew and swing; or of transistors."""

    IDEAL = "ideal"
    MACRO = "macro"
    TRANSISTOR = "transistor"

    @property
    def needs_process(self) -> bool:
        """Whether the netlist holds transistor models."""
        return self is Fidelity.TRANSISTOR
