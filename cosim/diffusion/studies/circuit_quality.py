"""KL of the circuit's samples over many seeds, the network that predicts the noise.

Integrators of transistors, the score in lockstep. What is simulated is committed, seed by seed,
with what made it, in results/data: it is never simulated twice, and can be added to.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from cosim.diffusion.studies.kept import PROJECT_DATA, kept_states
from cosim.diffusion.studies.quality import (
    EPSILON,
    SAMPLES,
    SEEDS,
    problem_of,
    quality,
    ring_kl,
    said,
    software,
    true_ring,
)
from cosim.diffusion.studies.study import Beside, Finding, Workspace

ASKED = 1.3
"""Of the floor: what the mean KL is to be."""

SIMULATED = {("ODE", "transistor"): 20, ("SDE", "transistor"): 20}
"""Seeds by equation and op-amps; raise a number, and only what is missing is simulated."""


def name_of(equation: str, op_amp: str) -> str:
    """Where its samples are kept."""
    return f"circle_epsilon_{equation.lower()}_{op_amp}"


def tables_of(equation: str, op_amp: str, seed: int, samples: int) -> dict[str, Any]:
    """A run of the network that predicts the noise."""
    return {
        "task": "circle", **EPSILON[equation], "fidelity": {"opamp": op_amp},
        "ensemble": {"samples": samples, "seed": seed},
    }  # fmt: skip


def circuit_quality(workspace: Workspace) -> Finding:
    """KL by seed, circuit and software from the same starts and draws, beside the floor."""
    samples = workspace.size(SAMPLES, 60)
    folder = workspace.folder / "data" if workspace.quick else PROJECT_DATA
    floor = quality([true_ring(samples, seed) for seed in range(SEEDS)])
    rows: list[dict[str, Any]] = [{"equation": "-", "solver": "true samples", **floor,
                                   "over_floor": 1.0,
                                   "software_same_seeds_nat": floor["kl_mean_nat"],
                                   "difference_error_nat": 0.0}]  # fmt: skip
    figure, axes = plt.subplots(1, len(EPSILON), figsize=(13, 5), layout="constrained", sharey=True)
    for axis, equation in zip(axes, EPSILON, strict=True):
        workspace.on_progress(f"circuit_quality: {equation}, software")
        problems = [
            problem_of(workspace, EPSILON[equation], seed, samples) for seed in range(SEEDS)
        ]
        clouds = {"software": [software(problem) for problem in problems]}
        for (which, op_amp), wanted in SIMULATED.items():
            if which == equation:
                seeds = workspace.size(wanted, 1)
                clouds[f"{op_amp} op-amps"] = kept_states(
                    workspace, name_of(equation, op_amp),
                    [tables_of(equation, op_amp, seed, samples) for seed in range(seeds)], folder,
                )  # fmt: skip
        by_seed = {
            solver: np.array([ring_kl(one) for one in each]) for solver, each in clouds.items()
        }
        for solver, kl in by_seed.items():
            same = by_seed["software"][: len(kl)]
            found = quality(clouds[solver])
            rows.append({
                "equation": equation, "solver": solver, **found,
                "over_floor": found["kl_mean_nat"] / floor["kl_mean_nat"],
                "software_same_seeds_nat": float(same.mean()),
                "difference_error_nat": float((kl - same).std(ddof=1) / np.sqrt(len(kl)))
                if len(kl) > 1 else float("nan"),
            })  # fmt: skip
            axis.plot(kl, "o-", ms=4, lw=0.8, label=f"{solver}: {_kl(found)}")
        for factor, style in ((1.0, "-"), (ASKED, "--")):
            axis.axhline(factor * floor["kl_mean_nat"], color="black", ls=style, lw=0.9)
        axis.set(xlabel="seed", title=f"{equation}, network that predicts the noise")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    axes[0].set_ylabel(f"KL of {samples} samples (nats)")
    return Finding(figure, rows, _caption(rows, samples), _beside(rows))


def _caption(rows: Sequence[Mapping[str, Any]], samples: int) -> str:
    told = "; ".join(
        f"{row['equation']}, {row['solver']}, {row['seeds']} seed{'s' * (row['seeds'] > 1)}: "
        f"{_kl(row)}, "
        f"{row['over_floor']:.2f} of the floor"
        + ("" if row["solver"] == "software" else _paired(row))
        for row in rows[1:]
    )  # fmt: skip
    return (
        f"Ring, the network that predicts the noise, {samples} samples a seed: integrators with "
        "transistor op-amps (GF180MCU), score in lockstep, and software from the same starts and "
        f"draws. KL of 24 x 24 histograms, mean and deviation over seeds. {told}. Lines: floor, "
        f"true samples ({said(rows[0])}, {rows[0]['seeds']} seeds), and {ASKED} times that"
    )


def _kl(row: Mapping[str, Any]) -> str:
    """A KL with its spread, where it has one."""
    return said(row) if row["seeds"] > 1 else f"{row['kl_mean_nat']:.3f}"


def _paired(row: Mapping[str, Any]) -> str:
    """How far a circuit's KL is from the software's on the same seeds."""
    same = row["software_same_seeds_nat"]
    spread = "" if row["seeds"] == 1 else f" +- {row['difference_error_nat']:.4f}"
    return f" (software on these seeds {same:.3f}, {row['kl_mean_nat'] - same:+.4f}{spread})"


def _beside(rows: Sequence[Mapping[str, Any]]) -> list[Beside]:
    by = {(row["equation"], row["solver"]): row for row in rows}
    return [
        Beside(
            f"KL of the circuit over the floor, {equation}", "not given",
            f"{by[equation, 'transistor op-amps']['over_floor']:.2f}, "
            f"{by[equation, 'transistor op-amps']['seeds']} of the {SEEDS} seeds (software "
            f"{by[equation, 'software']['over_floor']:.2f}, all seeds)",
            f"a network that predicts the noise; asked: {ASKED}",
        )
        for equation in EPSILON
    ]  # fmt: skip
