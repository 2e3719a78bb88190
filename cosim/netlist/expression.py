"""Expressions of parameters and behavioural sources: names in them, values where they have one.

Source: ngspice manual, sections 2.8.5 (parameters) and 5.1 (B sources).
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.netlist.numbers import number

if TYPE_CHECKING:
    from cosim.netlist.model import Scope

Value = float | np.ndarray
MAXIMUM_DEPTH, MAXIMUM_TOKENS = 60, 600
PROBE = "__probe"
"""Stands for a voltage or a current: known only to the simulator."""

_PROBES = re.compile(r"\b[vi]\s*\([^()]*\)|@\w[\w.]*\[\w+\]", re.IGNORECASE)
_TOKENS = re.compile(
    r"\s*(?:(\d+(?:\.\d*)?(?:e[+-]?\d+)?[a-z]*|\.\d+(?:e[+-]?\d+)?[a-z]*)|([a-z_][\w.#]*)|"
    r"(\*\*|<=|>=|==|!=|<>|&&|\|\||[-+*/%^<>?:(),!]))",
    re.IGNORECASE,
)
_FUNCTION = re.compile(r"\.func\s+(\w+)\s*\([^()]*\)\s*=?(.*)", re.IGNORECASE | re.DOTALL)
_DEFINITION = re.compile(r"(?<![\w.<>=!])([a-z_]\w*)\s*(\([^()]*\))?\s*=(?!=)", re.IGNORECASE)

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "arctan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "exp": np.exp, "ln": np.log,
    "log": np.log, "log10": np.log10, "sqrt": np.sqrt, "abs": np.abs, "sgn": np.sign,
    "floor": np.floor, "ceil": np.ceil, "int": np.trunc, "nint": np.rint,
    "min": np.minimum, "max": np.maximum, "pow": lambda a, b: np.abs(a) ** b,
    "pwr": lambda a, b: np.sign(a) * np.abs(a) ** b, "sqr": lambda a: a * a,
    "u": lambda a: np.heaviside(a, 0.5), "u2": lambda a: np.clip(a, 0, 1),
    "uramp": lambda a: np.maximum(a, 0), "limit": lambda a, low, high: np.clip(a, low, high),
    "ternary_fcn": lambda test, yes, no: np.where(np.asarray(test) > 0, yes, no),
}  # fmt: skip
CONSTANTS = {
    "pi": np.pi, "e": np.e, "c": 2.99792458e8, "echarge": 1.602176634e-19, "kelvin": -273.15,
    "boltz": 1.380649e-23, "planck": 6.62607015e-34,
}  # fmt: skip
"""Of which ngspice knows, in B sources, `BEHAVIOURAL_CONSTANTS` alone; in `.param` none."""
BEHAVIOURAL_CONSTANTS = frozenset({"pi", "e"})
STATES = frozenset({"time", "temper", "hertz", "temp", "true", "false", "yes", "no", "i"})

_BINARY: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "||": (1, np.logical_or), "&&": (2, np.logical_and),
    "==": (3, np.equal), "!=": (3, np.not_equal), "<>": (3, np.not_equal),
    "<": (4, np.less), ">": (4, np.greater), "<=": (4, np.less_equal), ">=": (4, np.greater_equal),
    "+": (5, operator.add), "-": (5, operator.sub),
    "*": (6, operator.mul), "/": (6, np.divide), "%": (6, np.mod),
    "^": (8, lambda a, b: np.abs(a) ** b), "**": (8, lambda a, b: np.abs(a) ** b),
}  # fmt: skip
"""Precedence and meaning; a power is that of the magnitude, as in ngspice."""


@dataclass(frozen=True)
class Term:
    """A number, a name without arguments, or an operator or function with them."""

    name: str
    arguments: tuple["Term", ...] = ()
    value: float | None = None

    def all(self) -> Iterator["Term"]:
        """This term and those in it."""
        waiting = [self]
        while waiting:
            term = waiting.pop()
            yield term
            waiting.extend(term.arguments)

    def names(self) -> set[str]:
        """Variables in it, probes of the simulator left out."""
        return {
            term.name
            for term in self.all()
            if term.value is None and not term.arguments and term.name != PROBE
        }


def read_expression(text: str) -> Term | None:
    """An expression, braces and quotes taken off; None where it cannot be read."""
    text = _PROBES.sub(f" {PROBE} ", text.strip().strip("{}'\"").lower())
    try:
        return _Expression(text).whole()
    except ValueError:
        return None


class _Expression:
    """Precedence climbing over tokens."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        self._next = self._depth = 0
        at = 0
        while at < len(text.rstrip()):
            match = _TOKENS.match(text, at)
            if match is None:
                raise ValueError(text[at])
            self._tokens.append(match[0].strip())
            at = match.end()
        if len(self._tokens) > MAXIMUM_TOKENS:
            raise ValueError("too long")

    def whole(self) -> Term:
        term = self._choice()
        if self._peek():
            raise ValueError(self._peek())
        return term

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._peek()
        if not token or (expected and token != expected):
            raise ValueError(token)
        self._next += 1
        return token

    def _choice(self) -> Term:
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise ValueError("nested too deep")
        term = self._binary(0)
        if self._peek() == "?":
            self._take()
            yes = self._choice()
            self._take(":")
            term = Term("ternary_fcn", (term, yes, self._choice()))
        self._depth -= 1
        return term

    def _binary(self, lowest: int) -> Term:
        left = self._unary()
        while (token := self._peek()) in _BINARY and _BINARY[token][0] > lowest:
            self._take()
            left = Term(token, (left, self._binary(_BINARY[token][0])))
        return left

    def _unary(self) -> Term:
        token = self._take()
        if token in "+-!":
            self._depth += 1
            if self._depth > MAXIMUM_DEPTH:
                raise ValueError("nested too deep")
            operand = self._binary(7)
            self._depth -= 1
            return operand if token == "+" else Term("not" if token == "!" else "neg", (operand,))
        if token == "(":
            term = self._choice()
            self._take(")")
            return term
        if (value := number(token)) is not None:
            return Term(token, value=value)
        if token in _BINARY or token in "?:),":
            raise ValueError(token)
        if self._peek() != "(":
            return Term(token)
        self._take()
        arguments = [self._choice()]
        while self._peek() == ",":
            self._take()
            arguments.append(self._choice())
        self._take(")")
        return Term(token, tuple(arguments))


