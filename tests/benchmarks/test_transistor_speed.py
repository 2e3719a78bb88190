"""The whole solver of transistors beside the commit before its operating points were kept.

Both run on this machine, one after the other, so that their ratio holds on a busy one. A sample's
CPU time is that of a run with one sample whose operating point is kept from the run before it; what
the search for that costs once is told beside it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import transistor_sample
from tests.benchmarks.recording import record

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "9675356"
ASKED = {
    "ode": {"ratio": 12.0, "cpu_second": 3.0, "numerical_percent": 0.05},
    "sde": {"ratio": 15.0, "cpu_second": 10.0, "numerical_percent": 0.5},
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the commit before, with this one's tools."""
    tree = tmp_path_factory.mktemp("before") / "tree"
    subprocess.run(
        ["git", "-C", str(ROOT), "worktree", "add", "--detach", str(tree), BEFORE], check=True
    )
    for name in (".venv", ".ngspice"):
        (tree / name).symlink_to((ROOT / name).resolve())
    yield tree
    subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)], check=True)


def sampled(tree: Path, folder: Path, equation: str, **sections: object) -> dict:
    """What `transistor_sample` says of a run in a checkout."""
    values = {
        "name": "speed", "task": "circle", "score": "analog", "equation": equation,
        "fidelity": {"all": "transistor"}, "engine": {"timeout_second": 3600}, **sections,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, transistor_sample.__file__, json.dumps(values), str(folder)],
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.benchmark
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("equation", ["ode", "sde"])
def test_sample_beside_the_commit_before(equation: str, before: Path, tmp_path: Path) -> None:
    load = os.getloadavg()[0]
    first = sampled(ROOT, tmp_path / "now", equation)
    now = sampled(ROOT, tmp_path / "now", equation)
    old = sampled(before, tmp_path / "old", equation)
    shutil.copytree(tmp_path / "now", tmp_path / "reference")
    exact = sampled(ROOT, tmp_path / "reference", equation, accuracy={"preset": "reference"})
    path, tight = np.array(now["paths"][0]), np.array(exact["paths"][0])
    asked = ASKED[equation]
    ratio = old["ngspice_cpu_second"] / now["ngspice_cpu_second"]
    numerical_percent = float(100 * np.abs(path - tight).max() / np.ptp(tight))
    record(
        f"transistor_sample.{equation}",
        {
            "cpu_second": now["ngspice_cpu_second"],
            "cpu_second_asked": asked["cpu_second"],
            "cpu_second_before": old["ngspice_cpu_second"],
            "ratio": ratio,
            "ratio_asked": asked["ratio"],
            "search_cpu_second": first["ngspice_cpu_second"] - now["ngspice_cpu_second"],
            "accepted_points": now["accepted_points"],
            "accepted_points_before": old["accepted_points"],
            "accepted_points_reference": exact["accepted_points"],
            "numerical_error_percent": numerical_percent,
            "numerical_error_percent_asked": asked["numerical_percent"],
            "circuit_error_percent": 100 * now["circuit_error"],
            "circuit_error_percent_before": 100 * old["circuit_error"],
            "supply_ampere": now["supply_ampere"][0],
            "load_average_before": load,
        },
    )
    assert ratio >= asked["ratio"]
    assert numerical_percent <= asked["numerical_percent"]
