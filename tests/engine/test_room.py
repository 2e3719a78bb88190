"""What surrounds ngspice: no file of commands is run, nothing planted is loaded, no orphans."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cosim.engine.isolated import isolated
from cosim.engine.library import find_library, probe

DIVIDER = "title\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.op\n.end\n"
ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> list[str]:
    """The installed `cosim`, which does not look for modules in the current folder."""
    program = "import sys; sys.path[0] = sys.argv.pop(1); from cosim.cli import main; main()"
    return [sys.executable, "-c", program, str(ROOT), *arguments]


@pytest.mark.parametrize("where", ["current folder", "netlist's folder", "HOME"])
@pytest.mark.parametrize("name", [".spiceinit", "spice.rc"])
def test_no_file_of_commands_is_run(where: str, name: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    folders = {key: tmp_path / key for key in ("current folder", "netlist's folder", "HOME")}
    for folder in folders.values():
        folder.mkdir()
    (folders[where] / name).write_text(f"* commands\nshell touch {canary}\n")
    netlist = folders["netlist's folder"] / "a.cir"
    netlist.write_text(DIVIDER)
    done = subprocess.run(
        command("simulate", str(netlist), "--no-confirm"),
        cwd=folders["current folder"],
        env={
            **os.environ,
            "HOME": str(folders["HOME"]),
            "SPICE_USERINIT_DIR": str(folders[where]),
            "SPICE_SCRIPTS": str(folders[where]),
        },
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not canary.exists()


def test_what_asks_a_library_loads_no_module_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    for name in ("json", "ctypes", "cosim"):
        (tmp_path / f"{name}.py").write_text(f"open({str(canary)!r}, 'w')\n")
    (tmp_path / ".spiceinit").write_text(f"shell touch {canary}\n")
    monkeypatch.chdir(tmp_path)
    probe.cache_clear()
    assert probe(find_library()).xspice
    assert not canary.exists()


def test_an_isolated_function_is_in_an_empty_folder() -> None:
    assert isolated(os.listdir) == []
    assert isolated(os.getcwd) != str(Path.cwd())


def _sleep(file: str) -> None:
    Path(file).write_text(str(os.getpid()))
    time.sleep(60)


PARENT = """
import sys; sys.path[:0] = [{root!r}]
from cosim.engine.isolated import each_isolated, isolated
from tests.engine.test_room import _sleep
if __name__ == "__main__":
    {call}
"""


@pytest.mark.parametrize(
    "call", ["isolated(_sleep, {file!r})", "list(each_isolated(_sleep, [{file!r}], 1))"]
)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_no_orphan_stays(call: str, how: signal.Signals, tmp_path: Path) -> None:
    file, script = tmp_path / "process", tmp_path / "parent.py"
    script.write_text(PARENT.format(root=str(ROOT), call=call.format(file=str(file))))
    parent = subprocess.Popen([sys.executable, str(script)])
    for _ in range(300):
        if file.exists() and file.read_text():
            break
        time.sleep(0.1)
    child = psutil.Process(int(file.read_text()))
    parent.send_signal(how)
    parent.wait()
    psutil.wait_procs([child], timeout=2)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
