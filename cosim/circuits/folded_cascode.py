"""Folded-cascode op-amp with p-channel input pair: one stage of high gain, compensated by its load.

    gain-bandwidth = gm_pair / (2 pi C_load),   slew rate = I_tail / C_load,
    A_0 = gm_pair (gm r_o^2 of the p-channel cascode, in parallel with that of the n-channel one)

Its output resistance is the gain, so it drives gates and capacitors, not resistors. Nodes as those
of the two-stage op-amp.
Source: Razavi, Design of Analog CMOS Integrated Circuits, 2nd ed., sections 9.4 (folded cascode)
and 5.3 (low-voltage cascode bias).
"""

import math

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.opamp import (
    NODES,
    OpAmpSpec,
    OpAmpTopology,
    width,
)
from cosim.netlist.netlist import comment, quantity
from cosim.process.process import LENGTH_METRE, PAIR_GM_OVER_ID, Process

CASCODE_BIAS_RATIO = 8
"""How many times narrower the diode of a cascode's bias is: its overdrive is sqrt(8) times that of
the current source, so that the source keeps 1.8 times its overdrive."""


class FoldedCascodeOpAmp(SubCircuit):
    """The transistor-level op-amp; `spec.miller_farad` is not used, `spec.load_farad` compensates.

    The load includes what the output drives.
    """

    def __init__(self, name: str, spec: OpAmpSpec, process: Process) -> None:
        super().__init__(name, *NODES)
        current = pair_current(spec)
        comment(
            self,
            f"folded cascode: GBW {quantity(spec.gbw_hertz, 'Hz')}, slew rate "
            f"{quantity(slew_rate(spec), 'V/s')}, load {quantity(spec.load_farad, 'F')}",
        )
        pair, n_source, p_source = (
            width(current, process.PAIR),
            width(current, process.MIRROR),
            width(current, process.SOURCE),
        )
        length = LENGTH_METRE
        nfet, pfet = process.nfet, process.pfet
        # Bias: one current down a resistor, copied to the diodes that set the four gate voltages.
        bias = (spec.supply_volt - process.SOURCE.gate_source_volt) / current
        self.R("bias", "bias", "vss", f"{bias:.6g}")
        pfet(self, "bias", ("bias", "bias", "vdd", "vdd"), p_source, length)
        pfet(self, "copy_sink", ("sink", "bias", "vdd", "vdd"), p_source, length)
        nfet(self, "sink", ("sink", "sink", "vss", "vss"), n_source, length)
        pfet(self, "copy_cascode_n", ("cascode_n", "bias", "vdd", "vdd"), p_source, length)
        nfet(
            self, "cascode_bias_n", ("cascode_n", "cascode_n", "vss", "vss"),
            n_source / CASCODE_BIAS_RATIO, length,
        )  # fmt: skip
        nfet(self, "copy_cascode_p", ("cascode_p", "sink", "vss", "vss"), n_source, length)
        pfet(
            self, "cascode_bias_p", ("cascode_p", "cascode_p", "vdd", "vdd"),
            p_source / CASCODE_BIAS_RATIO, length,
        )  # fmt: skip
        # Input pair, folded into n-channel current sinks.
        pfet(self, "tail", ("tail", "bias", "vdd", "vdd"), p_source, length, 2)
        pfet(self, "pair_plus", ("fold_plus", "non_inverting", "tail", "vdd"), pair, length)
        pfet(self, "pair_minus", ("fold_minus", "inverting", "tail", "vdd"), pair, length)
        for side, out in (("plus", "mirror"), ("minus", "out")):
            nfet(self, f"sink_{side}", (f"fold_{side}", "sink", "vss", "vss"), n_source, length, 2)
            nfet(
                self, f"cascode_n_{side}", (out, "cascode_n", f"fold_{side}", "vss"),
                n_source, length,
            )  # fmt: skip
            pfet(self, f"mirror_{side}", (f"top_{side}", "mirror", "vdd", "vdd"), p_source, length)
            pfet(
                self, f"cascode_p_{side}", (out, "cascode_p", f"top_{side}", "vdd"),
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
