"""The netlists of `netlists/`: generated, committed for review, each run by plain `ngspice -b`."""

from pathlib import Path

from cosim.config import RunConfig
from cosim.run import Run

PROJECT_NETLISTS = Path(__file__).resolve().parents[1] / "netlists"
MODEL_FOLDER = Path("../.ngspice/gf180mcu")
"""Relative to `netlists/`, so that the committed text is the same on every machine."""


def solver_netlist(task: str, model_folder: Path | None) -> str:
    """The whole solver: transistor-level op-amps, and the score network as conductance pairs."""
    return str(Run(RunConfig(name=task, task=task, score="analog"), model_folder).netlist)


def generated() -> dict[str, str]:
    """Every file of `netlists/` and its text."""
    return {"solver_circle.cir": solver_netlist("circle", MODEL_FOLDER)}
