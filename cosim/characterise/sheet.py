"""Tables of what was measured: a block's spec sheet beside its design, a simulation's vectors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

import numpy as np
from quantiphy import Quantity
from rich.table import Table

from cosim.characterise.bench import Measured
from cosim.circuits.fidelity import Fidelity


@dataclass(frozen=True)
class Condition:
    """Where a block is measured; `seed` is a Monte Carlo draw's."""

    corner: str
    temperature_celsius: float
    supply_volt: float
    fidelity: Fidelity
    seed: int | None = None
    process: str = "gf180mcu"

    @property
    def label(self) -> str:
        """For a legend."""
        where = self.corner if self.seed is None else f"draw {self.seed}"
        return f"{where}, {self.temperature_celsius:g} C"


@dataclass(frozen=True)
class Sheet:
    """What was measured at a condition."""

    condition: Condition
    measured: Measured

    @property
    def values(self) -> dict[str, float]:
        """By name."""
        return self.measured.values


@dataclass(frozen=True)
class Column:
    """A value of the sheet: its name there, its title, and its unit ('%': of a fraction;
    none: in the title).
    """

    name: str
    title: str
    unit: str

    def shown(self, value: float) -> str:
        """The value for the table."""
        if self.unit in ("dB", "deg"):
            return f"{value:.0f}"
        if not self.unit:
            return f"{value:.3f}"
        if self.unit == "%":
            return f"{100 * value:.2g} %"
        return Quantity(value, self.unit).render(prec=2)


def vector_table(vectors: Mapping[str, np.ndarray]) -> Table:
    """A simulation's vectors [points] by name: where they begin and end, and their range (of
    complex ones the magnitude's).
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("vector")
    for title in ("points", "first", "last", "smallest", "largest"):
        table.add_column(title, justify="right")
    for name, values in sorted(vectors.items()):
        if not len(values):
            continue  # the current of a device that has none
        shown = np.abs(values) if np.iscomplexobj(values) else values
        numbers = (shown[0], shown[-1], shown.min(), shown.max())
        table.add_row(name, str(len(values)), *(f"{number:.6g}" for number in numbers))
    return table


def spec_table(
    block: str, sheets: Sequence[Sheet], columns: Sequence[Column], design: dict[str, float]
) -> Table:
    """A row for each condition, under the design's values; of a Monte Carlo run its spread."""
    table = Table(title=f"{block}, {sheets[0].condition.fidelity}", box=None, pad_edge=False)
    table.add_column("corner")
    table.add_column("C", justify="right")
    for column in columns:
        table.add_column(column.title, justify="right")
    table.add_row(
        "design",
        "",
        *(column.shown(design[column.name]) if column.name in design else "" for column in columns),
    )
    if sheets[0].condition.seed is not None:
        statistics: dict[str, Callable[[list[float]], float]] = {
            "mean": fmean,
            "sigma": pstdev,
            "min": min,
            "max": max,
        }
        for what, statistic in statistics.items():
            shown = [
                column.shown(statistic([sheet.values[column.name] for sheet in sheets]))
                for column in columns
            ]
            table.add_row(f"{what} of {len(sheets)}", "", *shown)
        return table
    for sheet in sheets:
        table.add_row(
            sheet.condition.corner,
            f"{sheet.condition.temperature_celsius:g}",
            *(column.shown(sheet.values[column.name]) for column in columns),
        )
    return table
