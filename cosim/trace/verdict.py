"""What a comparison found: three verdicts, the places, and the forms in which they are told."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from xml.etree import ElementTree

import numpy as np

from cosim.errors import ComparisonError, UndecidedError
from cosim.html import heading, table

MISSING = "the run does not have it"
SAID = 3
"""Places that an error's paragraph names; the table has all."""


class Verdict(StrEnum):
    """Only the first is success."""

    PASSED = "ok"
    DIFFERS = "differs"
    CANNOT_TELL = "cannot tell"

    @classmethod
    def of(cls, verdicts: Sequence["Verdict"]) -> "Verdict":
        """Of several together: a difference is certain, whatever else is not."""
        worst_first = (cls.DIFFERS, cls.CANNOT_TELL)
        return next((verdict for verdict in worst_first if verdict in verdicts), cls.PASSED)


@dataclass(frozen=True)
class Violation:
    """A point outside the band."""

    time_second: float
    value: float
    limit: float
    """The nearer border of the band."""

    @property
    def excess(self) -> float:
        """By how much."""
        return abs(self.value - self.limit)


@dataclass(frozen=True)
class Gap:
    """A stretch in which one of the traces has no point, and the other one is out of its band."""

    begin_second: float
    end_second: float
    of_run: bool


@dataclass(frozen=True)
class Finding:
    """What is wrong with a trace as a whole, or with what was asked for."""

    verdict: Verdict
    text: str
    wanted_times: tuple[float, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Curves:
    """What a figure shows: on the union grid [n], run, golden, and the band."""

    time_second: np.ndarray
    run: np.ndarray
    golden: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


@dataclass(frozen=True)
class SignalComparison:
    """One signal.

    Attributes:
        member: of an ensemble; None for a single run.
        tolerance: what was asked for: half of the band, in `unit`.
        band: what was allowed: the tolerance and what the golden trace's thinning cost.
        largest, root_mean_square: of the difference, over time.
        area: integral of the absolute difference over time.
        first, worst: points outside the band; None if there is none.
        gap: where it cannot be told.
        note: why it fails other than by its values; empty if it does not.
        wanted_times: at which the run should have had a point.
        curves: reads and lays both curves over one another, for a figure.
    """

    name: str
    unit: str
    member: int | None
    verdict: Verdict
    tolerance: float = math.nan
    band: float = math.nan
    largest: float = math.nan
    root_mean_square: float = math.nan
    area: float = math.nan
    first: Violation | None = None
    worst: Violation | None = None
    gap: Gap | None = None
    note: str = ""
    wanted_times: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    curves: Callable[[], Curves] | None = field(default=None, repr=False, compare=False)

    @property
    def passes(self) -> bool:
        """Whether it is within its tolerance throughout."""
        return self.verdict is Verdict.PASSED

    @property
    def title(self) -> str:
        """Its name, and the member's."""
        return self.name if self.member is None else f"member {self.member}: {self.name}"

    @property
    def severity(self) -> tuple[bool, bool, float]:
        """To be sorted by, the worst last."""
        over = self.worst.excess / self.band if self.worst and self.band else 0.0
        return not self.passes, self.verdict is Verdict.DIFFERS, over

    @property
    def said(self) -> str:
        """Where, when and by how much; empty if it passes."""
        parts = [self.note] if self.note else []
        if self.first is not None and self.worst is not None:
            parts.append(
                f"first at {self.first.time_second:.9g} s; worst at {self.worst.time_second:.9g} "
                f"s: {self.worst.value:.9g} {self.unit}, limit {self.worst.limit:.9g}"
            )
        if self.gap is not None:
            whose = "run" if self.gap.of_run else "golden trace"
            length = self.gap.end_second - self.gap.begin_second
            parts.append(
                f"there the {whose} has no point for {length:.3g} s, from "
                f"{self.gap.begin_second:.9g} to {self.gap.end_second:.9g} s"
            )
        return "; ".join(parts)

    def as_json(self) -> dict[str, object]:
        """All but the curves."""
        places = {
            "first": self.first and vars(self.first),
            "worst": self.worst and vars(self.worst),
            "gap": self.gap and vars(self.gap),
        }
        names = (
            "name", "unit", "member", "verdict", "tolerance", "band", "largest",
            "root_mean_square", "area", "note",
        )  # fmt: skip
        return {name: _finite(getattr(self, name)) for name in names} | places


def _finite(value: object) -> object:
    """JSON knows no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Comparison:
    """Two traces.

    Attributes:
        signals: those that both have; of an ensemble, of each member.
        missing, extra: names that only the golden trace or only the run has.
        findings: what is wrong other than with a signal.
    """

    run: str
    golden: str
    signals: list[SignalComparison]
    missing: list[str]
    extra: list[str]
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Whether the run is as good as the golden one; extra signals are no fault."""
        missing = [Verdict.DIFFERS] * bool(self.missing)
        checked = (one.verdict for part in (self.signals, self.findings) for one in part)
        return Verdict.of([*missing, *checked])

    @property
    def passes(self) -> bool:
        """Whether the verdict is success."""
        return self.verdict is Verdict.PASSED

    @property
    def wanted_times(self) -> np.ndarray:
        """Circuit times [n] at which the run should have had points, so that it could be told.

        Repeat it with these as breakpoints. Empty if that would not help: either it is no matter
        of the run's grid, or it is the golden trace that must be kept denser.
        """
        of_signals = [signal.wanted_times for signal in self.signals]
        of_findings = [np.array(finding.wanted_times) for finding in self.findings]
        return np.unique(np.concatenate([np.empty(0), *of_signals, *of_findings]))

    def check(self) -> None:
        """Raise unless the run passes.

        Raises:
            ComparisonError: they differ, or (UndecidedError) it cannot be told; where, when, by
                how much.
        """
        if self.passes:
            return
        error, does, remedy = (
            (ComparisonError, "differs from", "Look for the cause, or take it for golden anew.")
            if self.verdict is Verdict.DIFFERS
            else (
                UndecidedError,
                "cannot be told from",
                "Let the run have points where they are missing, keep the golden trace denser, or "
                "correct what was asked for.",
            )
        )
        rows = failing_rows(comparison_rows(self))
        said = [f"{row[SIGNAL]} ({row['']}): {row[PLACE]}" for row in rows[:SAID]]
        more = f"; and {len(rows) - SAID} more" if len(rows) > SAID else ""
        raise error(f"{self.run} {does} {self.golden}: {'; '.join(said)}{more}. {remedy}")

    def _repr_html_(self) -> str:
        rows = comparison_rows(self)
        columns = list(rows[0]) if rows else [SIGNAL]
        title = heading(f"{self.run}: {self.verdict}", f"against {self.golden}")
        return title + table(columns, [[row[name] for name in columns] for row in rows])

    def to_json(self) -> str:
        """All but the curves."""
        content = {
            "run": self.run, "golden": self.golden, "verdict": self.verdict,
            "passes": self.passes, "missing": self.missing, "extra": self.extra,
            "findings": [{"verdict": one.verdict, "text": one.text} for one in self.findings],
            "signals": [signal.as_json() for signal in self.signals],
        }  # fmt: skip
        return json.dumps(content, indent=2) + "\n"

    def to_junit(self) -> str:
        """JUnit XML: a test case for each signal; what cannot be told is an error, no failure."""
        cases = [(signal.title, signal.verdict, signal.said) for signal in self.signals]
        cases += [(name, Verdict.DIFFERS, MISSING) for name in self.missing]
        cases += [(one.text, one.verdict, one.text) for one in self.findings]
        return junit(self.run, self.golden, cases)


def junit(run: str, golden: str, cases: Sequence[tuple[str, Verdict, str]]) -> str:
    """JUnit XML of a comparison's cases: name, verdict, and what is said of it."""
    kinds = {Verdict.DIFFERS: "failure", Verdict.CANNOT_TELL: "error"}
    counts = {
        f"{kind}s": str(sum(found is verdict for _, found, _ in cases))
        for verdict, kind in kinds.items()
    }
    suite = ElementTree.Element(
        "testsuite", {"name": f"compare {run}", "tests": str(len(cases)), **counts}
    )
    for name, verdict, said in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=golden, name=name)
        if verdict in kinds:
            ElementTree.SubElement(case, kinds[verdict], message=said)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


