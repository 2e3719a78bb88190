"""Changes of a netlist's text: one line, found by element and subcircuit, or an error."""

import re
from collections.abc import Callable
from dataclasses import dataclass

Edit = Callable[[str], str]
OPEN_OHM = 1e12
"""An open wire: what is left of it, so that no node floats."""


@dataclass(frozen=True)
class Mutation:
    """A change of a block's netlist.

    Attributes:
        block: whose netlists it is tried on.
        what: it is, for the table.
        edit: the text with it.
        harmless: it changes no physics, so that every golden trace must pass.
    """

    block: str
    what: str
    edit: Edit
    harmless: bool = False


class NotThereError(Exception):
    """The line to change is not in this netlist, or more than once."""


def at_line(place: str, change: Callable[[list[str]], list[str]]) -> Edit:
    """Change one element's words.

    Args:
        place: the element, or `subcircuit/element`.
        change: its words, to those that replace them; further lines follow a line break as a word.
    """
    scope, _, element = place.rpartition("/")

    def edit(text: str) -> str:
        lines = text.replace("\n+ ", " ").splitlines()
        within, found = [""], []
        for index, line in enumerate(lines):
            words = line.split()
            if words and words[0].lower() == ".subckt":
                within.append(words[1])
            elif words and words[0].lower() == ".ends":
                within.pop()
            elif words and words[0] == element and within[-1] == scope:
                found.append(index)
        if len(found) != 1:
            raise NotThereError(f"{place}: {len(found)} lines")
        lines[found[0]] = " ".join(change(lines[found[0]].split())).replace(" \n ", "\n")
        return "\n".join(lines) + "\n"

    return edit


def scaled(place: str, factor: float, parameter: str = "") -> Edit:
    """An element's value, or one of its parameters, times a factor."""

    def change(words: list[str]) -> list[str]:
        for index in range(len(words) - 1, 0, -1):
            name, equals, value = words[index].rpartition("=")
            if name == parameter and (equals or not parameter):
                number, unit = _split(value.rstrip(")"))
                closing = ")" * value.endswith(")")
                words[index] = f"{name}{equals}{number * factor!r}{unit}{closing}"
                return words
        raise NotThereError(f"{place} has no {parameter}")

    return at_line(place, change)


def _split(value: str) -> tuple[float, str]:
    """A number, and its prefix."""
    found = re.fullmatch(r"([-+]?[\d.]+(?:e[-+]?\d+)?)([a-z]*)", value)
    if found is None:
        raise NotThereError(f"'{value}' is no number")
    return float(found[1]), found[2]


def removed(place: str) -> Edit:
    """Without an element."""
    return at_line(place, lambda words: ["*", *words])


def opened(place: str, pin: int) -> Edit:
    """The wire to a pin (1: the first) broken."""

    def change(words: list[str]) -> list[str]:
        node = words[pin]
        words[pin] = "broken"
        return [*words, "\n", "Rbroken", "broken", node, f"{OPEN_OHM:g}"]

    return at_line(place, change)


def swapped(place: str, first: int, second: int) -> Edit:
    """Two pins exchanged."""

    def change(words: list[str]) -> list[str]:
        words[first], words[second] = words[second], words[first]
        return words

    return at_line(place, change)


def doubled(place: str) -> Edit:
    """An element twice."""
    return at_line(place, lambda words: [*words, "\n", f"{words[0]}_again", *words[1:]])


def replaced(pattern: str, by: str, times: int = 1) -> Edit:
    """Text that fits a pattern, found exactly so many times."""

    def edit(text: str) -> str:
        changed, found = re.subn(pattern, by, text, flags=re.MULTILINE)
        if found != times:
            raise NotThereError(f"{pattern}: {found} times")
        return changed

    return edit
