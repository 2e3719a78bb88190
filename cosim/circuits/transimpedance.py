"""Differential transimpedance stage of a column pair: v_out = R (i_plus - i_minus).

Both inputs are virtual grounds; all against the analog ground. With op-amps, the first one turns
the current of the plus line into v_first = -R_first i_plus, which a second resistor R_first brings
to the minus line's virtual ground as a current -i_plus; there the second op-amp forms

    v_out = -R (i_minus - i_plus).

R_first is small, so that the common part of both currents (the pair's smallest conductances) does
not saturate the first op-amp. The noise gain of the second one, and so its closed-loop bandwidth
gain-bandwidth / noise gain, is 1 + R (G_line + 1 / R_first).

A stage of noise gain N gives 1 - N / A of what it should, so its feedback resistor is 1 + N / A
times as large. A falls with the load R_load, of which the first op-amp has R_first / 2:
A = A_0 R_load / (R_load + r_o).

All fidelities have the nodes plus, minus, out, analog_ground, vdd, vss, and lines of a bias that
their op-amps share.
Source: Xia and Yang, Nature Materials 18, 309 (2019), 'Memristive crossbar arrays' (read-out of
a differential pair); Sedra and Smith, Microelectronic Circuits, section 2.2 (weighted summer).
"""

import math

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.offset import NO_OFFSETS, InputOffsets
from cosim.circuits.opamp import OpAmpSpec, bias_lines
from cosim.netlist.netlist import comment, quantity

NODES = ("plus", "minus", "out", "analog_ground", "vdd", "vss")

COLUMN_OP_AMP = OpAmpSpec(
    gbw_hertz=80e6, miller_farad=1e-12, load_farad=2e-12, output_transconductance_ratio=10.0
)
"""Of an array's columns and row drivers: fast, because a column's noise gain is 10 to 40."""
COLUMN_GAIN, COLUMN_OUTPUT_OHM = 46e3, 20e3
"""A_0 and r_o of that op-amp of transistors; GF180MCU, typical, 27 C, from two loads."""
FIRST_SWING_VOLT = 0.6
"""Of a column's first op-amp."""


def first_resistance(
    transimpedance_ohm: float, line_siemens: float, activation_volt: float, swing_volt: float
) -> float:
    """R_first in ohm: the first op-amp swings by `swing_volt` at the largest usual current.

    Args:
        line_siemens: total conductance of the plus line's cells, the largest of the layer.
        activation_volt: usual drive of the rows, all at once.
    """
    return min(transimpedance_ohm, swing_volt / (line_siemens * activation_volt))


def noise_gains(
    transimpedance_ohm: float, first_ohm: float, line_siemens: float
) -> tuple[float, float]:
    """Of the first and the second op-amp, for what one line's cells have together in siemens."""
    return 2 + first_ohm * line_siemens, 1 + transimpedance_ohm * (line_siemens + 1 / first_ohm)


def gain_error(noise_gain: float, load_ohm: float) -> float:
    """What the finite gain of a column's op-amp takes away, as a part."""
    return noise_gain / (COLUMN_GAIN * load_ohm / (load_ohm + COLUMN_OUTPUT_OHM))


def lag_second(
    op_amp: OpAmpSpec, transimpedance_ohm: float, first_ohm: float, line_siemens: float
) -> float:
    """By how much the output lags the lines: noise gain over the op-amp's 2 pi GBW. That of the
    second op-amp, and half of the first one's, through which the one line of two goes.

    Args:
        line_siemens: what one line's cells have together.
    """
    first, second = noise_gains(transimpedance_ohm, first_ohm, line_siemens)
    return (second + first / 2) / (2 * math.pi * op_amp.gbw_hertz)


class IdealTransimpedance(SubCircuit):
    """Controlled sources: zero input resistance."""

    def __init__(self, name: str, transimpedance_ohm: float) -> None:
        super().__init__(name, *NODES)
        self.V("plus", "plus", "analog_ground", 0)
        self.V("minus", "minus", "analog_ground", 0)
        self.H("plus", "out", "middle", "Vplus", transimpedance_ohm)
        self.H("minus", "analog_ground", "middle", "Vminus", transimpedance_ohm)


class OpAmpTransimpedance(SubCircuit):
    """Two op-amps, macro or of transistors.

    Args:
        line_siemens: of one line's usual cells: the feedback resistors make up for the finite gain
            of a column's op-amp of transistors; 0: they do not.
    """

    def __init__(
        self,
        name: str,
        transimpedance_ohm: float,
        first_ohm: float,
        op_amp: SubCircuit,
        offsets: InputOffsets = NO_OFFSETS,
        line_siemens: float = 0.0,
    ) -> None:
        errors = (0.0, 0.0)
        if line_siemens:
            first, second = noise_gains(transimpedance_ohm, first_ohm, line_siemens)
            errors = gain_error(first, first_ohm / 2), gain_error(second, transimpedance_ohm)
        lines = bias_lines(op_amp)
        super().__init__(name, *NODES, *lines)
        comment(self, f"transimpedance {quantity(transimpedance_ohm, 'ohm')}")
        for stage, line, out, ohm in (
            ("first", "plus", "first_out", first_ohm * (1 + errors[0])),
            ("second", "minus", "out", transimpedance_ohm * (1 + errors[1])),
        ):
            ground = offsets.shifted(self, stage, "analog_ground")
            self.X(f"op_amp_{stage}", op_amp.name, ground, line, out, "vdd", "vss", *lines)
            self.R(f"feedback_{stage}", line, out, f"{ohm:.12g}")
        self.R("transfer", "first_out", "minus", f"{first_ohm:.12g}")
