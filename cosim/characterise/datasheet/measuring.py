"""Measures a bench at a point, in a process that may hold ngspice."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from cosim.characterise.datasheet.circuit import (
    analysis_line,
    bench_netlist,
    circuit_text,
    code_of,
)
from cosim.characterise.datasheet.file import Bench, Datasheet, Parameter
from cosim.characterise.datasheet.response import RESPONSE_MEASUREMENTS, Signals, Vector
from cosim.characterise.datasheet.tasks import Task
from cosim.errors import ConfigurationError, CosimError, MeasurementError
from cosim.netlist.circuit import Netlist
from cosim.netlist.trust import trusting
from cosim.netlist.writing import written
from cosim.trace.measure_named import measure_named
from cosim.trace.table import Table

NOISE = {
    "onoise_spectrum": "output",
    "inoise_spectrum": "input",
    "onoise_total": "total_output",
    "inoise_total": "total_input",
}
ABSCISSAE = {"time": "s", "frequency": "Hz", "v-sweep": "V", "i-sweep": "A", "temp-sweep": "degC"}
BETWEEN = "between="


@dataclass(frozen=True)
class Outcome:
    """What a task gave: for each parameter a value, or why there is none.

    Attributes:
        second: how long it took.
    """

    key: str
    values: dict[str, float] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    second: float = 0.0


@dataclass(frozen=True)
class Recorded:
    """An analysis as it was run.

    Attributes:
        netlist: its text with the analysis.
        line: the analysis, without its dot.
        vectors: ngspice's, by its names; empty where a trace holds them.
        measures: of `.meas`, by name.
        trusted: a sentence for each file that ngspice read as it is.
        trace: of a lockstep analysis, its file.
    """

    netlist: str
    line: str
    signals: Signals
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    measures: dict[str, float] = field(default_factory=dict)
    trusted: tuple[str, ...] = ()
    trace: Path | None = None


def measure_task(sheet: Datasheet, task: Task) -> Outcome:
    """Run a task. What goes wrong is in the outcome."""
    started = time.perf_counter()
    bench = sheet.benches[task.bench]
    found: dict[str, float] = {}
    faults: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="cosim-") as folder:
        try:
            if bench.block:
                from cosim.characterise.datasheet.blocks import measure_block

                found = measure_block(sheet, bench, task)
            else:
                found, faults = _of_circuit(sheet, bench, task, Path(folder))
        except CosimError as error:
            faults = dict.fromkeys(task.parameters, str(error))
    for name, value in list(found.items()):
        if not np.isfinite(value):
            faults[name] = f"It is {found.pop(name)}, which is no result."
    return Outcome(task.key, found, faults, time.perf_counter() - started)


def _of_circuit(
    sheet: Datasheet, bench: Bench, task: Task, folder: Path
) -> tuple[dict[str, float], dict[str, str]]:
    """Values and faults of a bench's analyses."""
    values: dict[str, float] = {}
    faults: dict[str, str] = {}
    for analysis, names in wanted_analyses(sheet, task).items():
        try:
            recorded = run_analysis(sheet, task, analysis, folder)
        except CosimError as error:
            faults |= dict.fromkeys(names, str(error))
            continue
        for name in names:
            try:
                values[name] = measured(sheet, name, recorded)
            except (MeasurementError, ConfigurationError) as error:
                faults[name] = str(error)
    return values, faults


def wanted_analyses(sheet: Datasheet, task: Task) -> dict[str, list[str]]:
    """The analyses that a task needs, in the bench's order, and the parameters of each."""
    names: dict[str, list[str]] = {name: [] for name in sheet.benches[task.bench].analyses}
    for name in task.parameters:
        names[sheet.analysis_name(sheet.parameters[name])].append(name)
    return {analysis: found for analysis, found in names.items() if found}


def run_analysis(sheet: Datasheet, task: Task, analysis: str, folder: Path) -> Recorded:
    """Run an analysis of a task's bench; that of a circuit whose operating point is not confirmed
    is an error.

    Raises:
        CosimError: it cannot be run, or its answer cannot be trusted.
    """
    bench = sheet.benches[task.bench]
    line = analysis_line(bench.analyses[analysis], task.point)
    netlist = bench_netlist(sheet, bench, circuit_text(sheet), task.point)
    kind, *rest = line.split()
    if kind.lower() == "lockstep":
        return _lockstep(sheet, bench, netlist, line, rest, folder)
    with trusting(sheet.trusted):
        return _solved(sheet, task, analysis, netlist, line)


