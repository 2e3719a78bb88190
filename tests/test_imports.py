"""What each command imports: a library that it has no use for costs seconds at every call."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cosim

HEAVY = {
    "distributed", "h5py", "IPython", "matplotlib", "networkx", "numba", "ot", "pandas", "PIL",
    "pydantic", "PySpice", "scipy", "sklearn", "torch", "xarray",
}  # fmt: skip
NETLIST = {"networkx", "pydantic", "PySpice"}
"""What a netlist needs; pydantic comes with the command line's library, typer."""

DIVIDER = "divider\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.op\n.end\n"
DERIVATIVES = """
import sys, numpy, torch
from cosim import Block
block = Block(lambda v: v[:1] + 2 * torch.relu(v[1:]), ["a", "b"], ["y"])
jacobian = block.function.tangents(0.0, numpy.ones(2))[1]
print(jacobian.tolist(), "torch._dynamo" in sys.modules)
"""
SPY = """
import atexit, json, os, sys
atexit.register(lambda: open(os.environ["COSIM_TEST_MODULES"] + f"/{os.getpid()}", "w").write(
    json.dumps(sorted({name.partition(".")[0] for name in sys.modules}))))
"""


def imported(tmp_path: Path, *arguments: str) -> set[str]:
    """Libraries of `HEAVY` that python, run so, and each process that it starts, had at its end;
    but for a process in a closed room, which leaves no note.
    """
    spy, notes = tmp_path / "spy", tmp_path / "notes"
    for folder in (spy, notes):
        folder.mkdir()
    (spy / "sitecustomize.py").write_text(SPY)
    root = Path(cosim.__file__).parents[1]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(spy), str(root)]),
        "COSIM_TEST_MODULES": str(notes),
    }
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(notes.iterdir())
    return HEAVY & {name for note in notes.iterdir() for name in json.loads(note.read_text())}


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("-c", "import cosim"), set()),
        (("-m", "cosim", "--help"), set()),
        (("-m", "cosim", "--version"), set()),
        (("-m", "cosim", "check", "divider.cir"), NETLIST),
        (("-m", "cosim", "simulate", "divider.cir"), NETLIST - {"networkx"}),
        (("-c", "import cosim.characterise.datasheet.campaign"), NETLIST | {"h5py"}),
    ],
)
def test_a_command_imports_what_it_uses(
    tmp_path: Path, arguments: tuple[str, ...], allowed: set[str]
) -> None:
    (tmp_path / "divider.cir").write_text(DIVIDER)
    assert imported(tmp_path, *arguments) <= allowed


def test_derivatives_of_a_module_need_no_compiler_of_torch() -> None:
    """`torch.func` imports it, which takes a second."""
    said = subprocess.run(
        [sys.executable, "-c", DERIVATIVES], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert said == "[[1.0, 2.0]] False\n"


def test_every_public_name_is_there() -> None:
    assert set(cosim.__all__) <= set(dir(cosim))
    for name in cosim.__all__:
        assert getattr(cosim, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'simulator'"):
        _ = cosim.simulator
