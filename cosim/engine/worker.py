"""Worker processes: one ngspice each, started once and reused for many simulations.

The parent sees a stream of messages (`Started`, `Points`, `Finished`, `Failed`) and is the only
one to write traces, so nothing recorded is lost when a worker crashes, hangs or is killed.
A fault inside a simulation ends its worker: the process is the unit of cancellation, because
ngspice's state after a fault cannot be trusted.
"""

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import NoReturn

import numpy as np
import psutil

from cosim.errors import (
    CosimError,
    EngineError,
    WorkerCrashError,
    WorkerMemoryError,
    WorkerTimeoutError,
)
from cosim.lockstep.lockstep import Block, Lockstep, Stepping
from cosim.lockstep.port import Scheme

BLOCK_POINTS = 1024
FLUSH_SECOND = 0.25
START_TIMEOUT_SECOND = 120.0
GIBI = 2**30


@dataclass(frozen=True)
class Simulation:
    """One transient analysis in lockstep with blocks.

    Attributes:
        member: its number in the ensemble.
        netlist: the whole netlist, with `.tran` and `.save`; workers load it once for all
            members that share it.
        stop_second: when it ends.
        saved: names of the vectors to record, as ngspice reports them (`x_0`, `vdd#branch`).
        sources: DC values (volts) of independent sources, set before the run.
        blocks: what runs in lockstep.
        scheme: the coupling scheme; the netlist holds the ports for it.
        initial_volts: voltages of the blocks' inputs before the operating point is known.
        stepping: how steps are limited for the coupling's sake.
        start_second: circuit time at which its `.tran` begins.
        record_second: from when points are recorded; before, a resumed circuit is precharged.
    """

    member: int
    netlist: str
    stop_second: float
    saved: tuple[str, ...]
    sources: dict[str, float] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    scheme: Scheme = Scheme.LINEARISED
    initial_volts: tuple[float, ...] = ()
    stepping: Stepping = Stepping()
    start_second: float = 0.0
    record_second: float = 0.0


@dataclass(frozen=True)
class Statistics:
    """Where the wall time of a simulation went.

    First the netlist is loaded, then the transient runs; what is done at each accepted point is
    part of it, and the blocks' functions are part of that.
    """

    load_second: float
    transient_second: float
    block_second: float
    accept_second: float
    accepted_points: int
    newton_calls: int


@dataclass(frozen=True)
class Message:
    """From a worker, about one simulation."""

    member: int


@dataclass(frozen=True)
class Started(Message):
    """The worker has loaded the netlist; points sent before, by an attempt that failed, no longer
    count.
    """


@dataclass(frozen=True)
class Points(Message):
    """Accepted points: time [n] and recorded vectors [n, saved].

    What crossed the lockstep interface: block inputs [n, inputs], applied outputs and coupling
    errors [n, outputs].
    """

    time_second: np.ndarray
    values: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True)
class Finished(Message):
    """The simulation reached its end."""

    statistics: Statistics


@dataclass(frozen=True)
class Failed(Message):
    """The simulation did not finish; points before the fault have been sent."""

    error: CosimError


# -- inside the worker --------------------------------------------------------------------------


class _Recorder:
    """Observer that runs the lockstep and sends points in blocks."""

    def __init__(self, simulation: Simulation, connection: Connection) -> None:
        self.simulation = simulation
        self.connection = connection
        self.lockstep = Lockstep(
            simulation.blocks,
            simulation.scheme,
            simulation.initial_volts,
            simulation.stepping,
            simulation.start_second,
        )
        self.accept_second = 0.0
        self._count = 0
        self._time = np.empty(BLOCK_POINTS)
        self._values = np.empty((BLOCK_POINTS, len(simulation.saved)))
        self._inputs = np.empty((BLOCK_POINTS, len(self.lockstep.input_nodes)))
        outputs = len(self.lockstep.output_nodes)
        self._outputs = np.empty((BLOCK_POINTS, outputs))
        self._errors = np.empty((BLOCK_POINTS, outputs))
        self._flushed = time.monotonic()

    def begin(self, names: Sequence[str]) -> Sequence[int]:
        wanted = [name.lower() for name in (*self.simulation.saved, *self.lockstep.input_nodes)]
        order = {name: index for index, name in enumerate(names)}
        if missing := [name for name in wanted if name not in order]:
            raise EngineError(
                f"ngspice does not report the vectors {missing}; it reports {sorted(names)}. "
                "Name nodes of the netlist, or what `.save` asks for."
            )
        return [order[name] for name in wanted]

    def source_value(self, name: str) -> Callable[[float], float]:
        lockstep = self.lockstep
        index = lockstep.external_index.get(name)
        if index is None:
            self.fail(
                EngineError(
                    f"The netlist has an external source '{name}' that no block drives. Blocks "
                    f"drive {sorted(lockstep.external_index)}. Remove it or add its block."
                )
            )
        base, slope = lockstep.base, lockstep.slope

        def value(time_second: float) -> float:
            return base[index] + slope[index] * (time_second - lockstep.accepted_second)

        return value

    def accept(self, time_second: float, values: np.ndarray) -> None:
        started = time.perf_counter()
        row, recorded = self._count, self._values.shape[1]
        self._time[row] = time_second
        self._values[row] = values[:recorded]
        volts = values[recorded:].copy()  # a block may keep it
        self._inputs[row] = volts
        try:
            self.lockstep.accept(time_second, volts, self._outputs[row], self._errors[row])
        except CosimError as error:
            self.fail(error)
        self._count += time_second >= self.simulation.record_second
        if self._count == BLOCK_POINTS or time.monotonic() - self._flushed > FLUSH_SECOND:
            self.flush()
        self.accept_second += time.perf_counter() - started

    @property
    def longest_step_second(self) -> float | None:
        return self.lockstep.longest_step_second

    def flush(self) -> None:
        """Send what has been recorded; blocks while the parent is behind."""
        rows = slice(0, self._count)
        if self._count:
            self.connection.send(
                Points(
                    self.simulation.member,
                    self._time[rows],
                    self._values[rows],
                    self._inputs[rows],
                    self._outputs[rows],
                    self._errors[rows],
                )
            )
        self._count = 0
        self._flushed = time.monotonic()

    def fail(self, error: CosimError) -> NoReturn:
        """Send the points before the fault and the fault, and end the process."""
        self.flush()
        if isinstance(error, EngineError) and error.last_time_second is None:
            error.last_time_second = self.lockstep.accepted_second
        _fail(self.simulation, error, self.connection)


