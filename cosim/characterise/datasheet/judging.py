"""What a datasheet's runs say: of each parameter its values, worst ones, yield, and a verdict.

Yield has Wilson's interval, or that of Clopper and Pearson, which is never too narrow.
Source: Brown, Cai and DasGupta, Statistical Science 16 (2001), for the intervals; Montgomery,
Design and Analysis of Experiments, chapter 3, for the share of the variance.
"""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from cosim.characterise.datasheet.file import Datasheet, Limits, Severity, Value
from cosim.characterise.datasheet.measuring import Outcome
from cosim.characterise.datasheet.tasks import Task, typical_point

Interval = Literal["wilson", "exact"]
CONFIDENCE = 0.95
_GRAVITY = ("", "warn", "fail")


class Judgement(StrEnum):
    """Of a parameter or a datasheet; only `fail` and `cannot tell` are no success."""

    PASSED = "pass"
    WARNED = "warn"
    CANNOT_TELL = "cannot tell"
    FAILED = "fail"

    @classmethod
    def worst(cls, found: Sequence["Judgement"]) -> "Judgement":
        """Of several together: a failure is certain, whatever else is not known."""
        order = list(cls)
        return max(found, key=order.index, default=cls.CANNOT_TELL)


class Model(BaseModel):
    """A part of a result, as it is in its JSON file."""

    model_config = ConfigDict(frozen=True)


class Row(Model):
    """One point.

    Attributes:
        value: in the parameter's unit; None where there is none, and `fault` says why.
        beyond: severity of the limit that it is beyond; '' where it is within all.
        key: of the task, for `cosim characterise FILE --repeat KEY`.
    """

    point: dict[str, Value]
    value: float | None
    fault: str = ""
    beyond: str = ""
    key: str = ""

    @property
    def is_draw(self) -> bool:
        """Whether it is a Monte Carlo draw."""
        return "seed" in self.point


class Draws(Model):
    """Monte Carlo.

    Attributes:
        good: how many are within all limits; one without a value is not.
        interval: of the yield at 95 %.
    """

    count: int
    mean: float | None
    sigma: float | None
    minimum: float | None
    maximum: float | None
    good: int
    interval: tuple[float, float]

    @property
    def yielded(self) -> float:
        """The part of the draws that is good."""
        return self.good / self.count


class ParameterResult(Model):
    """What was measured of a parameter.

    Attributes:
        typical, minimum, maximum: over the conditions, without draws.
        influence: of each condition its share of the variance over the conditions' grid, with
            the sign of the rank correlation where its values are numbers.
    """

    title: str
    unit: str
    limits: Limits
    judgement: Judgement
    typical: float | None
    minimum: float | None
    maximum: float | None
    draws: Draws | None
    influence: dict[str, float]
    rows: tuple[Row, ...]

    @property
    def failing(self) -> list[Row]:
        """Points beyond a limit or without a value, the farthest beyond first."""
        found = [row for row in self.rows if row.beyond or row.value is None]
        return sorted(found, key=self._badness, reverse=True)

    def _badness(self, row: Row) -> tuple[int, float]:
        """The gravest severity first; of one, how far beyond the nearer limit (negative inside)."""
        if row.value is None:
            return len(_GRAVITY), math.inf
        low, high = self.limits.minimum, self.limits.maximum
        excess = max(
            -math.inf if low is None else low.value - row.value,
            -math.inf if high is None else row.value - high.value,
        )
        return _GRAVITY.index(row.beyond), excess

    @property
    def worst(self) -> Row | None:
        """The point nearest to a limit, or farthest beyond; None where there are no limits."""
        with_value = [row for row in self.rows if row.value is not None]
        if not with_value or not (self.limits.minimum or self.limits.maximum):
            return None
        return max(with_value, key=self._badness)


class Result(Model):
    """A datasheet with what was measured.

    Attributes:
        trusted: a sentence for each file that ngspice read as it is.
        repeating: the command that repeats one point, but for its key.
        wanted, done: points that were asked for, and that were run.
        second: ngspice's time for all of them together.
    """

    name: str
    title: str
    process: str
    conditions: dict[str, str]
    software: dict[str, str]
    trusted: tuple[str, ...] = ()
    command_line: str
    repeating: str
    started: str
    wanted: int
    done: int
    second: float
    judgement: Judgement
    parameters: dict[str, ParameterResult]


def severity_of(limits: Limits, value: float, is_typical: bool) -> Severity | None:
    """Of the gravest limit that a value is beyond; None where it is within all."""
    found: list[Severity] = []
    if limits.minimum is not None and value < limits.minimum.value:
        found.append(limits.minimum.severity)
    if limits.maximum is not None and value > limits.maximum.value:
        found.append(limits.maximum.severity)
    if is_typical and limits.typical is not None:
        off = abs(value - limits.typical.value)
        if off > limits.typical.tolerance * abs(limits.typical.value):
            found.append(limits.typical.severity)
    return "fail" if "fail" in found else found[0] if found else None


