"""Makes the file of a trace: whole before it has its name, never in place of another unasked."""

import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py

from cosim.errors import TraceError
from cosim.trace.layout import empty_trace
from cosim.trace.provenance import Provenance
from cosim.trace.schema import Signal, check_names

_STRUCTURE_BYTE = 2**27
"""HDF5's largest, for 10,000 signals and more; what is not needed is not taken."""


def created(
    path: Path,
    signals: Sequence[Signal],
    coupling: Sequence[Signal],
    members: int | None,
    provenance: Provenance,
    overwrite: bool,
) -> h5py.File:
    """The file of an empty trace, open for its one writer; from now on readers can open it.

    Raises:
        TraceError: it exists or cannot be created, or signals share a name.
    """
    check_names(signals)
    check_names(coupling)
    if members is not None and members < 1:
        raise ValueError("an ensemble has at least one member")
    if path.exists() and not overwrite:
        raise already_exists(path)
    # What bears the final name, an old trace included, can be opened at every moment.
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        empty = empty_trace(signals, coupling, members, provenance)
        try:
            partial.write_bytes(empty)
            return _publish(partial, path, overwrite)
        finally:
            with suppress(OSError):  # it has been renamed, or could not be made
                partial.unlink()
    except FileExistsError:
        raise already_exists(path) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise TraceError(
            f"The trace {path} cannot be created: {reason_of(error)}. Choose a folder that "
            "exists, that you may write to and that has space."
        ) from error


def _publish(partial: Path, path: Path, overwrite: bool) -> h5py.File:
    """Open the file for writing while others read, and only then give it its name."""
    file = h5py.File(
        partial,
        "r+",
        libver=("v110", "v110"),
        locking="best-effort",  # as h5py by itself: in a process, all must agree
        rdcc_nbytes=0,  # only whole chunks are written: a cache would cost memory for nothing
    )
    try:
        _keep_structure(file)
        file.swmr_mode = True
        if overwrite:
            partial.replace(path)
        else:
            os.link(partial, path)  # unlike a renaming, this fails if `path` exists
    except BaseException:
        file.close()
        raise
    return file


def _keep_structure(file: h5py.File) -> None:
    """Keep the file's structure in memory. What HDF5 2.0 evicts of a file that is open for readers,
    it may free twice: a trace of 5,000 signals crashed its writer.
    """
    cache = file.id.get_mdc_config()
    cache.max_size = _STRUCTURE_BYTE
    cache.set_initial_size, cache.initial_size = True, _STRUCTURE_BYTE
    cache.min_size = min(cache.min_size, _STRUCTURE_BYTE)
    file.id.set_mdc_config(cache)


def already_exists(path: Path) -> TraceError:
    """For a trace that would replace another without being asked to."""
    return TraceError(
        f"The trace {path} exists already and is not overwritten. Give another path, or ask for "
        "it to be replaced (--force; overwrite=True in Python)."
    )


def reason_of(error: Exception) -> str:
    """What the operating system or HDF5 says, in a line."""
    number: Any = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error).splitlines()[0]
