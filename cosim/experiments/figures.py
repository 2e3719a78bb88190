"""The figures of `results/figures`, by name: measured in ngspice, drawn, with data and caption."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cosim.circuits.fidelity import Fidelity
from cosim.errors import ConfigurationError
from cosim.experiments.bench import BENCHES, conditions, sheets
from cosim.report.sheet import Condition, Sheet

PROJECT_FIGURES = Path(__file__).resolve().parents[2] / "results" / "figures"
SUPPLY_VOLT = 3.3
DATA_POINTS = 500
"""Of a curve in the data file; longer ones are thinned."""


@dataclass(frozen=True)
class BenchFigure:
    """A figure of a block's bench.

    Attributes:
        caption: what it shows; its conditions are added.
    """

    block: str
    caption: str
    fidelities: tuple[Fidelity, ...]
    corners: tuple[str, ...] = ("typical",)
    temperatures_celsius: tuple[float, ...] = (27.0,)

    @property
    def conditions(self) -> list[Condition]:
        """Where its block is measured."""
        return [
            condition
            for fidelity in self.fidelities
            for condition in conditions(
                "gf180mcu", self.corners, self.temperatures_celsius, SUPPLY_VOLT, fidelity
            )
        ]

    @property
    def full_caption(self) -> str:
        """With the conditions."""
        where = (
            f"{', '.join(self.fidelities)}; GF180MCU {', '.join(self.corners)}; "
            f"{', '.join(f'{celsius:g}' for celsius in self.temperatures_celsius)} C; "
            f"{SUPPLY_VOLT:g} V"
        )
        return f"{self.caption} ({where})"


LEVELS = tuple(Fidelity)
TRANSISTOR = (Fidelity.TRANSISTOR,)
CORNERS = ("typical", "ff", "ss", "fs", "sf")
_OP_AMP = BenchFigure("opamp", "", TRANSISTOR, CORNERS)
_CELL = BenchFigure("cell", "", TRANSISTOR)

FIGURES = {
    "cell_iv": replace(
        _CELL, caption="1T1R cell, quasi-static: SET and RESET loops at several gate voltages"
    ),
    "cell_levels": replace(
        _CELL,
        caption="Conductance levels, each with its read I-V, and read noise over time: 1/f, whose "
        "draws no seed repeats, and one telegraph trap",
    ),
    "programming": replace(
        _CELL, caption="Write-verify: target against reached conductance, error, pulses needed"
    ),
    "opamp_bode": replace(
        _OP_AMP, caption="Two-stage op-amp, open loop at 20 pF and 50 kohm: gain and phase"
    ),
    "opamp_step": replace(
        _OP_AMP, caption="Two-stage op-amp as follower: small and large steps, slew and settling"
    ),
    "mvm_accuracy": BenchFigure(
        "crossbar",
        "Crossbar against the ideal product, with and without wires, by size; IR drop; settling",
        (Fidelity.IDEAL, Fidelity.TRANSISTOR),
    ),
    "decoder": BenchFigure(
        "decoder", "Row decoder of an array: one cell is SET, the others rest", TRANSISTOR
    ),
    "relu_transfer": BenchFigure("relu", "ReLU: transfer, its error, and a pulse", LEVELS),
    "multiplier_transfer": BenchFigure(
        "multiplier", "Four-quadrant multiplier: transfer, and what the gain leaves", LEVELS
    ),
    "integrator_waveform": BenchFigure(
        "integrator", "Integrator: precharge, ramp and hold; leak; gain over frequency", LEVELS
    ),
    "transimpedance_transfer": BenchFigure(
        "transimpedance", "Differential transimpedance stage: transfer and response", LEVELS
    ),
    "dac_transfer": BenchFigure(
        "dac", "12-bit R-2R converter: nonlinearity, full-scale step, major carry", LEVELS
    ),
    "voltage_reference": BenchFigure(
        "voltage_reference", "Bandgap and buffer: start-up, regulation, impedance", TRANSISTOR,
        CORNERS,
    ),
    "noise": BenchFigure(
        "noise", "Wiener term by TRNOISE: wave, draws, spectrum, Brownian variance",
        (Fidelity.IDEAL,),
    ),
}  # fmt: skip


def find_figures(names: Sequence[str]) -> list[str]:
    """Names of figures, all of them where none is given.

    Raises:
        ConfigurationError: an unknown one.
    """
    for name in names:
        if name not in FIGURES:
            raise ConfigurationError(
                f"There is no figure '{name}'. Choose from {', '.join(FIGURES)}."
            )
    return list(names) or list(FIGURES)


def make_figures(names: Sequence[str], folder: Path, jobs: int) -> Iterator[tuple[str, Path]]:
    """Make figures, those of one block from one measurement; yields each when it is there.

    Args:
        folder: gets NAME.png, and BLOCK.csv with the data of all figures of a block.
    """
    measured: dict[tuple[str, tuple[Condition, ...]], list[Sheet]] = {}
    for name in names:
        figure = FIGURES[name]
        key = figure.block, tuple(figure.conditions)
        if key not in measured:
            measured[key] = list(sheets(figure.block, figure.conditions, jobs))
            write_data(measured[key], folder / f"{figure.block}.csv")
        path = folder / f"{name}.png"
        BENCHES[figure.block].figures[name](measured[key], path)
        yield name, path


def write_data(measured: Sequence[Sheet], path: Path) -> None:
    """The curves behind a figure, a row for each point; a complex ordinate as two columns."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="", encoding="utf8") as file:
        table = csv.writer(file)
        table.writerow(["fidelity", "corner", "celsius", "curve", "x", "y", "y_imaginary"])
        for sheet in measured:
            where = sheet.condition
            labels = [where.fidelity, where.corner, f"{where.temperature_celsius:g}"]
            for curve, (x, y) in sheet.measured.curves.items():
                for index in _thinned(len(x)):
                    imaginary = f"{y[index].imag:.6g}" if np.iscomplexobj(y) else ""
                    values = [f"{x[index]:.7g}", f"{y[index].real:.6g}", imaginary]
                    table.writerow([*labels, curve, *values])
    partial.replace(path)


def _thinned(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, DATA_POINTS)).astype(int))


def gallery(folder: Path, page: Path) -> str:
    """A page (to be written to `page`) of the figures in a folder, with their captions."""
    place = "" if page.parent == folder else f"{folder.name}/"
    lines = ["# Figures", "", "Made by `cosim figures` from ngspice runs.", ""]
    for name, figure in FIGURES.items():
        if (folder / f"{name}.png").is_file():
            data = f"Data: [{figure.block}.csv]({place}{figure.block}.csv)."
            lines += [f"## {name}", "", f"![{name}]({place}{name}.png)", ""]
            lines += [f"{figure.full_caption}. {data}", ""]
    return "\n".join(lines)