def beyond(sheet: Datasheet, task: Task, outcome: Outcome) -> bool:
    """Whether a value of a task is beyond a limit of severity `fail`."""
    return any(
        severity_of(sheet.parameters[name].limits, value, task.point == typical_point(sheet, name))
        == "fail"
        for name, value in outcome.values.items()
        if name in task.parameters
    )


def judged(
    sheet: Datasheet,
    name: str,
    tasks: Sequence[Task],
    outcomes: Mapping[str, Outcome],
    interval: Interval,
) -> ParameterResult:
    """A parameter's result.

    Args:
        tasks: all that were wanted; those without an outcome count as not known.
    """
    parameter = sheet.parameters[name]
    typical = typical_point(sheet, name)
    rows = [
        _row(parameter.limits, name, task, outcomes.get(task.key), task.point == typical)
        for task in tasks
        if name in task.parameters
    ]
    corners = [row for row in rows if not row.is_draw]
    known = [row.value for row in corners if row.value is not None]
    draws = [row for row in rows if row.is_draw]
    return ParameterResult(
        title=parameter.title or name.replace("_", " "),
        unit=parameter.unit,
        limits=parameter.limits,
        judgement=Judgement.worst([_judgement(row) for row in rows]),
        typical=next((row.value for row in corners if row.point == typical), None),
        minimum=min(known, default=None),
        maximum=max(known, default=None),
        draws=_drawn(draws, interval) if draws else None,
        influence=influence(corners),
        rows=tuple(rows),
    )


def _row(limits: Limits, name: str, task: Task, outcome: Outcome | None, is_typical: bool) -> Row:
    if outcome is None:
        return Row(point=task.point, value=None, fault="not run", key=task.key)
    value = outcome.values.get(name)
    if value is None:
        fault = outcome.faults.get(name, "not measured")
        return Row(point=task.point, value=None, fault=fault, key=task.key)
    severity = severity_of(limits, value, is_typical)
    return Row(point=task.point, value=value, beyond=severity or "", key=task.key)


def _judgement(row: Row) -> Judgement:
    if row.value is None:
        return Judgement.CANNOT_TELL
    return {"": Judgement.PASSED, "warn": Judgement.WARNED, "fail": Judgement.FAILED}[row.beyond]


def _drawn(rows: Sequence[Row], interval: Interval) -> Draws:
    from scipy.stats import binomtest

    values = np.array([row.value for row in rows if row.value is not None])
    good = sum(row.value is not None and not row.beyond for row in rows)
    ends = binomtest(good, len(rows)).proportion_ci(CONFIDENCE, method=interval)
    return Draws(
        count=len(rows),
        mean=float(values.mean()) if len(values) else None,
        sigma=float(values.std(ddof=1)) if len(values) > 1 else None,
        minimum=float(values.min()) if len(values) else None,
        maximum=float(values.max()) if len(values) else None,
        good=good,
        interval=(float(ends.low), float(ends.high)),
    )


def influence(rows: Sequence[Row]) -> dict[str, float]:
    """Of each condition with several values: the variance of the means at its values, as a part of
    the whole variance (the correlation ratio, squared), negative where values fall with it.
    """
    from scipy.stats import spearmanr

    known = [row for row in rows if row.value is not None]
    values = np.array([row.value for row in known])
    if len(values) < 3 or np.ptp(values) == 0:
        return {}
    found = {}
    for name in known[0].point:
        levels = [row.point[name] for row in known]
        if len(set(levels)) < 2:
            continue
        groups = [values[[level == one for level in levels]] for one in dict.fromkeys(levels)]
        between = sum(len(group) * (group.mean() - values.mean()) ** 2 for group in groups)
        share = float(between / np.sum((values - values.mean()) ** 2))
        numbers = not any(isinstance(level, str) for level in levels)
        falls = numbers and spearmanr(np.array(levels, dtype=float), values).statistic < 0
        found[name] = -share if falls else share
    return dict(sorted(found.items(), key=lambda item: -abs(item[1])))


def result_of(
    sheet: Datasheet,
    tasks: Sequence[Task],
    outcomes: Mapping[str, Outcome],
    *,
    software: Mapping[str, str],
    trusted: Sequence[str] = (),
    command_line: str,
    repeating: str,
    started: str,
    interval: Interval = "wilson",
) -> Result:
    """The datasheet as measured."""
    names = dict.fromkeys(name for task in tasks for name in task.parameters)
    parameters = {name: judged(sheet, name, tasks, outcomes, interval) for name in names}
    return Result(
        name=sheet.name,
        title=sheet.title or sheet.name,
        process=sheet.process or "",
        conditions={
            name: f"{', '.join(map(_shown, one.all_values))} {one.unit}".strip()
            for name, one in sheet.conditions.items()
        },
        software=dict(software),
        trusted=tuple(trusted),
        command_line=command_line,
        repeating=repeating,
        started=started,
        wanted=len(tasks),
        done=sum(task.key in outcomes for task in tasks),
        second=sum(outcomes[task.key].second for task in tasks if task.key in outcomes),
        judgement=Judgement.worst([one.judgement for one in parameters.values()]),
        parameters=parameters,
    )


def _shown(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"
