"""Writes a recorded run for another program; the file's ending chooses the format."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cosim.errors import ConfigurationError, TraceError
from cosim.trace.exchange.csv_file import write_csv
from cosim.trace.exchange.parquet_file import write_parquet
from cosim.trace.exchange.pwl_file import write_pwl
from cosim.trace.exchange.raw_write import write_raw, write_raw_text
from cosim.trace.exchange.replacing import replacing
from cosim.trace.exchange.vcd_file import write_vcd
from cosim.trace.table import Table

WRITERS: dict[str, Callable[[Path, Table, Sequence[str]], None]] = {
    ".raw": write_raw,
    ".csv": write_csv,
    ".vcd": write_vcd,
    ".parquet": write_parquet,
    ".pwl": write_pwl,
}


def export_trace(
    table: Table, path: str | Path, patterns: Sequence[str] = ("*",), *, as_text: bool = False
) -> None:
    """Write signals to a .raw, .csv, .vcd, .parquet or .pwl file, replacing one that is there.

    Args:
        table: a trace, a window of it, a member of an ensemble, or its coupling.
        path: the file, whole or not there at all.
        patterns: which signals, by `*`, `?` and `[...]`; they come in the order of the table.
        as_text: ASCII instead of binary, in a .raw.

    Raises:
        ConfigurationError: no such format, or none that has a text form.
        TraceError: nothing to export, or the format cannot hold it, or the file is not writable.
    """
    path = Path(path)
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise ConfigurationError(
            f"A trace cannot be exported to {path}: the format is chosen by the file's ending, "
            f"and known are {', '.join(WRITERS)}. Give a path with one of these."
        )
    if as_text and writer is not write_raw:
        raise ConfigurationError(
            f"--ascii cannot be used for {path}: only .raw has a binary and a text form. Leave it "
            "out, or export to a .raw file."
        )
    names = _chosen(table, patterns)
    if table.points == 0:
        raise TraceError(
            f"There is nothing to export from {table.path}: it has no point in the asked span of "
            "time. `cosim trace info` shows from when to when it goes, in seconds."
        )
    with replacing(path) as partial:
        (write_raw_text if as_text else writer)(partial, table, names)


def _chosen(table: Table, patterns: Sequence[str]) -> list[str]:
    """Names that fit any of the patterns, each of which must find one."""
    found: set[str] = set()
    for pattern in patterns:
        fitting = table.match(pattern)
        if not fitting:
            raise TraceError(
                f"No signal in {table.path} fits {pattern!r}. Give a name or a pattern with '*', "
                f"'?' and '[...]'; there are {', '.join(table.names[:5]) or 'none'}"
                f"{', ...' if len(table.names) > 5 else ''}."
            )
        found.update(fitting)
    return [name for name in table.names if name in found]