def evaluate(term: Term, values: Mapping[str, Value]) -> Value:
    """Its value.

    Raises:
        LookupError: a name or function has no value here.
        TypeError: a function has another number of arguments.
    """
    if term.value is not None:
        return term.value
    if not term.arguments:
        return values[term.name]
    arguments = [evaluate(argument, values) for argument in term.arguments]
    with np.errstate(all="ignore"):
        if term.name == "neg":
            return -arguments[0]
        if term.name == "not":
            return np.logical_not(arguments[0])
        if term.name in _BINARY and len(arguments) == 2:
            return _BINARY[term.name][1](*arguments)
        if term.name == "pwl":
            return np.interp(arguments[0], arguments[1::2], arguments[2::2])  # type: ignore[arg-type]
        return FUNCTIONS[term.name](*arguments)


class ScopeValues(Mapping[str, Value]):
    """Parameters of a scope by name, worked out when they are asked for."""

    def __init__(
        self,
        scope: "Scope",
        extra: Mapping[str, Value],
        arguments: Mapping[str, float],
        depth: int = 0,
    ) -> None:
        self._scope, self._extra, self._arguments = scope, extra, arguments
        self._depth = depth

    def __getitem__(self, name: str) -> Value:
        if self._depth > MAXIMUM_DEPTH:
            raise KeyError(name)
        for scope in self._scope.chain():
            if name in scope.parameters:
                if name in scope.arguments:
                    return self._arguments[name]  # each instance may give it another
                term = read_expression(scope.parameters[name].expression)
                if term is None:
                    raise KeyError(name)
                return evaluate(term, ScopeValues(scope, {}, self._arguments, self._depth + 1))
        return self._extra[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._extra)

    def __len__(self) -> int:
        return len(self._extra)


def constant(
    text: str, scope: "Scope", arguments: Mapping[str, float] = MappingProxyType({})
) -> float | None:
    """The value of a number or an expression of parameters; None where it has none here."""
    if (value := number(text)) is not None:
        return value
    term = read_expression(text)
    if term is None:
        return None
    try:
        return float(evaluate(term, ScopeValues(scope, {}, arguments)))
    except (LookupError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None


def definitions(text: str) -> list[tuple[str, str, bool]]:
    """(name, expression, whether it is a function) of `a=1 b={a*2} f(x)='x*x'`."""
    hidden = re.sub(r"\{[^}]*\}|'[^']*'|\"[^\"]*\"", lambda match: "_" * len(match[0]), text)
    heads = list(_DEFINITION.finditer(hidden))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [
        (head[1].lower(), text[head.end() : end].strip(" \t,"), head[2] is not None)
        for head, end in zip(heads, ends, strict=True)
    ]


def function_bodies(statement: str) -> dict[str, str]:
    """Bodies by name of the functions that a `.func`, `.param` or `.csparam` line defines."""
    word, _, rest = statement.partition(" ")
    if match := _FUNCTION.match(statement):
        return {match[1].lower(): match[2]}
    if word.lower() not in (".param", ".csparam"):
        return {}
    return {name: body for name, body, is_function in definitions(rest) if is_function}
