"""Where libngspice is, and what it can do.

It is looked for in NGSPICE_LIBRARY_PATH, in the project's own `.ngspice/` (made by
`cosim.engine.install`), then where the system's loader looks. What it can do is measured by
asking it, in a process of its own that may crash, and never read off its version.
"""

import ctypes
import ctypes.util
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cosim.engine.room import end_with_parent, nothing_around
from cosim.errors import LibraryNotFoundError, WorkerCrashError, WorkerTimeoutError

ENVIRONMENT_VARIABLE = "NGSPICE_LIBRARY_PATH"
PROJECT_FOLDER_NAME = ".ngspice"
MINIMUM_VERSION = 39
ANSWER_TIMEOUT_SECOND = 60.0

INSTALL_BY_HAND = (
    "on Debian `sudo apt install libngspice0 ngspice`, on Fedora `sudo dnf install libngspice "
    "ngspice`, on macOS `brew install libngspice ngspice`, with conda `conda install -c "
    "conda-forge ngspice-lib ngspice`. Where the loader does not look (conda, Homebrew), set "
    f"{ENVIRONMENT_VARIABLE} to the full path of the library."
)
HOW_TO_INSTALL = f"Run `make setup` in the project's folder, or install ngspice: {INSTALL_BY_HAND}"


@dataclass(frozen=True)
class NgspiceLibrary:
    """A libngspice on this machine.

    Attributes:
        library_path: the shared library.
        scripts_path: the folder of its start-up file `spinit`; None: the one compiled into it.
        executable_path: plain `ngspice`; None if there is none.
        origin: who put it there.
    """

    library_path: Path
    scripts_path: Path | None
    executable_path: Path | None
    origin: Literal["environment", "project", "system"]

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While this process loads the library: its start-up file, its OpenMP runtime, and none of
        the files of commands that ngspice looks for.
        """
        # A minimal system has no OpenMP runtime, so the project's tree brings one; the loader
        # only finds it there when it is loaded first.
        for runtime in self.library_path.parent.glob("libgomp.so.1"):
            ctypes.CDLL(str(runtime))
        with nothing_around(self.scripts_path):
            yield


@dataclass(frozen=True)
class NgspiceCapabilities:
    """What a libngspice answered when asked.

    Attributes:
        version: its major version.
        klu: the KLU solver works (`.options klu`).
        osdi: compiled Verilog-A models can be loaded (`osdi`).
        xspice: code models are loaded (`A` devices work).
    """

    version: int
    klu: bool
    osdi: bool
    xspice: bool


def find_library() -> NgspiceLibrary:
    """The libngspice to use: environment, project, system, in this order.

    Raises:
        LibraryNotFoundError: there is none, or NGSPICE_LIBRARY_PATH names no file.
    """
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named is not None:
        return _environment_library(named)
    folder = project_folder() / PROJECT_FOLDER_NAME
    for library_path in sorted(folder.glob("root/usr/lib/*/libngspice.so.0")):
        return NgspiceLibrary(
            library_path,
            scripts_path=folder / "root/usr/share/ngspice/scripts",
            executable_path=folder / "bin/ngspice",
            origin="project",
        )
    system = find_system_library()
    if system is None:
        raise LibraryNotFoundError(
            f"No libngspice was found: {ENVIRONMENT_VARIABLE} is not set, there is no ngspice in "
            f"{folder}, and the system's loader knows none. {HOW_TO_INSTALL}"
        )
    return system


def find_system_library() -> NgspiceLibrary | None:
    """The libngspice that the system's loader knows."""
    library_path = _loader_path()
    if library_path is None:
        return None
    return NgspiceLibrary(library_path, None, _system_executable(), origin="system")


@functools.cache
def probe(library: NgspiceLibrary) -> NgspiceCapabilities:
    """Ask the library, in a process of its own, what it can do.

    Raises:
        WorkerCrashError: it cannot be loaded, or crashes.
        WorkerTimeoutError: it does not answer.
    """
    return NgspiceCapabilities(**_ask(library))


def operating_point(
    library: NgspiceLibrary, netlist: str, expressions: Sequence[str]
) -> dict[str, float]:
    """Solve a netlist's DC operating point in a process of its own.

    Args:
        library: the ngspice to use.
        netlist: lines without title, analysis and `.end`.
        expressions: what to return, as ngspice's `print` takes it: `v(out)`, `i(vdd)`.

    Raises:
        WorkerCrashError: it gives no value for an expression, cannot be loaded, or crashes.
        WorkerTimeoutError: it does not answer.
    """
    return _ask(library, *expressions, netlist=netlist)


def _ask(library: NgspiceLibrary, *expressions: str, netlist: str = "") -> dict[str, Any]:
    """What `_main` answers in a process of its own."""
    scripts = "" if library.scripts_path is None else str(library.scripts_path)
    # Not by `-m`, which would look for modules in the current folder first.
    path = [str(Path(entry).absolute()) for entry in sys.path]
    program = f"import sys; sys.path[:] = {path!r}; from cosim.engine.library import main; main()"
    command = [sys.executable, "-c", program, str(library.library_path), scripts]
    try:
        for _ in range(2):  # one that somebody killed is worth a second one
            answer = subprocess.run(
                [*command, *expressions],
                input=netlist,
                capture_output=True,
                text=True,
                timeout=ANSWER_TIMEOUT_SECOND,
            )
            if answer.returncode != -signal.SIGKILL:
                break
    except subprocess.TimeoutExpired as error:
        raise WorkerTimeoutError(
            f"{library.library_path} did not answer within {ANSWER_TIMEOUT_SECOND:g} s. It may be "
            f"damaged. {HOW_TO_INSTALL}"
        ) from error
    if answer.returncode != 0:
        last_lines = " | ".join(answer.stderr.strip().splitlines()[-3:]) or "it said nothing"
        raise WorkerCrashError(
            f"{library.library_path} cannot be used: the process that loaded it ended with status "
            f"{answer.returncode} ({last_lines}). It may be damaged, built for another machine, "
            f"or need a library that is missing. {HOW_TO_INSTALL}"
        )
    result: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return result


