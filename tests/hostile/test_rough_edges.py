"""Odd traces and machines end every command in a paragraph or well, never in a traceback."""

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from cosim.cli import app
from cosim.errors import CosimError

COMMANDS = (
    ["info"], ["plot", "-o", "a.png"], ["export", "a.vcd"], ["tail"],
    ["measure", "integrator_0.out", "max", "rms"],
)  # fmt: skip


def _last_time(value: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file["time"][-1] = value

    return change


def _all_values(value: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file["signals/integrator_0/out"][:] = value

    return change


def _unit(value: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file["signals/integrator_0/out"].attrs["units"] = np.bytes_(value.encode())

    return change


CHANGES = {
    "times to inf": _last_time(np.inf), "times to 1e308": _last_time(1e308),
    "inf": _all_values(-np.inf), "a unit of markup": _unit("[/nope]"),
    "a unit of math": _unit("$\\frac{$"), "a unit that escapes": _unit("\x1b[2J"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_no_command_ends_in_a_traceback(
    change: str, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(good, tmp_path / "größe.h5"))
    with h5py.File(path, "r+") as file:
        CHANGES[change](file)
    monkeypatch.chdir(tmp_path)
    for name, *rest in COMMANDS:
        done = CliRunner().invoke(app, ["trace", name, str(path), *rest])
        fault = done.exception
        assert fault is None or isinstance(fault, CosimError | SystemExit), (name, rest, fault)
        assert "\x1b[2J" not in done.output


FEW = """
import sys
from cosim.engine.worker import Simulation, WorkerPool
from cosim.errors import CosimError
NETLIST = "t\\nV1 a 0 1\\nR1 a 0 1\\n.save v(a)\\n.tran 1n 9n\\n.end\\n"
try:
    with WorkerPool(8, timeout_second=60) as pool:
        jobs = [Simulation(n, NETLIST, 9e-9, ("a",)) for n in range(8)]
        list(pool.run(jobs))
except CosimError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.mark.parametrize("files", [14, 20])
def test_too_few_open_files_are_told(files: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FEW],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("EngineError: An ngspice process cannot be started")
