"""Physical mutations of the golden netlists, each of which a golden trace has to notice.

Devices' W and L, resistors and capacitors by 5 %, the slow corner, supplies 2 % low, missing
devices, swapped pins, open wires, wrong phases, and changes that are none.
"""

from collections.abc import Iterator

from cosim.diffusion.golden import halved, is_transient
from tests.diffusion.mutating import (
    OPEN_OHM,
    Edit,
    Mutation,
    NotThereError,
    doubled,
    opened,
    removed,
    replaced,
    scaled,
    swapped,
)

PERCENT, LESS = 1.05, 0.95
SUPPLY = 0.98
SS = replaced(r'ngspice" typical$', 'ngspice" ss')

DEVICES: dict[str, dict[str, str]] = {
    "opamp": {"op_amp_transistor": "bias tail pair_minus pair_plus mirror load output source"},
    "folded_cascode": {
        "op_amp_folded_cascode": "bias copy_sink sink copy_cascode_n cascode_bias_n "
        "copy_cascode_p cascode_bias_p tail pair_plus pair_minus sink_plus cascode_n_plus "
        "mirror_plus cascode_p_plus sink_minus cascode_n_minus mirror_minus cascode_p_minus"
    },
    "integrator": {"op_amp_transistor": "bias tail pair_plus load output source"},
    "relu": {
        "op_amp_relu": "bias sink cascode_bias_n cascode_bias_p tail pair_plus sink_plus "
        "mirror_plus cascode_n_minus cascode_p_minus",
        "relu_clamped": "pass clamp clamp_upper clamp_lower",
    },
    "relu_diode": {
        "op_amp_rectifier": "bias tail pair_minus mirror output source",
        "relu_diode": "forward clamp",
    },
    "transimpedance": {
        "op_amp_column_8_transistor": "bias tail pair_minus mirror output source",
        "op_amp_column_5_transistor": "bias tail pair_plus load output source",
    },
    "multiplier": {
        "op_amp_difference": "bias tail pair_plus load output source",
        "multiplier_gilbert": "bias tail_plus pair_plus tail_minus pair_minus quad_a_plus "
        "quad_reference_plus quad_a_minus quad_reference_minus",
    },
    "voltage_reference": {
        "op_amp_bandgap": "bias tail pair_minus mirror source",
        "op_amp_reference": "bias tail pair_plus load output source",
    },
    "dac": {
        "op_amp_dac": "bias tail pair_minus mirror output source",
        "leg_switch": "high_n low_n",
    },
    "cell": {"cell_rram_hfox": "access"},
    "crossbar": {"cell_programmed": "access"},
    "decoder": {"cell_rram_hfox": "access"},
}
"""Devices of each block: W and L by turns are raised by 5 %, every second one is left out."""

WIDEST = frozenset(
    {"relu_clamped/Xpass", "relu_clamped/Xclamp_upper", "relu_diode/Xforward"}
    | {"multiplier_gilbert/Xpair_plus", "multiplier_gilbert/Xpair_minus"}
)
"""As wide as the process has models for, so that W is lowered."""

VALUES: dict[str, str] = {
    "opamp": "op_amp_transistor/Rbias op_amp_transistor/Cmiller op_amp_transistor/Rnulling Rload "
    "Cload",
    "folded_cascode": "op_amp_folded_cascode/Rbias Cload",
    "integrator": "op_amp_transistor/Rbias integrator/Cint integrator/Rinitial "
    "integrator/Rfeedback Rin",
    "relu": "op_amp_relu/Rbias relu_clamped/Cmiller relu_clamped/Rhold relu_clamped/Rclamp "
    "relu_clamped/Crow Rrow",
    "relu_diode": "op_amp_rectifier/Rbias op_amp_rectifier/Cmiller op_amp_rectifier/Rnulling "
    "relu_diode/Rinverter_in relu_diode/Rrectifier_feedback relu_diode/Crow Rrow",
    "transimpedance": "op_amp_column_8_transistor/Rbias op_amp_column_8_transistor/Cmiller "
    "op_amp_column_8_transistor/Rnulling op_amp_column_5_transistor/Rbias "
    "op_amp_column_5_transistor/Cmiller op_amp_column_5_transistor/Rnulling "
    "transimpedance/Rfeedback_first transimpedance/Rfeedback_second transimpedance/Rtransfer "
    "Rplus Cplus Cminus",
    "multiplier": "op_amp_difference/Rbias op_amp_difference/Cmiller op_amp_difference/Rnulling "
    "multiplier_gilbert/Rbias multiplier_gilbert/Rdegeneration multiplier_gilbert/Rdivider_a "
    "multiplier_gilbert/Rload_plus multiplier_gilbert/Rdifference_load_minus "
    "multiplier_gilbert/Rout_load_minus multiplier_gilbert/Rbalance",
    "voltage_reference": "op_amp_bandgap/Rbias op_amp_bandgap/Cmiller op_amp_reference/Rbias "
    "op_amp_reference/Cmiller reference_bandgap/Rsingle reference_bandgap/Rmany "
    "reference_bandgap/Rdifference reference_bandgap/Rfeedback reference_bandgap/Rstart",
    "dac": "op_amp_dac/Rbias op_amp_dac/Cmiller dac_r2r/Rleg_11 dac_r2r/Rleg_8 dac_r2r/Rladder_10 "
    "Rload",
}
"""Resistors and capacitors whose value is raised by 5 %."""

