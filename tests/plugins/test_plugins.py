"""What others add: by an entry point of their package, or by a Python file that a user names."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cosim.characterise.benches import find_bench
from cosim.characterise.sheet import Condition
from cosim.characterise.sheets import measure
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.opamp import TOPOLOGIES, OpAmpSpec, find_topology, op_amp
from cosim.cli import app
from cosim.diffusion.config import parse, run_values, without_code
from cosim.diffusion.netlists import block_netlist
from cosim.diffusion.score.tasks import get_task
from cosim.errors import ConfigurationError
from cosim.netlist.check import check
from cosim.plugins import PluginWarning, absolute
from cosim.process.process import find_process, processes

OTA = Path(__file__).parent / "mirror_ota.py"

PROCESS = """
from dataclasses import dataclass
from cosim.process.generic180 import Generic180

@dataclass(frozen=True)
class Shrunk(Generic180):
    NAME = "shrunk"

process = Shrunk
"""


class Packages:
    """Installed packages that are nothing but entry points."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, module: str, *, entries: dict[str, list[str]]) -> None:
        """A distribution 'name 1.0' of one module, with the entry points of each group."""
        imported = name.replace("-", "_")
        (self.folder / f"{imported}.py").write_text(module)
        information = self.folder / f"{imported}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        (information / "entry_points.txt").write_text(
            "".join(f"[{group}]\n" + "\n".join(lines) + "\n" for group, lines in entries.items())
        )


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return Packages(folder)


# -- entry points ----------------------------------------------------------------------------------


def test_a_process_by_entry_point(packages: Packages) -> None:
    packages.install(
        "acme-pdk", PROCESS, entries={"cosim.processes": ["shrunk = acme_pdk:process"]}
    )
    assert find_process("shrunk").NAME == "shrunk"
    assert "shrunk" in processes()
    assert ".subckt nfet_3v3" in block_netlist("opamp", "transistor", process="shrunk")


def test_an_op_amp_by_entry_point(packages: Packages) -> None:
    packages.install(
        "acme-amps", OTA.read_text(), entries={"cosim.circuits": ["ota = acme_amps:MirrorOta"]}
    )
    assert "ota" in TOPOLOGIES.names
    config = parse({"name": "x", "task": "circle", "op_amp": {"topology": "ota"}}, "here")
    device = op_amp(
        Fidelity.TRANSISTOR,
        OpAmpSpec(topology=config.op_amp.topology),
        find_process("gf180mcu")(),
    )
    assert "pair_plus" in str(device).lower()
    assert find_bench("ota").design(3.3)["gbw_hertz"] == 10e6


def test_a_task_and_a_bench_by_entry_point(packages: Packages) -> None:
    packages.install(
        "acme-tasks",
        "import torch\nfrom cosim.characterise.benches import BENCHES\n"
        "from cosim.diffusion.score.tasks import Task\n"
        "task = Task('dot', 'one dot', lambda n, g: 0.1 * torch.randn((n, 2), generator=g))\n"
        "bench = BENCHES['relu']\n",
        entries={
            "cosim.tasks": ["dot = acme_tasks:task"],
            "cosim.benches": ["rectifier = acme_tasks:bench"],
        },
    )
    assert get_task("dot").description == "one dot"
    assert find_bench("rectifier").columns == find_bench("relu").columns
    with pytest.raises(ConfigurationError, match="rectifier"):
        find_bench("rectifer")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("acme_broken:process", "RuntimeError: no licence"),
        ("acme_nowhere:process", "ModuleNotFoundError"),
    ],
)
def test_one_that_fails_is_named_and_leaves_the_others_alone(
    packages: Packages, value: str, says: str
) -> None:
    packages.install(
        "acme-broken",
        "raise RuntimeError('no licence')",
        entries={"cosim.processes": [f"broken = {value}"]},
    )
    with pytest.raises(ConfigurationError, match=rf"acme-broken 1\.0 cannot be loaded: {says}"):
        find_process("broken")
    with pytest.warns(PluginWarning, match="acme-broken"):
        assert "gf180mcu" in processes()
    assert find_process("gf180mcu").NAME == "gf180mcu"


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("process = 3", "3 is no subclass of cosim.process.process.Process"),
        ("class process: pass", "is no subclass"),
        (
            "from cosim.process.process import Process\nclass process(Process): NAME = 'x'",
            "process does not define apply, apply_bipolar",
        ),
        (
            "from cosim.process.process import Process\nclass process(Process):\n"
            "    def apply(self, circuit): pass\n    def apply_bipolar(self, circuit): pass",
            "process does not set NAME, N_MODEL, ",
        ),
    ],
)
def test_one_that_is_no_process(packages: Packages, module: str, says: str) -> None:
    name = f"acme-{abs(hash(module))}"
    imported = name.replace("-", "_")
    packages.install(name, module, entries={"cosim.processes": [f"odd = {imported}:process"]})
    with pytest.raises(ConfigurationError, match=says):
        find_process("odd")


