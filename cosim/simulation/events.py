"""Whether the steps of a transient saw what its sources do.

ngspice shortens its steps at the corners of PULSE and PWL sources. It knows nothing of a sine that
is faster than its steps, nor of a pulse that an expression in a B-source makes of `time`: a step
leaps over it, and the answer is that of another stimulus. The sources alone, every other element
left out, cost little, so they are simulated in fine steps and held against the steps taken.
"""

import re
from dataclasses import dataclass

import numpy as np

from cosim.engine.session import NgspiceSession
from cosim.errors import CosimError
from cosim.netlist.expression import function_bodies
from cosim.netlist.reading import statements

FINE_STEPS, MOST_STEPS = 20_000, 200_000
MISSED_PART = 0.08
"""Of a source's range: as much is missing of a sine of eight steps a period."""

_SMOOTH = re.compile(r"\b(sin|sffm|am|exp)\s*[( ]", re.IGNORECASE)
_READ = re.compile(r"\b[vi]\s*\([^()]*\)", re.IGNORECASE)
_EXPRESSION = re.compile(
    r"\b[vi]\s*=\s*(.*)$|\bvalue\s*=?\s*(.*)$|\bvol\s*=\s*(.*)$", re.IGNORECASE
)
_KEPT = (".param", ".func", ".subckt", ".ends", ".csparam", ".global", ".options", ".option")
_PREFIX = "cosim_probe_"


def sources_alone(circuit: str) -> str | None:
    """The circuit's sources that change smoothly or by an expression in time, each on a node of
    its own; voltages and currents that an expression reads become a constant. None without any.
    """
    kept, found, timed = [], False, _timed(circuit)
    for _, statement in statements(circuit, titled=True):
        words = statement.split()
        word = words[0].lower()
        if word in _KEPT or word[0] == "x":
            kept.append(statement)
        elif word[0] in "vi" and _SMOOTH.search(statement):
            kept.append(f"v{word} {_PREFIX}{word} 0 {' '.join(words[3:])}")
            found = True
        elif word[0] in "beg" and timed.search(statement):
            match = _EXPRESSION.search(statement)
            text = next((part for part in match.groups() if part), "") if match else ""
            if text:
                value = _READ.sub("(0.7391)", text.strip().strip("{}'\""))
                kept.append(f"b{word} {_PREFIX}{word} 0 v={value}")
                found = True
    return "\n".join([circuit.partition("\n")[0], *kept]) if found else None


def missed_event(session: NgspiceSession, circuit: str, time_second: np.ndarray) -> str | None:
    """What the steps of a transient leapt over, in a sentence; None if nothing.

    Args:
        circuit: the netlist without its analyses.
        time_second: the points [n] of its transient.
    """
    alone = sources_alone(circuit)
    if alone is None or len(time_second) > MOST_STEPS:
        return None
    stop_second = float(time_second[-1])
    step_second = stop_second / min(max(FINE_STEPS, 2 * len(time_second)), MOST_STEPS)
    probe = f"{alone}\n.tran {step_second!r} {stop_second!r} 0 {step_second!r}\n.end\n"
    try:
        vectors = session.run_unaudited(probe)
    except CosimError:
        return None  # an expression that cannot stand alone; the repeated run remains
    fine_second = np.real(vectors["time"])
    probes = (name for name in vectors if _PREFIX in name and "#" not in name)
    for name in probes:
        found = leapt_over(fine_second, vectors[name], time_second)
        if found is not None:
            return (
                f"a step leaps over what source '{name.replace(_PREFIX, '')}' does {found}. Give "
                f".tran a largest step (its 4th value) of {found.would_do_second:.2g} s or less"
            )
    return None


@dataclass(frozen=True)
class Leap:
    """What a step leapt over: when, the value then, the step's ends and the values they see, and a
    step that would do.
    """

    at_second: float
    value: float
    ends_second: tuple[float, float]
    seen: tuple[float, float]
    would_do_second: float

    def __str__(self) -> str:
        return (
            f"at t = {self.at_second:.6g} s: it is {self.value:.6g}, but the points before and "
            f"after, at {self.ends_second[0]:.6g} s and {self.ends_second[1]:.6g} s, see "
            f"{self.seen[0]:.6g} to {self.seen[1]:.6g}"
        )


def leapt_over(fine_second: np.ndarray, values: np.ndarray, time_second: np.ndarray) -> Leap | None:
    """The largest excursion of a curve [fine] between two points [n], if it is worth a word."""
    inside = fine_second >= time_second[0]
    fine_second, values = fine_second[inside], values[inside]
    seen = np.interp(time_second, fine_second, values)
    after = np.clip(np.searchsorted(time_second, fine_second), 1, len(time_second) - 1)
    ends = np.sort([seen[after - 1], seen[after]], axis=0)
    beyond = np.maximum(ends[0] - values, values - ends[1])
    if not beyond.max() > MISSED_PART * np.ptp(values):
        return None
    worst = int(np.argmax(beyond))
    wide = beyond > beyond[worst] / 2
    last = worst + int(np.argmin(np.append(wide[worst:], False)))
    first = worst - int(np.argmin(np.append(wide[worst::-1], False)))
    width_second = float(fine_second[min(last, len(wide) - 1)] - fine_second[max(first, 0)])
    before, behind = time_second[after[worst] - 1 : after[worst] + 1].tolist()
    low, high = ends[:, worst].tolist()
    return Leap(
        float(fine_second[worst]), float(values[worst]), (before, behind), (low, high),
        width_second / 4,
    )  # fmt: skip


def _timed(circuit: str) -> re.Pattern[str]:
    """Words by which an expression depends on time: functions of the user's, too."""
    bodies = [
        pair
        for _, statement in statements(circuit, titled=True)
        for pair in function_bodies(statement).items()
    ]
    words: set[str] = set()
    more = {"time", "pwl"}
    while more:
        words |= more
        pattern = re.compile(rf"\b({'|'.join(sorted(words))})\b", re.IGNORECASE)
        more = {name for name, body in bodies if pattern.search(body)} - words
    return pattern


def waits_for_time(circuit: str) -> bool:
    """Whether an expression of the circuit depends on time."""
    timed = _timed(circuit)
    return any(
        statement[0].lower() in "beg" and timed.search(statement) is not None
        for _, statement in statements(circuit, titled=True)
    )
