"""A function that uses ngspice, run in a process of its own: a crash there is an error here."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import cloudpickle

from cosim.engine.closing import close
from cosim.engine.room import serve_parent
from cosim.errors import WorkerCrashError, WorkerTimeoutError

if TYPE_CHECKING:
    import numpy as np

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def each_isolated(
    function: Callable[[Argument], Result], arguments: Iterable[Argument], jobs: int
) -> Iterator[Result]:
    """Yield function(argument) for each argument, in order, from `jobs` worker processes.

    Args:
        function: of module level, so that it can be pickled.

    Raises:
        WorkerCrashError: a process died.
        Exception: whatever the function raised.
    """
    # 'spawn': torch's threads do not survive a fork.
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=serve_parent
    ) as pool:
        try:
            yield from pool.map(function, arguments)
        except BrokenProcessPool as error:
            raise WorkerCrashError(
                "An ngspice process died at work. Run it again; of a bench, one corner at a time "
                "(`--corner`, `--temp`) shows which one it is."
            ) from error
        except BaseException:
            for process in list(pool._processes.values()):  # leaving the pool would wait for them
                process.kill()
            raise


def analysed(netlist: str) -> "dict[str, np.ndarray]":
    """A netlist's own analysis in a process of its own; every vector, by name.

    Raises:
        NetlistError, ConvergenceError, EngineError: as `NgspiceSession.analyse`.
    """
    (vectors,) = each_isolated(_analyse, [netlist], jobs=1)
    return vectors


def _analyse(netlist: str) -> "dict[str, np.ndarray]":
    from cosim.engine.session import NgspiceSession

    return NgspiceSession.start().analyse(netlist)


_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from cosim.engine.room import end_with_parent; end_with_parent({folder!r}); "
    "from cosim.engine.isolated import answer; answer({file!r}, {closed})"
)


def isolated(
    function: Callable[..., Result],
    *arguments: Any,
    closed: bool = False,
    timeout_second: float | None = None,
) -> Result:
    """function(*arguments) in a new interpreter, which runs nothing of the calling program (a
    script needs no `if __name__ == "__main__"`), in an empty folder.

    Args:
        closed: with ngspice loaded, and in a closed room (`cosim.engine.closing.close`).

    Raises:
        WorkerCrashError: the process died.
        WorkerTimeoutError: it took longer than `timeout_second`, and was ended.
        Exception: whatever the function raised.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answer"
        path = [str(Path(entry).absolute()) for entry in sys.path]
        program = _PROGRAM.format(path=path, folder=folder, file=str(file), closed=closed)
        room = Path(folder) / "room"
        room.mkdir()
        try:
            done = subprocess.run(
                [sys.executable, "-c", program],
                input=cloudpickle.dumps((function, arguments)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=room,
                timeout=timeout_second,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WorkerTimeoutError(
                f"ngspice had no answer after {timeout_second:g} s, and was ended. Give it more "
                "time, or look for what makes the circuit so slow."
            ) from None
        if not file.exists():
            said = " | ".join(done.stderr.decode(errors="replace").split("\n")[-4:]).strip(" |")
            raise WorkerCrashError(
                f"An ngspice process died at work (exit code {done.returncode}). It last printed: "
                f"{said or 'nothing'}. Run it again; if it dies again, the netlist is what to "
                "report to ngspice."
            )
        error, result = cloudpickle.loads(file.read_bytes())
    if error is not None:
        raise error
    return result


def answer(file: str, closed: bool) -> None:
    """In that interpreter: do what is asked on standard input, and leave the answer in a file."""
    function, arguments = cloudpickle.loads(sys.stdin.buffer.read())
    try:
        if closed:
            from cosim.engine.session import NgspiceSession

            NgspiceSession.start()
            close(Path(file).parent)
        content = cloudpickle.dumps((None, function(*arguments)))
    except Exception as error:
        content = cloudpickle.dumps((error, None))
    partial = Path(f"{file}.partial")
    partial.write_bytes(content)
    partial.replace(file)
