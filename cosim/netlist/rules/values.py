"""Values: what a device cannot have, and what is legal and almost surely a slip."""

import math
import re
from collections.abc import Iterator

from cosim.netlist.expression import constant
from cosim.netlist.finding import Finding, found
from cosim.netlist.model import Element, Parsed, Scope
from cosim.netlist.numbers import number, scale_and_rest
from cosim.process.process import processes

MICRO = 1e-6
POSITIVE = {"r": "resistance", "c": "capacitance", "l": "inductance"}
UNITS = {"r": "ohm", "c": "F", "l": "H"}
UNIT_WORDS = {
    "r": ("", "ohm", "ohms", "r", "ω", "o"), "c": ("", "f", "farad"),
    "l": ("", "h", "henry"), "v": ("", "v", "volt", "volts", "s", "hz"),
    "i": ("", "a", "amp", "amps", "s", "hz"),
}  # fmt: skip
PLAUSIBLE = {"r": (1e-3, 1e15), "c": (1e-18, 1.0), "l": (1e-15, 1e3)}
"""Ohm, farad, henry."""
LOOP_BREAKER = {"c": 1e3, "l": 1e3}
"""From here on nobody means a part: it opens or closes a loop for small signals alone."""
MOSFET_METRE = (10e-9, 10e-3)

_DECIMAL_COMMA = re.compile(r"(?<![\w.,])[+-]?\d+,\d+[a-z]*(?![\w.,])", re.IGNORECASE)
_INNER_LETTER = re.compile(r"^[+-]?\d+(?:\.\d+)?([a-z]+)\d+[a-z]*$", re.IGNORECASE)


def values(parsed: Parsed) -> Iterator[Finding]:
    """Findings of every element."""
    for scope in parsed.scopes():
        for element in scope.elements:
            yield from _missing(element)
            yield from _too_many(element)
            yield from _impossible(element)
            yield from _slips(element, scope)
            yield from _decimal_comma(element)


def _value_text(element: Element) -> str:
    """The value of an R, C or L as written; empty where a model or an expression gives it."""
    given = element.parameters.get(element.letter, "")
    return given or next((word for word in element.values if number(word) is not None), "")


def _missing(element: Element) -> Iterator[Finding]:
    letter, statement = element.letter, element.statement
    what = ""
    if letter in POSITIVE:
        expressions = {"r", "c", "l", "q", "resistance", "capacitance", "inductance", "cap", "flux"}
        if not element.values and not expressions & set(element.parameters):
            what = f"a {POSITIVE[letter]}"
    elif letter in "eg":
        if len(element.nodes) == 4 and not element.values:
            what = "a gain"
        elif len(element.nodes) == 2 and not element.values and not element.parameters:
            what = "its controlling nodes and a gain"
    elif letter in "fh" and len(element.values) < 2:
        what = "its controlling source and a gain"
    elif letter == "b" and not {"v", "i"} & set(element.parameters):
        what = "an expression (v=... or i=...)"
    elif letter == "k" and (len(element.values) < 3 or element.values[-1].lower().startswith("l")):
        what = "two inductors and a coupling"
    if what:
        yield found(
            statement, "missing-value", element.name, "",
            f"It has no {what.removeprefix('a ').removeprefix('an ')}; ngspice leaves such a line "
            "out or takes 0.", f"Give it {what}.",
        )  # fmt: skip


def _too_many(element: Element) -> Iterator[Finding]:
    numbers = [word for word in element.values if number(word) is not None]
    if (
        element.letter in POSITIVE
        and len(numbers) > 1
        and "poly" not in map(str.lower, element.values)
        and "tc" not in element.parameters  # of which a second value may follow
        and not _DECIMAL_COMMA.search(element.statement.text)
    ):
        yield found(
            element.statement, "wrong-count", element.name, "",
            f"It has {len(numbers)} values, {', '.join(numbers)}; ngspice takes the last.",
            "Leave one; temperature coefficients are tc1= and tc2=.",
        )  # fmt: skip


def _impossible(element: Element) -> Iterator[Finding]:
    if (what := POSITIVE.get(element.letter)) is not None:
        text = _value_text(element)
        value = number(text)
        if value is not None and not (math.isfinite(value) and value > 0):
            yield _bad_value(element, what, text, "a finite value above 0")
    if element.letter == "k" and element.values:
        coupling = number(element.values[-1])
        if coupling is not None and not 0 < abs(coupling) <= 1:
            yield _bad_value(element, "coupling", element.values[-1], "a value up to 1")
    for name, text in element.parameters.items():
        value = number(text)
        if value is not None and not math.isfinite(value):
            yield _bad_value(element, name, text, "a number")
        elif value is not None and value <= 0 and element.letter == "m" and name in "wl":
            yield _bad_value(element, name, text, "a length above 0")
    for process in processes().values():
        if element.target not in (process.N_MODEL, process.P_MODEL):
            continue
        for name, (low, high) in (("w", process.WIDTH_METRE), ("l", process.LENGTH_METRE)):
            value = number(element.parameters.get(name, ""))
            if value is not None and not low * 0.999 <= value <= high * 1.001:
                yield _bad_value(
                    element, name, element.parameters[name],
                    f"{low / MICRO:g} to {high / MICRO:g} um, for which the model was made",
                )  # fmt: skip
    if (multiplier := number(element.parameters.get("m", ""))) is not None and multiplier <= 0:
        yield _bad_value(element, "m", element.parameters["m"], "a number above 0")


