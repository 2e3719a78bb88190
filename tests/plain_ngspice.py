"""Plain `ngspice -b`: the judge that shares no code with the engine."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from cosim.engine.library import find_library


def run_batch(netlist: Path) -> dict[str, np.ndarray]:
    """Run a netlist file; the vectors of its (single) analysis by name, e.g. `v(x_0)`."""
    library = find_library()
    if library.executable_path is None:
        pytest.skip("no plain ngspice beside the library; `make setup` installs one")
    raw = Path(tempfile.mkdtemp()) / "out.raw"
    finished = subprocess.run(
        [str(library.executable_path), "-b", "-r", str(raw), str(netlist)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return read_raw(raw)


def read_raw(path: Path) -> dict[str, np.ndarray]:
    """Vectors of a binary raw file (ngspice manual, section 'raw file')."""
    header, _, data = path.read_bytes().partition(b"Binary:\n")
    lines = header.decode(errors="replace").splitlines()
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    count, points = int(fields["No. Variables"]), int(fields["No. Points"])
    start = lines.index("Variables:") + 1
    names = [line.split()[1] for line in lines[start : start + count]]
    kind = np.complex128 if "complex" in fields["Flags"] else np.float64
    values = np.frombuffer(data, kind, count=count * points).reshape(points, count)
    return dict(zip(names, values.T, strict=True))
