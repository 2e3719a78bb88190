"""The layout of a trace file, version 2: one HDF5 file a run, as any HDF5 >= 1.10 reads it.

::

    /                          attributes `schema` = "cosim-trace", `schema_version` = 2
    /time                      float64 [points]: circuit time in s, on ngspice's own grid
    /signals/<block>/<node>    float64 [points]: one recorded signal, 'block.node' in Python
    /member                    int32 [points], in ensembles only: the member of each point
    /tail                      float64 [chunk, columns]: the points since the last full chunk
    /columns                   string [columns]: 'member', 'time' and the signals, as in /tail
    /coupling/...              all of the above again, for what crossed the lockstep interface,
                               both ways, at every step
    /events                    compound [events]: time_second, member (-1: the run), kind, message
    /members/status            string [members], in ensembles only
    /first_points              int64 [members or 1, 2]: of each member, where the rows begin that
                               count, in the table above and in that of the coupling
    /progress                  compound: what of the above is recorded, and the run's status
    /outcome                   compound: wall_time_second, content_sha256, reason; set at the end
    /provenance                texts as datasets, small facts as attributes of groups

Every signal and time has `units` (SI symbols) and `long_name`, as in CF and NeXus. Strings are
UTF-8 of fixed length: HDF5 keeps those of variable length in a heap without checksums, in which
a wrong bit can make it search for ever, and does not allow them in SWMR mode.

An ensemble is CF's 'indexed ragged array': the points of all members in order of arrival, each
member on its own time grid, `/member` telling whose they are. So the objects in a file are fixed
before the first point, as HDF5's single-writer-multiple-reader (SWMR) mode demands, and one
parent process can record what many workers send at the same time.

A member that failed and is run again leaves the rows of its first attempt where they are;
`/first_points` says that they no longer count. It changes before the first row of the second is
recorded, so that at no moment rows of both count; until then it may lie beyond the last row.

Signals are chunked and pass through shuffle and gzip, which every HDF5 build has. A compressed
chunk is written once, when it is full: rewriting it at every flush would leak its old space.
Until then its points are rows of `/tail`, uncompressed and overwritten in place. `/progress` is
the commit record, always written last: the first `points` of each signal and then the first
`tail_points` rows of `/tail` are the record; anything beyond is not data yet, or no longer.

A status of 'running' in a file that nobody writes means that its writer was killed; what
`/progress` counts is whole all the same. Such a file is opened with
`h5py.File(path, "r", swmr=True)`. A finished one opens in any mode, and has no rows in the tail.

`content_sha256` is the SHA-256 of a JSON text (`content_sha256` below) that holds the
provenance, the signals, the events, the outcome, where members' rows begin and the SHA-256 of
both tables: their rows as little-endian float64, columns as in `/tail`.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

import h5py
import numpy as np

from cosim.errors import TraceError

SCHEMA = "cosim-trace"
SCHEMA_VERSION = 2

Status = Literal["running", "complete", "interrupted", "failed"]
FinalStatus = Literal["complete", "interrupted", "failed"]
STATUSES: tuple[str, ...] = get_args(Status)

CHUNK_POINTS = 8192
"""Points in a chunk of a signal: 64 kB, and what a kill may cost at most at full speed."""

_BUFFER_VALUES = 2**22
"""Float64 values of a full chunk over all columns (32 MB): many signals get shorter chunks."""

MESSAGE_BYTES = 2000
"""Longer messages are cut, and end in '…'."""

KIND_BYTES = 64
EVENT_CHUNK = 16

STATUS_TYPE = h5py.string_dtype("ascii", 12)
_MESSAGE_TYPE = h5py.string_dtype("utf-8", MESSAGE_BYTES)

# At most 64 bytes, and aligned to as much (see the writer), so that it never spans two pages.
PROGRESS_TYPE = np.dtype(
    [
        ("points", "<i8"),
        ("tail_points", "<i8"),
        ("coupling_points", "<i8"),
        ("coupling_tail_points", "<i8"),
        ("events", "<i8"),
        ("status", STATUS_TYPE),
    ]
)
OUTCOME_TYPE = np.dtype(
    [
        ("wall_time_second", "<f8"),
        ("content_sha256", h5py.string_dtype("ascii", 64)),
        ("reason", _MESSAGE_TYPE),
    ]
)
EVENT_TYPE = np.dtype(
    [
        ("time_second", "<f8"),
        ("member", "<i4"),
        ("kind", h5py.string_dtype("utf-8", KIND_BYTES)),
        ("message", _MESSAGE_TYPE),
    ]
)

_PATH = r"[A-Za-z0-9_][A-Za-z0-9_#+-]*(\.[A-Za-z0-9_][A-Za-z0-9_#+-]*)*"
NAME = re.compile(rf"(?!(time|member)$)({_PATH}|i\({_PATH}\))")
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Signal:
    """A signal to record.

    Attributes:
        name: a node, 'out', or block and node, 'integrator_0.out', the dataset
            /signals/integrator_0/out; or the current through a device, 'i(vdd)', 'i(x1.vdd)'.
        unit: SI symbol: V, A, s.
        description: what a designer sees in it.

    Raises:
        TraceError: the name is not letters, digits, `_`, `#`, `+` and `-` in parts joined by dots,
            alone or in `i()`; or 'time' or 'member', which a trace has anyhow.
    """

    name: str
    unit: str
    description: str = ""

    def __post_init__(self) -> None:
        if len(self.name) > _LONGEST_NAME or not NAME.fullmatch(self.name):
            raise TraceError(
                f"A signal cannot be named {self.name[:_LONGEST_NAME]!r} in a trace. Name it by "
                "node, or block and node, such as 'integrator_0.out', or 'i(vdd)' for a current: "
                "letters, digits, '_', '#', '+' and '-' in parts joined by dots, at most "
                f"{_LONGEST_NAME} characters; 'time' and 'member' are taken."
            )


def check_names(signals: Sequence[Signal]) -> None:
    """Refuse signals that would share a place.

    Raises:
        TraceError: a name is used twice, or for a signal and for a block.
    """
    names = {signal.name for signal in signals}
    if len(names) < len(signals):
        counts = Counter(signal.name for signal in signals)
        twice = sorted(name for name, count in counts.items() if count > 1)
        raise TraceError(f"Signals {twice} are given twice. Give each signal a name of its own.")
    for name in names:
        parts = name.split(".")
        for length in range(1, len(parts)):
            if (block := ".".join(parts[:length])) in names:
                raise TraceError(
                    f"'{block}' is named as a signal and, in '{name}', as a block. Rename one."
                )


def text(value: str) -> np.ndarray:
    """A string as it is stored.

    Raises:
        ValueError: it ends in NUL, which HDF5 takes for padding.
    """
    if value.endswith("\0"):
        raise ValueError(f"the text {value[-40:]!r} ends in NUL, which HDF5 does not keep")
    encoded = value.encode()
    return np.array(encoded, h5py.string_dtype("utf-8", max(1, len(encoded))))


class Event(NamedTuple):
    """Something that happened at a circuit time; `member` is -1 for the whole run."""

    time_second: float
    member: int
    kind: str
    message: str


def column_names(signals: Sequence[Signal], members: int | None) -> list[str]:
    """The columns of a table's rows."""
    return ["member"] * (members is not None) + ["time"] + [signal.name for signal in signals]


