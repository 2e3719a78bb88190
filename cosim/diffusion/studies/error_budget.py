"""What each block of transistors adds to the solver's error against float64, and what corners and
temperatures add to that of all.
"""

import re
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from cosim.diffusion.studies.study import Beside, Finding, Workspace

SAMPLES = {"ode": 6, "sde": 3}
QUICK_SAMPLES = {"ode": 1}
WHOLE = "all transistors"
WHOLE_SAMPLES = 20
"""Of the whole solver of transistors; once more it has the fewer starts of its parts."""

ALONE: tuple[tuple[str, ...], ...] = (
    (),
    ("opamp",),
    ("opamp", "switch"),
    ("opamp", "multiplier"),
    ("opamp", "cell"),
    ("opamp", "transimpedance"),
    ("opamp", "relu"),
)
"""Of transistors, all others ideal. Stages of op-amps find no operating point in a loop that ideal
integrators close, so the integrators' op-amps are of transistors beside each."""

BUT: tuple[str, ...] = ("multiplier", "relu")
"""Ideal, all others of transistors."""

ELSEWHERE: dict[str, dict[str, object]] = {
    "ss": {"corner": "ss"},
    "ff": {"corner": "ff"},
    "-40 °C": {"temperature_celsius": -40},
    "125 °C": {"temperature_celsius": 125},
}
"""Where all are of transistors, but not typical ones at 27 degrees."""


def error_budget(workspace: Workspace) -> Finding:
    """ODE and SDE of the ring, one block after the other of transistors, from the same starts."""
    cases = _cases()
    sizes = QUICK_SAMPLES if workspace.quick else SAMPLES
    figure, (axes,) = plt.subplots(
        1, len(sizes), figsize=(11, 5), sharey=True, layout="constrained", squeeze=False
    )
    rows: list[dict[str, object]] = []
    told, away = [], []
    for axis, (equation, samples) in zip(axes, sizes.items(), strict=True):
        found = {}
        for name, sections in cases.items():
            part = "_".join(["error_budget", equation, *re.findall(r"\w+", name)])
            many = name == WHOLE and not workspace.quick
            run, trace = workspace.trace(part, {
                "task": "circle", "score": "analog", "equation": equation, **sections,
                "ensemble": {"samples": WHOLE_SAMPLES if many else samples, "seed": 1},
            })  # fmt: skip
            trace.close()
            judged = run.execute(workspace.folder / part, resume=True).verdicts
            percent = found[name] = np.array([100 * one.error for one in judged])
            rows.append({
                "equation": equation, "transistors": name, "samples": len(percent),
                "median_percent": float(np.median(percent)), "worst_percent": float(percent.max()),
            })  # fmt: skip
        _draw(axis, equation, found)
        last = found[WHOLE]
        told.append(f"{np.median(last):.2f} % median and {last.max():.2f} % worst ({equation})")
        away.append(
            ", ".join(f"{np.median(found[_at(place)]):.1f} at {place}" for place in ELSEWHERE)
            + f" ({equation})"
        )
    caption = (
        "Largest error of a solve against float64, in % of the range of its states, from the same "
        f"starts, by the blocks that are of transistors; lines to the worst start. All: "
        f"{' and '.join(told)}, of {len(last)} starts; medians elsewhere: {'; '.join(away)}"
    )
    return Finding(figure, rows, caption, [
        Beside("error of the circuit", "not given", "; ".join(told),
               "ODE: charge of the switches; SDE: what lags the noise")
    ])  # fmt: skip


def _cases() -> dict[str, dict[str, Any]]:
    """What a run has by the names of the cases."""
    whole = {"all": "transistor"}
    fidelities = {"+".join(blocks) or "all ideal": _alone(blocks) for blocks in ALONE}
    fidelities |= {f"all but {block}": whole | {block: "ideal"} for block in BUT}
    fidelities |= {WHOLE: whole, f"{WHOLE}, starts as above": whole}
    cases: dict[str, dict[str, Any]] = {
        name: {"fidelity": fidelity} for name, fidelity in fidelities.items()
    }
    return cases | {
        _at(place): {"fidelity": whole, "process": process} for place, process in ELSEWHERE.items()
    }


def _alone(blocks: Sequence[str]) -> dict[str, str]:
    return {"all": "ideal"} | dict.fromkeys(blocks, "transistor")


def _at(place: str) -> str:
    return f"{WHOLE}, {place}"


def _draw(axis: Axes, equation: str, found: dict[str, np.ndarray]) -> None:
    places = np.arange(len(found))[::-1]
    median = [float(np.median(percent)) for percent in found.values()]
    worst = [float(percent.max()) for percent in found.values()]
    axis.hlines(places, median, worst, color="lightsteelblue", linewidth=6)
    axis.plot(median, places, "o", color="steelblue", label="median")
    axis.plot(worst, places, "|", color="black", markersize=10, label="worst")
    axis.set_yticks(places, list(found))
    axis.set_xscale("log")
    axis.set_xlabel(f"error (% of range), {equation.upper()}")
    axis.grid(alpha=0.3, axis="x", which="both")
    axis.legend(fontsize="small")
