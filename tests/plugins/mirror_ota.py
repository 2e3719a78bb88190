"""An op-amp topology that lives outside of the package: a symmetric current-mirror OTA.

    gain-bandwidth = B gm_pair / (2 pi C_load),   slew rate = B I_tail / C_load

Source: Laker and Sansen, Design of Analog Integrated Circuits and Systems, 1994, section 6-5.
"""

import math

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.opamp import NODES, OpAmpSpec, OpAmpTopology, width
from cosim.process.process import LENGTH_METRE, PAIR_GM_OVER_ID, Process

MIRROR_RATIO = 2


def pair_current(spec: OpAmpSpec) -> float:
    """Drain current of each input transistor in ampere."""
    transconductance = 2 * math.pi * spec.gbw_hertz * spec.load_farad / MIRROR_RATIO
    return transconductance / PAIR_GM_OVER_ID


class MirrorOta(OpAmpTopology):
    """Drives gates and capacitors alone."""

    SPEC = OpAmpSpec(gbw_hertz=10e6, load_farad=5e-12)
    LOAD_OHM = 100e6

    def build(self, name: str, spec: OpAmpSpec, process: Process) -> SubCircuit:
        """A p-channel pair into two n-channel mirrors, one of them turned by a p-channel mirror."""
        block, current, length = SubCircuit(name, *NODES), pair_current(spec), LENGTH_METRE
        pair, mirror, source = (
            width(current, point) for point in (process.PAIR, process.MIRROR, process.SOURCE)
        )
        nfet, pfet = process.nfet, process.pfet
        ohm = (spec.supply_volt - process.SOURCE.gate_source_volt) / current
        block.R("bias", "bias", "vss", f"{ohm:.6g}")
        pfet(block, "bias", ("bias", "bias", "vdd", "vdd"), source, length)
        pfet(block, "tail", ("tail", "bias", "vdd", "vdd"), source, length, 2)
        for side, gate, out in (("plus", "non_inverting", "out"), ("minus", "inverting", "top")):
            pfet(block, f"pair_{side}", (side, gate, "tail", "vdd"), pair, length)
            nfet(block, f"diode_{side}", (side, side, "vss", "vss"), mirror, length)
            nfet(block, f"copy_{side}", (out, side, "vss", "vss"), mirror, length, MIRROR_RATIO)
        pfet(block, "top", ("top", "top", "vdd", "vdd"), source, length, MIRROR_RATIO)
        pfet(block, "out", ("out", "top", "vdd", "vdd"), source, length, MIRROR_RATIO)
        return block

    def slew_rate(self, spec: OpAmpSpec) -> float:
        """The mirrored tail current over the load."""
        return MIRROR_RATIO * 2 * pair_current(spec) / spec.load_farad


op_amp = MirrorOta
