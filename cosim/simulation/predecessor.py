"""An unfinished trace that a run goes on with."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from cosim.engine.worker import Points, Simulation
from cosim.errors import ConfigurationError
from cosim.trace import Provenance, Trace

COPIED_POINTS = 8192


def same_provenance(before: Provenance, now: Provenance) -> bool:
    """Whether two runs have one configuration and netlist."""
    return (before.configuration_toml, before.netlist) == (now.configuration_toml, now.netlist)


def is_done(path: Path, provenance: Provenance) -> bool:
    """Whether the trace that is there is complete, and of this run.

    Raises:
        TraceError: it cannot be read.
    """
    with Trace.open(path) as trace:
        return trace.complete and same_provenance(trace.provenance, provenance)


@dataclass(frozen=True)
class Resume:
    """How to go on with an unfinished trace.

    Attributes:
        continued: the rest of a simulation from its last recorded time (s) and values [signals],
            or None if it has to begin anew. Without it all that is unfinished begins anew, and
            ends, bit for bit, as if nothing had happened.
        same_run: whether the trace that is there is of the run that asks for it.
    """

    continued: Callable[[Simulation, float, np.ndarray], Simulation | None] | None = None
    same_run: Callable[[Provenance, Provenance], bool] = same_provenance


class Predecessor:
    """An unfinished trace, and the one that takes its place once it holds all of it.

    Raises:
        TraceError: there is none, or it is damaged.
    """

    def __init__(self, path: Path, resume: Resume) -> None:
        self.trace = Trace.open(path)
        self.successor_path = path.with_name(f"{path.stem}.resuming{path.suffix}")
        self.complete = self.trace.complete
        self._resume = resume
        self._dropped: set[int] = set()

    def __enter__(self) -> "Predecessor":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.trace.close()

    def give_way(self) -> None:
        """Let the successor, which now holds all of it, take its place: whatever ends the run from
        now on, nothing recorded is lost.
        """
        self.successor_path.replace(self.trace.path)

    def check(self, provenance: Provenance) -> None:
        """Refuse to go on with another run's trace.

        Raises:
            ConfigurationError: it is of another run.
        """
        if not self._resume.same_run(self.trace.provenance, provenance):
            raise ConfigurationError(
                f"{self.trace.path} is of another run: its configuration or netlist differs from "
                "this one's. Resume with the same run file and options, or give --force to start "
                "anew."
            )

    def rest_of(self, simulation: Simulation) -> Simulation | None:
        """What remains of a simulation: all of it, its rest, or (None) nothing."""
        number = simulation.member
        recorded, points = self._of(number), self._points(number)
        if points:
            last = slice(points - 1, points)
            at_second = float(recorded.read("time", last)[0])
            if math.isclose(at_second, simulation.stop_second, rel_tol=1e-9):
                return None
            values = np.concatenate([recorded.read(name, last) for name in recorded.names])
            continued = self._resume.continued
            rest = continued(simulation, at_second, values) if continued is not None else None
            if rest is not None:
                return rest
        self._dropped.add(number)
        return simulation

    def kept(self, number: int) -> Iterator[Points]:
        """A member's points that remain, as its worker sent them."""
        if number in self._dropped:
            return
        recorded, count = self._of(number), self._points(number)
        crossed = recorded.coupling
        parts = [crossed.match(f"{part}.*") for part in ("input", "output", "error")]
        for first in range(0, count, COPIED_POINTS):
            rows = slice(first, min(first + COPIED_POINTS, count))
            time_second = recorded.read("time", rows)
            values = [recorded.read(name, rows) for name in recorded.names]
            yield Points(
                number,
                time_second,
                np.stack(values, axis=1),
                *(
                    np.stack([crossed.read(name, rows) for name in names], axis=1)
                    if names
                    else np.empty((len(time_second), 0))
                    for names in parts
                ),
            )

    def _of(self, number: int) -> Trace:
        return self.trace.member(number) if self.trace.members is not None else self.trace

    def _points(self, number: int) -> int:
        """Points and what crossed the interface are sent together; a kill may part the last."""
        recorded = self._of(number)
        points, crossed = recorded.points, recorded.coupling
        return min(points, crossed.points) if crossed.names else points
