"""The journal of a datasheet's runs: a line of JSON for each, as they come; what a kill leaves
behind is gone on with.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from cosim.characterise.datasheet.measuring import Outcome
from cosim.errors import ConfigurationError


class Journal:
    """Outcomes by key, on disk.

    Attributes:
        outcomes: those that are there, the last of each key.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        """For `Journal.open`."""
        self.path, self._file = path, file
        self.outcomes: dict[str, Outcome] = {}
        whole = 0
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break  # a kill came in between; the run is made again
            self._take(number, line)
            whole += len(line)
        file.truncate(whole)
        file.seek(whole)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> "Iterator[Journal]":
        """The journal at a path, made if it is not there, for this process alone.

        Raises:
            ConfigurationError: it cannot be read or written, is none, or another process has it.
        """
        try:
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "r+b")
        except OSError as error:
            raise ConfigurationError(
                f"The journal {path} cannot be opened: {error.strerror}. Choose another folder "
                "with --output."
            ) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigurationError(
                    f"Another process is writing the journal {path}. Wait for it, or choose "
                    "another folder with --output."
                ) from None
            yield cls(path, file)

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome: it is on disk when this returns."""
        self.outcomes[outcome.key] = outcome
        # repr of a float is read back to the same bits.
        self._file.write(json.dumps(asdict(outcome)).encode() + b"\n")
        self._file.flush()

    def _take(self, number: int, line: bytes) -> None:
        try:
            found: dict[str, Any] = json.loads(line)
            outcome = Outcome(
                str(found["key"]),
                {str(name): float(value) for name, value in found["values"].items()},
                {str(name): str(fault) for name, fault in found["faults"].items()},
                float(found["second"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"Line {number} of {self.path} is no outcome of a datasheet's run ({error!r}). "
                "Move the file away; what it holds is then run again."
            ) from None
        self.outcomes[outcome.key] = outcome
