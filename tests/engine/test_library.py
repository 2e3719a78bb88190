"""Where libngspice is looked for, and whether what it is said to do is what it does."""

import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cosim.engine import library as library_module
from cosim.engine.library import (
    NgspiceCapabilities,
    NgspiceLibrary,
    find_library,
    operating_point,
    probe,
)
from cosim.errors import EngineError, LibraryNotFoundError, WorkerCrashError, WorkerTimeoutError

NGSPICE_39 = os.environ.get("COSIM_TEST_NGSPICE_39")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any ngspice; the current folder is `work`, the package in `code/cosim`."""
    (tmp_path / "work").mkdir()
    (tmp_path / "code/cosim").mkdir(parents=True)
    (tmp_path / "code/pyproject.toml").touch()
    monkeypatch.delenv("NGSPICE_LIBRARY_PATH", raising=False)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(library_module, "_package_folder", lambda: tmp_path / "code/cosim")
    monkeypatch.setattr(library_module, "_loader_path", lambda: None)
    return tmp_path


def put_project_library(folder: Path) -> Path:
    library_path = folder / ".ngspice/root/usr/lib/aarch64-linux-gnu/libngspice.so.0"
    library_path.parent.mkdir(parents=True)
    library_path.touch()
    return library_path


@pytest.fixture(scope="module")
def library() -> NgspiceLibrary:
    return find_library()


@pytest.fixture(scope="module")
def plain_ngspice(library: NgspiceLibrary) -> Path:
    if library.executable_path is None:
        pytest.skip("there is no plain ngspice to compare with")
    return library.executable_path


class TestSearch:
    def test_no_library_says_how_to_get_one(self, nowhere: Path) -> None:
        with pytest.raises(LibraryNotFoundError) as raised:
            find_library()
        message = str(raised.value)
        for part in (str(nowhere), "make setup", "apt install", "dnf", "brew", "conda"):
            assert part in message
        assert "\n" not in message

    def test_project_is_found(self, nowhere: Path) -> None:
        library_path = put_project_library(nowhere / "code")
        found = find_library()
        assert found.origin == "project"
        assert found.library_path == library_path
        assert found.scripts_path == nowhere / "code/.ngspice/root/usr/share/ngspice/scripts"
        assert found.executable_path == nowhere / "code/.ngspice/bin/ngspice"

    @pytest.mark.parametrize("planted", ["work", ""])
    @pytest.mark.parametrize("installed", [False, True])
    def test_nothing_of_the_current_folder_is_loaded(
        self, nowhere: Path, planted: str, installed: bool
    ) -> None:
        put_project_library(nowhere / planted)
        if installed:
            (nowhere / "code/pyproject.toml").unlink()
        with pytest.raises(LibraryNotFoundError):
            find_library()

    def test_environment_goes_before_project(
        self, nowhere: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_project_library(nowhere / "code")
        named = nowhere / "mine.so"
        named.touch()
        monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(named))
        found = find_library()
        assert (found.origin, found.library_path) == ("environment", named)

    @pytest.mark.parametrize("named", ["/no/such/libngspice.so", ""])
    def test_wrong_environment_is_an_error_though_a_project_is_there(
        self, nowhere: Path, monkeypatch: pytest.MonkeyPatch, named: str
    ) -> None:
        put_project_library(nowhere / "code")
        monkeypatch.setenv("NGSPICE_LIBRARY_PATH", named)
        with pytest.raises(LibraryNotFoundError, match=f"set to '{named}'"):
            find_library()

    def test_system_is_last(self, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        system = Path("/usr/lib/libngspice.so.0")
        monkeypatch.setattr(library_module, "_loader_path", lambda: system)
        found = find_library()
        assert (found.origin, found.library_path) == ("system", system)
        put_project_library(nowhere / "code")
        assert find_library().origin == "project"

    @pytest.mark.skipif(shutil.which("ldconfig", path="/sbin:/usr/sbin") is None, reason="Linux")
    def test_loader_cache_gives_full_paths(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cache = (
            "2 libs found in cache\n"
            "\tlibngs.so.1 (libc6,x86-64) => /lib/libngs.so.1\n"
            "\tlibngspice.so.0 (libc6,x86-64) => /opt/some place/libngspice.so.0\n"
        )
        monkeypatch.setattr(
            subprocess,
            "run",
            lambda command, **_: subprocess.CompletedProcess(command, 0, stdout=cache),
        )
        assert library_module._loader_path() == Path("/opt/some place/libngspice.so.0")


class Ngspice39(library_module._Conversation):
    """What Debian's ngspice 39 answers without a start-up file, as recorded."""

    def __init__(self) -> None:
        pass

    def say(self, command: str) -> str:
        if command == "version":
            return "stdout ** ngspice-39 : Circuit level simulation program"
        return f"stderr {command.split()[0]}: no such command available in ngspice"

    def solve(self, netlist: Sequence[str]) -> str:
        return "stdout Doing analysis at TEMP = 27.000000 and TNOM = 27.000000"

    def value(self, expression: str) -> float | None:
        return {"v(half)": 0.5}.get(expression)


