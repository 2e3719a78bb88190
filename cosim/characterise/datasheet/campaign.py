"""Runs what a datasheet asks for, and keeps each outcome as it comes."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from cosim.characterise.datasheet.circuit import software
from cosim.characterise.datasheet.crew import each_of_crew
from cosim.characterise.datasheet.file import Datasheet
from cosim.characterise.datasheet.journal import Journal
from cosim.characterise.datasheet.judging import beyond
from cosim.characterise.datasheet.measuring import Outcome, measure_task
from cosim.characterise.datasheet.tasks import Task
from cosim.errors import EngineError

TIMEOUT_SECOND = 300.0

Report = Callable[[int, int], None]
"""Told how many tasks are done, of how many."""


def run_tasks(
    sheet: Datasheet,
    tasks: Sequence[Task],
    journal_path: Path,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    stop_at_failure: bool = False,
    timeout_second: float = TIMEOUT_SECOND,
    on_progress: Report = lambda done, of: None,
) -> dict[str, Outcome]:
    """Outcomes by key; those that the journal has are not run again, unless they failed.

    Args:
        jobs: processes here.
        scheduler: of a Dask cluster, which runs them instead.
        stop_at_failure: run no more once a value is beyond a limit of severity `fail`.

    Raises:
        ConfigurationError: the journal or the cluster cannot be used.
        KeyboardInterrupt: Ctrl-C; what was run is in the journal.
    """
    wanted = {task.key: task for task in tasks}
    with Journal.open(journal_path) as journal:
        known = {
            key: outcome
            for key, outcome in journal.outcomes.items()
            if key in wanted and set(wanted[key].parameters) <= set(outcome.values)
        }
        left = [task for task in tasks if task.key not in known]
        on_progress(len(known), len(tasks))
        failed = any(beyond(sheet, wanted[key], outcome) for key, outcome in known.items())
        if stop_at_failure and failed:
            return known
        with closing(_crew(sheet, left, jobs, scheduler, timeout_second)) as crew:
            for task, result in crew:
                if isinstance(result, EngineError):
                    result = Outcome(task.key, {}, dict.fromkeys(task.parameters, str(result)))
                journal.add(result)
                known[task.key] = result
                on_progress(len(known), len(tasks))
                if stop_at_failure and beyond(sheet, task, result):
                    break
    return known


def _crew(
    sheet: Datasheet, left: Sequence[Task], jobs: int, scheduler: str | None, timeout_second: float
) -> Generator[tuple[Task, Outcome | EngineError]]:
    measure = partial(measure_task, sheet)
    if scheduler is None:
        return each_of_crew(measure, left, jobs, timeout_second, closed=sheet.closed)
    from cosim.characterise.datasheet.on_cluster import each_on_cluster

    here = partial(software, sheet)
    return each_on_cluster(measure, left, scheduler, timeout_second, here, closed=sheet.closed)
