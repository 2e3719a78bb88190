"""A run, end to end: its plan is simulated, recorded by the framework's recorder, and reported."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cosim.diffusion.config import (
    EngineConfig,
    LimitsConfig,
    RunConfig,
    merge,
    parse,
    run_values,
    without_code,
)
from cosim.diffusion.plan import Plan
from cosim.diffusion.problem import Problem
from cosim.diffusion.report import Outcome, report
from cosim.diffusion.verdict import Judge
from cosim.engine.ensemble import Executor
from cosim.engine.library import find_library, probe
from cosim.engine.worker import GIBI, Simulation, WorkerPool
from cosim.errors import ModelError
from cosim.files import alone, make_folder
from cosim.lockstep.block import Block
from cosim.lockstep.exchange_client import through_files
from cosim.simulation.predecessor import Resume
from cosim.simulation.recording import Progress, record_ensemble, unheard
from cosim.simulation.start import FILE_NAME, Starts
from cosim.trace import Provenance, Trace

RUNS = Path("results/runs")


def default_output(config: RunConfig) -> Path:
    """Where a run goes unless told otherwise: a folder of its own."""
    member = config.ensemble.member
    return RUNS / (config.name if member is None else f"{config.name}_member_{member}")


@dataclass(frozen=True)
class Run:
    """One configured run.

    Attributes:
        model_folder: of the transistor models as the netlist names them; None where they are
            installed.
    """

    config: RunConfig
    model_folder: Path | None = None

    @classmethod
    def from_toml(cls, path: str | Path, overrides: dict[str, object] | None = None) -> "Run":
        """Read a run file; `overrides` are nested tables put over it.

        Raises:
            ConfigurationError: it does not describe a run.
        """
        path = Path(path)
        values = run_values(path)
        return cls(parse(merge(values, overrides or {}), f"The run file {path}"))

    @classmethod
    def from_trace(cls, trace: Trace) -> "Run":
        """The run that left a trace, by its provenance.

        Raises:
            ConfigurationError: it was no run of this program, or of another version; or it names a
                Python file, which no trace may have run.
        """
        return cls(parse(_values(trace), str(trace.path)))

    @cached_property
    def plan(self) -> Plan:
        """Its netlists, blocks and members."""
        return Plan(self.config, self.model_folder)

    @property
    def problem(self) -> Problem:
        """What it solves, in numbers alone."""
        return self.plan.problem

    def execute(
        self,
        folder: Path | None = None,
        *,
        overwrite: bool = False,
        resume: bool = False,
        inside: bool = False,
        on_progress: Progress = unheard,
    ) -> Outcome:
        """Simulate every member, record the trace, draw the figures, write the netlist.

        Args:
            folder: made if it is not there; `default_output` if not given.
            overwrite: replace a run that is in the folder.
            resume: go on with what is in the folder: complete members are kept, others simulated
                from their beginning, figures and netlist drawn.
            inside: of a resumed run, unfinished members go on from their last points, and differ a
                little from those of an uninterrupted run.
            on_progress: called often.

        Raises:
            ConfigurationError, ModelError, NetlistError, TraceError: before anything is run.
            EngineError: members failed; what they recorded before is in the trace.
            LimitError: members are beyond what `[limits]` allow; all is simulated and written.
            KeyboardInterrupt: after the trace has been finished as 'interrupted'.
        """
        folder, plan = folder or default_output(self.config), self.plan
        plan.check()
        provenance = self.provenance()
        make_folder(folder)
        with alone(folder / "trace.h5"):
            return self._execute(folder, provenance, overwrite, resume, inside, on_progress)

    def _execute(
        self,
        folder: Path,
        provenance: Provenance,
        overwrite: bool,
        resume: bool,
        inside: bool,
        on_progress: Progress,
    ) -> Outcome:
        plan, trace = self.plan, folder / "trace.h5"
        going_on = Resume(plan.continued if inside else None, same_run)
        starts = Starts(
            folder / FILE_NAME,
            self.config.engine.start_timeout_second,
            lambda doing: on_progress(0.0, doing),
        )
        simulations: Iterable[Simulation] = plan.simulations(starts)
        judge = Judge(plan)
        served = self.config.coupling.exchange == "file"
        if served:
            patience_second = self.config.engine.server_timeout_second
            simulations = (
                replace(
                    one,
                    blocks=tuple(
                        through_files(block, one.scheme, folder, patience_second)
                        for block in one.blocks
                    ),
                )
                for one in simulations
            )
        with executor(self.config, plan.members) as workers:
            members = record_ensemble(
                simulations,
                trace,
                signals=plan.netlist.signals,
                provenance=provenance,
                executor=workers,
                members=plan.members if plan.members > 1 else None,
                notes=plan.notes,
                retry=not served,  # a server answers one attempt: there is no second one
                overwrite=overwrite,
                resume=going_on if resume and trace.exists() else None,
                monitor=judge,
                on_progress=on_progress,
            )
        on_progress(1.0, "reference and figures")
        return report(judge, folder, members)

    def provenance(self) -> Provenance:
        """What determines it."""
        card = self.problem.model_card
        return Provenance.collect(
            configuration_toml=self.config.to_toml(),
            netlist=str(self.plan.netlist),
            seeds={"ensemble": self.config.ensemble.seed, "training": card.seed},
            ngspice_version=str(probe(find_library()).version),
            model_sha256=card.sha256,
        )


def run_values_of_trace(path: Path) -> dict[str, Any]:
    """What a run file would say of the run that left a trace.

    Raises:
        TraceError: it cannot be read.
        ConfigurationError: as `Run.from_trace`.
    """
    with Trace.open(path) as trace:
        return _values(trace)


def _values(trace: Trace) -> dict[str, Any]:
    values = tomllib.loads(trace.provenance.configuration_toml)
    return without_code(values, str(trace.path), folder=None)


def same_run(before: Provenance, now: Provenance) -> bool:
    """Whether one run may go on with the other's trace: all is equal but how it is computed, and
    judged.
    """
    first, second = (
        parse(tomllib.loads(one.configuration_toml), "The trace") for one in (before, now)
    )
    apart = {"engine": EngineConfig(), "limits": LimitsConfig()}
    return before.netlist == now.netlist and (
        first.model_copy(update=apart) == second.model_copy(update=apart)
    )


def executor(config: RunConfig, members: int) -> Executor:
    """The workers that a run asks for.

    Raises:
        ConfigurationError: there is no such cluster.
    """
    engine = config.engine
    memory_byte = None if engine.memory_gibibyte is None else engine.memory_gibibyte * GIBI
    timeout_second = engine.timeout_second
    if config.coupling.exchange == "file":
        timeout_second += 2 * engine.server_timeout_second  # to come, and to answer
    if engine.scheduler is None:
        return WorkerPool(
            min(engine.jobs, members), timeout_second, memory_byte, engine.start_timeout_second
        )
    from cosim.engine.cluster import ClusterPool  # needs a package of the extra `cluster`

    return ClusterPool(engine.scheduler, timeout_second, memory_byte, engine.start_timeout_second)


def served_block(folder: Path) -> Block:
    """What a run with `exchange = "file"` in this folder has in lockstep, to serve it.

    Raises:
        TraceError, ConfigurationError: its trace cannot be read, or is of another program.
        ModelError: the score model here is not the one of the run.
    """
    with Trace.open(folder / "trace.h5") as trace:
        run = Run.from_trace(trace)
        if run.problem.model_card.sha256 != trace.provenance.model_sha256:
            raise ModelError(
                f"The score model of task '{run.config.task}' here is not the one that "
                f"{trace.path} was begun with: their SHA-256 differ. Copy the model from there, "
                "or run again."
            )
    return run.plan.blocks[0]
