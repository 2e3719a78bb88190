"""Puts each block on its test bench, at a condition."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cosim.characterise.block_bench import TestBench
from cosim.characterise.cell import CellSpecBench
from cosim.characterise.crossbar import CrossbarSheet
from cosim.characterise.dac import DacBench
from cosim.characterise.decoder import DecoderBench
from cosim.characterise.integrator import IntegratorBench
from cosim.characterise.multiplier import MultiplierBench
from cosim.characterise.noise import NoiseBench
from cosim.characterise.opamp import OpAmpBench
from cosim.characterise.relu import ReluBench
from cosim.characterise.sheet import Condition
from cosim.characterise.transimpedance import (
    COMMON_VOLT,
    LINE_SIEMENS,
    TransimpedanceBench,
)
from cosim.characterise.voltage_reference import VoltageReferenceBench
from cosim.circuits.analog_switch import AnalogSwitchSpec, analog_switch
from cosim.circuits.cell_1t1r import Cell1T1R, Simulator
from cosim.circuits.crossbar import ProgrammedConductance
from cosim.circuits.dac import DacSpec, dac
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.integrator import Integrator, IntegratorSpec
from cosim.circuits.multiplier import MultiplierSpec, multiplier
from cosim.circuits.opamp import OpAmpSpec, find_topology, op_amp
from cosim.circuits.relu import DiodeRelu, ReluSpec, relu
from cosim.circuits.rram import ReadOnlyCell, load_card
from cosim.circuits.transimpedance import (
    COLUMN_OP_AMP,
    FIRST_SWING_VOLT,
    IdealTransimpedance,
    OpAmpTransimpedance,
    column_spec,
    stage_units,
)
from cosim.circuits.voltage_reference import VoltageReferenceSpec
from cosim.engine.library import find_library, probe
from cosim.process.process import Process

TRANSIMPEDANCE_OHM = 28e3
"""Of the ring's second layer."""


class NotRun:
    """Stands for the simulator where only the netlist is asked for."""

    def load(self, netlist: str) -> None:
        raise NotImplementedError

    def set_source(self, name: str, volt: float) -> None:
        raise NotImplementedError

    def analyse(self, netlist: str) -> dict[str, np.ndarray]:
        raise NotImplementedError


def op_amp_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """The op-amp at its specification for the supply."""
    spec = OpAmpSpec(supply_volt=condition.supply_volt)
    return OpAmpBench(op_amp(condition.fidelity, spec, process), process, spec, simulator.analyse)


def topology_bench(
    name: str, condition: Condition, process: Process, simulator: Simulator
) -> TestBench:
    """An op-amp of a topology, with the load that it is made for."""
    topology = find_topology(name)
    spec = replace(topology.SPEC, supply_volt=condition.supply_volt)
    device = topology.build(f"op_amp_{Path(name).stem}", spec, process)
    return OpAmpBench(device, process, spec, simulator.analyse, topology.LOAD_OHM)


def relu_diode_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """The ReLU made of diodes."""
    block = DiodeRelu("relu_diode", ReluSpec.of_supply(condition.supply_volt), process)
    return ReluBench(block, process, condition.supply_volt, simulator.analyse)


def relu_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """The ReLU."""
    block = relu(condition.fidelity, ReluSpec.of_supply(condition.supply_volt), process)
    return ReluBench(block, process, condition.supply_volt, simulator.analyse)


def multiplier_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """The multiplier of gain -1."""
    spec = MultiplierSpec.of_supply(condition.supply_volt)
    block = multiplier(condition.fidelity, -1.0, spec, process)
    return MultiplierBench(block, process, condition.supply_volt, simulator.analyse)


def transimpedance_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """The transimpedance stage of the ring's second layer."""
    supply = condition.supply_volt
    if condition.fidelity is Fidelity.IDEAL:
        stage = IdealTransimpedance("transimpedance", TRANSIMPEDANCE_OHM)
    else:
        fidelity, real = condition.fidelity, condition.fidelity is Fidelity.TRANSISTOR
        first = FIRST_SWING_VOLT / (2 * COMMON_VOLT * LINE_SIEMENS)
        specs = {"op_amp_column": replace(COLUMN_OP_AMP, supply_volt=supply)}
        if real:
            needed = stage_units(TRANSIMPEDANCE_OHM, first, LINE_SIEMENS)
            specs = {f"op_amp_column_{units}": column_spec(units, supply) for units in needed}
        op_amps = [op_amp(fidelity, spec, process, name) for name, spec in specs.items()]
        stage = OpAmpTransimpedance(
            "transimpedance", TRANSIMPEDANCE_OHM, first, (op_amps[0], op_amps[-1]),
            line_siemens=LINE_SIEMENS if real else 0.0,
        )  # fmt: skip
        for device in op_amps:
            stage.subcircuit(device)
    return TransimpedanceBench(stage, process, supply, simulator.analyse)


def integrator_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """The integrator with its op-amp and its switches."""
    supply, amplifier = condition.supply_volt, OpAmpSpec(supply_volt=condition.supply_volt)
    spec = IntegratorSpec.of_op_amp(amplifier.gbw_hertz)
    block = Integrator(
        "integrator",
        spec,
        op_amp(condition.fidelity, amplifier, process),
        analog_switch(condition.fidelity, AnalogSwitchSpec(supply_volt=supply), process),
    )
    return IntegratorBench(block, spec.c_int_farad, process, supply, simulator.analyse)


def cell_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """The 1T1R cell."""
    return CellSpecBench(load_card(), process, simulator)


def crossbar_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """Crossbars of several sizes; solved by KLU where ngspice has it."""
    klu = not isinstance(simulator, NotRun) and probe(find_library()).klu
    if condition.fidelity.needs_process:
        return CrossbarSheet(
            Cell1T1R(ReadOnlyCell("programmed"), process.ACCESS), process, simulator, klu
        )
    return CrossbarSheet(ProgrammedConductance(), None, simulator, klu)


def decoder_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """The decoder of the word lines, with the cells that it selects."""
    return DecoderBench(load_card(), process, simulator.analyse)


def dac_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """The DAC."""
    spec = DacSpec.of_supply(condition.supply_volt)
    block = dac(condition.fidelity, spec, process)
    return DacBench(block, spec, process, condition.supply_volt, simulator.analyse)


def voltage_reference_bench(
    condition: Condition, process: Process, simulator: Simulator
) -> TestBench:
    """The analog ground's source."""
    supply = condition.supply_volt
    spec = VoltageReferenceSpec.of_supply(supply)
    return VoltageReferenceBench(condition.fidelity, spec, process, supply, simulator.analyse)


def noise_bench(condition: Condition, process: Process, simulator: Simulator) -> TestBench:
    """The noise sources."""
    return NoiseBench(simulator.analyse)
