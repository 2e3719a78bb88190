"""Signals as their changes at whole time units, as formats of digital simulators hold them."""

from collections.abc import Iterator, Sequence

import numpy as np

from cosim.errors import TraceError
from cosim.trace.exchange.ordered import ordered_blocks
from cosim.trace.table import Table

UNITS = {"fs": 1e15, "ps": 1e12, "ns": 1e9, "us": 1e6, "ms": 1e3, "s": 1.0}
"""How many are a second."""
_LARGEST_STAMP = 2**63 - 1024
"""Viewers keep times in 64 bits with a sign; below this, the float64 is exact."""


def time_unit(table: Table) -> str:
    """The finest unit that reaches to the end of a table: 1 fs up to 2.5 hours.

    Raises:
        TraceError: a time is negative or too large.
    """
    first, last = (float(table.read("time", end)[0]) for end in (slice(1), slice(-1, None)))
    unit = next((unit for unit, many in UNITS.items() if last * many <= _LARGEST_STAMP), None)
    if first < 0 or unit is None:
        raise TraceError(
            f"{table.path} cannot be written as VCD or FST: it goes from {first:.9g} s to "
            f"{last:.9g} s, and such a file counts time units from 0 in 63 bits. Choose a span "
            "with --start and --stop, or another format."
        )
    return unit


def changes(
    table: Table, names: Sequence[str], unit: str
) -> Iterator[tuple[int, list[tuple[int, float]]]]:
    """Of each point the time in units, and of the signals that change the number and value.

    Points that are closer than a unit have the same time.
    """
    before = None
    for time_second, values in ordered_blocks(table, names):
        stamps = np.rint(time_second * UNITS[unit]).astype(np.int64)
        bits = values.view(np.int64)  # so that a NaN is equal to itself
        if before is None:
            before = ~bits[:1]
        changed = bits != np.concatenate([before, bits[:-1]])
        before = bits[-1:]
        for stamp, row, change in zip(stamps.tolist(), values.tolist(), changed, strict=True):
            yield stamp, [(index, row[index]) for index in np.flatnonzero(change).tolist()]


def by_block(names: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Each block with the numbers of its signals; those of no block come as those of ''."""
    blocks: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        blocks.setdefault(name.rpartition(".")[0], []).append(number)
    yield from blocks.items()
