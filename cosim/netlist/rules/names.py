"""Names and counts: what is used has to be defined, once, and with the right number of nodes."""

import math
import re
from collections.abc import Iterator

from cosim.netlist.elements import MODEL_LETTERS
from cosim.netlist.expression import (
    BEHAVIOURAL_CONSTANTS,
    CONSTANTS,
    PROBE,
    STATES,
    constant,
    read_expression,
)
from cosim.netlist.finding import Finding, found
from cosim.netlist.model import Element, Parsed, Scope
from cosim.netlist.numbers import number
from cosim.netlist.parse import OUTPUTS
from cosim.netlist.statement import Statement

BUILT_IN = frozenset({"time", "temper", "hertz"})
BEHAVIOURAL = "begrcl"
"""Elements whose expression the simulator works out, so that it may hold `time` or `pi`."""
SOURCE_WORDS = frozenset(
    {
        "dc", "ac", "sin", "pulse", "pwl", "exp", "sffm", "am", "trnoise", "trrandom", "external",
        "distof1", "distof2",
    }
)  # fmt: skip
ELEMENT_WORDS = frozenset(["off", "on"])

_BRACED = re.compile(r"\{([^}]*)\}|'([^']*)'")
_WORD = re.compile(r"[a-z_]\w*", re.IGNORECASE)
_CURRENT = re.compile(r"\bi\(\s*([a-z]\w*)\s*\)", re.IGNORECASE)


def names(parsed: Parsed) -> Iterator[Finding]:
    """Findings of every scope."""
    for scope in parsed.scopes():
        for element in scope.elements:
            yield from _definition(element, scope)
            yield from _controls(element, scope)
            yield from _undefined(element, scope)
        for parameter in scope.parameters.values():
            own = CONSTANTS[parameter.name] if parameter.name in BEHAVIOURAL_CONSTANTS else None
            value = None if own is None else constant(parameter.expression, scope)
            other = value is not None and not math.isclose(value, own or 0.0, rel_tol=1e-3)
            if parameter.name in BUILT_IN or other:
                yield found(
                    parameter.statement, "builtin-parameter", parameter.name, "",
                    f"'{parameter.name}' is a name that ngspice gives a meaning of its own.",
                    "Choose another name.",
                )  # fmt: skip
            yield from _expression(parameter.statement, parameter.name, parameter.expression, scope)
        for model in filter(None, scope.models.values()):
            for text in _braced(model.statement.text):
                yield from _expression(model.statement, model.name, text, scope, behavioural=True)
    for statement, scope in parsed.directives:
        if statement.text.split()[0].lower() in OUTPUTS:
            continue  # their expressions hold vectors and results of other measurements
        for text in _braced(statement.text):
            yield from _expression(statement, statement.text.split()[0].lower(), text, scope)


def _definition(element: Element, scope: Scope) -> Iterator[Finding]:
    if element.letter == "x" and element.target is not None:
        inner = scope.subcircuit(element.target)
        if inner is None:
            yield found(
                element.statement, "unknown-subcircuit", element.name, "",
                f"Subcircuit '{element.target}' is not defined.",
                "Define or include it, or correct the name.",
            )  # fmt: skip
        elif len(inner.ports) != len(element.nodes):
            yield found(
                element.statement, "port-count", element.name, "",
                f"'{element.target}' has {len(inner.ports)} ports, but the instance "
                f"{len(element.nodes)} nodes.",
                f"Its ports are: {' '.join(inner.ports)}.",
            )  # fmt: skip
        else:
            # A library's subcircuit may declare its arguments by .param lines inside.
            declared = scope.library_parameters() if inner.external else frozenset()
            for name in sorted(set(element.parameters) - inner.arguments - {"m"} - declared):
                yield found(
                    element.statement, "unknown-parameter", element.name, "",
                    f"'{inner.name}' has no parameter '{name}', and ngspice would leave it out.",
                    f"It has: {' '.join(sorted(inner.arguments)) or 'none'}.",
                )  # fmt: skip
    elif element.letter in MODEL_LETTERS | {"a"} and not scope.has_model(element.target or ""):
        yield found(
            element.statement, "unknown-model", element.name, "",
            f"Model '{element.target}' is not defined.",
            "Define it with .model, or correct the name.",
        )  # fmt: skip
    elif element.letter == "m" and len(element.nodes) < 4:
        model = scope.model(element.target or "")
        if model is not None and not model.kind.startswith("vdmos"):
            yield found(
                element.statement, "wrong-count", element.name, "",
                f"'{element.name}' needs 4 nodes, but has 3: '{element.target}' is no VDMOS.",
                "Add the bulk.",
            )  # fmt: skip


