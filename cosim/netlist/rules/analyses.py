"""Analyses, options, conditions and outputs: what ngspice leaves out or answers with zeros.

Source: ngspice manual, chapter 11 (analyses and output control).
"""

import re
from collections.abc import Iterator

from cosim.errors import did_you_mean
from cosim.netlist.elements import node_name, sensed_nodes, tokens_of
from cosim.netlist.expression import constant
from cosim.netlist.finding import Finding, found
from cosim.netlist.model import GROUND, Parsed, Scope
from cosim.netlist.parse import OUTPUTS
from cosim.netlist.statement import Statement

ANALYSES = (".op", ".dc", ".ac", ".noise", ".tran", ".pz", ".sens", ".tf", ".disto", ".sp", ".pss")

_OPTIONS = """
    abstol acct autostop badmos3 brief bypass chgtol convabsstep convlimit convstep cshunt
    defad defas defl defw gmin gminsteps gshunt icstep indverbosity interp itl1 itl2 itl3 itl4 itl5
    itl6 keepopinfo klu limpts list maxevtiter maxopalter maxord maxwarns method minbreak mindelta
    newtrunc noacct noinit node nomod noopac noopalter noopiter nopage norefvalue numdgt oldlimit
    opts pivrel pivtol plotwinsize post probe probe_alli ramptime reltol rshunt savecurrents scale
    seed seedinfo sim_status sparse srcsteps temp tnom trtol trytocompact vntol warn wnflag
    xmu xtrtol
"""
OPTIONS = frozenset(_OPTIONS.split())
CHANGING = {
    "rshunt": "connects a resistor from every node to ground",
    "gshunt": "connects a conductance from every node to ground",
    "cshunt": "connects a capacitor from every node to ground",
    "gmin": "puts a larger conductance across every junction",
}
SMALLEST_GMIN = 1.01e-12
LOOSEST = {"reltol": 0.01, "vntol": 1e-3, "abstol": 1e-6}
"""Of the tolerances: ten times and more what ngspice takes by itself."""
METHODS = ("trap", "trapezoidal", "gear")
LINEAR = frozenset("rclkviefgh")

_OUTPUT_NODE = re.compile(
    r"\bv(?:db|m|p|ph|r|i)?\(\s*([^\s,()=]+)\s*(?:,\s*([^\s,()=]+)\s*)?\)", re.IGNORECASE
)
_OUTPUT_CURRENT = re.compile(r"\bi(?:db|m|p|r|i)?\(\s*([^\s,()=]+)\s*\)|@(\w+)\[", re.IGNORECASE)


def analyses(parsed: Parsed) -> Iterator[Finding]:
    """Findings of the directives."""
    asked = [
        (statement, scope)
        for statement, scope in parsed.directives
        if _word(statement) in ANALYSES
    ]  # fmt: skip
    for statement, _ in asked[1:]:
        yield found(
            statement, "two-analyses", _word(statement), "",
            f"Line {asked[0][0].line} asks for an analysis too; ngspice would mix the results or "
            "give one.", "Leave one, and run the other by itself.",
        )  # fmt: skip
    for statement, scope in asked:
        yield from _analysis(statement, scope, parsed)
    yield from _sources(parsed)
    yield from _options(parsed)
    yield from _conditions(parsed, {_word(statement): statement for statement, _ in asked})
    yield from _measures(parsed, [_word(statement) for statement, _ in asked])
    yield from _outputs(parsed)


def _word(statement: Statement) -> str:
    return statement.text.split()[0].lower()


def _analysis(statement: Statement, scope: Scope, parsed: Parsed) -> Iterator[Finding]:
    kind = _word(statement)
    words = [word.lower() for word in tokens_of(statement.text)[1:] if word not in "()="]
    numbers = [constant(word, scope) for word in words]
    fault = ""
    match kind:
        case ".tran":
            given = [value for value in numbers if value is not None]
            if len(given) < 2:
                fault = "It needs a step and a stop time"
            elif given[0] <= 0 or given[1] <= 0:
                fault = "Step and stop time have to be above 0"
            elif given[0] > given[1]:
                fault = f"Its step of {given[0]:g} s is longer than its stop time of {given[1]:g} s"
            elif len(given) > 2 and given[2] >= given[1]:
                fault = f"It keeps points from {given[2]:g} s on, but stops at {given[1]:g} s"
        case ".ac":
            fault = _frequencies(words, numbers)
        case ".noise":
            fault = _frequencies(words[-4:], numbers[-4:]) if len(words) >= 6 else (
                "It needs v(output), a source, and dec, a number of points, two frequencies"
            )  # fmt: skip
            sources = [word for word in words if word in scope.defined and word[0] in "vi"]
            if not fault and not sources:
                fault = "Its input source is not in the circuit"
        case ".dc":
            fault = _sweep(words, numbers, scope)
        case _:
            return
    if fault:
        yield found(
            statement, "bad-analysis", kind, "", f"{fault}.",
            "Correct the line: `.tran step stop`, `.ac dec points start stop`, "
            "`.dc source start stop step` or `.noise v(out) source dec points start stop`.",
        )  # fmt: skip


