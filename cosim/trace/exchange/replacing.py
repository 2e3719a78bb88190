"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosim import files
from cosim.errors import TraceError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write, which takes the name `path` at the end, unless there is an exception.

    Raises:
        TraceError: the operating system refuses.
    """
    try:
        with files.replacing(path) as partial:
            yield partial
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise TraceError(
            f"{path} cannot be written: {reason}. Choose a folder that exists, that you may write "
            "to and that has space. What was there before is as it was."
        ) from error
