"""Streams a run to a trace file that other processes may read meanwhile (layout: `schema`)."""

import os
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from cosim.errors import TraceError
from cosim.trace.layout import empty_trace
from cosim.trace.provenance import Provenance
from cosim.trace.schema import (
    EVENT_TYPE,
    KIND_BYTES,
    OUTCOME_TYPE,
    PROGRESS_TYPE,
    Event,
    FinalStatus,
    Signal,
    check_names,
    content_sha256,
    fitted,
)
from cosim.trace.table_writer import TableWriter

FLUSH_SECOND = 0.5
"""Half of the second that a kill may cost, so that a slow disk does not break the promise."""


class TraceWriter:
    """Writes one trace; a kill at any moment costs no more than its last second.

    What `append` gets is in the file once a chunk (8,192 points or less) is full, and at the
    latest half a second later: a thread sees to that, however long the next point takes.

    As a context, it finishes the trace as 'interrupted' (Ctrl-C) or 'failed' (another exception)
    if the code inside has not called `finish`.
    """

    def __init__(
        self,
        path: Path,
        file: h5py.File,
        tables: tuple[TableWriter, TableWriter],
        provenance: Provenance,
    ) -> None:
        """For `create`, which makes the file."""
        self.path = path
        self._file = file
        self._signals, self._coupling = tables
        self._provenance = provenance
        self._progress = file["progress"]
        self._outcome = file["outcome"]
        self._first_points = file["first_points"]
        self._events_dataset = file["events"]
        self._events: list[Event] = []
        self._events_stored = 0
        self._started = time.monotonic()
        self._lock = threading.RLock()
        self._closed_because: TraceError | None = None
        self._stop = threading.Event()
        self._flusher = threading.Thread(target=self._flush_regularly, daemon=True)
        self._flusher.start()

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        signals: Sequence[Signal],
        provenance: Provenance,
        coupling: Sequence[Signal] = (),
        members: int | None = None,
        overwrite: bool = False,
    ) -> "TraceWriter":
        """Start a trace; from now on readers can open it.

        Args:
            path: the file; its folder must exist.
            signals: what `append` will get, in the order of its columns.
            provenance: what determines the run.
            coupling: what `append_coupling` will get.
            members: how many, for an ensemble.
            overwrite: replace an existing file, which remains until the new one is ready.

        Raises:
            TraceError: the file exists or cannot be created, or signals share a name.
        """
        path = Path(path)
        check_names(signals)
        check_names(coupling)
        if members is not None and members < 1:
            raise ValueError("an ensemble has at least one member")
        if path.exists() and not overwrite:
            raise already_exists(path)
        # What bears the final name, an old trace included, can be opened at every moment.
        partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
        try:
            empty = empty_trace(signals, coupling, members, provenance)
            try:
                partial.write_bytes(empty)
                file = _publish(partial, path, overwrite)
            finally:
                with suppress(OSError):  # it has been renamed, or could not be made
                    partial.unlink()
        except FileExistsError:
            raise already_exists(path) from None
        except (OSError, RuntimeError, ValueError) as error:
            raise TraceError(
                f"The trace {path} cannot be created: {_reason(error)}. Choose a folder that "
                "exists, that you may write to and that has space."
            ) from error
        tables = (
            TableWriter(file, signals, members),
            TableWriter(file["coupling"], coupling, members),
        )
        return cls(path, file, tables, provenance)

    def append(
        self, time_second: np.ndarray, values: np.ndarray, member: int | None = None
    ) -> None:
        """Record accepted points.

        Args:
            time_second: circuit times [n], finite, not going back.
            values: the signals [n, signals]; NaN and infinities are recorded as they are.
            member: whose points these are, in an ensemble.

        Raises:
            TraceError: the file cannot be written any more, or time goes back.
        """
        with self._writable():
            self._signals.append(time_second, values, member, self._commit)

    def append_coupling(
        self, time_second: np.ndarray, values: np.ndarray, member: int | None = None
    ) -> None:
        """Record what crossed the lockstep interface; everything as in `append`."""
        with self._writable():
            self._coupling.append(time_second, values, member, self._commit)

    def event(self, time_second: float, kind: str, message: str, member: int | None = None) -> None:
        """Record what happened at a circuit time; NaN where there is none.

        Raises:
            TraceError: the file cannot be written any more.
        """
        with self._writable():
            number = -1 if member is None else self._signals.member_index(member)
            texts = fitted(kind, KIND_BYTES).decode(), fitted(message).decode()
            self._events.append(Event(float(time_second), number, *texts))

    def restart(self, member: int | None = None) -> None:
        """Begin a member, or the run, anew: what was recorded of it no longer counts.

        Raises:
            TraceError: the file cannot be written any more.
        """
        with self._writable():
            index = self._signals.member_index(member)
            tables = (self._signals, self._coupling)
            if any(table.holds(index) for table in tables):
                self._first_points[index] = [table.restart(index) for table in tables]
                self._first_points.flush()

    def finish_member(self, member: int, status: FinalStatus = "complete") -> None:
        """Mark how a member of an ensemble ended, after its last point.

        Raises:
            TraceError: the file cannot be written any more.
        """
        with self._writable():
            index = self._signals.member_index(member)
            self._flush()  # no member counts as ended before its points are in the file
            self._file["members/status"][index] = status
            self._file.flush()

    def finish(self, status: FinalStatus = "complete", reason: str = "") -> None:
        """Write what is buffered, the content hash and, last, the status; close the file.

        Args:
            status: how the run ended.
            reason: why it was interrupted or failed.

        Raises:
            TraceError: the file cannot be written any more; its status remains 'running'.
        """
        try:
            with self._writable():
                self._signals.store()
                self._coupling.store()
                self._store_events()
                self._store_outcome(status, reason)
                self._commit()
                self._commit(status)
                self._file.close()
                self._closed_because = TraceError(f"The trace {self.path} is already finished.")
        finally:
            self._stop_flusher()

    def __enter__(self) -> "TraceWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._closed_because is not None:
            self._stop_flusher()
        elif error is None:
            self.finish("interrupted", "The writer was closed before the run was finished.")
        elif isinstance(error, KeyboardInterrupt):
            self.finish("interrupted", "The user interrupted the run.")
        else:
            self.finish("failed", str(error) or type(error).__name__)

    # -- the commit protocol: see the docstring of `schema` --------------------------------------

    def _commit(self, status: str = "running") -> None:
        """Let what has been written count, once it has reached the file."""
        self._file.flush()
        counts = (
            self._signals.stored,
            self._signals.tail_saved,
            self._coupling.stored,
            self._coupling.tail_saved,
            self._events_stored,
        )
        self._progress[()] = np.array((*counts, status), PROGRESS_TYPE)
        self._progress.flush()

    def _flush(self) -> None:
        self._commit()  # the tail's old rows must no longer count when they are overwritten
        self._signals.save_tail()
        self._coupling.save_tail()
        self._store_events()
        self._commit()

    def _store_events(self) -> None:
        new = self._events[self._events_stored :]
        if new:
            self._events_dataset.resize((len(self._events),))
            self._events_dataset[self._events_stored :] = np.array(
                [(*event[:2], event.kind.encode(), event.message.encode()) for event in new],
                EVENT_TYPE,
            )
            self._events_stored = len(self._events)

    def _store_outcome(self, status: FinalStatus, reason: str) -> None:
        wall_time_second = time.monotonic() - self._started
        stored_reason = fitted(reason)
        sha256 = content_sha256(
            provenance=self._provenance.model_dump(mode="json"),
            signals=self._signals.signals,
            signal_rows_sha256=self._signals.digest.hexdigest(),
            coupling=self._coupling.signals,
            coupling_rows_sha256=self._coupling.digest.hexdigest(),
            events=self._events,
            member_status=self._close_members(),
            first_points=self._first_points[()].tolist(),
            status=status,
            wall_time_second=wall_time_second,
            reason=stored_reason.decode(),
        )
        self._outcome[()] = np.array((wall_time_second, sha256, stored_reason), OUTCOME_TYPE)

    def _close_members(self) -> list[str]:
        """The members' statuses, after those that did not end are marked."""
        if "members" not in self._file:
            return []
        statuses = self._file["members/status"]
        statuses[statuses[()] == b"running"] = b"interrupted"
        return [status.decode() for status in statuses[()]]

    def _flush_regularly(self) -> None:
        while not self._stop.wait(FLUSH_SECOND):
            with suppress(TraceError), self._writable():  # the user's next call raises it again
                self._flush()

    def _stop_flusher(self) -> None:
        self._stop.set()
        self._flusher.join()

    @contextmanager
    def _writable(self) -> Iterator[None]:
        """One thread at a time, and none after HDF5 has failed: its state is unknown then."""
        with self._lock:
            if self._closed_because is not None:
                raise self._closed_because
            try:
                yield
            except (OSError, RuntimeError) as error:
                self._stop.set()
                self._closed_because = TraceError(
                    f"The trace {self.path} cannot be written any more: {_reason(error)}. What "
                    "was recorded until a second before is in it and can be read. Make space or "
                    "choose another folder, and run again."
                )
                with suppress(OSError, RuntimeError):
                    self._file.close()
                raise self._closed_because from error


def _publish(partial: Path, path: Path, overwrite: bool) -> h5py.File:
    """Open the file for writing while others read, and only then give it its name."""
    file = h5py.File(
        partial,
        "r+",
        libver=("v110", "v110"),
        locking="best-effort",  # as h5py by itself: in a process, all must agree
        rdcc_nbytes=0,  # only whole chunks are written: a cache would cost memory for nothing
    )
    try:
        file.swmr_mode = True
        if overwrite:
            partial.replace(path)
        else:
            os.link(partial, path)  # unlike a renaming, this fails if `path` exists
    except BaseException:
        file.close()
        raise
    return file


def already_exists(path: Path) -> TraceError:
    """For a trace that would replace another without being asked to."""
    return TraceError(
        f"The trace {path} exists already and is not overwritten. Give another path, or ask for "
        "it to be replaced (--force; overwrite=True in Python)."
    )


def _reason(error: Exception) -> str:
    """What the operating system or HDF5 says, in a line."""
    number: Any = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error).splitlines()[0]