def _solved(sheet: Datasheet, task: Task, analysis: str, netlist: Netlist, line: str) -> Recorded:
    from cosim.engine.session import NgspiceSession

    _confirm(netlist.circuit, netlist.path)
    session = NgspiceSession.start()
    kind = line.split()[0].lower()
    measures = [
        f".meas {kind} {name} {sheet.parameters[name].meas}"
        for name in wanted_analyses(sheet, task)[analysis]
        if sheet.parameters[name].meas
    ]
    asked = [netlist.circuit.rstrip(), *measures, f".{line}", ".end", ""]
    text = written("\n".join(asked), netlist.path)
    vectors = session.analyse(text)
    return Recorded(
        text, line, signals_of(netlist, vectors), vectors, dict(session.measures),
        netlist.trust_notes,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _confirm(circuit: str, path: Path) -> None:
    """Confirm a bench's operating point, once for all its analyses."""
    from cosim.engine.session import NgspiceSession

    NgspiceSession.start().operating_point(circuit, path=path)


def signals_of(netlist: Netlist, vectors: Mapping[str, np.ndarray]) -> Signals:
    """An analysis' vectors under the names of the front door."""
    names = {vector: name for name, vector in netlist.currents.items()} | NOISE
    scale = next((name for name in ABSCISSAE if name in vectors), None)
    found = {
        names.get(vector, vector): Vector(values, "A" if vector.endswith("#branch") else "V")
        for vector, values in vectors.items()
        if vector != scale and len(values)
    }
    return Signals(found, np.zeros(1) if scale is None else np.real(vectors[scale]))


def _lockstep(
    sheet: Datasheet, bench: Bench, netlist: Netlist, line: str, rest: list[str], folder: Path
) -> Recorded:
    """With the blocks that the bench's function returns, recorded into a trace."""
    from cosim.simulation.simulate import simulate

    if not 1 <= len(rest) <= 2:
        raise ConfigurationError(f"'{line}' is no lockstep analysis: write lockstep STOP MAX_STEP.")
    path = folder / "lockstep.h5"
    trace = simulate(
        netlist,
        code_of(sheet, bench.blocks)(),  # type: ignore[operator]
        stop=rest[0],
        max_step=rest[1] if rest[1:] else None,
        to=path,
        overwrite=True,
        progress=False,
    )
    with trace:
        found = {name: Vector(trace[name].values, trace[name].unit) for name in trace.names}
        times = np.asarray(trace[trace.names[0]].time_second)
    return Recorded(netlist.circuit, line, Signals(found, times), trace=path)


def measured(sheet: Datasheet, name: str, recorded: Recorded) -> float:
    """A parameter's value in the unit of its limits.

    Raises:
        MeasurementError: what is asked for does not happen.
        ConfigurationError: it is asked for in a way that cannot be.
    """
    parameter = sheet.parameters[name]
    if parameter.meas:
        value = recorded.measures[name.lower()]
    elif parameter.function:
        value = _by_function(sheet, parameter, recorded.signals)
    else:
        value = _by_name(parameter.measure, recorded.signals)
    return float(parameter.scale * value)


def _by_function(sheet: Datasheet, parameter: Parameter, signals: Signals) -> float:
    try:
        return float(cast(Any, code_of(sheet, parameter.function))(signals))
    except CosimError:
        raise
    except Exception as error:
        raise MeasurementError(
            f"The function {parameter.function} failed: {type(error).__name__}: {error}"
        ) from error


def _by_name(asked: str, signals: Signals) -> float:
    """`SIGNAL MEASUREMENT=ARGUMENTS between=FIRST,LAST`; a single point's value by SIGNAL alone."""
    name, *words = asked.split()
    if words and words[-1].startswith(BETWEEN):
        first, _, last = words.pop().removeprefix(BETWEEN).partition(",")
        signals = Signals(signals.vectors, signals.abscissa, (first, last))
    if not words:
        values = signals[name].values
        if len(values) != 1:
            raise ConfigurationError(
                f"'{name}' has {len(values)} points: say what is measured of it, such as "
                f"`{name} max`."
            )
        return float(values[0])
    if len(words) > 1:
        raise ConfigurationError(
            f"'{asked}' is no measurement: write `SIGNAL MEASUREMENT=ARGUMENTS`, and after it "
            "`between=FIRST,LAST` where it is of a part."
        )
    if words[0] in RESPONSE_MEASUREMENTS:
        return float(signals.response(name, words[0]))
    return float(measure_named(cast(Table, signals), name, words[0]))
