"""A simulation at many points: of parameters, corners, temperatures, seeds and blocks."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from quantiphy import Quantity

from cosim.engine.ensemble import Executor
from cosim.engine.worker import WorkerPool
from cosim.errors import CosimError, EngineError
from cosim.html import heading, table
from cosim.lockstep.findings import DOUBTS
from cosim.lockstep.scheme import Scheme
from cosim.netlist.circuit import Netlist
from cosim.simulation.plan import Plan
from cosim.simulation.points import Blocks, Point, Points, Value, description, variants
from cosim.simulation.predecessor import Resume, is_done
from cosim.simulation.recording import Watching, record_ensemble
from cosim.simulation.second_run import UNCONFIRMED, second_opinion
from cosim.simulation.showing import shown
from cosim.simulation.simulate import TIMEOUT_SECOND, trace_path
from cosim.trace import Provenance, Trace

if TYPE_CHECKING:
    import xarray as xr

Measure = Callable[[Trace], float]


class Sweep:
    """What a sweep found.

    Attributes:
        trace: an ensemble; `sweep[3]` is the trace of point 3.
        points: what was swept over, by name.
        measured: values of each measure [points]; None where there is none.
        faults: why a point has no result, or one of its measures none, by the point's number.
        doubts: what there is to be said against a point's result, by the point's number.
    """

    def __init__(self, trace: Trace, points: Points, measure: Mapping[str, Measure]) -> None:
        """For `sweep`."""
        self.trace = trace
        self.points = points.points
        self.faults: dict[int, str] = {}
        self.doubts: dict[int, str] = {}
        self.measured: dict[str, list[float | None]] = {name: [] for name in measure}
        self._axes = points.axes
        failures = {event.member: event.message for event in trace.events if event.kind == "failed"}
        for event in trace.events:
            if event.kind in DOUBTS | {UNCONFIRMED}:
                before = self.doubts.get(event.member)
                said = event.message
                self.doubts[event.member] = said if before is None else f"{before} {said}"
        for number in range(len(self.points)):
            status = trace.member_statuses[number]
            if status != "complete":
                self.faults[number] = f"{status}: {failures.get(number, 'not simulated')}"
            for name, function in measure.items():
                self.measured[name].append(self._measure(number, name, function))

    def _measure(self, number: int, name: str, function: Measure) -> float | None:
        if self.trace.member_statuses[number] != "complete":
            return None
        try:
            return function(self[number])
        except CosimError as error:
            before = self.faults.get(number)
            self.faults[number] = f"{before + '; ' if before else ''}{name}: {error}"
            return None

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, number: int) -> Trace:
        """The trace of a point."""
        return self.trace.member(range(len(self))[number])

    @property
    def statuses(self) -> list[str]:
        """How each point ended: 'complete', 'failed', or 'not measured'."""
        return [
            "not measured" if status == "complete" and number in self.faults else status
            for number, status in enumerate(self.trace.member_statuses)
        ]

    def check(self) -> "Sweep":
        """This sweep, if every point has every result.

        Raises:
            EngineError: some have none; it names them.
        """
        if self.faults:
            raise EngineError(self._listed("have no result", self.faults))
        return self

    def warn(self) -> None:
        """Warn (`UserWarning`) of points without a result, and of results that are in doubt."""
        for what, why in (("have no result", self.faults), ("are in doubt", self.doubts)):
            if why:
                warnings.warn(self._listed(what, why), stacklevel=3)

    def _listed(self, what: str, why: Mapping[int, str]) -> str:
        shown = [
            f"point {number} ({description(self.points[number])}): {said}"
            for number, said in list(why.items())[:5]
        ]
        more = len(why) - len(shown)
        return (
            f"{len(why)} of {len(self)} points of the sweep {what}: "
            f"{' | '.join(shown)}{f' | and {more} more' if more else ''}"
        )

    def to_xarray(self) -> "xr.Dataset":
        """Measures along the names of the grid, or along 'point' for a list; NaN where there is no
        result, and 'status' and 'fault' say why; 'doubt' is what there is to be said against one.
        """
        import xarray as xr

        shape = [len(values) for values in self._axes.values()] or [len(self)]
        dims = list(self._axes) or ["point"]
        coordinates = {
            name: self._axes.get(name) or ("point", [point[name] for point in self.points])
            for name in self.points[0]
        }
        columns = {}
        for name, values in self.measured.items():
            numbers = np.array([np.nan if one is None else float(one) for one in values])
            units = {one.units for one in values if isinstance(one, Quantity)}
            attributes = {"units": units.pop()} if len(units) == 1 else {}
            columns[name] = (dims, numbers.reshape(shape), attributes)
        for name, texts in (
            ("status", self.statuses),
            *(
                (name, [why.get(n, "") for n in range(len(self))])
                for name, why in self._said.items()
            ),
        ):
            columns[name] = (dims, np.array(texts, dtype=object).reshape(shape), {})
        return xr.Dataset(columns, coords=coordinates)

    def __repr__(self) -> str:
        rows: list[list[object]] = [[*self._columns], *self._rows]
        lines = [" ".join(map(str, row)) for row in rows]
        return "\n".join([f"<Sweep: {self._summary}>", *lines])

    def _repr_html_(self) -> str:
        return heading("Sweep", self._summary) + table(self._columns, self._rows)

    @property
    def _summary(self) -> str:
        doubtful = f", {len(self.doubts)} in doubt" if self.doubts else ""
        return (
            f"{len(self)} points, {len(self.faults)} without all results{doubtful}; "
            f"{self.trace.path}"
        )

    @property
    def _said(self) -> dict[str, dict[int, str]]:
        return {"fault": self.faults, "doubt": self.doubts}

    @property
    def _columns(self) -> list[str]:
        said = [name for name, why in self._said.items() if why]
        return [*self.points[0], *self.measured, "status", *said]

    @property
    def _rows(self) -> list[list[object]]:
        return [
            [
                *point.values(),
                *(_shown(values[number]) for values in self.measured.values()),
                self.statuses[number],
                *(why.get(number, "") for why in self._said.values() if why),
            ]
            for number, point in enumerate(self.points)
        ]


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return value.render() if isinstance(value, Quantity) else f"{value:.6g}"


def sweep(
    netlist: Netlist,
    over: Mapping[str, Sequence[Value]] | Sequence[Mapping[str, Value]],
    blocks: Blocks = (),
    *,
    stop: float | str,
    measure: Mapping[str, Measure] | None = None,
    max_step: float | str | None = None,
    record: Sequence[str] | None = None,
    to: str | Path | None = None,
    scheme: str | type[Scheme] = "linearised",
    coupling_tolerance: float | str | None = None,
    confirm: bool | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    timeout: float = TIMEOUT_SECOND,
) -> Sweep:
    """Simulate a netlist at many points, record them in one trace, and measure each.

    A point that fails is run once more; if it fails again the others go on, and it is in the
    result with its error: a warning says so, and `Sweep.check()` makes it an error. A point whose
    result is in doubt is warned of, too (`Sweep.doubts`).

    Args:
        over: a grid, {name: values}; or a list of points, each {name: value}. Names are those of
            the netlist's `.param` lines, 'corner', 'temperature' (Celsius), 'seed' (Monte Carlo),
            and what `blocks` takes.
        blocks: as of `simulate`; or a function that returns them, of some of the names.
        measure: functions of a point's trace by name, such as
            {"overshoot": lambda trace: trace["out"].overshoot()}.
        confirm: as of `simulate`; one point after another, so that it costs most of all here.
        jobs: ngspice processes on this machine.
        scheduler: address of a Dask scheduler, whose workers are taken instead.
        resume: go on with the unfinished sweep of the same points that is in `to`; what is
            complete there is not simulated again.

    The other arguments, and what is raised before anything is simulated, are those of `simulate`.
    """
    points = Points.of(over)
    plans = [
        Plan.of(variant, driving, stop, max_step, record, scheme, coupling_tolerance)
        for variant, driving in variants(netlist, blocks, points)
    ]
    path = trace_path(to)
    made = {id(block): block for plan in plans for block in plan.blocks}.values()
    facts = {"points": points.points, "fingerprints": [block.fingerprint() for block in made]}
    provenance = plans[0].provenance(facts, _seeds(points.points))
    if not (resume and path.exists() and is_done(path, provenance)):
        with WorkerPool(1, timeout) as again:  # which starts when it is asked
            _record(
                plans,
                points,
                path,
                provenance,
                _executor(min(jobs, len(plans)), scheduler, timeout),
                partial(second_opinion, plans, confirm, lambda: nullcontext(again)),
                resume=resume and path.exists(),
                overwrite=overwrite,
                progress=progress,
            )
    found = Sweep(Trace.open(path), points, measure or {})
    found.warn()
    return found


def _record(
    plans: Sequence[Plan],
    points: Points,
    path: Path,
    provenance: Provenance,
    executor: Executor,
    monitor: Watching,
    *,
    resume: bool,
    overwrite: bool,
    progress: bool,
) -> None:
    with shown(progress, f"sweep of {len(plans)} points") as on_progress, executor:
        try:
            record_ensemble(
                (plan.simulation(number) for number, plan in enumerate(plans)),
                path,
                signals=plans[0].signals,
                provenance=provenance,
                executor=executor,
                members=len(plans),
                notes={n: description(point) for n, point in enumerate(points.points)},
                told=list(dict.fromkeys(note for one in plans for note in one.netlist.trust_notes)),
                overwrite=overwrite,
                resume=Resume() if resume else None,
                monitor=monitor,
                on_progress=on_progress,
            )
        except EngineError:
            with Trace.open(path) as trace:
                if "failed" not in trace.member_statuses:
                    raise  # not of a point: there is no ngspice, say


def _executor(jobs: int, scheduler: str | None, timeout_second: float) -> Executor:
    if scheduler is None:
        return WorkerPool(jobs, timeout_second)
    from cosim.engine.cluster import ClusterPool  # needs a package of the extra `cluster`

    return ClusterPool(scheduler, timeout_second)


def _seeds(points: Sequence[Point]) -> dict[str, int]:
    return {f"point_{n}": int(one["seed"]) for n, one in enumerate(points) if "seed" in one}
