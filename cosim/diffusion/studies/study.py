"""Studies: figures that need solves. What is simulated is kept, so that they can be resumed."""

import csv
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cosim.diffusion.config import NO_LIMITS, merge, parse
from cosim.diffusion.run import Run
from cosim.engine.ensemble import Retried, run_ensemble
from cosim.engine.worker import Failed, Finished, Points, WorkerPool
from cosim.errors import EngineError, TraceError
from cosim.files import replacing
from cosim.report.figures import save_figure
from cosim.simulation.start import Starts
from cosim.trace import Trace

Tables = Mapping[str, Any]
TIMEOUT_SECOND = 600.0


@dataclass(frozen=True)
class Beside:
    """One number as the paper has it, and ours."""

    quantity: str
    paper: str
    ours: str
    why: str


@dataclass(frozen=True)
class Finding:
    """What a study found.

    Attributes:
        figure: drawn, not yet saved.
        rows: the data behind it, each with the same keys.
        caption: what it shows, with the conditions.
        beside: the paper's numbers and ours.
    """

    figure: Figure
    rows: Sequence[Mapping[str, object]]
    caption: str
    beside: Sequence[Beside] = ()

    def save(self, folder: Path, name: str) -> None:
        """Write NAME.csv, NAME.json (caption, comparison) and, last, NAME.png."""
        with replacing(folder / f"{name}.csv") as partial, partial.open("w", newline="") as file:
            table = csv.DictWriter(file, list(self.rows[0]))
            table.writeheader()
            table.writerows({key: _cell(value) for key, value in row.items()} for row in self.rows)
        said = {"caption": self.caption, "beside": [vars(one) for one in self.beside]}
        with replacing(folder / f"{name}.json") as partial:
            partial.write_text(json.dumps(said, indent=2) + "\n", encoding="utf8")
        save_figure(self.figure, folder / f"{name}.png")


def _cell(value: object) -> object:
    return f"{value:.7g}" if isinstance(value, float | np.floating) else value


@dataclass
class Workspace:
    """Where a study simulates, and how much.

    Attributes:
        folder: keeps traces and final states, by what determines them.
        quick: a tenth of the work, for a look.
        on_progress: told what is being done.
        starts: operating points of whole solvers; the last one is where the search for the next
            begins.
    """

    folder: Path
    jobs: int
    quick: bool
    on_progress: Callable[[str], None]
    starts: Starts = field(default_factory=Starts)

    def size(self, whole: int, quick: int) -> int:
        """How many of something."""
        return quick if self.quick else whole

    def run(self, name: str, tables: Tables) -> Run:
        """A run with defaults for studies under the given tables."""
        engine = {"jobs": self.jobs, "timeout_second": TIMEOUT_SECOND}
        defaults = {"name": name, "engine": engine, "limits": NO_LIMITS}
        return Run(parse(merge(defaults, dict(tables)), f"The study {name}"))

    def trace(self, name: str, tables: Tables) -> tuple[Run, Trace]:
        """A run and its trace, simulated unless it is there.

        Raises:
            CosimError: as `Run.execute`.
        """
        run, folder = self.run(name, tables), self.folder / name
        path, resume = folder / "trace.h5", False
        if path.exists() and (before := _same_run(path, run)) is not None:
            if before.complete:
                return run, before
            resume = True
            before.close()
        run.execute(
            folder, overwrite=not resume, resume=resume,
            on_progress=lambda part, doing: self.on_progress(f"{name}: {doing}"),
        )  # fmt: skip
        return run, Trace.open(path)

    def final_states(
        self, sweep: Mapping[str, Tables], paths: Mapping[str, Path] | None = None
    ) -> dict[str, np.ndarray]:
        """Final states [samples, states], in units of x, of many ensembles, by their names; kept
        at `paths`, or else in the folder, by what determines them.

        Raises:
            EngineError: a sample failed twice; what was simulated before is kept.
        """
        found = {}
        with WorkerPool(self.jobs, TIMEOUT_SECOND) as pool:
            for number, (name, tables) in enumerate(sweep.items()):
                self.on_progress(f"{name} ({number + 1} of {len(sweep)})")
                run = self.run(name, tables)
                path = paths[name] if paths else self.folder / f"{key_of(run)}.csv"
                found[name] = self._final_states(run, pool, name, path)
        return found

    def _final_states(self, run: Run, pool: WorkerPool, name: str, path: Path) -> np.ndarray:
        count = len(run.problem.initial_states)
        path.parent.mkdir(parents=True, exist_ok=True)
        known = _read_states(path)
        missing = (job for job in run.plan.simulations(self.starts) if job.member not in known)
        last: dict[int, np.ndarray] = {}
        with path.open("a", encoding="utf8") as file:
            for message in run_ensemble(pool, missing) if len(known) < count else ():
                if isinstance(message, Points):
                    last[message.member] = message.values[-1:]
                elif isinstance(message, Failed):
                    raise EngineError(f"Sample {message.member} of '{name}': {message.error}")
                elif isinstance(message, Finished):
                    state = run.plan.units(last.pop(message.member))[0]
                    known[message.member] = state
                    cells = ",".join(map(repr, state.tolist()))
                    print(f"{message.member},{cells}", file=file, flush=True)
                    self.on_progress(f"{name}: {len(known)} of {count}")
                elif isinstance(message, Retried):
                    self.on_progress(f"{name}: sample {message.member} is run again")
        return np.array([known[sample] for sample in range(count)])


def _read_states(path: Path) -> dict[int, np.ndarray]:
    """Final states by sample; a line that a kill has cut is left out."""
    if not path.exists():
        return {}
    whole = path.read_text(encoding="utf8")
    lines = whole[: whole.rfind("\n") + 1].splitlines()
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf8")
    rows = [line.split(",") for line in lines]
    return {int(row[0]): np.array(row[1:], dtype=float) for row in rows}


def _same_run(path: Path, run: Run) -> Trace | None:
    """The trace at a place, if it is of this very run."""
    try:
        trace = Trace.open(path)
    except TraceError:  # of an older version, or damaged: it is made again
        return None
    provenance = trace.provenance
    same = (provenance.configuration_toml, provenance.model_sha256) == (
        run.config.to_toml(),
        run.problem.model_card.sha256,
    )
    if same:
        return trace
    trace.close()
    return None


def key_of(run: Run) -> str:
    """Of what determines an ensemble's final states: not its name, its size, nor the processes."""
    said = run.config.model_dump(
        mode="json", exclude={"name": True, "engine": True, "limits": True, "ensemble": {"samples"}}
    )
    text = json.dumps([said, run.problem.model_card.sha256, str(run.plan.netlist)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Study:
    """A figure that needs solves.

    Attributes:
        about: one line.
        make: simulates and draws.
        kept: rests on samples that are committed, which would take hours from nothing; a quick look
            leaves it out unless it is named.
    """

    about: str
    make: Callable[[Workspace], Finding]
    kept: bool = False
