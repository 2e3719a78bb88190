"""What surrounds ngspice in its process: nothing that others could have put there.

ngspice runs the commands of a `.spiceinit` in the current folder and in HOME, and takes folders
of scripts from SPICE_... variables; some of its models write logs into the current folder.
Sources: ngspice manual, sections 12.5 and 12.6 (standard configuration, environment variables).
"""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WATCH_SECOND = 0.25


@contextmanager
def nothing_around(scripts_path: Path | None) -> Iterator[None]:
    """While ngspice is loaded, an empty folder is the current one and HOME, and no SPICE_...
    variable is set but that of its start-up file.

    Args:
        scripts_path: the folder of that file; None: the one compiled into it.
    """
    for name in list(os.environ):
        if name.startswith(("SPICE_", "NGSPICE_")) and name != "NGSPICE_LIBRARY_PATH":
            del os.environ[name]
    if scripts_path is not None:
        os.environ["SPICE_LIB_DIR"] = str(scripts_path.parent)
    homes = {name: os.environ.get(name) for name in ("HOME", "USERPROFILE")}
    folder = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="cosim-") as empty:
        os.chdir(empty)
        os.environ.update(dict.fromkeys(homes, empty))
        try:
            yield
        finally:
            os.chdir(folder)
            for name, value in homes.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


def end_with_parent(folder: str | None = None) -> None:
    """End this process soon after its parent, however that ended, and the folder with it."""
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent, folder), daemon=True).start()


def serve_parent(folder: str | None = None) -> None:
    """As `end_with_parent`, of a process that works for it: Ctrl-C is the parent's to handle."""
    end_with_parent(folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _watch(parent: int, folder: str | None) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECOND)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
