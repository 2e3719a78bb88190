"""Figures of the blocks' spec sheets."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from cosim.characterise.sheet import Sheet
from cosim.report.figures import MICRO, save_figure

MILLI, NANO = 1e3, 1e9


def draw_bode(sheets: Sequence[Sheet], path: Path) -> None:
    """Op-amp: open-loop gain and phase, with the spread of GBW and phase margin."""
    figure, (gain_axis, phase_axis) = plt.subplots(
        2, 1, figsize=(8, 6.5), sharex=True, layout="constrained"
    )
    for sheet in sheets:
        frequency, gain = sheet.measured.curves["open_loop"]
        gain_axis.semilogx(
            frequency, 20 * np.log10(np.abs(gain)), lw=1, label=label_of(sheet, sheets)
        )
        phase_axis.semilogx(frequency, np.degrees(np.unwrap(np.angle(gain))), lw=1)
    gain_axis.axhline(0, color="black", lw=0.7)
    phase_axis.axhline(-180, color="black", lw=0.7)
    gain_axis.set(ylabel="open-loop gain (dB)", ylim=(-40, None))
    phase_axis.set(ylabel="phase (degrees)", xlabel="frequency (Hz)", ylim=(-270, 20))
    _finish(gain_axis, phase_axis)
    gbw, margin = _span(sheets, "gbw_hertz", 1e-6), _span(sheets, "phase_margin_degree")
    figure.suptitle(f"Op-amp at its load: GBW {gbw} MHz, phase margin {margin} degrees")
    save_figure(figure, path)


def draw_steps(sheets: Sequence[Sheet], path: Path) -> None:
    """Op-amp: follower steps, small and large, up and down."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for axis, name in zip(axes, ("small_step", "large_step"), strict=True):
        for sheet in sheets:
            time, out = sheet.measured.curves[name]
            axis.plot(MICRO * time, out, lw=1, label=label_of(sheet, sheets))
        axis.set(xlabel="time (us)", ylabel="follower output (V)", title=name.replace("_", " "))
    _finish(*axes)
    rise, fall = (_span(sheets, f"slew_{edge}_volt_per_second", 1e-6) for edge in ("rise", "fall"))
    settling = _span(sheets, "settling_second", NANO)
    figure.suptitle(
        f"Op-amp: slew {rise} V/us up, {fall} V/us down; settling to 0.1 % in {settling} ns"
    )
    save_figure(figure, path)


def draw_relu(sheets: Sequence[Sheet], path: Path) -> None:
    """ReLU: transfer, its error, and the response to a large pulse."""
    figure, (transfer, error, step) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    for sheet in sheets:
        drive, out = sheet.measured.curves["transfer"]
        transfer.plot(drive, out, lw=1, label=label_of(sheet, sheets))
        error.plot(drive, MILLI * (out - np.maximum(drive, 0)), lw=1)
        time, rise = sheet.measured.curves["step"]
        step.plot(MICRO * time, rise, lw=1)
    transfer.set(xlabel="input (V)", ylabel="output (V)", title="transfer")
    error.set(xlabel="input (V)", ylabel="output - ideal (mV)", title="error")
    step.set(xlabel="time (us)", ylabel="output (V)", title="pulse from -0.3 V to 0.6 V")
    _finish(transfer, error, step)
    knee = _span(sheets, "knee_error_volt", MILLI)
    bandwidth = _span(sheets, "bandwidth_hertz", 1e-6)
    figure.suptitle(
        f"ReLU driving an array row of 1.2 kohm: {knee} mV at the knee, bandwidth {bandwidth} MHz"
    )
    save_figure(figure, path)