def test_two_of_a_name(packages: Packages) -> None:
    for number in (1, 2):
        packages.install(
            f"acme-{number}", PROCESS, entries={"cosim.processes": [f"p = acme_{number}:process"]}
        )
    with pytest.raises(ConfigurationError, match=r"from acme-\d 1.0 and from acme-\d 1.0"):
        find_process("p")


def test_one_that_takes_a_built_in_name(packages: Packages) -> None:
    packages.install(
        "acme-thief", PROCESS, entries={"cosim.processes": ["gf180mcu = acme_thief:process"]}
    )
    with pytest.raises(ConfigurationError, match=r"cosim itself and from acme-thief 1\.0"):
        find_process("gf180mcu")
    assert find_process("generic180")


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", ["gf180mcu", "sky130"])
def test_the_op_amp_of_a_file_follows_its_equations(process: str) -> None:
    """Measured by the bench that every op-amp has, within 20 % of its own design."""
    sheet = measure(str(OTA), Condition("typical", 27.0, 3.3, Fidelity.TRANSISTOR, process=process))
    design = find_bench(str(OTA)).design(3.3)
    assert sheet.values["phase_margin_degree"] >= 55
    for name, promised in design.items():
        assert sheet.values[name] == pytest.approx(promised, rel=0.2), name
    assert sheet.values["dc_gain_decibel"] >= 35


def test_its_netlist_has_no_fault() -> None:
    assert check(block_netlist(str(OTA), "transistor"), Path("ota.cir")) == []


def test_a_process_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "shrunk.py"
    path.write_text(PROCESS)
    assert find_process(str(path)) is find_process(str(path))
    path.write_text(PROCESS.replace('"shrunk"', '"shrunk again"'))
    assert find_process(str(path)).NAME == "shrunk again"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "There is no process file"),
        ("x = 1", "has no attribute 'process'"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("process = dict", "is no subclass"),
    ],
)
def test_a_file_that_defines_none(text: str | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        find_process(str(path))


def test_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "shrunk.py").write_text(PROCESS)
    out = tmp_path / "ota.cir"
    done = CliRunner().invoke(
        app, ["netlist", str(OTA), "--process", str(tmp_path / "shrunk.py"), "-o", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "nfet_3v3" in out.read_text()


# -- data names no code ----------------------------------------------------------------------------

TRAP = "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n" + PROCESS


@pytest.mark.parametrize(
    "lines",
    [
        'task = "../trap.py"',
        'task = "circle"\n[process]\nname = "../trap.py"',
        'task = "circle"\n[op_amp]\ntopology = "/{folder}/trap.py"',
        'task = "circle"\n[coupling]\nscheme = "../trap.py"',
    ],
)
def test_a_run_file_names_no_code_outside_of_its_folder(lines: str, tmp_path: Path) -> None:
    (tmp_path / "trap.py").write_text(TRAP)
    inside = tmp_path / "runs"
    inside.mkdir()
    (inside / "run.toml").write_text(lines.replace("{folder}", str(tmp_path)))
    with pytest.raises(ConfigurationError, match="lies outside"):
        run_values(inside / "run.toml")
    assert not (tmp_path / "trap.ran").exists()


def test_a_run_file_may_name_code_beside_it(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(PROCESS)
    (tmp_path / "run.toml").write_text('task = "circle"\n[process]\nname = "own.py"')
    values = run_values(tmp_path / "run.toml")
    assert values["process"]["name"] == str(tmp_path / "own.py")


def test_a_trace_names_no_code(tmp_path: Path) -> None:
    (tmp_path / "trap.py").write_text(TRAP)
    values = {"task": "circle", "process": {"name": str(tmp_path / "trap.py")}}
    with pytest.raises(ConfigurationError, match="Code that data names is not run"):
        without_code(values, "The trace", None)
    assert not (tmp_path / "trap.ran").exists()


def test_names_travel_to_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("own.py") == str(tmp_path / "own.py")
    assert absolute("gf180mcu") == "gf180mcu"
    assert find_topology("miller").LOAD_OHM == 50e3
