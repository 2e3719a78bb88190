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
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import psutil

from cosim.errors import ExchangeError
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
