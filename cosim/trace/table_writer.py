"""One table of a trace as it is written: the signals that share a time base, chunk by chunk."""

import hashlib
from collections.abc import Callable, Sequence

import h5py
import numpy as np

from cosim.errors import TraceError
from cosim.trace.schema import Signal, column_names, dataset_path, first_disorder


class TableWriter:
    """Writes the signals that share a time base: full chunks to each, the rest to the tail.

    A row is [member, time, signals...], the member in ensembles only.
    """

    def __init__(self, group: h5py.Group, signals: Sequence[Signal], members: int | None) -> None:
        self.signals = signals
        self.stored = 0  # points in the signals' datasets
        self.filled = 0  # points in the buffer, which wait for the chunk to be full
        self.tail_saved = 0  # of these, points in the tail
        self.digest = hashlib.sha256()
        self._members = members
        self._last_second = np.full(members or 1, -np.inf)
        columns = column_names(signals, members)
        self._time_column = columns.index("time")
        self._datasets = [group[dataset_path(column)] for column in columns]
        self._tail = group["tail"]
        self._rows = np.empty(self._tail.shape, dtype="<f8")

    def append(
        self,
        time_second: np.ndarray,
        values: np.ndarray,
        member: int | None,
        commit: Callable[[], None],
    ) -> None:
        """Buffer points; each full chunk is stored and committed."""
        points = len(time_second)
        if np.shape(time_second) != (points,) or np.shape(values) != (points, len(self.signals)):
            raise ValueError(
                f"time_second {np.shape(time_second)} and values {np.shape(values)} are not [n] "
                f"and [n, {len(self.signals)}]"
            )
        index = self.member_index(member)
        self._check_time(np.asarray(time_second, dtype=float), index)
        first = 0
        while first < points:
            room = self._rows[self.filled : self.filled + points - first]
            last = first + len(room)
            if self._members is not None:
                room[:, 0] = index
            room[:, self._time_column] = time_second[first:last]
            room[:, self._time_column + 1 :] = values[first:last]
            self.filled += len(room)
            first = last
            if self.filled == len(self._rows):
                self.store()
                commit()

    def member_index(self, member: int | None) -> int:
        """The member's number, 0 where there is one run."""
        if self._members is None and member is None:
            return 0
        if self._members is None or member is None or not 0 <= member < self._members:
            raise ValueError(f"there is no member {member} in a trace of {self._members} members")
        return member

    def _check_time(self, time_second: np.ndarray, index: int) -> None:
        """Points are found by their time: it must be finite and not go back."""
        before = np.concatenate([self._last_second[[index]], time_second])
        wrong = first_disorder(self._last_second[index], time_second)
        if wrong is not None:
            raise TraceError(
                f"A point at {time_second[wrong]:.9g} s cannot be recorded after one at "
                f"{before[wrong]:.9g} s: a trace needs finite times that do not go back. What was "
                "recorded before is kept. This is a fault of what sent the points; report it."
            )
        self._last_second[index] = before[-1]

    def restart(self, index: int) -> int:
        """Let time begin anew for a member; the row from which on it does."""
        self._last_second[index] = -np.inf
        return self.stored + self.filled

    def holds(self, index: int) -> bool:
        """Whether there are points of a member, since it began."""
        return bool(self._last_second[index] > -np.inf)

    def store(self) -> None:
        """Append the buffered points, a full chunk unless they are the last, to the signals."""
        rows = self._rows[: self.filled]
        end = self.stored + self.filled
        digest = self.digest.copy()
        digest.update(rows.data)
        for dataset, column in zip(self._datasets, np.ascontiguousarray(rows.T), strict=True):
            dataset.resize((end,))
            dataset[self.stored :] = column
        # All at once and at the end, so that after Ctrl-C above the same can be done again.
        self.digest, self.stored, self.filled, self.tail_saved = digest, end, 0, 0

    def save_tail(self) -> None:
        """Write the buffered points that are not in the file yet to the tail."""
        new = slice(self.tail_saved, self.filled)
        self._tail[new] = self._rows[new]
        self.tail_saved = self.filled
