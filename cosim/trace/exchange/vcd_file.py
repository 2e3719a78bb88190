"""Value change dump (IEEE 1364-2005, clause 18), as GTKWave opens it: every signal a real."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TextIO

import numpy as np

from cosim.errors import TraceError
from cosim.trace.exchange.ordered import ordered_blocks
from cosim.trace.table import Table

_UNITS = {"fs": 1e15, "ps": 1e12, "ns": 1e9, "us": 1e6, "ms": 1e3, "s": 1.0}
_LARGEST_STAMP = 2**63 - 1024
"""Viewers keep times in 64 bits with a sign; below this, the float64 is exact."""

_CODE_LETTERS = [chr(code) for code in range(33, 127)]


def write_vcd(path: Path, table: Table, names: Sequence[str]) -> None:
    """Write signals [names] of a table, in the finest time unit that reaches to the end.

    That is 1 fs up to 2.5 hours; points that are closer share a time.

    Raises:
        TraceError: a time is negative or too large.
    """
    first, last = (float(table.read("time", end)[0]) for end in (slice(1), slice(-1, None)))
    unit = next((unit for unit, many in _UNITS.items() if last * many <= _LARGEST_STAMP), None)
    if first < 0 or unit is None:
        raise TraceError(
            f"{table.path} cannot be written as VCD: it goes from {first:.9g} s to {last:.9g} s, "
            "and a VCD file counts time units from 0 in 63 bits. Choose a span with --start and "
            "--stop, or another format."
        )
    codes = [_code(number) for number in range(len(names))]
    with path.open("w", encoding="ascii") as file:
        file.write(f"$version cosim $end\n$timescale 1 {unit} $end\n")
        _declare(file, names, codes)
        stamped = -1
        for stamp, changes in _changes(table, names, _UNITS[unit]):
            if stamp > stamped:
                file.write(f"#{stamp}\n")
                stamped = stamp
            file.writelines(f"r{value:.17g} {codes[index]}\n" for index, value in changes)


def _declare(file: TextIO, names: Sequence[str], codes: Sequence[str]) -> None:
    """Names and codes of the variables, in a scope for each block."""
    pairs = zip(names, codes, strict=True)
    for block, inside in groupby(pairs, lambda pair: pair[0].rpartition(".")[0]):
        scopes = block.split(".") if block else []
        file.writelines(f"$scope module {scope} $end\n" for scope in scopes)
        file.writelines(
            f"$var real 64 {code} {name.rpartition('.')[2]} $end\n" for name, code in inside
        )
        file.write("$upscope $end\n" * len(scopes))
    file.write("$enddefinitions $end\n")


def _code(number: int) -> str:
    """A short name of a variable, of printable characters."""
    rest, letter = divmod(number, len(_CODE_LETTERS))
    return (_code(rest - 1) if rest else "") + _CODE_LETTERS[letter]


def _changes(
    table: Table, names: Sequence[str], units_per_second: float
) -> Iterator[tuple[int, list[tuple[int, float]]]]:
    """Of each point the time in units, and of the signals that change the number and value."""
    before = None
    for time_second, values in ordered_blocks(table, names):
        stamps = np.rint(time_second * units_per_second).astype(np.int64)
        bits = values.view(np.int64)  # so that a NaN is equal to itself
        if before is None:
            before = ~bits[:1]
        changed = bits != np.concatenate([before, bits[:-1]])
        before = bits[-1:]
        for stamp, row, change in zip(stamps.tolist(), values.tolist(), changed, strict=True):
            yield stamp, [(index, row[index]) for index in np.flatnonzero(change).tolist()]
