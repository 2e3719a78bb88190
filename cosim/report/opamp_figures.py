"""Figures of the op-amp's spec sheet: `opamp_bode` and `opamp_step`."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from cosim.experiments.bench import OpAmpSheet
from cosim.report.figures import MICRO, save_figure


def draw_bode(sheets: Sequence[OpAmpSheet], path: Path) -> None:
    """Open-loop gain and phase of every condition, with the spread of GBW and phase margin."""
    figure, (gain_axis, phase_axis) = plt.subplots(
        2, 1, figsize=(8, 6.5), sharex=True, layout="constrained"
    )
    for sheet in sheets:
        frequency, gain = sheet.open_loop
        label = f"{sheet.condition.corner}, {sheet.condition.temperature_celsius:g} C"
        gain_axis.semilogx(frequency, 20 * np.log10(np.abs(gain)), lw=1, label=label)
        phase_axis.semilogx(frequency, np.degrees(np.unwrap(np.angle(gain))), lw=1)
    for margin in (0, -180):
        (gain_axis if margin == 0 else phase_axis).axhline(margin, color="black", lw=0.7)
    gain_axis.set_ylabel("open-loop gain (dB)")
    gain_axis.set_ylim(-40, None)
    gain_axis.legend(fontsize=6, ncols=3, title="20 pF || 50 kohm")
    phase_axis.set(ylabel="phase (degrees)", xlabel="frequency (Hz)", ylim=(-270, 20))
    for axis in (gain_axis, phase_axis):
        axis.grid(alpha=0.3)
    gbw = [sheet.measured.gbw_hertz / 1e6 for sheet in sheets]
    margins = [sheet.measured.phase_margin_degree for sheet in sheets]
    figure.suptitle(
        f"Op-amp: GBW {min(gbw):.1f} to {max(gbw):.1f} MHz, "
        f"phase margin {min(margins):.0f} to {max(margins):.0f} degrees"
    )
    save_figure(figure, path)


def draw_steps(sheets: Sequence[OpAmpSheet], path: Path) -> None:
    """Follower steps, small and large, up and down."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for sheet in sheets:
        for axis, (time, out) in zip(axes, (sheet.small_step, sheet.large_step), strict=True):
            axis.plot(MICRO * time, out, lw=1)
    for axis, title in zip(axes, ("small step", "large step"), strict=True):
        axis.set(xlabel="time (us)", ylabel="follower output (V)", title=title)
        axis.grid(alpha=0.3)
    slew = [
        value / 1e6
        for sheet in sheets
        for value in (
            sheet.measured.slew_rise_volt_per_second,
            sheet.measured.slew_fall_volt_per_second,
        )
    ]
    settling = [sheet.measured.settling_second * 1e9 for sheet in sheets]
    figure.suptitle(
        f"Op-amp: slew {min(slew):.1f} to {max(slew):.1f} V/us, settling to 0.1 % in "
        f"{min(settling):.0f} to {max(settling):.0f} ns"
    )
    save_figure(figure, path)
