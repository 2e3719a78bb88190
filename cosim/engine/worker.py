"""Worker processes: one ngspice each, started once and reused for many simulations.

The parent sees a stream of messages (`Started`, `Points`, `Finished`, `Failed`) and is the only
one to write traces, so nothing recorded is lost when a worker crashes, hangs or is killed.
A fault inside a simulation ends its worker: the process is the unit of cancellation, because
ngspice's state after a fault cannot be trusted.

A process is a new interpreter that runs `cosim.engine.worker_process`, and nothing of the program
that started it: scripts need no `if __name__ == "__main__"`, and blocks that are defined in them or
in a notebook come by cloudpickle.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import wait
from types import FrameType
from typing import IO

import cloudpickle
import psutil

from cosim.engine.protocol import (
    Failed,
    Finished,
    Message,
    Points,
    Simulation,
    Started,
    Statistics,
)
from cosim.errors import (
    EngineError,
    WorkerCrashError,
    WorkerMemoryError,
    WorkerTimeoutError,
)

__all__ = [
    "Failed",
    "Finished",
    "Interrupts",
    "Message",
    "Points",
    "Simulation",
    "Started",
    "Statistics",
    "WorkerPool",
]

PROCESS_TIMEOUT_SECOND = 120.0
START_TIMEOUT_SECOND = 600.0
STARTS = 3
"""How often a process is started anew that dies before its first simulation."""

SAID_BYTE = 2**14
GIBI = 2**30

_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from cosim.engine.room import serve_parent; serve_parent({room!r}); "
    "from cosim.engine.worker_process import main; main({handle}, {room!r})"
)


class _Worker:
    """The parent's end of one worker process.

    Raises:
        EngineError: this machine starts no further process.
    """

    def __init__(self) -> None:
        try:
            self.connection, child = multiprocessing.Pipe()
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 - of no name: it ends with us
            self._room = tempfile.TemporaryDirectory(prefix="cosim-")
            self.process = _started(child.fileno(), self._log, self._room.name)
        except OSError as error:
            raise EngineError(
                f"An ngspice process cannot be started: {error}. Take fewer `jobs`, or allow more "
                "processes and open files (`ulimit -u`, `ulimit -n`)."
            ) from None
        weakref.finalize(self, self.process.kill)  # at the latest when this program ends
        child.close()
        self.simulation: Simulation | None = None
        self.ready = self.started = False
        self.limits_steps = False
        self.closed: bool | None = None  # which its first simulation decides
        self.last_time_second = 0.0
        self.heard = time.monotonic()

    def fits(self, simulation: Simulation) -> bool:
        """Whether it may run a simulation next. Once ngspice asks before each step it does so for
        good, and chooses its own steps a little differently; a room is closed, or open, for good.
        """
        return (
            self.process.poll() is None
            and self.limits_steps <= simulation.stepping.limits_steps
            and self.closed in (None, simulation.closed)
        )

    def assign(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.limits_steps = simulation.stepping.limits_steps
        self.closed = simulation.closed
        self.last_time_second = simulation.record_second
        self.started = False
        self.heard = time.monotonic()
        pickled = cloudpickle.dumps(simulation)
        with suppress(BrokenPipeError):  # killed a moment ago: told when it is listened to
            self.connection.send((simulation.member, pickled))

    @property
    def resident_byte(self) -> int:
        """Memory that the process takes; 0 when it has ended."""
        try:
            return int(psutil.Process(self.process.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    def said(self) -> str:
        """The last lines the process printed."""
        size = os.fstat(self._log.fileno()).st_size
        end = os.pread(self._log.fileno(), SAID_BYTE, max(size - SAID_BYTE, 0))
        lines = end.decode(errors="replace").splitlines()
        return " | ".join(line.strip() for line in lines[-5:] if line.strip()) or "nothing"

    def stop(self) -> None:
        self.connection.close()
        if self.simulation is not None or not self.ready:
            self.process.kill()
        self.process.wait()
        self._log.close()
        self._room.cleanup()


def _started(handle: int, log: IO[bytes], room: str) -> "subprocess.Popen[bytes]":
    """A process that is connected by a file descriptor."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(path=sys.path, handle=handle, room=room)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=[handle],
        # Small blocks only lose by threads, and several workers share the machine.
        env={"OMP_NUM_THREADS": "1", **os.environ},
    )


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
        timeout_second: how long a simulation may go without an accepted point, from its first.
        memory_byte: what a process may take (resident); None for no limit.
        start_timeout_second: how long it may take to its first: to read and find the operating
            point.
    """

    def __init__(
        self,
        count: int,
        timeout_second: float,
        memory_byte: float | None = None,
        start_timeout_second: float = START_TIMEOUT_SECOND,
    ) -> None:
        self.count = count
        self.timeout_second = timeout_second
        self.memory_byte = memory_byte
        self.start_timeout_second = start_timeout_second
        self._workers: list[_Worker] = []
        self._died_at_start = 0

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

    def run_one(self, simulation: Simulation) -> tuple[Points, Finished]:
        """All points of one simulation, and how it ended.

        Raises:
            CosimError: whatever it failed of; the points before are lost.
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        parts: list[Points] = []
        for message in self.run([simulation]):
            match message:
                case Started():
                    parts.clear()
                case Points():
                    parts.append(message)
                case Failed():
                    raise message.error
                case Finished():
                    return Points.joined(parts), message
        raise EngineError("The simulation ended without a word. Run it again.")

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
            if isinstance(message, Started):
                worker.started = True
            elif isinstance(message, Points):
                worker.last_time_second = float(message.time_second[-1])
            elif isinstance(message, Finished):
                worker.simulation = None
            elif isinstance(message, Failed):  # the last word of its process
                worker.simulation = None
                worker.process.wait()
                yield message
                return
            yield message
        if self.memory_byte is not None and worker.resident_byte > self.memory_byte:
            worker.process.kill()
            worker.process.wait()
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
        limit = self._limit_second(worker)
        if time.monotonic() - worker.heard > limit:
            worker.process.kill()
            worker.process.wait()
            yield from self._lost(worker, _late(worker, limit))

    def _limit_second(self, worker: _Worker) -> float:
        """How long nothing may be heard of it."""
        if not worker.ready:
            return PROCESS_TIMEOUT_SECOND
        return self.timeout_second if worker.started else self.start_timeout_second

    def _crashed(self, worker: _Worker) -> Iterator[Message]:
        worker.process.wait()
        code = worker.process.returncode
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
            self._died_at_start += 1
            if self._died_at_start >= STARTS:
                raise error
            self._workers.append(_Worker())
            return
        member = worker.simulation.member
        worker.simulation = None
        yield Failed(member, error)

    def _discard(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.stop()


def _late(worker: _Worker, limit_second: float) -> WorkerTimeoutError:
    if worker.ready and not worker.started:
        what = f"found no operating point in {limit_second:g} s"
        remedy = (
            "`start_timeout_second`, `.nodeset` lines, or look with `cosim check` for what makes "
            "the circuit so hard"
        )
    else:
        what = f"accepted no point for {limit_second:g} s after t = {worker.last_time_second:.6g} s"
        remedy = "`timeout_second`, or look for what makes the circuit or a block so slow"
    return WorkerTimeoutError(
        f"ngspice {what}; its process was ended, and what it had sent is kept. It last printed: "
        f"{worker.said()}. Give a larger {remedy}.",
        last_time_second=worker.last_time_second,
    )
