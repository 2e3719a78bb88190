"""results/figures/benchmarks.png and speed.png from results/benchmarks.json: `python -m
tests.benchmarks.figure`.

What was measured is held against what was asked for; bars beyond the line fall short.
"""

import json

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from cosim.report.figures import save_figure
from tests.benchmarks import speed_figure
from tests.benchmarks.recording import RESULTS

FIGURE = RESULTS.parent / "figures" / "benchmarks.png"
OVERHEAD_ASKED = {"ideal": 4.0, "transistor": 1.5, "split": 1.15}
MICRO = 1e6


def draw_overhead(results: dict, axis: Axes) -> None:
    """Lockstep over playback by plain ngspice: analysis time, and for each accepted point."""
    names = [name for name in results if name.startswith("lockstep_overhead")]
    rows = np.arange(len(names))
    for shift, key, label in (
        (-0.2, "ratio_of_analysis_times", "analysis time"),
        (0.2, "ratio_per_accepted_point", "for each accepted point"),
    ):
        axis.barh(rows + shift, [results[name][key] for name in names], 0.4, label=label)
    for row, name in enumerate(names):
        asked = OVERHEAD_ASKED[name.split(".")[1]]
        axis.plot([asked, asked], [row - 0.45, row + 0.45], "k", label="" if row else "asked, time")
    axis.set_yticks(rows, [name.removeprefix("lockstep_overhead.") for name in names])
    axis.set(title="Lockstep over PWL playback by plain ngspice", xlabel="ratio")
    axis.legend(fontsize="x-small")


def draw_step(results: dict, axis: Axes) -> None:
    """Where the time of an accepted step goes; the split solver's 34 ms would hide the others."""
    names = [
        name for name in results if name.startswith("lockstep_overhead") and "split" not in name
    ]
    left = np.zeros(len(names))
    for key, label in (
        ("score_function", "score"),
        ("rest_of_accepted_point", "recording"),
        ("rest", "ngspice and source callbacks"),
    ):
        steps = [results[name]["step_microsecond"] for name in names]
        parts = [
            step["all"] - step["score_function"] - step["rest_of_accepted_point"]
            if key == "rest"
            else step[key]
            for step in steps
        ]
        axis.barh(range(len(names)), parts, left=left, label=label)
        left += parts
    axis.set_yticks(range(len(names)), [name.removeprefix("lockstep_overhead.") for name in names])
    axis.set(title="Time of an accepted step", xlabel="us")
    axis.legend(fontsize="x-small")


def draw_solvers(results: dict, axis: Axes) -> None:
    """KLU against SPARSE by array size."""
    measured = results["crossbar_operating_point"]
    for solver in ("klu", "sparse"):
        seconds = {int(size): second for size, second in measured[f"{solver}_second"].items()}
        sizes = sorted(seconds)
        exponent = measured["exponent_in_cells"][solver]
        axis.loglog(
            [2 * size**2 for size in sizes], [seconds[size] for size in sizes], "o-",
            label=f"{solver.upper()}, cells^{exponent:.2f}",
        )  # fmt: skip
    axis.set(
        title="Operating point of a crossbar with wires", xlabel="cells (two a weight)", ylabel="s"
    )
    axis.grid(alpha=0.3)
    axis.legend(fontsize="x-small")


def draw_others(results: dict, axis: Axes) -> None:
    """Measured over asked, or asked over measured where more is better: 1 is the limit."""
    own, ensemble = results["pyspice_own_way"], results["ensemble_speed"]
    memory, trace = results["memory_of_a_long_run"], results["trace_store.write"]
    plot = results["trace_store.plot"]
    grown = max(memory["growth"].values())
    rows = [
        ("PySpice's own way / ours", 3 / own["times_faster"], f"{own['times_faster']:.2f} (3)"),
        ("two processes / one", 1.8 / ensemble["speedup"], f"{ensemble['speedup']:.2f} (1.8)"),
        (
            "start-up / solve",
            ensemble["start_up_to_solve"] / 0.1,
            f"{100 * ensemble['start_up_to_solve']:.1f} % (10)",
        ),
        ("memory, 1e6 points", grown / 50, f"{grown:.1f} MB (50)"),
        ("bare h5py / trace, time", 0.6 / trace["speed"], f"{trace['speed']:.2f} (0.6)"),
        ("trace / bare h5py, size", trace["size"] / 1.05, f"{trace['size']:.3f} (1.05)"),
        ("5 GB trace, plot", plot["second"] / 2, f"{plot['second']:.2f} s (2)"),
        ("5 GB trace, memory", plot["megabyte"] / 500, f"{plot['megabyte']:.0f} MB (500)"),
    ]  # fmt: skip
    axis.barh([row[0] for row in rows], [row[1] for row in rows])
    for place, (_, part, text) in enumerate(rows):
        axis.text(max(part, 0.01) + 0.02, place, text, va="center", fontsize="x-small")
    axis.axvline(1, color="black")
    axis.set(title="Part of the limit; measured (asked)", xlim=(0, 1.5))


def main() -> None:
    """Draw them."""
    results = json.loads(RESULTS.read_text())
    figure, axes = plt.subplots(2, 2, figsize=(13, 8.5), layout="constrained")
    for draw, axis in zip(
        (draw_overhead, draw_step, draw_solvers, draw_others), axes.flat, strict=True
    ):
        draw(results, axis)
    save_figure(figure, FIGURE)
    speed_figure.draw(results)


if __name__ == "__main__":
    main()
