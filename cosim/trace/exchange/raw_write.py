"""SPICE raw files, as ngspice, LTspice and waveform viewers open them.

Source: ngspice's `frontend/rawfile.c`. Several runs follow each other, each with its own header.
Readers such as spicelib know the dialect by the 'Command:', which ngspice 46 writes too and does
not run where it stands; an older one answers that it has no such command, and loads the file.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from cosim.trace.exchange.ordered import ordered_blocks
from cosim.trace.reader import Trace
from cosim.trace.table import Table

TYPE_BY_UNIT = {"s": "time", "V": "voltage", "A": "current", "C": "charge", "W": "power"}
"""What raw files call the physical quantities that have units."""


def write_raw(path: Path, runs: Sequence[Table], names: Sequence[str]) -> None:
    """Write signals [names] of tables as float64."""
    with path.open("wb") as file:
        for table in runs:
            file.write(_header(table, names, "Binary:"))
            for time_second, values in ordered_blocks(table, names):
                file.write(np.column_stack([time_second, values]).astype("<f8", copy=False).data)


def write_raw_text(path: Path, runs: Sequence[Table], names: Sequence[str]) -> None:
    """Write signals [names] of tables with 17 digits."""
    layout = "%d\t%.17g\n" + "\t%.17g\n" * len(names)
    with path.open("wb") as file:
        for table in runs:
            points = 0
            file.write(_header(table, names, "Values:"))
            for time_second, values in ordered_blocks(table, names):
                row = np.arange(points, points + len(time_second))
                np.savetxt(file, np.column_stack([row, time_second, values]), layout)
                points += len(time_second)


def _header(table: Table, names: Sequence[str], marker: str) -> bytes:
    member = table.number if isinstance(table, Trace) else None
    variables = [("time", "s"), *((name, table[name].unit) for name in names)]
    lines = [
        f"Title: cosim trace {table.path.name}" + ("" if member is None else f", member {member}"),
        f"Command: ngspice, as written by cosim {version('cosim')}",
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
