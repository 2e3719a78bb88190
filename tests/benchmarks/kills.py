"""Rough days in numbers: kills runs at every moment, starts pairs in one folder, and writes
`results/kills.md`: `python -m tests.benchmarks.kills [JOBS]`.

What is looked for: records that are lost, orphans after 2 s, bits that differ from those of an
undisturbed run, and tracebacks. A line of the table is what was done and how often it went well;
what did not is named below it. Each attempt is kept in `results/runs/kills.jsonl` as it ends: the
same command goes on; remove that file to begin anew.
"""

import itertools
import json
import os
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from tests.simulation.killing import (
    MOMENTS,
    ROOT,
    RUN_JOB,
    SWEEP_JOB,
    VICTIMS,
    kill_and_resume,
    pair,
    undisturbed,
)

RESULT, JOURNAL = ROOT / "results/kills.md", ROOT / "results/runs/kills.jsonl"
JOBS = {"cosim.sweep of 3": SWEEP_JOB, "cosim run circle --samples 3": RUN_JOB}
APART_SECOND = (0.0, 0.1, 0.3, 0.7, 1.0, 1.5, 2.0)
REPEATS = {"cosim.sweep of 3": 2, "cosim run circle --samples 3": 1}


Attempt = Callable[[Path], None]


@dataclass(frozen=True)
class Outcome:
    """What was done, the how many-th time, why it did not go well, and the machine's load then
    (processes that run or wait, over a minute).
    """

    what: str
    number: int
    fault: str
    load: float


class Journal:
    """Outcomes on disk, as they come."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        lines = path.read_text(encoding="utf8").splitlines()
        self.outcomes = [Outcome(**json.loads(line)) for line in lines]
        self._done = {(one.what, one.number) for one in self.outcomes}

    def attempt(self, what: str, number: int, attempt: Attempt) -> None:
        """Do it, if it has not been done, in a folder of its own."""
        if (what, number) in self._done:
            return
        load, fault = os.getloadavg()[0], ""
        with tempfile.TemporaryDirectory() as folder:
            try:
                attempt(Path(folder))
            except Exception:
                fault = traceback.format_exc(limit=-2)
        outcome = Outcome(what, number, fault, load)
        print(what, fault, sep="\n", flush=True)
        with self._lock, self._path.open("a", encoding="utf8") as file:
            self.outcomes.append(outcome)
            file.write(json.dumps(asdict(outcome)) + "\n")


def main() -> None:
    """Do all, and write the table."""
    expected = {name: undisturbed(job) for name, job in JOBS.items()}
    work: list[tuple[str, int, Attempt]] = []
    for name, job in JOBS.items():
        for victim, moment, repeat in itertools.product(VICTIMS, MOMENTS, range(REPEATS[name])):
            draw = random.Random(f"{name} {victim} {moment} {repeat}")
            work.append(
                (
                    f"| {name} | kill of {victim} | {moment} |",
                    repeat,
                    lambda folder, job=job, victim=victim, moment=moment, draw=draw, name=name: (
                        kill_and_resume(job, folder, victim, moment, draw, expected[name])
                    ),
                )
            )
    name = next(iter(JOBS))
    for how, apart in itertools.product(("new", "resume", "force"), APART_SECOND):
        work.append(
            (
                f"| {name} | two at once, {how} | {apart:g} s apart |",
                0,
                lambda folder, how=how, apart=apart: pair(
                    JOBS[name], folder, how, apart, expected[name]
                ),
            )
        )
    journal = Journal(JOURNAL)
    with ThreadPoolExecutor(int(sys.argv[1]) if sys.argv[1:] else 1) as pool:
        list(pool.map(lambda one: journal.attempt(*one), work))
    RESULT.write_text(report([what for what, _, _ in work], journal.outcomes), encoding="utf8")


def report(order: Sequence[str], outcomes: Sequence[Outcome]) -> str:
    """The table.

    Args:
        order: of its lines.
    """
    done = Counter(one.what for one in outcomes)
    good = Counter(one.what for one in outcomes if not one.fault)
    kills = sum("kill of" in one.what for one in outcomes)
    loads = [one.load for one in outcomes]
    faults = [one for one in outcomes if one.fault]
    return "\n".join(
        [
            "# Kills and pairs",
            "",
            f"{kills} kills and {len(outcomes) - kills} pairs of runs in one folder, by `python -m "
            "tests.benchmarks.kills`. Went well: nothing recorded was lost, no process was left "
            "2 s later, no file stayed behind, and after `--resume` every column is that of an "
            f"undisturbed run, bit for bit. {good.total()} of {len(outcomes)} went well.",
            "",
            f"On {os.cpu_count()} cores at a load of {min(loads):.1f} to {max(loads):.1f}.",
            "",
            "| job | what | when | went well |",
            "|---|---|---|---|",
            *(f"{what} {good[what]} of {done[what]} |" for what in dict.fromkeys(order)),
            "",
            *(["## What did not go well", ""] if faults else []),
            *(f"- {one.what.strip('| ')}: `{_last_line(one.fault)}`" for one in faults),
        ]
    ) + "\n" * bool(faults)


def _last_line(fault: str) -> str:
    return fault.strip().splitlines()[-1].replace("`", "'")[:200]


if __name__ == "__main__":
    main()
