"""Two-stage Miller op-amp with p-channel input pair, nulling resistor and bias generator.

    A(s) = A_0 (1 - s/z) / ((1 + s/p1)(1 + s/p2)),   gain-bandwidth = gm_pair / (2 pi C_miller),
    slew rate = I_tail / C_miller,   p2 = gm_output / C_load,   z = 1 / (C_miller (1/gm_output - R))

All fidelities have the nodes non_inverting, inverting, out, vdd, vss. Those of one spec, as in a
score network, can share a bias (`OpAmpBias`, `BiasedOpAmp`), whose line is one more node.
Source: Allen and Holberg, CMOS Analog Circuit Design, 3rd ed., section 6.3 (design procedure,
nulling resistor, systematic offset); Murmann and Jespers, Systematic Design of Analog CMOS
Circuits, 2017, chapter 1 (sizing by gm/I_D).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.fidelity import Fidelity
from cosim.netlist.netlist import comment, quantity
from cosim.plugins import Registry, subclass_of
from cosim.process.process import (
    LENGTH_METRE,
    MIRROR_GM_OVER_ID,
    PAIR_GM_OVER_ID,
    DesignPoint,
    Process,
)

NODES = ("non_inverting", "inverting", "out", "vdd", "vss")
IDEAL_GAIN = 1e6


@dataclass(frozen=True)
class OpAmpSpec:
    """What the op-amp is designed for.

    Attributes:
        gbw_hertz: gain-bandwidth product.
        load_farad: capacitive load.
        miller_farad: compensation capacitor.
        output_transconductance_ratio: gm of the output transistor over gm of the pair; it sets
            the phase margin, about 90 deg - atan(load / (miller * ratio)).
        dc_gain: of the macro model.
        swing_margin_volt: distance of the macro model's output limits from the rails.
        topology: of the transistor level, by its name or the Python file that defines it; a folded
            cascode drives gates and capacitors alone.
    """

    gbw_hertz: float = 10e6
    load_farad: float = 20e-12
    miller_farad: float = 4e-12
    output_transconductance_ratio: float = 12.0
    supply_volt: float = 3.3
    dc_gain: float = 2.8e4
    swing_margin_volt: float = 0.2
    topology: str = "miller"


def pair_transconductance(spec: OpAmpSpec) -> float:
    """gm of each input transistor in siemens: 2 pi GBW C_miller."""
    return 2 * math.pi * spec.gbw_hertz * spec.miller_farad


def pair_current(spec: OpAmpSpec) -> float:
    """Drain current of each input transistor in ampere, from gm and the chosen gm/I_D."""
    return pair_transconductance(spec) / PAIR_GM_OVER_ID


def slew_rate(spec: OpAmpSpec) -> float:
    """Volt per second: tail current over Miller capacitor."""
    return 2 * pair_current(spec) / spec.miller_farad


def output_units(spec: OpAmpSpec) -> int:
    """Output transistor in units of a mirror transistor.

    The output transistor is that many mirror transistors, and its current source that many bias
    units, so that both have the mirror's gate-source voltage and the systematic offset vanishes.
    """
    mirror_transconductance = MIRROR_GM_OVER_ID * pair_current(spec)
    wanted = spec.output_transconductance_ratio * pair_transconductance(spec)
    return math.ceil(wanted / mirror_transconductance)


def units_ratio(units: int) -> float:
    """The `output_transconductance_ratio` of so many units, in the middle of those that give it."""
    return (units - 0.5) * MIRROR_GM_OVER_ID / PAIR_GM_OVER_ID


def output_transconductance(spec: OpAmpSpec) -> float:
    """gm of the output transistor in siemens."""
    return output_units(spec) * MIRROR_GM_OVER_ID * pair_current(spec)


def nulling_resistance(spec: OpAmpSpec) -> float:
    """Ohm: twice 1/gm of the output transistor, so that the zero is in the left half plane."""
    return 2.0 / output_transconductance(spec)


def bias_resistance(supply_volt: float, current_ampere: float, process: Process) -> float:
    """Ohm, from the supply less one gate-source voltage."""
    return (supply_volt - process.SOURCE.gate_source_volt) / current_ampere


def width(current_ampere: float, point: DesignPoint) -> float:
    """Width in metre of a transistor of the design's length, on a grid of 10 nm."""
    squares = current_ampere / point.current_per_square_ampere
    return round(squares * LENGTH_METRE, 8)


