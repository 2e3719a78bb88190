"""Rectified linear unit: v_out = max(v_in, 0), against the analog ground."""

from PySpice.Spice.Netlist import SubCircuit


class IdealRelu(SubCircuit):
    """Nodes: in, out, analog_ground."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "in", "out", "analog_ground")
        self.B("rectified", "out", "analog_ground", voltage_expression="uramp(V(in,analog_ground))")