WHOLE: dict[str, str] = {
    "opamp": "Vdd", "folded_cascode": "Vdd", "integrator": "Vdd", "relu": "Vdd",
    "relu_diode": "Vdd", "transimpedance": "Vdd", "multiplier": "Vdd", "dac": "Vdd",
    "crossbar": "Vword_line_0", "decoder": "Vvdd_word",
}  # fmt: skip
"""The supply that is 2 % low; every process block is tried at corner ss as well."""


def _special() -> Iterator[Mutation]:
    """Dynamics, wiring, phases, arrays: what a list of devices does not have."""
    yield Mutation("opamp", "load x2", scaled("Cload", 2))
    yield Mutation("opamp", "nulling resistor +50 %", scaled("op_amp_transistor/Rnulling", 1.5))
    yield Mutation("opamp", "inputs swapped", swapped("Xdevice", 1, 2))
    yield Mutation("opamp", "mirror's wire open", opened("op_amp_transistor/Xload", 2))
    yield Mutation("folded_cascode", "load x2", scaled("Cload", 2))
    yield Mutation("folded_cascode", "inputs swapped", swapped("Xdevice", 1, 2))
    yield Mutation(
        "folded_cascode", "cascode's gate open", opened("op_amp_folded_cascode/Xcascode_n_plus", 2)
    )
    yield Mutation("relu", "pass transistor W -1 %", scaled("relu_clamped/Xpass", 0.99, "w"))
    yield Mutation("relu", "Miller x3", scaled("relu_clamped/Cmiller", 3))
    yield Mutation("relu", "op-amp's inputs swapped", swapped("relu_clamped/Xop_amp", 1, 2))
    yield Mutation("relu", "output's wire open", opened("relu_clamped/Xpass", 1))
    yield Mutation("relu_diode", "Miller x3", scaled("op_amp_rectifier/Cmiller", 3))
    yield Mutation("relu_diode", "clamp's wire open", opened("relu_diode/Xclamp", 1))
    column = "op_amp_column_8_transistor"
    yield Mutation("transimpedance", "pair W +1 %", scaled(f"{column}/Xpair_plus", 1.01, "w"))
    yield Mutation("transimpedance", "Miller x3", scaled(f"{column}/Cmiller", 3))
    yield Mutation("transimpedance", "lines swapped", swapped("Xdevice", 1, 2))
    yield Mutation("transimpedance", "feedback open", opened("transimpedance/Rfeedback_second", 1))
    yield Mutation("multiplier", "inputs swapped", swapped("Xdevice", 1, 2))
    yield Mutation("multiplier", "Miller x3", scaled("op_amp_difference/Cmiller", 3))
    yield Mutation("multiplier", "quad's gate open", opened("multiplier_gilbert/Xquad_a_plus", 2))
    yield Mutation("integrator", "controls swapped", swapped("Xdevice", 4, 5))
    yield Mutation("integrator", "op-amp's inputs swapped", swapped("integrator/Xop_amp", 1, 2))
    yield Mutation("integrator", "summing wire open", opened("integrator/Xrun", 1))
    yield Mutation("integrator", "hold capacitor's wire open", opened("integrator/Cint", 1))
    yield Mutation(
        "integrator", "run 100 ns late",
        replaced(r"^(Vrun run 0 PWL)\(0 0 \S+ 0 \S+ (\S+)\)", r"\1(0 0 5.9e-7 0 6.1e-7 \2)"),
    )  # fmt: skip
    yield Mutation(
        "integrator", "precharge ends 60 ns late",
        replaced(r"^(Vprecharge precharge 0 PWL\(0 (\S+) )\S+ \S+ \S+ 0", r"\g<1>5e-7 \2 5.2e-7 0"),
    )  # fmt: skip
    yield Mutation(
        "integrator", "run switch's p transistor missing", removed("transmission_gate/Xpass_p")
    )
    yield Mutation(
        "voltage_reference", "op-amp's inputs swapped", swapped("reference_bandgap/Xcore", 1, 2)
    )
    yield Mutation("voltage_reference", "an emitter missing", removed("reference_bandgap/Xmany_3"))
    yield Mutation("voltage_reference", "Miller x3", scaled("op_amp_reference/Cmiller", 3))
    yield Mutation("voltage_reference", "feedback open", opened("reference_bandgap/Rfeedback", 1))
    yield Mutation("dac", "a leg open", opened("dac_r2r/Rleg_9", 1))
    yield Mutation("dac", "two bits swapped", swapped("Xdevice", 9, 10))
    yield Mutation("dac", "a switch missing", removed("dac_r2r/Xswitch_10"))
    yield Mutation("dac", "references swapped", swapped("Xdevice", 14, 15))
    yield Mutation("cell", "filament's temperature +5 %", replaced("722700.0", "758835.0"))
    yield Mutation("cell", "source and bit line swapped", swapped("Xcell", 1, 3))
    yield Mutation("cell", "gap's capacitor +5 %", scaled("rram_hfox/Cgap", PERCENT))
    yield Mutation(
        "cell", "word line 2 % low", replaced(r"PWL\(0 1\.3 (\S+) 1\.3", r"PWL(0 1.274 \1 1.274")
    )
    yield Mutation("crossbar", "a cell doubled", doubled("crossbar/Xplus_2_1"))
    yield Mutation("crossbar", "a cell missing", removed("crossbar/Xminus_3_3"))
    yield Mutation("crossbar", "a cell +5 %", scaled("crossbar/Xplus_0_0", PERCENT, "resistance"))
    yield Mutation(
        "crossbar",
        "wires x4",
        replaced(r"^(R(?:bit|source|word)_\S+ \S+ \S+ )2\.5$", r"\g<1>10", times=96),
    )
    yield Mutation(
        "crossbar", "a wire open", replaced(r"^(Rbit_1_3 \S+ \S+) 2\.5$", rf"\1 {OPEN_OHM:g}")
    )
    yield Mutation("crossbar", "a bit and a source line swapped", swapped("Xcrossbar", 1, 9))
    yield Mutation("crossbar", "two source lines swapped", swapped("Xcrossbar", 9, 10))
    yield Mutation("decoder", "address lines swapped", swapped("Xdecoder", 1, 2))
    yield Mutation("decoder", "a gate missing", removed("row_decoder/Xdeselect_2"))
    yield Mutation("decoder", "word line's capacitor +5 %", scaled("C2", PERCENT))
    yield Mutation("decoder", "word line open", opened("Xcell_2_1", 2))
    yield Mutation("decoder", "word supply 2 % low", scaled("Vword_supply", SUPPLY))
    yield Mutation("decoder", "driver's W +5 %", scaled("word_line_driver/Xpass_n", PERCENT, "w"))
    yield Mutation("solver_circle", "hold capacitor +5 %", scaled("integrator/Cint", PERCENT))
    yield Mutation(
        "solver_circle",
        "half beta 2 % low",
        replaced(
            r"^(Vhalf_beta half_beta analog_ground PWL\(0) 0\.5 (\S+) 0\.5", r"\1 0.49 \2 0.49"
        ),
    )
    yield Mutation("solver_circle", "score's outputs swapped", swapped("Xscore_network", 3, 4))
    yield Mutation(
        "solver_circle", "an integrator's controls swapped", swapped("Xintegrator_0", 4, 5)
    )
    yield Mutation("solver_circle", "a multiplier missing", removed("Xmultiplier_score_1"))


