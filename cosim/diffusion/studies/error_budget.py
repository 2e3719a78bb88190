"""What each block of transistors adds to the solver's error against float64."""

import re
from collections.abc import Sequence

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


def error_budget(workspace: Workspace) -> Finding:
    """ODE and SDE of the ring, one block after the other of transistors, from the same starts."""
    whole = {"all": "transistor"}
    cases = {"+".join(blocks) or "all ideal": _alone(blocks) for blocks in ALONE}
    cases |= {WHOLE: whole, f"{WHOLE}, starts as above": whole}
    cases |= {f"all but {block}": whole | {block: "ideal"} for block in BUT}
    sizes = QUICK_SAMPLES if workspace.quick else SAMPLES
    figure, (axes,) = plt.subplots(
        1, len(sizes), figsize=(11, 5), sharey=True, layout="constrained", squeeze=False
    )
    rows: list[dict[str, object]] = []
    told = []
    for axis, (equation, samples) in zip(axes, sizes.items(), strict=True):
        found = {}
        for name, fidelity in cases.items():
            part = "_".join(["error_budget", equation, *re.findall(r"\w+", name)])
            many = name == WHOLE and not workspace.quick
            run, trace = workspace.trace(part, {
                "task": "circle", "score": "analog", "equation": equation, "fidelity": fidelity,
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
    caption = (
        "Largest error of a solve against float64, in % of the range of its states, from the same "
        f"starts, by the blocks that are of transistors; bars to the worst start. All: "
        f"{' and '.join(told)}, of {len(last)} starts"
    )
    return Finding(figure, rows, caption, [
        Beside("error of the circuit", "not given", "; ".join(told),
               "ODE: offsets of the multipliers, charge of the switches; SDE: what lags the noise")
    ])  # fmt: skip


def _alone(blocks: Sequence[str]) -> dict[str, str]:
    return {"all": "ideal"} | dict.fromkeys(blocks, "transistor")


def _draw(axis: Axes, equation: str, found: dict[str, np.ndarray]) -> None:
    places = np.arange(len(found))[::-1]
    median = [float(np.median(percent)) for percent in found.values()]
    worst = [float(percent.max()) for percent in found.values()]
    axis.barh(places, worst, color="lightsteelblue", label="worst")
    axis.barh(places, median, height=0.5, color="steelblue", label="median")
    axis.set_yticks(places, list(found))
    axis.set_xlabel(f"error (% of range), {equation.upper()}")
    axis.grid(alpha=0.3, axis="x")
    axis.legend(fontsize="small")
