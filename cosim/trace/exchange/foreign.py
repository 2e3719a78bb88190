"""What a reader of a foreign file gives: columns with names and units, and points in blocks."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cosim.trace.schema import NAME, Signal

BLOCK_VALUES = 2**18
"""Values that a reader takes at once: 2 MB as numbers, some 20 MB as text."""

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_#+-]*")


class Column(NamedTuple):
    """A signal as the foreign file names it, in an SI unit or '' where it says none."""

    name: str
    unit: str

    @property
    def signal(self) -> Signal:
        """The signal under a name that a trace can hold: 'V(x1:out)' becomes 'V.x1_out'.

        One block and one node, so that the nodes `x1` and `x1:out` can be in one trace. Names of
        a trace, and so of what was exported from one, remain.

        Raises:
            TraceError: nothing in the name can be kept.
            ValueError: it holds what is no letter at all, such as NUL.
        """
        if not f"{self.name}{self.unit}".isprintable():
            raise ValueError(f"it has a signal named {f'{self.name} ({self.unit})'!r}")
        if NAME.fullmatch(self.name):
            return Signal(self.name, self.unit)
        parts = _PART.findall(self.name)
        block, node = (parts[0], parts[1:]) if len(parts) > 1 else ("imported", parts)
        return Signal(f"{block}.{'_'.join(node)}", self.unit, self.name)


class Block(NamedTuple):
    """Points as they are in the file: times in s [n], values [n, columns], and whose they are."""

    time_second: np.ndarray
    values: np.ndarray
    run: int = 0


@dataclass(frozen=True)
class Foreign:
    """A foreign file, its header read, its points not yet.

    Attributes:
        facts: what its header says of its origin.
        columns: the signals, without the time.
        blocks: the points, run after run. Iterating raises ValueError where the file is not what
            its header promised.
        notes: what distinguishes the runs, one for each.
    """

    facts: dict[str, str]
    columns: list[Column]
    blocks: Iterator[Block]
    notes: tuple[str, ...] = ("",)


def whole_lines(text: io.TextIOWrapper, longest: int) -> Iterator[str]:
    """Lines, as long as they are shorter than any that an honest file has.

    Raises:
        ValueError: a line is longer.
    """
    while line := text.readline(longest):
        if len(line) == longest and not line.endswith("\n"):
            raise ValueError(f"a line has more than {longest} characters")
        yield line