def draw_multiplier(sheets: Sequence[Sheet], path: Path) -> None:
    """Multiplier: output against a for several b, and what a straight line leaves."""
    figure, (transfer, error) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    for number, sheet in enumerate(sheets):
        gain = sheet.values["gain_per_volt"]
        for index, (name, (a, out)) in enumerate(sheet.measured.curves.items()):
            colour, b = f"C{number % 10}", float(name.split()[2])
            label = label_of(sheet, sheets) if index == 0 else None
            transfer.plot(a, MILLI * out, color=colour, lw=1, marker=".", ms=3, label=label)
            error.plot(a, MILLI * (out - gain * a * b), color=colour, lw=1)
            if number == 0:
                transfer.annotate(name, (a[-1], MILLI * out[-1]), fontsize=6)
    transfer.set(xlabel="a (V)", ylabel="output (mV)", title="transfer")
    error.set(xlabel="a (V)", ylabel="output - gain a b (mV)", title="what the gain leaves")
    _finish(transfer, error)
    gain_span = _span(sheets, "gain_per_volt")
    figure.suptitle(
        f"Multiplier: gain {gain_span} 1/V, nonlinearity {_span(sheets, 'nonlinearity', 100)} %"
    )
    save_figure(figure, path)


def draw_transimpedance(sheets: Sequence[Sheet], path: Path) -> None:
    """Transimpedance stage: transfer and frequency response."""
    figure, (transfer, response) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for sheet in sheets:
        current, out = sheet.measured.curves["transfer"]
        transfer.plot(MICRO * current, out, lw=1, label=label_of(sheet, sheets))
        frequency, gain = sheet.measured.curves["response"]
        response.semilogx(frequency, 20 * np.log10(gain / gain[0]), lw=1)
    transfer.set(xlabel="difference of line currents (uA)", ylabel="output (V)", title="transfer")
    response.set(
        xlabel="frequency (Hz)", ylabel="gain over DC (dB)", ylim=(-40, 5), title="response"
    )
    _finish(transfer, response)
    bandwidth = _span(sheets, "bandwidth_plus_hertz", 1e-6)
    figure.suptitle(f"Transimpedance stage at a column of 0.4 mS: bandwidth {bandwidth} MHz")
    save_figure(figure, path)


def draw_integrator(sheets: Sequence[Sheet], path: Path, drive_volt: float) -> None:
    """Integrator: precharge, ramp and hold; leak; gain against the ideal 1/(R C s)."""
    figure, (ramp, leak, bode) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    for sheet in sheets:
        time, out = sheet.measured.curves["ramp"]
        ramp.plot(MICRO * time, out, lw=1, label=label_of(sheet, sheets))
        time, out = sheet.measured.curves["leak"]
        leak.plot(MILLI * time, MILLI * out, lw=1)
        frequency, gain = sheet.measured.curves["bode"]
        bode.loglog(frequency, gain, lw=1)
    ramp.set(
        xlabel="time (us)", ylabel="output (V)",
        title=f"precharge to 0.25 V, {drive_volt:g} V in, hold",
    )  # fmt: skip
    leak.set(xlabel="time (ms)", ylabel="output (mV)", title="input at zero: leak")
    bode.set(xlabel="frequency (Hz)", ylabel="gain", title="gain in run")
    _finish(ramp, leak, bode)
    figure.suptitle(
        f"Integrator: R C {_span(sheets, 'time_constant_second', MICRO)} us, nonlinearity "
        f"{_span(sheets, 'nonlinearity', 100)} %"
    )
    save_figure(figure, path)


def draw_dac(sheets: Sequence[Sheet], path: Path) -> None:
    """Converter: nonlinearity over the codes, full-scale step, and the major carry."""
    figure, (integral, differential, step, carry) = plt.subplots(
        1, 4, figsize=(16, 4.2), layout="constrained"
    )
    for sheet in sheets:
        curves = sheet.measured.curves
        integral.plot(*curves["integral"], lw=0.7, label=label_of(sheet, sheets))
        differential.plot(*curves["differential"], lw=0.5)
        for axis, name in ((step, "step"), (carry, "carry")):
            time, out = curves[name]
            axis.plot(NANO * time, MILLI * out, lw=1)
    integral.set(xlabel="code", ylabel="integral nonlinearity (LSB)")
    differential.set(xlabel="code", ylabel="differential nonlinearity (LSB)")
    step.set(xlabel="time (ns)", ylabel="output (mV)", title="full-scale step")
    carry.set(xlabel="time (ns)", ylabel="output (mV)", title="major carry")
    _finish(integral, differential, step, carry)
    figure.suptitle(
        f"12-bit R-2R converter: INL {_span(sheets, 'integral_lsb')} LSB, "
        f"DNL {_span(sheets, 'differential_lsb')} LSB"
    )
    save_figure(figure, path)


