"""Four-quadrant multiplier: v_out = gain (v_a v_b) / 1 V, all against the analog ground.

The transistor form is a Gilbert cell of p-channel transistors. A source-degenerated pair turns b
into currents I +- i, i = v_b / (R_b + 2 / gm_b). They are the tail currents of a cross-coupled
quad, driven by a fraction 1/D of a; the difference of its output currents is

    i_out = K (gm/I_D) i v_a / D,      K = 1 in weak inversion, 1/2 in strong inversion,

because gm follows I in the one and sqrt(I) in the other. Two load resistors and an op-amp as
difference amplifier turn it into v_out = +- i_out R_load R_2 / (R_load + R_1). Its output stage
has no current to spare at rest: what R_2 takes there, and what the stage's own current source
lacks, would be an offset of the op-amp. A resistor from the supply gives both. gm/I_D falls with
the temperature, so the load resistors are n-well, which rise with it.

All fidelities have the nodes a, b, out, analog_ground, vdd, vss.
Source: B. Gilbert, IEEE JSSC 3(4), 1968; Gray, Hurst, Lewis and Meyer, Analysis and Design of
Analog Integrated Circuits, 5th ed., section 10.3 (emitter-degenerated and MOS forms).
"""

import math
from dataclasses import dataclass, replace

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.fidelity import Fidelity
from cosim.circuits.opamp import (
    OpAmpSpec,
    TransistorOpAmp,
    bias_resistance,
    output_units,
    pair_current,
    width,
)
from cosim.netlist.netlist import comment, quantity
from cosim.process.process import LENGTH_METRE, PAIR_GM_OVER_ID, Process

NODES = ("a", "b", "out", "analog_ground", "vdd", "vss")

OUTPUT_IMBALANCE = 0.018
"""What the current source of the op-amp's output stage lacks at half the supply, as a part of its
current; GF180MCU, typical, 27 C, from an operating point."""

N_WELL = "tc1=2.285e-3 tc2=9.78e-6"
"""Temperature coefficients of a resistor in the n-well, per kelvin and its square; those of
GF180MCU's model `nwell`."""

# Long, so that the tail currents depend little on b, which their drains follow.
TAIL_LENGTH_METRE = 3e-6


@dataclass(frozen=True)
class MultiplierSpec:
    """What the multiplier is designed for.

    Attributes:
        tail_ampere: I, of each side of the degenerated pair.
        degeneration_ohm: R_b; with the tail current it sets the range of b.
        division: D, of the divider from a to the quad's gates; it sets the range of a.
        divider_ohm: the divider's two resistors together.
        load_ohm, difference_ohm: R_load and R_1.
        op_amp: of the difference amplifier.
        bandwidth_hertz, range_volt: of the macro model: one pole, and the output's limit.
    """

    tail_ampere: float = 60e-6
    degeneration_ohm: float = 20e3
    division: float = 10.0
    divider_ohm: float = 300e3
    load_ohm: float = 6e3
    difference_ohm: float = 50e3
    op_amp: OpAmpSpec = OpAmpSpec(gbw_hertz=20e6, miller_farad=2e-12, load_farad=5e-12)
    bandwidth_hertz: float = 5e6
    range_volt: float = 1.4

    @classmethod
    def of_supply(cls, supply_volt: float) -> "MultiplierSpec":
        """The design for a supply."""
        return cls(op_amp=replace(cls.op_amp, supply_volt=supply_volt))


def conversion(spec: MultiplierSpec, quad_factor: float) -> float:
    """i_out for v_a = v_b = 1 V, in ampere."""
    pair_ohm = 2 / (PAIR_GM_OVER_ID * spec.tail_ampere)
    current = 1 / (spec.degeneration_ohm + pair_ohm)
    return quad_factor * PAIR_GM_OVER_ID * current / spec.division


def output_resistance(spec: MultiplierSpec, gain: float, quad_factor: float) -> float:
    """R_2 in ohm for a gain."""
    transresistance = abs(gain) / conversion(spec, quad_factor)
    return transresistance * (spec.load_ohm + spec.difference_ohm) / spec.load_ohm


def balance_resistance(spec: MultiplierSpec, output_ohm: float) -> float:
    """From the supply to the output, in ohm: without it the op-amp's first stage would have to
    drive what the output stage lacks at rest.

    Args:
        output_ohm: R_2, from the output at half the supply to the difference amplifier's input.
    """
    half_volt = spec.op_amp.supply_volt / 2
    series = spec.difference_ohm + output_ohm
    load_volt = (spec.tail_ampere + half_volt / series) / (1 / spec.load_ohm + 1 / series)
    stage_ampere = output_units(spec.op_amp) * pair_current(spec.op_amp)
    return half_volt / ((half_volt - load_volt) / series + OUTPUT_IMBALANCE * stage_ampere)


def lag_second(spec: MultiplierSpec, gain: float, quad_factor: float) -> float:
    """By how much the output lags b: the difference amplifier's noise gain over its 2 pi GBW."""
    series = spec.load_ohm + spec.difference_ohm
    noise_gain = 1 + output_resistance(spec, gain, quad_factor) / series
    return noise_gain / (2 * math.pi * spec.op_amp.gbw_hertz)


