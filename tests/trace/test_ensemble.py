"""An ensemble in one file: members interleave as they arrive, each on its own time grid."""

from pathlib import Path

import numpy as np
import pytest

from cosim.errors import TraceError
from cosim.trace import Trace, TraceWriter, schema
from tests.trace.recordings import COUPLING, PROVENANCE, SIGNALS

MEMBERS = 5
UNFINISHED = 4


def _member_rows(member: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(member)
    time_second = np.cumsum(generator.exponential(size=points))
    return time_second, generator.normal(size=(points, len(SIGNALS)))


@pytest.fixture
def expected() -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Times and values by member, of different lengths; member 3 never started."""
    return {0: _member_rows(0, 700), 1: _member_rows(1, 1), 2: _member_rows(2, 333),
            3: _member_rows(3, 0), UNFINISHED: _member_rows(4, 512)}  # fmt: skip


@pytest.fixture
def ensemble(tmp_path, monkeypatch, expected) -> Path:
    monkeypatch.setattr(schema, "CHUNK_POINTS", 128)
    generator = np.random.default_rng(0)
    sent = dict.fromkeys(expected, 0)
    with TraceWriter.create(
        tmp_path / "ensemble.h5",
        signals=SIGNALS,
        coupling=COUPLING,
        provenance=PROVENANCE,
        members=MEMBERS,
    ) as writer:
        while waiting := [m for m in expected if sent[m] < len(expected[m][0])]:
            member = int(generator.choice(waiting))
            part = slice(sent[member], sent[member] + int(generator.integers(1, 60)))
            time_second, values = (column[part] for column in expected[member])
            writer.append(time_second, values, member=member)
            writer.append_coupling(time_second, values[:, :1], member=member)
            sent[member] += len(time_second)
        writer.finish_member(0)
        writer.finish_member(1, "failed")
        writer.event(0.5, "failed", "Timestep too small", member=1)
        writer.finish_member(2)
        writer.finish("interrupted", "Ctrl-C")
    return tmp_path / "ensemble.h5"


def test_each_member_comes_back(ensemble, expected) -> None:
    with Trace.open(ensemble) as trace:
        trace.verify()
        assert trace.members == MEMBERS
        assert trace.points == sum(len(time_second) for time_second, _ in expected.values())
        for index, (time_second, values) in expected.items():
            member = trace.member(index)
            assert np.array_equal(member.time_second, time_second)
            for name, column in zip(member.names, values.T, strict=True):
                assert np.array_equal(member[name].values, column)
                assert np.array_equal(member[name][5:-5:3], column[5:-5:3])
            assert np.array_equal(member.coupling.time_second, time_second)
            assert np.array_equal(member.coupling["score.s0"].values, values[:, 0])


def test_each_member_has_its_status_and_events(ensemble) -> None:
    with Trace.open(ensemble) as trace:
        assert len(trace.events) == 1  # what is read of all is not taken for that of a member
        assert trace.member_statuses == ["complete", "failed", "complete", *["interrupted"] * 2]
        assert trace.member(0).complete
        assert trace.member(1).status == "failed"
        assert [event.message for event in trace.member(1).events] == ["Timestep too small"]
        assert trace.member(2).events == []
        assert (trace.status, trace.reason) == ("interrupted", "Ctrl-C")
        assert "2 of 5 members complete" in repr(trace)


def test_a_window_of_a_member(ensemble, expected) -> None:
    time_second, values = expected[2]
    first, last = time_second[[20, 30]]
    with Trace.open(ensemble) as trace:
        window = trace.member(2).window(first, last)
        assert np.array_equal(window[SIGNALS[1].name].values, values[20:31, 1])
        assert window.coupling.points == 11


def test_a_member_must_be_chosen_and_exist(ensemble) -> None:
    with Trace.open(ensemble) as trace:
        with pytest.raises(TraceError, match=r"trace.member\(0\)"):
            _ = trace[SIGNALS[0].name].values
        with pytest.raises(TraceError, match="no member 5"):
            trace.member(5)


@pytest.mark.parametrize("first_points", [0, 5, 128, 300])
def test_a_member_that_begins_anew_holds_its_last_attempt_only(
    tmp_path, monkeypatch, first_points
) -> None:
    monkeypatch.setattr(schema, "CHUNK_POINTS", 128)
    path = tmp_path / "run.h5"
    given_up, kept, other = (_member_rows(seed, 300) for seed in range(3))
    with TraceWriter.create(
        path, signals=SIGNALS, coupling=COUPLING, provenance=PROVENANCE, members=2
    ) as writer:

        def record(rows: tuple[np.ndarray, np.ndarray], part: slice, member: int) -> None:
            time_second, values = (column[part] for column in rows)
            writer.append(time_second, values, member)
            writer.append_coupling(time_second, values[:, :1], member)

        record(other, slice(0, 150), 0)
        record(given_up, slice(0, first_points), 1)
        writer.restart(1)
        with Trace.open(path) as live:
            assert live.member(1).points == live.member(1).coupling.points == 0
        record(other, slice(150, None), 0)
        record(kept, slice(None), 1)
        writer.finish()
    with Trace.open(path) as trace:
        trace.verify()
        for index, (time_second, values) in enumerate([other, kept]):
            member = trace.member(index)
            assert np.array_equal(member.time_second, time_second)
            assert np.array_equal(member["integrator_1.out"].values, values[:, 1])
            assert np.array_equal(member.coupling.time_second, time_second)
            assert np.array_equal(member.coupling["score.s0"].values, values[:, 0])


def test_a_single_run_begins_anew(tmp_path: Path) -> None:
    given_up, kept = _member_rows(0, 50), _member_rows(1, 30)
    with TraceWriter.create(tmp_path / "run.h5", signals=SIGNALS, provenance=PROVENANCE) as writer:
        writer.append(*given_up)
        writer.restart()
        writer.append(*kept)
        writer.finish()
    with Trace.open(tmp_path / "run.h5") as trace:
        trace.verify()
        assert np.array_equal(trace.time_second, kept[0])
        assert np.array_equal(trace.window(*kept[0][[3, 9]])["supply.current"], kept[1][3:10, 2])


def test_points_must_have_a_member_in_an_ensemble_only(tmp_path: Path) -> None:
    common = {"signals": SIGNALS, "provenance": PROVENANCE}
    time_second, values = _member_rows(0, 1)
    with TraceWriter.create(tmp_path / "e.h5", members=2, **common) as writer:
        for member in (None, -1, 2):
            with pytest.raises(ValueError, match="no member"):
                writer.append(time_second, values, member=member)
    with (
        TraceWriter.create(tmp_path / "r.h5", **common) as writer,
        pytest.raises(ValueError, match="no member"),
    ):
        writer.append(time_second, values, member=0)
    with pytest.raises(ValueError, match="at least one"):
        TraceWriter.create(tmp_path / "n.h5", members=0, **common)
