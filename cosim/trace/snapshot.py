"""What a trace file says at one moment: status, points that count, members, provenance, events."""

from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cosim.errors import TraceError
from cosim.trace.provenance import Provenance
from cosim.trace.record import (
    Record,
    check_chunks,
    checking,
    dataset_of,
    group_of,
    small_dataset,
)
from cosim.trace.schema import (
    EVENT_CHUNK,
    EVENT_TYPE,
    OUTCOME_TYPE,
    PROGRESS_TYPE,
    STATUSES,
    Event,
    content_sha256,
)

_READ_ATTEMPTS = 100


class Snapshot:
    """A file as it is, though a writer may go on meanwhile.

    Attributes:
        path: the file.
        status: of the run.
        signals, coupling: its tables.
        member_statuses: how each member of an ensemble ended; empty for a single run.
        first_points: rows [members or 1, 2] where what counts begins, of the signals and the
            coupling.

    Raises:
        TraceError: the file is damaged, here and in all methods.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        with checking(path):
            self._progress, self.signals, self.coupling = self._read_tables()
            self.status: str = self._progress["status"].decode()
            if self.status not in STATUSES:
                raise ValueError(f"its status is {self.status!r}")
            self.member_statuses = self._read_member_statuses()
            self.first_points = self._read_first_points()

    @cached_property
    def provenance(self) -> Provenance:
        """What determined the run."""
        with checking(self.path):
            return Provenance.load(group_of(self._file, "provenance"))

    @cached_property
    def events(self) -> list[Event]:
        """What happened, in order of recording, to the run and to its members."""
        count = int(self._progress["events"])
        with checking(self.path):
            dataset = dataset_of(self._file, "events", EVENT_TYPE)
            check_chunks(dataset, EVENT_CHUNK, count)
            return [
                Event(float(time_second), int(member), kind.decode(), message.decode())
                for time_second, member, kind, message in dataset[:count]
            ]

    @property
    def wall_time_second(self) -> float | None:
        """How long the run took; None for one that is not finished."""
        return None if self.status == "running" else float(self._outcome["wall_time_second"])

    @property
    def reason(self) -> str:
        """Why the run was interrupted or failed."""
        return "" if self.status == "running" else self._outcome["reason"].decode()

    def verify(self) -> None:
        """Read all and compare with the content hash that was stored at the end.

        Raises:
            TraceError: the run was not finished, or its content is not what was recorded.
        """
        if self.status == "running":
            raise TraceError(
                f"{self.path} cannot be verified: its run is not finished or was killed, and the "
                "content hash is stored at the end. What it holds can be read."
            )
        with checking(self.path):
            stored = self._outcome["content_sha256"].decode()
            found = content_sha256(
                provenance=self.provenance.model_dump(mode="json"),
                signals=self.signals.signals(),
                signal_rows_sha256=self.signals.rows_sha256(),
                coupling=self.coupling.signals(),
                coupling_rows_sha256=self.coupling.rows_sha256(),
                events=self.events,
                member_status=self.member_statuses,
                first_points=self.first_points.tolist(),
                status=self.status,
                wall_time_second=float(self._outcome["wall_time_second"]),
                reason=self.reason,
            )
        if found != stored:
            raise TraceError(
                f"{self.path} is damaged or was changed: the SHA-256 of its content is {found}, "
                f"but {stored} was stored when the run ended. Get a good copy or run it again."
            )

    @cached_property
    def _outcome(self) -> Any:
        with checking(self.path):
            return small_dataset(self._file, "outcome", OUTCOME_TYPE)[()]

    def _read_progress(self) -> Any:
        return small_dataset(self._file, "progress", PROGRESS_TYPE)[()]

    def _read_tables(self) -> tuple[Any, Record, Record]:
        """Progress and tails that belong together, though a writer may go on meanwhile."""
        for _ in range(_READ_ATTEMPTS):
            before = self._read_progress()
            signals = Record(
                self.path, self._file, int(before["points"]), int(before["tail_points"])
            )
            coupling = Record(
                self.path,
                group_of(self._file, "coupling"),
                int(before["coupling_points"]),
                int(before["coupling_tail_points"]),
            )
            after = self._read_progress()
            # A tail's rows are overwritten only after they have gone into a full chunk.
            if all(before[key] == after[key] for key in ("points", "coupling_points")):
                return before, signals, coupling
        raise TraceError(f"{self.path} is written faster than it can be read. Try again.")

    def _read_member_statuses(self) -> list[str]:
        if "members" not in self._file:
            return []
        return [status.decode() for status in small_dataset(self._file, "members/status")[()]]

    def _read_first_points(self) -> np.ndarray:
        """Rows [members or 1, 2] where what counts begins, of the signals and the coupling."""
        stored = small_dataset(self._file, "first_points", np.dtype("<i8"))
        if stored.shape != (len(self.member_statuses) or 1, 2):
            raise ValueError(f"'first_points' is of shape {stored.shape}")
        first_points: np.ndarray = stored[()]
        if np.any(first_points < 0):
            raise ValueError("'first_points' holds a negative row")
        return first_points
