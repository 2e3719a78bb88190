"""Rectified linear unit: v_out = max(v_in, 0), against the analog ground.

Transistor forms:

- `ClampedRelu`: a folded-cascode op-amp as follower, whose only output device is a p-channel
  transistor that can source but not sink. Below the analog ground it is off, and the output is
  held at the analog ground by a resistor and by the array rows it drives, which end in virtual
  grounds. Error of the knee: gate swing from off to on over the op-amp's gain. A source follower
  keeps the gate, while it is off, one gate-source voltage of a weak current below the supply:
  from there it is on sooner, and a simulator finds its way in steps of any length. Until then the
  gate slews by 2 pi GBW v_in, so that an edge loses swing / (2 pi GBW) in volt seconds, whatever
  its slope: of a current, the smaller the capacitor, the less.
- `DiodeRelu`: an inverter, then the inverting half-wave rectifier: an op-amp with two
  diode-connected transistors in its feedback. Its range ends a gate-source voltage below the
  supply, at 0.4 V for a row of 1.2 kohm, so solvers use the other form.

All fidelities have the nodes input, out, analog_ground, vdd, vss. Those of the first form can share
a bias (`ReluBias`, `BiasedRelu`), whose lines are more nodes.
Source: Sedra and Smith, Microelectronic Circuits, section 17.10 of the 6th ed. (precision
rectifiers); Rincon-Mora, Analog IC Design with Low-Dropout Regulators, chapter 4 (op-amp with a
p-channel pass transistor).
"""

import math
from dataclasses import dataclass, replace

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits import folded_cascode
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.folded_cascode import (
    BiasedFoldedCascode,
    FoldedCascodeBias,
    FoldedCascodeOpAmp,
)
from cosim.circuits.opamp import OpAmpSpec, TransistorOpAmp, bias_lines
from cosim.netlist.netlist import comment
from cosim.process.process import Process

NODES = ("input", "out", "analog_ground", "vdd", "vss")
BIAS_LINES = (*folded_cascode.BIAS_LINES, "clamp")


@dataclass(frozen=True)
class ReluSpec:
    """What the unit is designed for.

    Attributes:
        op_amp: its load is the compensation capacitor between gate and output.
        pass_width_metre, pass_length_metre: of the output transistor; 0.8 mA at 1 V of overdrive.
        clamp_width_metre, clamp_diode_width_metre, clamp_ohm: of what holds the gate while the
            output transistor is off, and of what sets its level, 2 uA.
        hold_ohm: from the output to the analog ground.
        knee_volt: width of the macro model's knee.
        row_farad: capacitance of the array row that it drives.
        rectifier_op_amp, rectifier_ohm, diode_width_metre: of the diode form.
    """

    op_amp: OpAmpSpec = OpAmpSpec(gbw_hertz=93e6, load_farad=0.3e-12)
    pass_width_metre: float = 100e-6
    pass_length_metre: float = 0.4e-6
    clamp_width_metre: float = 20e-6
    clamp_diode_width_metre: float = 100e-6
    clamp_ohm: float = 1e6
    hold_ohm: float = 5e3
    knee_volt: float = 1e-3
    row_farad: float = 1e-12
    rectifier_op_amp: OpAmpSpec = OpAmpSpec(
        gbw_hertz=40e6, miller_farad=2e-12, load_farad=5e-12, output_transconductance_ratio=14.0
    )
    rectifier_ohm: float = 20e3
    diode_width_metre: float = 200e-6

    @classmethod
    def of_supply(cls, supply_volt: float) -> "ReluSpec":
        """The design for a supply."""
        return cls(
            op_amp=replace(cls.op_amp, supply_volt=supply_volt),
            rectifier_op_amp=replace(cls.rectifier_op_amp, supply_volt=supply_volt),
        )


def lag_second(spec: ReluSpec) -> float:
    """By how much the output lags the input while it conducts: that of a follower."""
    return 1 / (2 * math.pi * spec.op_amp.gbw_hertz)


class IdealRelu(SubCircuit):
    """A controlled source."""

    def __init__(self, name: str) -> None:
        super().__init__(name, *NODES)
        self.B(
            "rectified", "out", "analog_ground", voltage_expression="uramp(V(input,analog_ground))"
        )


class MacroRelu(SubCircuit):
    """A rounded knee and the op-amp's bandwidth as follower."""

    def __init__(self, name: str, spec: ReluSpec) -> None:
        super().__init__(name, *NODES)
        knee = f"{spec.knee_volt!r}"
        drive = "V(input,analog_ground)"
        self.B(
            "rectified",
            "fast",
            "analog_ground",
            voltage_expression=f"0.5*({drive}+sqrt({drive}*{drive}+{knee}*{knee}))",
        )
        self.R("pole", "fast", "slow", 1e3)
        self.C("pole", "slow", "analog_ground", 1 / (6.283185 * spec.op_amp.gbw_hertz * 1e3))
        self.VCVS("out", "out", "analog_ground", "slow", "analog_ground", voltage_gain=1)


