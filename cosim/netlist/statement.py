"""Where a thing is written in a netlist."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """A line with its continuations, comments left out."""

    line: int
    text: str
    file: str = ""
    """Of an included file: its name."""
