"""Row driver: a follower that can drive an array row, a load of about 1 kohm to virtual grounds.

Nodes: input, out, analog_ground, vdd, vss, and lines of a bias that its op-amp shares.
"""

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.opamp import bias_lines

NODES = ("input", "out", "analog_ground", "vdd", "vss")


class IdealRowDriver(SubCircuit):
    """A controlled source."""

    def __init__(self) -> None:
        super().__init__("row_driver_ideal", *NODES)
        self.VCVS("follow", "out", "analog_ground", "input", "analog_ground", voltage_gain=1)


class OpAmpRowDriver(SubCircuit):
    """An op-amp, macro or of transistors, with its output fed back."""

    def __init__(self, op_amp: SubCircuit) -> None:
        lines = bias_lines(op_amp)
        super().__init__("row_driver", *NODES, *lines)
        self.X("op_amp", op_amp.name, "input", "out", "out", "vdd", "vss", *lines)
