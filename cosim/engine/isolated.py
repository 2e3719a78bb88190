"""A function that uses ngspice, run in a process of its own: a crash there is an error here."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

from cosim.errors import WorkerCrashError

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
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(function, arguments)
        except BrokenProcessPool as error:
            raise WorkerCrashError(
                "An ngspice process died at work. Run it again; of a bench, one corner at a time "
                "(`--corner`, `--temp`) shows which one it is."
            ) from error


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