def _serve(connection: Connection, log_path: str) -> None:
    """Run simulations from `connection` until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)

    from cosim.engine.session import NgspiceSession

    try:
        session = NgspiceSession.start()
    except CosimError as error:
        connection.send(error)
        return
    connection.send(None)
    while True:
        try:
            simulation: Simulation = connection.recv()
        except EOFError:
            return
        _simulate(session, simulation, connection)


def _simulate(session, simulation: Simulation, connection: Connection) -> None:  # type: ignore[no-untyped-def]
    try:
        recorder = _Recorder(simulation, connection)
    except CosimError as error:
        _fail(simulation, error, connection)
    try:
        started = time.perf_counter()
        session.load(simulation.netlist)
        for name, volt in simulation.sources.items():
            session.set_source(name, volt)
        connection.send(Started(simulation.member))
        loaded = time.perf_counter()
        start_second = simulation.start_second
        session.transient(recorder, simulation.stop_second - start_second, start_second)
        ended = time.perf_counter()
    except CosimError as error:
        recorder.fail(error)
    recorder.flush()
    _tell_end(simulation, complete=True)
    connection.send(
        Finished(
            simulation.member,
            Statistics(
                load_second=loaded - started,
                transient_second=ended - loaded,
                block_second=recorder.lockstep.block_second,
                accept_second=recorder.accept_second,
                accepted_points=session.accepted_points,
                newton_calls=session.newton_calls,
            ),
        )
    )


def _fail(simulation: Simulation, error: CosimError, connection: Connection) -> NoReturn:
    _tell_end(simulation, complete=False)
    connection.send(Failed(simulation.member, error))
    connection.close()
    os._exit(1)


def _tell_end(simulation: Simulation, *, complete: bool) -> None:
    for block in simulation.blocks:
        if block.ended is not None:
            block.ended(complete)


# -- in the parent ------------------------------------------------------------------------------


class _Worker:
    """The parent's end of one worker process."""

    def __init__(self) -> None:
        # 'spawn': torch's threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self.connection, child = context.Pipe()
        handle, self._log_path = tempfile.mkstemp(prefix="cosim-worker-", suffix=".log")
        os.close(handle)
        self.process = context.Process(target=_serve, args=(child, self._log_path), daemon=True)
        self.process.start()
        child.close()
        self.simulation: Simulation | None = None
        self.ready = False
        self.limits_steps = False
        self.last_time_second = 0.0
        self.heard = time.monotonic()

    def fits(self, simulation: Simulation) -> bool:
        """Whether it may run a simulation next. Once ngspice asks before each step it does so for
        good, and chooses its own steps a little differently.
        """
        return self.process.is_alive() and self.limits_steps <= simulation.stepping.limits_steps

    def assign(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.limits_steps = simulation.stepping.limits_steps
        self.last_time_second = simulation.record_second
        self.heard = time.monotonic()
        self.connection.send(simulation)

    @property
    def resident_byte(self) -> int:
        """Memory that the process takes; 0 when it has ended."""
        try:
            return int(psutil.Process(self.process.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    def said(self) -> str:
        """The last lines the process printed."""
        lines = Path(self._log_path).read_text(errors="replace").splitlines()
        return " | ".join(line.strip() for line in lines[-5:] if line.strip()) or "nothing"

    def stop(self) -> None:
        self.connection.close()
        if self.simulation is not None or not self.ready:
            self.process.kill()
        self.process.join()
        Path(self._log_path).unlink(missing_ok=True)


class Interrupts:
    """Turns Ctrl-C into a KeyboardInterrupt where it is expected.

    Raised anywhere, it may be lost: Python drops an exception that leaves a destructor or a
    callback, such as those of h5py. A second Ctrl-C is raised at once.
    """

    def __enter__(self) -> "Interrupts":
        self._requested = False
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self._requested:
            raise KeyboardInterrupt


class WorkerPool:
    """Runs simulations on `count` worker processes.

    Args:
        count: number of worker processes.
        timeout_second: how long a simulation may go without an accepted point.
        memory_byte: what a process may take (resident); None for no limit.
    """

    def __init__(self, count: int, timeout_second: float, memory_byte: float | None = None) -> None:
        self.count = count
        self.timeout_second = timeout_second
        self.memory_byte = memory_byte
        self._workers: list[_Worker] = []

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *exception: object) -> None:
        self.renew()

    def renew(self) -> None:
        """End all workers, and what they run; the next run starts fresh ones."""
        for worker in self._workers:
            worker.stop()
        self._workers.clear()

    def kill(self) -> None:
        """From another thread: what runs becomes `Failed` messages."""
        for worker in self._workers:
            worker.process.kill()

    def run(self, simulations: Iterable[Simulation]) -> Generator[Message]:
        """Run all; messages come as they happen, interleaved between members.

        A crash, hang or fault of a member is a `Failed` message; the others go on.

        Raises:
            LibraryNotFoundError: a worker found no libngspice.
            KeyboardInterrupt: between two messages.
        """
        with Interrupts() as interrupts:
            yield from self._run(simulations, interrupts)

    def _run(self, simulations: Iterable[Simulation], interrupts: Interrupts) -> Iterator[Message]:
        waiting = iter(simulations)
        following = next(waiting, None)
        while following is not None and len(self._workers) < self.count:
            self._workers.append(_Worker())
            if len(self._workers) == self.count:
                break
        while True:
            interrupts.check()
            for index, worker in enumerate(self._workers):
                if following is None:
                    break
                if worker.ready and worker.simulation is None and not worker.fits(following):
                    worker.stop()
                    worker = self._workers[index] = _Worker()
                if worker.ready and worker.simulation is None:
                    worker.assign(following)
                    following = next(waiting, None)
            busy = [worker for worker in self._workers if worker.simulation or not worker.ready]
            if following is None and not any(worker.simulation for worker in busy):
                return
            wait([worker.connection for worker in busy], timeout=0.5)
            for worker in busy:
                for message in self._messages(worker):
                    interrupts.check()
                    yield message

    def _messages(self, worker: _Worker) -> Iterator[Message]:
        while True:
            try:
                if not worker.connection.poll():
                    break
                message = worker.connection.recv()
            except (EOFError, OSError):
                yield from self._crashed(worker)
                return
            worker.heard = time.monotonic()
            if not worker.ready:
                if message is not None:
                    self._discard(worker)
                    raise message
                worker.ready = True
                continue
            if isinstance(message, Points):
                worker.last_time_second = float(message.time_second[-1])
            elif isinstance(message, Finished):
                worker.simulation = None
            elif isinstance(message, Failed):  # the last word of its process
                worker.simulation = None
                worker.process.join()
                yield message
                return
            yield message
        if self.memory_byte is not None and worker.resident_byte > self.memory_byte:
            worker.process.kill()
            worker.process.join()
            yield from self._lost(
                worker,
                WorkerMemoryError(
                    f"The ngspice process took more than {self.memory_byte / GIBI:.3g} GiB of "
                    f"memory after t = {worker.last_time_second:.6g} s and was ended; what it had "
                    "sent is kept. Give a larger `memory_gibibyte`, save fewer nodes or take "
                    "fewer points (`step_second`); ngspice keeps all of them until the end.",
                    last_time_second=worker.last_time_second,
                ),
            )
            return
        limit = self.timeout_second if worker.ready else START_TIMEOUT_SECOND
        if time.monotonic() - worker.heard > limit:
            worker.process.kill()
            worker.process.join()
            yield from self._lost(
                worker,
                WorkerTimeoutError(
                    f"ngspice accepted no point for {limit:g} s after "
                    f"t = {worker.last_time_second:.6g} s; its process was ended, and what it "
                    f"had sent is kept. It last printed: {worker.said()}. Give a larger "
                    "`timeout_second`, or look for what makes the circuit or a block so slow.",
                    last_time_second=worker.last_time_second,
                ),
            )

    def _crashed(self, worker: _Worker) -> Iterator[Message]:
        worker.process.join()
        code = worker.process.exitcode or 0
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        yield from self._lost(
            worker,
            WorkerCrashError(
                f"The ngspice process died ({cause}) after t = {worker.last_time_second:.6g} s; "
                f"what it had sent is kept. It last printed: {worker.said()}. Run it again; if "
                "it dies again, the netlist in the trace is what to report to ngspice.",
                last_time_second=worker.last_time_second,
            ),
        )

    def _lost(self, worker: _Worker, error: EngineError) -> Iterator[Message]:
        if worker.simulation is None:
            self._discard(worker)
            raise error
        member = worker.simulation.member
        worker.simulation = None
        yield Failed(member, error)

    def _discard(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.stop()
