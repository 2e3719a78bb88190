"""What the doctor says of this machine, and of machines that lack something."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cosim.engine import doctor
from cosim.engine.doctor import Finding, Report, Status, examine, render
from cosim.engine.library import NgspiceCapabilities, NgspiceLibrary, find_library
from cosim.errors import LibraryNotFoundError
from cosim.process.gf180mcu import GF180MCU


def by_part(report: Report) -> dict[str, Finding]:
    return {finding.part: finding for finding in report.findings}


def ngspice_findings() -> dict[str, Finding]:
    return by_part(Report(tuple(doctor._ngspice())))


def text_of(report: Report) -> str:
    console = Console(file=StringIO(), width=80)
    render(report, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def library() -> NgspiceLibrary:
    return find_library()


def test_this_machine_can_simulate() -> None:
    report = examine()
    parts = by_part(report)
    for part in (
        *("Python", "PySpice", "libngspice", "KLU", "OSDI", "XSPICE", "plain ngspice"),
        *("process models", "torch", "h5py", "cores", "memory"),
    ):
        assert part in parts
    assert report.usable
    assert str(find_library().library_path) in parts["libngspice"].found


def test_no_ngspice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", "/no/such/libngspice.so")
    with pytest.raises(LibraryNotFoundError) as raised:
        find_library()
    findings = ngspice_findings()
    assert findings["libngspice"].status is Status.MISSING
    assert findings["libngspice"].advice == str(raised.value)


def test_too_old_an_ngspice(monkeypatch: pytest.MonkeyPatch) -> None:
    old = NgspiceCapabilities(version=38, klu=False, osdi=False, xspice=True)
    monkeypatch.setattr(doctor, "probe", lambda library: old)
    findings = ngspice_findings()
    assert findings["libngspice"].status is Status.MISSING
    assert "39 or later" in findings["libngspice"].advice


@pytest.mark.parametrize("lacking", ["klu", "osdi", "xspice"])
def test_lack_of_a_capability_limits_and_says_what_it_costs(
    monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    measured = NgspiceCapabilities(
        46, klu=lacking != "klu", osdi=lacking != "osdi", xspice=lacking != "xspice"
    )
    monkeypatch.setattr(doctor, "probe", lambda library: measured)
    findings = ngspice_findings()
    limited = [part for part in ("KLU", "OSDI", "XSPICE") if findings[part].status is not Status.OK]
    assert limited == [lacking.upper()]
    assert findings[lacking.upper()].status is Status.LIMITED
    assert findings[lacking.upper()].advice
    assert Report(tuple(findings.values())).usable


def test_no_plain_ngspice() -> None:
    without = NgspiceLibrary(Path("libngspice.so"), None, None, "environment")
    assert doctor._executable(without).status is Status.LIMITED


class TestProcessModels:
    @pytest.fixture
    def models(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A folder that stands for the installed models."""
        models = tmp_path / "models"
        models.mkdir()
        (models / "design.ngspice").write_text("* nothing\n")
        monkeypatch.setattr(GF180MCU, "installed_folder", lambda: models)
        return models

    @staticmethod
    def write(models: Path, device: str) -> None:
        (models / "sm141064.ngspice").write_text(
            f".lib typical\n.subckt nfet_03v3 d g s b w=1u l=1u\n{device}\n.ends\n.endl\n"
        )

    def test_no_package(self, library: NgspiceLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(GF180MCU, "installed_folder", lambda: None)
        assert doctor._process_models(library).status is Status.MISSING

    def test_file_is_gone(self, library: NgspiceLibrary, models: Path) -> None:
        finding = doctor._process_models(library)
        assert finding.status is Status.MISSING
        assert str(models) in finding.found

    @pytest.mark.parametrize(
        ("device", "current"),
        [
            ("r1 d s 1", "330 mA/um on"),  # 3.3 A in 10 um
            ("r1 d s 1k", "0.33 mA/um on"),  # plausible while on, but never off
            ("b1 d s i=v(g,s) > 1 ? 0.1m : 0", "0.01 mA/um on"),
        ],
    )
    def test_no_such_transistor(
        self, library: NgspiceLibrary, models: Path, device: str, current: str
    ) -> None:
        self.write(models, device)
        finding = doctor._process_models(library)
        assert finding.status is Status.MISSING
        assert current in finding.found
        assert "damaged" in finding.advice

    def test_link_for_the_netlists_leads_elsewhere(
        self, library: NgspiceLibrary, models: Path
    ) -> None:
        self.write(models, "b1 d s i=v(g,s) > 1 ? 5m : 1p")
        finding = doctor._process_models(library)
        assert finding.status is Status.LIMITED
        assert "gf180mcu" in finding.advice


def test_package_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("raise OSError('libbroken.so: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("broken_package", "no_such_package"):
        finding = doctor._package(module, module)
        assert finding.status is Status.MISSING
        assert "make setup" in finding.advice


def test_rendering_says_all_and_draws_the_conclusion() -> None:
    good = Finding("torch", Status.OK, "2.13.0")
    limited = Finding("KLU", Status.LIMITED, "not there", "It is slow.")
    missing = Finding("libngspice", Status.MISSING, "not there", "Install [bold]it[/bold].")
    report = Report((good, limited))
    assert report.usable
    assert "Simulations can run." in text_of(report)
    report = Report((good, limited, missing))
    assert not report.usable
    said = text_of(report)
    assert "Simulations cannot run" in said
    for part in ("torch", "ok", "2.13.0", "limited", "It is slow.", "missing", "[bold]it[/bold]"):
        assert part in said
