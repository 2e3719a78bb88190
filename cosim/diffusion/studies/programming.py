"""Programming under variation: yield and error of write-verify over hundreds of cells."""

import csv
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from cosim.characterise.fast_cell import (
    AccessTable,
    FastCells,
    Programmed,
    Variation,
    access_table,
    program_all,
)
from cosim.circuits.cell_1t1r import WriteVerify
from cosim.circuits.rram import RramCard, load_card
from cosim.diffusion.studies.study import Beside, Finding, Workspace
from cosim.engine.isolated import analysed
from cosim.process.process import Process, find_process

LOWEST_SIEMENS, HIGHEST_SIEMENS = 0.02e-3, 0.10e-3
CASES = {
    "none": Variation(),
    "devices differ by 10 %": Variation(device=0.1),
    "gap moves at random, 1e-4 m/s": Variation(gap_metre_per_second=1e-4),
    "gap moves at random, 1e-3 m/s": Variation(gap_metre_per_second=1e-3),
    "read noise 1 % at 10 kohm": Variation(read=0.01),
    "all (10 %, 1e-3 m/s, 1 %)": Variation(0.1, 1e-3, 0.01),
    "all, gap 3e-3 m/s, read 2 %": Variation(0.1, 3e-3, 0.02),
}


NGSPICE = Path(__file__).resolve().parents[3] / "results" / "figures" / "cell.csv"
"""Targets and pulses of cells that ngspice programmed."""


class IsolatedSimulator:
    """Runs netlists in processes of their own."""

    def load(self, netlist: str) -> None:
        """Nothing stays loaded."""

    def set_source(self, name: str, volt: float) -> None:
        """Not of a process that ends."""
        raise NotImplementedError

    def analyse(self, netlist: str) -> dict[str, np.ndarray]:
        """Vectors by name."""
        return analysed(netlist)


def programming_variation(workspace: Workspace) -> Finding:
    """Write-verify of 500 cells for each kind of variation, by the fast path."""
    count = workspace.size(500, 50)
    process, card = find_process("gf180mcu")("typical", 27.0, None, None), load_card()
    table = access_table(IsolatedSimulator(), process)
    target = np.linspace(LOWEST_SIEMENS, HIGHEST_SIEMENS, count)
    recipe = WriteVerify()
    tolerance = recipe.tolerance_siemens
    found: dict[str, Programmed] = {}
    for name, variation in CASES.items():
        workspace.on_progress(f"programming_variation: {name}")
        cells = FastCells(card, process, table, count, variation, seed=1)
        found[name] = program_all(cells, target, recipe)
    rows: list[dict[str, Any]] = []
    figure, axes = plt.subplots(1, 3, figsize=(16, 5), layout="constrained")
    spread, right = {}, []
    for name, one in found.items():
        error = one.siemens - one.target_siemens
        within = np.abs(error) <= tolerance
        right.append(100 * float(within.mean()))
        spread[name] = float(np.std(error[one.done]) / (HIGHEST_SIEMENS - LOWEST_SIEMENS))
        rows += [
            {"variation": name, "target_siemens": one.target_siemens[cell],
             "siemens": one.siemens[cell], "pulses": int(one.pulses[cell]),
             "taken_for_done": int(one.done[cell]), "within_tolerance": int(within[cell])}
            for cell in range(count)
        ]  # fmt: skip
        axes[0].plot(np.sort(np.abs(error) * 1e6), np.linspace(0, 1, count), label=name)
        axes[1].plot(np.sort(one.pulses), np.linspace(0, 1, count), label=name)
    axes[0].axvline(tolerance * 1e6, color="black", ls="--")
    axes[0].set(xlabel="|error| without read noise (uS); dashed: tolerance", xscale="log",
                ylabel="part of the cells", xlim=(0.01, 100))  # fmt: skip
    axes[1].set(xlabel="pulses", ylabel="part of the cells")
    axes[0].legend(fontsize="x-small")
    place = np.arange(len(found))
    done = [100 * float(one.done.mean()) for one in found.values()]
    axes[2].barh(place - 0.2, done, 0.4, label="taken for done")
    axes[2].barh(place + 0.2, right, 0.4, label="within the tolerance")
    axes[2].set_yticks(place, list(found), fontsize="x-small")
    axes[2].invert_yaxis()
    axes[2].set(xlabel=f"% of {count} cells")
    axes[2].legend(fontsize="small")
    for axis in axes:
        axis.grid(alpha=0.3)
    said = "; ".join(
        f"{name}: {done[k]:.1f} % and {right[k]:.1f} %" for k, name in enumerate(found)
    )
    caption = (
        f"Write-verify of {count} cells with targets over the window, at most "
        f"{recipe.maximum_pulses} pulses, by the card's equations with the access transistor from "
        f"a table; without variation {_agreement(card, process, table, recipe)} cells take as "
        f"many pulses as in ngspice. Taken for done, and within the tolerance in truth: {said}. "
        "Sizes of the variations are assumptions within the published decks' range; a cell's read "
        "noise grows with the root of its resistance"
    )
    worst = list(found)[-2]
    return Finding(figure, rows, caption, [
        Beside("write error of an array", "not given",
               f"{100 * spread[worst]:.1f} % of the window (deviation, cells taken for done), "
               f"yield {done[-2]:.1f} %, in truth {right[-2]:.1f} %",
               f"variation assumed: {worst}"),
    ])  # fmt: skip


def _agreement(card: RramCard, process: Process, table: AccessTable, recipe: WriteVerify) -> str:
    """How many cells take as many pulses as those that ngspice programmed, of how many."""
    with NGSPICE.open(encoding="utf8") as file:
        rows = [row for row in csv.DictReader(file) if row["curve"] == "pulses"]
    target, pulses = (np.array([float(row[key]) for row in rows]) for key in "xy")
    found = program_all(FastCells(card, process, table, len(rows)), target, recipe)
    return f"{int((found.pulses == pulses).sum())} of {len(rows)}"