def _bad_value(element: Element, what: str, text: str, wanted: str) -> Finding:
    return found(
        element.statement,
        "bad-value",
        element.name,
        "",
        f"Its {what} is {text}.",
        f"Give {wanted}.",
    )


def _slips(element: Element, scope: Scope) -> Iterator[Finding]:
    statement = element.statement
    words = [word for word in element.values if not scope.has_model(word.lower())]
    words += element.parameters.values()
    for text in words:
        if match := _INNER_LETTER.match(text):
            if match[1].lower() == "e":
                continue
            yield found(
                statement, "ignored-letters", element.name, "",
                f"'{text}' is {_leading_number(text):g} to SPICE: what follows the first letters "
                "is left out.",
                "Write it with a decimal point, such as 4.7k for 4k7.",
            )  # fmt: skip
    letter = element.letter
    if letter in POSITIVE:
        text = _value_text(element)
        scale, rest = scale_and_rest(text)
        if letter == "r" and scale == "M" and rest.lower() in UNIT_WORDS["r"]:
            yield _slip(element, text, "milliohm", "megohm", text[: -len(scale + rest)] + "Meg")
        elif letter == "c" and scale == "F" and not rest:
            yield _slip(element, text, "femtofarad", "farad", text[:-1])
        value = constant(text, scope) if text else None
        low, high = PLAUSIBLE[letter]
        most = LOOP_BREAKER.get(letter, math.inf)
        if value is not None and value > 0 and (value < low or high < value < most):
            yield _absurd(element, POSITIVE[letter], text, value, UNITS[letter])
    if letter == "i":
        for text in element.values:
            scale, rest = scale_and_rest(text)
            if scale.lower() == "a" and rest.lower() in ("", "mp", "mps", "mpere"):
                yield _slip(element, text, "attoampere", "ampere", text[: -len(scale + rest)])
    if letter in "vi" and "sin" in (lower := [word.lower() for word in element.values]):
        after = element.values[lower.index("sin") + 1 :]
        scale, rest = scale_and_rest(after[2]) if len(after) > 2 else ("", "")
        if scale == "M" and rest.lower() in ("", "hz"):
            meant = after[2][: -len(scale + rest)] + "Meg"
            yield _slip(element, after[2], "millihertz", "megahertz", meant)
    if letter in "mx":
        transistor = letter == "m" or {"w", "l"} <= set(element.parameters)
        for name in ("w", "l") if transistor else ():
            text = element.parameters.get(name, "")
            length = constant(text, scope) if text else None
            low, high = MOSFET_METRE
            if length is not None and length > 0 and not low <= length <= high:
                yield _absurd(element, name, text, length, "m")


def _leading_number(text: str) -> float:
    match = re.match(r"[+-]?\d+(?:\.\d+)?[a-z]+", text, re.IGNORECASE)
    return (number(match[0]) if match else None) or math.nan


def _slip(element: Element, text: str, found_unit: str, meant_unit: str, meant: str) -> Finding:
    return found(
        element.statement, "unit-slip", element.name, "",
        f"'{text}' is in {found_unit} to SPICE, not in {meant_unit}.",
        f"Write {meant} for {meant_unit}, or the number without letters for {found_unit}.",
    )  # fmt: skip


def _absurd(element: Element, what: str, text: str, value: float, unit: str) -> Finding:
    return found(
        element.statement, "absurd-value", element.name, "",
        f"Its {what} of {text} is {value:g} {unit}, which no such device has.",
        "Correct the value or its unit.",
    )  # fmt: skip


def _decimal_comma(element: Element) -> Iterator[Finding]:
    """A comma outside parentheses, braces and quotes separates words, it is no decimal point."""
    text = element.statement.text
    if element.letter in "efghabx" or "poly" in text.lower():
        return
    outside = re.sub(r"\([^()]*\)|\{[^}]*\}|'[^']*'|\"[^\"]*\"|\w+\s*=\s*\S+,\S+", " ", text)
    if match := _DECIMAL_COMMA.search(outside):
        yield found(
            element.statement, "decimal-comma", element.name, "",
            f"'{match[0]}' is two values to SPICE: a comma separates them.",
            f"Write {match[0].replace(',', '.')}.",
        )  # fmt: skip
