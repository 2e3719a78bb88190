"""Analog switch: connects two nodes while its control is above half the supply.

The transistor form is a transmission gate with its inverter. Its on-resistance is that of both
transistors in parallel, 1 / (mu_n C_ox (W/L)_n (V_GS - V_T) + ...), highest near mid-rail.
Nodes: first, second, control, vdd, vss.
Source: Allen and Holberg, CMOS Analog Circuit Design, 3rd ed., section 4.1 (MOS switch).
"""

import math
from dataclasses import dataclass

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.fidelity import Fidelity
from cosim.process.process import Process

INVERTER_WIDTH_METRE = 1e-6
NODES = ("first", "second", "control", "vdd", "vss")


@dataclass(frozen=True)
class AnalogSwitchSpec:
    """Values of the switch.

    Attributes:
        on_ohm, off_ohm: of the ideal form.
        supply_volt: the ideal form's threshold is half of it.
        width_metre: of both transistors of the gate, which have the shortest length. Equal
            widths make their clock feedthroughs cancel.
    """

    on_ohm: float = 10.0
    off_ohm: float = 1e12
    supply_volt: float = 3.3
    width_metre: float = 4e-6


class IdealSwitch(SubCircuit):
    """A conductance that follows the control smoothly, from off to on within 0.5 V.

    Not ngspice's own switch: that forgets its state in an AC analysis.
    """

    def __init__(self, name: str, spec: AnalogSwitchSpec) -> None:
        super().__init__(name, *NODES)
        middle = -math.log(spec.on_ohm * spec.off_ohm) / 2
        swing = math.log(spec.off_ohm / spec.on_ohm) / 2
        self.B(
            "switch",
            "first",
            "second",
            current_expression=(
                f"V(first,second)*exp({middle:.12g}"
                f"+{swing:.12g}*tanh(10*(V(control,vss)-{spec.supply_volt / 2!r})))"
            ),
        )


class TransmissionGate(SubCircuit):
    """Two transistors and an inverter."""

    def __init__(self, name: str, spec: AnalogSwitchSpec, process: Process) -> None:
        super().__init__(name, *NODES)
        length = process.LENGTH_METRE[0]
        for place, gate, rail, suffix in (
            (process.nfet, "control", "vss", "n"),
            (process.pfet, "inverted", "vdd", "p"),
        ):
            invert = ("inverted", "control", rail, rail)
            place(self, f"invert_{suffix}", invert, INVERTER_WIDTH_METRE, length)
            place(self, f"pass_{suffix}", ("first", gate, "second", rail), spec.width_metre, length)


def analog_switch(
    fidelity: Fidelity, spec: AnalogSwitchSpec, process: Process | None
) -> SubCircuit:
    """The switch: a transmission gate at transistor level, else ideal."""
    if fidelity is Fidelity.TRANSISTOR:
        assert process is not None
        return TransmissionGate("transmission_gate", spec, process)
    return IdealSwitch("switch_ideal", spec)


def on_resistance(fidelity: Fidelity, spec: AnalogSwitchSpec, process: Process | None) -> float:
    """Ohm of the closed switch at mid-rail."""
    if fidelity is Fidelity.TRANSISTOR:
        assert process is not None
        return process.SWITCH_OHM * AnalogSwitchSpec.width_metre / spec.width_metre
    return spec.on_ohm
