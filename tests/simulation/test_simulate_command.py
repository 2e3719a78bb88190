"""`cosim simulate`: outputs by the file's ending, measurements, and the exit code."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from cosim.errors import ConfigurationError, NetlistError
from cosim.simulation.analysis import Answer, simulate
from cosim.simulation.output import check_output, write_answer
from cosim.trace import Trace
from tests.plain_ngspice import read_raw

CHARGE = """error amplifier
V1 a 0 1
R1 a b 1k
C1 b 0 1n
.ic v(b)=0
.options reltol=1e-5
.tran 10n 5u 0 10n
.meas tran half when v(b)=0.5
.meas tran top max v(b)
.end
"""


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    return simulate(CHARGE, tmp_path_factory.mktemp("netlist") / "charge.cir")


def test_measures_are_returned(answer: Answer) -> None:
    """1 us ln 2 to the half of it; its end."""
    assert answer.measures == {
        "half": pytest.approx(0.6931e-6, rel=1e-3),
        "top": pytest.approx(1 - np.exp(-5), rel=1e-4),
    }


def test_trace_has_units_and_measures(answer: Answer, tmp_path: Path) -> None:
    write_answer(answer, tmp_path / "charge.h5")
    with Trace.open(tmp_path / "charge.h5") as trace:
        assert (trace["b"].unit, trace["i(v1)"].unit) == ("V", "A")
        np.testing.assert_array_equal(trace["b"][:], answer.vectors["b"])
        stored = tomllib.loads(trace.provenance.configuration_toml)
    assert stored["measures"] == answer.measures
    assert stored["simulated"]["analysis"] == ".tran 10n 5u 0 10n"


@pytest.mark.parametrize("ending", [".csv", ".raw", ".vcd", ".parquet", ".pwl"])
def test_ending_chooses_the_format(answer: Answer, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"charge{ending}"
    write_answer(answer, path)
    begins = path.read_bytes()[:40]
    expected = {
        ".csv": b"time (s),", ".raw": b"Title:", ".vcd": b"$", ".parquet": b"PAR1", ".pwl": b"*"
    }  # fmt: skip
    assert begins.startswith(expected[ending])
    if ending == ".raw":
        assert len(read_raw(path)["time"]) == len(answer.vectors["time"])


def test_other_endings_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"known are \.h5, \.raw, \.csv"):
        check_output(Path("out.txt"), ".tran")
    with pytest.raises(ConfigurationError, match=r"ends in \.csv"):
        check_output(Path("out.h5"), ".ac")
    check_output(Path("out.csv"), ".ac")


@pytest.mark.parametrize("title", ["", "   ", "error: a title"])
def test_any_first_line_is_a_title(tmp_path: Path, title: str) -> None:
    text = f"{title}\nV1 a 0 4\nR1 a b 1k\nR2 b 0 3k\n.op\n.end\n"
    assert simulate(text, tmp_path / "a.cir").vectors["b"][0] == pytest.approx(3.0)


def test_ngspice_ends_itself_and_says_so(tmp_path: Path) -> None:
    """An undefined function ends ngspice for good, so that nothing may come of it later."""
    script = """
from cosim.engine.session import NgspiceSession
from cosim.errors import CosimError
session = NgspiceSession.start()
for circuit in ("B1 a 0 V=foo(1)\\nR1 a 0 1k", "V1 a 0 1\\nR1 a 0 1k"):
    try:
        print(session.analyse(f"title\\n{circuit}\\n.op\\n.end\\n"))
    except CosimError as error:
        print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    first, second = done.stdout.splitlines()[:2]
    assert first.startswith("NetlistError") and "no such function 'foo'" in first
    assert second.startswith("EngineError") and "another process" in second


def test_command_prints_measures_and_writes(tmp_path: Path) -> None:
    netlist, out = tmp_path / "charge.cir", tmp_path / "out.h5"
    netlist.write_text(CHARGE)
    command = [sys.executable, "-m", "cosim", "simulate", str(netlist), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "measure  half = 6.93" in done.stdout
    assert out.is_file()
    done = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stdout)["measures"]["top"] == pytest.approx(0.99326, rel=1e-4)


def test_ignored_line_is_quoted(tmp_path: Path) -> None:
    text = "title\nV1 a 0 1\nR1 a b 1k\nC1 b 0 1n\n.model d d(bogus=1)\n.op\n.end\n"
    with pytest.raises(NetlistError, match="bogus"):
        simulate(text.replace("C1 b", "D1 b 0 d\nC1 b"), tmp_path / "a.cir")
