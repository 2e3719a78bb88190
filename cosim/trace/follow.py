"""Follow a trace that another process is writing."""

import time
from collections.abc import Iterator
from pathlib import Path

from cosim.trace.reader import Trace

POLL_SECOND = 0.25
"""Twice as often as the writer flushes."""


def viewed(trace: Trace, member: int | None) -> int | None:
    """Which member is to be looked at: the one asked for, or of an ensemble the first that is being
    simulated, else the last that has points; None for a single run.
    """
    if member is not None or trace.members is None:
        return member
    begun = [number for number in range(trace.members) if trace.member(number).points]
    running = [number for number in begun if trace.member_statuses[number] == "running"]
    return (running[:1] or begun[-1:] or [0])[0]


def follow(path: Path) -> Iterator[Trace]:
    """The trace as it is, again and again until its run has ended; the last one is that of the end.

    A killed writer leaves a trace that never ends: the caller decides how long to wait.

    Raises:
        TraceError: there is no such file, or it is damaged.
    """
    with Trace.open(path) as trace:
        while True:
            yield trace
            if trace.status != "running":
                return
            time.sleep(POLL_SECOND)
            trace = trace.refresh()
