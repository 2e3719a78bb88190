"""Reads traces: finished, broken off, or still being written; lazily, by name and by time."""

import copy
import difflib
import fnmatch
import importlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np

from cosim.errors import TraceError
from cosim.trace.decimate import decimate
from cosim.trace.measure import Measurements
from cosim.trace.provenance import Provenance
from cosim.trace.record import (
    Record,
    check_chunks,
    check_schema,
    checking,
    dataset_of,
    group_of,
    open_for_reading,
    small_dataset,
)
from cosim.trace.schema import (
    EVENT_CHUNK,
    EVENT_TYPE,
    OUTCOME_TYPE,
    PROGRESS_TYPE,
    STATUSES,
    Event,
    Signal,
    chunk_points,
    content_sha256,
)

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

_READ_ATTEMPTS = 100


class SignalView(Measurements):
    """One signal, read from the file when its values are asked for."""

    def __init__(self, table: "Table", signal: Signal) -> None:
        """For `Table`, by `table[name]`."""
        self._table = table
        self.name = signal.name
        self.unit = signal.unit
        self.description = signal.description

    @property
    def values(self) -> np.ndarray:
        """Values [points] in `unit`."""
        return self._table.read(self.name, slice(None))

    @property
    def time_second(self) -> np.ndarray:
        """Circuit times [points]."""
        return self._table.time_second

    def __len__(self) -> int:
        return self._table.points

    def __getitem__(self, key: Any) -> Any:
        """As of an array; of a slice or a number only what is needed is read."""
        if isinstance(key, slice):
            return self._table.read(self.name, key)
        if isinstance(key, int | np.integer):
            position = range(len(self))[key]
            return self._table.read(self.name, slice(position, position + 1))[0]
        return self.values[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype)

    def decimated(self, points: int) -> tuple[np.ndarray, np.ndarray]:
        """Times and values of at most `points` samples that keep every peak of a plot."""
        time_second, values = self.time_second, self.values
        kept = decimate(time_second, values, points)
        return time_second[kept], values[kept]

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw over circuit time, decimated without losing peaks; returns the axes."""
        from cosim.trace.notebook import plot_signal

        return plot_signal(self, axes)

    def __repr__(self) -> str:
        return f"<SignalView {self.name}: {len(self)} points in {self.unit}; {self.description}>"


class Table:
    """Signals that share a time base, all of a run or some of its points.

    Attributes:
        path: the file.
    """

    def __init__(self, record: "Record", rows: range | np.ndarray | None) -> None:
        """For `Trace`. Without rows, it stands for all members of an ensemble."""
        self.path = record.path
        self._record = record
        self._rows = rows

    @property
    def names(self) -> list[str]:
        """The signals, in the order in which they were declared."""
        return list(self._record.names)

    @property
    def points(self) -> int:
        """Number of points."""
        return self._record.points if self._rows is None else len(self._rows)

    @cached_property
    def time_second(self) -> np.ndarray:
        """Circuit times [points], as ngspice chose them."""
        return self.read("time", slice(None))

    def __contains__(self, name: object) -> bool:
        return name in self._record.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __getitem__(self, name: str) -> SignalView:
        """The signal of this name.

        Raises:
            TraceError: there is none, or what the file says of it is damaged.
        """
        if name not in self:
            near = difflib.get_close_matches(str(name), self.names, 3, 0.3) or self.names[:3]
            raise TraceError(
                f"There is no signal {name!r} in {self._record.path}. Near it: "
                f"{', '.join(near) or 'none'}; `.names` lists all {len(self.names)}, and "
                "`.match('integrator_*.out')` finds them by pattern."
            )
        return SignalView(self, self._record.signal(name))

    def match(self, pattern: str) -> list[str]:
        """Names that fit a pattern with `*`, `?` and `[...]`, such as 'integrator_*.out'."""
        return fnmatch.filter(self._record.names, pattern)

    def window(self, first_second: float, last_second: float) -> Self:
        """The points between two circuit times, both included."""

        def time_second(point: int) -> float:
            return float(self.read("time", slice(point, point + 1))[0])

        points = range(self.points)  # searched in the file: of a long run, times fill a memory too
        first = bisect_left(points, first_second, key=time_second)
        last = bisect_right(points, last_second, key=time_second)
        return self._showing(self._chosen_rows[first:last])

    def blocks(self, names: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Times [n] and values [n, names] of all points in turn, never more than fit in memory."""
        step = chunk_points(1 + len(names))
        for first in range(0, self.points, step):
            block = slice(first, first + step)
            columns = [self.read(name, block) for name in names]
            yield self.read("time", block), np.stack(columns, axis=1)

    def decimated(self, name: str, points: int) -> tuple[np.ndarray, np.ndarray]:
        """Times and values of at most `points` samples that keep every peak of a plot."""
        return self[name].decimated(points)

    def plot(self, *patterns: str) -> "list[Axes]":
        """Draw signals over circuit time, by name or pattern (default: all); returns the axes, one
        for each unit, with a common time axis.
        """
        from cosim.trace.notebook import plot

        return plot(self, patterns)

    def to_pandas(self) -> "pd.DataFrame":
        """All signals by name, indexed by circuit time."""
        pandas = optional("pandas")
        index = pandas.Index(self.time_second, name="time_second")
        return pandas.DataFrame({name: self[name].values for name in self}, index=index)

    def to_xarray(self) -> "xr.Dataset":
        """All signals by name along 'time_second', with units and descriptions."""
        signals = [self[name] for name in self]
        return optional("xarray").Dataset(
            {
                signal.name: (
                    "time_second",
                    signal.values,
                    {"units": signal.unit, "long_name": signal.description},
                )
                for signal in signals
            },
            coords={"time_second": ("time_second", self.time_second, {"units": "s"})},
        )

    def read(self, column: str, selection: slice) -> np.ndarray:
        """Values of a signal or of 'time' at some of the points."""
        rows = self._chosen_rows[selection]
        if len(rows) == 0:
            return np.empty(0)
        first, last = int(min(rows[0], rows[-1])), int(max(rows[0], rows[-1]))
        values = self._record.read(column, first, last + 1)
        return values[:: rows.step] if isinstance(rows, range) else values[rows - first]

    @property
    def _chosen_rows(self) -> range | np.ndarray:
        if self._rows is None:
            raise TraceError(
                f"{self._record.path} holds an ensemble, each member on its own time grid. "
                "Choose one with `trace.member(0)`, or --member 0 on the command line."
            )
        return self._rows

    def _showing(self, rows: range | np.ndarray) -> Self:
        view = copy.copy(self)
        view.__dict__.pop("time_second", None)
        view._rows = rows
        return view

    def __repr__(self) -> str:
        lines = [f"<Table {self._record.path}: {self._extent()}>", *self._list("signals")]
        return "\n".join(lines)

    def _extent(self) -> str:
        if self._rows is None or not self.points:
            return f"{self.points:,} points"
        first, last = self.read("time", slice(0, 1))[0], self.read("time", slice(-1, None))[0]
        return f"{self.points:,} points from {first:.6g} s to {last:.6g} s"

    def _list(self, title: str) -> list[str]:
        shown = [self[name] for name in self.names[:20]]
        width = max((len(signal.name) for signal in shown), default=0)
        lines = [f"  {s.name:{width}}  {s.unit:3} {s.description}".rstrip() for s in shown]
        more = len(self.names) - len(shown)
        return [f"{title} ({len(self.names)}):", *lines, *([f"  and {more} more"] if more else [])]


