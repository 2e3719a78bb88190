"""A run that was interrupted ends, bit for bit, as one that was not; or, asked to go on from its
last point, near there.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cosim.diffusion.config import parse
from cosim.diffusion.run import Run
from cosim.errors import ConfigurationError, EngineError
from cosim.trace import Trace

STATES = ("integrator_0.out", "integrator_1.out")


def run_of(**sections: object) -> Run:
    """Small steps: points leave the worker by the thousand."""
    values = {"name": "test", "task": "circle", "coupling": {"step_second": 12e-9}}
    return Run(parse(values | {"fidelity": {"opamp": "ideal"}} | sections, "the test"))


def interrupt(run: Run, folder: Path, part: float) -> None:
    def press(fraction: float, doing: str) -> None:
        if fraction > part:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.execute(folder, on_progress=press)


@pytest.mark.parametrize(
    ("sections", "tolerance"),
    [
        # Of the range: 0.1 mV, or some of the op-amps' own initial error; where the run was
        # interrupted is chance.
        ({}, 1e-3),
        pytest.param(
            {"fidelity": {"opamp": "transistor"}}, 4e-3, marks=pytest.mark.benchmark, id="op-amps"
        ),
        ({"fidelity": {"opamp": "macro"}, "equation": "sde"}, 2e-2),
        ({"score": "analog"}, 1e-3),
    ],
)
def test_resumed_run_ends_where_the_whole_one_ends(
    sections: dict[str, object], tolerance: float, tmp_path: Path
) -> None:
    run = run_of(**sections)
    interrupt(run, tmp_path / "cut", 0.2)
    recorded = Trace.open(tmp_path / "cut/trace.h5")
    begun, points = recorded.time_second[-1], recorded.points
    first = recorded[STATES[0]].values
    assert recorded.status == "interrupted" and begun < 0.9 * run.config.scaling.stop_second
    recorded.close()
    resumed = run.execute(tmp_path / "cut", resume=True, inside=True).trace
    whole = run.execute(tmp_path / "whole").trace
    assert resumed.complete
    resumed.verify()
    # Setting the recorded state anew is a jump for the coupling, of which another event may tell.
    assert [e.time_second for e in resumed.events if e.kind == "resumed"] == [begun]
    assert (np.diff(resumed.time_second) >= 0).all()
    np.testing.assert_array_equal(resumed[STATES[0]].values[:points], first)
    for name in STATES:
        expected = np.interp(resumed.time_second, whole.time_second, whole[name].values)
        error = np.abs(resumed[name].values - expected).max() / np.ptp(expected)
        assert error < tolerance
    assert not list((tmp_path / "cut").glob("*resuming*"))


def test_ensemble_keeps_its_complete_members(tmp_path: Path) -> None:
    run = run_of(ensemble={"samples": 3})
    interrupt(run, tmp_path / "cut", 0.5)
    before = Trace.open(tmp_path / "cut/trace.h5")
    done = [status == "complete" for status in before.member_statuses]
    assert any(done) and not all(done)
    before.close()
    resumed = run.execute(tmp_path / "cut", resume=True).trace
    whole = run.execute(tmp_path / "whole").trace
    for number in range(3):
        for member, expected in (
            (resumed.member(number), whole.member(number)),
            (resumed.member(number).coupling, whole.member(number).coupling),
        ):
            assert member.names == expected.names
            for name in ("time", *member.names):
                found = [table.read(name, slice(None)) for table in (member, expected)]
                np.testing.assert_array_equal(*found)
    assert not [event for event in resumed.events if event.kind == "resumed"]
    # A kill after the last point: what is missing is drawn.
    made = {name: (tmp_path / "cut" / name) for name in ("solve.png", "solver.cir", "trace.h5")}
    netlist, trace = made["solver.cir"].read_bytes(), made["trace.h5"].read_bytes()
    made["solve.png"].unlink()
    made["solver.cir"].unlink()
    outcome = run.execute(tmp_path / "cut", resume=True)
    assert made["solve.png"].exists() and made["trace.h5"].read_bytes() == trace
    assert made["solver.cir"].read_bytes() == netlist
    assert "all 3 members" in outcome.lines[0]


def test_what_cannot_be_resumed_is_left_as_it_is(tmp_path: Path) -> None:
    interrupt(run_of(), tmp_path / "cut", 0.2)
    trace = tmp_path / "cut/trace.h5"
    content = trace.read_bytes()
    with pytest.raises(ConfigurationError, match="another run"):
        run_of(ensemble={"seed": 1}).execute(tmp_path / "cut", resume=True)
    assert trace.read_bytes() == content
    drawn = run_of(equation="sde", noise={"source": "transient", "updates": 100})
    shutil.rmtree(tmp_path / "cut")
    interrupt(drawn, tmp_path / "cut", 0.2)
    content = trace.read_bytes()
    with pytest.raises(EngineError, match="cannot be resumed"):
        drawn.execute(tmp_path / "cut", resume=True, inside=True)
    assert trace.read_bytes() == content
