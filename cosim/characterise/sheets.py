"""Spec sheets: a block's bench at chosen corners, temperatures and supply."""

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from cosim.characterise.benches import find_bench
from cosim.characterise.builders import NotRun
from cosim.characterise.sheet import Condition, Sheet
from cosim.circuits.fidelity import Fidelity
from cosim.engine.isolated import each_isolated
from cosim.process.process import Process, find_process

TEMPERATURES_CELSIUS = (-40.0, 27.0, 125.0)


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
    bench = find_bench(block).build(condition, _process(condition, model_folder), NotRun())
    return {block: bench.netlist} | {
        f"{block}_{name}": text for name, text in bench.sisters.items()
    }


def _process(condition: Condition, model_folder: Path | None = None) -> Process:
    return find_process(condition.process)(
        condition.corner, condition.temperature_celsius, condition.seed, model_folder
    )


def sheets(block: str, where: Sequence[Condition], jobs: int) -> Iterator[Sheet]:
    """A sheet for each condition, as they are measured."""
    return each_isolated(partial(measure, block), where, jobs)