def _frequencies(words: list[str], numbers: list[float | None]) -> str:
    if len(words) < 4 or words[0] not in ("dec", "oct", "lin"):
        return "It needs dec, oct or lin, a number of points and two frequencies"
    points, start, stop = numbers[1:4]
    if points is not None and points < 1:
        return "It asks for no point"
    if start is not None and start <= 0 and words[0] != "lin":
        return "Its first frequency has to be above 0"
    if start is not None and stop is not None and stop < start:
        return f"Its last frequency, {stop:g} Hz, is below its first, {start:g} Hz"
    return ""


def _sweep(words: list[str], numbers: list[float | None], scope: Scope) -> str:
    if len(words) < 4:
        return "It needs a source, start, stop and step"
    for at in range(0, len(words) - 3, 4):
        name, (start, stop, step) = words[at], numbers[at + 1 : at + 4]
        if name != "temp" and not name.startswith("@") and "." not in name:
            if name not in scope.defined:
                return f"'{name}' is not in the circuit"
            if name[0] not in "vir":
                return f"'{name}' is no source, resistor or temp"
        if step == 0:
            return "Its step is 0"
        if None not in (start, stop, step) and (stop - start) * step < 0:  # type: ignore[operator]
            return f"A step of {step:g} does not lead from {start:g} to {stop:g}"
    return ""


def _sources(parsed: Parsed) -> Iterator[Finding]:
    """Small-signal values, and sources that a program drives."""
    stimulated = False
    for scope in parsed.scopes():
        for element in scope.elements:
            if element.letter not in "vi":
                continue
            words = [word.lower() for word in element.values]
            after = words[words.index("ac") + 1 :] if "ac" in words else []
            stimulated = (
                stimulated
                or ("ac" in words and not (after and constant(after[0], scope) == 0))
                or bool({"ac", "portnum"} & set(element.parameters))
            )
            if "external" in words and len(words) > 1:
                yield found(
                    element.statement, "external-value", element.name, "",
                    "An external source has another value too, of which ngspice 39 dies.",
                    "Write `external` alone.",
                )  # fmt: skip
            if "ac" in words and (not after or (
                constant(after[0], scope) is None and after[0][:1].isalpha()
                and not scope.has_parameter(after[0])
            )):  # fmt: skip
                yield found(
                    element.statement, "ac-magnitude", element.name, "",
                    "Its `ac` has no magnitude; ngspice takes 1.", "Write it, such as `ac 1`.",
                )  # fmt: skip
    if stimulated:
        return
    for statement, _ in parsed.directives:
        if _word(statement) in (".ac", ".disto"):
            yield found(
                statement, "ac-without-source", _word(statement), "",
                "No source has an AC value, or 0, so that the response would be 0 everywhere.",
                "Give the input source one, such as `ac 1`.",
            )  # fmt: skip


def _options(parsed: Parsed) -> Iterator[Finding]:
    temperatures: list[str] = []
    for statement, scope in parsed.directives:
        word = _word(statement)
        tokens = [token.lower() for token in tokens_of(statement.text)[1:]]
        if word == ".temp":
            temperatures += tokens
        elif word in (".option", ".options"):
            for index, name in enumerate(tokens):
                if name == "=" or (index and tokens[index - 1] == "="):
                    continue
                text = tokens[index + 2] if tokens[index + 1 : index + 2] == ["="] else ""
                temperatures += [text] if name == "temp" and text else []
                yield from _option(statement, name, text, constant(text, scope) if text else None)
        values = {constant(text, scope) for text in temperatures}
        if len(values) > 1 and word in (".temp", ".option", ".options"):
            yield found(
                statement, "two-temperatures", word, "",
                f"Temperatures of {' and '.join(temperatures)} are given; ngspice takes one.",
                "Leave one, or run the netlist once for each.",
            )  # fmt: skip
            return


