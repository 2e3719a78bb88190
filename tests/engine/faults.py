"""A block that breaks. A module of its own, since every worker imports it: it must be light."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
