"""Faults that come from outside a simulation: many at once, clocks, threads, forks."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from cosim.diffusion.run import Run
from cosim.engine.worker import Finished, Points, WorkerPool
from cosim.errors import ConfigurationError, TraceError
from cosim.lockstep.scheme import Explicit
from cosim.trace import Trace
from tests.benchmarks.ring import ideal_ring
from tests.engine.problems import UNIT_SECOND, Decay, Rate, block, simulation, solve

CONCURRENT = 10
JOB = simulation(block(Rate(Decay())), Explicit, 1.0, units=1.0, step=0.01)


def final(pool: WorkerPool) -> float:
    return float(solve(pool, JOB).values[-1, 0])


def test_clock_set_back_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits, flushes and the wall time of a trace are by a clock that cannot go back."""
    readings = iter(range(10_000_000, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(readings)))
    trace = ideal_ring("explicit").execute(tmp_path).trace
    trace.verify()
    assert trace.complete
    assert trace.wall_time_second is not None and 0 < trace.wall_time_second < 300


def test_workers_start_while_torch_computes_in_threads() -> None:
    """A forked worker would inherit torch's locks as they are, and hang."""
    stop = threading.Event()

    def compute() -> None:
        matrix = torch.randn(200, 200)
        while not stop.is_set():
            matrix = torch.tanh(matrix @ matrix)

    busy = [threading.Thread(target=compute, daemon=True) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        with WorkerPool(1, timeout_second=60) as own:
            assert final(own) == pytest.approx(np.exp(-1), rel=0.02)
    finally:
        stop.set()
        for thread in busy:
            thread.join()


def test_a_fork_of_the_parent_leaves_the_pool_alone(pool: WorkerPool) -> None:
    """Such as a library's subprocess: the child must not take the worker's messages."""
    expected = final(pool)
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert final(pool) == expected


def test_many_pools_at_once_do_not_disturb_each_other() -> None:
    """20 workers on this machine, a fourth of them at a time."""
    with ThreadPoolExecutor(5) as threads:
        results = list(threads.map(lambda _: _own_pool(), range(CONCURRENT)))
    assert len(set(results)) == 1


def _own_pool() -> float:
    with WorkerPool(1, timeout_second=60) as own:
        return final(own)


def test_concurrent_runs_in_one_folder_keep_one_trace_each_whole(tmp_path: Path) -> None:
    """The same folder: one is first, the others are refused, and its trace is whole."""
    runs = [ideal_ring("explicit") for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        outcomes = list(threads.map(lambda run: _attempt(run, tmp_path), runs))
    assert sorted(map(str, outcomes)) == ["complete", "refused", "refused"]
    trace = Trace.open(tmp_path / "trace.h5")
    trace.verify()
    assert trace.complete


def _attempt(run: Run, folder: Path) -> str:
    try:
        return run.execute(folder).trace.status
    except (ConfigurationError, TraceError) as error:
        is_there = "exists" in str(error) or "is being written by" in str(error)
        return "refused" if is_there else str(error)


def test_messages_end_with_the_end(pool: WorkerPool) -> None:
    messages = list(pool.run([JOB]))
    assert isinstance(messages[-1], Finished)
    times = np.concatenate([part.time_second for part in messages if isinstance(part, Points)])
    assert times[-1] == pytest.approx(UNIT_SECOND)
