"""The benches there are: what the table of each block shows, and what its design promises."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cosim.characterise import builders as build
from cosim.characterise.block_bench import BlockBench
from cosim.characterise.block_figures import (
    draw_bode,
    draw_dac,
    draw_integrator,
    draw_multiplier,
    draw_noise,
    draw_reference,
    draw_relu,
    draw_steps,
    draw_transimpedance,
)
from cosim.characterise.crossbar import SIZES
from cosim.characterise.device_figures import (
    draw_decoder,
    draw_levels,
    draw_loops,
    draw_products,
    draw_programming,
)
from cosim.characterise.integrator import INPUT_OHM, RAMP_VOLT
from cosim.characterise.noise import HOLD_SECOND, RMS_VOLT, density
from cosim.characterise.sheet import Column
from cosim.circuits.cell_1t1r import SET, WriteVerify
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.integrator import IntegratorSpec
from cosim.circuits.opamp import TOPOLOGIES, OpAmpSpec, find_topology
from cosim.circuits.relu import ReluSpec
from cosim.errors import ConfigurationError
from cosim.plugins import Registry, is_file

SUPPLY = Column("supply_ampere", "supply", "A")

OP_AMP_COLUMNS = (
    Column("dc_gain_decibel", "gain", "dB"),
    Column("gbw_hertz", "GBW", "Hz"),
    Column("phase_margin_degree", "margin", "deg"),
    Column("slew_rise_volt_per_second", "slew up", "V/s"),
    Column("slew_fall_volt_per_second", "slew down", "V/s"),
    Column("settling_second", "settle 0.1 %", "s"),
    Column("output_low_volt", "out low", "V"),
    Column("output_high_volt", "out high", "V"),
    Column("input_low_volt", "in low", "V"),
    Column("input_high_volt", "in high", "V"),
    Column("offset_volt", "offset", "V"),
    Column("cmrr_decibel", "CMRR", "dB"),
    Column("psrr_decibel", "PSRR", "dB"),
    Column("input_noise_volt_per_root_hertz", "noise/rtHz", "V"),
    SUPPLY,
)

RELU_COLUMNS = (
    Column("transfer_error_volt", "error", "V"),
    Column("knee_error_volt", "error at knee", "V"),
    Column("bandwidth_hertz", "bandwidth", "Hz"),
    Column("feed_through_decibel", "feed-through", "dB"),
    Column("turn_on_second", "turn on 1 %", "s"),
    Column("undershoot_volt", "undershoot", "V"),
    SUPPLY,
)


def op_amp_bench(name: str) -> BlockBench:
    """The bench of a topology of the op-amp.

    Raises:
        ConfigurationError: there is none of that name.
    """
    topology, stem = find_topology(name), Path(name).stem
    return BlockBench(
        partial(build.topology_bench, name),
        OP_AMP_COLUMNS,
        lambda supply: topology.design_values(replace(topology.SPEC, supply_volt=supply)),
        {f"{stem}_bode": draw_bode, f"{stem}_step": draw_steps},
        (Fidelity.TRANSISTOR,),
    )


BENCHES: Mapping[str, BlockBench] = {
    "opamp": BlockBench(
        build.op_amp_bench,
        OP_AMP_COLUMNS,
        lambda supply: find_topology("miller").design_values(OpAmpSpec(supply_volt=supply)),
        {"opamp_bode": draw_bode, "opamp_step": draw_steps},
        (Fidelity.MACRO, Fidelity.TRANSISTOR),
    ),
    "folded_cascode": op_amp_bench("folded_cascode"),
    "integrator": BlockBench(
        build.integrator_bench,
        (
            Column("time_constant_second", "R C", "s"),
            Column("nonlinearity", "nonlinearity", "%"),
            Column("initial_error_volt", "initial error", "V"),
            Column("handover_error_volt", "handover", "V"),
            Column("leak_volt_per_second", "leak", "V/s"),
            Column("bode_error", "Bode error", "%"),
        ),
        lambda supply: {"time_constant_second": INPUT_OHM * IntegratorSpec().c_int_farad},
        {"integrator_waveform": partial(draw_integrator, drive_volt=RAMP_VOLT)},
    ),
    "relu": BlockBench(
        build.relu_bench,
        RELU_COLUMNS,
        lambda supply: {"bandwidth_hertz": ReluSpec().op_amp.gbw_hertz},
        {"relu_transfer": draw_relu},
    ),
    "relu_diode": BlockBench(
        build.relu_diode_bench,
        RELU_COLUMNS,
        lambda supply: {},
        {"relu_diode_transfer": draw_relu},
        (Fidelity.TRANSISTOR,),
    ),
    "multiplier": BlockBench(
        build.multiplier_bench,
        (
            Column("gain_per_volt", "gain, 1/V", ""),
            Column("nonlinearity", "nonlinearity", "%"),
            Column("offset_volt", "offset", "V"),
            Column("bandwidth_a_hertz", "bandwidth a", "Hz"),
            Column("bandwidth_b_hertz", "bandwidth b", "Hz"),
            Column("feed_through_a_decibel", "feed a", "dB"),
            Column("feed_through_b_decibel", "feed b", "dB"),
            SUPPLY,
        ),
        lambda supply: {"gain_per_volt": -1.0},
        {"multiplier_transfer": draw_multiplier},
    ),
    "transimpedance": BlockBench(
        build.transimpedance_bench,
        (
            Column("transimpedance_ohm", "R", "ohm"),
            Column("offset_volt", "offset", "V"),
            Column("nonlinearity", "nonlinearity", "%"),
            Column("bandwidth_plus_hertz", "bandwidth +", "Hz"),
            Column("bandwidth_minus_hertz", "bandwidth -", "Hz"),
            Column("peaking_decibel", "peaking", "dB"),
            Column("common_mode_rejection_decibel", "CMRR", "dB"),
            SUPPLY,
        ),
        lambda supply: {"transimpedance_ohm": build.TRANSIMPEDANCE_OHM},
        {"transimpedance_transfer": draw_transimpedance},
    ),
    "dac": BlockBench(
        build.dac_bench,
        (
            Column("offset_volt", "offset", "V"),
            Column("gain_error", "gain error", "%"),
            Column("integral_lsb", "INL, LSB", ""),
            Column("differential_lsb", "DNL, LSB", ""),
            Column("settling_second", "settle 0.1 %", "s"),
            Column("glitch_volt_second", "carry glitch", "Vs"),
            SUPPLY,
        ),
        lambda supply: {},
        {"dac_transfer": draw_dac},
    ),
    "voltage_reference": BlockBench(
        build.voltage_reference_bench,
        (
            Column("out_volt", "output, V", ""),
            Column("line_volt_per_volt", "line", "%"),
            Column("load_ohm", "output R", "ohm"),
            Column("psrr_decibel", "PSRR 1 kHz", "dB"),
            Column("start_up_second", "start-up 1 %", "s"),
            SUPPLY,
        ),
        lambda supply: {"out_volt": supply / 2},
        {"voltage_reference": draw_reference},
    ),
    "noise": BlockBench(
        build.noise_bench,
        (
            Column("rms_volt", "rms", "V"),
            Column("density_volt_per_root_hertz", "density/rtHz", "V"),
            Column("wiener_slope", "Wiener variance / expected", ""),
            Column("excess_kurtosis", "excess kurtosis", ""),
            Column("successive_correlation", "corr. in time", ""),
            Column("largest_correlation", "corr. of sources", ""),
        ),
        lambda supply: {
            "rms_volt": RMS_VOLT,
            "density_volt_per_root_hertz": density(RMS_VOLT, HOLD_SECOND),
            "wiener_slope": 1.0,
            "excess_kurtosis": 0.0,
        },
        {"noise": draw_noise},
        (Fidelity.IDEAL,),
    ),
    "cell": BlockBench(
        build.cell_bench,
        (
            Column("set_current_ampere", "SET current", "A"),
            Column("on_off_ratio", "on/off", ""),
            Column("programming_yield", "yield", "%"),
            Column("largest_error_siemens", "error", "S"),
            Column("mean_pulses", "pulses", ""),
            Column("read_noise", "read noise", "%"),
            Column("disturb_second", "1 % disturb", "s"),
        ),
        lambda supply: {"largest_error_siemens": WriteVerify().tolerance_siemens},
        {"cell_iv": draw_loops, "cell_levels": draw_levels, "programming": draw_programming},
        (Fidelity.TRANSISTOR,),
    ),
    "crossbar": BlockBench(
        build.crossbar_bench,
        (
            Column("error_ideal_lines", "error, no wires", "%"),
            *(Column(f"error_{size}", f"{size} x {size}", "%") for size in SIZES),
            Column("worst_drop", f"IR drop {SIZES[-1]}", "%"),
            Column("settling_second", "settle 0.1 %", "s"),
        ),
        lambda supply: {},
        {"mvm_accuracy": draw_products},
        (Fidelity.IDEAL, Fidelity.TRANSISTOR),
    ),
    "decoder": BlockBench(
        build.decoder_bench,
        (
            Column("selected_volt", "selected", "V"),
            Column("unselected_volt", "not selected", "V"),
            Column("rise_second", "rise", "s"),
            Column("fall_second", "fall", "s"),
            Column("written_nanometre", "SET, nm", ""),
            Column("disturbed_nanometre", "others, nm", ""),
            Column("rest_ampere", "supply at rest", "A"),
        ),
        lambda supply: {"selected_volt": SET.word_volt},
        {"decoder": draw_decoder},
        (Fidelity.TRANSISTOR,),
    ),
}


def _accepted(found: Any) -> BlockBench:
    if not isinstance(found, BlockBench):
        raise TypeError(f"{found!r} is no cosim.characterise.block_bench.BlockBench")
    return found


REGISTRY = Registry("bench", "cosim.benches", _accepted, BENCHES)


def _bench(block: str) -> BlockBench:
    """A topology of the op-amp, built in or not, has the op-amp's bench."""
    if block in TOPOLOGIES.names and block not in REGISTRY.names:
        return op_amp_bench(block)
    if is_file(block) and TOPOLOGIES.defined_in(Path(block)):
        return op_amp_bench(block)
    return REGISTRY.find(block)


def find_bench(block: str, fidelity: str | None = None) -> BlockBench:
    """The bench of a block: built in, of an entry point in the group `cosim.benches`, or of a
    Python file that sets `bench`, or `op_amp` to a topology.

    Args:
        fidelity: at which it must exist.

    Raises:
        ConfigurationError: there is none, or not at that fidelity.
    """
    bench = _bench(block)
    if fidelity is not None and fidelity not in bench.fidelities:
        raise ConfigurationError(
            f"There is no bench for '{block}' at fidelity '{fidelity}'. Choose one of "
            f"{', '.join(bench.fidelities)}."
        )
    return bench
