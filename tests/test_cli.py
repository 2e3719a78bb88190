"""The command line as a user meets it: results, and faults in one paragraph."""

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cosim.cli import main
from cosim.trace import Signal, Trace, TraceWriter
from tests.trace.recordings import PROVENANCE, record

IDEAL = ("--fidelity", "opamp=ideal")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    output: str
    errors: str


@pytest.fixture
def cosim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs the command in this process (torch takes seconds to import), in a folder of its own."""

    def command(*arguments: str) -> Done:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["cosim", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capfd.readouterr())

    return command


def assert_one_paragraph(done: Done, *says: str) -> None:
    assert done.code not in (0, 1), done.errors
    assert "Traceback" not in done.output + done.errors
    message = done.errors[done.errors.index("Error:") :].strip()
    assert "\n\n" not in message
    for part in says:
        assert part in " ".join(message.split()), message


def test_run_reports_trace_figure_and_netlist(cosim: Callable[..., Done], tmp_path: Path) -> None:
    done = cosim("run", "circle", *IDEAL)
    assert done.code == 0, done.errors
    folder = tmp_path / "results" / "runs" / "circle"
    for name in ("trace.h5", "solve.png", "solver.cir"):
        assert (folder / name).is_file()
        assert f"results/runs/circle/{name}" in done.output
    trace = Trace.open(folder / "trace.h5")
    assert trace.complete
    assert 'task = "circle"' in trace.provenance.configuration_toml
    assert "external" in trace.provenance.netlist


def test_run_file_with_overrides(cosim: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'task = "circle"\n[fidelity]\nopamp = "macro"\n[ensemble]\nsamples = 3\nseed = 4\n'
    )
    done = cosim("run", "mine.toml", *IDEAL, "--jobs", "2", "-o", "out")
    assert done.code == 0, done.errors
    trace = Trace.open(tmp_path / "out" / "trace.h5")
    assert 'opamp = "ideal"' in trace.provenance.configuration_toml
    assert trace.provenance.seeds["ensemble"] == 4
    assert trace.members == 3


def test_existing_trace_is_kept_unless_forced(cosim: Callable[..., Done], tmp_path: Path) -> None:
    run = ("run", "circle", *IDEAL, "-o", "out")
    assert cosim(*run).code == 0
    before = (tmp_path / "out" / "trace.h5").read_bytes()
    assert_one_paragraph(cosim(*run), "exists already", "--force")
    assert (tmp_path / "out" / "trace.h5").read_bytes() == before
    assert cosim(*run, "--force").code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('task = "circle\n', ("not valid TOML", "line 1")),
        ('task = "circle"\nsample = 3\n', ("key 'sample'", "Extra inputs")),
        ("[ensemble]\nsamples = 1\n", ("key 'task' is missing",)),
        ('task = "circle"\n[coupling]\nscheme = "magic"\n', ("coupling.scheme", "linearised")),
        ('task = "circle"\n[scaling]\nvolt_per_unit = nan\n', ("scaling.volt_per_unit", "finite")),
        ('task = "circle"\n[process]\ncorner = "hot"\n', ("no corner 'hot'", "typical")),
        ('task = "squares"\n', ("no task 'squares'", "circle")),
        ('name = "a; shell rm"\ntask = "circle"\n', ("key 'name'",)),
    ],
)
def test_malformed_run_file(
    cosim: Callable[..., Done], tmp_path: Path, text: str, says: tuple[str, ...]
) -> None:
    (tmp_path / "mine.toml").write_text(text)
    assert_one_paragraph(cosim("run", "mine.toml"), *says)
    assert not (tmp_path / "results").exists()


def test_served_score_is_for_a_single_run(cosim: Callable[..., Done]) -> None:
    run = ("run", "circle", "--exchange", "file")
    assert_one_paragraph(cosim(*run, "--samples", "2"), "a single run", "samples must be 1")
    assert_one_paragraph(cosim(*run, "--score", "analog"), "score 'analog' is in the netlist")
    done = cosim("serve", "nowhere", "--timeout", "0.1")
    assert_one_paragraph(done, "No simulation asked in nowhere", "--exchange file")


def test_unknown_task_and_missing_file(cosim: Callable[..., Done], tmp_path: Path) -> None:
    assert_one_paragraph(cosim("run", "circel"), "no task 'circel'", "circle")
    assert_one_paragraph(cosim("run", "absent.toml"), "no run file absent.toml")


def test_missing_libngspice(
    cosim: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(tmp_path / "none.so"))
    assert_one_paragraph(cosim("run", "circle", *IDEAL), "NGSPICE_LIBRARY_PATH", "none.so")


def test_unwritable_output_folder(cosim: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file, not a folder")
    assert_one_paragraph(cosim("run", "circle", *IDEAL, "-o", "out"), "output folder out")
    assert (tmp_path / "out").read_text() == "a file, not a folder"


def test_full_output_folder(tmp_path: Path) -> None:
    """A limit on file size stands for a full disk: the trace cannot grow beyond it."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(
        [sys.executable, "-m", "cosim", "run", "circle", *IDEAL, "--samples", "60", "-o", "out"],
        cwd=tmp_path,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert_one_paragraph(
        Done(done.returncode, done.stdout, done.stderr), "trace.h5", "cannot be written"
    )
    assert Trace.open(tmp_path / "out" / "trace.h5").member(0).points > 0


