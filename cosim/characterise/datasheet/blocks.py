"""Benches of a datasheet that are bench classes of `cosim bench`.

A module of its own: our blocks take most of a second to import, which datasheets of other circuits
need not spend in each of their processes.
"""

from pathlib import Path

from cosim.characterise.benches import find_bench
from cosim.characterise.datasheet.file import Bench, Datasheet
from cosim.characterise.datasheet.tasks import Point, Task
from cosim.characterise.sheet import Condition
from cosim.characterise.sheets import bench_netlists, measure
from cosim.circuits.fidelity import Fidelity
from cosim.errors import ConfigurationError

MODEL_FOLDER = Path("models")
"""Of the transistor models, wherever they are installed."""


def block_netlists(sheet: Datasheet, bench: Bench, point: Point) -> tuple[str, ...]:
    """Of a bench at a point, as ngspice gets them.

    Raises:
        ConfigurationError: there is no such bench, or not at that fidelity.
    """
    where = _condition(sheet, bench, point)
    return tuple(bench_netlists(bench.block, where, MODEL_FOLDER).values())


def measure_block(sheet: Datasheet, bench: Bench, task: Task) -> dict[str, float]:
    """The parameters of a task, by their names.

    Raises:
        ConfigurationError: there is no such bench, or it has no such measurement.
        CosimError: ngspice cannot run it.
    """
    values = measure(bench.block, _condition(sheet, bench, task.point, task.seed)).values
    asked = {name: sheet.parameters[name] for name in task.parameters}
    for name, parameter in asked.items():
        if parameter.measure not in values:
            raise ConfigurationError(
                f"Parameter '{name}': the bench '{bench.block}' has no '{parameter.measure}'. It "
                f"has {', '.join(values)}."
            )
    return {
        name: parameter.scale * float(values[parameter.measure])
        for name, parameter in asked.items()
    }


def _condition(sheet: Datasheet, bench: Bench, point: Point, seed: int | None = None) -> Condition:
    """Conditions are corner, temperature and supply."""
    known = find_bench(bench.block, bench.fidelity or None)
    return Condition(
        corner=str(point.get("corner", "typical")),
        temperature_celsius=float(point.get("temperature", 27.0)),
        supply_volt=float(point.get("supply", 3.3)),
        fidelity=Fidelity(bench.fidelity) if bench.fidelity else known.fidelities[-1],
        seed=seed,
        process=sheet.process or "gf180mcu",
    )
