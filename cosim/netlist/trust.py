"""Foreign process libraries: folders that the user trusts, whose files ngspice reads as they are.

They are neither screened nor written anew: what they hold is as good as a command of the user's.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from cosim.errors import ConfigurationError

_FILE = re.compile(r'^\.(?:lib|include) "([^"]+)"', re.MULTILINE)
_folders: ContextVar[tuple[Path, ...]] = ContextVar("trusted folders", default=())


@contextmanager
def trusting(folders: Sequence[Path]) -> Iterator[None]:
    """While netlists are read that may include files of these folders.

    Raises:
        ConfigurationError: one is no folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ConfigurationError(
                f"There is no folder {folder} to trust. Name the one that holds the library's "
                "files."
            )
    token = _folders.set(tuple(folder.resolve() for folder in folders))
    try:
        yield
    finally:
        _folders.reset(token)


def is_trusted(file: Path) -> bool:
    """Whether a file, its links followed, is in a trusted folder."""
    return any(file.is_relative_to(folder) for folder in _folders.get())


def trusted_notes(netlist: str) -> tuple[str, ...]:
    """What to tell the user of a netlist as it is given to ngspice."""
    files = dict.fromkeys(name for name in _FILE.findall(netlist) if is_trusted(Path(name)))
    return tuple(f"'{name}' is trusted: ngspice reads it as it is, unchecked." for name in files)
