"""`plot`, `tail` and `watch` of an ensemble, no member named."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cosim.cli import app
from cosim.trace import Provenance, Signal, Trace, TraceWriter
from cosim.trace.follow import viewed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two members of three, the first complete, the second cut off."""
    provenance = Provenance.collect(
        configuration_toml="", netlist="", seeds={}, ngspice_version="", model_sha256=""
    )
    path, time_second = tmp_path / "run.h5", np.linspace(0, 1e-6, 20)
    signals = [Signal("stage.out", "V", "output")]
    with TraceWriter.create(path, signals=signals, provenance=provenance, members=3) as writer:
        for member in (0, 1):
            writer.append(time_second, time_second[:, None] + member, member)
        writer.finish_member(0)  # writes both
        with Trace.open(path) as trace:
            assert viewed(trace, None) == 1  # the one that is being simulated
            assert viewed(trace, 0) == 0
    return path


def test_plot_draws_all_members(path: Path) -> None:
    done = CliRunner().invoke(app, ["trace", "plot", str(path)])
    assert done.exit_code == 0, done.output
    assert path.with_suffix(".png").stat().st_size > 1000


def test_tail_and_watch_show_the_last_member(path: Path) -> None:
    done = CliRunner().invoke(app, ["trace", "tail", str(path), "-n", "3"])
    assert done.exit_code == 0, done.output
    rows = [line.split("\t") for line in done.output.splitlines() if "\t" in line]
    assert rows[0] == ["time_second", "stage.out"] and len(rows) == 4
    assert float(rows[-1][1]) == pytest.approx(1.000001)
    done = CliRunner().invoke(app, ["watch", str(path)])
    assert done.exit_code == 0, done.output
    assert "member 1 (1 of 3 complete)" in " ".join(done.output.split())
