"""Element lines of a netlist. Source: ngspice manual, chapters 3 to 12."""

import re

from cosim.netlist.model import GROUND, MAIN_TERMINALS, Element
from cosim.netlist.numbers import number
from cosim.netlist.statement import Statement

ELEMENT_LETTERS = frozenset(MAIN_TERMINALS) | frozenset("xak")
MODEL_LETTERS = frozenset("dmqjzswou")
CONTROL_TERMINALS = {"s": 2}

_TOKEN = re.compile(r"""\{[^}]*\}|'[^']*'|"[^"]*"|[^\s,()=]+|[()=]""")
_VOLTAGE = re.compile(r"\bv\(\s*([^\s,()]+)\s*(?:,\s*([^\s,()]+)\s*)?\)", re.IGNORECASE)


def tokens_of(text: str) -> list[str]:
    """Words, quoted or braced expressions, parentheses and equal signs."""
    return _TOKEN.findall(text)


def node_name(name: str) -> str:
    """Lower case; every name of ground is 0."""
    lower = name.lower()
    return GROUND if lower in ("0", "gnd", "gnd!") else lower


def sensed_nodes(text: str) -> list[str]:
    """Nodes in `v(a)` and `v(a, b)`."""
    return [node_name(node) for pair in _VOLTAGE.findall(text) for node in pair if node]


def split_parameters(tokens: list[str]) -> tuple[list[str], dict[str, str]]:
    """Positional words, and `name = value` pairs (a value runs to the next name)."""
    words: list[str] = []
    parameters: dict[str, str] = {}
    index = 0
    while index < len(tokens):
        if index + 1 < len(tokens) and tokens[index + 1] == "=":
            value = tokens[index + 2] if index + 2 < len(tokens) else ""
            parameters[tokens[index].lower()] = value
            index += 3
        else:
            words.append(tokens[index])
            index += 1
    return words, parameters


def read_element(statement: Statement, tokens: list[str]) -> Element:
    """One element line.

    Raises:
        ValueError: it has too few words; the message says which are missing.
    """
    name, text = tokens[0].lower(), statement.text
    letter = name[0]
    words, parameters = split_parameters(tokens[1:])
    words = [word for word in words if word not in "()"]
    senses: tuple[str, ...] = ()
    if letter in "begrcl" or "{" in text or "'" in text:
        senses = tuple(sensed_nodes(text))
    if letter == "k":
        return Element(statement, name, (), None, tuple(words), parameters)
    if letter == "a":
        words = _port_words(words)
    if letter in "xa":
        words = [word for word in words if word.lower() != "params:"]
        if len(words) < 2:
            raise ValueError(f"'{name}' needs nodes and a name.")
        nodes = tuple(map(node_name, words[:-1]))
        return Element(statement, name, nodes, words[-1].lower(), (), parameters, senses)
    count = MAIN_TERMINALS[letter] + CONTROL_TERMINALS.get(letter, 0)
    polynomial = len(words) > 3 and words[2].lower() == "poly"
    if letter in "eg" and not polynomial and _linear(words, parameters, senses):
        count = 4
    if letter == "m" and (len(words) == 4 or words[4:5] in (["off"], ["OFF"])):
        count = 3  # a power MOSFET has no bulk
    if len(words) < count:
        raise ValueError(f"'{name}' needs {count} nodes, but has {len(words)}.")
    nodes, rest = tuple(map(node_name, words[:count])), words[count:]
    if polynomial and letter in "eg" and words[3].isdecimal():
        controls = words[4 : 4 + 2 * int(words[3])]
        nodes, rest = (
            (*nodes, *map(node_name, controls)),
            [*words[2:4], *words[4 + len(controls) :]],
        )
    target = None
    if letter == "q" and len(rest) >= 2 and number(rest[1]) is None:  # with the substrate
        nodes, rest = (*nodes, node_name(rest[0])), rest[1:]
    if letter in MODEL_LETTERS:
        index = 1 if letter == "w" and len(rest) > 1 else 0
        if len(rest) <= index:
            raise ValueError(f"'{name}' names no model.")
        target = rest[index].lower()
    return Element(statement, name, nodes, target, tuple(rest), parameters, senses)


def _linear(words: list[str], parameters: dict[str, str], senses: tuple[str, ...]) -> bool:
    """Whether an E or G line has two controlling nodes, and no expression or table."""
    expression = {"value", "vol", "cur"} & set(parameters) or senses
    return len(words) >= 4 and not expression and words[2].lower() not in ("table", "laplace")


def _port_words(words: list[str]) -> list[str]:
    """The nodes of an XSPICE line, without its marks for vectors, kinds and inversion."""
    nodes = []
    for word in words:
        bare = word.strip("[]~")
        if bare and not bare.startswith("%") and bare.lower() != "null":
            nodes.append(bare)
    return nodes
