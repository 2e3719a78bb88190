"""A task for a crew. It has its own file: a process that runs it imports this alone."""

import os
import time


def crew_task(what: str) -> str:
    """Die, hang, or answer."""
    if what == "dies":
        os._exit(3)
    if what == "hangs":
        time.sleep(60)
    return f"{what} done"
