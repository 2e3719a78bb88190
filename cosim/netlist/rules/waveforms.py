"""What happens in time: waveforms as sources take them, and events that a step leaps over.

ngspice puts breakpoints at the corners of PULSE and PWL sources alone: nothing keeps its steps
short at a sine, at an expression of time, or in a tank that rings.
Source: ngspice manual, sections 4.1 (sources), 5.1 (B sources) and 11.3.9 (.tran).
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from networkx.utils import UnionFind

from cosim.netlist.elements import tokens_of
from cosim.netlist.expression import (
    CONSTANTS,
    PROBE,
    Term,
    constant,
    evaluate,
    read_expression,
)
from cosim.netlist.finding import Finding, found
from cosim.netlist.instances import Instance, instances
from cosim.netlist.model import Element, Parsed

STEPS_PER_PERIOD = 8
"""Fewer cannot show a sine's amplitude within 8 %: 1 - cos(pi / 8)."""
TANK_STEPS_PER_PERIOD = 20
"""The trapezoidal rule then shifts the resonance by 0.8 %: (2 pi / 20)^2 / 12."""
HIDDEN_PART = 0.1
"""Of its range: an excursion between two steps that is worth a word."""
FINER, MOST_SAMPLES = 16, 400_000
DAMPED_QUALITY = 1.0

_FREQUENCY_PLACE = {"sin": 2, "sffm": 2, "am": 3}
_ASSIGNED = re.compile(r"\b(?:v|i|value|vol|cur|r|c|l|q)\s*=\s*(.*)", re.IGNORECASE)
_TAIL = re.compile(r"\s(?:tc1|tc2|m|dtemp|temp|ic)\s*=", re.IGNORECASE)
_NOT_NEGATIVE = frozenset(
    {"abs", "exp", "sqrt", "sqr", "uramp", "u", "u2", "cosh", "time", "temper", "hertz"}
)


@dataclass(frozen=True)
class Span:
    """Of the transient analysis: its largest step and its end."""

    step_second: float
    stop_second: float


def waveforms(parsed: Parsed) -> Iterator[Finding]:
    """Findings of every source, expression and tank."""
    span = _span(parsed)
    for instance in instances(parsed):
        for element in instance.scope.elements:
            if element.letter in "vi":
                yield from _waveform(element, instance, span)
            yield from _powers(element, instance)
            if span is not None and (term := _behaviour(element)) is not None:
                yield from _leapt_over(element, term, instance, span)
        if span is not None:
            yield from _tanks(instance, span)


def _span(parsed: Parsed) -> Span | None:
    for statement, scope in parsed.directives:
        if statement.text.lower().startswith(".tran"):
            numbers = [constant(word, scope) for word in tokens_of(statement.text)[1:]]
            given = [value for value in numbers if value is not None]
            if len(given) < 2 or min(given[:2]) <= 0:
                return None
            start = given[2] if len(given) > 2 else 0.0
            largest = given[3] if len(given) > 3 else min(given[0], (given[1] - start) / 50)
            return Span(largest, given[1])
    return None


def _waveform(element: Element, instance: Instance, span: Span | None) -> Iterator[Finding]:
    words = [word.lower() for word in element.values]
    kind = next((word for word in words if word in ("pulse", "pwl", *_FREQUENCY_PLACE)), None)
    if kind is None:
        return
    values = [instance.constant(word) for word in words[words.index(kind) + 1 :]]
    if kind == "pulse":
        yield from _pulse(element, values, span)
    elif kind == "pwl":
        yield from _corners(element, values)
    elif span is not None and len(values) > _FREQUENCY_PLACE[kind]:
        hertz = values[_FREQUENCY_PLACE[kind]]
        if hertz and span.step_second > 1 / abs(hertz) / STEPS_PER_PERIOD:
            yield found(
                element.statement, "step-over-event", element.name, "",
                f"Its period of {1 / abs(hertz):.3g} s has fewer than {STEPS_PER_PERIOD} of the "
                f"largest steps, {span.step_second:.3g} s.",
                f"Give .tran a largest step (its 4th value) of "
                f"{1 / abs(hertz) / (2 * STEPS_PER_PERIOD):.2g} s.",
            )  # fmt: skip


