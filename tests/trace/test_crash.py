"""A trace outlives its writer: kills, stalls, full disks, Ctrl-C; and is read meanwhile."""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosim.errors import TraceError
from cosim.trace import Trace, TraceWriter, schema
from tests.trace.recordings import (
    COUPLING,
    DIARY,
    PROCESSES,
    PROVENANCE,
    SIGNALS,
    check_is_known,
    fill_the_disk,
    rows,
    write_on_demand,
    write_until_killed,
)

POINTS_AT_STAKE = 10_000
SECONDS_AT_STAKE = 1.0


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> float:
    """How long it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - started


def kill_and_read(folder: Path, draws: list[random.Random]) -> None:
    """Kill as many writers, running at once, at random moments; each file must keep its word."""
    writers = []
    for number, draw in enumerate(draws):
        path, diary = folder / f"{number}.h5", folder / f"{number}.diary"
        pace = draw.choice([0.0, 0.001, 0.01])
        process = PROCESSES.Process(
            target=write_until_killed, args=(path, diary, draw.randint(1, 3000), pace)
        )
        process.start()
        writers.append((process, path, diary))
    moments = []
    for (_, path, _), draw in zip(writers, draws, strict=True):
        wait_until(path.exists)
        moments.append(time.monotonic() + draw.uniform(0, 1.6))
    killed = {}
    for number in np.argsort(moments):
        process = writers[number][0]
        time.sleep(max(0.0, moments[number] - time.monotonic()))
        killed[number] = time.monotonic()
        process.kill()
        process.join()
    for number, (_, path, diary) in enumerate(writers):
        with Trace.open(path) as trace:
            assert (trace.status, trace.complete) == ("running", False)
            assert trace.provenance == PROVENANCE
            check_is_known(trace)
            appended = np.fromfile(diary, DIARY) if diary.exists() else np.empty(0, DIARY)
            safe = appended["points"][appended["second"] < killed[number] - SECONDS_AT_STAKE]
            for table in (trace, trace.coupling):
                assert table.points >= max(safe, default=0)
                assert table.points > max(appended["points"], default=0) - POINTS_AT_STAKE


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_writer_leaves_what_it_promised(tmp_path: Path, seed: int) -> None:
    kill_and_read(tmp_path, [random.Random(4 * seed + number) for number in range(4)])


@pytest.mark.parametrize("members", [None, 2])
def test_the_file_is_whole_between_any_two_writes(tmp_path, monkeypatch, members) -> None:
    """What a kill would leave after each single call that writes, in order."""
    monkeypatch.setattr(schema, "CHUNK_POINTS", 8)
    path = tmp_path / "run.h5"
    left: list[Path] = []

    def then_copied(method):
        def call(*arguments, **options):
            result = method(*arguments, **options)
            if path.exists():
                left.append(tmp_path / f"after_{len(left)}.h5")
                shutil.copy(path, left[-1])
            return result

        return call

    for owner, name in (
        (h5py.Dataset, "__setitem__"),
        (h5py.Dataset, "resize"),
        (h5py.Dataset, "flush"),
        (h5py.File, "flush"),
        (h5py.File, "close"),
    ):
        monkeypatch.setattr(owner, name, then_copied(getattr(owner, name)))
    options = {} if members is None else {"member": 1}
    points = 0
    with TraceWriter.create(
        path, signals=SIGNALS, coupling=COUPLING, provenance=PROVENANCE, members=members
    ) as writer:
        for block in (3, 5, 8, 1, 9):
            writer.append(*rows(points, points + block), **options)
            writer.append_coupling(*rows(points, points + block, 1), **options)
            points += block
            writer.event(0.0, "block", str(block))
            writer.flush()
        if members:
            writer.finish_member(1)
        writer.finish()
    monkeypatch.undo()
    monkeypatch.setattr(schema, "CHUNK_POINTS", 8)

    assert len(left) > 80
    recorded = []
    for copy in left:
        with Trace.open(copy) as trace:
            run = trace if members is None else trace.member(1)
            check_is_known(run)
            recorded.append((run.points, len(trace.events)))
            if run.complete:
                assert run.points == points
            if trace.complete:
                trace.verify()
    assert recorded == sorted(recorded)
    assert recorded[-1] == (points, 5)


@contextmanager
def another_writer(path: Path) -> Iterator[Connection]:
    """Another process, that appends as many points as it is sent, and finishes at 0."""
    orders, child = PROCESSES.Pipe()
    process = PROCESSES.Process(target=write_on_demand, args=(path, child))
    process.start()
    assert orders.recv() == "ready"
    yield orders
    orders.send(0)
    assert orders.recv() == "finished"
    process.join()


def test_a_live_run_is_followed_from_another_process(tmp_path: Path) -> None:
    with another_writer(tmp_path / "run.h5") as orders:
        trace = Trace.open(tmp_path / "run.h5")
        assert (trace.points, trace.status) == (0, "running")
        total = 0
        for block in (10, 8182, 1, 20_000, 500):
            orders.send(block)
            total += block

            def arrived(total: int = total) -> bool:
                nonlocal trace
                trace = trace.refresh()
                return min(trace.points, trace.coupling.points) == total

            assert wait_until(arrived) < SECONDS_AT_STAKE  # though the writer gets nothing more
            check_is_known(trace)
    trace = trace.refresh()
    assert trace.complete
    trace.verify()
    trace.close()


def test_a_program_without_cosim_follows_a_run_by_the_documented_layout(tmp_path: Path) -> None:
    def read() -> np.ndarray:
        with h5py.File(tmp_path / "run.h5", "r", swmr=True) as file:
            progress = file["progress"][()]
            column = list(file["columns"].asstr()).index("integrator_1.out")
            chunks = file["signals/integrator_1/out"][: progress["points"]]
            tail = file["tail"][: progress["tail_points"], column]
            return np.concatenate([chunks, tail])

    with another_writer(tmp_path / "run.h5") as orders:
        orders.send(10_000)
        wait_until(lambda: len(read()) == 10_000)
        assert np.array_equal(read(), rows(0, 10_000)[1][:, 1])


def fill_and_read(path: Path, limit_byte: int) -> None:
    """Let a writer meet a full disk; it must say so, end without a crash and keep its record."""
    told, child = PROCESSES.Pipe()
    process = PROCESSES.Process(target=fill_the_disk, args=(path, limit_byte, child))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    messages = [told.recv() for _ in range(3)]
    assert "File too large" in messages[0]
    assert "can be read" in messages[0]
    assert messages[1:] == messages[:1] * 2
    with Trace.open(path) as trace:
        assert not trace.complete
        check_is_known(trace)
        assert 24 * (trace.points + 2 * 8192) > limit_byte / 3


@pytest.mark.parametrize("limit_byte", [150_000, 500_000, 1_000_000])
def test_a_full_disk_ends_the_writer_and_keeps_the_record(tmp_path, limit_byte) -> None:
    fill_and_read(tmp_path / "run.h5", limit_byte)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (KeyboardInterrupt(), "interrupted", "The user interrupted"),
        (RuntimeError("Timestep too small"), "failed", "Timestep too small"),
        (ZeroDivisionError(), "failed", "ZeroDivisionError"),
        (None, "interrupted", "before the run was finished"),
    ],
)
def test_a_run_that_breaks_off_is_finished_with_its_reason(tmp_path, error, status, reason) -> None:
    def run() -> None:
        with TraceWriter.create(
            tmp_path / "run.h5", signals=SIGNALS, provenance=PROVENANCE
        ) as writer:
            writer.append(*rows(0, 100))
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    with Trace.open(tmp_path / "run.h5") as trace:
        assert (trace.status, trace.points) == (status, 100)
        assert reason in trace.reason
        trace.verify()


def test_ctrl_c_within_a_write_spoils_nothing(tmp_path, monkeypatch) -> None:
    """The interrupt comes after some of the signals have got a chunk, and others have not."""
    monkeypatch.setattr(schema, "CHUNK_POINTS", 8)
    write = h5py.Dataset.__setitem__
    calls = iter(range(1000))

    def interrupted(dataset, *arguments) -> None:
        if dataset.name == "/signals/integrator_1/out" and next(calls) == 1:
            raise KeyboardInterrupt
        write(dataset, *arguments)

    def run() -> None:
        with TraceWriter.create(
            tmp_path / "run.h5", signals=SIGNALS, provenance=PROVENANCE
        ) as writer:
            monkeypatch.setattr(h5py.Dataset, "__setitem__", interrupted)
            for first in range(0, 40, 4):
                writer.append(*rows(first, first + 4))

    with pytest.raises(KeyboardInterrupt):
        run()
    with Trace.open(tmp_path / "run.h5") as trace:
        assert (trace.status, trace.points) == ("interrupted", 16)
        assert np.array_equal(trace["supply.current"].values, rows(0, 16)[1][:, 2])
        trace.verify()


def test_a_finished_writer_takes_no_more(tmp_path: Path) -> None:
    writer = TraceWriter.create(tmp_path / "run.h5", signals=SIGNALS, provenance=PROVENANCE)
    writer.finish()
    for refused in (lambda: writer.append(*rows(0, 1)), writer.finish):
        with pytest.raises(TraceError, match="already finished"):
            refused()