class Trace(Table):
    """One run, or ensemble of runs, as recorded; nothing is read before it is asked for.

    Attributes:
        path: the file.
        coupling: what crossed the lockstep interface, on its own time base.
        member_statuses: how each member of an ensemble ended; empty for a single run.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        """For `open`."""
        self.path = path
        self._file = file
        self._member: int | None = None
        with checking(path):
            self._progress, signals, coupling = self._snapshot()
            self._status = self._progress["status"].decode()
            if self._status not in STATUSES:
                raise ValueError(f"its status is {self._status!r}")
            self.member_statuses = self._read_member_statuses()
            self._first_points = self._read_first_points()
        whole = self.members is None
        first, first_coupling = self._first_points[0]
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
        return self._status if self._member is None else self.member_statuses[self._member]

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
        first, first_coupling = self._first_points[index]
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

    @cached_property
    def provenance(self) -> Provenance:
        """What determined the run."""
        with checking(self.path):
            return Provenance.load(group_of(self._file, "provenance"))

    @cached_property
    def events(self) -> list[Event]:
        """What happened, in order of recording; of a member, what happened to it."""
        count = int(self._progress["events"])
        with checking(self.path):
            dataset = dataset_of(self._file, "events", EVENT_TYPE)
            check_chunks(dataset, EVENT_CHUNK, count)
            events = [
                Event(float(time_second), int(member), kind.decode(), message.decode())
                for time_second, member, kind, message in dataset[:count]
            ]
        return [e for e in events if self._member is None or e.member == self._member]

    @property
    def wall_time_second(self) -> float | None:
        """How long the run took; None for one that is not finished."""
        return None if self._status == "running" else float(self._outcome["wall_time_second"])

    @property
    def reason(self) -> str:
        """Why the run was interrupted or failed."""
        return "" if self._status == "running" else self._outcome["reason"].decode()

    def verify(self) -> None:
        """Read all and compare with the content hash that was stored at the end.

        Raises:
            TraceError: the run was not finished, or its content is not what was recorded.
        """
        if self._status == "running":
            raise TraceError(
                f"{self.path} cannot be verified: its run is not finished or was killed, and the "
                "content hash is stored at the end. What it holds can be read."
            )
        with checking(self.path):
            stored = self._outcome["content_sha256"].decode()
            run = self.refresh()
            found = content_sha256(
                provenance=run.provenance.model_dump(mode="json"),
                signals=run._record.signals(),
                signal_rows_sha256=run._record.rows_sha256(),
                coupling=run.coupling._record.signals(),
                coupling_rows_sha256=run.coupling._record.rows_sha256(),
                events=run.events,
                member_status=run.member_statuses,
                first_points=run._first_points.tolist(),
                status=run.status,
                wall_time_second=float(self._outcome["wall_time_second"]),
                reason=run.reason,
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

    def _snapshot(self) -> tuple[Any, "Record", "Record"]:
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
        if stored.shape != (self.members or 1, 2):
            raise ValueError(f"'first_points' is of shape {stored.shape}")
        first_points: np.ndarray = stored[()]
        if np.any(first_points < 0):
            raise ValueError("'first_points' holds a negative row")
        return first_points

    def _repr_html_(self) -> str:
        from cosim.trace.notebook import trace_html

        return trace_html(self)

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


def optional(library: str) -> Any:
    """A library that only some need.

    Raises:
        TraceError: it is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError:
        raise TraceError(
            f"This needs {library}, which is not installed. Install it (pip install {library}), "
            "or use `.values` and `.time_second`, which are numpy arrays."
        ) from None
