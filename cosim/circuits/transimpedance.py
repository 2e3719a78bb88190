"""Differential transimpedance stage of a column pair: v_out = R (i_plus - i_minus).

Both inputs are virtual grounds; all against the analog ground.
Source: Xia and Yang, Nature Materials 18, 309 (2019), 'Memristive crossbar arrays' (read-out of
a differential pair).
"""

from PySpice.Spice.Netlist import SubCircuit


class IdealTransimpedance(SubCircuit):
    """Nodes: plus, minus, out, analog_ground. Controlled sources: zero input resistance."""

    def __init__(self, name: str, transimpedance_ohm: float) -> None:
        super().__init__(name, "plus", "minus", "out", "analog_ground")
        self.V("plus", "plus", "analog_ground", 0)
        self.V("minus", "minus", "analog_ground", 0)
        self.H("plus", "out", "middle", "Vplus", transimpedance_ohm)
        self.H("minus", "analog_ground", "middle", "Vminus", transimpedance_ohm)
