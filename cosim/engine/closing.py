"""A process that Linux holds inside its room: Landlock for files, seccomp for all else.

Landlock knows paths, and holds a thread to folders; it knows nothing of sockets but TCP's, of new
processes and of files' modes. seccomp knows system calls, and refuses those. Both hold for good,
and need no root.
Sources: the Linux kernel's manuals of Landlock and of seccomp filters; clone(2);
seccomp_api_get(3).
"""

import errno
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

NULL = Path(os.devnull)
TCP_VERSION = 4
"""Of Landlock: the first that knows TCP."""

WHOLE_LEVEL = 2
"""Of libseccomp's API, which asks the kernel: filters for all threads of a process."""

CLONE_THREAD = 0x10000
REFUSED = (
    "execve", "execveat", "fork", "vfork",
    "socket", "io_uring_setup",
    "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat",
    "utime", "utimes", "utimensat", "futimesat",
    "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
    "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open",
    "ptrace", "process_vm_readv", "process_vm_writev",
)  # fmt: skip
"""System calls: programs and processes, the network, what files are beside their content, other
processes.
"""
NUMBERED = (452, 463)
"""fchmodat2 and setxattrat: younger than the libseccomp of some systems, which has no names."""


@dataclass(frozen=True)
class Barrier:
    """What the room is held to, and why it is not; '' where it is."""

    what: str
    why_open: str


def barriers() -> tuple[Barrier, ...]:
    """What `close` does on this system."""
    version, why = _landlock()
    too_old = why or f"Linux is too old (Landlock {version}, and TCP takes {TCP_VERSION})"
    why_unfiltered = _why_unfiltered()
    closed_to_tcp = not why_unfiltered or (not why and version >= TCP_VERSION)
    return (
        Barrier("changes no file's content outside its folder", why),
        Barrier("opens no TCP connection", "" if closed_to_tcp else too_old),
        Barrier(
            "starts no program or process, opens no socket, changes no file's mode, owner or "
            "times, signals no other process",
            why_unfiltered,
        ),
    )


def _landlock() -> tuple[int, str]:
    """Its version, and why there is none."""
    if sys.platform != "linux":
        return 0, "only Linux has Landlock"
    try:
        from py_landlock import LandlockError, get_abi_version
    except (ImportError, OSError) as error:
        return 0, str(error)
    try:
        return get_abi_version(), ""
    except LandlockError as error:
        return 0, str(error)


def _why_unfiltered() -> str:
    if sys.platform != "linux":
        return "only Linux has seccomp"
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: there is no libseccomp
        return str(error)
    if (level := pyseccomp.get_api()) < WHOLE_LEVEL:
        return f"the kernel's seccomp, of level {level}, closes single threads at most"
    return ""


def close(folder: Path, *, whole: bool = True) -> None:
    """From here on this thread, and threads that it starts, keep to what `barriers` says is held.

    Args:
        whole: whether system calls are refused to all threads of the process, and its temporary
            files are made in that folder.
    """
    unfiltered = _why_unfiltered()  # it looks for its library by a program
    if not _landlock()[1]:
        _keep_files(folder)
    if not unfiltered:
        _refuse_calls(whole)
    if whole:
        tempfile.tempdir = str(folder.resolve())


def closed_thread(folder: Path) -> ThreadPoolExecutor:
    """A thread of a process that stays open, which keeps to what `barriers` says is held."""
    thread = ThreadPoolExecutor(1)
    thread.submit(close, folder, whole=False).result()
    return thread


def _keep_files(folder: Path) -> None:
    from py_landlock import AccessFs, Landlock

    room = Landlock(strict=False)  # an older kernel holds it to less
    room.allow_read("/").allow_write(folder)
    room.add_path_rule(NULL, access=AccessFs.WRITE_FILE | AccessFs.TRUNCATE)
    room.apply()


def _refuse_calls(whole: bool) -> None:
    import pyseccomp as seccomp

    calls = seccomp.SyscallFilter(seccomp.ALLOW)
    refused = seccomp.ERRNO(errno.EPERM)
    for call in (*REFUSED, *NUMBERED):
        calls.add_rule(refused, call)
    calls.add_rule(refused, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, 0))
    # Its flags are in memory, where a filter cannot look: without it libc takes `clone`.
    calls.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    calls.add_rule(refused, "tgkill", seccomp.Arg(0, seccomp.NE, os.getpid()))
    calls.set_attr(seccomp.Attr.CTL_TSYNC, int(whole))
    calls.load()
