"""Kills runs at chosen moments, resumes them, and holds the result against an undisturbed run.

A job is a command of its own process group that writes a trace and can be given again to go on.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from cosim.errors import TraceError
from cosim.trace import Trace

ROOT = Path(__file__).resolve().parents[2]
ORPHAN_SECOND = 2.0
WAIT_SECOND = 240.0

VICTIMS = ("parent", "parent TERM", "parent HUP", "parent INT", "worker", "group")
MOMENTS = ("before the first", "inside", "between", "after the last")

SWEEP = """
import sys; sys.path[:0] = [sys.argv[1]]
import cosim
from cosim.errors import CosimError
netlist = cosim.Netlist("rc\\n.param r=1k\\nV1 a 0 SIN(0 1 1meg)\\nR1 a b {r}\\nC1 b 0 1n\\n")
grid, how = {"r": [1e3, 2e3, 3e3]}, sys.argv[3]
try:
    cosim.sweep(
        netlist, grid, stop="60u", max_step="5n", to=sys.argv[2], jobs=2, progress=False,
        resume=how == "resume", overwrite=how == "force",
    )
except CosimError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@dataclass(frozen=True)
class Job:
    """How to start it: the command for a folder and "new", "resume" or "force"; its trace there;
    files that it makes besides.
    """

    command: Callable[[Path, str], Sequence[str]]
    trace: str
    made: tuple[str, ...] = ()

    def start(self, folder: Path, how: str) -> "subprocess.Popen[bytes]":
        """Start it in a process group of its own, its temporary files in the folder's `tmp`."""
        temporary = folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        with (folder / "said").open("ab") as said:
            return subprocess.Popen(
                self.command(folder, how),
                start_new_session=True,
                stdout=said,
                stderr=said,
                cwd=folder,
                env={**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"},
            )


SWEEP_JOB = Job(
    lambda folder, how: [sys.executable, "-c", SWEEP, str(ROOT), str(folder / "t.h5"), how], "t.h5"
)
RUN_JOB = Job(
    lambda folder, how: [
        sys.executable, "-m", "cosim", "run", "circle", "--samples", "3", "--fidelity",
        "opamp=ideal", "-o", str(folder / "out"), *({"new": []}.get(how, [f"--{how}"])),
    ],
    "out/trace.h5", ("out/solve.png", "out/solver.cir"),
)  # fmt: skip


def members_of(path: Path) -> list[dict[str, np.ndarray]]:
    """Every column of every member, by name."""
    with Trace.open(path) as trace:
        trace.verify()
        assert trace.complete
        return [
            {
                f"{kind} {name}": table.read(name, slice(None))
                for kind, table in (("signal", one), ("coupling", one.coupling))
                for name in ("time", *table.names)
            }
            for one in map(trace.member, range(trace.members or 0))
        ]


def state_of(path: Path) -> tuple[bool, list[bool], list[int]]:
    """Whether a trace is complete, which members are, and how many points each has."""
    try:
        with Trace.open(path) as trace:
            statuses = trace.member_statuses
            points = [trace.member(number).points for number in range(len(statuses))]
            return trace.complete, [one == "complete" for one in statuses], points
    except TraceError:
        return False, [], []


def is_moment(moment: str, state: tuple[bool, list[bool], list[int]]) -> bool:
    """Whether a trace is in the state of that name."""
    _, done, points = state
    match moment:
        case "inside":
            return any(count and not end for count, end in zip(points, done, strict=True))
        case "between":
            return any(done) and not all(done)
        case "after the last":
            return bool(done) and all(done)
    return True


def kill_and_resume(
    job: Job, folder: Path, victim: str, moment: str, draw: random.Random,
    expected: Sequence[dict[str, np.ndarray]],
) -> None:  # fmt: skip
    """Kill a job once, resume it until it is done; nothing may be lost, changed, or left behind."""
    path = folder / job.trace
    process = job.start(folder, "new")
    parent = psutil.Process(process.pid)
    _await(process, lambda: bool(parent.children()) or process.poll() is not None)
    if moment != "before the first":
        _await(process, lambda: is_moment(moment, state_of(path)) or process.poll() is not None)
    time.sleep(draw.uniform(0, 0.05))
    children, before = (
        parent.children(recursive=True) if parent.is_running() else [],
        state_of(path),
    )
    _kill(process, children, victim)
    if victim == "worker":
        assert process.wait(WAIT_SECOND) == 0  # it helps itself
    else:
        process.wait(WAIT_SECOND)
        left = psutil.wait_procs(children, timeout=ORPHAN_SECOND)[1]
        assert not [one for one in left if one.status() != psutil.STATUS_ZOMBIE], "orphans"
        after = state_of(path)
        assert all(end for end, was in zip(after[1], before[1], strict=False) if was)
        assert all(now >= was for now, was in zip(after[2], before[2], strict=False))
        assert job.start(folder, "resume").wait(WAIT_SECOND) == 0
    assert_is(path, expected)
    assert all((folder / name).exists() for name in job.made)
    made = {*job.made, job.trace}
    assert {str(one.relative_to(folder)) for one in path.parent.iterdir() if one.is_file()} - {
        "said"
    } == made
    logs = [one for one in (folder / "tmp").rglob("*") if one.is_file()]
    assert not logs, "log files stay behind"


def assert_is(path: Path, expected: Sequence[dict[str, np.ndarray]]) -> None:
    """A trace has the expected columns, bit for bit."""
    found = members_of(path)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name, values in one.items():
            assert values.tobytes() == other[name].tobytes(), name


def _await(process: "subprocess.Popen[bytes]", condition: Callable[[], bool]) -> None:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < WAIT_SECOND, "waited in vain"
        time.sleep(0.005)


def _kill(
    process: "subprocess.Popen[bytes]", children: Sequence[psutil.Process], victim: str
) -> None:
    match victim.split():
        case ["group"]:
            os.killpg(process.pid, signal.SIGKILL)
        case ["worker"] if children:
            with suppress(psutil.NoSuchProcess):  # it was quick
                children[0].kill()
        case ["parent", name]:
            process.send_signal(signal.Signals[f"SIG{name}"])
        case ["parent"]:
            process.kill()


def undisturbed(job: Job) -> list[dict[str, np.ndarray]]:
    """What the job gives when nobody kills it."""
    with tempfile.TemporaryDirectory() as folder:
        assert job.start(Path(folder), "new").wait(WAIT_SECOND) == 0
        return members_of(Path(folder) / job.trace)


def pair(
    job: Job, folder: Path, how: str, apart_second: float,
    expected: Sequence[dict[str, np.ndarray]],
) -> None:  # fmt: skip
    """Start a job twice in one folder: one is done, the other too or refused, and told why."""
    first = job.start(folder, how)
    time.sleep(apart_second)
    second = job.start(folder, how)
    codes = [one.wait(WAIT_SECOND) for one in (first, second)]
    said = (folder / "said").read_text()
    # Where the first had ended before the second came, a second `new` finds the trace.
    assert 0 in codes and set(codes) <= {0, 2, 5}, (codes, said)
    assert ("is being written by process" in said) == (2 in codes)
    assert "Traceback" not in said
    assert_is(folder / job.trace, expected)