SIGNAL, PLACE = "signal", "first, worst violation"


def comparison_rows(comparison: Comparison) -> list[Mapping[str, str]]:
    """The table's rows: findings, then the worst signals first, then what only one trace has."""
    ordered = sorted(comparison.signals, key=lambda signal: signal.severity, reverse=True)
    empty = {"largest": "", "rms": "", "area": "", "tolerance": ""}
    rows: list[Mapping[str, str]] = [
        {SIGNAL: "the comparison", "": one.verdict, **empty, PLACE: one.text}
        for one in comparison.findings
    ]
    rows += [
        {
            SIGNAL: signal.title,
            "": signal.verdict,
            "largest": f"{signal.largest:.3g} {signal.unit}",
            "rms": f"{signal.root_mean_square:.3g} {signal.unit}",
            "area": f"{signal.area:.3g} {signal.unit}s",
            "tolerance": f"{signal.tolerance:.3g} {signal.unit}",
            PLACE: signal.said,
        }
        for signal in ordered
    ]
    rows += [{SIGNAL: name, "": "missing", **empty, PLACE: MISSING} for name in comparison.missing]
    rows += [{SIGNAL: name, "": "extra", **empty, PLACE: ""} for name in comparison.extra]
    return rows


def failing_rows(rows: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Those of a table that keep the verdict from being success."""
    return [row for row in rows if row[""] not in (Verdict.PASSED, "extra")]
