"""Runs what a datasheet asks for, and keeps each outcome as it comes."""

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

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
    stop_at_failure: bool = False,
    timeout_second: float = TIMEOUT_SECOND,
    on_progress: Report = lambda done, of: None,
) -> dict[str, Outcome]:
    """Outcomes by key; those that the journal has are not run again, unless they failed.

    Args:
        stop_at_failure: run no more once a value is beyond a limit of severity `fail`.

    Raises:
        ConfigurationError: the journal cannot be used.
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
        crew = each_of_crew(partial(measure_task, sheet), left, jobs, timeout_second)
        with closing(crew):
            for task, result in crew:
                if isinstance(result, EngineError):
                    result = Outcome(task.key, {}, dict.fromkeys(task.parameters, str(result)))
                journal.add(result)
                known[task.key] = result
                on_progress(len(known), len(tasks))
                if stop_at_failure and beyond(sheet, task, result):
                    break
    return known
