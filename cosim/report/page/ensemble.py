"""An ensemble on a page: which members to show, and all of them as a cloud over time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.report.page.packing import compressed
from cosim.trace import Trace

MOST_RANKED, SHOWN = 50, 3
MOST_SIGNALS = 20
"""By whose last values members are told apart."""
INSTANTS = 60
NORMAL_MAD = 1.4826
"""Standard deviation of a normal distribution, by its median absolute deviation."""
AXES = ("integrator_*.out", "x*", "*")
"""Patterns of the signals that a cloud is of; the first with two fits."""


Divergence = Callable[[Trace, np.ndarray], list[float] | None]
"""Of an ensemble and instants: how far its members are at each from where they should be, in nats;
None where that has no meaning."""


@dataclass(frozen=True)
class MemberLine:
    """One member.

    Attributes:
        distance: largest of its last values' distances from the median; None without values.
    """

    number: int
    status: str
    events: int
    distance: float | None

    @property
    def badness(self) -> tuple[bool, int, float]:
        """For sorting."""
        distance = np.inf if self.distance is None else self.distance
        return self.status != "complete", self.events, distance


@dataclass(frozen=True)
class Members:
    """Members, the worst first; `shown` are those whose waveforms are on the page."""

    count: int
    ranked: list[MemberLine]
    shown: list[int]


def members_of(trace: Trace) -> Members:
    """Rank the members of an ensemble."""
    assert trace.members is not None
    lasts = _last_values(trace)
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.abs(lasts - _medians(lasts))
        spread = NORMAL_MAD * _medians(off)
        distances = np.where(spread > 0, off / spread, 0.0)
    events = [0] * trace.members
    for event in trace.events:
        if 0 <= event.member < trace.members and event.kind not in ("process", "resumed"):
            events[event.member] += 1
    lines = [
        MemberLine(
            number,
            status,
            events[number],
            float(np.nanmax(distances[number])) if np.isfinite(lasts[number]).any() else None,
        )
        for number, status in enumerate(trace.member_statuses)
    ]
    ranked = sorted(lines, key=lambda line: line.badness, reverse=True)
    with_points = [line.number for line in ranked if line.distance is not None]
    typical = sorted(set(with_points[1:]))[: SHOWN - 1]
    shown = [*with_points[:1], *typical] or [ranked[0].number]
    return Members(trace.members, ranked[:MOST_RANKED], shown)


def _medians(table: np.ndarray) -> np.ndarray:
    """Of each column's values; NaN where it has none."""
    known = [column[np.isfinite(column)] for column in table.T]
    return np.array([np.median(values) if len(values) else np.nan for values in known])


def _last_values(trace: Trace) -> np.ndarray:
    """Of each member and signal [members, signals]; NaN where a member has no points."""
    assert trace.members is not None
    names = trace.names[:MOST_SIGNALS]
    lasts = np.full((trace.members, len(names)), np.nan)
    for number in range(trace.members):
        member = trace.member(number)
        if member.points:
            lasts[number] = [member.read(name, slice(-1, None))[0] for name in names]
    lasts[~np.isfinite(lasts)] = np.nan
    return lasts


def cloud(trace: Trace, divergence: Divergence | None = None) -> dict[str, Any] | None:
    """Two signals of all members at instants of time, for JSON; None where there are no two, or
    fewer than two members have points.
    """
    assert trace.members is not None
    found = [trace.match(pattern) for pattern in AXES]
    names = next((some[:2] for some in found if len(some) >= 2), None)
    members = [trace.member(number) for number in range(trace.members)]
    members = [member for member in members if member.points]
    if names is None or len(members) < 2:
        return None
    stop = max(float(member.time_second[-1]) for member in members)
    instants = np.linspace(min(float(m.time_second[0]) for m in members), stop, INSTANTS)
    places = np.stack(
        [
            [np.interp(instants, member.time_second, member[name].values) for name in names]
            for member in members
        ]
    )  # [members, 2, instants]
    places[~(np.abs(places) < np.finfo("<f4").max)] = np.nan
    return {
        "names": names,
        "unit": trace[names[0]].unit,
        "instants": instants.tolist(),
        "members": len(members),
        "divergence": None if divergence is None else divergence(trace, instants),
        "data": compressed(places.transpose(2, 0, 1).astype("<f4").tobytes()),
    }
