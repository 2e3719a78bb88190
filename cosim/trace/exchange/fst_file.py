"""Fast Signal Trace, GTKWave's compressed format, which Surfer reads too; by its own library."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cosim.errors import TraceError
from cosim.trace.exchange.changes import by_block, changes, time_unit
from cosim.trace.optional import optional
from cosim.trace.table import Table

REAL_LENGTH = 64
"""A real's length, as the library takes it: ignored, but not 0."""
LONGEST_REAL = 64


def write_fst(path: Path, table: Table, names: Sequence[str]) -> None:
    """Write signals [names] of a table, as `write_vcd` does.

    Raises:
        TraceError: a time is negative or too large, or pylibfst is not installed.
    """
    fst = optional("pylibfst")
    library, ffi = fst.lib, fst.ffi
    unit = time_unit(table)
    context = library.fstWriterCreate(str(path).encode(), 1)
    if context == ffi.NULL:
        raise TraceError(f"{path} cannot be written.")
    lasts: dict[int, float] = {}
    try:
        library.fstWriterSetVersion(context, b"cosim")
        library.fstWriterSetTimescaleFromString(context, f"1{unit}".encode())
        handles = _declare(library, ffi, context, names)
        stamped, value_at = -1, ffi.new("double *")
        for stamp, changed in changes(table, names, unit):
            if stamp > stamped:
                library.fstWriterEmitTimeChange(context, stamp)
                stamped = stamp
            for index, value in changed:
                value_at[0] = lasts[handles[index]] = value
                library.fstWriterEmitValueChange(context, handles[index], value_at)
    finally:
        library.fstWriterClose(context)
    if not _ends_with(library, ffi, path, stamped, lasts):
        raise TraceError(
            f"{path} cannot be written: what was written is not there. The disk may be full; "
            "choose a folder with space. What was there before is as it was."
        )


def _ends_with(library: Any, ffi: Any, path: Path, stamp: int, lasts: dict[int, float]) -> bool:
    """Whether a file has the values [by handle] at its end; the library hides a full disk."""
    context = library.fstReaderOpen(str(path).encode())
    if context == ffi.NULL:
        return False
    try:
        text = ffi.new("char[]", LONGEST_REAL)
        found = {
            handle: library.fstReaderGetValueFromHandleAtTime(context, stamp, handle, text)
            != ffi.NULL
            and _is(value, ffi.string(text))
            for handle, value in lasts.items()
        }
        return library.fstReaderGetEndTime(context) == stamp and all(found.values())
    finally:
        library.fstReaderClose(context)


def _is(value: float, text: bytes) -> bool:
    read = float(text.removeprefix(b"r"))
    return math.isclose(read, value, rel_tol=1e-14) or (math.isnan(read) and math.isnan(value))


def _declare(library: Any, ffi: Any, context: Any, names: Sequence[str]) -> dict[int, int]:
    """Handles of the signals by number, in a scope for each block."""
    handles = {}
    for block, inside in by_block(names):
        scopes = block.split(".") if block else []
        for scope in scopes:
            library.fstWriterSetScope(context, library.FST_ST_VCD_MODULE, scope.encode(), ffi.NULL)
        for number in inside:
            handles[number] = library.fstWriterCreateVar(
                context, library.FST_VT_VCD_REAL, library.FST_VD_IMPLICIT, REAL_LENGTH,
                names[number].rpartition(".")[2].encode(), 0,
            )  # fmt: skip
        for _ in scopes:
            library.fstWriterSetUpscope(context)
    return handles
