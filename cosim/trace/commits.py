"""The commit protocol of a trace that is being written: what counts, and when (see `schema`)."""

import time
from collections.abc import Sequence

import h5py
import numpy as np

from cosim.trace.provenance import Provenance
from cosim.trace.schema import (
    EVENT_TYPE,
    KIND_BYTES,
    OUTCOME_TYPE,
    PROGRESS_TYPE,
    Event,
    FinalStatus,
    Signal,
    content_sha256,
    fitted,
)
from cosim.trace.table_writer import TableWriter


class Commits:
    """Writes to one file, for one thread at a time; who uses it meets HDF5's own errors.

    Attributes:
        signals, coupling: its tables.
    """

    def __init__(
        self,
        file: h5py.File,
        signals: Sequence[Signal],
        coupling: Sequence[Signal],
        members: int | None,
        provenance: Provenance,
    ) -> None:
        self.signals = TableWriter(file, signals, members)
        self.coupling = TableWriter(file["coupling"], coupling, members)
        self._file = file
        self._provenance = provenance
        self._progress = file["progress"]
        self._outcome = file["outcome"]
        self._first_points = file["first_points"]
        self._events_dataset = file["events"]
        self._events: list[Event] = []
        self._events_stored = 0
        self._started = time.monotonic()

    def commit(self, status: str = "running") -> None:
        """Let what has been written count, once it has reached the file."""
        self._file.flush()
        counts = (
            self.signals.stored,
            self.signals.tail_saved,
            self.coupling.stored,
            self.coupling.tail_saved,
            self._events_stored,
        )
        self._progress[()] = np.array((*counts, status), PROGRESS_TYPE)
        self._progress.flush()

    def flush(self) -> None:
        """Write what is buffered, and let it count."""
        self.commit()  # the tail's old rows must no longer count when they are overwritten
        self.signals.save_tail()
        self.coupling.save_tail()
        self._store_events()
        self.commit()

    def event(self, time_second: float, kind: str, message: str, member: int | None) -> None:
        """Buffer an event."""
        number = -1 if member is None else self.signals.member_index(member)
        texts = fitted(kind, KIND_BYTES).decode(), fitted(message).decode()
        self._events.append(Event(float(time_second), number, *texts))

    def restart(self, member: int | None) -> None:
        """Let nothing count that was recorded of a member, or of the run."""
        index = self.signals.member_index(member)
        tables = (self.signals, self.coupling)
        if any(table.holds(index) for table in tables):
            self._first_points[index] = [table.restart(index) for table in tables]
            self._first_points.flush()

    def finish_member(self, member: int, status: FinalStatus) -> None:
        """Mark how a member ended."""
        index = self.signals.member_index(member)
        self.flush()  # no member counts as ended before its points are in the file
        self._file["members/status"][index] = status
        self._file.flush()

    def finish(self, status: FinalStatus, reason: str) -> None:
        """Write what is buffered, the content hash and, last, the status; close the file."""
        self.signals.store()
        self.coupling.store()
        self._store_events()
        self._store_outcome(status, reason)
        self.commit()
        self.commit(status)
        self._file.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()

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
            signals=self.signals.signals,
            signal_rows_sha256=self.signals.digest.hexdigest(),
            coupling=self.coupling.signals,
            coupling_rows_sha256=self.coupling.digest.hexdigest(),
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
