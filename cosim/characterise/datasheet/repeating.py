"""One point of a datasheet alone: the same value to the last bit, and its traces to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosim.characterise.datasheet.file import Datasheet
from cosim.characterise.datasheet.measuring import (
    Outcome,
    measure_task,
    run_analysis,
    wanted_analyses,
)
from cosim.characterise.datasheet.tasks import Task
from cosim.engine.isolated import isolated
from cosim.errors import ConfigurationError, CosimError
from cosim.simulation.analysis import Answer
from cosim.simulation.output import write_answer


@dataclass(frozen=True)
class Repeated:
    """What a point gave this time.

    Attributes:
        differing: parameters whose value has other bits than that of the journal, by name: then
            and now.
        files: traces (of transients) and tables of its analyses.
    """

    outcome: Outcome
    differing: dict[str, tuple[float, float | None]]
    files: tuple[Path, ...]


def find_task(tasks: Sequence[Task], key: str) -> Task:
    """The task of a key, or of its beginning.

    Raises:
        ConfigurationError: there is none, or several.
    """
    found = [task for task in tasks if task.key.startswith(key)]
    if len(found) != 1:
        raise ConfigurationError(
            f"{len(found)} points of the datasheet have the key '{key}'. Keys are in the list of "
            "what fails and in its CSV file; a change of the circuit, the benches, the process or "
            "ngspice gives others, and what was measured before is not repeated with them."
        )
    return found[0]


def repeat(sheet: Datasheet, task: Task, known: Mapping[str, float], folder: Path) -> Repeated:
    """Run a task in a process of its own, and keep its traces.

    Args:
        known: what it gave before, by parameter.
    """
    outcome, answers = isolated(_again, sheet, task, folder, closed=sheet.closed)
    differing = {
        name: (value, outcome.values.get(name))
        for name, value in known.items()
        if name in task.parameters and outcome.values.get(name) != value
    }
    for path, answer in answers.items():
        if answer is not None:
            write_answer(answer, path)
    return Repeated(outcome, differing, tuple(answers))


def _again(sheet: Datasheet, task: Task, folder: Path) -> tuple[Outcome, dict[Path, Answer | None]]:
    """What a task gives, and its analyses' answers by file; None where that is written."""
    outcome = measure_task(sheet, task)
    answers: dict[Path, Answer | None] = {}
    for analysis in wanted_analyses(sheet, task) if not sheet.benches[task.bench].block else ():
        try:
            recorded = run_analysis(sheet, task, analysis, folder)
        except CosimError:
            continue  # its error is in the outcome
        if recorded.trace is not None:
            answers[recorded.trace] = None
            continue
        words = f".{recorded.line}".lower().split()
        path = folder / f"{analysis}{'.h5' if words[0] == '.tran' else '.csv'}"
        answers[path] = Answer(
            recorded.netlist, words, recorded.vectors, recorded.measures, recorded.trusted
        )
    return outcome, answers
