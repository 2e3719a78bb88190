"""A second opinion on an answer: the same analysis with other steps and tolerances.

Whatever makes an answer depend on its step - an oscillation that the trapezoidal rule damps, a
pulse that a step leaps over, a loose tolerance - shows when the step is halved and the tolerances
are ten times as tight. Operating points are kicked (`cosim.simulation.stability`), sweeps are
repeated backwards.
Source: Press et al., Numerical Recipes, section 16.2 (step doubling).
"""

import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cosim.engine.session import NgspiceSession
from cosim.errors import ConvergenceError, EngineError
from cosim.netlist.model import Device
from cosim.netlist.numbers import number
from cosim.netlist.parse import parse
from cosim.netlist.reading import statements
from cosim.simulation.events import missed_event, waits_for_time
from cosim.simulation.frozen import circuit_alone, frozen
from cosim.simulation.stability import escape

HALF = 0.47
"""Of the largest step: no simple part, so that a wave sampled in phase is not so again."""

ERROR_PART, WARNING_PART = 0.1, 0.02
"""Of a signal's range: what differs by more is an error, or a warning."""

SMALL_PART, SMALL = 1e-4, {"V": 1e-6, "A": 1e-9}
"""A range counts as at least this part of the largest of its unit, and at least so much."""

CONSTANT_PART = 3e-4
"""Of its size: what moves by less stands still, as far as Newton's method tells at reltol 1e-3."""

TIGHT = {"reltol": 1e-3, "vntol": 1e-6, "abstol": 1e-12, "chgtol": 1e-14}
"""ngspice's tolerances (manual, section 11.1.2), which become ten times as tight."""

MOST_POINTS_TIMES_DEVICES = 2e6
"""What is repeated unasked: some seconds of ngspice."""

MOST_DEVICES = 60
"""Whose operating point is kicked unasked."""

AS_IT_IS = "`--no-confirm` (in Python `confirm=False`) takes it as it is"

_RANDOM = re.compile(r"\b(trnoise|trrandom|a?gauss|a?unif)\b", re.IGNORECASE)
"""Each run draws anew."""


@dataclass(frozen=True)
class Confirmation:
    """What a second opinion said.

    Attributes:
        how: what was repeated; empty if nothing was.
        cost: how many times the time of the single run it took.
        warnings: for the user, a sentence each.
    """

    how: str = ""
    cost: float = 0.0
    warnings: tuple[str, ...] = ()


def confirm(
    session: NgspiceSession,
    netlist: str,
    path: Path,
    analysis: Sequence[str],
    vectors: Mapping[str, np.ndarray],
    single_second: float,
    *,
    asked: bool | None,
) -> Confirmation:
    """Confirm an answer.

    Args:
        path: of the file it came from.
        analysis: the words of the netlist's analysis line, lower case.
        vectors: its answer.
        single_second: the time that it took.
        asked: True: at any cost; None: where it is cheap, or the netlist is of a kind that goes
            wrong (expressions in time, inductors with capacitors).

    Raises:
        ConvergenceError, EngineError: the answer is wrong.
    """
    circuit = circuit_alone(netlist)
    devices = list(parse(circuit, path).devices())
    points = max(map(len, vectors.values()))
    suspect = is_suspect(circuit, devices)
    cheap = points * len(devices) <= MOST_POINTS_TIMES_DEVICES
    started = time.perf_counter()
    how: list[str] = []
    warnings: list[str] = []
    starts = analysis[0] not in (".dc", ".tran") or (
        analysis[0] == ".tran" and "uic" not in analysis and ".ic" not in _words(netlist)
    )
    kicks = asked or len(devices) <= MOST_DEVICES
    if starts and kicks:
        warnings += _kicked(session, circuit, analysis[0])
        how.append("operating point kicked")
    elif analysis[0] == ".tran" and kicks:
        how.append("not kicked, as it starts from initial conditions")
    if analysis[0] == ".tran" and not _RANDOM.search(circuit):
        missed = missed_event(session, circuit, np.real(vectors["time"]))
        if missed is not None:
            raise EngineError(f"The answer is not that of the netlist: {missed}.")
        if asked or suspect or cheap:
            how.append("repeated with the largest step halved and tolerances ten times as tight")
            try:
                warnings += _repeated(session, netlist, analysis, vectors)
            except EngineError as error:
                raise EngineError(" ".join([*warnings, str(error)])) from None
    elif analysis[0] == ".dc" and (asked or cheap):
        warnings += _backwards(session, netlist, analysis, vectors)
        how.append("swept backwards")
        if kicks and _kicked_along(session, circuit, analysis, vectors):
            how.append("operating points at its ends and in its middle kicked")
    cost = (time.perf_counter() - started) / max(single_second, 1e-3)
    return Confirmation("; ".join(how), cost, tuple(warnings))


