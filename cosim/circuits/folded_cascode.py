"""Folded-cascode op-amp with p-channel input pair: one stage of high gain, compensated by its load.

    gain-bandwidth = gm_pair / (2 pi C_load),   slew rate = I_tail / C_load,
    A_0 = gm_pair (gm r_o^2 of the p-channel cascode, in parallel with that of the n-channel one)

Its output resistance is the gain, so it drives gates and capacitors, not resistors. Nodes as those
of the two-stage op-amp. Those of one spec can share a bias (`FoldedCascodeBias`,
`BiasedFoldedCascode`).
Source: Razavi, Design of Analog CMOS Integrated Circuits, 2nd ed., sections 9.4 (folded cascode)
and 5.3 (low-voltage cascode bias).
"""

import math

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.opamp import (
    NODES,
    OpAmpSpec,
    OpAmpTopology,
    bias_resistance,
    widths,
)
from cosim.netlist.netlist import comment, quantity
from cosim.process.process import LENGTH_METRE, PAIR_GM_OVER_ID, Process

CASCODE_BIAS_RATIO = 8
"""How many times narrower the diode of a cascode's bias is: its overdrive is sqrt(8) times that of
the current source, so that the source keeps 1.8 times its overdrive."""


BIAS_LINES = ("bias", "sink", "cascode_n", "cascode_p")
"""Gate voltages of the tail, the current sinks and the cascodes."""


class FoldedCascodeOpAmp(SubCircuit):
    """The transistor-level op-amp, with a bias of its own; `spec.miller_farad` is not used,
    `spec.load_farad` compensates.

    The load includes what the output drives.
    """

    def __init__(self, name: str, spec: OpAmpSpec, process: Process) -> None:
        super().__init__(name, *NODES)
        _describe(self, spec)
        _add_bias(self, spec, process)
        _add_stage(self, spec, process)


class FoldedCascodeBias(SubCircuit):
    """The bias that op-amps of one spec share. Nodes: `BIAS_LINES`, vdd, vss."""

    def __init__(self, name: str, spec: OpAmpSpec, process: Process) -> None:
        super().__init__(name, *BIAS_LINES, "vdd", "vss")
        _add_bias(self, spec, process)


class BiasedFoldedCascode(SubCircuit):
    """The transistor-level op-amp without a bias of its own. Nodes: `NODES`, `BIAS_LINES`."""

    def __init__(self, name: str, spec: OpAmpSpec, process: Process) -> None:
        super().__init__(name, *NODES, *BIAS_LINES)
        _describe(self, spec)
        _add_stage(self, spec, process)


def _describe(netlist: SubCircuit, spec: OpAmpSpec) -> None:
    comment(
        netlist,
        f"folded cascode: GBW {quantity(spec.gbw_hertz, 'Hz')}, slew rate "
        f"{quantity(slew_rate(spec), 'V/s')}, load {quantity(spec.load_farad, 'F')}",
    )


def _add_bias(netlist: SubCircuit, spec: OpAmpSpec, process: Process) -> None:
    """One current down a resistor, copied to the diodes that set the four gate voltages."""
    current = pair_current(spec)
    _, n_source, p_source = widths(current, process)
    length, nfet, pfet = LENGTH_METRE, process.nfet, process.pfet
    ohm = bias_resistance(spec.supply_volt, current, process)
    netlist.R("bias", "bias", "vss", f"{ohm:.6g}")
    pfet(netlist, "bias", ("bias", "bias", "vdd", "vdd"), p_source, length)
    pfet(netlist, "copy_sink", ("sink", "bias", "vdd", "vdd"), p_source, length)
    nfet(netlist, "sink", ("sink", "sink", "vss", "vss"), n_source, length)
    pfet(netlist, "copy_cascode_n", ("cascode_n", "bias", "vdd", "vdd"), p_source, length)
    nfet(
        netlist, "cascode_bias_n", ("cascode_n", "cascode_n", "vss", "vss"),
        n_source / CASCODE_BIAS_RATIO, length,
    )  # fmt: skip
    nfet(netlist, "copy_cascode_p", ("cascode_p", "sink", "vss", "vss"), n_source, length)
    pfet(
        netlist, "cascode_bias_p", ("cascode_p", "cascode_p", "vdd", "vdd"),
        p_source / CASCODE_BIAS_RATIO, length,
    )  # fmt: skip


def _add_stage(netlist: SubCircuit, spec: OpAmpSpec, process: Process) -> None:
    """An input pair, folded into n-channel current sinks."""
    pair, n_source, p_source = widths(pair_current(spec), process)
    length, nfet, pfet = LENGTH_METRE, process.nfet, process.pfet
    pfet(netlist, "tail", ("tail", "bias", "vdd", "vdd"), p_source, length, 2)
    pfet(netlist, "pair_plus", ("fold_plus", "non_inverting", "tail", "vdd"), pair, length)
    pfet(netlist, "pair_minus", ("fold_minus", "inverting", "tail", "vdd"), pair, length)
    for side, out in (("plus", "mirror"), ("minus", "out")):
        nfet(netlist, f"sink_{side}", (f"fold_{side}", "sink", "vss", "vss"), n_source, length, 2)
        nfet(
            netlist, f"cascode_n_{side}", (out, "cascode_n", f"fold_{side}", "vss"),
            n_source, length,
        )  # fmt: skip
        pfet(netlist, f"mirror_{side}", (f"top_{side}", "mirror", "vdd", "vdd"), p_source, length)
        pfet(
            netlist, f"cascode_p_{side}", (out, "cascode_p", f"top_{side}", "vdd"),
            p_source, length,
        )  # fmt: skip


def pair_transconductance(spec: OpAmpSpec) -> float:
    """gm of each input transistor in siemens: 2 pi GBW C_load."""
    return 2 * math.pi * spec.gbw_hertz * spec.load_farad


def pair_current(spec: OpAmpSpec) -> float:
    """Drain current of each input transistor in ampere."""
    return pair_transconductance(spec) / PAIR_GM_OVER_ID


def slew_rate(spec: OpAmpSpec) -> float:
    """Volt per second: tail current over load capacitor."""
    return 2 * pair_current(spec) / spec.load_farad


class FoldedCascode(OpAmpTopology):
    """Drives gates and capacitors alone."""

    SPEC = OpAmpSpec(gbw_hertz=10e6, load_farad=5e-12)
    LOAD_OHM = 100e6

    def build(self, name: str, spec: OpAmpSpec, process: Process) -> SubCircuit:
        """See the module."""
        return FoldedCascodeOpAmp(name, spec, process)

    def slew_rate(self, spec: OpAmpSpec) -> float:
        """Tail current over load capacitor."""
        return slew_rate(spec)
