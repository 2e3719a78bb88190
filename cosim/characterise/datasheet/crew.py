"""Processes that run a function for many arguments, one crash or hang costing one of them."""

import math
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Generic, TypeVar

from cosim.engine.closing import close
from cosim.engine.room import serve_parent
from cosim.errors import EngineError, WorkerCrashError, WorkerTimeoutError

Argument = TypeVar("Argument")
Result = TypeVar("Result")

# 'spawn': torch's threads do not survive a fork.
_CONTEXT = get_context("spawn")
WAIT_SECOND = 1.0


class _Worker(Generic[Argument]):
    """A process with one argument at work, or none."""

    def __init__(self, function: Callable[[Any], Any], closed: bool) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self._room = tempfile.TemporaryDirectory(prefix="cosim-")
        arguments = (theirs, function, self._room.name, closed)
        self._process = _CONTEXT.Process(target=_serve, args=arguments)
        self._process.start()
        theirs.close()
        self.argument: Argument | None = None
        self.since = math.inf
        self.ready = False

    def take(self, argument: Argument) -> None:
        self.argument = argument
        self.since = time.monotonic() if self.ready else math.inf
        self.connection.send(argument)

    def start(self) -> None:
        """It has loaded its modules, which is not the argument's time."""
        self.ready, self.since = True, time.monotonic()

    def end(self) -> int | None:
        """Its exit code."""
        self._process.kill()
        self._process.join()
        self.connection.close()
        self._room.cleanup()
        return self._process.exitcode


def each_of_crew(
    function: Callable[[Argument], Result],
    arguments: Iterable[Argument],
    jobs: int,
    timeout_second: float,
    *,
    closed: bool = False,
) -> Generator[tuple[Argument, Result | EngineError]]:
    """Yield each argument with function(argument), as they come; where its process died or hung
    twice, with the error. To close the generator ends all processes.

    Args:
        function: of module level, or a partial of one, so that it can be pickled; raises nothing.
        timeout_second: for one argument.
        closed: with ngspice loaded, and in a closed room (`cosim.engine.closing`).
    """
    waiting = deque((argument, 1) for argument in arguments)
    attempts: dict[int, int] = {}
    workers: list[_Worker[Argument]] = []
    try:
        workers += [_Worker(function, closed) for _ in range(min(jobs, len(waiting)))]
        while waiting or any(worker.argument is not None for worker in workers):
            for worker in workers:
                if worker.argument is None and waiting:
                    argument, attempts[id(worker)] = waiting.popleft()
                    worker.take(argument)
            busy = [worker for worker in workers if worker.argument is not None]
            ready = wait([worker.connection for worker in busy], WAIT_SECOND)
            for worker in busy:
                current = worker.argument
                assert current is not None
                late = time.monotonic() - worker.since > timeout_second
                if worker.connection not in ready and not late:
                    continue
                fault: EngineError
                try:
                    if worker.connection in ready:
                        result: Result = worker.connection.recv()
                        if not worker.ready:
                            worker.start()
                            continue
                        worker.argument = None
                        yield current, result
                        continue
                    worker.end()
                    fault = WorkerTimeoutError(
                        f"It took more than {timeout_second:g} s and was ended. Give --timeout."
                    )
                except EOFError:
                    code = worker.end()
                    fault = WorkerCrashError(f"The ngspice process died (exit code {code}).")
                attempt = attempts[id(worker)]
                workers[workers.index(worker)] = _Worker(function, closed)
                if attempt == 1:
                    waiting.append((current, 2))
                else:
                    yield current, fault
    finally:
        for worker in workers:
            worker.end()


def _serve(connection: Connection, function: Callable[[Any], Any], room: str, closed: bool) -> None:
    """In the process: an answer for each argument, until the other end is closed."""
    serve_parent(room)
    if closed:
        from cosim.engine.session import NgspiceSession

        os.chdir(room)
        NgspiceSession.start()
        close(Path(room))
    connection.send(None)
    while True:
        try:
            argument = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        connection.send(function(argument))