def mutations() -> Iterator[Mutation]:
    """The whole list."""
    for block, scopes in DEVICES.items():
        for scope, names in scopes.items():
            for number, name in enumerate(names.split()):
                place, size = f"{scope}/X{name}", "wl"[number % 2]
                factor = LESS if place in WIDEST and size == "w" else PERCENT
                what = f"{place} {size.upper()} {100 * (factor - 1):+.0f} %"
                yield Mutation(block, what, scaled(place, factor, size))
                if number % 2 == 0:
                    yield Mutation(block, f"{place} missing", removed(place))
    for block, places in VALUES.items():
        for place in places.split():
            yield Mutation(block, f"{place} +5 %", scaled(place, PERCENT))
    for block in DEVICES:
        yield Mutation(block, "corner ss", SS)
    for block, source in WHOLE.items():
        yield Mutation(block, f"{source} 2 % low", scaled(source, SUPPLY))
    yield from _special()


def harmless(block: str) -> Iterator[Mutation]:
    """Changes that are none. Gear's rule errs 8/3 times as much as the trapezoidal one, by 2/9 and
    1/12 of the step's cube times the third derivative, so that it takes a quarter of the step.
    """
    for what, option in (("KLU", "klu"), ("reltol 1e-6", "reltol=1e-6")):
        yield Mutation(block, what, _with(option), harmless=True)
    yield Mutation(block, "Gear, largest step / 4", _gear, harmless=True)
    yield Mutation(block, "largest step / 2", _halved, harmless=True)


def _with(option: str) -> Edit:
    return replaced(r"^\.save ", f".options {option}\n.save ")


def _gear(text: str) -> str:
    return _with("method=gear")(_halved(_halved(text)))


def _halved(text: str) -> str:
    if not is_transient(text):
        raise NotThereError("no steps")
    return halved(text)
