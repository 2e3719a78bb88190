"""The README's example runs as it is printed, and gives the closed form."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
