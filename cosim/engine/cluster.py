"""Simulations on a Dask cluster: `dask scheduler` and `dask worker`s, or any dask-jobqueue cluster.

Each task is one simulation, run by an ngspice process of its own beside the Dask worker; a crash
there is a message like any other. The processes outlive their tasks, so that starting them is paid
once. A task returns what the simulation sent, whole: if its Dask worker is lost, Dask gives the
task to another, and no point comes twice.

A worker's machine needs what this one has, at the same paths (the same checkout, say, on a shared
disk): cosim, its packages and ngspice in the same versions, and the transistor models that the
netlist names. It is asked for that before it simulates. With the same kind of processor and the
same C library, too, its results are the same bit for bit.

Dask sends Python objects by pickle, and runs what it is sent: scheduler, workers and this process
must trust each other and their network (or use Dask's TLS). Traces and models are never unpickled.
"""

import asyncio
import functools
import logging
import re
import socket
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock

from cosim.engine.library import find_library, probe
from cosim.engine.worker import (
    START_TIMEOUT_SECOND,
    Failed,
    Interrupts,
    Message,
    Simulation,
    WorkerPool,
)
from cosim.errors import ConfigurationError, CosimError, EngineError, WorkerCrashError

try:
    from distributed import Client, Future, Security, Worker, WorkerPlugin, get_worker
    from distributed.comm.core import connect
except ImportError:
    raise ConfigurationError(
        "An ensemble on a Dask cluster (engine.scheduler, --scheduler) needs the package "
        "distributed, which is not installed. Install the extra `cluster`: "
        "pip install 'cosim[cluster]'; or leave the option out, to use this machine alone."
    ) from None

CONNECT_SECOND = 5.0
FIRST_WORKER_SECOND = 30.0
TASKS_AHEAD = 2000
"""Tasks that the scheduler is given at a time: more than a cluster has cores, few enough for the
memory of both ends."""

_MODEL_FILE = re.compile(r'^\.(?:include|lib)\s+"?([^"\s]+)', re.MULTILINE | re.IGNORECASE)


@functools.cache
def _software() -> dict[str, str]:
    """Versions of what decides a result's last bit.

    Raises:
        LibraryNotFoundError: there is no libngspice on this machine.
    """
    packages = {name: version(name) for name in ("cosim", "numba", "numpy")}
    return {"ngspice": str(probe(find_library()).version), **packages}


# -- in a Dask worker -----------------------------------------------------------------------------


class _Simulator(WorkerPlugin):
    """Holds a Dask worker's ngspice processes, from the first task of a run to the run's end.

    Args:
        software: what the parent's `_software` says.
        pool: makes one of a single process.
    """

    def __init__(self, software: dict[str, str], pool: Callable[[], WorkerPool]) -> None:
        self.name = f"cosim-{uuid.uuid4().hex}"  # of this run's; others may share the cluster
        self._software = software
        self._pool = pool

    def setup(self, worker: Worker) -> None:
        """The worker is ready."""
        self._lock = Lock()
        self._ended = False
        self._idle: list[WorkerPool] = []
        self._busy: list[WorkerPool] = []

    def teardown(self, worker: Worker) -> None:
        """The run has ended, or the Dask worker will: end the processes, and what they run."""
        with self._lock:
            self._ended = True
            for pool in self._idle:
                pool.renew()
            for pool in self._busy:
                pool.kill()

    def simulate(self, simulation: Simulation) -> list[Message]:
        """All messages of a simulation, in a thread of the Dask worker.

        Raises:
            ConfigurationError: this machine lacks something.
        """
        self._check(simulation.netlist)
        with self._lock:
            pool = self._idle.pop() if self._idle else self._pool()
            self._busy.append(pool)
        try:
            return list(pool.run([simulation]))
        finally:
            with self._lock:
                self._busy.remove(pool)
                self._idle.append(pool)
                if self._ended:
                    pool.renew()

    def _check(self, netlist: str) -> None:
        try:
            here = _software()
        except CosimError as error:
            raise self._lacking(str(error)) from None
        for name, there in self._software.items():
            if here[name] != there:
                raise self._lacking(f"{name} is {here[name]} there and {there} here")
        for file in _MODEL_FILE.findall(netlist):
            if not Path(file).is_file():
                raise self._lacking(f"the netlist needs {file}, which is not there")

    def _lacking(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"The Dask worker {get_worker().address} on {socket.gethostname()} cannot simulate: "
            f"{what}. Give its machine the same cosim, packages, ngspice and models as here, at "
            "the same paths, such as this checkout on a shared disk, and start it anew from there."
        )


def _simulate(simulator: str, simulation: Simulation) -> list[Message]:
    plugin = get_worker().plugins[simulator]
    assert isinstance(plugin, _Simulator)
    return plugin.simulate(simulation)


