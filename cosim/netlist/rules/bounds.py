"""Work without bounds: analyses of too many points, functions that call too many.

ngspice writes a function's body in place of each call: of one that calls itself it dies, and one
that calls two that call two ... takes it for ever.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from cosim.netlist.elements import tokens_of
from cosim.netlist.expression import constant, function_bodies, read_expression
from cosim.netlist.finding import Finding, found
from cosim.netlist.model import Parsed, Scope
from cosim.netlist.statement import Statement

MOST_POINTS, MOST_CALLS = 1e8, 10_000
"""Of an analysis, and of functions in a function, theirs counted too."""

_CALL = re.compile(r"([a-z_]\w*)\s*\(", re.IGNORECASE)

Calls = Mapping[str, tuple[Statement, list[str]]]


def bounds(parsed: Parsed) -> Iterator[Finding]:
    """What is beyond them."""
    for statement, scope in parsed.directives:
        points = _points(statement, scope)
        if points > MOST_POINTS:
            yield found(
                statement, "refused", statement.text.split()[0].lower(), "",
                f"It asks for {points:.2g} points, and at most {MOST_POINTS:.2g} are simulated.",
                "Take longer steps, or an earlier end.",
            )  # fmt: skip
    yield from _functions(_calls(parsed))
    for scope in parsed.scopes():
        yield from _parameters(scope)


def _functions(calls: Calls) -> Iterator[Finding]:
    needs = {name: set(called) for name, (_, called) in calls.items()}
    try:
        order = tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        yield _circle(error.args[1], {name: statement for name, (statement, _) in calls.items()})
        return
    counted: dict[str, int] = {}
    for name in order:
        statement, called = calls[name]
        counted[name] = sum(1 + counted[one] for one in called)
        if counted[name] > MOST_CALLS:
            yield found(
                statement, "refused", name, "",
                f"The function '{name}' stands for more than {MOST_CALLS} calls of others.",
                "Write it with fewer.",
            )  # fmt: skip
            return


def _parameters(scope: Scope) -> Iterator[Finding]:
    """Parameters that need themselves; of an argument or an outer one the name may be the same."""
    outer, parent = set(scope.arguments), scope.parent
    while parent is not None:
        outer |= parent.parameters.keys()
        parent = parent.parent
    own = scope.parameters.keys() - outer
    terms = {name: read_expression(scope.parameters[name].expression) for name in own}
    needs = {name: term.names() & own for name, term in terms.items() if term is not None}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        yield _circle(error.args[1], {name: scope.parameters[name].statement for name in needs})


def _circle(names: Sequence[str], where: Mapping[str, Statement]) -> Finding:
    return found(
        where[names[0]], "refused", names[0], "",
        f"'{names[0]}' needs itself: {' needs '.join(reversed(names))}.", "Define it without.",
    )  # fmt: skip


def _points(statement: Statement, scope: Scope) -> float:
    """How many points an analysis has, at least; 0 where that cannot be told."""
    kind, *words = (word for word in tokens_of(statement.text) if word not in "()=")
    numbers = [constant(word, scope) for word in words]
    match kind.lower():
        case ".tran":
            step, stop, start, longest = (*numbers[:4], *[None] * 4)[:4]
            return _ratio((stop or 0) - (start or 0), min(step or 0, longest or math.inf))
        case ".dc":
            sweeps = [numbers[at : at + 4] for at in range(0, len(numbers), 4)]
            return math.prod(
                _ratio((sweep[2] or 0) - (sweep[1] or 0), sweep[3] or 0)
                for sweep in sweeps
                if len(sweep) == 4
            )
        case ".ac" | ".noise" | ".sp" | ".disto" | ".sens":
            kinds = [at for at, word in enumerate(words) if word.lower() in ("dec", "oct", "lin")]
            if not kinds or len(numbers) < kinds[-1] + 4:
                return 0
            count, start, stop = (value or 0 for value in numbers[kinds[-1] + 1 : kinds[-1] + 4])
            base = {"dec": 10, "oct": 2}.get(words[kinds[-1]].lower())
            return count * math.log(max(stop / start, 1), base) if base and start > 0 else count
    return 0


def _ratio(span: float, step: float) -> float:
    return abs(span / step) if step else 0


def _calls(parsed: Parsed) -> Calls:
    """By function: where it is defined, and the functions in its body, each as often as there."""
    bodies = {
        name: (statement, body)
        for statement in parsed.statements
        for name, body in function_bodies(statement.text).items()
    }
    return {
        name: (statement, [call.lower() for call in _CALL.findall(body) if call.lower() in bodies])
        for name, (statement, body) in bodies.items()
    }