class ClampedRelu(SubCircuit):
    """Follower with a p-channel output transistor, and a bias of its own."""

    def __init__(self, name: str, spec: ReluSpec, process: Process) -> None:
        super().__init__(name, *NODES)
        _add_follower(self, spec, FoldedCascodeOpAmp("op_amp_relu", spec.op_amp, process), process)
        _add_clamp_level(self, spec, process)


class ReluBias(SubCircuit):
    """The bias that ReLUs of one spec share. Nodes: `BIAS_LINES`, vdd, vss."""

    def __init__(self, name: str, spec: ReluSpec, process: Process) -> None:
        super().__init__(name, *BIAS_LINES, "vdd", "vss")
        op_amps = FoldedCascodeBias("bias_op_amp", spec.op_amp, process)
        self.subcircuit(op_amps)
        self.X("op_amp", op_amps.name, *folded_cascode.BIAS_LINES, "vdd", "vss")
        _add_clamp_level(self, spec, process)


class BiasedRelu(SubCircuit):
    """The follower without a bias of its own. Nodes: `NODES`, `BIAS_LINES`."""

    def __init__(self, name: str, spec: ReluSpec, process: Process) -> None:
        super().__init__(name, *NODES, *BIAS_LINES)
        _add_follower(self, spec, BiasedFoldedCascode("op_amp_relu", spec.op_amp, process), process)


def _add_follower(
    netlist: SubCircuit, spec: ReluSpec, op_amp: SubCircuit, process: Process
) -> None:
    comment(netlist, "class-B follower: sources current only, so it rectifies")
    netlist.subcircuit(op_amp)
    # The output transistor inverts, so feedback goes to the other input.
    lines = bias_lines(op_amp)
    netlist.X("op_amp", op_amp.name, "out", "input", "gate", "vdd", "vss", *lines)
    length = spec.pass_length_metre
    process.pfet(netlist, "pass", ("out", "gate", "vdd", "vdd"), spec.pass_width_metre, length)
    process.pfet(netlist, "clamp", ("vss", "clamp", "gate", "vdd"), spec.clamp_width_metre, length)
    netlist.C("miller", "gate", "out", spec.op_amp.load_farad)
    netlist.R("hold", "out", "analog_ground", spec.hold_ohm)
    netlist.C("row", "out", "analog_ground", spec.row_farad)


def _add_clamp_level(netlist: SubCircuit, spec: ReluSpec, process: Process) -> None:
    """Two gate-source voltages of a weak current below the supply; the clamps add one."""
    for diode, gate, source in (
        ("upper", "clamp_middle", "vdd"),
        ("lower", "clamp", "clamp_middle"),
    ):
        process.pfet(
            netlist, f"clamp_{diode}", (gate, gate, source, source),
            spec.clamp_diode_width_metre, spec.pass_length_metre,
        )  # fmt: skip
    netlist.R("clamp", "clamp", "vss", spec.clamp_ohm)


class DiodeRelu(SubCircuit):
    """Inverter and inverting precision rectifier."""

    def __init__(self, name: str, spec: ReluSpec, process: Process) -> None:
        super().__init__(name, *NODES)
        comment(self, "precision rectifier with diode-connected transistors, after an inverter")
        op_amp = TransistorOpAmp("op_amp_rectifier", spec.rectifier_op_amp, process)
        self.subcircuit(op_amp)
        for stage, source, end in (
            ("inverter", "input", "inverted"), ("rectifier", "inverted", "out"),
        ):  # fmt: skip
            self.R(f"{stage}_in", source, f"{stage}_ground", spec.rectifier_ohm)
            self.R(f"{stage}_feedback", f"{stage}_ground", end, spec.rectifier_ohm)
        for stage, end in (("inverter", "inverted"), ("rectifier", "driver")):
            self.X(
                f"op_amp_{stage}", op_amp.name, "analog_ground", f"{stage}_ground", end,
                "vdd", "vss",
            )  # fmt: skip
        length = process.LENGTH_METRE[0]
        for diode, anode, cathode in (
            ("forward", "driver", "out"), ("clamp", "rectifier_ground", "driver"),
        ):  # fmt: skip
            nodes = (anode, anode, cathode, "vss")
            process.nfet(self, diode, nodes, spec.diode_width_metre, length)
        self.C("row", "out", "analog_ground", spec.row_farad)


def relu(fidelity: Fidelity, spec: ReluSpec, process: Process | None) -> SubCircuit:
    """The unit at a fidelity; all have the same nodes."""
    match fidelity:
        case Fidelity.IDEAL:
            return IdealRelu("relu_ideal")
        case Fidelity.MACRO:
            return MacroRelu("relu_macro", spec)
        case Fidelity.TRANSISTOR:
            assert process is not None
            return ClampedRelu("relu_clamped", spec, process)