class TestProbe:
    def test_answers_of_version_39(self) -> None:
        measured = library_module._measure(Ngspice39())
        assert measured == NgspiceCapabilities(39, klu=False, osdi=False, xspice=False)

    def test_agrees_with_plain_ngspice(
        self, library: NgspiceLibrary, plain_ngspice: Path, tmp_path: Path
    ) -> None:
        netlist = tmp_path / "bench.cir"
        netlist.write_text(
            "bench\n.options klu\nv1 in 0 1.5\na1 in out twice\n.model twice gain(gain=2)\n"
            ".control\nversion\nosdi nothing.osdi\nop\nprint v(out)\n.endc\n.end\n"
        )
        outcome = subprocess.run(
            [plain_ngspice, "-b", netlist], capture_output=True, text=True, timeout=60
        )
        said = outcome.stdout + outcome.stderr
        measured = probe(library)
        assert f"ngspice-{measured.version} " in said
        assert measured.xspice == ("v(out) = 3.000000e+00" in said)
        assert measured.osdi == ("osdi: no such command" not in said)
        if measured.xspice:  # otherwise plain ngspice does not reach the solver
            assert measured.klu == ("Using KLU" in said)

    def test_without_start_up_file_there_are_no_code_models(
        self, library: NgspiceLibrary, tmp_path: Path
    ) -> None:
        bare = replace(library, scripts_path=tmp_path / "scripts")
        assert probe(bare) == replace(probe(library), xspice=False)

    def test_asks_once(self, library: NgspiceLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
        first = probe(library)
        monkeypatch.setattr(subprocess, "run", None)
        assert probe(library) is first

    @pytest.mark.skipif(NGSPICE_39 is None, reason="COSIM_TEST_NGSPICE_39 names no libngspice 39")
    def test_version_39(self) -> None:
        old = NgspiceLibrary(Path(str(NGSPICE_39)), None, None, "environment")
        measured = probe(old)
        assert replace(measured, xspice=False) == NgspiceCapabilities(39, False, False, False)


class TestFaults:
    def test_not_a_library(self, tmp_path: Path) -> None:
        damaged = tmp_path / "libngspice.so.0"
        damaged.write_bytes(b"\x7fELF, but truncated")
        with pytest.raises(WorkerCrashError, match="cannot be loaded") as raised:
            probe(NgspiceLibrary(damaged, None, None, "environment"))
        assert str(damaged) in str(raised.value)
        assert "Traceback" not in str(raised.value)

    def test_another_library(self) -> None:
        name = ctypes.util.find_library("m")
        assert name is not None
        with pytest.raises(WorkerCrashError, match="ngSpice_Init"):
            probe(NgspiceLibrary(Path(name), None, None, "environment"))

    @pytest.mark.parametrize(
        ("script", "error", "words"),
        [
            ("kill -SEGV $$", WorkerCrashError, "status -11"),
            ("exec sleep 60", WorkerTimeoutError, "within 0.5 s"),
        ],
    )
    def test_crash_and_hang_are_reported(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        script: str,
        error: type[EngineError],
        words: str,
    ) -> None:
        interpreter = tmp_path / "python"
        interpreter.write_text(f"#!/bin/sh\n{script}\n")
        interpreter.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(interpreter))
        monkeypatch.setattr(library_module, "ANSWER_TIMEOUT_SECOND", 0.5)
        with pytest.raises(error, match=words):
            probe(NgspiceLibrary(tmp_path / "libngspice.so.0", None, None, "environment"))


class TestOperatingPoint:
    def test_voltage_divider(self, library: NgspiceLibrary) -> None:
        divider = "v1 top 0 3\nr1 top tap 2k\nr2 tap 0 1k\n"
        solved = operating_point(library, divider, ["v(tap)", "i(v1)"])
        assert solved == pytest.approx({"v(tap)": 1.0, "i(v1)": -1e-3}, rel=1e-6)

    @pytest.mark.parametrize(
        ("netlist", "expression"),
        [("v1 top 0 3\nr1 top 0 1k\n", "v(elsewhere)"), ("x1 top nothing\n", "v(top)")],
    )
    def test_no_value_is_an_error(
        self, library: NgspiceLibrary, netlist: str, expression: str
    ) -> None:
        with pytest.raises(WorkerCrashError, match="no solution"):
            operating_point(library, netlist, [expression])


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's list of loaded libraries")
def test_prepared_process_has_start_up_file_and_the_trees_openmp_runtime(tmp_path: Path) -> None:
    system = subprocess.run(
        ["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True
    ).stdout
    runtimes = [line.split(" => ")[1] for line in system.splitlines() if "libgomp.so.1 " in line]
    if not runtimes:
        pytest.skip("the system has no OpenMP runtime to stand for the tree's")
    shutil.copy(runtimes[0], tmp_path / "libgomp.so.1")
    script = (
        "import os, pathlib, sys\n"
        "from cosim.engine.library import NgspiceLibrary\n"
        "tree = pathlib.Path(sys.argv[1])\n"
        "file, scripts = tree / 'libngspice.so.0', tree / 'share/scripts'\n"
        "library = NgspiceLibrary(file, scripts, None, 'project')\n"
        "with library.loading():\n"
        "    assert not list(pathlib.Path.cwd().iterdir())\n"
        "assert os.environ['SPICE_LIB_DIR'] == str(tree / 'share')\n"
        "assert str(tree / 'libgomp.so.1') in pathlib.Path('/proc/self/maps').read_text()\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)
