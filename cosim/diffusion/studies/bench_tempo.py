"""The published bench's tempo, one second a solve, against the 20 us of the projection."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from cosim.circuits.analog_switch import AnalogSwitchSpec
from cosim.circuits.integrator import IntegratorSpec
from cosim.diffusion.studies.study import Beside, Finding, Workspace

BENCH_SECOND = 1.0
UPDATES = 200
"""5 ms each in a solve of one second."""

POINTS = 300


def bench_tempo(workspace: Workspace) -> Finding:
    """One reverse-SDE solve with held 12-bit noise, beta and embedding, at both tempi."""
    figure, axes = plt.subplots(3, 1, figsize=(9, 9), sharex=True, layout="constrained")
    rows: list[dict[str, Any]] = []
    states, errors, grid = [], [], np.linspace(0, 1, POINTS)
    for name, second in (("20 us", 20e-6), ("1 s", BENCH_SECOND)):
        run, trace = workspace.trace(f"bench_tempo_{second:g}", {
            "task": "circle", "score": "analog", "equation": "sde",
            "fidelity": {"all": "ideal", "dac": "macro", "opamp": "macro"},
            "noise": {"updates": UPDATES},
            "scaling": {"solve_second": second, "precharge_second": second / 40},
            "coupling": {"step_second": second / 400},
        })  # fmt: skip
        tau = run.config.scaling.tau(trace.time_second)
        solving = trace.time_second >= run.config.scaling.precharge_second
        values = np.stack([trace[one].values for one in trace.names], axis=1)
        state, reference = run.plan.units(values), run.problem.reference(0, tau)
        columns = [np.interp(grid, tau[solving], column[solving]) for column in state.T]
        states.append(np.stack(columns, axis=1))
        errors.append(np.abs(state - reference)[solving].max() / np.ptp(reference[solving]))
        curves = [f"x1, {name}", f"x2, {name}"]
        axes[0].plot(tau[solving], state[solving], lw=0.9, label=curves)
        axes[2].plot(tau[solving], (state - reference)[solving], lw=0.8, label=curves)
        if second < 1:
            axes[1].plot(tau[solving], run.plan.units(values, "noise.{}")[solving], lw=0.6)
            axes[0].plot(tau[solving], reference[solving], "k--", lw=0.6)
        rows += [
            {"solve_second": second, "tau": at, "x1": one[0], "x2": one[1],
             "largest_error_percent": 100 * errors[-1]}
            for at, one in zip(grid, states[-1], strict=True)
        ]  # fmt: skip
    leak_second = AnalogSwitchSpec.off_ohm * IntegratorSpec.c_int_farad
    apart = float(np.abs(states[0] - states[1]).max())
    rows = [row | {"largest_apart_unit": apart} for row in rows]
    named = "state (units); dashed: float64", "noise input (units)", "circuit - float64 (units)"
    for axis, label in zip(axes, named, strict=True):
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize="x-small")
    axes[2].legend(fontsize="x-small")
    axes[2].set_xlabel("tau")
    caption = (
        f"One reverse-SDE solve of the ring with {UPDATES} held updates of 12-bit converters "
        "(macro) for embedding, beta and noise, macro op-amps, at 20 us and at the bench's 1 s "
        f"(updates of 5 ms): the same draws give paths within {apart:.3f} units of each other; "
        f"largest error against the exact equation {100 * errors[0]:.2f} % and "
        f"{100 * errors[1]:.2f} % of the range: at 20 us of the blocks' finite speed, at 1 s of "
        f"the leak of open switches, {leak_second:.0f} s with the integrators' capacitors"
    )
    return Finding(figure, rows, caption, [
        Beside("tempo", "1 s a solve on the bench, 20 us projected", "both simulated",
               f"the circuit scales: {apart:.3f} units apart"),
        Beside("noise", "held 5 ms, proportional to beta", "held, proportional to sqrt(beta)",
               "as the reverse SDE asks"),
    ])  # fmt: skip