def _option(statement: Statement, name: str, text: str, value: float | None) -> Iterator[Finding]:
    if name == "method" and text not in METHODS:
        yield found(
            statement, "unknown-option", name, "",
            f"ngspice has no method '{text}' and would take the trapezoidal one.",
            f"Write one of {', '.join(METHODS)}, or remove it.",
        )  # fmt: skip
    elif value is not None and value > LOOSEST.get(name, value):
        yield found(
            statement, "loose-tolerance", name, "",
            f"At {value:g}, ngspice takes for a solution what may be far from it.",
            f"Give it {LOOSEST[name]:g} or less, or remove it.",
        )  # fmt: skip
    elif name not in OPTIONS:
        yield found(
            statement, "unknown-option", name, "",
            f"ngspice has no option '{name}' and would leave it out.{did_you_mean(name, OPTIONS)}",
            "Correct or remove it.",
        )  # fmt: skip
    elif name in CHANGING and not (name == "gmin" and value is not None and value < SMALLEST_GMIN):
        yield found(
            statement, "changing-option", name, "",
            f"'{name}' {CHANGING[name]}: it changes the circuit, and with it the answer.",
            "Remove it, and connect what floats by a resistor of your own.",
        )  # fmt: skip


def _conditions(parsed: Parsed, asked: dict[str, Statement]) -> Iterator[Finding]:
    """Initial conditions that nothing reads."""
    transient = asked.get(".tran")
    uic = transient is not None and re.search(r"\buic\b", transient.text, re.IGNORECASE)
    if not asked:
        return
    letters = {element.letter for scope in parsed.scopes() for element in scope.elements}
    held = _held_nodes(parsed.top)
    for statement, _ in parsed.directives:
        word, why = _word(statement), ""
        if word == ".ic" and transient is None:
            why = "Only a transient analysis begins with it"
        elif word == ".ic" and not uic:
            stiff = [node for node in sensed_nodes(statement.text) if node in held]
            why = f"A voltage source holds node '{stiff[0]}'" if stiff else ""
        elif word == ".nodeset" and (letters <= LINEAR or uic):
            why = (
                "With uic no operating point is looked for" if uic
                else "It is a first guess and no condition, and this circuit is linear"
            )  # fmt: skip
        if why:
            yield found(
                statement, "ineffective-condition", word, "", f"{why}; it does nothing here.",
                "Remove it, or use `.ic` and a `.tran` line.",
            )  # fmt: skip
    for scope in () if uic else parsed.scopes():
        for element in scope.elements:
            if "ic" in element.parameters and element.letter in "clmdqjz":
                yield found(
                    element.statement, "ineffective-condition", element.name, "",
                    "Its ic= is read only where the .tran line says uic; it does nothing here.",
                    "Add uic to the .tran line, or use .ic, or remove it.",
                )  # fmt: skip


def _measures(parsed: Parsed, asked: list[str]) -> Iterator[Finding]:
    """Measurements of an analysis that the netlist does not run."""
    for statement, _ in parsed.directives:
        words = statement.text.lower().split()
        if asked and words[0] in (".meas", ".measure") and f".{words[1]}" not in asked:
            yield found(
                statement, "bad-analysis", words[0], "",
                f"It measures '{words[1]}', and the netlist runs {asked[0]}: there is no result.",
                "Make them the same.",
            )  # fmt: skip


def _held_nodes(scope: Scope) -> set[str]:
    """Nodes that one voltage source ties to ground."""
    return {
        node
        for element in scope.elements
        if element.letter == "v" and GROUND in element.terminals
        for node in element.terminals
        if node != GROUND
    }


def _outputs(parsed: Parsed) -> Iterator[Finding]:
    """Nodes and elements of outputs and conditions that do not exist."""
    nodes = {GROUND, *parsed.global_nodes}
    elements: set[str] = set()
    try:
        for device in parsed.devices():
            nodes.update((*device.terminals, *device.controls))
            elements.add(device.path)
    except RecursionError:
        return
    if any(element.letter == "a" for scope in parsed.scopes() for element in scope.elements):
        return  # digital nodes have names of their own
    for statement, scope in parsed.directives:
        word = _word(statement)
        if scope is not parsed.top or word not in (*OUTPUTS, ".ic", ".nodeset", ".noise", ".tf"):
            continue
        for pair in _OUTPUT_NODE.findall(statement.text):
            for node in map(node_name, filter(None, pair)):
                if node not in nodes and "." not in node and "#" not in node:
                    yield found(
                        statement, "unknown-node", word, node, "No device is connected to it.",
                        "Correct the node's name.",
                    )  # fmt: skip
        for pair in _OUTPUT_CURRENT.findall(statement.text):
            name = (pair[0] or pair[1]).lower()
            if name not in elements and name not in scope.defined and "." not in name:
                yield found(
                    statement, "unknown-element", word, "", f"'{name}' is not in the circuit.",
                    "Correct its name.",
                )  # fmt: skip
