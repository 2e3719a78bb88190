"""Summing input stage: weighted resistors into one summing node.

Into a virtual ground the current is i = sum_k (v_k - analog_ground) / R_k, so with an integrating
capacitor C the gain of input k is 1 / (R_k C).
Source: Sedra and Smith, Microelectronic Circuits, section 2.2.4 (weighted summer).
"""

from collections.abc import Sequence

from PySpice.Spice.Netlist import SubCircuit


def input_resistance(integration_second: float, c_int_farad: float, gain: float) -> float:
    """Resistance in ohm for which an input integrates with `gain` in `integration_second`."""
    return integration_second / (c_int_farad * gain)


def input_resistances(
    integration_second: float, c_int_farad: float, gains: Sequence[float], series_ohm: float
) -> list[float]:
    """Of inputs that are summed, in ohm, less what is in series with all.

    Args:
        series_ohm: the switch's on-resistance, and the like of the op-amp's finite bandwidth, as
            large as the integrator's lead resistor.
    """
    ideal = [input_resistance(integration_second, c_int_farad, gain) for gain in gains]
    siemens = sum(1 / ohm for ohm in ideal)
    return [ohm * (1 - series_ohm * siemens) for ohm in ideal]


def lead_capacitance(
    lag_second: float, integration_second: float, c_int_farad: float, gain: float
) -> float:
    """Farad beside an input's resistor that make up for the lag of the stages before it: their
    time over that resistance.
    """
    return lag_second / input_resistance(integration_second, c_int_farad, gain)


class SummingInput(SubCircuit):
    """Nodes: input_0 ... input_{n-1}, summing."""

    def __init__(self, name: str, resistance_ohm: Sequence[float]) -> None:
        inputs = [f"input_{index}" for index in range(len(resistance_ohm))]
        super().__init__(name, *inputs, "summing")
        for index, resistance in enumerate(resistance_ohm):
            self.R(f"input_{index}", f"input_{index}", "summing", f"{resistance:.12g}")
