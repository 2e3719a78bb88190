"""The whole solver of transistors against macro blocks, which foretell its samples, and software.

Both levels solve from the same starts, with the same draws, so that their samples differ in pairs
by far less than either from the ring. What is simulated is committed: `studies.kept`.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from cosim.diffusion.studies.generation import BOOTSTRAPS, MACRO, bootstrap_interval
from cosim.diffusion.studies.kept import PROJECT_DATA, kept_states
from cosim.diffusion.studies.quality import DISPLACEMENTS, EPSILON, ring_kl, software
from cosim.diffusion.studies.study import Finding, Workspace
from cosim.diffusion.studies.waveforms import WHOLE

CASES: dict[str, tuple[dict[str, Any], int]] = {
    "ODE": ({"equation": "ode"}, 500),
    "SDE": ({"equation": "sde"}, 100),
    "epsilon ODE": (EPSILON["ODE"], 500),
    "epsilon SDE": (EPSILON["SDE"], 100),
}
"""Equation and network, and how many samples: a second of transistors each for an ODE, three for an
SDE. Raise a number, and only what is missing is simulated."""

LEVELS = {"macro": MACRO, "transistor": WHOLE}


def name_of(case: str, level: str) -> str:
    """Where a case's samples are kept."""
    return f"whole_{case.replace(' ', '_').lower()}_{level}"


def tables_of(case: str, level: str, samples: int) -> dict[str, Any]:
    """The run of a case."""
    return {"task": "circle", **CASES[case][0], **LEVELS[level], "ensemble": {"samples": samples}}


def macro_prediction(workspace: Workspace) -> Finding:
    """KL of the whole solver at both levels and of software, and what the pairs differ by."""
    folder = workspace.folder / "data" if workspace.quick else PROJECT_DATA
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
    rows: list[dict[str, Any]] = []
    for place, (case, (_, whole)) in enumerate(CASES.items()):
        runs = {level: tables_of(case, level, workspace.size(whole, 4)) for level in LEVELS}
        clouds = {
            level: kept_states(workspace, name_of(case, level), [run], folder)[0]
            for level, run in runs.items()
        }
        run = workspace.run("software", runs["macro"])
        clouds["software"] = software(run.problem)
        macro_nat = ring_kl(clouds["macro"], DISPLACEMENTS)
        found = [_row(case, level, clouds, run, macro_nat) for level in clouds]
        rows += found
        for shift, row in enumerate(found):
            kl = row["kl_2d_nat"]
            left.errorbar(
                place + 0.2 * (shift - 1), kl, [[kl - row["kl_low"]], [row["kl_high"] - kl]],
                marker="o", capsize=3, color=f"C{shift}", label=None if place else row["level"],
            )  # fmt: skip
        apart = np.sort(np.linalg.norm(clouds["transistor"] - clouds["macro"], axis=1))
        right.plot(apart, np.arange(1, len(apart) + 1) / len(apart), label=case)
    left.set_xticks(range(len(CASES)), [f"{case}\n{rows[3 * n]['samples']} samples"
                                        for n, case in enumerate(CASES)])  # fmt: skip
    left.set_ylabel("KL of 24 x 24 histograms (nats)\n95 % bootstrap interval")
    left.legend(fontsize="small")
    right.set(
        xscale="log", xlabel="distance of transistors' samples from macro blocks' (units)",
        ylabel="part of the samples",
    )  # fmt: skip
    right.legend(fontsize="small")
    for axis in (left, right):
        axis.grid(alpha=0.3)
    return Finding(figure, rows, _caption(rows))


def _row(
    case: str, level: str, clouds: dict[str, np.ndarray], run: Any, macro_nat: float
) -> dict[str, Any]:
    """A level's KL with its interval, and what it is above that of the macro blocks."""
    samples = clouds[level]
    low, high = bootstrap_interval(samples, run)
    below, above = paired_interval(samples, clouds["macro"])
    smooth_kl = ring_kl(samples, DISPLACEMENTS)
    apart = np.linalg.norm(samples - clouds["software"], axis=1)
    return {
        "case": case, "level": level, "samples": len(samples), "kl_2d_nat": ring_kl(samples),
        "kl_low": low, "kl_high": high,
        "kl_displaced_nat": smooth_kl, "over_macro_nat": smooth_kl - macro_nat,
        "over_macro_low": below, "over_macro_high": above,
        "interval_percent_of_kl": 100 * (above - below) / smooth_kl,
        "median_from_software_unit": float(np.median(apart)),
        "largest_from_software_unit": float(apart.max()),
    }  # fmt: skip


def paired_interval(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """95 % interval of the first's KL less the second's, in displaced histograms, of samples in
    pairs [samples, states]: each bootstrap draws the same pairs of both.
    """
    generator = np.random.default_rng(0)
    differences = []
    for _ in range(BOOTSTRAPS):
        drawn = generator.integers(len(first), size=len(first))
        one, other = (ring_kl(cloud[drawn], DISPLACEMENTS) for cloud in (first, second))
        differences.append(one - other)
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)


def _caption(rows: Sequence[dict[str, Any]]) -> str:
    told = "; ".join(
        f"{row['case']}, {row['samples']} samples: KL {row['kl_2d_nat']:.3f} nats; in pairs "
        f"{row['over_macro_nat']:+.3f} over macro blocks (95 % of {row['over_macro_low']:+.3f} to "
        f"{row['over_macro_high']:+.3f}, {row['interval_percent_of_kl']:.0f} % of "
        f"{row['kl_displaced_nat']:.3f}), median "
        f"{row['median_from_software_unit']:.4f} units from the software's"
        for row in rows
        if row["level"] == "transistor"
    )
    return (
        "Ring, the whole solver in the netlist: transistors (GF180MCU, bandgap included), macro "
        "blocks and software, from the same starts and draws; left in one histogram of 24 x 24 "
        f"cells, pairs in the mean of {DISPLACEMENTS**2}, displaced by quarters of a cell. "
        f"Of transistors: {told}"
    )
