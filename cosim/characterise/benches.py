"""Spec sheets: a block's bench at chosen corners, temperatures and supply, as table and figure."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cosim.characterise.bench import Measured
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
from cosim.characterise.cell import CellSpecBench
from cosim.characterise.crossbar import SIZES, CrossbarSheet
from cosim.characterise.dac import DacBench
from cosim.characterise.decoder import DecoderBench
from cosim.characterise.device_figures import (
    draw_decoder,
    draw_levels,
    draw_loops,
    draw_products,
    draw_programming,
)
from cosim.characterise.integrator import INPUT_OHM, RAMP_VOLT, IntegratorBench
from cosim.characterise.multiplier import MultiplierBench
from cosim.characterise.noise import HOLD_SECOND, RMS_VOLT, NoiseBench, density
from cosim.characterise.opamp import OpAmpBench
from cosim.characterise.relu import ReluBench
from cosim.characterise.sheet import Column, Condition, Sheet
from cosim.characterise.transimpedance import (
    COMMON_VOLT,
    LINE_SIEMENS,
    TransimpedanceBench,
)
from cosim.characterise.voltage_reference import VoltageReferenceBench
from cosim.circuits.analog_switch import AnalogSwitchSpec, analog_switch
from cosim.circuits.cell_1t1r import SET, Cell1T1R, Simulator, WriteVerify
from cosim.circuits.crossbar import ProgrammedConductance
from cosim.circuits.dac import DacSpec, dac
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.integrator import Integrator, IntegratorSpec
from cosim.circuits.multiplier import MultiplierSpec, multiplier
from cosim.circuits.opamp import TOPOLOGIES, OpAmpSpec, find_topology, op_amp
from cosim.circuits.relu import DiodeRelu, ReluSpec, relu
from cosim.circuits.rram import ReadOnlyCell, load_card
from cosim.circuits.transimpedance import (
    COLUMN_OP_AMP,
    FIRST_SWING_VOLT,
    IdealTransimpedance,
    OpAmpTransimpedance,
)
from cosim.circuits.voltage_reference import VoltageReferenceSpec
from cosim.engine.isolated import each_isolated
from cosim.engine.library import find_library, probe
from cosim.errors import ConfigurationError
from cosim.plugins import Registry, is_file
from cosim.process.process import Process, find_process

TEMPERATURES_CELSIUS = (-40.0, 27.0, 125.0)

TRANSIMPEDANCE_OHM = 28e3
"""Of the ring's second layer."""


class TestBench(Protocol):
    """A block with its surroundings."""

    @property
    def netlist(self) -> str:
        """Its main analysis, ready for ngspice."""

    @property
    def sisters(self) -> dict[str, str]:
        """Further ones by name, for what the main one does not show."""

    def measure(self) -> Measured:
        """The spec sheet."""


@dataclass(frozen=True)
class BlockBench:
    """How a block is measured and shown.

    Attributes:
        build: the test bench at a condition.
        columns: what the table shows.
        design: what the design promises at a supply, by the same names.
        figures: drawers by file name.
        fidelities: at which the bench makes sense.
    """

    build: Callable[[Condition, Process, Simulator], TestBench]
    columns: Sequence[Column]
    design: Callable[[float], dict[str, float]]
    figures: Mapping[str, Callable[[Sequence[Sheet], Path], None]]
    fidelities: tuple[Fidelity, ...] = tuple(Fidelity)