def test_step_longer_than_the_solve(cosim: Callable[..., Done], tmp_path: Path) -> None:
    assert_one_paragraph(cosim("run", "circle", *IDEAL, "--step", "1e-3"), "step_second")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_a_trace_that_opens(
    tmp_path: Path, ending: signal.Signals
) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "cosim", "run", "circle", *IDEAL, "--samples", "500", "-o", "out"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    path = tmp_path / "out" / "trace.h5"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists() and Trace.open(path).member(0).points > 100:
            break
        time.sleep(0.2)
    running.send_signal(ending)
    _, errors = running.communicate(timeout=60)
    trace = Trace.open(path)
    assert not trace.complete
    assert trace.member(0).points > 100
    if ending is signal.SIGINT:
        assert running.returncode == 130
        assert trace.status == "interrupted"
        assert "Interrupted." in errors
        assert "Traceback" not in errors


def test_check_passes_a_sound_netlist_and_names_faults(
    cosim: Callable[..., Done], tmp_path: Path
) -> None:
    sound = cosim("netlist", "relu", "-o", "relu.cir", "--graph", "relu.svg")
    assert sound.code == 0, sound.errors
    assert (tmp_path / "relu.svg").read_text().startswith("<?xml")
    passed = cosim("check", "relu.cir")
    assert passed.code == 0 and "nothing found" in passed.output
    (tmp_path / "broken.cir").write_text("t\nV1 a 0 1\nR1 a b 1k\n.control\nshell touch x\n.endc\n")
    broken = cosim("check", "broken.cir")
    assert broken.code == 3
    assert "line 3, r1, node b: floating-node" in broken.output
    assert "line 4, .control: refused" in broken.output
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("content", [None, b"\x00\x01binary", b"\xff\xfe"])
def test_check_refuses_what_is_no_netlist(
    cosim: Callable[..., Done], tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "file.cir").write_bytes(content)
    assert_one_paragraph(cosim("check", "file.cir"), "file.cir")


def test_bench_writes_the_sheet_and_its_figures(cosim: Callable[..., Done], tmp_path: Path) -> None:
    done = cosim("bench", "opamp", "--corner", "ss", "--temp", "27", "--fidelity", "macro")
    assert done.code == 0, done.errors
    folder = tmp_path / "results" / "runs" / "bench"
    (sheet,) = json.loads((folder / "opamp.json").read_text())
    assert sheet["corner"] == "ss"
    assert sheet["gbw_hertz"] == pytest.approx(10e6, rel=0.1)  # the design's, less the second pole
    for name in ("opamp_bode.png", "opamp_step.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("multistage",), "no bench 'multistage'"),
        (("opamp", "--corner", "ss", "--monte-carlo", "3"), "--corner or --monte-carlo"),
        (("opamp", "--fidelity", "ideal"), "fidelity 'ideal'"),
        (("opamp", "--corner", "slow"), "no corner 'slow'"),
    ],
)
def test_bench_refuses(cosim: Callable[..., Done], arguments: tuple[str, ...], says: str) -> None:
    assert_one_paragraph(cosim("bench", *arguments), says)


