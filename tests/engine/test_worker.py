"""Faults of a simulation: each is one typed message, and what was recorded before is kept."""

import contextlib
import ctypes
import os
import signal
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from cosim.engine.worker import (
    STARTS,
    Failed,
    Finished,
    Message,
    Points,
    Simulation,
    WorkerPool,
    _Worker,
)
from cosim.errors import (
    BlockError,
    ConvergenceError,
    EngineError,
    NetlistError,
    WorkerCrashError,
    WorkerMemoryError,
    WorkerTimeoutError,
)
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import BUILT_IN, Explicit
from tests.engine.problems import UNIT_SECOND, Decay, Rate, block, simulation, solve

FAULT_UNITS = 0.5


@dataclass(frozen=True)
class Faulty:
    """A decay that goes wrong at half a unit of time."""

    fault: str

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        if time_second > FAULT_UNITS * UNIT_SECOND:
            match self.fault:
                case "raises":
                    raise ZeroDivisionError("the model divided by zero")
                case "nan":
                    return np.array([np.nan])
                case "shape":
                    return np.zeros(2)
                case "hangs":
                    time.sleep(60)
                case "hoards":
                    hoard = np.ones(150_000_000)  # 1.2 GB
                    time.sleep(60)
                    return -volts * hoard[0]
                case "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "reads_address_0":
                    ctypes.string_at(0)
        return -volts


def faulty(fault: str) -> Simulation:
    coupled = Block(Faulty(fault).value, ("x",), ("u",), name="rate")
    return simulation(coupled, Explicit, 1.0, units=1.0, step=0.01)


def run_to_end(pool: WorkerPool, job: Simulation) -> tuple[list[Points], Message]:
    messages = list(pool.run([job]))
    return [message for message in messages if isinstance(message, Points)], messages[-1]


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("raises", BlockError, "divided by zero"),
        ("nan", BlockError, "NaN"),
        ("shape", BlockError, r"shape \(2,\).*\(1,\) is needed"),
    ],
)
def test_block_fault_keeps_the_points_before_it(
    pool: WorkerPool, fault: str, error: type[EngineError], says: str
) -> None:
    points, last = run_to_end(pool, faulty(fault))
    assert isinstance(last, Failed)
    with pytest.raises(error, match=says):
        raise last.error
    recorded = np.concatenate([part.time_second for part in points])
    assert FAULT_UNITS * UNIT_SECOND * 0.97 < recorded[-1] <= FAULT_UNITS * UNIT_SECOND
    assert last.error.last_time_second == pytest.approx(recorded[-1])


def test_pool_goes_on_after_a_fault(pool: WorkerPool) -> None:
    good = simulation(block(Rate(Decay())), Explicit, 1.0, units=1.0, step=0.01)
    messages = list(pool.run([faulty("nan"), good]))
    assert isinstance(messages[-1], Finished)
    assert sum(isinstance(message, Failed) for message in messages) == 1


@pytest.mark.parametrize(
    ("fault", "signal_name"), [("killed", "SIGKILL"), ("reads_address_0", "SIGSEGV")]
)
def test_dead_worker_is_reported_with_its_signal(
    pool: WorkerPool, fault: str, signal_name: str
) -> None:
    _, last = run_to_end(pool, faulty(fault))
    assert isinstance(last, Failed) and isinstance(last.error, WorkerCrashError)
    assert signal_name in str(last.error)


