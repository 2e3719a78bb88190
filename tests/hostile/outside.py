"""A folder that nobody may touch, and whether somebody did.

The kernel tells of every file that any process opens, changes, makes or removes there (inotify).
"""

import ctypes
import os
import struct
from pathlib import Path

OPENED, CHANGED, MADE, REMOVED, MOVED = 0x20, 0x2, 0x100, 0x200, 0xC0
_EVENT = struct.Struct("iIII")


class Outside:
    """A folder with bait, watched from when it is made.

    Attributes:
        folder: where the bait is: a part of a netlist, code, a library, text.
        canary: a file that appears if a command is run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.canary = folder / "canary"
        folder.mkdir()
        (folder / "secret.inc").write_text("R9 b 0 10\n")
        (folder / "secret.txt").write_text("0 1\n1 2\n")
        (folder / "evil.py").write_text(f"open({str(self.canary)!r}, 'w')\n")
        for name in ("evil.so", "evil.cm", "evil.osdi", "evil.h5"):
            (folder / name).write_bytes(b"\x7fELF")
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        mask = OPENED | CHANGED | MADE | REMOVED | MOVED
        assert libc.inotify_add_watch(self._handle, os.fsencode(folder), mask) > 0

    def close(self) -> None:
        """Watch no longer."""
        os.close(self._handle)

    def touched(self) -> set[str]:
        """Names of the files there that were touched since it was asked last."""
        try:
            told = os.read(self._handle, 2**20)
        except BlockingIOError:
            return set()
        names, place = set(), 0
        while place < len(told):
            *_, length = _EVENT.unpack_from(told, place)
            place += _EVENT.size
            names.add(told[place : place + length].rstrip(b"\0").decode() or ".")
            place += length
        return names
