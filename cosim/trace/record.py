"""What a trace file holds, read without believing it (layout: `schema`).

Sizes, filters and links are checked before anything is read, so that a damaged or hostile file
costs an error, not the memory of the machine.
"""

import ctypes
import hashlib
import os
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
    dataset_path,
)

_READ_VALUES = 2**22
_CHUNK_CACHE_BYTE = 2**20
_METADATA_READ_ATTEMPTS = 24  # 17 ms in all
_FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE}


class Record:
    """One table of a file, as it was at one moment: full chunks, then the tail's rows."""

    def __init__(self, path: Path, group: h5py.Group, stored: int, tail_points: int) -> None:
        self.path = path
        self._group = group
        self._stored = stored
        self._trusted: set[str] = set()
        self.columns = [name.decode() for name in small_dataset(group, "columns")[()]]
        tail = dataset_of(group, "tail", np.dtype("<f8"))
        tail.refresh()
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
            attributes = read_attributes(self._column(name))
            return Signal(name, attributes["units"], attributes["long_name"])

    def signals(self) -> list[Signal]:
        """All that was declared."""
        return [self.signal(name) for name in self.names]

    def read(self, column: str, first: int, last: int) -> np.ndarray:
        """Values of a column in rows [first, last)."""
        with checking(self.path):
            chunks = self._column(column)[first : min(last, self._stored)]
            values: np.ndarray = chunks.astype(float, copy=False)
            if last <= self._stored:
                return values
            rows = self._tail[max(first - self._stored, 0) : last - self._stored]
            return np.concatenate([values, rows[:, self.columns.index(column)]])

    @cached_property
    def _rows_by_member(self) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers, sorted by member, and the members in this order."""
        members = self.read("member", 0, self.points)
        if np.any(members != np.floor(members)):
            raise TraceError(f"{self.path} is damaged: it has points of no member. ")
        order = np.argsort(members, kind="stable")
        return order, members[order]

    def member_rows(self, index: int, first_row: int) -> np.ndarray:
        """Row numbers of a member's points, from a row on."""
        order, members = self._rows_by_member
        first, last = np.searchsorted(members, [index, index + 1])
        rows: np.ndarray = order[first:last]  # ascending, as the sort is stable
        return rows[np.searchsorted(rows, first_row) :]

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
        dataset = dataset_of(self._group, dataset_path(name), kind)
        if name not in self._trusted:
            dataset.refresh()
            check_chunks(dataset, self._chunk, self._stored)
            self._trusted.add(name)
        return dataset


def open_for_reading(path: Path) -> h5py.File:
    """Open in SWMR mode, the only one that reads the file of a live or killed writer.

    Raises:
        OSError, RuntimeError: it is not HDF5, or is damaged.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_file_locking(True, True)  # 'best-effort', as h5py
    access.set_cache(0, 521, _CHUNK_CACHE_BYTE, 0.75)
    # In SWMR mode HDF5 takes a wrong checksum for a write under way, and tries again, 100 times,
    # waiting 1 ns and then twice as long each time: for ever, if the file is damaged. h5py does
    # not offer the setting; the library that it has loaded does.
    set_attempts = ctypes.CDLL(h5py.h5p.__file__).H5Pset_metadata_read_attempts
    set_attempts.argtypes = (ctypes.c_int64, ctypes.c_uint)
    if set_attempts(access.id, _METADATA_READ_ATTEMPTS) < 0:
        raise RuntimeError("HDF5 refuses a limit of attempts to read")
    flags = h5py.h5f.ACC_RDONLY | h5py.h5f.ACC_SWMR_READ
    return h5py.File(h5py.h5f.open(os.fsencode(path), flags, access))


def check_schema(path: Path, file: h5py.File) -> None:
    """Refuse another program's file, and a later layout."""
    attributes = read_attributes(file)
    if attributes.get("schema") != SCHEMA:
        raise TraceError(
            f"{path} is an HDF5 file, but not a cosim trace. Give a file that `cosim run` has "
            "written."
        )
    if attributes["schema_version"] != SCHEMA_VERSION:
        raise TraceError(
            f"{path} is a cosim trace of schema version {attributes['schema_version']}; this "
            f"cosim reads version {SCHEMA_VERSION}. Install a cosim that reads it."
        )


def read_attributes(item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Its attributes, which must be strings of fixed length or numbers."""
    attributes = {}
    for name in item.attrs:
        stored = item.attrs.get_id(name)
        if stored.shape != () or stored.dtype.kind not in "Siu":
            raise ValueError(f"attribute '{name}' of '{item.name}' is malformed")
        value = item.attrs[name]
        attributes[name] = value.decode() if stored.dtype.kind == "S" else int(value)
    return attributes


def small_dataset(group: h5py.Group, path: str, kind: np.dtype | None = None) -> h5py.Dataset:
    """A dataset that is stored in one piece; of strings of fixed length, if no kind is given."""
    dataset = dataset_of(group, path, kind)
    if dataset.id.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS or dataset.external:
        raise ValueError(f"'{path}' is not stored in one piece")
    if dataset.nbytes > group.file.id.get_filesize():
        raise ValueError(f"'{path}' is larger than the file")
    dataset.refresh()
    return dataset


def dataset_of(group: h5py.Group, path: str, kind: np.dtype | None) -> h5py.Dataset:
    """A dataset of this very file, of this kind; strings of fixed length, if none is given."""
    *parents, name = path.split("/")
    for parent in parents:
        group = group_of(group, parent)
    dataset = child_of(group, name)
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"'{path}' is not a dataset")
    if dataset.dtype.kind != "S" if kind is None else dataset.dtype != kind:
        raise ValueError(f"'{path}' holds {dataset.dtype}")
    return dataset


def group_of(group: h5py.Group, name: str) -> h5py.Group:
    child = child_of(group, name)
    if not isinstance(child, h5py.Group):
        raise ValueError(f"'{name}' is not a group")
    return child


def child_of(group: h5py.Group, name: str) -> Any:
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
