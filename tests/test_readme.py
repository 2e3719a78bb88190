"""The README's example runs as it is printed, and gives the closed form."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cosim.trace import Trace

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
OWN_TASK = ROOT / "cosim/docs/how-to/own_diffusion_task.md"


def test_controller_example(tmp_path: Path) -> None:
    found = re.search(r"```python\n(import cosim.*?)```", README.read_text(), re.DOTALL)
    assert found and len(found[1].split("\n\n")[1].splitlines()) <= 10
    script = tmp_path / "example.py"
    script.write_text(found[1])
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=True
    )
    shown = re.fullmatch(r"([0-9.]+) mV ([0-9.]+) us\n", done.stdout)
    assert shown, done.stdout
    # u = 5 (1 - v), so that RC v' = 5 - 6 v: one time constant is RC / 6.
    assert float(shown[1]) == pytest.approx(1e3 * 5 / 6, abs=0.01)  # as it is rounded
    assert float(shown[2]) == pytest.approx(1e6 * math.log(9) * 10e-6 / 6, rel=2e-3)


def test_own_task_example(tmp_path: Path) -> None:
    found = re.search(r"```python\n(import torch.*?)```", OWN_TASK.read_text(), re.DOTALL)
    assert found and len(found[1].splitlines()) <= 20
    (tmp_path / "two_clusters.py").write_text(found[1])
    (tmp_path / "own.toml").write_text(
        'task = "two_clusters.py"\n[fidelity]\nopamp = "ideal"\n[ensemble]\nsamples = 30\n'
    )
    command = [sys.executable, "-m", "cosim", "run", str(tmp_path / "own.toml")]
    subprocess.run(
        [*command, "-o", str(tmp_path / "out")], capture_output=True, text=True, timeout=110,
        check=True,
    )  # fmt: skip
    assert (tmp_path / "two_clusters.safetensors").is_file()
    with Trace.open(tmp_path / "out" / "trace.h5") as trace:
        ends = [trace.member(k)["integrator_0.out"][-1] for k in range(30)]
    x1 = (np.array(ends) - 1.65) / 0.1
    assert 0.4 < np.abs(x1).mean() < 0.8 and 5 < (x1 > 0).sum() < 25
