"""Traces whose every value is known from its row number, and the processes that write them."""

import os
import resource
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from cosim.errors import TraceError
from cosim.trace import Host, Provenance, Signal, Trace, TraceWriter

PROVENANCE = Provenance(
    configuration_toml='task = "circle"\n',
    netlist="* a circuit\nR1 out 0 1k\n.end\n",
    seeds={"initial_conditions": 7, "largest": 2**63 - 1},
    software={"python": "3.11.2", "ngspice": "46"},
    model_sha256="ab" * 32,
    host=Host(machine="x86_64", operating_system="Linux", cores=2),
    started="2026-01-02T03:04:05+00:00",
    command_line="cosim run 'my circle.toml'",
)
SIGNALS = (
    Signal("integrator_0.out", "V", "x1 of the solver"),
    Signal("integrator_1.out", "V", "x2 of the solver"),
    Signal("supply.current", "A", "µA scale"),
)
COUPLING = (Signal("score.s0", "V", "drive of integrator 0"),)

# A fresh interpreter that forks: quick as a fork, without the threads of this process.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.trace.recordings"])

DIARY = np.dtype([("points", "<i8"), ("second", "<f8")])


def rows(
    first: int, last: int, columns: int = len(SIGNALS), step: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Times [n] and values [n, columns] of rows first to last."""
    index = np.arange(first, last, step)
    return index * 1e-9, np.sqrt(index[:, None] + np.arange(columns))


def check_is_known(trace: Trace) -> None:
    """Every value that the trace counts is the one that was appended."""
    for table in (trace, trace.coupling):
        time_second, values = rows(0, table.points, len(table.names))
        assert np.array_equal(table.time_second, time_second)
        for name, expected in zip(table.names, values.T, strict=True):
            assert np.array_equal(table[name].values, expected)


def record(path: Path, points: int = 20_000, **options: bool) -> None:
    """A complete trace with two events."""
    with TraceWriter.create(
        path, signals=SIGNALS, coupling=COUPLING, provenance=PROVENANCE, **options
    ) as writer:
        writer.event(0.0, "start", "precharge ends")
        writer.append(*rows(0, points))
        writer.append_coupling(*rows(0, points, 1))
        writer.event(1e-6, "note", "größer als 1,5 units")
        writer.finish()


def write_until_killed(path: Path, diary: Path, block: int, pause_second: float) -> None:
    """Append for ever; the diary tells how many points were appended when."""
    log = os.open(diary, os.O_WRONLY | os.O_CREAT)
    with TraceWriter.create(
        path, signals=SIGNALS, coupling=COUPLING, provenance=PROVENANCE
    ) as writer:
        points = 0
        while True:
            following = points + block
            writer.append_coupling(*rows(points, following, 1))
            writer.append(*rows(points, following))
            points = following
            os.write(log, np.array((points, time.monotonic()), DIARY).tobytes())
            time.sleep(pause_second)


def write_on_demand(path: Path, orders: Connection) -> None:
    """Append so many points as each order says; finish at 0."""
    with TraceWriter.create(
        path, signals=SIGNALS, coupling=COUPLING, provenance=PROVENANCE
    ) as writer:
        orders.send("ready")
        points = 0
        while block := orders.recv():
            writer.append_coupling(*rows(points, points + block, 1))
            writer.append(*rows(points, points + block))
            points += block
        writer.finish()
        orders.send("finished")


def fill_the_disk(path: Path, limit_byte: int, told: Connection) -> None:
    """Append until the operating system refuses, then try on; send what the writer raises."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_byte, limit_byte))
    writer = TraceWriter.create(path, signals=SIGNALS, coupling=COUPLING, provenance=PROVENANCE)
    points = 0

    def append() -> None:
        nonlocal points
        while True:
            writer.append_coupling(*rows(points, points + 100, 1))
            writer.append(*rows(points, points + 100))
            points += 100

    for attempt in (append, append, writer.finish):
        try:
            attempt()
        except TraceError as error:
            told.send(str(error))
