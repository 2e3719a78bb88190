"""What was found of the coupling of one block: in numbers, and in sentences for the user."""

import math
from dataclasses import dataclass, field

import numpy as np

from cosim.lockstep.block import Block
from cosim.lockstep.extent import Extent
from cosim.lockstep.scheme import Linearised, Scheme
from cosim.lockstep.stepping import Stepping

WORTH_TELLING_PART = 0.02
"""Of the output's range: a coupling error beyond it is told."""
ACCUMULATED_PART = 0.01
TOLERANCE_FACTOR = 3.0


DOUBTS = frozenset({"unstable", "coupling_error", "tolerance", "undeclared_jump", "late_sample"})
NOTES = frozenset({"accumulation", "jump"})
"""Kinds of events: after the first the result is in doubt."""


@dataclass(frozen=True)
class CouplingEvent:
    """Something about a coupling that the user has to know.

    Attributes:
        kind: of `DOUBTS` or `NOTES`.
        block: its name.
        time_second: when it was worst.
        message: one sentence or two.
    """

    kind: str
    block: str
    time_second: float
    message: str

    @property
    def grave(self) -> bool:
        """Whether the result is in doubt."""
        return self.kind in DOUBTS


@dataclass(frozen=True)
class CouplingReport:
    """How the coupling of one block went.

    Attributes:
        block: its name.
        scheme: name of that by which it was coupled.
        largest_error_volt, at_second: of the coupling error, jumps apart.
        range_volt: of the output whose error that is.
        loop_gain: at the operating point, the largest; NaN where it was not asked for.
        amplification: estimated error of the solution to the coupling error.
        jumps, largest_jump_volt, latest_second: of the output, and how late at most the netlist
            carried one.
        calls: of the block, at accepted points.
    """

    block: str
    scheme: str
    largest_error_volt: float
    at_second: float
    range_volt: float
    loop_gain: float
    amplification: float
    jumps: int
    largest_jump_volt: float
    latest_second: float
    calls: int


