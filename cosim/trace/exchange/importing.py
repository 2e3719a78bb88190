"""Reads a foreign simulator's waveforms into a trace, to compare them with our own."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tomli_w

from cosim.errors import ConfigurationError, TraceError
from cosim.trace.creation import already_exists
from cosim.trace.exchange.csv_file import read_csv
from cosim.trace.exchange.foreign import Block, Foreign
from cosim.trace.exchange.raw_read import read_raw
from cosim.trace.exchange.replacing import replacing
from cosim.trace.provenance import Provenance
from cosim.trace.schema import first_disorder
from cosim.trace.writer import TraceWriter

READERS: dict[str, Callable[[BinaryIO], Foreign]] = {".raw": read_raw, ".csv": read_csv}
_MOST_SIGNALS = 10_000
_LONGEST_FACT = 500


def import_trace(
    source: str | Path, path: str | Path, *, run: int | None = None, overwrite: bool = False
) -> None:
    """Make a trace of a .raw file of ngspice or LTspice, or of a CSV file. A file of several
    transient runs (plots of ngspice, a `.step` of LTspice) becomes an ensemble, a member each.

    Args:
        source: the foreign file.
        path: the trace, whole or not there at all; its provenance names the file and its SHA-256.
        run: only this one of several, counted from 0.
        overwrite: replace an existing trace.

    Raises:
        ConfigurationError: no such format.
        TraceError: the file is not there or not what it says, or the trace cannot be written.
    """
    source, path = Path(source), Path(path)
    reader = READERS.get(source.suffix.lower())
    if reader is None:
        raise ConfigurationError(
            f"{source} cannot be imported: the format is chosen by the file's ending, and known "
            f"are {', '.join(READERS)}. Have the other program write one of these."
        )
    if path.exists() and not overwrite:
        raise already_exists(path)
    with _reading(source), _opened(source) as file, replacing(path) as partial:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        foreign = reader(file)
        if not foreign.columns:
            raise ValueError("it holds no signal")
        if len(foreign.columns) > _MOST_SIGNALS:
            raise ValueError(f"it has more than {_MOST_SIGNALS} signals")
        runs = len(foreign.notes)
        if run is not None and not 0 <= run < runs:
            raise ValueError(f"it has no run {run}, but {runs}, counted from 0")
        members = runs if run is None and runs > 1 else None
        with TraceWriter.create(
            partial,
            signals=[column.signal for column in foreign.columns],
            provenance=_provenance(source, sha256, foreign.facts),
            members=members,
        ) as writer:
            for member, note in enumerate(foreign.notes if members else ()):
                writer.event(0.0, "process", note[:_LONGEST_FACT], member)
            _write(writer, foreign.blocks, members is not None, run)


def _write(
    writer: TraceWriter, blocks: Iterable[Block], is_ensemble: bool, run: int | None
) -> None:
    """Write every run, each a member of an ensemble, or the chosen one."""
    now, before = -1, -np.inf
    for block in blocks:
        if block.run != now:
            if is_ensemble and now >= 0:
                writer.finish_member(now)
            now, before = block.run, -np.inf
        wrong = first_disorder(before, block.time_second)
        if wrong is not None:
            raise ValueError(
                f"its time {block.time_second[wrong]:.9g} s is not finite, or follows a later one"
            )
        before = block.time_second[-1]
        if run is None or run == now:
            writer.append(block.time_second, block.values, now if is_ensemble else None)
    if now < 0:
        raise ValueError("it holds no points")
    if is_ensemble:
        writer.finish_member(now)
    writer.finish()


def _provenance(source: Path, sha256: str, facts: dict[str, str]) -> Provenance:
    origin = {"file": str(source), "sha256": sha256}
    origin |= {key: fact[:_LONGEST_FACT] for key, fact in facts.items()}
    return Provenance.collect(
        configuration_toml=tomli_w.dumps({"imported": origin}),
        netlist="",
        seeds={},
        ngspice_version="not used",
    )


def _opened(source: Path) -> BufferedReader:
    if source.exists() and not source.is_file():
        raise ValueError("it is no regular file")  # a pipe or a device could keep us for ever
    return source.open("rb")


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """Whatever a foreign file is not becomes one error."""
    try:
        yield
    except (OSError, ValueError) as error:
        said = " ".join((getattr(error, "strerror", None) or str(error)).split())[:300]
        raise TraceError(
            f"{source} cannot be imported: {said}. It must be the whole result of transient "
            "analyses of the same signals, with times in seconds that do not go back. Get a good "
            "copy, or have the other program write it again."
        ) from error
