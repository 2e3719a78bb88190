"""A netlist's circuit without its analyses, or with its sources standing still."""

import re

from cosim.engine.audit import ANALYSES
from cosim.netlist.numbers import number
from cosim.netlist.reading import statements

NOT_CIRCUIT = (*ANALYSES, ".end", ".save", ".print", ".plot", ".probe", ".meas", ".measure")

WAVE = re.compile(
    r"\b(sin|pulse|pwl|exp|sffm|am|trnoise|trrandom)\s*(\([^)]*\)|.*$)", re.IGNORECASE
)
TIME = re.compile(r"\btime\b", re.IGNORECASE)
_VALUE_WORD = {"sin": 0, "pulse": 0, "exp": 0, "sffm": 0, "pwl": 1}
"""Which of a wave's numbers is its value at the start."""


def circuit_alone(netlist: str) -> str:
    """A netlist without its analyses and outputs."""
    kept = [
        statement
        for _, statement in statements(netlist, titled=True)
        if statement.split()[0].lower() not in NOT_CIRCUIT
    ]
    return "\n".join([netlist.partition("\n")[0], *kept])


def frozen(circuit: str) -> str:
    """A circuit as it is at its operating point: sources keep their direct value, the time is 0,
    and no initial condition is set.
    """
    kept = []
    for _, statement in statements(circuit, titled=True):
        word = statement.split()[0].lower()
        if word == ".ic":
            continue
        if word[0] in "vi" and (match := WAVE.search(statement)):
            statement = _direct(statement, match)
        elif word[0] in "beg":
            statement = TIME.sub("0", statement)
        kept.append(statement)
    return "\n".join([circuit.partition("\n")[0], *kept])


def _direct(statement: str, match: re.Match[str]) -> str:
    """An independent source with its wave left out."""
    rest = f"{statement[: match.start()]} {statement[match.end() :]}"
    words = [word.lower() for word in rest.split()[3:]]
    if words and ("dc" in words or number(words[0]) is not None):
        return rest
    numbers = match[2].strip("() ").replace(",", " ").split()
    index = _VALUE_WORD.get(match[1].lower(), len(numbers))
    value = numbers[index] if index < len(numbers) else "0"
    head = rest.split()[:3]
    return " ".join([*head, "dc", value, *rest.split()[3:]])
