"""Scopes with the values that their instances give to their arguments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cosim.netlist.expression import ScopeValues, Value, constant
from cosim.netlist.model import Parsed, Scope


@dataclass(frozen=True)
class Instance:
    """A scope as it is used: `arguments` holds those of its arguments that have a known value."""

    scope: Scope
    arguments: Mapping[str, float] = field(default_factory=dict)

    def constant(self, text: str) -> float | None:
        """The value of a number or an expression; None where it has none here."""
        return constant(text, self.scope, self.arguments)

    def values(self, extra: Mapping[str, Value]) -> ScopeValues:
        """Parameters by name, and what else an expression may hold."""
        return ScopeValues(self.scope, extra, self.arguments)


def instances(parsed: Parsed) -> Iterator[Instance]:
    """The top scope and every different use of a subcircuit."""
    waiting = [Instance(parsed.top)]
    seen: set[tuple[int, frozenset[tuple[str, float]]]] = set()
    while waiting:
        instance = waiting.pop()
        key = (id(instance.scope), frozenset(instance.arguments.items()))
        if key in seen:
            continue
        seen.add(key)
        yield instance
        for element in instance.scope.elements:
            inner = instance.scope.subcircuit(element.target) if element.letter == "x" else None
            if inner is None or inner.external:
                continue
            inherited = instance.arguments if inner.parent is instance.scope else {}
            arguments = dict(inherited)
            for name in inner.arguments:
                text = element.parameters.get(name)
                value = (
                    instance.constant(text)
                    if text is not None
                    else constant(inner.parameters[name].expression, inner, inherited)
                )
                if value is not None:
                    arguments[name] = value
            waiting.append(Instance(inner, arguments))
