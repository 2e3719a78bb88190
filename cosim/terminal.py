"""Terminals: what files say is shown there, and never obeyed.

Names, attributes and messages come from files of others; with escape sequences in them they could
move the cursor, change the window's title or what lines before have said.
"""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Text with its control characters (but line ends and tabs) written as JSON does."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class Terminal(Console):
    """A console that shows text as it is, brackets and colons included, and control characters;
    styles are given as such, and those and progress bars stay.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render(self, *arguments: Any, **options: Any) -> Iterable[Segment]:
        """Segments of what is printed, as of `Console`."""
        for segment in super().render(*arguments, **options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)
