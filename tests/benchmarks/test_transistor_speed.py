"""A sample of the whole solver of transistors against the commit before its operating points were
kept, one after the other in one run, by CPU time.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cosim.engine.library import find_library
from tests.benchmarks import transistor_sample
from tests.benchmarks.recording import record

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "9675356"
TIMES = {"ode": 12.0, "sde": 15.0}
LONGEST_SECOND = {"ode": 3.0, "sde": 10.0}
NUMERICAL_PERCENT = {"ode": 0.05, "sde": 0.5}
SAMPLES = {"ode": 2, "sde": 1}
"""Of a run; start of the process and reading of the netlist are shared out among them."""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commit before, beside this one."""
    folder = tmp_path_factory.mktemp("before")
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", BEFORE, "cosim", "models"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def sample(
    version: Path, folder: Path, equation: str, preset: str, samples: int = 1
) -> dict[str, float]:
    """A sample of a run by a version of cosim."""
    ran = subprocess.run(
        [
            sys.executable, transistor_sample.__file__, equation, preset, str(samples),
            str(folder / f"{equation}_points.json"), str(folder / f"{equation}_{preset}.npz"),
        ],
        env=os.environ | {
            "PYTHONPATH": str(version),
            "NGSPICE_LIBRARY_PATH": str(find_library().library_path),
            "OMP_NUM_THREADS": "1",
        },
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    measured: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return measured


def numerical_percent(folder: Path, equation: str) -> float:
    """Largest distance of the preset `standard` from `reference` over the solve, of the range."""
    standard, tight = (
        np.load(folder / f"{equation}_{preset}.npz") for preset in ("standard", "reference")
    )
    times = standard["time_second"], tight["time_second"]
    away = np.stack([np.interp(*times, state) for state in tight["states"].T], axis=1)
    away -= standard["states"]
    return float(100 * np.abs(away).max() / np.ptp(tight["states"]))


@pytest.mark.benchmark
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("equation", ["ode", "sde"])
def test_sample_of_the_whole_solver(equation: str, before: Path, tmp_path: Path) -> None:
    """Ratios are of CPU seconds; the load says what the seconds are worth."""
    sample(ROOT, tmp_path, equation, "standard")  # the operating point is found, files are read
    was = sample(before, tmp_path, equation, "none", SAMPLES[equation])
    now = sample(ROOT, tmp_path, equation, "standard", SAMPLES[equation])
    tight = sample(ROOT, tmp_path, equation, "reference")
    times = was["sample_cpu_second"] / now["sample_cpu_second"]
    percent = numerical_percent(tmp_path, equation)
    record(
        f"transistor_speed.{equation}",
        {
            "before": was,
            "now": now,
            "reference": tight,
            "times_faster": times,
            "numerical_error_percent_of_range": percent,
            "load": os.getloadavg()[1],
        },
    )
    assert percent <= NUMERICAL_PERCENT[equation]
    assert times >= TIMES[equation]
    assert now["sample_cpu_second"] <= LONGEST_SECOND[equation]
