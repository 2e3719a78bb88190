"""A crew's work on a Dask cluster, whose machines have this checkout at the same path."""

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from distributed import as_completed

from cosim.characterise.datasheet.crew import each_of_crew
from cosim.engine.cluster import connected, said
from cosim.engine.isolated import isolated
from cosim.errors import ConfigurationError, EngineError, WorkerCrashError

Argument = TypeVar("Argument")
Result = TypeVar("Result")

AT_ONCE = 16
"""Arguments of a Dask task, to share what its processes take to start."""


def each_on_cluster(
    function: Callable[[Argument], Result],
    arguments: Sequence[Argument],
    scheduler: str,
    timeout_second: float,
    here: Callable[[], dict[str, str]],
    *,
    closed: bool = False,
) -> Generator[tuple[Argument, Result | EngineError]]:
    """As `each_of_crew`, on every thread of every Dask worker.

    Args:
        scheduler: its address, such as tcp://10.0.0.1:8786.
        closed: as of `each_of_crew`.
        here: tells versions, which must be the same on each machine.

    Raises:
        ConfigurationError: no scheduler answers there, or a machine has other versions.
    """
    with connected(scheduler) as client:
        wanted = here()
        chunks = {
            client.submit(
                _work, function, chunk, timeout_second, here, wanted, closed, pure=False
            ): chunk
            for chunk in (arguments[at : at + AT_ONCE] for at in range(0, len(arguments), AT_ONCE))
        }
        try:
            for future in as_completed(chunks, loop=client.loop):
                try:
                    found = future.result()
                except ConfigurationError:
                    raise
                except Exception as error:  # KilledWorker, say
                    fault = WorkerCrashError(f"Dask could not run it: {said(error)}")
                    found = [(argument, fault) for argument in chunks[future]]
                yield from found
        finally:
            if client.status == "running":
                client.cancel(list(chunks))


def _work(
    function: Callable[[Argument], Result],
    arguments: Sequence[Argument],
    timeout_second: float,
    here: Callable[[], dict[str, str]],
    wanted: dict[str, str],
    closed: bool,
) -> list[tuple[Argument, Result | EngineError]]:
    """In a Dask worker, which may start no processes itself: by one that may."""
    found = here()
    if found != wanted:
        raise ConfigurationError(
            f"A Dask worker has {found}, and here is {wanted}. Start it from this checkout."
        )
    return isolated(_with_crew, function, arguments, timeout_second, closed)


def _with_crew(
    function: Callable[[Argument], Result],
    arguments: Sequence[Argument],
    timeout_second: float,
    closed: bool,
) -> list[tuple[Argument, Result | EngineError]]:
    return list(each_of_crew(function, arguments, 1, timeout_second, closed=closed))
