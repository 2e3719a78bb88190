"""A block that another process serves: the lockstep exchange through two HDF5 files, version 1.

HDF5 allows a file one writer, so each side appends to a file of its own and reads the other's, in
single-writer-multiple-reader (SWMR) mode. Both files lie beside the trace and remain as a log::

    exchange_request.h5            written by the simulation's ngspice process
      attributes `schema` = "cosim-exchange", `schema_version` = 1
                 `run`             uuid of this simulation, in both files
                 `block`           name of the block that is asked for
                 `inputs`, `outputs`   node names [inputs], [outputs]
                 `tangents`        1: the derivatives are wanted too (scheme `linearised`)
                 `process`, `host`     process id of the writer, and where that number holds
      /time                        float64 [n], circuit time in s
      /inputs                      float64 [n, inputs], node voltages in V
      /count                       int64: requests that count
      /status                      "running", at the end "complete" or "failed"

    exchange_reply.h5              written by the server
      attributes `schema`, `schema_version`, `run` as above; `process` and `host`, if it likes
      /outputs                     float64 [n, outputs], node voltages in V at this time and inputs
      /jacobian                    float64 [n, outputs, inputs], d output / d input   } only if
      /time_derivative             float64 [n, outputs], d output / d time in V/s     } wanted
      /count                       int64: replies that count

Row k of the reply answers row k of the request, and there is never more than one open request:
the simulation stands still meanwhile. The first request comes before the operating point is
known; at time 0 there may be several, until the operating point agrees with the replies.
`count` is the commit record: rows first, a flush, then `count`, then a flush; rows beyond it are
not data. Who reads refreshes `count` and then the datasets. `/status` is read when there is no
new request; once it is not "running" the server closes its file and ends.

Files are made under another name, switched to SWMR mode and only then renamed, so that nobody
opens half a file. The simulation removes an old reply before its request appears, and takes no
reply of another `run`; a server takes no request whose status is not "running". A server that
hears nothing for a while gives up. Strings are of fixed length, as in a trace.

SWMR needs a file system that keeps the order of writes: a local one, or GPFS or Lustre between
machines, but not NFS. cosim/docs/how-to/serve_the_score.md has a server in plain h5py.
"""

import os
import shlex
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import psutil

from cosim.errors import ExchangeError
from cosim.lockstep.block import Block
from cosim.lockstep.port import Scheme
from cosim.trace.record import open_for_reading
from cosim.trace.schema import text

SCHEMA = "cosim-exchange"
SCHEMA_VERSION = 1
REQUEST_NAME, REPLY_NAME = "exchange_request.h5", "exchange_reply.h5"
STATUS_TYPE = np.dtype("S16")

SPIN_SECOND = 3e-3
"""How long a side looks without a pause: somewhat longer than an answer takes."""
PAUSE_SECOND = 1e-3
"""Longest pause between two looks for a row."""
FILE_PAUSE_SECOND = 0.02
"""The same for a file that is not there yet."""
ALIVE_SECOND = 0.1
"""Silence after which a side looks whether the other one is still there."""

_CHUNK_VALUES = 8192
_FIRST_PAUSE_SECOND = 2e-5
_TROUBLE = (OSError, RuntimeError, KeyError, ValueError, TypeError)


class Column(NamedTuple):
    """What each request or reply has a row of."""

    shape: tuple[int, ...]
    units: str
    long_name: str


# -- one file, from both sides ------------------------------------------------------------------


