"""SPICE raw files of ngspice, LTspice and those that write as one of them, read with suspicion.

Sources: ngspice's `frontend/rawfile.c`; of LTspice, https://pyltspice.readthedocs.io (varia,
RAW file) and https://ltwiki.org (Fast Access file format). LTspice's header is UTF-16, its values
are float32 unless the flag 'double' is set, a negative sign of a time marks a point between which
and the next it has thrown points away, and its times count from 'Offset'.
"""

import io
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO

import numpy as np

from cosim.trace.exchange.foreign import BLOCK_VALUES, Column, Foreign, whole_lines
from cosim.trace.exchange.raw_write import TYPE_BY_UNIT

_LONGEST_HEADER = 2**20
_LONGEST_LINE = 2**12
_MARKER = re.compile(r"^(Binary|Values):\r?\n", re.MULTILINE)
_FACTS = ("Title", "Date", "Plotname", "Command", "Offset")
_UNIT_BY_TYPE = {kind: unit for unit, kind in TYPE_BY_UNIT.items()} | {
    "device_current": "A",  # LTspice
    "subckt_current": "A",
}

Blocks = Iterator[tuple[np.ndarray, np.ndarray]]


def read_raw(file: BinaryIO) -> Foreign:
    """Read the header; the points of one transient analysis follow when asked for.

    Raises:
        ValueError: it is not such a file.
    """
    start = file.read(_LONGEST_HEADER)
    encoding = "utf-16-le" if start[1:2] == b"\0" else "latin-1"
    marker = _MARKER.search(start.decode(encoding, errors="replace"))
    if marker is None:
        raise ValueError("it has no header that ends in 'Binary:' or 'Values:'")
    data = len(marker.string[: marker.end()].encode(encoding))
    header = start[:data].decode("utf-8" if encoding == "latin-1" else encoding, errors="replace")
    fields, columns = _parse(header)
    points = _count(fields, "No. Points")
    flags = fields.get("Flags", "").lower().split()
    if "complex" in flags or columns[0].name.lower() != "time":
        raise ValueError(f"it holds {fields.get('Plotname', 'no analysis')} over {columns[0].name}")
    if "stepped" in flags:
        raise ValueError("it holds several runs, of a .step")

    if marker[1] == "Values":
        blocks = _text_blocks(file, data, encoding, points, len(columns))
    else:
        blocks = _binary_blocks(file, data, points, len(columns) - 1, "fastaccess" in flags)
    if encoding == "utf-16-le" or "ltspice" in fields.get("Command", "").lower():
        offset = _offset_second(fields)
        blocks = ((offset + np.abs(time_second), values) for time_second, values in blocks)
    facts = {key.lower(): fields[key] for key in _FACTS if key in fields}
    return Foreign(facts, columns[1:], blocks)


def _parse(header: str) -> tuple[dict[str, str], list[Column]]:
    """The fields above the list of variables, and the variables, the time first."""
    lines = iter(header.splitlines())
    fields = {}
    for line in lines:
        key, _, value = line.partition(":")
        if key == "Variables":
            break
        fields[key] = value.strip()
    columns: list[Column] = []
    variables = _count(fields, "No. Variables")
    for line in islice(lines, variables):
        number, name, kind, *_ = [*line.split(), "", "", ""]
        if number != str(len(columns)):
            raise ValueError(f"its header has '{line.strip()}' for variable {len(columns)}")
        columns.append(Column(name, _UNIT_BY_TYPE.get(kind, "")))
    if len(columns) < variables:
        raise ValueError(f"its header lists {len(columns)} of {variables} variables")
    return fields, columns


def _offset_second(fields: dict[str, str]) -> float:
    """When LTspice began to save."""
    said = fields.get("Offset", "0")
    try:
        return float(said)
    except ValueError:
        raise ValueError(f"its header says 'Offset: {said}'") from None


def _count(fields: dict[str, str], key: str) -> int:
    value = fields.get(key, "")
    if not value.isdecimal() or int(value) == 0:
        raise ValueError(f"its header says '{key}: {value}'; 0 is what a killed simulator leaves")
    return int(value)


def _binary_blocks(file: BinaryIO, data: int, points: int, signals: int, turned: bool) -> Blocks:
    """Points after the byte `data`: one after the other, or `turned`, one column after the other.

    The size of the file tells float64 from float32, and a header that lies.
    """
    size = file.seek(0, io.SEEK_END) - data
    for value in (np.dtype("<f8"), np.dtype("<f4")):
        row = np.dtype([("time", "<f8"), ("values", value, (signals,))])
        if points * row.itemsize == size:
            break
    else:
        raise ValueError(
            f"its header promises {points} points of {signals + 1} variables, but {size} bytes "
            "follow: it is cut off, or holds several analyses, or is being written"
        )
    step = max(1, BLOCK_VALUES // (signals + 1))
    for first in range(0, points, step):
        count = min(step, points - first)
        if turned:
            starts = [data + 8 * points + value.itemsize * points * i for i in range(signals)]
            yield (
                _array(file, data + 8 * first, np.dtype("<f8"), count),
                np.stack(
                    [_array(file, s + value.itemsize * first, value, count) for s in starts], axis=1
                ),
            )
        else:
            rows = _array(file, data + row.itemsize * first, row, count)
            yield rows["time"], rows["values"]


def _array(file: BinaryIO, start: int, kind: np.dtype, count: int) -> np.ndarray:
    file.seek(start)
    return np.frombuffer(file.read(count * kind.itemsize), kind, count)


def _text_blocks(file: BinaryIO, data: int, encoding: str, points: int, variables: int) -> Blocks:
    """Points after the byte `data`: the point's number and all variables, apart by white space."""
    file.seek(data)
    lines = whole_lines(io.TextIOWrapper(file, encoding), _LONGEST_LINE)
    words = chain.from_iterable(line.split() for line in lines)
    step = max(1, BLOCK_VALUES // variables)
    read = 0
    while len(block := np.fromiter(map(float, islice(words, step * (1 + variables))), float)):
        count, rest = divmod(len(block), 1 + variables)
        rows = block[: len(block) - rest].reshape(count, 1 + variables)
        if rest or not np.array_equal(rows[:, 0], np.arange(read, read + count)):
            raise ValueError(f"it is cut off, or a value is missing, after point {read}")
        yield rows[:, 1], rows[:, 2:]
        read += count
    if read != points:
        raise ValueError(f"its header promises {points} points, but {read} follow")
