"""A task for a crew. It has its own file: a process that runs it imports this alone."""

import os
import time
from pathlib import Path


def crew_task(what: str) -> str:
    """Make the file of that path, die, hang, or answer."""
    if what.startswith("/"):
        try:
            Path(what).touch()
        except OSError as error:
            return type(error).__name__
    if what == "dies":
        os._exit(3)
    if what == "hangs":
        time.sleep(60)
    return f"{what} done"
