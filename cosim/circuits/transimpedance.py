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
A = A_0 R_load / (R_load + r_o). r_o goes as one over the units of the output stage, of which each
op-amp has the fewest that keep N / A small: it is the output stages that draw the current.

All fidelities have the nodes plus, minus, out, analog_ground, vdd, vss, and lines of a bias that
their op-amps share.
Source: Xia and Yang, Nature Materials 18, 309 (2019), 'Memristive crossbar arrays' (read-out of
a differential pair); Sedra and Smith, Microelectronic Circuits, section 2.2 (weighted summer).
"""

import math
from dataclasses import replace

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.offset import NO_OFFSETS, InputOffsets
from cosim.circuits.opamp import (
    OpAmpSpec,
    bias_lines,
    output_units,
    pair_current,
    units_ratio,
)
from cosim.netlist.netlist import comment, quantity

NODES = ("plus", "minus", "out", "analog_ground", "vdd", "vss")

COLUMN_OP_AMP = OpAmpSpec(
    gbw_hertz=80e6, miller_farad=1e-12, load_farad=2e-12, output_transconductance_ratio=10.0
)
"""Of row drivers, and of an array's columns but for the units of the output: fast, because a
column's noise gain is 10 to 40. All have one pair current, and so one bias."""
COLUMN_GAIN, COLUMN_UNIT_OHM = 73e3, 681e3
"""A_0 of those op-amps of transistors, and r_o of one unit of their output; GF180MCU, typical,
27 C, from two loads."""
SINK_GAIN = 0.27
"""By how much more their gain is, from rest on, for each part of the output's own current that the
load adds to its n-channel transistor; of loads far below r_o."""
GAIN_ERROR = 1.5e-3
"""N / A that a column's op-amp is sized for. The resistors make up for it, but not for how it
varies: by -20 to +35 % of it from -40 to 125 C. Row drivers' outputs everywhere, 0.6e-3 to 1e-3,
cost the ring's solver 20 mA, and its error is 0.01 % of range less at 27 C, 0.04 % at -40 and
125 C (medians of 20 starts)."""
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
    return 1 + first_ohm * line_siemens, 1 + transimpedance_ohm * (line_siemens + 1 / first_ohm)


def gain_error(noise_gain: float, load_ohm: float, units: int) -> float:
    """What the finite gain of a column's op-amp takes away, as a part."""
    return noise_gain / COLUMN_GAIN * (1 + COLUMN_UNIT_OHM / (units * load_ohm))


def sinking(load_ohm: float, units: int) -> float:
    """How many times larger the first op-amp's gain is at a quarter of its swing, which rows above
    the analog ground have it sink: the middle where half of the rows' ReLUs are off.
    """
    own_ampere = units * pair_current(COLUMN_OP_AMP)
    return 1 + SINK_GAIN * FIRST_SWING_VOLT / 4 / load_ohm / own_ampere


def column_units(noise_gain: float, load_ohm: float) -> int:
    """Units of a column's op-amp: the fewest with a gain error of `GAIN_ERROR` that can drive
    `FIRST_SWING_VOLT` both ways; at most those of a row driver.
    """
    most = output_units(COLUMN_OP_AMP)
    for units in range(1, most):
        drives = units * pair_current(COLUMN_OP_AMP) * load_ohm >= FIRST_SWING_VOLT
        if drives and gain_error(noise_gain, load_ohm, units) <= GAIN_ERROR:
            return units
    return most


def column_spec(units: int, supply_volt: float) -> OpAmpSpec:
    """`COLUMN_OP_AMP` with so many units of output."""
    ratio = units_ratio(units)
    return replace(COLUMN_OP_AMP, output_transconductance_ratio=ratio, supply_volt=supply_volt)


def loads(
    transimpedance_ohm: float, first_ohm: float, line_siemens: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Noise gain, and load in ohm, of the first and of the second op-amp."""
    first, second = noise_gains(transimpedance_ohm, first_ohm, line_siemens)
    return (first, first_ohm / 2), (second, transimpedance_ohm)


def stage_units(
    transimpedance_ohm: float, first_ohm: float, line_siemens: float
) -> tuple[int, int]:
    """`column_units` of the first and of the second op-amp."""
    first, second = loads(transimpedance_ohm, first_ohm, line_siemens)
    return column_units(*first), column_units(*second)


def lag_second(
    op_amp: OpAmpSpec, transimpedance_ohm: float, first_ohm: float, line_siemens: float
) -> float:
    """By how much the output lags the lines: noise gain over the op-amp's 2 pi GBW. That of the
    second op-amp, and half of the first one's, through which the one line of two goes. Half a unit
    more is for second poles: those of transistors make 1 to 3 ns of the ring's 18 to 41 ns.

    Args:
        line_siemens: what one line's cells have together.
    """
    first, second = noise_gains(transimpedance_ohm, first_ohm, line_siemens)
    return (second + (1 + first) / 2) / (2 * math.pi * op_amp.gbw_hertz)


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
        op_amps: the first and the second.
        line_siemens: of one line's usual cells: the feedback resistors make up for the finite gain
            of op-amps of transistors of `stage_units`; 0: they do not.
    """

    def __init__(
        self,
        name: str,
        transimpedance_ohm: float,
        first_ohm: float,
        op_amps: tuple[SubCircuit, SubCircuit],
        offsets: InputOffsets = NO_OFFSETS,
        line_siemens: float = 0.0,
    ) -> None:
        errors = [0.0, 0.0]
        if line_siemens:
            seen = loads(transimpedance_ohm, first_ohm, line_siemens)
            units = stage_units(transimpedance_ohm, first_ohm, line_siemens)
            errors = [gain_error(*load, of) for load, of in zip(seen, units, strict=True)]
            errors[0] /= sinking(first_ohm / 2, units[0])
        lines = bias_lines(op_amps[0])
        super().__init__(name, *NODES, *lines)
        comment(self, f"transimpedance {quantity(transimpedance_ohm, 'ohm')}")
        for stage, op_amp, line, out, ohm in (
            ("first", op_amps[0], "plus", "first_out", first_ohm * (1 + errors[0])),
            ("second", op_amps[1], "minus", "out", transimpedance_ohm * (1 + errors[1])),
        ):
            ground = offsets.shifted(self, stage, "analog_ground")
            self.X(f"op_amp_{stage}", op_amp.name, ground, line, out, "vdd", "vss", *lines)
            self.R(f"feedback_{stage}", line, out, f"{ohm:.12g}")
        self.R("transfer", "first_out", "minus", f"{first_ohm:.12g}")
