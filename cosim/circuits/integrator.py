"""Inverting op-amp integrator with precharge (initial condition), hold and run.

    run:        d v_out / dt = - i_summing / C
    precharge:  v_out = 2 analog_ground - v_initial   (unity-gain inverter around C)

An op-amp of gain-bandwidth w (rad/s) has its virtual ground off by -(1/w) dv_out/dt. So the inputs
see 1/(w C) more in series, and the output lags by 1/w. A lead resistor of 1/(w C) in series with C
takes the lag away: v_out (1 + s/w) = -i (1 + s R C) / (s C).

What drives an input through stages that lag it by T can be led by as much: a lead capacitor of
T / R beside its resistor R adds T dv/dt to v. It ends at the virtual ground, not before the run
switch, which would inject its charge.

Between precharge and run both switches are open and the capacitor holds; the published bench
does the same with its switches S1, S3 (precharge) and S2, S4 (run).
Source: Sedra and Smith, Microelectronic Circuits, section 2.5; Soroka, Analog Methods in
Computation and Simulation (initial-condition mode of the electronic integrator); Ghausi and Laker,
Modern Filter Design, 1981, section 4.3 (passive compensation of the integrator).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySpice.Spice.Netlist import SubCircuit

from cosim.netlist.netlist import comment, quantity

SWITCH_EDGE_SECOND = 20e-9
HOLD_SECOND = 50e-9
"""From the end of the precharge to the beginning of what is integrated."""
RUN_EARLY_SECOND = 15e-9
"""Before that, the middle of a run switch's edge, if it is of transistors: their feedthrough moves
the output by 0.5 to 2 mV until the edge ends, and by 0.1 mV for some 50 ns."""
RING_SECOND = 15e-9
"""From the end of a run switch's edge to where the integrators have rung for half a period: by some
40 uV, until 50 ns, if switches and op-amps are of transistors."""


@dataclass(frozen=True)
class IntegratorSpec:
    """Component values.

    A switch's on-resistance in series with the summing resistors is a gain error of
    on_resistance / (parallel connection of them), so these are large.

    Attributes:
        lead_ohm: of the lead resistor; 0: none.
    """

    c_int_farad: float = 20e-12
    initial_resistance_ohm: float = 100e3
    lead_ohm: float = 0.0

    @classmethod
    def of_op_amp(cls, gbw_hertz: float) -> "IntegratorSpec":
        """With the lead resistor for an op-amp's gain-bandwidth."""
        return cls(lead_ohm=1 / (2 * math.pi * gbw_hertz * cls.c_int_farad))

    def precharge_second(self, switch_on_ohm: float) -> float:
        """Time constant of the precharge: 2/w more by the op-amp, whose noise gain is 2; with the
        lead resistor of 1/(w C) the response has no other term of that order.
        """
        in_series = 2 * (switch_on_ohm + self.lead_ohm)
        return self.c_int_farad * (self.initial_resistance_ohm + in_series)


class Integrator(SubCircuit):
    """Nodes: summing, initial, out, run, precharge, analog_ground, vdd, vss.

    `run` and `precharge` close their switches above half the supply.

    Args:
        leads_farad: lead capacitors; what drives them are more nodes.
    """

    NODES = ("summing", "initial", "out", "run", "precharge", "analog_ground", "vdd", "vss")

    def __init__(
        self,
        name: str,
        spec: IntegratorSpec,
        op_amp: SubCircuit,
        switch: SubCircuit,
        leads_farad: Sequence[float] = (),
    ) -> None:
        leads = [f"lead_{index}" for index in range(len(leads_farad))]
        super().__init__(name, *self.NODES, *leads)
        comment(self, f"C = {quantity(spec.c_int_farad, 'F')}")
        self.subcircuit(op_amp)
        self.subcircuit(switch)
        for control, node in (("run", "summing"), ("precharge", "initial_summing")):
            self.X(control, switch.name, node, "virtual_ground", control, "vdd", "vss")
        self.R("initial", "initial", "initial_summing", spec.initial_resistance_ohm)
        self.R("feedback", "out", "initial_summing", spec.initial_resistance_ohm)
        plate = "virtual_ground"
        if spec.lead_ohm:
            plate = "lead"
            self.R("lead", "virtual_ground", plate, f"{spec.lead_ohm:.6g}")
        self.C("int", plate, "out", spec.c_int_farad)
        for node, farad in zip(leads, leads_farad, strict=True):
            self.C(node, node, "virtual_ground", f"{farad:.6g}")
        self.X("op_amp", op_amp.name, "analog_ground", "virtual_ground", "out", "vdd", "vss")
