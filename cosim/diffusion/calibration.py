"""Fit the mapping to the measured blocks: ReLU curve for training, gain and offset of the score."""

from dataclasses import dataclass

import numpy as np
import torch

from cosim.characterise.sheets import conditions, sheets
from cosim.circuits.fidelity import Fidelity
from cosim.diffusion.circuit.nodes import score_node
from cosim.diffusion.run import Run
from cosim.engine.isolated import analysed
from cosim.engine.session import saved
from cosim.errors import ConfigurationError

TIMES = (1.0, 0.5, 0.1)
LIMIT_UNIT, POINTS = 1.2, 5
SUPPLY_VOLT, VOLT_PER_UNIT = 3.3, 0.1


def measured_activation() -> np.ndarray:
    """What the ReLU of transistors gives out, in ngspice, at the typical corner and 27 C [2, n]:
    inputs and outputs in units.
    """
    where = conditions("gf180mcu", ("typical",), (27.0,), SUPPLY_VOLT, Fidelity.TRANSISTOR)
    (sheet,) = sheets("relu", where, 1)
    return np.stack(sheet.measured.curves["transfer"]) / VOLT_PER_UNIT


def score_on_grid(run: Run, grid: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Raw score of the run's network in its netlist, by operating points, and of torch, both
    [points^2, states], on a square grid of states, x1 fastest.

    Raises:
        ConvergenceError, EngineError: ngspice found no operating point.
    """
    scaling, states = run.config.scaling, run.problem.network.states
    low, high, step = (
        scaling.volt_per_unit * float(unit) for unit in (grid[0], grid[-1], grid[1] - grid[0])
    )
    sweep = " ".join(f"vstate_{k} {low:.9g} {high + step / 10:.9g} {step:.9g}" for k in (0, 1))
    nodes = [score_node(k) for k in range(states)]
    asked = f"{saved([*nodes, 'analog_ground'])}\n.dc {sweep}\n.end\n"
    found = analysed(f"{run.plan.design.score_bench(t)}\n{asked}")
    volts = np.stack([found[node] - found["analog_ground"] for node in nodes], axis=1)
    x = np.stack(np.meshgrid(grid, grid, indexing="xy"), axis=-1).reshape(-1, 2)
    with torch.inference_mode():
        now = torch.tensor(t, dtype=torch.float64)
        exact = run.problem.network.raw_output(torch.from_numpy(x), now).numpy()
    return volts / scaling.volt_per_unit, exact


@dataclass(frozen=True)
class Calibration:
    """Of each score output: measured = gain * wanted + offset, and what is left of the error.

    Attributes:
        gains, offsets_unit: for `[calibration]` of a run file.
        error, left: largest error over the range, as it is and after the fit.
    """

    gains: tuple[float, ...]
    offsets_unit: tuple[float, ...]
    error: float
    left: float

    @property
    def toml(self) -> str:
        """For a run file."""
        gains, offsets = (
            ", ".join(f"{value:.6f}" for value in values)
            for values in (self.gains, self.offsets_unit)
        )
        return f"[calibration]\ngains = [{gains}]\noffsets_unit = [{offsets}]\n"


def calibrate(run: Run) -> Calibration:
    """Fit gain and offset of each output by least squares over states and times.

    Raises:
        ConfigurationError: the run's score is not all in the netlist, or of other than two states.
        ConvergenceError, EngineError: ngspice found no operating point.
    """
    if run.config.score != "analog" or run.problem.network.states != 2:
        raise ConfigurationError(
            "Only a score of two states that is in the netlist can be calibrated: give "
            "`--score analog`."
        )
    grid = np.linspace(-LIMIT_UNIT, LIMIT_UNIT, POINTS)
    pairs = [score_on_grid(run, grid, t) for t in TIMES]
    measured, wanted = (np.concatenate(column) for column in zip(*pairs, strict=True))
    fits = [np.polyfit(x, y, 1) for x, y in zip(wanted.T, measured.T, strict=True)]
    gains, offsets = np.array(fits).T
    scale = np.ptp(wanted)
    return Calibration(
        tuple(gains.tolist()),
        tuple(offsets.tolist()),
        float(np.abs(measured - wanted).max() / scale),
        float(np.abs((measured - offsets) / gains - wanted).max() / scale),
    )
