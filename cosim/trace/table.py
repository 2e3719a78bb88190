"""Signals on a common time base, read lazily from a file, by name and by time."""

import copy
import difflib
import fnmatch
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cosim.errors import ConfigurationError, TraceError
from cosim.trace.decimate import decimate
from cosim.trace.measure import Measurements
from cosim.trace.notebook import Curve, plot, plot_signal
from cosim.trace.optional import optional
from cosim.trace.record import Record
from cosim.trace.schema import Signal, chunk_points

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes


PLOT_POINTS = 8000


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
        return plot_signal(self._curve(), axes)

    def _curve(self) -> Curve:
        return Curve(self.name, self.unit, self.description, *self.decimated(PLOT_POINTS))

    def __repr__(self) -> str:
        return f"<SignalView {self.name}: {len(self)} points in {self.unit}; {self.description}>"


class Table:
    """Signals that share a time base, all of a run or some of its points.

    Attributes:
        path: the file.
    """

    def __init__(self, record: Record, rows: range | np.ndarray | None) -> None:
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

    @property
    def facts(self) -> list[dict[str, str]]:
        """Name, unit and description of each signal."""
        signals = [self[name] for name in self.names]
        return [{"name": s.name, "unit": s.unit, "description": s.description} for s in signals]

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

        Raises:
            ConfigurationError: a pattern fits nothing, or there are too many units.
        """
        names: list[str] = []
        for pattern in patterns or ("*",):
            fitting = [pattern] if pattern in self else self.match(pattern)
            if not fitting:
                raise ConfigurationError(
                    f"No signal of {self.path} fits '{pattern}'. It has "
                    f"{', '.join(self.names[:10]) or 'none'}."
                )
            names += fitting
        return plot([self[name]._curve() for name in dict.fromkeys(names)], self.path.name)

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