def _controls(element: Element, scope: Scope) -> Iterator[Finding]:
    """Sources whose current is read, inductors that are coupled."""
    wanted: list[str] = []
    if element.letter in "fh" and element.values:
        polynomial = element.values[0].lower() == "poly"
        count = int(element.values[1]) if polynomial and element.values[1:2] and element.values[
            1
        ].isdecimal() else 1  # fmt: skip
        wanted += element.values[2 : 2 + count] if polynomial else element.values[:1]
    elif element.letter == "w":
        wanted += element.values[:1]
    elif element.letter == "k":
        wanted += element.values[:-1]
    if element.letter in BEHAVIOURAL:
        wanted += _CURRENT.findall(element.statement.text)
    for name in wanted:
        if number(name) is None and name.lower() not in scope.defined:
            yield found(
                element.statement, "unknown-element", element.name, "",
                f"It reads '{name}', which is not in this circuit.",
                "Correct the name, or add the source whose current it is.",
            )  # fmt: skip


def _undefined(element: Element, scope: Scope) -> Iterator[Finding]:
    """Names in expressions and bare names that are no parameter."""
    if element.letter in BEHAVIOURAL and "=" in element.statement.text and element.letter in "beg":
        head, _, expression = element.statement.text.partition("=")
        if head.split()[-1].lower() in ("v", "i", "value", "vol", "cur") and "table" not in (
            head.lower()
        ):
            tail = re.split(r"\s(?:tc1|tc2|m|dtemp|temp)\s*=", expression, flags=re.IGNORECASE)[0]
            yield from _expression(element.statement, element.name, tail, scope, behavioural=True)
            return
    for text in _braced(element.statement.text):
        behavioural = element.letter in BEHAVIOURAL
        yield from _expression(
            element.statement, element.name, text, scope, behavioural=behavioural
        )
    bare: list[str] = []
    if element.letter in "rcl":
        bare += [
            word for word in element.values
            if not scope.has_model(word.lower()) and word.lower() not in ("poly", "temp")
        ]  # fmt: skip
    elif element.letter in "vi":
        bare += [word for word in element.values if word.lower() not in SOURCE_WORDS]
    if element.letter in "rclmdqjx":
        bare += element.parameters.values()
    for word in bare:
        name = word.lower()
        if _WORD.fullmatch(word) and name not in ELEMENT_WORDS and not scope.has_parameter(name):
            yield _no_parameter(element.statement, element.name, name)


def _braced(text: str) -> list[str]:
    return [first or second for first, second in _BRACED.findall(text)]


def _expression(
    statement: Statement, element: str, text: str, scope: Scope, *, behavioural: bool = False
) -> Iterator[Finding]:
    term = read_expression(text)
    if term is None or (text.startswith('"') and not behavioural):
        return
    known = (
        STATES | BEHAVIOURAL_CONSTANTS if behavioural else frozenset({"true", "false", "yes", "no"})
    )
    for name in sorted(term.names() - known - {PROBE}):
        if not scope.has_parameter(name):
            yield _no_parameter(statement, element, name)


def _no_parameter(statement: Statement, element: str, name: str) -> Finding:
    hint = (
        f"ngspice gives it no value here; write {CONSTANTS[name]:.9g}."
        if name in CONSTANTS
        else "Define it with .param, or correct the name."
    )
    return found(
        statement, "undefined-parameter", element, "", f"No parameter '{name}' is defined.", hint
    )
