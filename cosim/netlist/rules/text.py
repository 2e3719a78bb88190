"""The text as a whole: its title, and whether it holds a circuit at all."""

import re
from collections.abc import Iterator

from cosim.netlist.finding import Finding
from cosim.netlist.model import Parsed

_TITLED_ELEMENT = re.compile(
    r"^\s*(?:[rcl]\w*\s+\S+\s+\S+\s+[{']?[\d.+-]|[vi]\w*\s+\S+\s+\S+\s+(?:dc\b|ac\b|sin\b|pulse\b|"
    r"pwl\b|exp\b|sffm\b|[\d.+-])|[dqmjx]\w*(?:\s+\S+){3,}\s+\w+\s*=|\.\w+)",
    re.IGNORECASE,
)


def text_rules(parsed: Parsed) -> Iterator[Finding]:
    """Findings of the netlist as a text."""
    if _TITLED_ELEMENT.match(parsed.title) and not parsed.title.lower().startswith(".title"):
        yield Finding(
            1, "title-is-element", parsed.title.split()[0].lower(), "",
            "The first line is the title, whatever it says, so that this one is left out.",
            "Put a title line before it.",
        )  # fmt: skip
    if not parsed.top.elements and not parsed.problems:
        yield Finding(
            0, "empty-netlist", "", "", "The netlist holds no element outside of subcircuits.",
            "Give a netlist with a circuit.",
        )  # fmt: skip
