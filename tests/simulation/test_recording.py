"""The recorder alone: netlists and blocks of nobody's, scripted workers, a trace that opens."""

from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cosim.engine.worker import (
    Failed,
    Finished,
    Message,
    Points,
    Simulation,
    Started,
    Statistics,
)
from cosim.errors import ConfigurationError, EngineError
from cosim.netlist.netlist import Signal
from cosim.simulation.predecessor import Resume
from cosim.simulation.recording import Finding, record_ensemble
from cosim.trace import Provenance, Trace

SIGNALS = [Signal("stage.out", "out", "V", "the output")]
STOP_SECOND = 1e-6
STATISTICS = Statistics(0.0, 0.0, 0.0, 0.0, 1, 1)


def provenance(netlist: str = "one") -> Provenance:
    return Provenance.collect(
        configuration_toml="", netlist=netlist, seeds={}, ngspice_version="", model_sha256=""
    )


def simulations(count: int) -> list[Simulation]:
    return [Simulation(number, "", STOP_SECOND, ("out",)) for number in range(count)]


def points(member: int, first: float, last: float) -> Points:
    time_second = np.linspace(first, last, 5)
    nothing = np.empty((5, 0))
    return Points(member, time_second, time_second[:, None] + member, nothing, nothing, nothing)


class Workers:
    """Simulates by the script: all, or until a member breaks or Ctrl-C is pressed."""

    def __init__(self, *, broken: int = -1, times: int = 0, pressed_at: int = -1) -> None:
        self.broken, self.times, self.pressed_at = broken, times, pressed_at
        self.ran: list[int] = []

    def run(self, simulations: Iterable[Simulation]) -> Generator[Message]:
        for simulation in simulations:
            number, middle = simulation.member, STOP_SECOND / 2
            self.ran.append(number)
            yield Started(number)
            yield points(number, simulation.record_second, max(simulation.record_second, middle))
            if number == self.pressed_at:
                raise KeyboardInterrupt
            if number == self.broken and self.times > 0:
                self.times -= 1
                yield Failed(number, EngineError("divided by zero"))
                continue
            yield points(number, middle, STOP_SECOND)
            yield Finished(number, STATISTICS)

    def renew(self) -> None:
        pass

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def record(path: Path, workers: Workers, members: int | None = 3, **options: object) -> list:
    return record_ensemble(
        simulations(members or 1),
        path,
        signals=SIGNALS,
        provenance=options.pop("provenance", provenance()),  # type: ignore[arg-type]
        executor=workers,  # type: ignore[arg-type]
        members=members,
        **options,  # type: ignore[arg-type]
    )


def test_members_and_notes_are_recorded_and_progress_ends_at_one(tmp_path: Path) -> None:
    heard: list[float] = []
    members = record(
        tmp_path / "t.h5", Workers(), notes={1: "corner ss"},
        on_progress=lambda fraction, doing: heard.append(fraction),
    )  # fmt: skip
    assert heard == sorted(heard) and heard[-1] == pytest.approx(1.0)
    assert [float(one.final_values[0]) for one in members] == pytest.approx([0, 1, 2], abs=1e-5)
    with Trace.open(tmp_path / "t.h5") as trace:
        trace.verify()
        assert trace.member_statuses == ["complete"] * 3
        assert [(one.member, one.message) for one in trace.events] == [(1, "corner ss")]
        np.testing.assert_array_equal(
            trace.member(2)["stage.out"].values, trace.member(2).time_second + 2
        )


@pytest.mark.parametrize("times", [1, 2])
def test_a_failed_member_is_run_again_and_its_first_points_do_not_count(
    times: int, tmp_path: Path
) -> None:
    if times == 2:
        with pytest.raises(EngineError, match=r"1 of 3 members failed.*divided by zero"):
            record(tmp_path / "t.h5", Workers(broken=1, times=times))
    else:
        record(tmp_path / "t.h5", Workers(broken=1, times=times))
    with Trace.open(tmp_path / "t.h5") as trace:
        assert [one.kind for one in trace.member(1).events] == ["retried", "failed"][:times]
        assert trace.member_statuses[1] == ("complete" if times == 1 else "failed")
        assert trace.member(1).points == (10 if times == 1 else 5)
        assert trace.member_statuses[::2] == ["complete"] * 2


class Highest:
    """Says how high the output came."""

    def __init__(self, member: int) -> None:
        self.highest = -np.inf

    def see(self, points: Points) -> None:
        self.highest = max(self.highest, points.values.max())

    def findings(self) -> list[Finding]:
        return [Finding(0.0, "highest", f"{self.highest:.3g}")]


def test_what_a_monitor_finds_is_an_event_of_its_member(tmp_path: Path) -> None:
    record(tmp_path / "t.h5", Workers(broken=2, times=1), monitor=Highest)
    with Trace.open(tmp_path / "t.h5") as trace:
        found = {one.member: one.message for one in trace.events if one.kind == "highest"}
    assert found == {0: "1e-06", 1: "1", 2: "2"}


def continued(simulation: Simulation, at_second: float, values: np.ndarray) -> Simulation:
    assert values == pytest.approx(simulation.member + at_second)
    return replace(simulation, record_second=at_second)


@pytest.mark.parametrize("way", [continued, None])
def test_an_interrupted_recording_goes_on(way: object, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    with pytest.raises(KeyboardInterrupt):
        record(path, Workers(pressed_at=1))
    with pytest.raises(ConfigurationError, match="another run"):
        record(path, Workers(), resume=Resume(way), provenance=provenance("two"))  # type: ignore[arg-type]
    workers = Workers()
    record(path, workers, resume=Resume(way), monitor=Highest)  # type: ignore[arg-type]
    assert workers.ran == [1, 2]
    with Trace.open(path) as trace:
        trace.verify()
        assert trace.complete and trace.member_statuses == ["complete"] * 3
        assert trace.member(1).points == (15 if way else 10)
        resumed = [one.kind for one in trace.member(1).events]
        assert resumed == (["resumed"] if way else []) + ["highest"]
        # What was copied is watched too.
        assert [one.message for one in trace.member(0).events] == ["1e-06"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_complete_recording_is_seen_again_and_not_simulated(tmp_path: Path) -> None:
    path, seen = tmp_path / "t.h5", {}

    class Seeing(Highest):
        def findings(self) -> list[Finding]:
            seen[self.highest] = seen.get(self.highest, 0) + 1
            return super().findings()

    first = record(path, Workers(), monitor=Seeing)
    content, workers = path.read_bytes(), Workers()
    again = record(path, workers, resume=Resume(), monitor=Seeing)
    assert workers.ran == [] and path.read_bytes() == content
    assert set(seen.values()) == {2}
    for one, other in zip(first, again, strict=True):
        assert one.last_time_second == other.last_time_second
        np.testing.assert_array_equal(one.final_values, other.final_values)


def test_from_its_first_moment_a_resumed_recording_holds_all_there_was(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    with pytest.raises(KeyboardInterrupt):
        record(path, Workers(pressed_at=2))

    class Killed(Workers):
        def run(self, simulations: Iterable[Simulation]) -> Generator[Message]:
            with Trace.open(path) as trace:  # what a kill in this moment leaves
                found = trace.member_statuses, trace.member(1).points
            assert found == (["complete", "complete", "running"], 10)
            yield from super().run(simulations)

    record(path, Killed(), resume=Resume())
    assert list(tmp_path.iterdir()) == [path]
