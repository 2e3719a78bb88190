"""The figures of `results/figures`, by name: simulated, drawn, with data and caption.

Those of blocks come from their benches, those of the paper's system from studies.
"""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cosim.characterise.benches import BENCHES
from cosim.characterise.sheet import Condition, Sheet
from cosim.characterise.sheets import conditions, sheets
from cosim.circuits.fidelity import Fidelity
from cosim.diffusion.studies.bench_tempo import bench_tempo
from cosim.diffusion.studies.chips import chip_calibration
from cosim.diffusion.studies.circuit_quality import circuit_quality
from cosim.diffusion.studies.coupling import coupling_order
from cosim.diffusion.studies.digital import digital_baselines
from cosim.diffusion.studies.energy import speed_energy
from cosim.diffusion.studies.error_budget import error_budget
from cosim.diffusion.studies.generation import circle_generation, kl_vs_steps
from cosim.diffusion.studies.letters import letters_generation, letters_start
from cosim.diffusion.studies.lifetime import array_lifetime
from cosim.diffusion.studies.programming import programming_variation
from cosim.diffusion.studies.quality import sampling_quality
from cosim.diffusion.studies.robustness import noise_robustness
from cosim.diffusion.studies.study import Study, Workspace
from cosim.diffusion.studies.waveforms import (
    embedding_waveforms,
    hidden_nodes,
    score_field,
    solver_waveforms,
)
from cosim.diffusion.studies.whole_solver import macro_prediction
from cosim.errors import ConfigurationError
from cosim.files import replacing

PROJECT_FIGURES = Path(__file__).resolve().parents[3] / "results" / "figures"
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
    def quick(self) -> "BenchFigure":
        """At the typical corner, and without transistors where coarser blocks show the same."""
        coarser = tuple(level for level in self.fidelities if level is not Fidelity.TRANSISTOR)
        return replace(self, fidelities=coarser or self.fidelities, corners=self.corners[:1])

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


RUNS = Path(__file__).resolve().parents[3] / "results" / "runs" / "figures"
"""Keeps what studies simulate."""
QUICK_FIGURES = RUNS / "quick" / "figures"

STUDIES = {
    "score_field": Study("The score as a vector field: torch against the circuit", score_field),
    "embedding_waveforms": Study("Held embedding channels and beta over tau", embedding_waveforms),
    "solver_waveforms": Study("One solve: states, scores, hidden nodes, supply", solver_waveforms),
    "hidden_nodes": Study("Hidden nodes against the limit of 1.5 units", hidden_nodes),
    "coupling_order": Study("Lockstep error against step for each scheme", coupling_order),
    "circle_generation": Study("Samples of the ring at several tau", circle_generation),
    "sampling_quality": Study("Why the SDE is poor: the score's slope, and KL", sampling_quality),
    "circuit_quality": Study("KL of the circuit over seeds", circuit_quality, kept=True),
    "letters_generation": Study("Class-conditional letters, decoded", letters_generation),
    "letters_start": Study("Letters from the published start and from their own", letters_start),
    "kl_vs_steps": Study("KL of the digital sampler against its steps", kl_vs_steps),
    "noise_robustness": Study("KL against write noise, read noise, offset", noise_robustness),
    "chip_calibration": Study(
        "Chips that are off, before and after trims", chip_calibration, kept=True
    ),
    "speed_energy": Study("Energy of one sample by block, and how fast it may be", speed_energy),
    "digital_baselines": Study("The same samples on a processor; break-even", digital_baselines),
    "array_lifetime": Study("What solving does to the cells", array_lifetime),
    "programming_variation": Study("Write-verify of cells that vary", programming_variation),
    "error_budget": Study("What each block adds to the error", error_budget),
    "bench_tempo": Study("The published bench's tempo against 20 us", bench_tempo),
    "macro_prediction": Study("Macro blocks against transistors", macro_prediction, kept=True),
}


def find_figures(names: Sequence[str], quick: bool = False) -> list[str]:
    """Names of figures, all of them where none is given; for a quick look without those of
    committed samples.

    Raises:
        ConfigurationError: an unknown one.
    """
    known = [*FIGURES, *STUDIES]
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"There is no figure '{name}'. Choose from {', '.join(known)}."
            )
    left_out = [name for name, study in STUDIES.items() if quick and study.kept]
    return list(names) or [name for name in known if name not in left_out]


def make_figures(
    names: Sequence[str],
    folder: Path,
    jobs: int,
    quick: bool,
    on_progress: Callable[[str], None],
) -> Iterator[tuple[str, Path]]:
    """Make figures, those of one block from one measurement; yields each when it is there.

    Args:
        folder: gets NAME.png and the data: BLOCK.csv for all figures of a block, NAME.csv and
            NAME.json (caption) of a study.
        quick: studies with a tenth of the work, blocks as of `BenchFigure.quick`.
        on_progress: told what is being done.
    """
    measured: dict[tuple[str, tuple[Condition, ...]], list[Sheet]] = {}
    workspace = Workspace(RUNS / "quick" if quick else RUNS, jobs, quick, on_progress)
    for name in names:
        on_progress(name)
        path = folder / f"{name}.png"
        if name in STUDIES:
            STUDIES[name].make(workspace).save(folder, name)
            yield name, path
            continue
        figure = FIGURES[name].quick if quick else FIGURES[name]
        key = figure.block, tuple(figure.conditions)
        if key not in measured:
            measured[key] = list(sheets(figure.block, figure.conditions, jobs))
            write_data(measured[key], folder / f"{figure.block}.csv")
        BENCHES[figure.block].figures[name](measured[key], path)
        yield name, path


MEASURED = {"speed": "benchmarks.json"}
"""Figures of the benchmarks, and what they are drawn from, beside the page."""


def write_data(measured: Sequence[Sheet], path: Path) -> None:
    """The curves behind a figure, a row for each point; a complex ordinate as two columns."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf8") as file:
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


def _thinned(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, DATA_POINTS)).astype(int))


def gallery(folder: Path, page: Path, quick: bool = False) -> str:
    """A page (to be written to `page`) of the figures in a folder, with their captions."""
    place = "" if page.parent == folder else f"{folder.name}/"
    lines = [
        "# Figures",
        "",
        "Made by `cosim figures` from ngspice runs; conditions are in the captions.",
        "",
    ]
    for name in (*STUDIES, *MEASURED, *FIGURES):
        if not (folder / f"{name}.png").is_file():
            continue
        lines += [f"## {name}", "", f"![{name}]({place}{name}.png)", ""]
        if name in FIGURES:
            figure = FIGURES[name].quick if quick else FIGURES[name]
            data = f"Data: [{figure.block}.csv]({place}{figure.block}.csv)."
            lines += [f"{figure.full_caption}. {data}", ""]
            continue
        said = json.loads((folder / f"{name}.json").read_text(encoding="utf8"))
        file = MEASURED.get(name, f"{name}.csv")
        at = file if name in MEASURED else f"{place}{file}"
        lines += [f"{said['caption']}. Data: [{file}]({at}).", ""]
        if said["beside"]:
            lines += ["| | the paper | ours | why they differ |", "|---|---|---|---|"]
            lines += ["| " + " | ".join(one.values()) + " |" for one in said["beside"]]
            lines += [""]
    return "\n".join(lines)
