"""Inverting op-amp integrator with precharge (initial condition), hold and run.

    run:        d v_out / dt = - i_summing / C
    precharge:  v_out = 2 analog_ground - v_initial   (unity-gain inverter around C)

Between precharge and run both switches are open and the capacitor holds; the published bench
does the same with its switches S1, S3 (precharge) and S2, S4 (run).
Source: Sedra and Smith, Microelectronic Circuits, section 2.5; Soroka, Analog Methods in
Computation and Simulation (initial-condition mode of the electronic integrator).
"""

from dataclasses import dataclass

from PySpice.Spice.Netlist import SubCircuit

from cosim.netlist.netlist import comment, quantity

SWITCH_EDGE_SECOND = 20e-9
HOLD_SECOND = 50e-9
"""Between precharge and run."""


@dataclass(frozen=True)
class IntegratorSpec:
    """Component values.

    A switch's on-resistance in series with the summing resistors is a gain error of
    on_resistance / (parallel connection of them), so these are large.
    """

    c_int_farad: float = 20e-12
    initial_resistance_ohm: float = 100e3

    def precharge_second(self, switch_on_ohm: float) -> float:
        """Time constant of the precharge."""
        return self.c_int_farad * (self.initial_resistance_ohm + 2 * switch_on_ohm)


class Integrator(SubCircuit):
    """Nodes: summing, initial, out, run, precharge, analog_ground, vdd, vss.

    `run` and `precharge` close their switches above half the supply.
    """

    NODES = ("summing", "initial", "out", "run", "precharge", "analog_ground", "vdd", "vss")

    def __init__(
        self, name: str, spec: IntegratorSpec, op_amp: SubCircuit, switch: SubCircuit
    ) -> None:
        super().__init__(name, *self.NODES)
        comment(self, f"C = {quantity(spec.c_int_farad, 'F')}")
        self.subcircuit(op_amp)
        self.subcircuit(switch)
        for control, node in (("run", "summing"), ("precharge", "initial_summing")):
            self.X(control, switch.name, node, "virtual_ground", control, "vdd", "vss")
        self.R("initial", "initial", "initial_summing", spec.initial_resistance_ohm)
        self.R("feedback", "out", "initial_summing", spec.initial_resistance_ohm)
        self.C("int", "virtual_ground", "out", spec.c_int_farad)
        self.X("op_amp", op_amp.name, "analog_ground", "virtual_ground", "out", "vdd", "vss")