def test_a_trace_is_exported_and_imported(cosim: Callable[..., Done], tmp_path: Path) -> None:
    record(tmp_path / "run.h5", points=100)
    some = ("--signals", "integrator_*", "--signals", "supply.current", "--start", "5e-9")
    assert (
        cosim("trace", "export", "run.h5", "a.raw", *some, "--stop", "9.1e-9", "--ascii").code == 0
    )
    assert "Values:" in (tmp_path / "a.raw").read_text()
    done = cosim("trace", "import", "a.raw", "back.h5")
    assert done.code == 0 and "back.h5" in done.output
    with Trace.open(tmp_path / "back.h5") as back:
        assert back.names == ["integrator_0.out", "integrator_1.out", "supply.current"]
        assert back.points == 5
        assert back.provenance.command_line == "cosim trace import a.raw back.h5"
    assert_one_paragraph(cosim("trace", "import", "a.raw", "back.h5"), "exists already", "--force")
    assert cosim("trace", "import", "a.raw", "back.h5", "--force").code == 0
    assert_one_paragraph(cosim("trace", "export", "run.h5", "a.txt"), "known are .raw, .csv, .vcd")
    assert_one_paragraph(cosim("trace", "export", "run.h5", "a.csv", "--ascii"), "--ascii")
    (tmp_path / "bad.raw").write_bytes(b"no waveform")
    assert_one_paragraph(cosim("trace", "import", "bad.raw", "bad.h5"), "bad.raw", "no header")
    assert not (tmp_path / "bad.h5").exists()


def test_one_member_of_an_ensemble_is_exported(cosim: Callable[..., Done], tmp_path: Path) -> None:
    with TraceWriter.create(
        tmp_path / "run.h5", signals=[Signal("a.b", "V")], provenance=PROVENANCE, members=2
    ) as writer:
        for point in range(3):
            for member in range(2):
                writer.append([point * 1e-9], [[10.0 * member + point]], member)
        writer.finish()
    assert_one_paragraph(cosim("trace", "export", "run.h5", "a.csv"), "2 runs", "--member")
    assert_one_paragraph(
        cosim("trace", "export", "run.h5", "a.csv", "--member", "2"), "no member 2"
    )
    assert cosim("trace", "export", "run.h5", "a.csv", "--member", "1").code == 0
    values = [line.split(",")[1] for line in (tmp_path / "a.csv").read_text().splitlines()]
    assert values == ["a.b (V)", "10", "11", "12"]


def test_simulate_writes_vectors_or_says_why_not(
    cosim: Callable[..., Done], tmp_path: Path
) -> None:
    (tmp_path / "value.inc").write_text("R2 b 0 3k\n")
    netlist, out = tmp_path / "divider.cir", tmp_path / "out.csv"
    netlist.write_text("divider\nV1 a 0 4\nR1 a b 1k\n.include value.inc\n.op\n.end\n")
    done = cosim("simulate", str(netlist), "-o", str(out))
    assert done.code == 0, done.errors
    header, row = (line.split(",") for line in out.read_text().splitlines())
    assert float(dict(zip(header, row, strict=True))["b"]) == pytest.approx(3.0)
    netlist.write_text("divider\nV1 a 0 4\nR1 a b 1k\nC1 b 0 1n\n.ic v(bb)=1\n.tran 1n 1u\n.end\n")
    refused = cosim("simulate", str(netlist), "-o", str(out))
    assert refused.code == 3
    assert "node bb: unknown-node" in refused.errors
    assert out.read_text().startswith(",".join(header))


def test_traces_are_compared(cosim: Callable[..., Done], tmp_path: Path) -> None:
    run, golden, folder = tmp_path / "run.h5", tmp_path / "golden.h5", tmp_path / "report"
    record(golden)
    record(run)
    same = cosim("compare", str(run), str(golden))
    assert same.code == 0, same.errors
    tolerances = tmp_path / "tolerances.toml"
    tolerances.write_text('[rename]\n"supply.current" = "supply.vdd"\n')
    options = ("--tolerances", str(tolerances), "-o", str(folder))
    differs = cosim("compare", str(run), str(golden), *options)
    assert differs.code == 4
    assert "missing" in differs.output and "extra" in differs.output
    assert {path.name for path in folder.iterdir()} == {
        "compare.json", "compare.xml", "compare.png"
    }  # fmt: skip
    refused = cosim("compare", str(run), str(tolerances))
    assert_one_paragraph(refused, "tolerances.toml")
    by_distribution = ("--distributions", "--every", "1e-9", "--signals", "supply.*")
    alike = cosim("compare", str(run), str(golden), *by_distribution, "-o", str(folder))
    assert alike.code == 0, alike.errors
    assert "sliced Wasserstein" in alike.output and "fail in 1 %" in alike.output
    refused = cosim("compare", str(run), str(golden), "--distributions", "--false-alarm", "2")
    assert_one_paragraph(refused, "false_alarm")
