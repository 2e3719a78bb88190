"""results/figures/speed.png: samples of transistors, the cost of a step, and what size costs."""

import json
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from cosim.report.figures import save_figure
from tests.benchmarks.recording import RESULTS
from tests.benchmarks.test_step_cost import ASKED
from tests.benchmarks.test_transistor_speed import LONGEST_SECOND

FIGURES = RESULTS.parent / "figures"
Results = dict[str, Any]
COLOURS = {"klu": "tab:blue", "sparse": "tab:orange"}
OVER_LINES = {"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none"}


def draw_samples(results: Results, axis: Axes) -> None:
    """CPU time of a sample of the whole solver before and now."""
    for row, (equation, asked) in enumerate(LONGEST_SECOND.items()):
        measured = results[f"transistor_speed.{equation}"]
        for shift, when, colour in ((0.2, "before", "0.6"), (-0.2, "now", "tab:blue")):
            second = measured[when]["sample_cpu_second"]
            axis.barh(row + shift, second, 0.4, color=colour, label=None if row else when)
            points = measured[when]["points"]
            said = f"{second:.3g} s, {points} points"
            axis.text(second * 1.08, row + shift, said, va="center", bbox=OVER_LINES)
        axis.plot([asked, asked], [row - 0.45, row + 0.45], "k", label=None if row else "asked")
    times = {one: results[f"transistor_speed.{one}"]["times_faster"] for one in LONGEST_SECOND}
    axis.set_yticks(
        range(2), [f"{one.upper()}\n{faster:.1f} times" for one, faster in times.items()]
    )
    axis.set(xscale="log", xlim=(0.3, 1000), xlabel="CPU seconds (one process, its start included)")
    axis.set_title("A sample of the whole ring solver of transistors")
    axis.legend(fontsize="small", loc="lower right")


def draw_step(results: Results, axis: Axes) -> None:
    """An accepted point in lockstep over plain ngspice's, at equal points."""
    for row, (op_amp, asked) in enumerate(ASKED.items()):
        measured = results[f"step_cost.{op_amp}"]
        plain, ours = measured["plain_microsecond"], measured["lockstep_microsecond"]
        start = measured["of_that_start_microsecond"]
        parts = (("plain ngspice", plain, 0.2, 0.0, "0.6"),
                 ("lockstep: points", ours - start, -0.2, start, "tab:blue"),
                 ("lockstep: operating point, set-up", start, -0.2, 0.0, "tab:green"))  # fmt: skip
        for label, width, shift, left, colour in parts:
            axis.barh(row + shift, width, 0.4, left, color=colour, label=None if row else label)
        axis.plot(
            [asked * plain] * 2, [row - 0.45, row + 0.05], "k", label=None if row else "asked"
        )
        said = f"{ours:.0f} us, {ours / plain:.2f} times"
        axis.text(ours + 2, row - 0.2, said, va="center", bbox=OVER_LINES)
    axis.set_yticks(range(2), [f"{one} op-amps" for one in ASKED])
    axis.set(xlim=(0, 190), xlabel="us of CPU an accepted point")
    axis.set_title("A step of the main job")
    axis.legend(fontsize="small", loc="upper right")


def curves(name: str, title: str, *shown: tuple[str, str, str]) -> Callable[[Results, Axes], None]:
    """A panel of cost over size: what is recorded, its name, and its line."""

    def draw(results: Results, axis: Axes) -> None:
        for solver, colour in COLOURS.items():
            measured = results[f"{name}.{solver}"]
            sizes = sorted(measured["sizes"].values(), key=lambda one: one["transistors"])
            for what, label, line in shown:
                power = measured["exponent_in_transistors"][what]
                axis.loglog(
                    [one["transistors"] for one in sizes], [one[what] for one in sizes], line,
                    color=colour, label=f"{label}, {solver.upper()}, n^{power:.2f}",
                )  # fmt: skip
        largest = results[f"{name}.klu"]["sizes"].values()
        for one in largest:
            used = one["peak_megabyte"] - one["process_before_megabyte"]
            axis.annotate(
                f"{used:.0f} MB", (one["transistors"], one["transient_cpu_second"]),
                xytext=(4, -11), textcoords="offset points", fontsize="small",
            )  # fmt: skip
        axis.set(title=title, xlabel="transistors", ylabel="CPU seconds")
        axis.margins(x=0.15)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small", loc="upper left")

    return draw


def caption(results: Results) -> str:
    """With what loads and conditions it was measured under."""
    loads = [results[f"transistor_speed.{one}"]["load"] for one in LONGEST_SECOND]
    loads += [results[f"step_cost.{one}"]["load"] for one in ASKED]
    arrays = results["scale_array.klu"]["sizes"]
    networks = results["scale_network.klu"]["sizes"]
    loads += [one["load"] for one in (*arrays.values(), *networks.values())]
    widest = max(networks, key=int)
    return (
        f"Speed, by CPU time; loads of {min(loads):.1f} to {max(loads):.1f} on two cores. Above, "
        "left: the commit before operating points were kept, and now. Right: lockstep with the "
        "score against plain ngspice at equal points. Below, left: arrays of n x n pairs of 1T1R "
        f"cells (GF180MCU), 2.5 ohm and 1 fF a segment, up to n = {max(map(int, arrays))}: "
        "operating point, and the read of a pattern in 100 points and what edges add. Right: score "
        f"networks 2-w-w-2 of transistors, up to w = {widest} "
        f"({networks[widest]['transistors']:.0f} transistors): the search for the operating point, "
        "and a transient from there. Memory is what ngspice adds, with KLU. Powers are fitted from "
        "500 transistors on"
    )


def draw(results: Results) -> None:
    """The figure, and what the page of figures says of it."""
    figure, axes = plt.subplots(2, 2, figsize=(13, 9), layout="constrained")
    point = "operating_point_cpu_second", "operating point", "s--"
    read = "transient_cpu_second", "read, 100 points", "o-"
    search = "search_cpu_second", "search for the operating point", "s--"
    transient = "transient_cpu_second", "transient, 100 points", "o-"
    panels = (
        draw_samples,
        draw_step,
        curves("scale_array", "Arrays of 1T1R cells with wires", point, read),
        curves("scale_network", "Score networks of transistors", search, transient),
    )
    for panel, axis in zip(panels, np.ravel(axes), strict=True):
        panel(results, axis)
    save_figure(figure, FIGURES / "speed.png")
    said = {"caption": caption(results), "beside": []}
    (FIGURES / "speed.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf8")