def project_folder() -> Path:
    """The folder that holds `.ngspice`: the checkout this package runs from, else one of the Python
    environment. Never the current folder: what lies there may be anyone's.
    """
    checkout = _package_folder().parent
    is_checkout = (checkout / "pyproject.toml").is_file()
    return checkout if is_checkout else Path(sys.prefix) / "share/cosim"


def _package_folder() -> Path:
    return Path(__file__).resolve().parents[1]


def _environment_library(named: str) -> NgspiceLibrary:
    library_path = Path(named)
    if not library_path.is_file():
        raise LibraryNotFoundError(
            f"{ENVIRONMENT_VARIABLE} is set to '{named}', where there is no file. Set it to the "
            "full path of libngspice, or unset it to use the project's or the system's own."
        )
    return NgspiceLibrary(library_path.absolute(), None, _system_executable(), "environment")


def _system_executable() -> Path | None:
    found = shutil.which("ngspice")
    return None if found is None else Path(found)


def _loader_path() -> Path | None:
    """Full path of the system's libngspice: the loader's cache on Linux, else ctypes' search."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), "/sbin", "/usr/sbin"])
    ldconfig = shutil.which("ldconfig", path=search)
    if ldconfig is None:
        found = ctypes.util.find_library("ngspice")
        return None if found is None else Path(found)
    cache = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
    entry = re.search(r"^\s*libngspice\.so\S* .*=> (.+)$", cache, re.MULTILINE)
    return None if entry is None else Path(entry[1])


_SEND_CHAR = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)
_CONTROLLED_EXIT = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_bool, ctypes.c_bool, ctypes.c_int, ctypes.c_void_p
)


class _Conversation:
    """Commands to a libngspice loaded into this process, and what it says to each.

    Plain ctypes: PySpice takes some of the answers sought here for errors.
    """

    def __init__(self, library_path: Path) -> None:
        self._lines: list[str] = []
        # ngspice keeps these pointers, so they live as long as the conversation.
        self._callbacks = (_SEND_CHAR(self._hear), _CONTROLLED_EXIT(self._leave))
        self._library = ctypes.CDLL(str(library_path))
        send_char, controlled_exit = self._callbacks
        self._library.ngSpice_Init(send_char, None, controlled_exit, None, None, None, None)

    def say(self, command: str) -> str:
        """What ngspice prints when it runs `command`."""
        self._lines.clear()
        self._library.ngSpice_Command(command.encode())
        return "\n".join(self._lines)

    def solve(self, netlist: Sequence[str]) -> str:
        """What ngspice prints when it solves the operating point of a new circuit."""
        lines = [line.encode() for line in ("cosim", *netlist, ".op", ".end")]
        self.say("destroy all")
        self._library.ngSpice_Circ((ctypes.c_char_p * (len(lines) + 1))(*lines, None))
        return self.say("run")

    def value(self, expression: str) -> float | None:
        """An expression's value in the last solution; None if it has none."""
        printed = re.search(r" = (\S+)$", self.say(f"print {expression}"), re.MULTILINE)
        return None if printed is None else float(printed[1])

    def _hear(self, text: bytes, _identity: int, _user_data: object) -> int:
        self._lines.append(text.decode(errors="replace"))
        return 0

    def _leave(self, status: int, *_how: object) -> int:
        print("ngspice gave up: " + " | ".join(self._lines), file=sys.stderr, flush=True)
        os._exit(status or 1)


def _measure(conversation: _Conversation) -> NgspiceCapabilities:
    version = re.search(r"ngspice-(\d+)", conversation.say("version"))
    if version is None:
        raise SystemExit("it does not say which version of ngspice it is")
    with_klu = conversation.solve([".options klu", "v1 top 0 1", "r1 top half 1", "r2 half 0 1"])
    klu = "Using KLU" in with_klu and conversation.value("v(half)") == 0.5
    conversation.solve(["v1 in 0 1", "a1 in doubled twice", ".model twice gain(gain=2)"])
    return NgspiceCapabilities(
        version=int(version[1]),
        klu=klu,
        osdi="no such command" not in conversation.say("osdi no_such_file.osdi"),
        xspice=conversation.value("v(doubled)") == 2.0,
    )


def main() -> None:
    """In that process: answer what its arguments ask."""
    end_with_parent()
    _main(*sys.argv[1:])


def _main(library_path: str, scripts_path: str, *expressions: str) -> None:
    """Print as JSON what the library can do, or the expressions' values in the netlist on stdin."""
    scripts = Path(scripts_path) if scripts_path else None
    library = NgspiceLibrary(Path(library_path), scripts, None, "project")
    try:
        with library.loading():
            conversation = _Conversation(library.library_path)
    except OSError as error:
        raise SystemExit(f"it cannot be loaded: {error}") from error
    if not expressions:
        print(json.dumps(asdict(_measure(conversation))))
        return
    said = conversation.solve(sys.stdin.read().splitlines())
    values = {expression: conversation.value(expression) for expression in expressions}
    if None in values.values():
        raise SystemExit(f"no solution: {said}")
    print(json.dumps(values))