class IdealMultiplier(SubCircuit):
    """A controlled source."""

    def __init__(self, name: str, gain: float) -> None:
        super().__init__(name, *NODES)
        self.B(
            "product",
            "out",
            "analog_ground",
            voltage_expression=f"{gain!r}*V(a,analog_ground)*V(b,analog_ground)",
        )


class MacroMultiplier(SubCircuit):
    """Product, limited smoothly, behind one pole."""

    def __init__(self, name: str, gain: float, spec: MultiplierSpec) -> None:
        super().__init__(name, *NODES)
        limit = f"{spec.range_volt!r}"
        self.B(
            "product",
            "fast",
            "analog_ground",
            voltage_expression=(
                f"{limit}*tanh({gain!r}*V(a,analog_ground)*V(b,analog_ground)/{limit})"
            ),
        )
        self.R("pole", "fast", "slow", 1e3)
        self.C("pole", "slow", "analog_ground", 1 / (6.283185 * spec.bandwidth_hertz * 1e3))
        self.VCVS("out", "out", "analog_ground", "slow", "analog_ground", voltage_gain=1)


class GilbertMultiplier(SubCircuit):
    """Degenerated pair, cross-coupled quad, difference amplifier."""

    def __init__(self, name: str, gain: float, spec: MultiplierSpec, process: Process) -> None:
        super().__init__(name, *NODES)
        comment(
            self,
            f"Gilbert cell: gain {gain:g} 1/V, tail {quantity(spec.tail_ampere, 'A')}, "
            f"conversion {quantity(conversion(spec, process.QUAD_FACTOR), 'A/V2')}",
        )
        op_amp = TransistorOpAmp("op_amp_difference", spec.op_amp, process)
        self.subcircuit(op_amp)
        pfet = process.pfet
        source = width(spec.tail_ampere, process.SOURCE) * TAIL_LENGTH_METRE / LENGTH_METRE
        pair = width(spec.tail_ampere, process.PAIR)
        quad = width(spec.tail_ampere / 2, process.PAIR)
        bias_ohm = bias_resistance(spec.op_amp.supply_volt, spec.tail_ampere, process)
        self.R("bias", "bias", "vss", f"{bias_ohm:.6g}")
        pfet(self, "bias", ("bias", "bias", "vdd", "vdd"), source, TAIL_LENGTH_METRE)
        for side, gate in (("plus", "b"), ("minus", "analog_ground")):
            own = f"source_{side}"
            tail = (own, "bias", "vdd", "vdd")
            pfet(self, f"tail_{side}", tail, source, TAIL_LENGTH_METRE)
            pfet(self, f"pair_{side}", (f"tail_{side}", gate, own, own), pair, LENGTH_METRE)
        self.R("degeneration", "source_plus", "source_minus", spec.degeneration_ohm)
        # Pair and quad sit in wells of their own: with the body effect they would not fit between
        # the supplies. The quad's gates are low, so that it fits below the pair.
        upper = spec.divider_ohm * (1 - 1 / spec.division)
        for gate, node in (("a", "a"), ("reference", "analog_ground")):
            self.R(f"divider_{gate}", node, f"gate_{gate}", f"{upper:.6g}")
            self.R(f"divider_{gate}_low", f"gate_{gate}", "vss", f"{spec.divider_ohm - upper:.6g}")
        # More b lowers the current of its side, so a gain above 0 crosses the other pair.
        loads = ("load_plus", "load_minus") if gain > 0 else ("load_minus", "load_plus")
        for side, (first, second) in (("plus", loads), ("minus", loads[::-1])):
            well = f"tail_{side}"
            for gate, load in (("a", first), ("reference", second)):
                pfet(
                    self, f"quad_{gate}_{side}", (load, f"gate_{gate}", well, well), quad,
                    LENGTH_METRE,
                )  # fmt: skip
        out_ohm = output_resistance(spec, gain, process.QUAD_FACTOR)
        for load, node, end in (
            ("load_plus", "non_inverting", "analog_ground"),
            ("load_minus", "inverting", "out"),
        ):
            self.R(load, load, "vss", spec.load_ohm, raw_spice=N_WELL)
            self.R(f"difference_{load}", load, node, spec.difference_ohm)
            self.R(f"out_{load}", node, end, f"{out_ohm:.6g}")
        self.R("balance", "vdd", "out", f"{balance_resistance(spec, out_ohm):.6g}")
        self.X("op_amp", op_amp.name, "non_inverting", "inverting", "out", "vdd", "vss")


def multiplier(
    fidelity: Fidelity, gain: float, spec: MultiplierSpec, process: Process | None
) -> SubCircuit:
    """The multiplier at a fidelity; all have the same nodes."""
    match fidelity:
        case Fidelity.IDEAL:
            return IdealMultiplier("multiplier_ideal", gain)
        case Fidelity.MACRO:
            return MacroMultiplier("multiplier_macro", gain, spec)
        case Fidelity.TRANSISTOR:
            assert process is not None
            return GilbertMultiplier("multiplier_gilbert", gain, spec, process)