def _pulse(element: Element, values: list[float | None], span: Span | None) -> Iterator[Finding]:
    if len(values) < 2:
        yield found(
            element.statement, "bad-waveform", element.name, "",
            "PULSE needs two levels at least.", "Give PULSE(V1 V2 TD TR TF PW PER).",
        )  # fmt: skip
    edges = values[3:5]
    if 0 in edges or len(edges) < 2:
        yield found(
            element.statement, "zero-edge", element.name, "",
            "A rise or fall time of 0, or none, is the step of .tran to ngspice.",
            "Give the edges a time that the circuit can follow.",
        )  # fmt: skip
    if len(values) > 6 and None not in values[3:7]:
        rise, fall, width, period = (value or 0.0 for value in values[3:7])
        within = span is None or span.stop_second > period
        if period > 0 and within and rise + width + fall > period * (1 + 1e-9):
            yield found(
                element.statement, "pulse-over-period", element.name, "",
                f"Edges and width take {rise + width + fall:.3g} s of a period of {period:.3g} s.",
                "Make the pulse shorter or the period longer.",
            )  # fmt: skip


def _corners(element: Element, values: list[float | None]) -> Iterator[Finding]:
    if None in values:
        return  # options such as r=0 follow, or expressions
    times = [value or 0.0 for value in values[::2]]
    why = ""
    if len(values) % 2:
        why = f"PWL has {len(values)} numbers, but needs pairs of a time and a value"
    elif any(later <= earlier for earlier, later in pairwise(times)):
        why = "Times of PWL do not increase"
    if why:
        yield found(
            element.statement, "bad-waveform", element.name, "", f"{why}.", "Correct its points."
        )


def _behaviour(element: Element) -> Term | None:
    """The expression of a behavioural element."""
    if element.letter not in "begrcl" or "=" not in element.statement.text:
        return None
    match = _ASSIGNED.search(element.statement.text)
    return read_expression(_TAIL.split(match[1])[0]) if match else None


