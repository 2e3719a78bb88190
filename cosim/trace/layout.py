"""An empty trace file, with everything in it that a run will fill (layout: `schema`)."""

import io
from collections.abc import Sequence

import h5py
import numpy as np

from cosim.trace.provenance import Provenance
from cosim.trace.schema import (
    EVENT_CHUNK,
    EVENT_TYPE,
    OUTCOME_TYPE,
    PROGRESS_TYPE,
    SCHEMA,
    SCHEMA_VERSION,
    STATUS_TYPE,
    Signal,
    chunk_points,
    column_names,
    dataset_path,
    text,
)

_TAIL_CHUNK_VALUES = 8192
_APPENDED = {
    "shape": (0,),
    "maxshape": (None,),
    "compression": "gzip",
    "compression_opts": 1,
    "shuffle": True,
}


def empty_trace(
    signals: Sequence[Signal],
    coupling: Sequence[Signal],
    members: int | None,
    provenance: Provenance,
) -> bytes:
    """The content of the file.

    It is made in memory, since HDF5 can crash the process if it finds the disk full just then.

    Raises:
        ValueError: a text is not Unicode.
    """
    content = io.BytesIO()
    with h5py.File(
        content,
        "w",
        libver=("v110", "v110"),  # the first with SWMR, for the sake of other readers
        alignment_threshold=PROGRESS_TYPE.itemsize,
        alignment_interval=64,  # a kill can cut a write at a page's border: see PROGRESS_TYPE
    ) as file:
        file.attrs.update(schema=text(SCHEMA), schema_version=SCHEMA_VERSION)
        provenance.store(file.create_group("provenance"))
        _add_table(file, signals, "circuit time of accepted points", members)
        _add_table(
            file.create_group("coupling"), coupling, "circuit time of lockstep exchanges", members
        )
        file.create_dataset("events", dtype=EVENT_TYPE, chunks=(EVENT_CHUNK,), **_APPENDED)
        if members is not None:
            file["members/status"] = np.full(members, b"running", STATUS_TYPE)
        file["first_points"] = np.zeros((members or 1, 2), "<i8")
        file["outcome"] = np.array((np.nan, b"", b""), OUTCOME_TYPE)
        file["progress"] = np.array((0, 0, 0, 0, 0, b"running"), PROGRESS_TYPE)
    return content.getvalue()


def _add_table(
    group: h5py.Group, signals: Sequence[Signal], time_name: str, members: int | None
) -> None:
    columns = column_names(signals, members)
    points = chunk_points(len(columns))
    group["columns"] = np.array([name.encode() for name in columns])
    group.create_dataset(
        "tail",
        (points, len(columns)),
        "<f8",
        maxshape=(None, len(columns)),  # for the one chunk index that SWMR keeps up to date
        chunks=(min(points, 1 + _TAIL_CHUNK_VALUES // len(columns)), len(columns)),
        fill_time="never",
    )
    if members is not None:
        group.create_dataset("member", dtype="<i4", chunks=(points,), **_APPENDED)
    described = [("time", "s", time_name)]
    described += [
        (dataset_path(signal.name), signal.unit, signal.description) for signal in signals
    ]
    for place, unit, description in described:
        dataset = group.create_dataset(place, dtype="<f8", chunks=(points,), **_APPENDED)
        dataset.attrs.update(units=text(unit), long_name=text(description))