class LogWriter:
    """One file of an exchange, being written.

    Args:
        path: it appears there when it is whole, in place of what was there.
        attributes: those of this side; who writes is added.
        columns: by dataset name.
        status: whether it says how the simulation ended.

    Raises:
        ExchangeError: it cannot be written, here and in all methods.
    """

    def __init__(
        self, path: Path, attributes: Mapping[str, Any], columns: Mapping[str, Column], status: bool
    ) -> None:
        self.path = path
        self.count = 0
        partial = path.with_name(f".{path.name}.partial")
        with _trouble(path, "written"):
            self._file = h5py.File(
                partial,
                "w",
                libver=("v110", "v110"),  # the first with SWMR, for the sake of other readers
                locking="best-effort",  # as h5py by itself: in a process, all must agree
                rdcc_nbytes=0,  # rows go to the file at once
                alignment_threshold=8,
                alignment_interval=8,  # so that `count` cannot be read half written
            )
            self._file.attrs.update(schema=text(SCHEMA), schema_version=SCHEMA_VERSION)
            self._file.attrs.update(attributes)
            self._file.attrs.update(process=os.getpid(), host=text(_host()))
            self._columns = {name: self._add(name, *column) for name, column in columns.items()}
            self._file["count"] = np.int64(0)
            if status:
                self._file["status"] = np.array(b"running", STATUS_TYPE)
            self._count = self._file["count"]
            self._file.swmr_mode = True
            partial.replace(path)

    def append(self, *rows: np.ndarray) -> None:
        """Add one row to each column, in the columns' order, and let them count.

        By HDF5's own calls: h5py's indexing takes ten times as long.
        """
        with _trouble(self.path, "written"):
            for dataset, row in zip(self._columns.values(), rows, strict=True):
                if row.shape != dataset.shape[1:]:
                    raise ValueError(f"'{dataset.name}' gets a row of shape {row.shape}")
                dataset.id.set_extent((self.count + 1, *row.shape))
                memory, place = _one_row(dataset.id, self.count)
                dataset.id.write(memory, place, np.ascontiguousarray(row, dtype="<f8"))
            self._file.flush()
            self.count += 1
            self._count.id.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(self.count, dtype="<i8"))
            self._file.flush()

    def close(self, status: str | None = None) -> None:
        """End the log, saying how the simulation ended."""
        with _trouble(self.path, "written"):
            if status is not None:
                self._file["status"][()] = status.encode()
            self._file.close()

    def _add(self, name: str, shape: tuple[int, ...], units: str, long_name: str) -> h5py.Dataset:
        rows = max(1, _CHUNK_VALUES // max(1, int(np.prod(shape))))
        dataset = self._file.create_dataset(
            name, (0, *shape), "<f8", maxshape=(None, *shape), chunks=(rows, *shape)
        )
        dataset.attrs.update(units=text(units), long_name=text(long_name))
        return dataset


class LogReader:
    """The other side's file, while it grows.

    Attributes:
        attributes: of the file; strings as str, names of nodes as tuples.

    Raises:
        ExchangeError: it is no file of an exchange, or is damaged, here and in all methods.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _trouble(path, "read"):
            self._number = path.stat().st_ino
            self._file = open_for_reading(path)
            self.attributes = {name: _plain(value) for name, value in self._file.attrs.items()}
            found = self.attributes.get("schema"), self.attributes.get("schema_version")
            if found != (SCHEMA, SCHEMA_VERSION):
                raise ValueError(f"its schema is {found}, not {(SCHEMA, SCHEMA_VERSION)}")
            self._count = self._file["count"]
            if self._count.shape != () or self._count.dtype.kind not in "iu":
                raise ValueError("its 'count' is not one integer")
            self._counted = np.zeros((), "<i8")
            self._datasets = {name: self._file[name] for name in self._file if name != "count"}

    def count(self) -> int:
        """Rows that count by now."""
        with _trouble(self.path, "read"):
            self._count.id.refresh()
            self._count.id.read(h5py.h5s.ALL, h5py.h5s.ALL, self._counted)
            return int(self._counted)

    def row(self, name: str, index: int) -> np.ndarray:
        """One row of a column, as float64."""
        with _trouble(self.path, "read"):
            dataset = self._datasets[name].id
            dataset.refresh()
            if dataset.rank == 0 or dataset.shape[0] <= index:
                raise ValueError(f"'{name}' of shape {dataset.shape} has no row {index}")
            values = np.empty(dataset.shape[1:])
            dataset.read(*_one_row(dataset, index), values)
            return values

    def status(self) -> str:
        """How the simulation is."""
        with _trouble(self.path, "read"):
            self._datasets["status"].refresh()
            status: str = self._datasets["status"][()].decode()
            return status

    def abandoned(self) -> str:
        """Why nobody writes this file any more, as far as can be told from here; or nothing."""
        try:
            if self.path.stat().st_ino != self._number:
                return f"another {self.path.name} has taken its place"
        except FileNotFoundError:
            return f"{self.path.name} has been removed"
        process = self.attributes.get("process")
        if process is not None and self.attributes.get("host") == _host() and _ended(process):
            return f"its process {process} has ended"
        return ""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def looks(timeout_second: float, pause_second: float = PAUSE_SECOND) -> Iterator[float]:
    """When to look for what the other side will write: the seconds waited so far, at each look.

    Without pauses at first, then with ever longer ones, up to `pause_second`; ends at the timeout.
    """
    started, pause = time.monotonic(), _FIRST_PAUSE_SECOND
    while (waited := time.monotonic() - started) <= timeout_second:
        yield waited
        if waited < SPIN_SECOND:
            os.sched_yield()  # the other side may need this core
        else:
            time.sleep(pause)
            pause = min(2 * pause, pause_second)


@contextmanager
def _trouble(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except _TROUBLE as error:
        said = " ".join(str(error).split())[:300]
        raise ExchangeError(
            f"{path} cannot be {what} as a part of an exchange: {said}. The points before are "
            "kept. See that there is space and that the other side follows the protocol (manual, "
            "'Serve the score from another process'), and run again."
        ) from error


def _one_row(dataset: h5py.h5d.DatasetID, index: int) -> tuple[h5py.h5s.SpaceID, h5py.h5s.SpaceID]:
    """Where a row is in memory, and in the file."""
    shape = dataset.shape[1:]
    place = dataset.get_space()
    place.select_hyperslab((index, *(0 for _ in shape)), (1, *shape))
    return h5py.h5s.create_simple((1, *shape)), place


def _plain(value: Any) -> Any:
    """An attribute, whichever way its writer stores strings."""
    if isinstance(value, np.ndarray) and value.shape:
        return tuple(_plain(item) for item in value)
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic | np.ndarray) else value


def _host() -> str:
    """Where a process id means the same process: this machine, and on Linux this container."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _ended(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


# -- the simulation's side -----------------------------------------------------------------------


def through_files(block: Block, scheme: Scheme, folder: Path, timeout_second: float) -> Block:
    """The same block, served by another process.

    Args:
        scheme: how it is coupled, by which it is asked for tangents or not.
        folder: where the files of the exchange are; those of an earlier one are replaced.
        timeout_second: longest wait for the server to come, and then for each answer.
    """
    tangents = scheme is Scheme.LINEARISED
    asked = _Asked(block.name, block.inputs, block.outputs, tangents, folder, timeout_second)
    return Block(asked, block.inputs, block.outputs, name=block.name)


class _Asked:
    """A block's functions, answered by a server; opens its files when it is called first, as it
    is pickled to the ngspice process.
    """

    stateless = True

    def __init__(
        self,
        name: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        tangents: bool,
        folder: Path,
        timeout_second: float,
    ) -> None:
        self._attributes: dict[str, Any] = {
            "block": text(name),
            "inputs": np.array([node.encode() for node in inputs]),
            "outputs": np.array([node.encode() for node in outputs]),
            "tangents": int(tangents),
        }
        self._inputs = len(inputs)
        self._folder = folder
        self._timeout_second = timeout_second
        self._run = ""
        self._request: LogWriter | None = None
        self._reply: LogReader | None = None
        self._answered = ""

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        """Output volts [outputs] for input volts [inputs].

        Raises:
            ExchangeError: no server came, it went away, or it broke the protocol.
        """
        reply, index = self._ask(time_second, volts)
        return reply.row("outputs", index)

    def tangents(
        self, time_second: float, volts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same with the Jacobian [outputs, inputs] and d output / d time [outputs] in V/s."""
        reply, index = self._ask(time_second, volts)
        return (
            reply.row("outputs", index),
            reply.row("jacobian", index),
            reply.row("time_derivative", index),
        )

    def end(self, complete: bool) -> None:
        """Tell the server that the simulation has ended, if the file can still be written."""
        if self._request is not None:
            with suppress(ExchangeError):
                self._request.close("complete" if complete else "failed")

    def _ask(self, time_second: float, volts: np.ndarray) -> tuple[LogReader, int]:
        """The reply's file once it holds the answer, and the answer's row."""
        if self._request is None:
            self._request = self._begin()
        self._request.append(np.array(time_second), volts)
        index = self._request.count - 1
        if self._reply is None:
            self._reply = self._find_server()
        reply, gone = self._reply, ""
        for waited in looks(self._timeout_second):
            if waited > ALIVE_SECOND:
                gone = reply.abandoned()  # before the look: its last word may be an answer
            count = reply.count()
            if count == index + 1:
                self._answered = time.strftime("%H:%M:%S")
                return reply, index
            if count > index + 1:
                raise ExchangeError(
                    f"The server counts {count} replies in {reply.path}, but was asked "
                    f"{index + 1} times. The points before are kept. Correct the server: a row for "
                    "each request, and `count` last."
                )
            if gone:
                break
        since = f"at {self._answered}, {index} in all" if index else "never"
        raise ExchangeError(
            f"The server of block '{self._attributes['block'][()].decode()}' stopped answering: "
            f"{gone or f'no reply for {self._timeout_second:g} s'}. It was asked at "
            f"t = {time_second:.9g} s and last replied {since}; the points before are kept in the "
            "trace. See what the server printed, and run again; a slow one needs a larger "
            "`server_timeout_second`."
        )

    def _begin(self) -> LogWriter:
        self._run = str(uuid.uuid4())
        (self._folder / REPLY_NAME).unlink(missing_ok=True)
        return LogWriter(
            self._folder / REQUEST_NAME,
            {"run": text(self._run), **self._attributes},
            {
                "time": Column((), "s", "circuit time"),
                "inputs": Column((self._inputs,), "V", "accepted voltages, to the block"),
            },
            status=True,
        )

    def _find_server(self) -> LogReader:
        path = self._folder / REPLY_NAME
        for _ in looks(self._timeout_second, FILE_PAUSE_SECOND):
            if path.exists():
                reply = LogReader(path)
                if reply.attributes.get("run") == self._run:
                    return reply
                reply.close()  # a server of an earlier run wrote it just now
        raise ExchangeError(
            f"No server came within {self._timeout_second:g} s: there is no {path} of this run. "
            f"Start `cosim serve {shlex.quote(str(self._folder))}` or another server while the "
            "simulation waits, or before; a longer wait is `server_timeout_second`."
        )
