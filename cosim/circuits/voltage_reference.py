"""Voltage reference: the analog ground, made from a bandgap and buffered.

A loop holds two branches at one voltage: a bipolar transistor, and eight of them in series with
R_3. Its output is

    v_bandgap = V_BE + K (kT/q) ln 8,   K = R_1 / R_3 = -(dV_BE/dT) / ((k/q) ln 8),

whose first-order temperature dependence vanishes. A non-inverting amplifier that can drive the
whole solver brings it to the wanted voltage. While the output is low, a follower lifts the op-amp's
non-inverting input, as an offset could hold the loop at zero; it is off once the loop runs.

All fidelities have the nodes out, vdd, vss.
Source: Kuijk, IEEE JSSC 8(3), 1973; Razavi, Design of Analog CMOS Integrated Circuits, 2nd ed.,
chapter 12 (bandgap references, start-up).
"""

import math
from dataclasses import dataclass, replace

from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.circuits.fidelity import Fidelity
from cosim.circuits.opamp import OpAmpSpec, TransistorOpAmp
from cosim.netlist.netlist import comment, quantity
from cosim.process.process import LENGTH_METRE, Bipolar, Process

NODES = ("out", "vdd", "vss")
RATIO = 8
VOLT_PER_KELVIN = 8.617333262e-5
ROOM_KELVIN = 300.15
START_OHM, LIFT_OHM = 1e6, 50e3


@dataclass(frozen=True)
class VoltageReferenceSpec:
    """What the reference is designed for.

    Attributes:
        volt: wanted.
        branch_ohm: R_3; a branch carries (kT/q) ln 8 / R_3, 5.4 uA.
        feedback_ohm: of the amplifier, in all.
        core, buffer: op-amps of the loop and of the amplifier. The buffer sinks and sources what
            a solver draws, 3 mA.
        output_ohm, corner_hertz, open_ohm: output impedance of the macro model: at low frequency,
            where it starts to rise with the loop's falling gain, and without a loop.
    """

    volt: float = 1.65
    branch_ohm: float = 10e3
    feedback_ohm: float = 100e3
    core: OpAmpSpec = OpAmpSpec(gbw_hertz=1e6, miller_farad=4e-12, load_farad=4e-12)
    buffer: OpAmpSpec = OpAmpSpec(
        gbw_hertz=8e6, miller_farad=10e-12, load_farad=20e-12, output_transconductance_ratio=60.0
    )
    output_ohm: float = 0.16
    corner_hertz: float = 20e3
    open_ohm: float = 55.0

    @classmethod
    def of_supply(cls, supply_volt: float) -> "VoltageReferenceSpec":
        """The design for an analog ground in the middle of a supply."""
        return cls(
            volt=supply_volt / 2,
            core=replace(cls.core, supply_volt=supply_volt),
            buffer=replace(cls.buffer, supply_volt=supply_volt),
        )


def resistance_ratio(bipolar: Bipolar) -> float:
    """K, for which the first-order temperature dependence vanishes."""
    return -bipolar.volt_per_kelvin / (VOLT_PER_KELVIN * math.log(RATIO))


def bandgap_volt(bipolar: Bipolar) -> float:
    """Output of the bandgap loop at 27 C."""
    thermal = VOLT_PER_KELVIN * ROOM_KELVIN
    return bipolar.base_emitter_volt + resistance_ratio(bipolar) * thermal * math.log(RATIO)


class IdealVoltageReference(SubCircuit):
    """A voltage source."""

    def __init__(self, name: str, spec: VoltageReferenceSpec) -> None:
        super().__init__(name, *NODES)
        self.V("reference", "out", "vss", spec.volt)


class MacroVoltageReference(SubCircuit):
    """A voltage source with the buffer's output impedance, which rises with frequency."""

    def __init__(self, name: str, spec: VoltageReferenceSpec) -> None:
        super().__init__(name, *NODES)
        self.V("reference", "inside", "vss", spec.volt)
        self.R("output", "inside", "behind", spec.output_ohm)
        self.L("output", "behind", "out", spec.output_ohm / (2 * math.pi * spec.corner_hertz))
        self.R("open", "inside", "out", spec.open_ohm)


class BandgapReference(SubCircuit):
    """The transistor-level reference."""

    def __init__(self, name: str, spec: VoltageReferenceSpec, process: Process) -> None:
        super().__init__(name, *NODES)
        bipolar = process.BIPOLAR
        ratio, bandgap = resistance_ratio(bipolar), bandgap_volt(bipolar)
        comment(
            self,
            f"bandgap {quantity(bandgap, 'V')}, R1/R3 = {ratio:.4g}, brought to "
            f"{quantity(spec.volt, 'V')}",
        )
        core = TransistorOpAmp("op_amp_bandgap", spec.core, process)
        buffer = TransistorOpAmp("op_amp_reference", spec.buffer, process)
        self.subcircuit(core)
        self.subcircuit(buffer)
        upper = f"{ratio * spec.branch_ohm:.8g}"
        self.R("single", "bandgap", "single", upper)
        self.R("many", "bandgap", "many", upper)
        self.R("difference", "many", "emitters", f"{spec.branch_ohm:.8g}")
        self.X("single", bipolar.model, "vss", "vss", "single")
        for index in range(RATIO):
            self.X(f"many_{index}", bipolar.model, "vss", "vss", "emitters")
        # More output raises the branch of many more than the single one.
        self.X("core", core.name, "single", "many", "bandgap", "vdd", "vss")
        length = LENGTH_METRE
        self.R("start", "vdd", "start", f"{START_OHM:.6g}")
        # Weak, so that it waits until the output is well above its threshold.
        process.nfet(self, "started", ("start", "out", "vss", "vss"), 1e-6, 8 * length)
        self.R("lift", "vdd", "lift", f"{LIFT_OHM:.6g}")
        process.nfet(self, "lift", ("lift", "start", "single", "vss"), 2e-6, length)
        gain = spec.volt / bandgap
        lower_ohm = spec.feedback_ohm / gain
        self.R("feedback", "out", "divided", f"{spec.feedback_ohm - lower_ohm:.8g}")
        self.R("divided", "divided", "vss", f"{lower_ohm:.8g}")
        self.X("buffer", buffer.name, "bandgap", "divided", "out", "vdd", "vss")


def voltage_reference(
    fidelity: Fidelity, spec: VoltageReferenceSpec, process: Process | None
) -> SubCircuit:
    """The reference at a fidelity; all have the same nodes."""
    match fidelity:
        case Fidelity.IDEAL:
            return IdealVoltageReference("reference_ideal", spec)
        case Fidelity.MACRO:
            return MacroVoltageReference("reference_macro", spec)
        case Fidelity.TRANSISTOR:
            assert process is not None
            return BandgapReference("reference_bandgap", spec, process)


def add_reference(
    circuit: Circuit,
    node: str,
    fidelity: Fidelity,
    spec: VoltageReferenceSpec,
    process: Process | None,
) -> None:
    """Drive `node` of a circuit with the nodes vdd and ground."""
    block = voltage_reference(fidelity, spec, process)
    if fidelity is Fidelity.TRANSISTOR:
        assert process is not None
        process.apply_bipolar(circuit)
    circuit.subcircuit(block)
    circuit.X("reference", block.name, node, "vdd", circuit.gnd)
