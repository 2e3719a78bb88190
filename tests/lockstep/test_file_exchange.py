"""A block that another process serves through two HDF5 files: the same numbers as in the ngspice
process, and every way in which either side can fail has its error.
"""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosim.diffusion.config import parse
from cosim.diffusion.run import Run, served_block
from cosim.engine.worker import Failed, Message, Points, Simulation, WorkerPool
from cosim.errors import BlockError, ConfigurationError, EngineError, ExchangeError
from cosim.lockstep.block import Block
from cosim.lockstep.exchange import REPLY_NAME, REQUEST_NAME, Column, LogReader, LogWriter
from cosim.lockstep.exchange_server import Served, await_request, serve
from cosim.lockstep.scheme import Explicit, Extrapolated, Linearised, Scheme
from cosim.trace import Trace
from cosim.trace.schema import text
from tests.engine.problems import UNIT_SECOND, Decay, Rate, block, served, simulation, solve

PAGE = Path(__file__).resolve().parents[2] / "cosim/docs/how-to/serve_the_score.md"
DECAY = block(Rate(Decay()))
FIELDS = ("time_second", "values", "inputs", "outputs", "errors")
PATIENCE_SECOND = 20.0


def decay(folder: Path, scheme: type[Scheme] = Explicit, step: float = 0.01) -> Simulation:
    """x' = -x over one unit of time, u = -x from a server."""
    job = simulation(DECAY, scheme, 1.0, units=1.0, step=step)
    return served(job, folder, PATIENCE_SECOND)


def serve_decay(folder: Path) -> None:
    serve(await_request(folder, PATIENCE_SECOND), DECAY, PATIENCE_SECOND)


@contextmanager
def background(function: Callable[[Path], object], folder: Path) -> Iterator[list[object]]:
    """Runs a server beside the test; what it returned or raised is in the list afterwards."""
    ended: list[object] = []

    def run() -> None:
        try:
            ended.append(function(folder))
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ended
    finally:
        thread.join()


def fault(pool: WorkerPool, job: Simulation) -> EngineError:
    """How a simulation failed."""
    last: Message | None = None
    for message in pool.run([job]):
        last = message
    assert isinstance(last, Failed)
    assert isinstance(last.error, EngineError)
    return last.error


# -- the numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "tolerance"),
    [  # An explicit u is of a step h = 0.01 before: x' = -x(t - h) is off by h t exp(-t) < 0.0037.
        (Explicit, 4e-3),
        (Extrapolated, 5e-5),
        (Linearised, 5e-5),
    ],
)
def test_server_printed_in_the_readme(
    pool: WorkerPool, scheme: type[Scheme], tolerance: float, tmp_path: Path
) -> None:
    found = re.search(r"```python\n(import os.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    script = tmp_path / "server.py"
    script.write_text(found[1])
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as server:
        points = solve(pool, decay(tmp_path, scheme))
        said, _ = server.communicate(timeout=PATIENCE_SECOND)
    assert "the run is complete" in said
    expected = np.exp(-points.time_second / UNIT_SECOND)
    np.testing.assert_allclose(points.values[:, 0], expected, atol=tolerance)
    inside = solve(pool, simulation(DECAY, scheme, 1.0, units=1.0, step=0.01))
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(points, name), getattr(inside, name))


