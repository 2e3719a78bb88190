"""What surrounds ngspice: no file of commands is run, nothing planted is loaded, no orphans."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import cosim
from cosim.engine.closing import barriers, close, closed_thread
from cosim.engine.doctor import Status, _room
from cosim.engine.isolated import isolated
from cosim.engine.library import find_library, probe
from cosim.engine.worker import Simulation, WorkerPool
from cosim.lockstep.scheme import Explicit
from tests.engine.problems import Decay, Rate, block, simulation

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


# -- the closed room ------------------------------------------------------------------------------

OPEN = " ".join(barrier.why_open for barrier in barriers())
can_close = pytest.mark.skipif(bool(OPEN.strip()), reason=OPEN)
ALLOWED = {"inside", "null", "read", "thread"}


def _fork() -> None:
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _thread() -> None:
    thread = threading.Thread(target=str)
    thread.start()
    thread.join()


def _attempts(outside: str) -> dict[str, str]:
    """What happens to each attempt to get out; in a process of its own."""
    tries = {
        "write": lambda: Path(outside, "new").write_text("x"),
        "change": lambda: Path(outside, "old").write_text("x"),
        "remove": lambda: Path(outside, "older").unlink(),
        "link": lambda: Path(outside, "link").symlink_to("/etc/passwd"),
        "folder": lambda: Path(outside, "folder").mkdir(),
        "program": lambda: subprocess.run(["/bin/true"], check=True),
        "shell": lambda: subprocess.run("true", shell=True, check=True),
        "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "process": _fork,
        "mode": lambda: Path(outside, "old").chmod(0o777),
        "open mode": lambda: os.fchmod(os.open(Path(outside, "old"), os.O_RDONLY), 0o777),
        "owner": lambda: os.chown(Path(outside, "old"), os.getuid(), os.getgid()),
        "times": lambda: os.utime(Path(outside, "old"), (1, 1)),
        "attribute": lambda: os.setxattr(Path(outside, "old"), "user.it", b"x"),
        "signal": lambda: os.kill(os.getppid(), 0),
        "connect": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
        "serve": lambda: socket.create_server(("127.0.0.1", 0)),
        "datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "local socket": lambda: socket.socket(socket.AF_UNIX),
        "thread": _thread,
        "inside": lambda: Path("inside").write_text("x"),
        "null": lambda: Path(os.devnull).write_text("x"),
        "read": lambda: Path(outside, "old").read_text(),
        "rename": lambda: Path(outside, "old").rename("old"),
    }
    happened = {}
    for name, attempt in tries.items():
        try:
            attempt()
            happened[name] = "done"
        except OSError as error:
            happened[name] = type(error).__name__
    return happened


@can_close
def test_nothing_gets_out_of_the_closed_room(tmp_path: Path) -> None:
    for name in ("old", "older"):
        (tmp_path / name).write_text("as it was")
    happened = isolated(_attempts, str(tmp_path), closed=True)
    assert {name for name, what in happened.items() if what == "done"} == ALLOWED, happened
    assert [path.read_text() for path in tmp_path.iterdir()] == ["as it was"] * 2
    happened = isolated(_attempts, str(tmp_path))
    in_vain = {name for name, what in happened.items() if what != "done"}
    # Nobody listens there; some file systems have no attributes, and a room another disk.
    assert in_vain <= {"connect", "attribute", "rename"}, happened


def _attempts_beside(outside: str) -> tuple[dict[str, str], dict[str, str]]:
    """In a closed thread, and beside it."""
    with closed_thread(Path.cwd()) as reader:
        return reader.submit(_attempts, outside).result(), _attempts(outside)


@can_close
def test_nothing_gets_out_of_a_closed_thread(tmp_path: Path) -> None:
    for name in ("old", "older"):
        (tmp_path / name).write_text("as it was")
    inside, beside = isolated(_attempts_beside, str(tmp_path))
    assert {name for name, what in inside.items() if what == "done"} == ALLOWED, inside
    assert beside["write"] == beside["process"] == beside["datagram"] == "done"


LOGGED = (
    "t\nV1 a 0 1\nM1 a a 0 0 n w=1u l=1u\n.model n nmos level=8 version=3.3.0\n"
    ".save v(a)\n.tran 1n 9n\n.end\n"
)
"""BSIM3 writes its log into the current folder."""


def _is_closed(pool: WorkerPool) -> bool:
    (worker,) = pool._workers
    return "NoNewPrivs:\t1" in Path(f"/proc/{worker.process.pid}/status").read_text()


@can_close
def test_a_worker_is_closed_where_ngspice_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    alone = Simulation(0, LOGGED, 9e-9, ("a",))
    with WorkerPool(1, timeout_second=60) as pool:
        for _ in range(20):  # a process can be restricted 16 times
            assert pool.run_one(alone)[0].values[-1] == pytest.approx(1)
        assert _is_closed(pool)
        room = Path(pool._workers[0]._room.name)
        assert [path.name for path in room.iterdir()] == ["b3v33check.log"]
        pool.run_one(simulation(block(Rate(Decay())), Explicit, 1.0, units=0.1, step=0.01))
        assert not _is_closed(pool)  # another process
        pool.run_one(alone)
        assert _is_closed(pool)  # and another
    assert not room.exists() and not list(tmp_path.iterdir())


@can_close
def test_beside_blocks_the_netlist_is_read_in_a_closed_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    precious = tmp_path / "precious"
    precious.write_text("as it was")
    (tmp_path / "b3v33check.log").symlink_to(precious)
    netlist = cosim.Netlist(f"{LOGGED.partition('.save')[0]}R1 a 0 1k\nR2 b 0 1k\n")
    made = tmp_path / "made"

    def worldly(volts: np.ndarray) -> np.ndarray:
        subprocess.run(["touch", "made"], check=True)  # in the current folder
        return volts

    block = cosim.Block(worldly, ["a"], ["b"])
    how = {"stop": "9n", "max_step": "3n", "progress": False, "confirm": False}
    with cosim.simulate(netlist, [block], **how) as trace:
        assert trace["b"].values[-1] == pytest.approx(1)
    assert made.exists() and precious.read_text() == "as it was"


@can_close
def test_blocks_that_need_no_world_close_the_room(tmp_path: Path) -> None:
    def tries(volts: np.ndarray) -> np.ndarray:
        try:
            (tmp_path / str(os.getpid())).touch()
        except PermissionError:
            return 2 * volts
        return volts

    text = "t\nV1 a 0 1\nR1 a 0 1k\nR2 b 0 1k\n"
    how = {"stop": "9n", "max_step": "3n", "progress": False, "confirm": False}
    closed = cosim.Block(tries, ["a"], ["b"], closed=True)
    with cosim.simulate(cosim.Netlist(text), [closed], **how) as trace:
        assert trace["b"].values[-1] == pytest.approx(2)
    here = {str(os.getpid())}  # which asks it for its fingerprint
    assert {path.name for path in tmp_path.iterdir()} == here
    both = [closed, cosim.Block(tries, ["d"], ["c"])]
    with cosim.simulate(
        cosim.Netlist(f"{text}R3 c 0 1k\nR4 a d 1\nR5 d 0 1\n"), both, **how
    ) as trace:
        assert trace["b"].values[-1] == pytest.approx(1)  # one of them may need the world
    assert {path.name for path in tmp_path.iterdir()} > here


def test_where_the_room_cannot_be_closed_the_doctor_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _room().status is (Status.LIMITED if OPEN.strip() else Status.OK)
    if not OPEN.strip():
        monkeypatch.setattr("pyseccomp.get_api", lambda: 1)
        assert "of level 1" in _room().advice
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    assert "starts no program" in _room().advice
    monkeypatch.setitem(sys.modules, "py_landlock", None)
    monkeypatch.setattr(tempfile, "tempdir", None)  # which is put back
    close(tmp_path)  # nothing is held
    subprocess.run(["true"], check=True)
    finding = _room()
    assert finding.status is Status.LIMITED and finding.found.startswith("open")
    assert "Landlock" in finding.advice and "libseccomp" in finding.advice