@pytest.mark.parametrize("times", [1, STARTS])
def test_a_worker_killed_before_its_first_simulation_is_started_anew(
    times: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killed: list[int] = []
    start = _Worker.__init__

    def start_and_kill(self: _Worker) -> None:
        start(self)
        if len(killed) < times:
            killed.append(self.process.pid)
            self.process.kill()

    monkeypatch.setattr(_Worker, "__init__", start_and_kill)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    good = simulation(block(Rate(Decay())), Explicit, 1.0, units=1.0, step=0.01)
    with WorkerPool(1, timeout_second=30) as pool:
        if times < STARTS:
            assert isinstance(run_to_end(pool, good)[1], Finished)
        else:
            with pytest.raises(WorkerCrashError, match="SIGKILL"):
                run_to_end(pool, good)
        assert len(killed) == times
    assert not list(tmp_path.iterdir())  # no log, no room


def test_hang_is_ended_after_the_timeout() -> None:
    with WorkerPool(1, timeout_second=2) as pool:
        _, last = run_to_end(pool, faulty("hangs"))
    assert isinstance(last, Failed) and isinstance(last.error, WorkerTimeoutError)
    assert "accepted no point for 2 s" in str(last.error)


def test_process_that_takes_too_much_memory_is_ended() -> None:
    with WorkerPool(1, timeout_second=30, memory_byte=1e9) as pool:
        good = simulation(block(Rate(Decay())), Explicit, 1.0, units=1.0, step=0.01)
        assert isinstance(run_to_end(pool, good)[1], Finished)
        _, last = run_to_end(pool, faulty("hoards"))
        assert isinstance(last, Failed) and isinstance(last.error, WorkerMemoryError)
        assert "memory_gibibyte" in str(last.error)
        assert isinstance(run_to_end(pool, good)[1], Finished)


def netlist_job(body: str, saved: tuple[str, ...] = ("x",), stop: float = 1e-6) -> Simulation:
    return Simulation(0, f".title case\n{body}\n.save v(x)\n.tran 1n {stop!r}\n.end\n", stop, saved)


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        # A current that grows without bound as the voltage rises: x' = x^2 ends at 1 us.
        (
            "C1 x 0 1n\n.ic v(x)=1\nB1 0 x I=1m*V(x)*V(x)*exp(V(x)/10)\nR1 x 0 1g",
            ConvergenceError,
            "time step became too small at t =.*x",
        ),
        ("V1 x 0 1\nV2 x 0 2", ConvergenceError, "singular|no solution"),
        ("V1 x 0 1\nM1 x x 0 0 no_such_model", NetlistError, "no_such_model"),
        ("Vu x 0 external\nR1 x 0 1k", EngineError, "external source 'vu' that no block drives"),
        ("Vu x 0 dc 0 external\nR1 x 0 1k", NetlistError, "ngspice 39 dies"),
        ("Vu x 0 0 external\nR1 x 0 1k", NetlistError, "Write `external` alone"),
    ],
    ids=[
        "time_step_too_small",
        "singular_matrix",
        "unknown_model",
        "undriven_external",
        "deadly_external",
        "deadly_external_short",
    ],
)
def test_netlist_faults_are_named(
    pool: WorkerPool, body: str, error: type[Exception], says: str
) -> None:
    _, last = run_to_end(pool, netlist_job(body))
    assert isinstance(last, Failed)
    with pytest.raises(error, match=says):
        raise last.error


def test_fault_of_a_resumed_run_tells_the_circuits_time(pool: WorkerPool) -> None:
    body = "C1 x 0 1n\n.ic v(x)=1\nB1 0 x I=1m*V(x)*V(x)*exp(V(x)/10)\nR1 x 0 1g"
    job = netlist_job(body)
    job = replace(job, start_second=1e-3, record_second=1e-3, stop_second=1e-3 + job.stop_second)
    _, last = run_to_end(pool, job)
    assert isinstance(last, Failed) and isinstance(last.error, ConvergenceError)
    assert "too small at t = 0.001000" in str(last.error)
    assert last.error.last_time_second == pytest.approx(1.0004e-3, abs=0.6e-6)


def test_unknown_vector_is_named(pool: WorkerPool) -> None:
    _, last = run_to_end(pool, netlist_job("V1 x 0 1\nR1 x 0 1k", saved=("y",)))
    assert isinstance(last, Failed)
    assert "does not report the vectors ['y']" in str(last.error)


def test_recorded_coupling_is_what_the_netlist_carried(pool: WorkerPool) -> None:
    """The applied output that the lockstep reports is the node voltage that ngspice solved."""
    for scheme in BUILT_IN:
        job = simulation(block(Rate(Decay())), scheme, 1.0, units=1.0, step=0.01)
        points = solve(pool, job)
        np.testing.assert_allclose(points.outputs[:, 0], points.values[:, 1], atol=1e-9)
        np.testing.assert_allclose(points.inputs[:, 0], points.values[:, 0])
        # The estimate is applied minus the block's value at the accepted state: -x.
        np.testing.assert_allclose(
            points.errors[:, 0], points.outputs[:, 0] + points.inputs[:, 0], atol=1e-12
        )


class Interrupted:
    """Ctrl-C is pressed while it is destroyed, where Python drops exceptions."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_interrupt_is_not_lost_in_a_destructor() -> None:
    job = faulty("none")
    with WorkerPool(1, timeout_second=30) as own, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for _ in own.run([job] * 1000):
            Interrupted()


def test_second_interrupt_is_raised_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with (
        WorkerPool(1, timeout_second=30) as own,
        contextlib.closing(own.run([faulty("none")] * 1000)) as messages,
    ):
        next(messages)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