def _leapt_over(element: Element, term: Term, instance: Instance, span: Span) -> Iterator[Finding]:
    """Excursions of a function of time between two of the largest steps."""
    if "time" not in term.names():
        return
    count = min(math.ceil(span.stop_second / span.step_second), MOST_SAMPLES // FINER)
    time = np.arange(count * FINER + 1) * (span.step_second / FINER)
    time = np.union1d(time, _between(_instants(term, instance, time[-1])))
    values = instance.values({**CONSTANTS, "time": time})
    waiting = [term]
    while waiting:
        part = waiting.pop()
        names = part.names()
        if "time" not in names or not part.arguments:
            continue
        try:
            if any(inner.name == PROBE for inner in part.all()):
                raise KeyError(PROBE)
            wave = np.broadcast_to(np.asarray(evaluate(part, values), dtype=float), time.shape)
        except (LookupError, TypeError, ValueError):
            waiting.extend(part.arguments)
            continue
        at = _hidden(wave, time, span.step_second)
        if at is not None:
            yield found(
                element.statement, "step-over-event", element.name, "",
                f"Its expression of time rises or falls and comes back near t = {time[at]:.4g} s, "
                f"within one largest step of {span.step_second:.3g} s; ngspice has no breakpoint "
                "there and may leap over it.",
                "Give .tran a smaller largest step (its 4th value), or use a PULSE or PWL source.",
            )  # fmt: skip
            return


def _instants(term: Term, instance: Instance, stop_second: float) -> np.ndarray:
    """When something in an expression may switch: where a difference of two terms, or a term, that
    is affine in time passes 0, and the corners of pwl() [instants].
    """
    time = np.array([0.0, stop_second / 2, stop_second])
    values, found = instance.values({**CONSTANTS, "time": time}), []
    for part in term.all():
        try:
            terms = [np.asarray(evaluate(one, values), dtype=float) for one in part.arguments]
            terms.append(np.asarray(evaluate(part, values), dtype=float))
        except (LookupError, TypeError, ValueError):
            continue  # it depends on the circuit
        if part.name == "pwl":
            found += [float(corner) for corner in terms[1:-1:2]]
            continue
        with np.errstate(all="ignore"):
            for curve in (terms[-1], terms[0] - terms[1] if len(terms) == 3 else terms[0]):
                begin, middle, end = np.broadcast_to(curve, 3)
                if begin != end and abs(begin + end - 2 * middle) < 1e-9 * abs(end - begin):
                    found.append(float(stop_second * begin / (begin - end)))
    return np.array([one for one in found if 0 < one < stop_second])


def _between(instants: np.ndarray) -> np.ndarray:
    """Times between instants, however near they are to each other."""
    instants = np.unique(instants)
    return (instants[1:] + instants[:-1]) / 2


def _hidden(wave: np.ndarray, time: np.ndarray, step_second: float) -> int | None:
    """Index of the largest excursion between two points a step apart; None where all are small."""
    begins = np.searchsorted(time, step_second * np.arange(math.ceil(time[-1] / step_second)))
    coarse = wave[np.append(begins, -1)]
    above = np.maximum.reduceat(wave, begins) - np.maximum(coarse[:-1], coarse[1:])
    below = np.minimum(coarse[:-1], coarse[1:]) - np.minimum.reduceat(wave, begins)
    excursion = np.maximum(above, below)
    scale = np.ptp(wave)
    if not math.isfinite(scale) or scale <= 0 or excursion.max() < HIDDEN_PART * scale:
        return None
    return int(begins[np.argmax(excursion)])


def _powers(element: Element, instance: Instance) -> Iterator[Finding]:
    """Powers, which ngspice takes of the magnitude, and from left to right."""
    text = element.statement.text
    if not ("^" in text or "**" in text or "pow" in text.lower()):
        return
    term = _behaviour(element)
    for power in term.all() if term is not None else ():
        if power.name not in ("^", "**", "pow") or len(power.arguments) != 2:
            continue
        base, exponent = power.arguments
        why = ""
        if base.name in ("^", "**") and base.arguments and power.name != "pow":
            why = "ngspice works out a^b^c from the left: 2^3^2 is 64"
        elif not _even(exponent, instance) and not _not_negative(base, instance):
            why = "ngspice takes a power of the magnitude: (-2)^3 is +8"
        if why:
            yield found(
                element.statement, "power-of-negative", element.name, "", f"{why}.",
                "Use parentheses, pwr(x, y), which keeps the sign, or a product such as x*x*x.",
            )  # fmt: skip
            return


def _even(exponent: Term, instance: Instance) -> bool:
    try:
        return float(evaluate(exponent, instance.values(CONSTANTS))) % 2 == 0
    except (LookupError, TypeError, ValueError):
        return False


def _not_negative(base: Term, instance: Instance) -> bool:
    if base.name in _NOT_NEGATIVE:
        return True
    if base.name in ("^", "**", "pow"):  # of the magnitude
        return True
    if base.name == "max":
        return any(_not_negative(argument, instance) for argument in base.arguments)
    if base.name in ("+", "*", "/", "min") and base.arguments:
        return all(_not_negative(argument, instance) for argument in base.arguments)
    try:
        return bool(np.all(np.asarray(evaluate(base, instance.values(CONSTANTS))) >= 0))
    except (LookupError, TypeError, ValueError):
        return any(base.name in around.arguments for around in instance.scope.chain())


def _tanks(instance: Instance, span: Span) -> Iterator[Finding]:
    """An inductor and a capacitor across each other, with steps near their period."""
    joined = UnionFind()
    pairs: dict[str, dict[frozenset[str], list[tuple[Element, float]]]] = {
        "l": {},
        "c": {},
        "r": {},
    }
    for element in instance.scope.elements:
        if element.letter == "v":
            joined.union(*element.terminals)
    for element in instance.scope.elements:
        if element.letter in pairs and element.values:
            value = instance.constant(element.values[0])
            across = frozenset(joined[node] for node in element.terminals)
            if value is not None and value > 0 and len(across) == 2:
                pairs[element.letter].setdefault(across, []).append((element, value))
    for across, inductors in pairs["l"].items():
        farad = sum(value for _, value in pairs["c"].get(across, []))
        henry = 1 / sum(1 / value for _, value in inductors)
        if not farad:
            continue
        siemens = sum(1 / value for _, value in pairs["r"].get(across, []))
        quality = math.sqrt(farad / henry) / siemens if siemens else math.inf
        period = 2 * math.pi * math.sqrt(henry * farad)
        if quality > DAMPED_QUALITY and span.step_second > period / TANK_STEPS_PER_PERIOD:
            yield found(
                inductors[0][0].statement, "undamped-tank", inductors[0][0].name, "",
                f"With the capacitance across it, it rings at {1 / period:.4g} Hz; the largest "
                f"step of {span.step_second:.3g} s is over 1/{TANK_STEPS_PER_PERIOD} of the "
                f"period, {period:.3g} s, and the trapezoidal rule then shows another wave.",
                f"Give .tran a largest step (its 4th value) of {period / 100:.2g} s.",
            )  # fmt: skip