def widths(current_ampere: float, process: Process) -> tuple[float, float, float]:
    """Of a transistor of a pair, of a mirror and of a current source, for one current."""
    points = (process.PAIR, process.MIRROR, process.SOURCE)
    pair, mirror, source = (width(current_ampere, point) for point in points)
    return pair, mirror, source


class TransistorOpAmp(SubCircuit):
    """The transistor-level op-amp, with a bias of its own."""

    def __init__(self, name: str, spec: OpAmpSpec, process: Process) -> None:
        super().__init__(name, *NODES)
        _describe(self, spec)
        _add_bias(self, spec, process)
        _add_stages(self, spec, process)


class OpAmpBias(SubCircuit):
    """The bias that op-amps of one spec share. Nodes: bias, vdd, vss."""

    def __init__(self, name: str, spec: OpAmpSpec, process: Process) -> None:
        super().__init__(name, "bias", "vdd", "vss")
        _add_bias(self, spec, process)


class BiasedOpAmp(SubCircuit):
    """The transistor-level op-amp without a bias of its own. Nodes: `NODES`, bias."""

    def __init__(self, name: str, spec: OpAmpSpec, process: Process) -> None:
        super().__init__(name, *NODES, "bias")
        _describe(self, spec)
        _add_stages(self, spec, process)


def _describe(netlist: SubCircuit, spec: OpAmpSpec) -> None:
    comment(
        netlist,
        f"two-stage Miller: GBW {quantity(spec.gbw_hertz, 'Hz')}, slew rate "
        f"{quantity(slew_rate(spec), 'V/s')}, load {quantity(spec.load_farad, 'F')}, "
        f"pair current {quantity(pair_current(spec), 'A')}",
    )


def _add_bias(netlist: SubCircuit, spec: OpAmpSpec, process: Process) -> None:
    current = pair_current(spec)
    source = width(current, process.SOURCE)
    ohm = bias_resistance(spec.supply_volt, current, process)
    netlist.R("bias", "bias", "vss", f"{ohm:.6g}")
    process.pfet(netlist, "bias", ("bias", "bias", "vdd", "vdd"), source, LENGTH_METRE)


def _add_stages(netlist: SubCircuit, spec: OpAmpSpec, process: Process) -> None:
    pair, mirror, source = widths(pair_current(spec), process)
    length, units = LENGTH_METRE, output_units(spec)
    nfet, pfet = process.nfet, process.pfet
    pfet(netlist, "tail", ("tail", "bias", "vdd", "vdd"), source, length, 2)
    pfet(netlist, "pair_minus", ("mirror", "inverting", "tail", "vdd"), pair, length)
    pfet(netlist, "pair_plus", ("first", "non_inverting", "tail", "vdd"), pair, length)
    nfet(netlist, "mirror", ("mirror", "mirror", "vss", "vss"), mirror, length)
    nfet(netlist, "load", ("first", "mirror", "vss", "vss"), mirror, length)
    nfet(netlist, "output", ("out", "first", "vss", "vss"), mirror, length, units)
    pfet(netlist, "source", ("out", "bias", "vdd", "vdd"), source, length, units)
    # Not "null": ngspice takes that node name for one global node, in subcircuits too.
    netlist.R("nulling", "first", "compensation", f"{nulling_resistance(spec):.6g}")
    netlist.C("miller", "compensation", "out", spec.miller_farad)


