"""A job of one's own in ten lines and one import: own torch module, own transistors, trace, plot,
comparison; as a script, in a notebook and on two processes; against the same written out at length.
"""

import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import cosim
from cosim.engine.worker import Failed, Points, Simulation, WorkerPool
from cosim.lockstep.scheme import Linearised
from cosim.trace import Signal, Trace, TraceWriter
from tests.trace.recordings import PROVENANCE

AMPLIFIER = """common source, and a follower
.model nch nmos level=1 vto=0.4 kp=200u lambda=0.05
.subckt amplifier in out vdd
R1 vdd drain 20k
M1 drain in 0 0 nch w=5u l=1u
M2 vdd drain out out nch w=50u l=1u
R2 out 0 2k
.ends
Vdd vdd 0 PWL(0 1.0 100n 1.0 110n 1.8)
X1 gate out vdd amplifier
C1 out 0 20p
"""

JOB = """\
import torch, cosim
class Controller(torch.nn.Linear):
    def forward(self, volts): return torch.tanh(super().forward(volts))
controller, amplifier = Controller(1, 1), cosim.Netlist.read("amplifier.cir")
torch.nn.init.constant_(controller.weight, -0.5), torch.nn.init.constant_(controller.bias, 0.9)
block = cosim.Block(controller, inputs=["out"], outputs=["gate"])
trace = cosim.simulate(amplifier, [block], stop="1u", max_step="10n", record=["out", "gate", "i(vdd)", "x1.*"], to="run.h5", confirm=False)
trace["out"].plot().figure.savefig("run.png")
cosim.compare(trace, "golden.h5").check()
"""  # noqa: E501 - ten lines

SWEEP = """\
import torch, cosim
module = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Tanh())
torch.nn.init.constant_(module[0].weight, -0.5), torch.nn.init.constant_(module[0].bias, 0.9)
block = cosim.Block(module, inputs=["out"], outputs=["gate"])
found = cosim.sweep(
    cosim.Netlist.read("amplifier.cir"), {"temperature": [27, 85]}, [block], stop="1u",
    max_step="10n", record=["out", "gate", "i(vdd)", "x1.*"], to="sweep.h5", jobs=2, confirm=False,
    measure={"end": lambda trace: trace["out"].at("1u")},
)
found.check()
"""

NAMES = ("out", "gate", "i(vdd)", "x1.drain")
VECTORS = ("out", "gate", "vdd#branch", "x1.drain")


pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the netlist, and the golden trace: the same job at length, by the engine alone."""
    import torch

    folder = tmp_path_factory.mktemp("job")
    (folder / "amplifier.cir").write_text(AMPLIFIER)

    class Controller(torch.nn.Linear):
        def forward(self, volts: torch.Tensor) -> torch.Tensor:
            return torch.tanh(super().forward(volts))

    controller = Controller(1, 1)
    torch.nn.init.constant_(controller.weight, -0.5)
    torch.nn.init.constant_(controller.bias, 0.9)
    block = cosim.Block(controller, inputs=["out"], outputs=["gate"])
    text = (
        f"{AMPLIFIER}Voffset_gate offset_gate 0 external\n"
        "Vjacobian_gate_0 jacobian_gate_0 0 external\n"
        "Bgate gate 0 v=V(offset_gate)+V(jacobian_gate_0)*V(out)\n"
        ".save v(out) v(gate) i(vdd) v(x1.drain)\n.tran 10n 1u 0 10n\n.end\n"
    )
    simulation = Simulation(
        0, text, 1e-6, VECTORS, blocks=(block,), scheme=Linearised, initial_volts=(0.0,)
    )
    with WorkerPool(1, 60.0) as pool:
        messages = list(pool.run([simulation]))
    assert not [one for one in messages if isinstance(one, Failed)]
    points = [one for one in messages if isinstance(one, Points)]
    signals = [Signal(name, "A" if "(" in name else "V") for name in NAMES]
    crossed = [Signal(f"{what}", "V") for what in ("input.out", "output.gate", "error.gate")]
    with TraceWriter.create(
        folder / "golden.h5", signals=signals, coupling=crossed, provenance=PROVENANCE
    ) as writer:
        for one in points:
            writer.append(one.time_second, one.values)
            writer.append_coupling(
                one.time_second, np.hstack([one.inputs, one.outputs, one.errors])
            )
        writer.finish()
    return folder


def is_the_golden_one(trace: Trace, folder: Path) -> None:
    with Trace.open(folder / "golden.h5") as golden:
        assert sorted(trace.names) == sorted(NAMES)
        assert np.allclose(trace.time_second, golden.time_second, rtol=0, atol=1e-18)
        for name in NAMES:
            assert np.abs(trace[name].values - golden[name].values).max() <= 1e-12, name
        assert np.ptp(golden["out"].values) > 0.1


def run_script(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, name], cwd=folder, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_as_a_script(folder: Path) -> None:
    assert JOB.count("\n") <= 10
    run_script(folder, "job.py", JOB)
    with cosim.Trace.open(folder / "run.h5") as trace:
        is_the_golden_one(trace, folder)
    assert (folder / "run.png").stat().st_size > 1000


def test_in_a_notebook(folder: Path) -> None:
    """A module that is defined in a cell; the trace, the netlist and the figure are shown."""
    cells = [
        JOB.replace("run.h5", "notebook.h5").replace("run.png", "notebook.png"),
        "amplifier",
        "trace",
        "axes = trace.plot('out', 'i(*)')",
        "cosim.compare(trace, 'golden.h5')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=250, resources={"metadata": {"path": str(folder)}})
    client.execute()
    shown = [
        {kind for output in cell.outputs for kind in output.get("data", {})}
        for cell in notebook.cells
    ]
    assert all("text/html" in shown[number] for number in (1, 2, 4))
    assert "image/png" in shown[3]
    with cosim.Trace.open(folder / "notebook.h5") as trace:
        is_the_golden_one(trace, folder)


def test_on_two_processes(folder: Path) -> None:
    run_script(folder, "sweep.py", SWEEP)
    with cosim.Trace.open(folder / "sweep.h5") as trace:
        assert trace.member_statuses == ["complete", "complete"]
        is_the_golden_one(trace.member(0), folder)
        cold, warm = (float(trace.member(number)["out"].at("1u")) for number in (0, 1))
    assert abs(warm - cold) > 1e-4