def _op_amp(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    spec = OpAmpSpec(supply_volt=condition.supply_volt)
    return OpAmpBench(op_amp(condition.fidelity, spec, process), process, spec, simulator.analyse)


def _topology(name: str, condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    topology = find_topology(name)
    spec = replace(topology.SPEC, supply_volt=condition.supply_volt)
    device = topology.build(f"op_amp_{Path(name).stem}", spec, process)
    return OpAmpBench(device, process, spec, simulator.analyse, topology.LOAD_OHM)


def _relu_diode(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    block = DiodeRelu("relu_diode", ReluSpec.of_supply(condition.supply_volt), process)
    return ReluBench(block, process, condition.supply_volt, simulator.analyse)


def _relu(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    block = relu(condition.fidelity, ReluSpec.of_supply(condition.supply_volt), process)
    return ReluBench(block, process, condition.supply_volt, simulator.analyse)


def _multiplier(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    spec = MultiplierSpec.of_supply(condition.supply_volt)
    block = multiplier(condition.fidelity, -1.0, spec, process)
    return MultiplierBench(block, process, condition.supply_volt, simulator.analyse)


def _transimpedance(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    supply = condition.supply_volt
    if condition.fidelity is Fidelity.IDEAL:
        stage = IdealTransimpedance("transimpedance", TRANSIMPEDANCE_OHM)
    else:
        spec = replace(COLUMN_OP_AMP, supply_volt=supply)
        device = op_amp(condition.fidelity, spec, process, "op_amp_column")
        first = FIRST_SWING_VOLT / (2 * COMMON_VOLT * LINE_SIEMENS)
        stage = OpAmpTransimpedance("transimpedance", TRANSIMPEDANCE_OHM, first, device)
        stage.subcircuit(device)
    return TransimpedanceBench(stage, process, supply, simulator.analyse)


def _integrator(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    supply, spec = condition.supply_volt, IntegratorSpec()
    block = Integrator(
        "integrator",
        spec,
        op_amp(condition.fidelity, OpAmpSpec(supply_volt=supply), process),
        analog_switch(condition.fidelity, AnalogSwitchSpec(supply_volt=supply), process),
    )
    return IntegratorBench(block, spec.c_int_farad, process, supply, simulator.analyse)


def _cell(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    return CellSpecBench(load_card(), process, simulator)


def _crossbar(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    klu = not isinstance(simulator, _NotRun) and probe(find_library()).klu
    if condition.fidelity.needs_process:
        return CrossbarSheet(
            Cell1T1R(ReadOnlyCell("programmed"), process.ACCESS), process, simulator, klu
        )
    return CrossbarSheet(ProgrammedConductance(), None, simulator, klu)


def _decoder(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    return DecoderBench(load_card(), process, simulator.analyse)


def _dac(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    spec = DacSpec.of_supply(condition.supply_volt)
    block = dac(condition.fidelity, spec, process)
    return DacBench(block, spec, process, condition.supply_volt, simulator.analyse)


def _voltage_reference(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    supply = condition.supply_volt
    spec = VoltageReferenceSpec.of_supply(supply)
    return VoltageReferenceBench(condition.fidelity, spec, process, supply, simulator.analyse)


def _noise(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    return NoiseBench(simulator.analyse)


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
        partial(_topology, name),
        OP_AMP_COLUMNS,
        lambda supply: topology.design_values(replace(topology.SPEC, supply_volt=supply)),
        {f"{stem}_bode": draw_bode, f"{stem}_step": draw_steps},
        (Fidelity.TRANSISTOR,),
    )


BENCHES: Mapping[str, BlockBench] = {
    "opamp": BlockBench(
        _op_amp,
        OP_AMP_COLUMNS,
        lambda supply: find_topology("miller").design_values(OpAmpSpec(supply_volt=supply)),
        {"opamp_bode": draw_bode, "opamp_step": draw_steps},
        (Fidelity.MACRO, Fidelity.TRANSISTOR),
    ),
    "folded_cascode": op_amp_bench("folded_cascode"),
    "integrator": BlockBench(
        _integrator,
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
        _relu,
        RELU_COLUMNS,
        lambda supply: {"bandwidth_hertz": ReluSpec().op_amp.gbw_hertz},
        {"relu_transfer": draw_relu},
    ),
    "relu_diode": BlockBench(
        _relu_diode,
        RELU_COLUMNS,
        lambda supply: {},
        {"relu_diode_transfer": draw_relu},
        (Fidelity.TRANSISTOR,),
    ),
    "multiplier": BlockBench(
        _multiplier,
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
        _transimpedance,
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
        lambda supply: {"transimpedance_ohm": TRANSIMPEDANCE_OHM},
        {"transimpedance_transfer": draw_transimpedance},
    ),
    "dac": BlockBench(
        _dac,
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
        _voltage_reference,
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
        _noise,
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
        _cell,
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
        _crossbar,
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
        _decoder,
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
        raise TypeError(f"{found!r} is no cosim.characterise.benches.BlockBench")
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


def conditions(
    process: str,
    corners: Sequence[str],
    temperatures_celsius: Sequence[float],
    supply_volt: float,
    fidelity: Fidelity,
) -> list[Condition]:
    """Every corner at every temperature, of no corner named: all of the process's.

    Raises:
        ConfigurationError: an unknown process or corner, before anything is run.
    """
    known = find_process(process)
    return [
        Condition(known(corner).corner, temperature, supply_volt, fidelity, process=process)
        for corner, temperature in itertools.product(corners or known.CORNERS, temperatures_celsius)
    ]


def monte_carlo_conditions(
    process: str,
    draws: int,
    temperatures_celsius: Sequence[float],
    supply_volt: float,
    fidelity: Fidelity,
) -> list[Condition]:
    """Draws of global variation and mismatch around the typical corner, seeds 1, 2, ...

    Raises:
        ConfigurationError: an unknown process.
    """
    return [
        Condition("typical", temperature, supply_volt, fidelity, seed, find_process(process).NAME)
        for temperature, seed in itertools.product(temperatures_celsius, range(1, draws + 1))
    ]


def measure(block: str, condition: Condition) -> Sheet:
    """A block's sheet at one condition; uses this process's ngspice."""
    from cosim.engine.session import NgspiceSession

    bench = find_bench(block).build(condition, _process(condition), NgspiceSession.start())
    return Sheet(condition, bench.measure())


def bench_netlists(
    block: str, condition: Condition, model_folder: Path | None = None
) -> dict[str, str]:
    """The netlists of a block's bench, ready for plain `ngspice -b`: the main one by the block's
    name, its sisters as `block_sister`.

    Args:
        model_folder: of the transistor models, as the netlist names it.
    """
    bench = find_bench(block).build(condition, _process(condition, model_folder), _NotRun())
    return {block: bench.netlist} | {
        f"{block}_{name}": text for name, text in bench.sisters.items()
    }


def _process(condition: Condition, model_folder: Path | None = None) -> Process:
    return find_process(condition.process)(
        condition.corner, condition.temperature_celsius, condition.seed, model_folder
    )


class _NotRun:
    """Stands for the simulator where only the netlist is asked for."""

    def load(self, netlist: str) -> None:
        raise NotImplementedError

    def set_source(self, name: str, volt: float) -> None:
        raise NotImplementedError

    def analyse(self, netlist: str) -> dict[str, np.ndarray]:
        raise NotImplementedError


def sheets(block: str, where: Sequence[Condition], jobs: int) -> Iterator[Sheet]:
    """A sheet for each condition, as they are measured."""
    return each_isolated(partial(measure, block), where, jobs)