def is_suspect(circuit: str, devices: Iterable[Device]) -> bool:
    """Whether a circuit is of a kind whose transients go wrong: expressions in time, tanks."""
    letters = {device.element.letter for device in devices}
    return waits_for_time(circuit) or {"l", "c"} <= letters


def _words(netlist: str) -> set[str]:
    return {statement.split()[0].lower() for _, statement in statements(netlist, titled=True)}


def _kicked(session: NgspiceSession, circuit: str, kind: str) -> list[str]:
    still = frozen(circuit)
    found = session.run_unaudited(f"{still}\n.op\n.end\n")
    escaped = escape(session, still, found)
    if escaped is None:
        return []
    if kind == ".tran":
        return [
            f"At the start of the transient {escaped}. The transient stays on it only because "
            "nothing kicks it: start with `.ic` and `uic`, or with a pulse."
        ]
    raise ConvergenceError(
        f"The operating point is not confirmed: {escaped}. Choose the state with `.nodeset`, or "
        f"correct the sign of the feedback; {AS_IT_IS}."
    )


def _kicked_along(
    session: NgspiceSession,
    circuit: str,
    analysis: Sequence[str],
    vectors: Mapping[str, np.ndarray],
) -> bool:
    """Kick three points of a sweep; False if it is none of a source at the top."""
    scale = next((name for name in vectors if name in ("v-sweep", "i-sweep")), None)
    still = frozen(circuit).splitlines()
    swept = [line for line in still[1:] if line.lower().split()[:1] == [analysis[1]]]
    if scale is None or len(analysis) != 5 or len(swept) != 1:
        return False
    others = [line for line in still if line is not swept[0]]
    nodes = [name for name in vectors if "#" not in name and "@" not in name and name != scale]
    for point in (0, len(vectors[scale]) // 2, -1):
        value = float(vectors[scale][point])
        # The guess keeps it on the sweep's own branch, where there are several.
        guesses = [f".nodeset v({node})={float(vectors[node][point])!r}" for node in nodes]
        source = " ".join([*swept[0].split()[:3], "dc", repr(value)])
        there = "\n".join([*others, source, *guesses])
        escaped = escape(session, there, session.run_unaudited(f"{there}\n.op\n.end\n"))
        if escaped is not None:
            raise ConvergenceError(
                f"The sweep is not confirmed: at {analysis[1]} = {value:g} {escaped}. Begin it "
                f"where there is one state alone, or correct the sign of the feedback; {AS_IT_IS}."
            )
    return True


def _repeated(
    session: NgspiceSession,
    netlist: str,
    analysis: Sequence[str],
    vectors: Mapping[str, np.ndarray],
) -> list[str]:
    """Warnings of the transient that is repeated with shorter steps."""
    step_second = HALF * float(np.diff(np.real(vectors["time"])).max())
    again = session.run_unaudited(finer(netlist, analysis, step_second))
    difference = worst_difference(vectors, again)
    if difference is None:
        return []
    part, name, at_second, once, then = difference
    would_do = step_second * min(1.0, math.sqrt(WARNING_PART / part))
    said = (
        f"'{name}' is {once:.6g} at t = {at_second:.6g} s, but {then:.6g} with steps of "
        f"{step_second:.3g} s and tolerances ten times as tight ({100 * part:.3g} % of its range). "
        f"By the method's order, a largest step (.tran's 4th value) of {would_do:.2g} s would do"
    )
    if part > ERROR_PART:
        raise EngineError(f"The answer is not confirmed: {said}.")
    return [f"Confirmed in part: {said}."]


def finer(netlist: str, analysis: Sequence[str], step_second: float) -> str:
    """A netlist with a `.tran` of another largest step, and tolerances ten times as tight.

    Args:
        analysis: the words of its analysis line.
    """
    words = [word for word in analysis if word != "uic"]
    start = words[3] if len(words) > 3 else "0"
    initial = " uic" if "uic" in analysis else ""
    return _instead(netlist, f".tran {words[1]} {words[2]} {start} {step_second!r}{initial}")


def _backwards(
    session: NgspiceSession,
    netlist: str,
    analysis: Sequence[str],
    vectors: Mapping[str, np.ndarray],
) -> list[str]:
    """Warnings of the sweep that is repeated from its end."""
    if len(analysis) != 5 or (step := number(analysis[4])) is None:
        return []  # of two sources: each inner sweep begins anew
    again = session.run_unaudited(
        _instead(netlist, f".dc {analysis[1]} {analysis[3]} {analysis[2]} {-step!r}")
    )
    scale = next((name for name in vectors if name.endswith("-sweep")), None)
    if scale is None or len(again[scale]) != len(vectors[scale]):
        return []
    for name, values in vectors.items():
        if name == scale or name not in again or "@" in name:
            continue
        least = SMALL["A" if "#" in name else "V"]
        apart = np.abs(values - again[name][::-1])
        if apart.max() > ERROR_PART * max(float(np.ptp(values)), 100 * least):
            worst = int(np.argmax(apart))
            return [
                f"The sweep has two answers: '{name}' is {values[worst]:.6g} at {scale} = "
                f"{vectors[scale][worst]:.6g}, but {again[name][::-1][worst]:.6g} when swept "
                "backwards. The circuit has hysteresis; a transient shows which one comes."
            ]
    return []


def _instead(netlist: str, analysis: str) -> str:
    """The netlist with another analysis line, and tighter tolerances."""
    options: dict[str, float] = {}
    kept = []
    for _, statement in statements(netlist, titled=True):
        word = statement.split()[0].lower()
        if word in (".option", ".options"):
            for name, text in re.findall(r"(\w+)\s*=\s*(\S+)", statement.lower()):
                if (value := number(text)) is not None:
                    options[name] = value
        if word == analysis.split()[0]:
            continue
        if word not in (".meas", ".measure", ".end"):
            kept.append(statement)
    title = netlist.partition("\n")[0]
    tight = " ".join(f"{name}={options.get(name, value) / 10!r}" for name, value in TIGHT.items())
    return "\n".join([title, *kept, f".options {tight}", analysis, ".end", ""])


def worst_difference(
    vectors: Mapping[str, np.ndarray], again: Mapping[str, np.ndarray], *, smooth: bool = False
) -> tuple[float, str, float, float, float] | None:
    """(part of its range, name, time, value, value again) of the signal that differs most, if by
    more than `WARNING_PART`: outside the other's values within a step, either way.

    Args:
        smooth: the signals jump at points of both alone, so that no step's slack is needed: they
            are compared at the points of the first.
    """
    time_second, again_second = np.real(vectors["time"]), np.real(again["time"])
    about_second = float(np.diff(time_second).max())
    names = [name for name in vectors if name != "time" and name in again and "@" not in name]
    ranges = {name: float(np.ptp(again[name])) for name in names}
    worst: tuple[float, str, float, float, float] | None = None
    for name in names:
        size = float(np.abs(vectors[name]).max())
        if max(ranges[name], float(np.ptp(vectors[name]))) < CONSTANT_PART * size:
            continue
        unit = "A" if "#" in name else "V"
        largest = max(ranges[other] for other in names if ("#" in other) == ("#" in name))
        scale = max(ranges[name], SMALL_PART * largest, SMALL[unit])
        one = (time_second, np.real(vectors[name]))
        two = (again_second, np.real(again[name]))
        for (here_second, here), other in ((one, two),) if smooth else ((two, one), (one, two)):
            if smooth:
                beyond = np.abs(here - np.interp(here_second, *other))
            else:
                beyond = _beyond(here_second, here, *other, about_second)
            point = int(np.argmax(beyond))
            part = float(beyond[point]) / scale
            if part > WARNING_PART and (worst is None or part > worst[0]):
                at = float(here_second[point])
                values = (float(np.interp(at, *one)), float(np.interp(at, *two)))
                worst = (part, name, at, *values)
    return worst


def _beyond(
    at_second: np.ndarray,
    values: np.ndarray,
    time_second: np.ndarray,
    curve: np.ndarray,
    about_second: float,
) -> np.ndarray:
    """How far values [n] lie outside what a curve [m] takes within `about_second` of each."""
    first = np.maximum(np.searchsorted(time_second, at_second - about_second) - 1, 0)
    last = np.searchsorted(time_second, at_second + about_second, side="right") + 1
    last = np.minimum(last, len(curve))
    ends = np.column_stack([first, np.maximum(last, first + 1)]).ravel()
    low = np.minimum.reduceat(np.append(curve, np.inf), ends)[::2]
    high = np.maximum.reduceat(np.append(curve, -np.inf), ends)[::2]
    return np.maximum(np.maximum(low - values, values - high), 0.0)
