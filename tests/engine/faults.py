"""What breaks, on purpose. A module of its own, since workers import it: it must be light."""

import os
import signal
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cosim.engine.worker import (
    Failed,
    Finished,
    Message,
    Points,
    Simulation,
    Started,
    Statistics,
    WorkerPool,
)
from cosim.errors import BlockError
from tests.engine.problems import UNIT_SECOND


@dataclass(frozen=True)
class BreakingDecay:
    """A decay that goes wrong at half a unit of time, if its marker file is not there; the file is
    made then, if it can be.
    """

    fault: str
    marker: Path

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        if self.fault and time_second > 0.5 * UNIT_SECOND and not self.marker.exists():
            if self.marker.parent.is_dir():
                self.marker.touch()
            match self.fault:
                case "raises":
                    raise ZeroDivisionError("the model divided by zero")
                case "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "hangs":
                    time.sleep(60)
        return -volts


class Scripted(WorkerPool):
    """Each run of member 0 sends other points than the one before; the first `failures` fail."""

    def __init__(self, failures: int) -> None:
        super().__init__(1, timeout_second=1)
        self._failures = failures
        self.sent: list[Points] = []

    def run(self, simulations: Iterable[Simulation]) -> Generator[Message]:
        for job in simulations:
            attempt, count = len(self.sent), 50
            time_second = np.linspace(0, job.stop_second / (1 + attempt), count)
            crossed = np.full((count, 2), float(attempt))
            values = np.full((count, len(job.saved)), float(attempt))
            self.sent.append(Points(job.member, time_second, values, *[crossed] * 3))
            yield Started(job.member)
            yield self.sent[-1]
            if attempt < self._failures:
                yield Failed(job.member, BlockError("the model divided by zero"))
            else:
                yield Finished(job.member, Statistics(0.0, 1.0, 0.0, 0.0, count, count))
