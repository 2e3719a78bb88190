"""CSV (RFC 4180): times in the first column, names and units in the header, 17 digits."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cosim.trace.exchange.foreign import BLOCK_VALUES, Block, Column, Foreign, whole_lines
from cosim.trace.exchange.ordered import ordered_blocks
from cosim.trace.table import Table

_LONGEST_HEADER = 2**22
_LONGEST_NUMBER = 64
_NAME_AND_UNIT = re.compile(r"(.*?)(?: \((.*)\)| \[(.*)\])?", re.DOTALL)
_SECONDS = {
    "": 1.0, "s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "ps": 1e-12,
    "fs": 1e-15,
}  # fmt: skip
"""By what the header calls the unit of time."""


def write_csv(path: Path, table: Table, names: Sequence[str]) -> None:
    """Write signals [names] of a table."""
    header = ["time (s)"] + [
        f"{name} ({unit})" if (unit := table[name].unit) else name for name in names
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(header)
        for time_second, values in ordered_blocks(table, names):
            np.savetxt(file, np.column_stack([time_second, values]), "%.17g", ",")


def read_csv(file: BinaryIO) -> Foreign:
    """Read what `write_csv` writes, or another program's: 'time (s)', 'Time [ms]'; units may be
    missing in the header.

    Raises:
        ValueError: it is not such a file.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig")  # as spreadsheets write it
    try:
        header = next(csv.reader(islice(whole_lines(text, _LONGEST_HEADER), 1)), [])
    except csv.Error as error:
        raise ValueError(f"its first line is malformed ({error})") from None
    columns = [Column(*_name_and_unit(cell.strip())) for cell in header]
    if not columns or columns[0].name.lower() != "time":
        raise ValueError("its first line does not name the columns, the first of them 'time (s)'")
    second = _SECONDS.get(columns[0].unit)
    if second is None:
        raise ValueError(f"its times are in {columns[0].unit!r}, which is no unit of time known")
    blocks = (Block(second * time, values) for time, values in _blocks(text, len(columns)))
    return Foreign({}, columns[1:], blocks)


def _name_and_unit(cell: str) -> tuple[str, str]:
    """'a.b (V)' or 'a.b [V]' in its parts; 'V(a)' and 'd[0]' have no unit."""
    match = _NAME_AND_UNIT.fullmatch(cell)
    assert match  # the pattern fits any text
    return match[1], match[2] or match[3] or ""


def _blocks(text: io.TextIOWrapper, columns: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    lines = whole_lines(text, columns * _LONGEST_NUMBER)
    count = max(1, BLOCK_VALUES // columns)
    first = 2
    while block := list(islice(lines, count)):
        if filled := [line for line in block if line.strip()]:
            try:
                rows = np.loadtxt(filled, delimiter=",", comments=None, quotechar='"', ndmin=2)
            except ValueError as error:
                raise ValueError(f"{error}, counted from line {first}") from None
            if rows.shape[1] != columns:
                raise ValueError(f"its header names {columns} columns, but {rows.shape[1]} follow")
            yield rows[:, 0], rows[:, 1:]
        first += len(block)