def dataset_path(column: str) -> str:
    """Where a table's group has the dataset of a column."""
    if column in ("member", "time"):
        return column
    return "signals/" + column.replace(".", "/")


def chunk_points(columns: int) -> int:
    """Points in a chunk of a table with so many columns."""
    return max(1, min(CHUNK_POINTS, _BUFFER_VALUES // columns))


def first_disorder(before_second: float, time_second: np.ndarray) -> int | None:
    """The first of times [n] that is not finite or goes back, the first of all against `before`."""
    earlier = np.concatenate([[before_second], time_second[:-1]])
    wrong = np.flatnonzero(~(np.isfinite(time_second) & (time_second >= earlier)))
    return int(wrong[0]) if len(wrong) else None


def fitted(text: str, size_byte: int = MESSAGE_BYTES) -> bytes:
    """UTF-8 of `text`, cut to `size_byte` with a visible '…' where it is longer."""
    encoded = text.encode()
    if len(encoded) <= size_byte:
        return encoded
    ellipsis = "…".encode()
    kept = encoded[: size_byte - len(ellipsis)].decode(errors="ignore")
    return kept.encode() + ellipsis


def content_sha256(
    *,
    provenance: dict[str, Any],
    signals: Sequence[Signal],
    signal_rows_sha256: str,
    coupling: Sequence[Signal],
    coupling_rows_sha256: str,
    events: Sequence[Event],
    member_status: Sequence[str],
    first_points: Sequence[Sequence[int]],
    status: str,
    wall_time_second: float,
    reason: str,
) -> str:
    """The content hash of a finished trace, as the module's docstring says."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "provenance": provenance,
        "signals": [asdict(signal) for signal in signals],
        "signal_rows_sha256": signal_rows_sha256,
        "coupling": [asdict(signal) for signal in coupling],
        "coupling_rows_sha256": coupling_rows_sha256,
        "events": events,
        "member_status": member_status,
        "first_points": first_points,
        "status": status,
        "wall_time_second": wall_time_second,
        "reason": reason,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
