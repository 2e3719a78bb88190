"""Rough days in numbers: kills runs at every moment, starts pairs in one folder, and writes
`results/kills.md`: `python -m tests.benchmarks.kills [JOBS]`.

What is looked for: records that are lost, orphans after 2 s, bits that differ from those of an
undisturbed run, and tracebacks. A line of the table is what was done and how often it went well.
"""

import itertools
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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

RESULT = ROOT / "results/kills.md"
JOBS = {"cosim.sweep of 3": SWEEP_JOB, "cosim run circle --samples 3": RUN_JOB}
APART_SECOND = (0.0, 0.1, 0.3, 0.7, 1.0, 1.5, 2.0)
REPEATS = {"cosim.sweep of 3": 2, "cosim run circle --samples 3": 1}


def attempted(what: str, attempt: Callable[[Path], None]) -> tuple[str, str]:
    """What was done, and why it did not go well; in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            attempt(Path(folder))
        except Exception:
            return what, traceback.format_exc(limit=-2)
    return what, ""


def main() -> None:
    """Do all, and write the table."""
    expected = {name: undisturbed(job) for name, job in JOBS.items()}
    work: list[tuple[str, Callable[[Path], None]]] = []
    for name, job in JOBS.items():
        for victim, moment, repeat in itertools.product(VICTIMS, MOMENTS, range(REPEATS[name])):
            draw = random.Random(f"{name} {victim} {moment} {repeat}")
            work.append(
                (
                    f"| {name} | kill of {victim} | {moment} |",
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
                lambda folder, how=how, apart=apart: pair(
                    JOBS[name], folder, how, apart, expected[name]
                ),
            )
        )
    with ThreadPoolExecutor(int(sys.argv[1]) if sys.argv[1:] else 1) as pool:
        outcomes = list(pool.map(lambda one: attempted(*one), work))
    for what, fault in outcomes:
        if fault:
            print(what, fault, sep="\n")
    done, good = (
        Counter(what for what, _ in outcomes),
        Counter(w for w, fault in outcomes if not fault),
    )
    kills = sum("kill of" in what for what, _ in outcomes)
    lines = [
        "# Kills and pairs",
        "",
        f"{kills} kills and {len(outcomes) - kills} pairs of runs in one folder, by "
        "`python -m tests.benchmarks.kills`. Went well: nothing recorded was lost, no process was "
        "left 2 s later, no file stayed behind, and after `--resume` every column is that of an "
        f"undisturbed run, bit for bit. {sum(good.values())} of {len(outcomes)} went well.",
        "",
        "| job | what | when | went well |",
        "|---|---|---|---|",
        *(f"{what} {good[what]} of {count} |" for what, count in done.items()),
        "",
    ]
    RESULT.write_text("\n".join(lines), encoding="utf8")


if __name__ == "__main__":
    main()