@pytest.mark.parametrize("score", ["torch", pytest.param("split", marks=pytest.mark.benchmark)])
def test_served_solver_has_the_voltages_of_the_one_process(score: str, tmp_path: Path) -> None:
    values = {"name": "test", "task": "circle", "score": score, "fidelity": {"opamp": "ideal"}}
    coupling = {"step_second": 250e-9}
    command = [sys.executable, "-m", "cosim", "serve", str(tmp_path / "apart")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        apart = Run(parse(values | {"coupling": coupling | {"exchange": "file"}}, "the test"))
        outside = apart.execute(tmp_path / "apart").trace
        said, _ = server.communicate(timeout=PATIENCE_SECOND)
    assert "the run is complete" in said and server.returncode == 0
    inside = Run(parse(values | {"coupling": coupling}, "the test"))
    expected_trace = inside.execute(tmp_path / "inside").trace
    for table, expected in (
        (outside, expected_trace),
        (outside.coupling, expected_trace.coupling),
    ):
        np.testing.assert_array_equal(table.time_second, expected.time_second)
        for name in expected.names:
            np.testing.assert_array_equal(table[name].values, expected[name].values)


def test_interrupted_run_goes_on_with_another_server(tmp_path: Path) -> None:
    coupling = {"exchange": "file", "step_second": 25e-9}
    values = {"name": "test", "task": "circle", "fidelity": {"opamp": "ideal"}}
    run = Run(parse(values | {"coupling": coupling}, "the test"))

    def press(fraction: float, doing: str) -> None:
        if fraction > 0.2:
            raise KeyboardInterrupt

    def serve_solver(folder: Path) -> object:
        request = await_request(folder, PATIENCE_SECOND)
        return serve(request, served_block(folder), PATIENCE_SECOND)

    with background(serve_solver, tmp_path) as first, pytest.raises(KeyboardInterrupt):
        run.execute(tmp_path, on_progress=press)
    assert isinstance(first[0], ExchangeError)
    recorded = Trace.open(tmp_path / "trace.h5").points
    with background(serve_solver, tmp_path) as second:
        trace = run.execute(tmp_path, resume=True, inside=True).trace
    assert isinstance(second[0], Served) and second[0].status == "complete"
    assert trace.complete and trace.points > recorded
    assert "resumed" in {event.kind for event in trace.events}


def test_files_remain_as_a_log(pool: WorkerPool, tmp_path: Path) -> None:
    with background(serve_decay, tmp_path):
        points = solve(pool, decay(tmp_path, Linearised))
    with h5py.File(tmp_path / REQUEST_NAME) as request, h5py.File(tmp_path / REPLY_NAME) as reply:
        before = 3  # the operating point: its start, and two for the loop's gain there
        count = len(points.time_second) + before
        assert request["count"][()] == reply["count"][()] == count == len(request["time"])
        assert request["status"][()] == b"complete"
        assert request.attrs["run"] == reply.attrs["run"]
        assert list(request.attrs["inputs"]) == [b"x"]
        np.testing.assert_array_equal(request["time"][before:], points.time_second)
        np.testing.assert_array_equal(request["inputs"][before:], points.inputs)
        np.testing.assert_array_equal(reply["outputs"][:], -request["inputs"][:])
        np.testing.assert_array_equal(reply["jacobian"][:], np.full((count, 1, 1), -1.0))
    assert not list(tmp_path.glob(".*partial"))


# -- the faults ---------------------------------------------------------------------------------


def test_no_server_comes(pool: WorkerPool, tmp_path: Path) -> None:
    job = served(simulation(DECAY, Explicit, 1.0, 1.0, 0.01), tmp_path, 0.5)
    error = fault(pool, job)
    assert isinstance(error, ExchangeError)
    assert "No server came within 0.5 s" in str(error) and "cosim serve" in str(error)
    assert LogReader(tmp_path / REQUEST_NAME).status() == "failed"


def test_no_simulation_comes(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=r"No simulation asked in .* within 0.1 s"):
        await_request(tmp_path / "not there", 0.1)


def test_server_of_another_block_is_refused(pool: WorkerPool, tmp_path: Path) -> None:
    other = Block(DECAY.function, ("y",), ("u",), name="rate")
    job = served(simulation(DECAY, Explicit, 1.0, 1.0, 0.01), tmp_path, 1.0)

    def serve_other(folder: Path) -> object:
        return serve(await_request(folder, PATIENCE_SECOND), other, PATIENCE_SECOND)

    with background(serve_other, tmp_path) as ended:
        fault(pool, job)
    assert isinstance(ended[0], ExchangeError)
    assert "asks for block" in str(ended[0])


@pytest.mark.parametrize(
    ("fault_signal", "patience_second", "says"),
    [
        (signal.SIGKILL, PATIENCE_SECOND, r"its process \d+ has ended"),
        (signal.SIGSTOP, 12.0, "no reply for 12 s"),
    ],
)
def test_server_that_goes_away_mid_run(
    pool: WorkerPool,
    fault_signal: signal.Signals,
    patience_second: float,
    says: str,
    tmp_path: Path,
) -> None:
    job = simulation(DECAY, Explicit, 1.0, units=1.0, step=1e-4)
    server = multiprocessing.get_context("spawn").Process(target=serve_decay, args=(tmp_path,))
    server.start()
    assert server.pid is not None
    recorded = 0
    stopped = time.monotonic()
    for message in pool.run([served(job, tmp_path, patience_second)]):
        if isinstance(message, Points):
            if not recorded:
                os.kill(server.pid, fault_signal)
                stopped = time.monotonic()
            recorded += len(message.time_second)
    assert time.monotonic() - stopped < 15  # also on a busy machine
    assert isinstance(message, Failed) and isinstance(message.error, ExchangeError)
    assert re.search(
        rf"'rate' stopped answering: {says}.*last replied at \d\d:", str(message.error)
    )
    with h5py.File(tmp_path / REPLY_NAME, swmr=True) as reply:
        # Beside the points: two that were on their way, and the solution at 0 s.
        assert recorded <= reply["count"][()] <= recorded + 12
    server.kill()
    server.join()


@pytest.mark.parametrize("killed", ["run", "ngspice process"])
def test_killed_simulation(killed: str, tmp_path: Path) -> None:
    """The server hears of it, and the trace has what was recorded until a second before."""
    folder = tmp_path / "out"
    (tmp_path / "long.toml").write_text(
        'task = "circle"\n[coupling]\nexchange = "file"\nstep_second = 1e-9\n'
        '[fidelity]\nopamp = "ideal"\n'
    )
    command = [sys.executable, "-m", "cosim", "run", str(tmp_path / "long.toml"), "-o", str(folder)]
    simulating = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    request = await_request(folder, 60.0)

    def serve_it(folder: Path) -> object:
        return serve(request, served_block(folder), PATIENCE_SECOND)

    with background(serve_it, folder) as ended:
        while Trace.open(folder / "trace.h5").points < 100:
            time.sleep(0.1)
        os.kill(
            simulating.pid if killed == "run" else request.attributes["process"], signal.SIGKILL
        )
        began = time.monotonic()
    assert time.monotonic() - began < PATIENCE_SECOND
    assert isinstance(ended[0], ExchangeError)
    assert re.search(r"vanished after \d+ requests: its process \d+ has ended", str(ended[0]))
    _, errors = simulating.communicate(timeout=PATIENCE_SECOND)
    trace = Trace.open(folder / "trace.h5")
    assert trace.points >= 100 and trace.coupling.points >= 100
    assert f"cosim serve {folder}" in " ".join(errors.split())
    if killed == "ngspice process":
        assert simulating.returncode == 6 and "died (SIGKILL)" in errors
        assert trace.status == "failed"


def test_silent_simulation(tmp_path: Path) -> None:
    """It is there, but says nothing."""
    (asked,) = decay(tmp_path).blocks
    first_volts = np.ones(1)
    with background(lambda _: asked.function.value(0.0, first_volts), tmp_path) as ended:
        request = await_request(tmp_path, PATIENCE_SECOND)
        with pytest.raises(ExchangeError, match=r"vanished after 1 requests: no news for 0.5 s"):
            serve(request, DECAY, 0.5)
    np.testing.assert_array_equal(ended[0], -first_volts)


def test_an_answer_before_it_is_asked_for_is_none(tmp_path: Path) -> None:
    """It would be taken for that to the next request."""
    (asked,) = decay(tmp_path).blocks
    with background(lambda _: asked.function.value(0.0, np.ones(1)), tmp_path) as ended:
        run = {"run": text(await_request(tmp_path, PATIENCE_SECOND).attributes["run"])}
        columns = {"outputs": Column((1,), "V", "early")}
        reply = LogWriter(tmp_path / REPLY_NAME, run, columns, status=False)
        reply.append(np.zeros(1))
    np.testing.assert_array_equal(ended[0], [0.0])
    reply.append(np.zeros(1))
    with pytest.raises(ExchangeError, match=r"counts 2 replies.*asked 1 times"):
        asked.function.value(1e-9, np.ones(1))
    reply.close()


def answer_nan(folder: Path) -> None:
    def value(time_second: float, volts: np.ndarray) -> np.ndarray:
        return -volts if time_second < UNIT_SECOND / 2 else np.array([np.nan])

    serve(await_request(folder, PATIENCE_SECOND), Block(value, ("x",), ("u",), name="rate"), 5)


def reply_with(folder: Path, shape: tuple[int, ...], name: str, answers: int) -> None:
    request = await_request(folder, PATIENCE_SECOND)
    run = {"run": text(request.attributes["run"])}
    whole = folder / "whole"  # so that nobody reads it half written
    reply = LogWriter(whole, run, {name: Column(shape, "V", "wrong")}, status=False)
    for _ in range(answers):
        reply.append(np.zeros(shape))
    reply.close()
    whole.replace(folder / REPLY_NAME)


def answer_with_two_outputs(folder: Path) -> None:
    reply_with(folder, (2,), "outputs", 1)


def answer_without_outputs(folder: Path) -> None:
    reply_with(folder, (1,), "output", 1)


def answer_too_often(folder: Path) -> None:
    reply_with(folder, (1,), "outputs", 2)


def write_no_hdf5(folder: Path) -> None:
    await_request(folder, PATIENCE_SECOND)
    (folder / REPLY_NAME).write_text("u = -x")


@pytest.mark.parametrize(
    ("server", "error", "says"),
    [
        (answer_nan, BlockError, "NaN"),
        (answer_with_two_outputs, BlockError, r"shape \(2,\).*\(1,\) is needed"),
        (answer_without_outputs, ExchangeError, "exchange_reply.h5 cannot be read.*outputs"),
        (answer_too_often, ExchangeError, "counts 2 replies.*asked 1 times"),
        (write_no_hdf5, ExchangeError, "exchange_reply.h5 cannot be read"),
    ],
)
def test_answer_that_cannot_be_used(
    pool: WorkerPool,
    server: Callable[[Path], None],
    error: type[EngineError],
    says: str,
    tmp_path: Path,
) -> None:
    with background(server, tmp_path):
        found = fault(pool, decay(tmp_path))
    assert type(found) is error
    assert re.search(says, str(found)), found
    assert "\n" not in str(found)


def test_leftovers_confuse_nobody(pool: WorkerPool, tmp_path: Path) -> None:
    """Of a complete run, and of one that was killed; a server of that one is still there."""
    with background(serve_decay, tmp_path):
        first = solve(pool, decay(tmp_path))
    stale = (tmp_path / REPLY_NAME).read_bytes()
    with background(serve_decay, tmp_path) as ended:  # before its simulation
        time.sleep(0.2)
        assert not ended
        second = solve(pool, decay(tmp_path))
    np.testing.assert_array_equal(first.values, second.values)

    with h5py.File(tmp_path / REQUEST_NAME, "r+") as request:
        request["status"][()] = b"running"  # as its dead process would have left it

    def serve_late(folder: Path) -> None:
        request = await_request(folder, PATIENCE_SECOND)
        (folder / "late").write_bytes(stale)
        (folder / "late").replace(folder / REPLY_NAME)
        time.sleep(0.2)
        serve(request, DECAY, PATIENCE_SECOND)

    with h5py.File(tmp_path / REQUEST_NAME, "r+") as request:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        request.attrs["process"] = gone.pid
    with background(serve_late, tmp_path) as ended:
        time.sleep(0.2)
        assert not ended
        third = solve(pool, decay(tmp_path))
    assert ended == [None]
    np.testing.assert_array_equal(first.values, third.values)


@pytest.mark.parametrize(
    "sections",
    [
        {"ensemble": {"samples": 2}},
        {"ensemble": {"corners": ["ff"]}, "fidelity": {"opamp": "transistor"}},
        {"ensemble": {"monte_carlo": 3}, "fidelity": {"opamp": "transistor"}},
        {"engine": {"scheduler": "tcp://127.0.0.1:8786"}},
        {"score": "analog"},
    ],
)
def test_only_a_single_run_is_served(sections: dict[str, object]) -> None:
    values = {"name": "test", "task": "circle", "coupling": {"exchange": "file"}}
    with pytest.raises(ConfigurationError, match=r"coupling.exchange 'file'.*exchange 'process'"):
        parse(values | sections, "the test")
