"""A run that was interrupted goes on from its last point, and ends where the whole run ends."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cosim.diffusion.config import parse
from cosim.diffusion.run import Run
from cosim.errors import ConfigurationError, EngineError, TraceError
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
        ({"fidelity": {"opamp": "transistor"}}, 4e-3),
        ({"fidelity": {"opamp": "macro"}, "equation": "sde"}, 1e-2),
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
    resumed = run.execute(tmp_path / "cut", resume=True).trace
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
    for number, complete in enumerate(done):
        member, expected = resumed.member(number), whole.member(number)
        assert member.complete
        if complete:
            np.testing.assert_array_equal(member[STATES[0]].values, expected[STATES[0]].values)
        final = member[STATES[0]].values[-1]
        assert final == pytest.approx(expected[STATES[0]].values[-1], abs=1e-4)


def test_what_cannot_be_resumed_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no trace"):
        run_of().execute(tmp_path / "nothing", resume=True)
    interrupt(run_of(), tmp_path / "cut", 0.2)
    trace = tmp_path / "cut/trace.h5"
    content = trace.read_bytes()
    with pytest.raises(ConfigurationError, match="another run"):
        run_of(ensemble={"seed": 1}).execute(tmp_path / "cut", resume=True)
    assert trace.read_bytes() == content
    run_of().execute(tmp_path / "cut", resume=True)
    with pytest.raises(ConfigurationError, match="nothing to resume"):
        run_of().execute(tmp_path / "cut", resume=True)
    drawn = run_of(equation="sde", noise={"source": "transient", "updates": 100})
    shutil.rmtree(tmp_path / "cut")
    interrupt(drawn, tmp_path / "cut", 0.2)
    content = trace.read_bytes()
    with pytest.raises(EngineError, match="cannot be resumed"):
        drawn.execute(tmp_path / "cut", resume=True)
    assert trace.read_bytes() == content
