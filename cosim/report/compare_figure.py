"""Figures of comparisons: signals with golden curve, band and violations; or distributions."""

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np

from cosim.report.figures import MICRO, save_figure
from cosim.trace.verdict import Comparison

if TYPE_CHECKING:  # which brings POT, and that torch: seconds
    from cosim.trace.compare_distributions import DistributionComparison

SHOWN = 6


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """The worst signals, at most six."""
    worst_first = sorted(comparison.signals, key=lambda signal: signal.severity, reverse=True)
    shown = [signal for signal in worst_first if signal.curves is not None][:SHOWN]
    figure, axes = plt.subplots(
        max(len(shown), 1), 2, figsize=(11, 2.6 * max(len(shown), 1)), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for (whole, difference), signal in zip(axes, shown, strict=False):
        assert signal.curves is not None
        curves = signal.curves()
        time = MICRO * curves.time_second
        whole.plot(time, curves.golden, color="black", lw=1, label="golden")
        whole.plot(time, curves.run, "--", color="C0", lw=1, label="run")
        whole.set(title=signal.title, ylabel=signal.unit)
        below, above = curves.lowest - curves.golden, curves.highest - curves.golden
        difference.fill_between(time, below, above, color="0.85", label="band")
        difference.plot(time, curves.run - curves.golden, color="C0", lw=0.8, label="run - golden")
        for name, violation in (("first", signal.first), ("worst", signal.worst)):
            if violation is not None:
                at = MICRO * violation.time_second
                golden = float(np.interp(at, time, curves.golden))
                difference.plot(at, violation.value - golden, "o", ms=4, label=name)
                whole.axvline(at, color="C3", lw=0.6)
        difference.set(title=signal.note or signal.verdict)
        for axis in (whole, difference):
            axis.legend(fontsize="x-small")
            axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("time (us)")
    figure.suptitle(f"{comparison.run} against {comparison.golden}", fontsize="small")
    save_figure(figure, path)


def draw_distributions(comparison: "DistributionComparison", path: Path) -> None:
    """Samples of the first six signals, run over golden, and the distances of all."""
    shown = comparison.signals[:SHOWN]
    figure, axes = plt.subplots(
        1, len(shown), figsize=(1.5 + 3.2 * len(shown), 3.2), layout="constrained", squeeze=False
    )
    mine, theirs = comparison.values
    for index, (axis, name) in enumerate(zip(axes[0], shown, strict=True)):
        edges = np.histogram_bin_edges(np.concatenate([mine[:, index], theirs[:, index]]), 30)
        for samples, label in ((theirs, "golden"), (mine, "run")):
            axis.hist(samples[:, index], edges, density=True, histtype="step", label=label)
        axis.set_xlabel(name)
        axis.legend(fontsize="x-small")
    figure.suptitle(
        "; ".join(
            f"{one.name} {one.value:.3g}, limit {one.limit:.3g}, p = {one.p_value:.3f}"
            for one in comparison.distances
        ),
        fontsize="small",
    )
    save_figure(figure, path)
