"""Spec sheets: a block's bench at chosen corners, temperatures and supply, as table and figure."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.circuits.fidelity import Fidelity
from cosim.circuits.opamp import OpAmpSpec, op_amp
from cosim.circuits.opamp_bench import OpAmpBench, OpAmpMeasured
from cosim.circuits.process import GF180MCU
from cosim.engine.isolated import each_isolated

TEMPERATURES_CELSIUS = (-40.0, 27.0, 125.0)
SMALL_STEP_VOLT, LARGE_STEP_VOLT, STEP_SECOND = 0.05, 0.8, 1.5e-6


@dataclass(frozen=True)
class Condition:
    """Where a block is measured."""

    corner: str
    temperature_celsius: float
    supply_volt: float
    fidelity: Fidelity


@dataclass(frozen=True)
class OpAmpSheet:
    """Measured values, and the curves behind them: (frequency, gain), (time, output) twice."""

    condition: Condition
    measured: OpAmpMeasured
    open_loop: tuple[np.ndarray, np.ndarray]
    small_step: tuple[np.ndarray, np.ndarray]
    large_step: tuple[np.ndarray, np.ndarray]


def conditions(
    corners: Sequence[str],
    temperatures_celsius: Sequence[float],
    supply_volt: float,
    fidelity: Fidelity,
) -> list[Condition]:
    """Every corner at every temperature; refuses an unknown corner before anything is run."""
    return [
        Condition(
            GF180MCU(corner, temperature).corner, temperature, supply_volt, Fidelity(fidelity)
        )
        for corner, temperature in itertools.product(corners, temperatures_celsius)
    ]


def measure_op_amp(condition: Condition) -> OpAmpSheet:
    """The op-amp's sheet at one condition; uses this process's ngspice."""
    from cosim.engine.session import NgspiceSession

    process = GF180MCU(condition.corner, condition.temperature_celsius)
    spec = OpAmpSpec(supply_volt=condition.supply_volt)
    device = op_amp(condition.fidelity, spec, process)
    bench = OpAmpBench(device, process, spec, NgspiceSession.start().analyse)
    return OpAmpSheet(
        condition,
        bench.measure(),
        bench.open_loop(),
        bench.step(SMALL_STEP_VOLT, STEP_SECOND),
        bench.step(LARGE_STEP_VOLT, STEP_SECOND),
    )


def op_amp_sheets(where: Sequence[Condition], jobs: int) -> Iterator[OpAmpSheet]:
    """A sheet for each condition, as they are measured."""
    return each_isolated(measure_op_amp, where, jobs)
