"""Streams a run to a trace file that other processes may read meanwhile (layout: `schema`)."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import numpy as np

from cosim.errors import TraceError
from cosim.trace.commits import Commits
from cosim.trace.creation import created, reason_of
from cosim.trace.provenance import Provenance
from cosim.trace.schema import FinalStatus, Signal

FLUSH_SECOND = 0.5
"""Half of the second that a kill may cost, so that a slow disk does not break the promise."""


class TraceWriter:
    """Writes one trace; a kill at any moment costs no more than its last second.

    What `append` gets is in the file once a chunk (8,192 points or less) is full, and at the
    latest half a second later: a thread sees to that, however long the next point takes.

    As a context, it finishes the trace as 'interrupted' (Ctrl-C) or 'failed' (another exception)
    if the code inside has not called `finish`.
    """

    def __init__(self, path: Path, commits: Commits) -> None:
        """For `create`, which makes the file."""
        self.path = path
        self._commits = commits
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
        file = created(path, signals, coupling, members, provenance, overwrite)
        return cls(path, Commits(file, signals, coupling, members, provenance))

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
            self._commits.signals.append(time_second, values, member, self._commits.commit)

    def append_coupling(
        self, time_second: np.ndarray, values: np.ndarray, member: int | None = None
    ) -> None:
        """Record what crossed the lockstep interface; everything as in `append`."""
        with self._writable():
            self._commits.coupling.append(time_second, values, member, self._commits.commit)

    def event(self, time_second: float, kind: str, message: str, member: int | None = None) -> None:
        """Record what happened at a circuit time; NaN where there is none.

        Raises:
            TraceError: the file cannot be written any more.
        """
        with self._writable():
            self._commits.event(time_second, kind, message, member)

    def restart(self, member: int | None = None) -> None:
        """Begin a member, or the run, anew: what was recorded of it no longer counts.

        Raises:
            TraceError: the file cannot be written any more.
        """
        with self._writable():
            self._commits.restart(member)

    def flush(self) -> None:
        """Have all that was recorded so far in the file, as happens every half second by itself.

        Raises:
            TraceError: the file cannot be written any more.
        """
        with self._writable():
            self._commits.flush()

    def finish_member(self, member: int, status: FinalStatus = "complete") -> None:
        """Mark how a member of an ensemble ended, after its last point.

        Raises:
            TraceError: the file cannot be written any more.
        """
        with self._writable():
            self._commits.finish_member(member, status)

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
                self._commits.finish(status, reason)
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

    def _flush_regularly(self) -> None:
        while not self._stop.wait(FLUSH_SECOND):
            with suppress(TraceError):  # the user's next call raises it again
                self.flush()

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
                    f"The trace {self.path} cannot be written any more: {reason_of(error)}. What "
                    "was recorded until a second before is in it and can be read. Make space or "
                    "choose another folder, and run again."
                )
                with suppress(OSError, RuntimeError):
                    self._commits.close()
                raise self._closed_because from error
