"""The README's example runs as it is printed, and gives the closed form."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cosim.trace import Trace

README = Path(__file__).resolve().parents[1] / "README.md"


def test_controller_example(tmp_path: Path) -> None:
    found = re.search(r"```python\n(import numpy.*?)```", README.read_text(), re.DOTALL)
    assert found
    script = tmp_path / "example.py"
    script.write_text(found[1])
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=True
    )
    second, volt = (float(number.strip("[]")) for number in done.stdout.split())
    assert second == pytest.approx(50e-6)
    # u = 5 (1 - v) settles at v = u: 5/6.
    assert volt == pytest.approx(5 / 6, abs=1e-6)


def test_own_task_example(tmp_path: Path) -> None:
    found = re.search(r"```python\n(import torch.*?)```", README.read_text(), re.DOTALL)
    assert found and len(found[1].splitlines()) <= 20
    (tmp_path / "two_clusters.py").write_text(found[1])
    (tmp_path / "own.toml").write_text(
        'task = "two_clusters.py"\n[fidelity]\nopamp = "ideal"\n[ensemble]\nsamples = 50\n'
    )
    command = [sys.executable, "-m", "cosim", "run", str(tmp_path / "own.toml")]
    subprocess.run(
        [*command, "-o", str(tmp_path / "out")], capture_output=True, text=True, timeout=110,
        check=True,
    )  # fmt: skip
    assert (tmp_path / "two_clusters.safetensors").is_file()
    with Trace.open(tmp_path / "out" / "trace.h5") as trace:
        ends = [trace.member(k)["integrator_0.out"][-1] for k in range(50)]
    x1 = (np.array(ends) - 1.65) / 0.1
    assert 0.4 < np.abs(x1).mean() < 0.8 and 10 < (x1 > 0).sum() < 40
