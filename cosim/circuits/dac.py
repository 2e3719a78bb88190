"""Digital-to-analog converters that hold waveforms over circuit time: time embedding, beta, noise.

The R-2R ladder in voltage mode: each bit's leg of 2R is switched to the high or the low reference;
from bit to bit the ladder halves, so that

    v_out = v_low + (v_high - v_low) code / 2^bits,    output resistance R,

and an op-amp follows it. The switches' on-resistance is taken off the legs. Codes are offset
binary, code = 2^(bits-1) (1 + v / full_scale), clamped, as on the published bench, which holds
each for 1/200 of a solve (fact sheet, section 4). At `ideal` fidelity a solver's waveforms are
exact and continuous instead; t = 1 - tau runs backwards with circuit time.
Source: Razavi, 'The R-2R and C-2C Ladders', IEEE Solid-State Circuits Magazine 11(3), 2019; fact
sheet, sections 3 and 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.analog_switch import AnalogSwitchSpec
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.opamp import OpAmpSpec, TransistorOpAmp
from cosim.circuits.timing import Timing
from cosim.netlist.netlist import comment, quantity
from cosim.netlist.waveform import piecewise_linear
from cosim.process.process import Process

EDGE_SECOND = 1e-9
"""Of the digital signals."""


@dataclass(frozen=True)
class DacSpec:
    """What a converter is designed for.

    Attributes:
        bits: as the bench's.
        unit_ohm: R.
        switch_width_metre: of each transistor of a leg's switches.
        buffer: of the follower.
    """

    bits: int = 12
    unit_ohm: float = 20e3
    switch_width_metre: float = 16e-6
    buffer: OpAmpSpec = OpAmpSpec(
        gbw_hertz=40e6, miller_farad=1.5e-12, load_farad=4e-12, output_transconductance_ratio=12.0
    )

    @classmethod
    def of_supply(cls, supply_volt: float) -> "DacSpec":
        """The design for a supply."""
        return cls(buffer=replace(cls.buffer, supply_volt=supply_volt))

    def codes(self, volt: np.ndarray, full_scale_volt: float) -> np.ndarray:
        """Codes of voltages within -full_scale_volt ... full_scale_volt, clamped to the range."""
        half = 2 ** (self.bits - 1)
        return np.clip(np.round(half * (1 + volt / full_scale_volt)), 0, 2 * half - 1).astype(int)


def nodes(bits: int) -> tuple[str, ...]:
    """bit_0 (the least significant one) ..., then the others."""
    return (
        *(f"bit_{bit}" for bit in range(bits)),
        *("out", "reference_low", "reference_high", "vdd", "vss"),
    )


class BehaviouralDac(SubCircuit):
    """The weighted sum of the bits, each a part of the supply.

    Args:
        pole_hertz: of its output; none for an ideal one.
    """

    def __init__(self, name: str, spec: DacSpec, pole_hertz: float | None = None) -> None:
        super().__init__(name, *nodes(spec.bits))
        weighted = "+".join(f"{2**bit}*V(bit_{bit},vss)" for bit in range(spec.bits))
        out = "out" if pole_hertz is None else "fast"
        self.B(
            "sum", out, "reference_low",
            voltage_expression=(
                f"V(reference_high,reference_low)*({weighted})/(V(vdd,vss)*{2**spec.bits})"
            ),
        )  # fmt: skip
        if pole_hertz is not None:
            self.R("pole", "fast", "slow", 1e3)
            self.C("pole", "slow", "reference_low", 1 / (2 * np.pi * pole_hertz * 1e3))
            self.VCVS("out", "out", "reference_low", "slow", "reference_low", voltage_gain=1)


class LegSwitch(SubCircuit):
    """Connects a leg to the high reference while its bit is high, else to the low one."""

    def __init__(self, width_metre: float, process: Process) -> None:
        references = ("reference_low", "reference_high")
        super().__init__("leg_switch", "bit", "leg", *references, "vdd", "vss")
        length, small = process.LENGTH_METRE[0], width_metre / 4
        process.nfet(self, "invert_n", ("inverted", "bit", "vss", "vss"), small, length)
        process.pfet(self, "invert_p", ("inverted", "bit", "vdd", "vdd"), small, length)
        for level, on, off in (("high", "bit", "inverted"), ("low", "inverted", "bit")):
            source = f"reference_{level}"
            process.nfet(self, f"{level}_n", ("leg", on, source, "vss"), width_metre, length)
            process.pfet(self, f"{level}_p", ("leg", off, source, "vdd"), width_metre, length)


class R2RDac(SubCircuit):
    """The transistor-level converter."""

    def __init__(self, name: str, spec: DacSpec, process: Process) -> None:
        super().__init__(name, *nodes(spec.bits))
        comment(self, f"{spec.bits}-bit R-2R ladder, R = {quantity(spec.unit_ohm, 'ohm')}")
        switch = LegSwitch(spec.switch_width_metre, process)
        buffer = TransistorOpAmp("op_amp_dac", spec.buffer, process)
        self.subcircuit(switch)
        self.subcircuit(buffer)
        on_ohm = process.SWITCH_OHM * AnalogSwitchSpec.width_metre / spec.switch_width_metre
        self.R("end", "ladder_0", "reference_low", f"{2 * spec.unit_ohm:.6g}")
        for bit in range(spec.bits):
            last = bit == spec.bits - 1
            self.R(f"leg_{bit}", f"leg_{bit}", f"ladder_{bit}", f"{2 * spec.unit_ohm - on_ohm:.6g}")
            self.X(
                f"switch_{bit}", switch.name, f"bit_{bit}", f"leg_{bit}",
                *("reference_low", "reference_high", "vdd", "vss"),
            )  # fmt: skip
            if not last:
                self.R(
                    f"ladder_{bit}", f"ladder_{bit}", f"ladder_{bit + 1}", f"{spec.unit_ohm:.6g}"
                )
        self.X("buffer", buffer.name, f"ladder_{spec.bits - 1}", "out", "out", "vdd", "vss")


def dac(fidelity: Fidelity, spec: DacSpec, process: Process | None) -> SubCircuit:
    """The converter at a fidelity; all have the same nodes."""
    match fidelity:
        case Fidelity.IDEAL:
            return BehaviouralDac("dac_ideal", spec)
        case Fidelity.MACRO:
            # The follower's closed-loop pole and the ladder's at the follower's input are close.
            return BehaviouralDac("dac_macro", spec, spec.buffer.gbw_hertz / 2)
        case Fidelity.TRANSISTOR:
            assert process is not None
            return R2RDac("dac_r2r", spec, process)


class IdealTimeEmbedding(SubCircuit):
    """Continuous channels. Nodes: embedding_0 ... embedding_{2n-1} (n sines, then n cosines),
    analog_ground, vdd, vss.

    Args:
        frequencies: W_k in cycles per unit of diffusion time [n].
        offsets: of each channel, in units: the condition's embedding [2n].
    """

    def __init__(
        self, name: str, frequencies: np.ndarray, offsets: np.ndarray, timing: Timing
    ) -> None:
        count = len(frequencies)
        super().__init__(name, *embedding_nodes(count), "analog_ground", "vdd", "vss")
        tau = f"max(time-{timing.precharge_second!r},0)/{timing.solve_second!r}"
        for index, channel in enumerate(embedding_nodes(count)):
            function = "sin" if index < count else "cos"
            angular = 2 * np.pi * float(frequencies[index % count])
            wave = f"{function}({angular!r}*(1-{tau}))"
            if offsets[index]:
                wave = f"({float(offsets[index])!r}+{wave})"
            self.B(
                channel,
                channel,
                "analog_ground",
                voltage_expression=f"{timing.volt_per_unit!r}*{wave}",
            )


def embedding_nodes(frequencies: int) -> list[str]:
    """Channels of a time embedding, sines first."""
    return [f"embedding_{index}" for index in range(2 * frequencies)]


def embedding_volts(
    frequencies: np.ndarray, offsets: np.ndarray, timing: Timing, updates: int
) -> dict[str, np.ndarray]:
    """What a converter holds for each channel [updates], against the analog ground."""
    angle = 2 * np.pi * np.outer(frequencies, 1 - hold_centres(updates))
    units = np.concatenate([np.sin(angle), np.cos(angle)]) + offsets[:, None]
    return dict(zip(embedding_nodes(len(frequencies)), timing.volt_per_unit * units, strict=True))


def hold_centres(updates: int) -> np.ndarray:
    """tau in the middle of each hold: there a held value has the waveform's mean, to order 2."""
    return (np.arange(updates) + 0.5) / updates