def draw_reference(sheets: Sequence[Sheet], path: Path) -> None:
    """Voltage reference: start-up, regulation, supply rejection and output impedance."""
    figure, ((start, line), (rejection, impedance)) = plt.subplots(
        2, 2, figsize=(11, 7), layout="constrained"
    )
    for sheet in sheets:
        curves = sheet.measured.curves
        time, out = curves["start_up"]
        begins = time < 50e-6
        start.plot(MICRO * time[begins], out[begins], lw=1, label=label_of(sheet, sheets))
        line.plot(*curves["line"], lw=1)
        frequency, gain = curves["rejection"]
        rejection.semilogx(frequency, 20 * np.log10(np.maximum(gain, 1e-12)), lw=1)
        impedance.loglog(*curves["impedance"], lw=1)
    start.set(xlabel="time (us)", ylabel="output (V)", title="supply rises in 10 us")
    line.set(xlabel="supply (V)", ylabel="output (V)", title="line regulation")
    rejection.set(xlabel="frequency (Hz)", ylabel="output over supply (dB)")
    impedance.set(xlabel="frequency (Hz)", ylabel="output impedance (ohm)")
    _finish(start, line, rejection, impedance)
    figure.suptitle(f"Voltage reference: {_span(sheets, 'out_volt')} V")
    save_figure(figure, path)


def draw_noise(sheets: Sequence[Sheet], path: Path) -> None:
    """Noise source: wave, distribution, spectrum, and the variance of its integral."""
    figure, ((wave, histogram), (spectrum, variance)) = plt.subplots(
        2, 2, figsize=(11, 7), layout="constrained"
    )
    curves, rms = sheets[0].measured.curves, sheets[0].values["rms_volt"]
    time, volts = curves["wave"]
    shown = time < 5e-6
    wave.plot(MICRO * time[shown], MILLI * volts[shown], lw=0.8)
    draws = curves["draws"][1]
    histogram.hist(draws, bins=80, density=True, color="0.8")
    at = np.linspace(draws.min(), draws.max(), 300)
    histogram.plot(at, np.exp(-((at / rms) ** 2) / 2) / (rms * np.sqrt(2 * np.pi)), lw=1)
    for name, style in (("density", "-"), ("expected density", "--")):
        spectrum.loglog(*curves[name], style, lw=0.8, label=name)
    for name, style in (("variance", "-"), ("expected variance", "--")):
        at, squares = curves[name]
        variance.plot(MICRO * at, 1e15 * squares, style, lw=1, label=name)
    wave.set(xlabel="time (us)", ylabel="source (mV)")
    histogram.set(xlabel="draw (V)", ylabel="density (1/V)", title="draws, and a normal")
    spectrum.set(xlabel="frequency (Hz)", ylabel="V/rtHz", ylim=(1e-7, None), title="spectrum")
    variance.set(xlabel="time (us)", ylabel="variance of the integral (1e-15 V2 s2)")
    _finish(spectrum, wave, histogram)
    _finish(variance)
    figure.suptitle(
        f"Noise of the Wiener term: {MILLI * rms:.3g} mV, a draw each {NANO * 1e-7:.0f} ns"
    )
    save_figure(figure, path)


def label_of(sheet: Sheet, sheets: Sequence[Sheet]) -> str:
    """What tells it from the others."""
    if len({other.condition.fidelity for other in sheets}) == 1:
        return sheet.condition.label
    return f"{sheet.condition.fidelity}, {sheet.condition.label}"


def _span(sheets: Sequence[Sheet], name: str, scale: float = 1.0) -> str:
    """Smallest and largest value, of the finest fidelity shown."""
    finest = sheets[-1].condition.fidelity
    values = [scale * sheet.values[name] for sheet in sheets if sheet.condition.fidelity is finest]
    low, high = (f"{value:.3g}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _finish(first: Axes, *others: Axes) -> None:
    first.legend(fontsize=6, ncols=2 if len(first.lines) > 6 else 1)
    for axis in (first, *others):
        axis.grid(alpha=0.3)
