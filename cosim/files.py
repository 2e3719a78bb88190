"""Files as all rooms read and write them."""

import os
import re
import socket
import stat
import tempfile
import tomllib
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cosim.errors import ConfigurationError

MOST_TOML_BYTE = 2**20
_DEEP_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]+\s*\.\s*){20}""")
"""A key of many parts: reading it takes the square of their number, in memory too."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a run file.

    Raises:
        ConfigurationError: it cannot be read, or is not TOML (with line and column).
    """
    try:
        text = read_regular(path, MOST_TOML_BYTE).decode("utf8")
        if _DEEP_KEY.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no run file {path}. Give the name of a task or the path of a TOML file."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The run file {path} cannot be read: {error}.") from None
    except RecursionError:
        raise ConfigurationError(
            f"The run file {path} has tables or arrays too deep inside each other. Make it flat."
        ) from None
    except ValueError as error:  # TOMLDecodeError, or a number of too many digits
        raise ConfigurationError(
            f"The run file {path} is not valid TOML: {error}. Expected lines such as "
            '`task = "circle"` and tables such as `[coupling]`.'
        ) from None


def read_regular(path: Path, maximum_byte: int) -> bytes:
    """The content of a regular file: a pipe or a device could keep us for ever.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger.
    """
    # Without waiting for the other end of a pipe.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(f"{path} is no regular file")
        if about.st_size > maximum_byte:
            raise OSError(f"{path} has {about.st_size} bytes, and at most {maximum_byte} are read")
        return file.read(maximum_byte)


def make_folder(folder: Path) -> None:
    """Make an output folder, and make sure that it can be written to.

    Raises:
        ConfigurationError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"The output folder {folder} cannot be written: {error.strerror}. Choose another one "
            "with --output."
        ) from None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the one process, and thread, that writes `path`: a lock file beside it names the process.

    Within it may be entered once more. Warns (`UserWarning`) of a lock that was left by a process
    that has ended, and takes it over.

    Raises:
        ConfigurationError: another process is at it, or one of another machine may be.
    """
    file = path.with_name(f".{path.name}.lock")
    lock = FileLock(file, timeout=0, is_singleton=True)
    here = socket.gethostname()
    try:
        lock.acquire()
    except Timeout:
        raise ConfigurationError(
            f"{path} is being written by {_owner(file) or 'another process'}. Wait until that has "
            "ended, or end it; or give another folder."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"The lock {file} cannot be made: {error}.") from None
    try:
        if lock.lock_counter == 1:
            left = _owner(file)
            if left and not left.endswith(f" on {here}"):
                raise ConfigurationError(
                    f"{path} was being written by {left}, of which it cannot be told here whether "
                    f"it has ended. If it has, remove {file} and try again."
                )
            file.write_text(f"process {os.getpid()} on {here}", encoding="utf8")
            if left:
                warnings.warn(
                    f"{path} was being written by {left}, which has ended without a word; its "
                    "lock is taken over.",
                    stacklevel=4,
                )
        yield
    finally:
        if lock.lock_counter == 1 and _owner(file) == f"process {os.getpid()} on {here}":
            file.unlink()
        lock.release()


def _owner(lock: Path) -> str:
    """The process that a lock file names; '' where there is none."""
    try:
        return read_regular(lock, 4096).decode("utf8", errors="replace").strip()
    except OSError:
        return ""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write, which takes the name `path` at the end, unless there is an exception: it is
    there whole or not at all.

    Raises:
        OSError: the operating system refuses.
    """
    # A name that nobody can have planted a link under.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as partial, partial.open("x", encoding="utf8") as file:
        file.write(text)
