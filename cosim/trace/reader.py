"""Reads traces: finished, broken off, or still being written."""

from pathlib import Path
from typing import Any, Self

import h5py

from cosim.errors import TraceError
from cosim.trace.notebook import trace_html
from cosim.trace.provenance import Provenance
from cosim.trace.record import check_schema, checking, open_for_reading
from cosim.trace.schema import Event
from cosim.trace.snapshot import Snapshot
from cosim.trace.table import Table


class Trace(Table):
    """One run, or ensemble of runs, as recorded; nothing is read before it is asked for.

    Attributes:
        path: the file.
        coupling: what crossed the lockstep interface, on its own time base.
        member_statuses: how each member of an ensemble ended; empty for a single run.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        """For `open`."""
        self._file = file
        self._member: int | None = None
        self._snapshot = snapshot = Snapshot(path, file)
        self.member_statuses = snapshot.member_statuses
        first, first_coupling = snapshot.first_points[0]
        signals, coupling = snapshot.signals, snapshot.coupling
        whole = self.members is None
        super().__init__(signals, range(first, signals.points) if whole else None)
        self.coupling = Table(coupling, range(first_coupling, coupling.points) if whole else None)

    @classmethod
    def open(cls, path: str | Path) -> "Trace":
        """Open a trace, also one that is being written, or whose writer was killed.

        Raises:
            TraceError: there is no such file, or it is not a trace, or it is damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise TraceError(
                f"There is no trace {path}. Give the path of a file that `cosim run` has written."
            )
        with checking(path):
            file = open_for_reading(path)
            try:
                check_schema(path, file)
                return cls(path, file)
            except BaseException:
                file.close()
                raise

    def refresh(self) -> "Trace":
        """The whole trace as it is now, if it is being written; views taken before stay."""
        return Trace(self.path, self._file)

    def close(self) -> None:
        """Close the file; what was not read is out of reach then."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def status(self) -> str:
        """'complete', 'interrupted', 'failed', or 'running': unfinished, or its writer killed."""
        return self._snapshot.status if self._member is None else self.member_statuses[self._member]

    @property
    def complete(self) -> bool:
        """Whether the run reached its end."""
        return self.status == "complete"

    @property
    def members(self) -> int | None:
        """Number of members of an ensemble."""
        return len(self.member_statuses) or None

    @property
    def number(self) -> int | None:
        """Of a member of an ensemble: which."""
        return self._member

    def member(self, index: int) -> "Trace":
        """One member of an ensemble.

        Raises:
            TraceError: there is no such member.
        """
        if self.members is None or not 0 <= index < self.members:
            raise TraceError(
                f"There is no member {index} in {self.path}, which holds "
                f"{'a single run' if self.members is None else f'{self.members} members'}."
            )
        first, first_coupling = self._snapshot.first_points[index]
        view = self._showing(self._record.member_rows(index, first))
        view.coupling = self.coupling._showing(
            self.coupling._record.member_rows(index, first_coupling)
        )
        view._member = index
        return view

    def window(self, first_second: float, last_second: float) -> Self:
        """The points between two circuit times, both included, of the coupling too."""
        view = super().window(first_second, last_second)
        view.coupling = self.coupling.window(first_second, last_second)
        return view

    @property
    def provenance(self) -> Provenance:
        """What determined the run."""
        return self._snapshot.provenance

    @property
    def events(self) -> list[Event]:
        """What happened, in order of recording; of a member, what happened to it."""
        events = self._snapshot.events
        return [e for e in events if self._member is None or e.member == self._member]

    @property
    def wall_time_second(self) -> float | None:
        """How long the run took; None for one that is not finished."""
        return self._snapshot.wall_time_second

    @property
    def reason(self) -> str:
        """Why the run was interrupted or failed."""
        return self._snapshot.reason

    def summary(self) -> dict[str, Any]:
        """Facts as plain data: of a run, of an ensemble or of one of its members; values of signals
        are not read.
        """
        provenance = self.provenance
        return {
            "path": str(self.path),
            "status": self.status,
            "reason": self.reason,
            "members": self.member_statuses if self._rows is None else None,
            "points": self.points,
            "first_second": self._time(slice(0, 1)),
            "last_second": self._time(slice(-1, None)),
            "wall_time_second": self.wall_time_second,
            "started": provenance.started,
            "software": provenance.software,
            "signals": self.facts,
            "coupling": self.coupling.facts,
            "events": [event._asdict() for event in self.events],
        }

    def _time(self, point: slice) -> float | None:
        """None before the first point, and of an ensemble: its members have their own times."""
        if self._rows is None or not self.points:
            return None
        return float(self.read("time", point)[0])

    def verify(self) -> None:
        """Read all anew and compare with the content hash that was stored at the end.

        Raises:
            TraceError: the run was not finished, or its content is not what was recorded.
        """
        Snapshot(self.path, self._file).verify()

    def _repr_html_(self) -> str:
        return trace_html(self.summary())

    def __repr__(self) -> str:
        who = "" if self._member is None else f", member {self._member}"
        status = "running, or killed" if self.status == "running" else self.status
        provenance = self.provenance
        lines = [f"<Trace {self.path}{who}: {status}, {self._extent()}>"]
        if self.members is not None and self._member is None:
            done = sum(status == "complete" for status in self.member_statuses)
            lines.append(f"ensemble: {done} of {self.members} members complete")
        wall = "" if self.wall_time_second is None else f", wall time {self.wall_time_second:.3g} s"
        lines.append(
            f"started {provenance.started}{wall}, "
            f"ngspice {provenance.software.get('ngspice', 'unknown')}"
        )
        lines += self._list("signals") + self.coupling._list("coupling")
        return "\n".join([*lines, f"events ({len(self.events)})"])
