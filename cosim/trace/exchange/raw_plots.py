"""The plots of a SPICE raw file: each a header, and values behind it.

Sources: those of `raw_read`. A file of ngspice may hold several analyses, each with its header; one
of LTspice one, with the runs of a `.step` one after the other and the flag 'stepped'.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import numpy as np

from cosim.trace.exchange.foreign import Column
from cosim.trace.exchange.raw_write import TYPE_BY_UNIT

LONGEST_LINE = 2**12
MOST_PLOTS = 100_000
_FIRST_READ, _LONGEST_HEADER = 2**14, 2**20
_TITLE = "Title:"
_MARKER = re.compile(r"^(Binary|Values):\r?\n", re.MULTILINE)
_UNIT_BY_TYPE = {kind: unit for unit, kind in TYPE_BY_UNIT.items()} | {
    "device_current": "A",  # LTspice
    "subckt_current": "A",
}


@dataclass(frozen=True)
class Plot:
    """One analysis.

    Attributes:
        fields: of its header, by name.
        columns: its variables, the time first.
        data: byte at which its values begin.
        points: how many, as its header says.
        encoding: of its text.
        row: of binary values, a point's: 'time' and 'values'; None for text.
    """

    fields: dict[str, str]
    columns: list[Column]
    data: int
    points: int
    encoding: str
    row: np.dtype | None

    @property
    def flags(self) -> list[str]:
        """What kind of values it has."""
        return self.fields.get("Flags", "").lower().split()

    @property
    def is_transient(self) -> bool:
        """Whether it is over time."""
        return "complex" not in self.flags and self.columns[0].name.lower() == "time"

    @property
    def of_ltspice(self) -> bool:
        """Whether LTspice wrote it."""
        said = self.fields.get("Command", "").lower()
        return self.encoding == "utf-16-le" or "ltspice" in said

    @property
    def about(self) -> str:
        """Such as 'Transient Analysis over time'."""
        return f"{self.fields.get('Plotname', 'no analysis')} over {self.columns[0].name}"


def plots(file: BinaryIO) -> list[Plot]:
    """Every plot of a file, its header read.

    Raises:
        ValueError: it is no such file, or is not whole.
    """
    size = file.seek(0, io.SEEK_END)
    found: list[Plot] = []
    at = 0
    while at < size or not found:
        plot, at = _plot(file, at, size)
        found.append(plot)
        if len(found) > MOST_PLOTS:
            raise ValueError(f"it holds more than {MOST_PLOTS} analyses")
    return found


def _plot(file: BinaryIO, at: int, size: int) -> tuple[Plot, int]:
    """The plot at a byte, and the byte behind it."""
    header, data, encoding = _header(file, at)
    fields, columns = _parse(header)
    points = _count(fields, "No. Points")
    row = None
    if header.rstrip().endswith("Binary:"):
        is_complex = "complex" in fields.get("Flags", "").lower().split()
        row = _row(file, data, points, len(columns) - 1, size, encoding, is_complex)
        end = data + points * row.itemsize
    else:
        end = _next_title(file, data, encoding, size)
    return Plot(fields, columns, data, points, encoding, row), end


def _header(file: BinaryIO, at: int) -> tuple[str, int, str]:
    """The header at a byte, the byte behind it, and its encoding."""
    length = _FIRST_READ
    while True:
        file.seek(at)
        start = file.read(length)
        encoding = "utf-16-le" if start[1:2] == b"\0" else "latin-1"
        marker = _MARKER.search(start.decode(encoding, errors="replace"))
        if marker is not None:
            break
        if len(start) < length or length >= _LONGEST_HEADER:
            raise ValueError("it has no header that ends in 'Binary:' or 'Values:'")
        length *= 4
    behind = len(marker.string[: marker.end()].encode(encoding))
    # Names may be in UTF-8, though its bytes are counted as Latin-1's.
    text = start[:behind].decode("utf-8" if encoding == "latin-1" else encoding, errors="replace")
    return text, at + behind, encoding


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


def _count(fields: dict[str, str], key: str) -> int:
    value = fields.get(key, "")
    if not value.isdecimal() or int(value) == 0:
        raise ValueError(f"its header says '{key}: {value}'; 0 is what a killed simulator leaves")
    return int(value)


def _row(
    file: BinaryIO, data: int, points: int, signals: int, size: int, encoding: str, is_complex: bool
) -> np.dtype:
    """A point. That the file ends behind the last, or another header begins there, tells float64
    from float32, and a header that lies.
    """
    for row in _rows(signals, is_complex):
        end = data + points * row.itemsize
        if end == size or (end < size and _is_title(file, end, encoding)):
            return row
    raise ValueError(
        f"its header promises {points} points of {signals + 1} variables, but {size - data} bytes "
        "follow: it is cut off, or what follows is no further analysis, or is being written"
    )


def _rows(signals: int, is_complex: bool) -> Iterator[np.dtype]:
    for scale, value in [("<c16", "<c16")] if is_complex else [("<f8", "<f8"), ("<f8", "<f4")]:
        yield np.dtype([("time", scale), ("values", value, (signals,))])


def _is_title(file: BinaryIO, at: int, encoding: str) -> bool:
    word = _TITLE.encode(encoding)
    file.seek(at)
    return file.read(len(word)) == word


def _next_title(file: BinaryIO, at: int, encoding: str, size: int) -> int:
    """The byte at which the next header begins; the file's size where there is none."""
    word = _TITLE.encode(encoding)
    file.seek(at)
    while line := file.readline(LONGEST_LINE):
        begin = line[1:] if encoding == "utf-16-le" and line[:1] == b"\0" else line
        if begin.startswith(word):
            return file.tell() - len(begin)
    return size


def before_title(lines: Iterator[str]) -> Iterator[str]:
    """Lines up to the next header."""
    for line in lines:
        if line.startswith(_TITLE):
            return
        yield line
