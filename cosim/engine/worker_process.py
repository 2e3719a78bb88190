"""Inside an ngspice process: one simulation after another, in lockstep with its blocks.

Where it has no blocks the process is closed. Blocks may need the world: beside them ngspice reads
the netlist in a thread that is closed, and sets the circuit up in the room, as its models write
logs into the current folder.
"""

import os
import pickle
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from cosim.engine.closing import close, closed_thread
from cosim.engine.protocol import Failed, Finished, Points, Simulation, Started, Statistics
from cosim.engine.start import EVERY_WAY, NEWTON_ALONE, require_start
from cosim.errors import BlockError, CosimError, EngineError
from cosim.lockstep.lockstep import Lockstep

if TYPE_CHECKING:
    from cosim.engine.session import NgspiceSession

BLOCK_POINTS = 1024
FLUSH_SECOND = 0.25


class Recorder:
    """Observer that runs the lockstep and sends points in blocks.

    Args:
        place: where ngspice sets the circuit up.
    """

    def __init__(self, simulation: Simulation, connection: Connection, place: "Place") -> None:
        self.simulation = simulation
        self.connection = connection
        self._place = place
        self.lockstep = Lockstep(
            simulation.blocks,
            simulation.scheme,
            simulation.initial_volts,
            simulation.stepping,
            simulation.start_second,
            simulation.stop_second,
            simulation.settles,
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
        self._place.leave()
        wanted = [name.lower() for name in (*self.simulation.saved, *self.lockstep.input_nodes)]
        order = {name: index for index, name in enumerate(names)}
        if missing := [name for name in wanted if name not in order]:
            raise EngineError(
                f"ngspice does not report the vectors {missing}; it reports {sorted(names)}. "
                "Name nodes of the netlist, or what `.save` asks for."
            )
        return [order[name] for name in wanted]

    def source_index(self, name: str) -> int:
        index = self.lockstep.external_index.get(name)
        if index is None:
            self.fail(
                EngineError(
                    f"The netlist has an external source '{name}' that no block drives. Blocks "
                    f"drive {sorted(self.lockstep.external_index)}. Remove it or add its block."
                )
            )
        return index

    @property
    def sources(self) -> tuple[np.ndarray, np.ndarray]:
        return self.lockstep.base, self.lockstep.slope

    @property
    def accepted_second(self) -> float:
        return self.lockstep.accepted_second

    def started(self, values: np.ndarray) -> None:
        if self.simulation.start is not None:
            try:
                require_start(self.simulation.saved, self.simulation.start, values)
            except CosimError as error:
                self.fail(error)
        self.connection.send(Started(self.simulation.member))

    def accept(self, time_second: float, values: np.ndarray) -> None:
        started = time.perf_counter()
        row, recorded = self._count, self._values.shape[1]
        self._time[row] = time_second
        self._values[row] = values[:recorded]
        volts = values[recorded:].copy()  # a block may keep it
        self._inputs[row] = volts
        counts = False
        try:
            counts = self.lockstep.accept(time_second, volts, self._outputs[row], self._errors[row])
        except CosimError as error:
            self.fail(error)
        self._count += counts and time_second >= self.simulation.record_second
        if self._count == BLOCK_POINTS or time.monotonic() - self._flushed > FLUSH_SECOND:
            self.flush()
        self.accept_second += time.perf_counter() - started

    @property
    def longest_step_second(self) -> float | None:
        return self.lockstep.longest_step_second

    @property
    def breakpoint_second(self) -> float:
        return self.lockstep.breakpoint_second

    @property
    def settles(self) -> bool:
        return self.lockstep.settles

    @property
    def repeats(self) -> bool:
        return self.lockstep.repeats

    def repeat(self) -> None:
        self.lockstep.repeat()
        self._place.enter()

    def flush(self) -> None:
        """Send what has been recorded; blocks while the parent is behind."""
        rows = slice(0, self._count)
        if self._count:
            points = Points(
                self.simulation.member,
                self._time[rows],
                self._values[rows],
                self._inputs[rows],
                self._outputs[rows],
                self._errors[rows],
            )
            try:
                self.connection.send(points)
            except BrokenPipeError:  # nobody listens any more
                os._exit(1)
        self._count = 0
        self._flushed = time.monotonic()

    def fail(self, error: CosimError) -> NoReturn:
        """Send the points before the fault and the fault, and end the process."""
        self.flush()
        if isinstance(error, EngineError) and error.last_time_second is None:
            error.last_time_second = self.lockstep.accepted_second
        _fail(self.simulation, error, self.connection)


class Place:
    """The current folder: that of blocks, or the room while ngspice is at work without them.

    Args:
        closed: whether the process is closed, in the room and for good.
    """

    def __init__(self, room: Path, closed: bool) -> None:
        self.room = room
        self._outside = os.open(".", os.O_RDONLY)
        self._reader: ThreadPoolExecutor | None = None
        if closed:
            self.enter()
            close(room)
        else:
            self._reader = closed_thread(room)

    def enter(self) -> None:
        """Into the room."""
        os.chdir(self.room)

    def leave(self) -> None:
        """To where blocks are, if there are any."""
        if self._reader is not None:
            os.fchdir(self._outside)

    def load(self, session: "NgspiceSession", netlist: str) -> None:
        """Have ngspice read a netlist."""
        self.enter()
        if self._reader is None:
            session.load(netlist)
        else:
            self._reader.submit(session.load, netlist).result()


def main(handle: int, room: str) -> None:
    """Run simulations from a connection, given by its file descriptor, until it closes.

    Args:
        room: an empty folder, for what ngspice alone writes.
    """
    connection = Connection(handle)

    from cosim.engine.session import NgspiceSession

    try:
        session = NgspiceSession.start()
    except CosimError as error:
        connection.send(error)
        return
    connection.send(None)
    place: Place | None = None
    while True:
        try:
            member, pickled = connection.recv()
        except EOFError:
            os._exit(0)  # torch alone would take a second to clear its memory
        try:
            simulation: Simulation = pickle.loads(pickled)  # noqa: S301  # the parent's
        except Exception as error:
            connection.send(Failed(member, _unreadable(error)))
            os._exit(1)
        place = place or Place(Path(room), simulation.closed)
        _simulate(session, simulation, connection, place)


def _unreadable(error: Exception) -> BlockError:
    return BlockError(
        f"A block cannot be brought to the ngspice process: {type(error).__name__}: {error}. Its "
        "function, and whatever that holds, has to be picklable, and the modules that it is "
        f"imported from have to be on the path there: {sys.path}."
    )


def _simulate(
    session: "NgspiceSession", simulation: Simulation, connection: Connection, place: Place
) -> None:
    try:
        recorder = Recorder(simulation, connection, place)
    except CosimError as error:
        _fail(simulation, error, connection)
    try:
        started = time.perf_counter()
        place.load(session, simulation.netlist)
        for name, volt in simulation.sources.items():
            session.set_source(name, volt)
        session.command(EVERY_WAY if simulation.start is None else NEWTON_ALONE)
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
                newton_calls=session.sources.calls,
                iterations=session.iterations,
            ),
            session.found,
            tuple(recorder.lockstep.reports()),
            tuple(recorder.lockstep.events()),
        )
    )


def _fail(simulation: Simulation, error: CosimError, connection: Connection) -> NoReturn:
    _tell_end(simulation, complete=False)
    connection.send(Failed(simulation.member, error))
    connection.close()
    os._exit(1)


def _tell_end(simulation: Simulation, *, complete: bool) -> None:
    for block in simulation.blocks:
        block.end(complete)