# -- in the parent --------------------------------------------------------------------------------


def connected(scheduler: str) -> Client:
    """A client of a scheduler that has a worker, to be closed.

    Raises:
        ConfigurationError: no scheduler answers there, or it has no worker.
    """
    # What Dask logs of a lost scheduler becomes an error here.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        asyncio.run(_greet(scheduler))  # a client that fails to connect waits on exit
        client = Client(scheduler, timeout=CONNECT_SECOND, set_as_default=False)
    except Exception as error:  # of any kind, if another program answers
        raise ConfigurationError(
            f"No Dask scheduler answers at {scheduler} within {CONNECT_SECOND:g} s "
            f"({said(error)}). Start one with `dask scheduler`, and give the address that it "
            "prints, such as tcp://10.0.0.1:8786."
        ) from None
    try:
        client.wait_for_workers(1, FIRST_WORKER_SECOND)
    except TimeoutError:
        client.close()
        raise ConfigurationError(
            f"The Dask scheduler at {scheduler} has no workers. Start some, from this "
            f"checkout, with `dask worker {scheduler}`, or wait until your cluster has."
        ) from None
    except BaseException:
        client.close()
        raise
    return client


class ClusterPool:
    """Runs simulations on every thread of every Dask worker, those that join meanwhile included.

    Args:
        scheduler: its address, such as tcp://10.0.0.1:8786.
        timeout_second, memory_byte, start_timeout_second: of each ngspice process, as of
            `WorkerPool`.

    Raises:
        ConfigurationError: no scheduler answers there, or it has no usable worker.
    """

    def __init__(
        self,
        scheduler: str,
        timeout_second: float,
        memory_byte: float | None = None,
        start_timeout_second: float = START_TIMEOUT_SECOND,
    ) -> None:
        self.scheduler = scheduler
        self._software = _software()
        self._pool = functools.partial(
            WorkerPool, 1, timeout_second, memory_byte, start_timeout_second
        )
        self._client = connected(scheduler)
        try:
            self._simulator = self._install()
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> "ClusterPool":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._client.status == "running":
            self._client.unregister_worker_plugin(self._simulator)
        self._client.close()

    def renew(self) -> None:
        """End all ngspice processes; the next run starts fresh ones."""
        self._client.unregister_worker_plugin(self._simulator)
        self._simulator = self._install()

    def _install(self) -> str:
        simulator = _Simulator(self._software, self._pool)
        try:
            self._client.register_plugin(simulator)
        except Exception as error:  # Dask's own, that hold those of the workers
            raise ConfigurationError(
                f"The Dask cluster at {self.scheduler} cannot load this cosim ({said(error)}). "
                "Start `dask scheduler` and each `dask worker` from this checkout's environment."
            ) from None
        return simulator.name

    def run(self, simulations: Iterable[Simulation]) -> Generator[Message]:
        """Run all; a simulation's messages come together, when it has ended.

        A crash, hang or fault of a member is a `Failed` message; the others go on.

        Raises:
            ConfigurationError: a Dask worker's machine lacks something.
            EngineError: the scheduler was lost.
            KeyboardInterrupt: between two messages.
        """
        waiting = iter(simulations)
        running: dict[Future, int] = {}
        done: SimpleQueue[Future] = SimpleQueue()
        with Interrupts() as interrupts:
            try:
                while True:
                    for simulation in islice(waiting, TASKS_AHEAD - len(running)):
                        future = self._client.submit(
                            _simulate, self._simulator, simulation, pure=False
                        )
                        running[future] = simulation.member
                        future.add_done_callback(done.put)
                    if not running:
                        return
                    interrupts.check()
                    try:
                        future = done.get(timeout=0.5)
                    except Empty:
                        continue
                    yield from self._messages(future, running.pop(future))
            finally:
                if self._client.status == "running":
                    self._client.cancel(list(running))

    def _messages(self, future: Future, member: int) -> Iterator[Message]:
        try:
            yield from future.result()
        except ConfigurationError:
            raise
        except CancelledError:
            raise EngineError(
                f"The Dask scheduler at {self.scheduler} was lost. The trace holds the members "
                "that had ended. Look into the scheduler's output, and run again."
            ) from None
        except Exception as error:  # KilledWorker, say, or no ngspice process could be started
            yield Failed(member, WorkerCrashError(f"Dask could not run it: {said(error)}"))


async def _greet(scheduler: str) -> None:
    """Connect as Dask does, TLS by its configuration included, and hang up."""
    arguments = Security().get_connection_args("client")
    comm = await connect(scheduler, timeout=CONNECT_SECOND, **arguments)
    await comm.close()


def said(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
