"""The installation: whole or not at all, twice the same, and each way of getting ngspice."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cosim.engine import install as install_module
from cosim.engine import library as library_module
from cosim.engine.install import install, main
from cosim.engine.library import NgspiceCapabilities, find_library, operating_point, probe
from cosim.errors import ConfigurationError, EngineError, LibraryNotFoundError
from cosim.process.gf180mcu import GF180MCU
from cosim.process.sky130 import Sky130


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project on a machine that is no Debian and has no ngspice; runs as a user."""
    models = tmp_path / "site-packages/models"
    models.mkdir(parents=True)
    project = tmp_path / "project"
    (project / "cosim").mkdir(parents=True)
    (project / "pyproject.toml").touch()
    monkeypatch.delenv("NGSPICE_LIBRARY_PATH", raising=False)
    monkeypatch.chdir(project)
    monkeypatch.setattr(library_module, "_package_folder", lambda: project / "cosim")
    monkeypatch.setattr(library_module, "_loader_path", lambda: None)
    monkeypatch.setattr(GF180MCU, "installed_folder", lambda: models)
    monkeypatch.setattr(Sky130, "installed_folder", lambda: None)
    monkeypatch.setattr(install_module, "_debian_codename", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return project


@pytest.fixture(scope="module")
def unpacked() -> Path:
    """The tree of a real installation, to make packages of."""
    library = find_library()
    if library.origin != "project":
        pytest.skip("the project's own ngspice is not installed")
    return library.library_path.parents[3]


def find_in(unpacked: Path) -> Path:
    return next(unpacked.glob("usr/lib/*/libngspice.so.0"))


class FakeDebian:
    """apt-get and dpkg of a Debian machine; libngspice0 holds all of an unpacked tree."""

    def __init__(self, unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.unpacked = unpacked
        self.commands: list[list[str]] = []
        self.fails: str | None = None
        self.with_code_models = True
        monkeypatch.setattr(install_module, "_debian_codename", lambda: "bookworm")
        monkeypatch.setattr(install_module, "_run", self.run)

    def run(self, command: list[str], folder: Path | None = None) -> str:
        self.commands.append(command)
        if self.fails is not None and self.fails in command:
            raise EngineError(f"`{self.fails}` failed")
        if "--print-uris" in command:
            return (
                "'https://mirror.example/debian/dists/bookworm/InRelease' x 0\n"
                "'https://mirror.example/debian-security/dists/bookworm-security/InRelease' x 0\n"
            )
        if "--simulate" in command:
            return "Inst libgomp1 (12 Debian [amd64])\nInst ngspice (46 Debian [amd64])\nConf x\n"
        if "download" in command:
            assert folder is not None
            for package in command[command.index("download") + 1 :]:
                (folder / f"{package.partition('/')[0]}.deb").touch()
        if command[0] == "dpkg" and Path(command[2]).stem == "libngspice0":
            shutil.copytree(
                self.unpacked / "usr",
                Path(command[3]) / "usr",
                symlinks=True,
                ignore=None if self.with_code_models else shutil.ignore_patterns("*.cm"),
            )
        return ""


@pytest.fixture
def debian(project: Path, unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDebian:
    return FakeDebian(unpacked, monkeypatch)


class TestBackports:
    def test_tree_works_where_it_was_put(self, debian: FakeDebian, project: Path) -> None:
        library = install()
        assert library.origin == "project"
        assert library.library_path.is_relative_to(project / ".ngspice/root")
        assert probe(library).xspice
        netlist = project / "gain.cir"
        netlist.write_text(
            "gain\nv1 in 0 1.5\na1 in out twice\n.model twice gain(gain=2)\n"
            ".control\nop\nprint v(out)\necho threads $num_threads\n.endc\n.end\n"
        )
        link = project / "linked"
        link.symlink_to(project / ".ngspice/bin/ngspice")
        for executable in (project / ".ngspice/bin/ngspice", link):
            outcome = subprocess.run(
                [executable, "-b", netlist], capture_output=True, text=True, timeout=60, cwd="/"
            )
            assert "v(out) = 3.000000e+00" in outcome.stdout
            assert "threads 1" in outcome.stdout

    def test_takes_what_the_machine_lacks_from_its_own_mirror(
        self, debian: FakeDebian, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        install()
        download = next(command for command in debian.commands if "download" in command)
        assert download[download.index("download") + 1 :] == [
            "libngspice0/bookworm-backports",
            "ngspice/bookworm-backports",
            "libgomp1",
        ]
        assert "https://mirror.example/debian)" in capsys.readouterr().out

    def test_twice_changes_nothing(self, debian: FakeDebian, project: Path) -> None:
        first = install()
        before = {path: path.lstat().st_mtime_ns for path in project.rglob("*")}
        debian.commands.clear()
        assert install() == first
        assert debian.commands == []
        assert {path: path.lstat().st_mtime_ns for path in project.rglob("*")} == before

    # "--quiet=2" fails at the first command with the private apt state: its update.
    @pytest.mark.parametrize("step", ["--quiet=2", "--simulate", "download", "--extract"])
    def test_failure_leaves_nothing_half_done(
        self, debian: FakeDebian, project: Path, step: str
    ) -> None:
        debian.fails = step
        with pytest.raises(LibraryNotFoundError, match=f"`{step}` failed"):
            install()
        assert [path.name for path in (project / ".ngspice").iterdir()] == ["gf180mcu"]

    def test_tree_without_code_models_is_not_kept(self, debian: FakeDebian, project: Path) -> None:
        debian.with_code_models = False
        with pytest.raises(LibraryNotFoundError, match="code models"):
            install()
        assert not (project / ".ngspice/root").exists()

    def test_only_mirrors_of_the_machines_sources_are_tried(
        self, debian: FakeDebian, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        debian.fails = "--print-uris"
        with pytest.raises(LibraryNotFoundError):
            install()
        said = capsys.readouterr().out
        assert "apt sources cannot be read" in said
        assert "bookworm-backports (" not in said
        debian.fails = "--simulate"
        with pytest.raises(LibraryNotFoundError):
            install()
        tried = re.findall(r"bookworm-backports \((\S+)\)", capsys.readouterr().out)
        assert tried == ["https://mirror.example/debian"]


class TestOtherWays:
    def test_named_library_is_left_alone(
        self, project: Path, unpacked: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        library_path = find_in(unpacked)
        monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(library_path))
        assert install().library_path == library_path
        assert not (project / ".ngspice/root").exists()

    def test_systems_library_will_do(
        self, project: Path, unpacked: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(library_module, "_loader_path", lambda: find_in(unpacked))
        assert install().origin == "system"

    def test_too_old_a_library_will_not(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(library_module, "_loader_path", lambda: Path("/lib/libngspice.so.0"))
        old = NgspiceCapabilities(version=38, klu=False, osdi=False, xspice=True)
        monkeypatch.setattr(install_module, "probe", lambda library: old)
        with pytest.raises(LibraryNotFoundError, match="ngspice 38, and 39 or later"):
            install()

    def test_root_installs_with_apt(
        self, project: Path, unpacked: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        installed = []

        def run(command: list[str], folder: Path | None = None) -> str:
            if "install" in command:
                installed.extend(command[command.index("--no-install-recommends") + 1 :])
                monkeypatch.setattr(library_module, "_loader_path", lambda: find_in(unpacked))
            return ""

        monkeypatch.setattr(install_module, "_run", run)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
        assert install().origin == "system"
        assert installed == ["libngspice0", "ngspice"]

    def test_nothing_helps(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main() == LibraryNotFoundError.exit_code
        said = capsys.readouterr().err
        for part in ("apt install", "dnf install", "brew install", "conda install"):
            assert part in said
        assert len(said.splitlines()) == 1

    def test_failed_command_says_why(self) -> None:
        with pytest.raises(EngineError, match=r"`ls` failed: .*no_such_file"):
            install_module._run(["ls", "/no_such_file"])
        with pytest.raises(EngineError, match="`no_such_program` did not run"):
            install_module._run(["no_such_program"])


def test_path_with_a_space_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spaced = project.parent / "my project"
    project.rename(spaced)
    monkeypatch.setattr(library_module, "_package_folder", lambda: spaced / "cosim")
    assert main() == ConfigurationError.exit_code
    assert "my project" in capsys.readouterr().err
    assert not (spaced / ".ngspice").exists()


class TestProcessModels:
    def test_link_is_made_and_put_right(self, project: Path) -> None:
        link = project / ".ngspice/gf180mcu"
        models = GF180MCU.installed_folder()
        assert main() != 0  # no ngspice, but the models are there
        assert link.resolve() == models
        link.unlink()
        link.symlink_to(project / "gone")
        main()
        assert link.resolve() == models

    def test_lack_is_said(
        self,
        project: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(GF180MCU, "installed_folder", lambda: None)
        main()
        assert "no models of gf180mcu" in capsys.readouterr().out
        assert not (project / ".ngspice/gf180mcu").is_symlink()

    def test_extra_has_a_link_of_its_own(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        models = project.parent / "sky130"
        monkeypatch.setattr(Sky130, "installed_folder", lambda: models)
        main()
        assert (project / ".ngspice/sky130").readlink() == models

    def test_models_load_through_the_link(self, unpacked: Path) -> None:
        models = unpacked.parent / "gf180mcu"
        currents = operating_point(
            find_library(),
            f'.include "{models}/design.ngspice"\n.lib "{models}/sm141064.ngspice" typical\n'
            "v1 gate 0 3.3\nx1 gate gate 0 0 nfet_03v3 w=1u l=0.28u\n",
            ["i(v1)"],
        )
        assert -0.9e-3 < currents["i(v1)"] < -0.2e-3  # velocity saturation: see cosim.engine.doctor