class MacroOpAmp(SubCircuit):
    """One-pole gain with limited slew, second pole of the output stage, limited swing."""

    def __init__(self, name: str, spec: OpAmpSpec) -> None:
        super().__init__(name, *NODES)
        gm, tail = pair_transconductance(spec), 2 * pair_current(spec)
        self.B(
            "pair",
            "vss",
            "slow",
            current_expression=f"{tail!r}*tanh({gm / tail!r}*V(non_inverting,inverting))",
        )
        self.R("gain", "slow", "vss", spec.dc_gain / gm)
        self.C("gain", "slow", "vss", spec.miller_farad)
        # The second pole of the transistor op-amp at its load.
        self.VCVS("pole", "pole_in", "vss", "slow", "vss", voltage_gain=1)
        self.R("pole", "pole_in", "pole_out", 1e3)
        self.C("pole", "pole_out", "vss", spec.load_farad / (1e3 * output_transconductance(spec)))
        margin, middle = spec.swing_margin_volt, spec.supply_volt / 2
        self.B(
            "swing",
            "out",
            "vss",
            voltage_expression=(
                f"min(max(V(pole_out,vss)+{middle!r},{margin!r}),V(vdd,vss)-{margin!r})"
            ),
        )


class IdealOpAmp(SubCircuit):
    """A controlled source of high gain."""

    def __init__(self, name: str) -> None:
        super().__init__(name, *NODES)
        self.VCVS("gain", "out", "vss", "non_inverting", "inverting", voltage_gain=IDEAL_GAIN)


class OpAmpTopology(ABC):
    """A way to make an op-amp of transistors, sized by its own equations.

    One of this package, of another with an entry point in the group `cosim.circuits`, or of a
    Python file that sets `op_amp` to the class.

    A subclass gives:
        SPEC: what its bench designs it for.
        LOAD_OHM: resistor from the output to the analog ground on its bench.
    """

    SPEC: ClassVar[OpAmpSpec]
    LOAD_OHM: ClassVar[float]

    @abstractmethod
    def build(self, name: str, spec: OpAmpSpec, process: Process) -> SubCircuit:
        """The op-amp: a subcircuit of that name with the nodes `NODES`.

        Raises:
            NetlistError: a geometry that the process does not have.
        """

    @abstractmethod
    def slew_rate(self, spec: OpAmpSpec) -> float:
        """What its equations promise, in volt per second."""

    def design_values(self, spec: OpAmpSpec) -> dict[str, float]:
        """What its equations promise, by the names of the spec sheet."""
        slew = self.slew_rate(spec)
        return {
            "gbw_hertz": spec.gbw_hertz,
            "slew_rise_volt_per_second": slew,
            "slew_fall_volt_per_second": slew,
        }


class Miller(OpAmpTopology):
    """The two stages of this module; drives resistors."""

    SPEC = OpAmpSpec()
    LOAD_OHM = 50e3

    def build(self, name: str, spec: OpAmpSpec, process: Process) -> SubCircuit:
        """See the module."""
        return TransistorOpAmp(name, spec, process)

    def slew_rate(self, spec: OpAmpSpec) -> float:
        """Tail current over Miller capacitor."""
        return slew_rate(spec)


TOPOLOGIES: Registry[type[OpAmpTopology]] = Registry(
    kind="op-amp",
    group="cosim.circuits",
    accept=subclass_of(OpAmpTopology),
    built_in={
        "miller": "cosim.circuits.opamp:Miller",
        "folded_cascode": "cosim.circuits.folded_cascode:FoldedCascode",
    },
)


def find_topology(name: str) -> OpAmpTopology:
    """A topology by its name, or by the Python file that defines it.

    Raises:
        ConfigurationError: there is none, or it cannot be loaded.
    """
    return TOPOLOGIES.find(name)()


def bias_lines(op_amp: SubCircuit) -> tuple[str, ...]:
    """Nodes that it has besides `NODES`: lines of a bias that it shares with others."""
    return tuple(str(node) for node in op_amp.external_nodes[len(NODES) :])


def op_amp(
    fidelity: Fidelity, spec: OpAmpSpec, process: Process | None, role: str = "op_amp"
) -> SubCircuit:
    """The op-amp at a fidelity; all have the same nodes.

    Args:
        role: what it is for, part of its name: op-amps of different specs share a netlist.
    """
    name = f"{role}_{fidelity}"
    match fidelity:
        case Fidelity.IDEAL:
            return IdealOpAmp(name)
        case Fidelity.MACRO:
            return MacroOpAmp(name, spec)
        case Fidelity.TRANSISTOR:
            assert process is not None
            return find_topology(spec.topology).build(name, spec, process)
