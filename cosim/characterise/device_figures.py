"""Figures of the RRAM cell and the crossbar."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from cosim.characterise.block_figures import MILLI, NANO, label_of
from cosim.characterise.sheet import Sheet
from cosim.report.figures import MICRO, save_figure


def draw_loops(sheets: Sequence[Sheet], path: Path) -> None:
    """Quasi-static SET and RESET loops at several gate voltages, linear and logarithmic."""
    figure, (linear, logarithmic) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for style, sheet in zip(("-", "--", ":", "-.") * len(sheets), sheets, strict=False):
        loops = _named(sheet, "loop ")
        for number, (gate, (volt, ampere)) in enumerate(loops.items()):
            label = f"gate {gate}, {label_of(sheet, sheets)}"
            linear.plot(volt, MICRO * ampere, style, color=f"C{number}", lw=1, label=label)
            shown = np.maximum(np.abs(ampere), 1e-9)
            logarithmic.semilogy(volt, shown, style, color=f"C{number}", lw=1)
    linear.set(xlabel="bit line - source line (V)", ylabel="current (uA)")
    logarithmic.set(xlabel="bit line - source line (V)", ylabel="|current| (A)", ylim=(1e-8, None))
    linear.legend(fontsize=6)
    for axis in (linear, logarithmic):
        axis.grid(alpha=0.3)
    figure.suptitle("1T1R cell: SET up to the gate's compliance, RESET with the gate open")
    save_figure(figure, path)


def draw_levels(sheets: Sequence[Sheet], path: Path) -> None:
    """Read I-V of conductance levels over the window, and read noise over time; first sheet."""
    sheet = sheets[0]
    figure, (levels, noise) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for siemens, (volt, ampere) in _named(sheet, "level ").items():
        levels.plot(volt, MICRO * ampere, lw=1)
        levels.annotate(siemens, (volt[-1], MICRO * ampere[-1]), fontsize=5)
    levels.set(xlabel="read voltage (V)", ylabel="current (uA)", title="levels")
    for siemens, (time, conductance) in _named(sheet, "noise ").items():
        noise.plot(MILLI * time[2:], MICRO * conductance[2:], lw=0.5, label=siemens)
    noise.set(xlabel="time (ms)", ylabel="conductance (uS)", title="read noise: 1/f and telegraph")
    noise.legend(fontsize="small", loc="center right")
    for axis in (levels, noise):
        axis.grid(alpha=0.3)
    figure.suptitle(f"1T1R cell, {sheet.condition.label}: conductance levels from 20 to 100 uS")
    save_figure(figure, path)


def draw_programming(sheets: Sequence[Sheet], path: Path) -> None:
    """Write-verify: reached against target conductance, error histogram, pulses needed."""
    figure, (reached_axis, histogram, pulses_axis) = plt.subplots(
        1, 3, figsize=(13, 4.2), layout="constrained"
    )
    errors = []
    for sheet in sheets:
        target, reached = sheet.measured.curves["target"]
        reached_axis.plot(MICRO * target, MICRO * reached, ".", label=label_of(sheet, sheets))
        pulses_axis.plot(MICRO * target, sheet.measured.curves["pulses"][1], ".")
        errors.append(MICRO * (reached - target))
    reached_axis.axline((20, 20), slope=1, color="black", lw=0.7)
    reached_axis.set(xlabel="target (uS)", ylabel="reached (uS)")
    reached_axis.legend(fontsize=6)
    histogram.hist(np.concatenate(errors), bins=20)
    histogram.set(xlabel="reached - target (uS)", ylabel="cells")
    pulses_axis.set(xlabel="target (uS)", ylabel="pulses", ylim=(0, None))
    for axis in (reached_axis, histogram, pulses_axis):
        axis.grid(alpha=0.3)
    done = np.mean([sheet.values["programming_yield"] for sheet in sheets])
    figure.suptitle(f"Write-verify from the reset state: yield {100 * done:.0f} %")
    save_figure(figure, path)


def draw_products(sheets: Sequence[Sheet], path: Path) -> None:
    """Crossbar: currents against the ideal product, error and IR drop by size, settling."""
    figure, (product, error, step) = plt.subplots(1, 3, figsize=(13.5, 4.4), layout="constrained")
    for number, sheet in enumerate(sheets):
        curves, colour = sheet.measured.curves, f"C{number % 10}"
        ((size, (ideal, found)),) = _named(sheet, "product ").items()
        product.plot(
            MICRO * ideal, MICRO * found, ".", color=colour,
            label=f"{size} x {size} with wires, {label_of(sheet, sheets)}",
        )  # fmt: skip
        for name, style in (("error wires", "-o"), ("error ideal lines", ":s"), ("drop", "--^")):
            label = name.replace("error wires", "product, wires") if number == 0 else None
            sizes, values = curves[name]
            error.loglog(
                sizes, 100 * np.maximum(values, 1e-12), style, color=colour, ms=4, lw=1,
                label=label and label.replace("error ideal lines", "product, ideal lines")
                .replace("drop", "IR drop of the farthest cell"),
            )  # fmt: skip
        time, ampere = curves["step"]
        step.plot(NANO * time, ampere / ampere[-1], color=colour, lw=1)
    product.axline((0, 0), slope=1, color="black", lw=0.7)
    product.set(xlabel="ideal difference current (uA)", ylabel="array (uA)")
    error.set(xlabel="rows and column pairs", ylabel="error (%)")
    step.set(xlabel="time (ns)", ylabel="current over its end", title="16 x 16, all rows step")
    for axis in (product, error):
        axis.legend(fontsize=6)
    for axis in (product, error, step):
        axis.grid(alpha=0.3)
    figure.suptitle("Crossbar: 2.5 ohm and 1 fF for each cell of line, rows within 0.3 V")
    save_figure(figure, path)


def draw_decoder(sheets: Sequence[Sheet], path: Path) -> None:
    """Row decoder: word lines and gaps while one cell of an array is SET; first sheet."""
    sheet = sheets[0]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for axis, prefix in zip(axes, ("word line ", "gap of "), strict=True):
        for name, (time, values) in sorted(_named(sheet, prefix).items()):
            axis.plot(MICRO * time, values, lw=1, label=name)
        axis.legend(fontsize="small")
        axis.grid(alpha=0.3)
    axes[0].set(xlabel="time (us)", ylabel="volt", title="word lines: row 0, then 2, then 1")
    axes[1].set(xlabel="time (us)", ylabel="gap (nm)", title="cells: SET of row 2, column 1")
    figure.suptitle(f"Row decoder and 1T1R array, {sheet.condition.label}")
    save_figure(figure, path)


def _named(sheet: Sheet, prefix: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Curves whose name starts so, by the rest of the name."""
    return {
        name.removeprefix(prefix): curve
        for name, curve in sheet.measured.curves.items()
        if name.startswith(prefix)
    }
