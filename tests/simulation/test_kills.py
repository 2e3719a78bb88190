"""Rough days: runs that are killed anywhere and resumed, and two at once in one folder, end with
the bits of an undisturbed run; no process and no file stays behind.

Here a sample; all by `pytest -m benchmark tests/simulation/test_kills.py`.
"""

import itertools
import random
from pathlib import Path

import pytest

from tests.simulation.killing import (
    MOMENTS,
    RUN_JOB,
    SWEEP_JOB,
    VICTIMS,
    Job,
    assert_is,
    kill_and_resume,
    run_two,
    undisturbed,
)

SAMPLE = [("parent", "inside"), ("worker", "before the first"), ("group", "between")]
KILLS = [*itertools.product(VICTIMS, MOMENTS)]
MANY = [
    *[("sweep", *kill, repeat) for repeat in range(2) for kill in KILLS],
    *[("run", *kill, 0) for kill in KILLS],
]
PAIRS = [*itertools.product(("new", "resume", "force"), (0.0, 0.1, 0.3, 0.7, 1.0, 1.5, 2.0))]
JOBS = {"sweep": SWEEP_JOB, "run": RUN_JOB}


@pytest.fixture(scope="module")
def expected() -> dict[str, list]:
    return {}


def _expected(expected: dict[str, list], name: str) -> list:
    if name not in expected:
        expected[name] = undisturbed(JOBS[name])
    return expected[name]


@pytest.mark.parametrize(("victim", "moment"), SAMPLE)
def test_a_killed_sweep_is_resumed_to_the_bit(
    victim: str, moment: str, tmp_path: Path, expected: dict[str, list]
) -> None:
    draw = random.Random(1)
    kill_and_resume(SWEEP_JOB, tmp_path, victim, moment, draw, _expected(expected, "sweep"))


def test_of_two_sweeps_in_one_folder_one_is_refused(
    tmp_path: Path, expected: dict[str, list]
) -> None:
    pair(SWEEP_JOB, tmp_path, "force", 0.0, _expected(expected, "sweep"))


def pair(job: Job, folder: Path, how: str, apart_second: float, expected: list) -> None:
    codes = run_two(job, folder, how, apart_second)
    said = (folder / "said").read_text()
    # Where the first had ended before the second came, a second `new` finds the trace.
    assert 0 in codes and set(codes) <= {0, 2, 5}, (codes, said)
    assert ("is being written by process" in said) == (2 in codes)
    assert "Traceback" not in said
    assert_is(folder / job.trace, expected)


@pytest.mark.benchmark
@pytest.mark.timeout(0)
@pytest.mark.parametrize(("job", "victim", "moment", "repeat"), MANY)
def test_many_kills(
    job: str, victim: str, moment: str, repeat: int, tmp_path: Path, expected: dict[str, list]
) -> None:
    draw = random.Random(f"{victim} {moment} {repeat}")
    kill_and_resume(JOBS[job], tmp_path, victim, moment, draw, _expected(expected, job))


@pytest.mark.benchmark
@pytest.mark.timeout(0)
@pytest.mark.parametrize(("how", "apart_second"), PAIRS)
def test_many_pairs(
    how: str, apart_second: float, tmp_path: Path, expected: dict[str, list]
) -> None:
    pair(SWEEP_JOB, tmp_path, how, apart_second, _expected(expected, "sweep"))