@dataclass
class Findings:
    """What was seen of a coupling, written by its `Watch`.

    Attributes:
        loop_gain, amplification: as of `CouplingReport`.
        unstable: gain beyond 1 of a loop at the operating point, and the nodes that it goes
            through.
        outputs: volts of the block's output.
        errors: coupling errors in volts, jumps apart; the largest of all, and when.
        accumulated: integral of the error over time; `steepest` slope of the output.
        exceeded: points beyond `TOLERANCE_FACTOR` tolerances; the worst one, and when.
        jumps: of the output; the largest in volts, when, and how late at most one was carried.
        latest_sample_second: how late at most the block was sampled.
        calls: of the block, at accepted points.
    """

    block: Block
    scheme: type[Scheme]
    stepping: Stepping
    loop_gain: float = math.nan
    amplification: float = 1.0
    unstable: tuple[float, list[str]] | None = None
    outputs: Extent = field(default_factory=Extent)
    errors: Extent = field(default_factory=Extent)
    error_volt: float = 0.0
    error_second: float = 0.0
    accumulated: float = 0.0
    steepest: float = 0.0
    exceeded: int = 0
    worst_error_volt: float = 0.0
    worst_second: float = 0.0
    jumps: int = 0
    jump_volt: float = 0.0
    jump_second: float = 0.0
    latest_second: float = 0.0
    latest_sample_second: float = 0.0
    calls: int = 0

    def take_jump(self, time_second: float, elapsed_second: float, volt: float) -> None:
        """The output jumped by so much since the last point."""
        self.jumps += 1
        self.latest_second = max(self.latest_second, elapsed_second)
        if volt > self.jump_volt:
            self.jump_volt, self.jump_second = volt, time_second

    def take_error(
        self,
        time_second: float,
        elapsed_second: float,
        errors: np.ndarray,
        largest_volt: float,
        change_volt: float,
    ) -> None:
        """Coupling errors of a point [outputs], the largest of them, and the largest change of an
        output since the last one.

        Errors add up in a loop that forgets nothing: their sum, in times of the signal's.
        """
        self.errors.take(errors)
        if largest_volt > self.error_volt:
            self.error_volt, self.error_second = largest_volt, time_second
        if elapsed_second > 0:
            self.steepest = max(self.steepest, change_volt / elapsed_second)
            self.accumulated += largest_volt * elapsed_second

    def take_excess(self, time_second: float, error_volt: float) -> None:
        """A coupling error that is far beyond the tolerance."""
        self.exceeded += 1
        if error_volt > self.worst_error_volt:
            self.worst_error_volt, self.worst_second = error_volt, time_second

    def report(self) -> CouplingReport:
        """What became of it."""
        worst = int(np.argmax(self.errors.largest))
        return CouplingReport(
            self.block.name,
            self.scheme.NAME,
            self.error_volt,
            self.error_second,
            float(self.outputs.range_volt[worst]),
            self.loop_gain,
            self.amplification,
            self.jumps,
            self.jump_volt,
            self.latest_second,
            self.calls,
        )

    def events(self) -> list[CouplingEvent]:
        """What the user has to know of it."""
        report, name = self.report(), self.block.name
        events = []

        def tell(kind: str, time_second: float, message: str) -> None:
            events.append(CouplingEvent(kind, name, time_second, message))

        if self.unstable is not None:
            gain, nodes = self.unstable
            where = ", ".join(f"node '{node}'" for node in nodes)
            tell(
                "unstable",
                0.0,
                f"The transient starts at an unstable operating point: the loop of block '{name}' "
                f"through {where} has a gain of {gain:.3g} there, and what returns with more than "
                "1 grows. A real circuit never stays there (a latch on its ridge, an oscillator at "
                "rest); this one does, or leaves it by rounding. Choose a side: give an initial "
                "condition (`.ic`) to a node that stores it; or correct the sign of the feedback.",
            )
        part = self.amplification * report.largest_error_volt / report.range_volt
        if self.calls and self.block.sample_second is None and part > WORTH_TELLING_PART:
            through = (
                f", which its loop (gain {self.loop_gain:.3g} at the operating point) may make "
                f"{self.amplification:.3g} times as large in the result"
                if self.amplification > 1.5
                else ""
            )
            linearised = issubclass(self.scheme, Linearised)
            better = "" if linearised else f", or the scheme '{Linearised.NAME}'"
            tell(
                "coupling_error",
                report.at_second,
                f"The coupling error of block '{name}' reaches "
                f"{100 * report.largest_error_volt / report.range_volt:.3g} % of its output's "
                f"range ({report.largest_error_volt:.3g} V at t = {report.at_second:.6g} s)"
                f"{through}. Take shorter steps{better}.",
            )
        added = self.accumulated * self.steepest / report.range_volt**2
        if self.block.sample_second is None and added > ACCUMULATED_PART:
            tell(
                "accumulation",
                report.at_second,
                f"The coupling errors of block '{name}' add up to as much as {100 * added:.3g} % "
                "of its output's range in a loop that forgets nothing, such as an oscillator; one "
                "with losses forgets. Compare with a run of half the step.",
            )
        if self.exceeded:
            tolerance = self.stepping.tolerance_volt or math.nan
            tell(
                "tolerance",
                self.worst_second,
                f"The coupling error of block '{name}' exceeded `tolerance_volt` more than "
                f"{TOLERANCE_FACTOR:g} times at {self.exceeded} points, at worst "
                f"{self.worst_error_volt / tolerance:.3g} times at t = {self.worst_second:.6g} s: "
                "a step is chosen from the one before and cannot be taken back.",
            )
        if self.jumps:
            tell(
                "jump" if self.block.discontinuous else "undeclared_jump",
                self.jump_second,
                f"The output of block '{name}' jumped {self.jumps} times, by up to "
                f"{self.jump_volt:.3g} V; the netlist carried each up to "
                f"{self.latest_second:.3g} s late, one step. A shorter step makes that less.",
            )
        if self.latest_sample_second > 0:
            tell(
                "late_sample",
                0.0,
                f"Block '{name}' was sampled up to {self.latest_sample_second:.3g} s late: another "
                "breakpoint lay too near. Choose a period that does not nearly meet the edges of "
                "sources.",
            )
        return events
