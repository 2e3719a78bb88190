"""Four-quadrant multiplier: v_out = gain (v_a v_b) / 1 V, all against the analog ground.

Source of the ideal form: the definition; the Gilbert cell (B. Gilbert, IEEE JSSC 3(4), 1968) is
its transistor form.
"""

from PySpice.Spice.Netlist import SubCircuit


class IdealMultiplier(SubCircuit):
    """Nodes: a, b, out, analog_ground."""

    def __init__(self, name: str, gain: float) -> None:
        super().__init__(name, "a", "b", "out", "analog_ground")
        self.B(
            "product",
            "out",
            "analog_ground",
            voltage_expression=f"{gain!r}*V(a,analog_ground)*V(b,analog_ground)",
        )
