"""PWL sources that replay recorded signals in any SPICE: a file to `.include`."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cosim.errors import TraceError
from cosim.netlist.waveform import pair_lines
from cosim.trace.exchange.ordered import ordered_blocks
from cosim.trace.table import Table


def write_pwl(path: Path, table: Table, names: Sequence[str]) -> None:
    """Write a voltage source against ground for each of the signals [names] of a table.

    Of points at the same time the last is taken, since SPICE wants increasing times.

    Raises:
        TraceError: a value is not finite.
    """
    with path.open("w", encoding="utf-8") as file:
        file.write("* Signals of a cosim trace; those in other units than V have 1 V for 1 unit.\n")
        for name, node in zip(names, _nodes(names), strict=True):
            file.write(f"*\n* {name} ({' '.join(table[name].unit.split())})\n")
            file.write(f"V{node} {node} 0 PWL(\n")
            held = np.empty((0, 2))  # the last point of a block: the next may be at its time
            for time_second, values in ordered_blocks(table, [name]):
                points = np.concatenate([held, np.column_stack([time_second, values])])
                if not np.isfinite(points).all():
                    raise TraceError(
                        f"{name} of {table.path} cannot be written as a PWL source: at "
                        f"{points[~np.isfinite(points[:, 1])][0, 0]:.9g} s it is not a finite "
                        "number. Leave the signal out, or choose a span with --start and --stop."
                    )
                last = np.append(np.diff(points[:, 0]) > 0, False)
                held = points[-1:]
                file.writelines(f"+ {line}\n" for line in pair_lines(*points[last].T))
            file.writelines(f"+ {line})\n" for line in pair_lines(*held.T))


def _nodes(names: Sequence[str]) -> list[str]:
    """Node names that any SPICE takes, and none twice, although SPICE ignores case."""
    nodes: list[str] = []
    taken: set[str] = set()
    for name in names:
        plain = node = re.sub(r"[^a-z0-9_]", "_", name.lower())
        number = 1
        while node in taken:
            number += 1
            node = f"{plain}_{number}"
        taken.add(node)
        nodes.append(node)
    return nodes