class HeldWaveforms(SubCircuit):
    """Converters with their digital patterns: held from update to update over the solve.

    Nodes: a channel each, then analog_ground, vdd, vss.

    Args:
        volts: values of each channel [updates], against the analog ground; the first is held
            through the precharge.
        converter: of the bits of `spec`; its references are the largest value, up and down.
    """

    def __init__(
        self,
        name: str,
        volts: Mapping[str, np.ndarray],
        spec: DacSpec,
        converter: SubCircuit,
        timing: Timing,
    ) -> None:
        super().__init__(name, *volts, "analog_ground", "vdd", "vss")
        self.subcircuit(converter)
        full_scale = max(float(np.abs(values).max()) for values in volts.values())
        comment(self, f"full scale {quantity(full_scale, 'V')} around the analog ground")
        for level, sign in (("low", -1), ("high", 1)):
            reference = f"reference_{level}"
            self.V(reference, reference, "analog_ground", sign * full_scale)
        for channel, values in volts.items():
            bits = (spec.codes(values, full_scale)[:, None] >> np.arange(spec.bits)) & 1
            for bit in range(spec.bits):
                self._add_pattern(f"{channel}_bit_{bit}", bits[:, bit], timing)
            self.X(
                f"dac_{channel}",
                converter.name,
                *(f"{channel}_bit_{bit}" for bit in range(spec.bits)),
                *(channel, "reference_low", "reference_high", "vdd", "vss"),
            )

    def _add_pattern(self, node: str, bits: np.ndarray, timing: Timing) -> None:
        changes = np.flatnonzero(np.diff(bits)) + 1
        boundaries = timing.precharge_second + timing.solve_second * changes / len(bits)
        half = EDGE_SECOND / 2
        edges = np.stack([boundaries - half, boundaries + half], axis=1).ravel()
        levels = np.stack([bits[changes - 1], bits[changes]], axis=1).ravel()
        piecewise_linear(
            self, node, "vss", np.concatenate([[0.0], edges]),
            timing.supply_volt * np.concatenate([bits[:1], levels]), digits=10,
        )  # fmt: skip


@dataclass(frozen=True)
class Converters:
    """The converters of a solver.

    Attributes:
        converter: a block of `dac`.
        updates: how often a waveform is renewed in a solve.
    """

    spec: DacSpec
    converter: SubCircuit
    updates: int

    def hold(self, name: str, volts: Mapping[str, np.ndarray], timing: Timing) -> HeldWaveforms:
        """A converter for each waveform."""
        return HeldWaveforms(name, volts, self.spec, self.converter, timing)


def converters(
    fidelity: Fidelity, supply_volt: float, process: Process | None, updates: int
) -> Converters | None:
    """The converters at their fidelity; None where waveforms are exact."""
    if fidelity is Fidelity.IDEAL:
        return None
    spec = DacSpec.of_supply(supply_volt)
    return Converters(spec, dac(fidelity, spec, process), updates)
