"""Foreign process libraries: folders that the user trusts, whose files ngspice reads as they are.

They are neither screened nor written anew: what they hold is as good as a command of the user's.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from cosim.errors import ConfigurationError

DIGITS = 12
"""Of a file's SHA-256 that are told."""

_FILE = re.compile(r'^\.(?:lib|include) "([^"]+)"', re.MULTILINE)
_folders: ContextVar[tuple[Path, ...]] = ContextVar("trusted folders", default=())


def trusted_folders(folders: Sequence[str | Path]) -> tuple[Path, ...]:
    """Folders as they are kept: absolute, links followed.

    Raises:
        ConfigurationError: one is no folder.
    """
    given = (folders,) if isinstance(folders, str | Path) else folders
    found = [Path(folder).expanduser() for folder in given]
    for folder in found:
        if not folder.is_dir():
            raise ConfigurationError(
                f"There is no folder {folder} to trust. Name the one that holds the library's "
                "files."
            )
    return tuple(folder.resolve() for folder in found)


@contextmanager
def trusting(folders: Sequence[str | Path]) -> Iterator[None]:
    """While netlists are read that may include files of these folders.

    Raises:
        ConfigurationError: one is no folder.
    """
    token = _folders.set(trusted_folders(folders))
    try:
        yield
    finally:
        _folders.reset(token)


def is_trusted(file: Path) -> bool:
    """Whether a file, its links followed, is in a trusted folder."""
    return any(file.is_relative_to(folder) for folder in _folders.get())


def trusted_notes(netlist: str) -> tuple[str, ...]:
    """What to tell the user of a netlist as it is given to ngspice.

    The digits are of the named file alone: what it includes in turn only ngspice reads.
    """
    files = dict.fromkeys(name for name in _FILE.findall(netlist) if is_trusted(Path(name)))
    return tuple(
        f"'{name}' is trusted: ngspice reads it as it is, unchecked (SHA-256 "
        f"{hashlib.sha256(Path(name).read_bytes()).hexdigest()[:DIGITS]})."
        for name in files
    )
