"""SPICE raw files, as ngspice, LTspice and waveform viewers open them.

Source: ngspice's `frontend/rawfile.c`. There is no 'Command:' in the header: ngspice would run
it as a command when it loads the file.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cosim.trace.exchange.ordered import ordered_blocks
from cosim.trace.table import Table

TYPE_BY_UNIT = {"s": "time", "V": "voltage", "A": "current", "C": "charge", "W": "power"}
"""What raw files call the physical quantities that have units."""


def write_raw(path: Path, table: Table, names: Sequence[str]) -> None:
    """Write signals [names] of a table as float64."""
    with path.open("wb") as file:
        file.write(_header(table, names, "Binary:"))
        for time_second, values in ordered_blocks(table, names):
            file.write(np.column_stack([time_second, values]).astype("<f8", copy=False).data)


def write_raw_text(path: Path, table: Table, names: Sequence[str]) -> None:
    """Write signals [names] of a table with 17 digits."""
    layout = "%d\t%.17g\n" + "\t%.17g\n" * len(names)
    points = 0
    with path.open("wb") as file:
        file.write(_header(table, names, "Values:"))
        for time_second, values in ordered_blocks(table, names):
            number = np.arange(points, points + len(time_second))
            np.savetxt(file, np.column_stack([number, time_second, values]), layout)
            points += len(time_second)


def _header(table: Table, names: Sequence[str], marker: str) -> bytes:
    variables = [("time", "s"), *((name, table[name].unit) for name in names)]
    lines = [
        f"Title: cosim trace {table.path.name}",
        "Plotname: Transient Analysis",
        "Flags: real",
        f"No. Variables: {len(variables)}",
        f"No. Points: {table.points}",
        "Variables:",
        *(
            f"\t{number}\t{name}\t{TYPE_BY_UNIT.get(unit, 'notype')}"
            for number, (name, unit) in enumerate(variables)
        ),
        marker,
    ]
    return ("\n".join(lines) + "\n").encode()
