"""Files that are there whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosim.errors import TraceError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write, which takes the name `path` at the end, unless there is an exception.

    Raises:
        TraceError: the operating system refuses.
    """
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise TraceError(
            f"{path} cannot be written: {reason}. Choose a folder that exists, that you may write "
            "to and that has space. What was there before is as it was."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
