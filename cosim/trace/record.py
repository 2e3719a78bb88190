"""What a trace file holds, read without believing it (layout: `schema`).

Sizes, filters and links are checked before anything is read, so that a damaged or hostile file
costs an error, not the memory of the machine.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cosim.errors import TraceError
from cosim.trace.schema import (
    SCHEMA,
    SCHEMA_VERSION,
    Signal,
    chunk_points,
)

_READ_VALUES = 2**22
_FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE}


class Record:
    """One table of a file, as it was at one moment: full chunks, then the tail's rows."""

    def __init__(self, path: Path, group: h5py.Group, stored: int, tail_points: int) -> None:
        self.path = path
        self._group = group
        self._stored = stored
        self._trusted: set[str] = set()
        tail = dataset_of(group, "tail", np.dtype("<f8"))
        tail.refresh()
        self.columns = [str(name) for name in tail.attrs["columns"]]
        self._chunk = chunk_points(len(self.columns))
        if tail.shape != (self._chunk, len(self.columns)) or _filters(tail) or _is_remote(tail):
            raise ValueError("its tail is malformed")
        if not 0 <= tail_points <= self._chunk or stored < 0:
            raise ValueError(f"it counts {stored} and {tail_points} points")
        self._tail = tail[:tail_points]
        self.names = self.columns[self.columns.index("time") + 1 :]
        self.points = stored + tail_points

    def signal(self, name: str) -> Signal:
        """What was declared of a signal."""
        with checking(self.path):
            attributes = self._column(name).attrs
            return Signal(name, str(attributes["units"]), str(attributes["long_name"]))

    def signals(self) -> list[Signal]:
        """All that was declared."""
        return [self.signal(name) for name in self.names]

    def read(self, column: str, first: int, last: int) -> np.ndarray:
        """Values of a column in rows [first, last)."""
        with checking(self.path):
            chunks = self._column(column)[first : min(last, self._stored)]
            values: np.ndarray = chunks.astype(float)
            if last <= self._stored:
                return values
            rows = self._tail[max(first - self._stored, 0) : last - self._stored]
            return np.concatenate([values, rows[:, self.columns.index(column)]])

    @cached_property
    def _rows_by_member(self) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers, sorted by member, and the members in this order."""
        members = self.read("member", 0, self.points)
        order = np.argsort(members, kind="stable")
        return order, members[order]

    def member_rows(self, index: int) -> np.ndarray:
        """Row numbers of a member's points."""
        order, members = self._rows_by_member
        first, last = np.searchsorted(members, [index, index + 1])
        return order[first:last]

    def rows_sha256(self) -> str:
        """SHA-256 of all rows: little-endian float64, columns as in the tail."""
        digest = hashlib.sha256()
        step = max(1, _READ_VALUES // len(self.columns))
        for first in range(0, self.points, step):
            last = min(first + step, self.points)
            rows = [self.read(column, first, last) for column in self.columns]
            digest.update(np.stack(rows, axis=1).astype("<f8", copy=False).data)
        return digest.hexdigest()

    def _column(self, name: str) -> h5py.Dataset:
        kind = np.dtype("<i4" if name == "member" else "<f8")
        path = name if name in ("member", "time") else Signal(name, "").dataset
        dataset = dataset_of(self._group, path, kind)
        if name not in self._trusted:
            dataset.refresh()
            check_chunks(dataset, self._chunk, self._stored)
            self._trusted.add(name)
        return dataset


def check_schema(path: Path, file: h5py.File) -> None:
    if file.attrs.get("schema") != SCHEMA:
        raise TraceError(
            f"{path} is an HDF5 file, but not a cosim trace. Give a file that `cosim run` has "
            "written."
        )
    version = int(file.attrs["schema_version"])
    if version != SCHEMA_VERSION:
        raise TraceError(
            f"{path} is a cosim trace of schema version {version}; this cosim reads version "
            f"{SCHEMA_VERSION}. Install a cosim that reads it."
        )


def dataset_of(group: h5py.Group, path: str, kind: np.dtype) -> h5py.Dataset:
    *parents, name = path.split("/")
    for parent in parents:
        group = group_of(group, parent)
    dataset = _own(group, name)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != kind:
        raise ValueError(f"'{path}' is not a dataset of {kind}")
    return dataset


def group_of(group: h5py.Group, name: str) -> h5py.Group:
    child = _own(group, name)
    if not isinstance(child, h5py.Group):
        raise ValueError(f"'{name}' is not a group")
    return child


def _own(group: h5py.Group, name: str) -> Any:
    """A child; never one that a link brings in from elsewhere."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"'{name}' is missing, or a link")
    return group[name]


def _filters(dataset: h5py.Dataset) -> set[int]:
    plist = dataset.id.get_create_plist()
    return {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}


def _is_remote(dataset: h5py.Dataset) -> bool:
    return dataset.chunks is None or dataset.is_virtual


def check_chunks(dataset: h5py.Dataset, chunk: int, points: int) -> None:
    """Refuse what could not have been written: it might not fit into memory."""
    if dataset.chunks != (chunk,) or not _filters(dataset) <= _FILTERS:
        raise ValueError(f"'{dataset.name}' has chunks or filters that no trace has")
    if dataset.shape[0] < points:
        raise ValueError(f"'{dataset.name}' has {dataset.shape[0]} of {points} points")
    # An honest gzip stream is hardly longer than its data; a longer one could unpack to anything.
    longest_byte = chunk * dataset.dtype.itemsize * 1.01 + 1024
    sizes: list[int] = []
    dataset.id.chunk_iter(lambda stored: sizes.append(stored.size))
    if max(sizes, default=0) > longest_byte or len(sizes) * chunk < points:
        raise ValueError(f"'{dataset.name}' has chunks missing or too large")


@contextmanager
def checking(path: Path) -> Iterator[None]:
    """Whatever HDF5 and numpy say of a damaged file becomes one error."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        said = " ".join(str(error).split())[:300]
        raise TraceError(
            f"{path} cannot be read as a trace: {said}. It is no trace, or cut off or damaged. "
            "Get a good copy or run it again."
        ) from error
