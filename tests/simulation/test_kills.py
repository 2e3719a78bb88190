"""Rough days: runs that are killed anywhere and resumed, and two at once in one folder, end with
the bits of an undisturbed run; no process and no file stays behind.

Here a sample; many by `python -m tests.benchmarks.kills`, whose table is `results/kills.md`.
"""

import random
from pathlib import Path

import numpy as np
import pytest

from tests.simulation.killing import SWEEP_JOB, kill_and_resume, pair, undisturbed

SAMPLE = [("parent", "inside"), ("worker", "before the first")]


@pytest.fixture(scope="module")
def expected() -> list[dict[str, np.ndarray]]:
    return undisturbed(SWEEP_JOB)


@pytest.mark.parametrize(("victim", "moment"), SAMPLE)
def test_a_killed_sweep_is_resumed_to_the_bit(
    victim: str, moment: str, tmp_path: Path, expected: list[dict[str, np.ndarray]]
) -> None:
    draw = random.Random(1)
    kill_and_resume(SWEEP_JOB, tmp_path, victim, moment, draw, expected)


def test_of_two_sweeps_in_one_folder_one_is_refused(
    tmp_path: Path, expected: list[dict[str, np.ndarray]]
) -> None:
    pair(SWEEP_JOB, tmp_path, "force", 0.0, expected)
