"""Writes a recorded run for another program; the file's ending chooses the format."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cosim.errors import ConfigurationError, TraceError
from cosim.trace.exchange.csv_file import write_csv
from cosim.trace.exchange.fst_file import write_fst
from cosim.trace.exchange.parquet_file import write_parquet
from cosim.trace.exchange.pwl_file import write_pwl
from cosim.trace.exchange.raw_write import write_raw, write_raw_text
from cosim.trace.exchange.replacing import replacing
from cosim.trace.exchange.session_file import gtkwave_session, surfer_session, waves_beside
from cosim.trace.exchange.vcd_file import write_vcd
from cosim.trace.table import Table

RAW = ".raw"
WRITERS: dict[str, Callable[[Path, Table, Sequence[str]], None]] = {
    ".csv": write_csv,
    ".vcd": write_vcd,
    ".fst": write_fst,
    ".parquet": write_parquet,
    ".pwl": write_pwl,
}
SESSIONS: dict[str, Callable[[Path, Table, Sequence[str]], Iterator[str]]] = {
    ".gtkw": gtkwave_session,
    ".sucl": surfer_session,
}
WAVEFORMS = (RAW, *WRITERS)
FORMATS = (*WAVEFORMS, *SESSIONS)


def export_trace(
    table: Table | Sequence[Table],
    path: str | Path,
    patterns: Sequence[str] = ("*",),
    *,
    as_text: bool = False,
) -> None:
    """Write signals to a file of another program, replacing one that is there.

    Args:
        table: a trace, a window of it, a member of an ensemble, or its coupling; for a .raw file
            several of them, with the same signals.
        path: the file, whole or not there at all; .gtkw and .sucl are sessions of GTKWave and
            Surfer, of the .fst or .vcd file beside them.
        patterns: which signals, by `*`, `?` and `[...]`; they come in the order of the table.
        as_text: ASCII instead of binary, in a .raw.

    Raises:
        ConfigurationError: no such format, or none that has a text form or holds several runs.
        TraceError: nothing to export, or the format cannot hold it, or the file is not writable.
    """
    path, ending = Path(path), Path(path).suffix.lower()
    if ending not in FORMATS:
        raise ConfigurationError(
            f"A trace cannot be exported to {path}: the format is chosen by the file's ending, "
            f"and known are {', '.join(FORMATS)}. Give a path with one of these."
        )
    if as_text and ending != RAW:
        raise ConfigurationError(
            f"--ascii cannot be used for {path}: only .raw has a binary and a text form. Leave it "
            "out, or export to a .raw file."
        )
    runs = [table] if isinstance(table, Table) else list(table)
    if len(runs) > 1 and ending != RAW:
        raise ConfigurationError(
            f"{path} cannot hold {len(runs)} runs: only .raw does. Choose one with --member."
        )
    for run in runs:
        if run.points == 0:
            raise TraceError(
                f"There is nothing to export from {run.path}: it has no point in the asked span "
                "of time. `cosim trace info` shows from when to when it goes, in seconds."
            )
    first = runs[0]
    names = _chosen(first, patterns)
    if ending in SESSIONS:
        lines = SESSIONS[ending](waves_beside(path), first, names)
        with replacing(path) as partial:
            partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return
    with replacing(path) as partial:
        if ending == RAW:
            (write_raw_text if as_text else write_raw)(partial, runs, names)
        else:
            WRITERS[ending](partial, first, names)


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
