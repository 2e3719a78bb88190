"""How much noise and offset the solver bears."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from cosim.diffusion.studies.generation import EQUATIONS, metrics
from cosim.diffusion.studies.study import Beside, Finding, Workspace

IDEAL = {"fidelity": {"all": "ideal"}}
SWEEPS: dict[str, tuple[str, tuple[float, ...], float]] = {
    "write_noise": ("relative error of every cell, written once", (0.0, 0.05, 0.1, 0.2), 100),
    "read_noise": ("relative fluctuation of every cell, 200 draws in a solve",
                   (0.0, 0.05, 0.1), 100),
    "offset": ("input offset of the integrators' op-amps (mV)", (0.0, 2e-3, 5e-3, 10e-3), 1e3),
}  # fmt: skip
"""What is varied: in words, its standard deviations, and their factor in the figure."""


def _tables(kind: str, level: float, seed: int, equation: str, count: int) -> dict[str, Any]:
    """A run with ideal blocks, in which one thing is off."""
    tables: dict[str, Any] = {
        "task": "circle", "equation": equation, **IDEAL,
        "ensemble": {"samples": count, "seed": seed},
    }  # fmt: skip
    if level and kind == "offset":
        tables["op_amp"] = {"offset_volt": level, "offset_seed": seed}
    elif level:
        key = {"write_noise": "write_error", "read_noise": "read_noise"}[kind]
        tables["window"] = {key: level, "write_seed": seed}
    return tables


def noise_robustness(workspace: Workspace) -> Finding:
    """KL against write noise, read noise and op-amp offset, ODE and SDE, with the seeds' spread."""
    count, seeds = workspace.size(40, 12), workspace.size(5, 2)
    sweep, rows = {}, []
    for kind, (_, levels, _) in SWEEPS.items():
        for equation in EQUATIONS:
            for level in levels if not workspace.quick else (levels[0], levels[-1]):
                for seed in range(seeds):
                    tables = _tables(kind, level, seed, equation, count)
                    sweep[f"{kind}_{equation}_{level:g}_{seed}"] = tables
    found = workspace.final_states(sweep)
    figure, axes = plt.subplots(2, 3, figsize=(13, 7.5), layout="constrained", sharey="row")
    for column, (kind, (words, levels, factor)) in enumerate(SWEEPS.items()):
        for equation in EQUATIONS:
            shown = levels if not workspace.quick else (levels[0], levels[-1])
            pooled, each = [], []
            for level in shown:
                own = [found[f"{kind}_{equation}_{level:g}_{seed}"] for seed in range(seeds)]
                run = workspace.run("any", _tables(kind, level, 0, equation, count))
                pooled.append(metrics(np.concatenate(own), run)["kl_2d_nat"])
                of_seeds = [metrics(states, run) for states in own]
                each.append([one["sliced_wasserstein_unit"] for one in of_seeds])
                rows += [
                    {"kind": kind, "equation": equation, "level": level, "seed": seed,
                     "samples": count, **one}
                    for seed, one in enumerate(of_seeds)
                ]  # fmt: skip
            x = factor * np.array(shown)
            label = equation.upper()
            axes[0, column].plot(x, pooled, "o-", label=f"{label}, all seeds together")
            axes[1, column].errorbar(
                x, np.mean(each, axis=1), np.std(each, axis=1), marker="o", capsize=3, label=label
            )
        unit = "" if kind == "offset" else " (%)"
        axes[1, column].set_xlabel(words + unit)
        for axis in axes[:, column]:
            axis.grid(alpha=0.3)
            axis.legend(fontsize="small")
    axes[0, 0].set_ylabel(f"KL, {seeds * count} samples (nats)")
    axes[1, 0].set_ylabel("sliced Wasserstein distance (units)\nmean and deviation of the seeds")
    caption = (
        f"Ring, {count} samples for each of {seeds} seeds (initial states, errors and noise); "
        "integrators ideal but for the offset, the score in lockstep with its cells as programmed "
        "and read. Above: KL of 24 x 24 histograms of all seeds' samples; below: spread over seeds"
    )
    return Finding(figure, rows, caption, [
        Beside("write and read noise", "claimed robust; write noise is the main harm, read noise "
               "tolerated (a follow-up's abstract)", _ordering(rows), "sweep values not published"),
    ])  # fmt: skip


def _ordering(rows: list[dict[str, Any]]) -> str:
    """By how much 10 % of each noise moves the samples away."""

    def mean(kind: str, level: float) -> float:
        return float(
            np.mean(
                [r["sliced_wasserstein_unit"] for r in rows
                 if (r["kind"], r["level"], r["equation"]) == (kind, level, "ode")]
            )
        )  # fmt: skip

    levels = {
        kind: max(r["level"] for r in rows if r["kind"] == kind)
        for kind in ("write_noise", "read_noise")
    }
    return "; ".join(
        f"{100 * level:g} % {kind.replace('_', ' ')}: distance {mean(kind, 0.0):.3f} to "
        f"{mean(kind, level):.3f} units (ODE)"
        for kind, level in levels.items()
    )
