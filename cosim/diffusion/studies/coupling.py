"""Error of the lockstep against its step, for each coupling scheme, on the ring."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.ticker import NullFormatter, StrMethodFormatter
from PySpice.Spice.Netlist import Circuit

from cosim.diffusion.score.sde import VariancePreserving
from cosim.diffusion.studies.study import TIMEOUT_SECOND, Finding, Workspace
from cosim.engine.session import saved
from cosim.engine.worker import Simulation, WorkerPool
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import BUILT_IN, Scheme

STEPS_SECOND = (800e-9, 400e-9, 200e-9, 100e-9, 50e-9, 25e-9)
FITTED = slice(1, 5)
SOLVE_SECOND = 20e-6
STATE_FARAD = 1e-9
DEVIATION = 0.5
TEXTBOOK = VariancePreserving(beta_min=0.1, beta_max=20.0)

Solved = Callable[[WorkerPool, type[Scheme], float], float]
"""(pool, scheme, step in s) -> largest error over the range."""


def coupling_order(workspace: Workspace) -> Finding:
    """Largest error over a solve: an exact smooth score on bare capacitors, and the trained one."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    problems: dict[str, Solved] = {
        "textbook VP SDE (beta to 20), Gaussian data: exact score, one capacitor": _smooth_error,
        "ring: trained score, ideal op-amps": partial(_ring_error, workspace),
    }
    rows: list[dict[str, Any]] = []
    orders = []
    with WorkerPool(workspace.jobs, TIMEOUT_SECOND) as pool:
        for axis, (title, error_of) in zip(axes, problems.items(), strict=True):
            for scheme in BUILT_IN:
                errors: list[float] = []
                for step in STEPS_SECOND:
                    workspace.on_progress(f"coupling_order: {scheme.NAME}, {1e9 * step:g} ns")
                    errors.append(error_of(pool, scheme, step))
                order = np.polyfit(np.log(STEPS_SECOND[FITTED]), np.log(errors[FITTED]), 1)[0]
                orders.append(f"{scheme.NAME} {order:.2f}")
                rows += [
                    {"problem": title, "scheme": scheme.NAME, "step_second": step, "error": error,
                     "slope": order}
                    for step, error in zip(STEPS_SECOND, errors, strict=True)
                ]  # fmt: skip
                axis.loglog(
                    1e9 * np.array(STEPS_SECOND), errors, "o-",
                    label=f"{scheme.NAME} (order {scheme.ORDER}): slope {order:.2f}",
                )  # fmt: skip
            axis.set(xlabel="time step (ns)", title=title)
            axis.set_xticks([1e9 * step for step in STEPS_SECOND])
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.grid(alpha=0.3, which="both")
            axis.legend(fontsize="small")
    axes[0].set_ylabel("largest error over the solve, part of the range")
    count = len(BUILT_IN)
    caption = (
        f"Error of the lockstep against its step, solves of 20 us. Slopes from "
        f"{1e9 * STEPS_SECOND[1]:g} to {1e9 * STEPS_SECOND[4]:g} ns. Left, against the closed "
        f"form: {', '.join(orders[:count])}. Right, against the float64 solution: "
        f"{', '.join(orders[count:])}; there the kinks of the ReLUs and a floor of some 0.005 % "
        "from switches and op-amps bend the second-order schemes"
    )
    return Finding(figure, rows, caption)


@dataclass(frozen=True)
class GaussianFlow:
    """dx/dtau of the probability flow for data from N(0, DEVIATION^2), whose score is -x / v(t)."""

    def _variance(self, t: float) -> float:
        alpha = float(TEXTBOOK.alpha(torch.tensor(t, dtype=torch.float64)))
        return alpha**2 * DEVIATION**2 + 1 - alpha**2

    def _rate(self, time_second: float) -> float:
        t = 1 - time_second / SOLVE_SECOND
        beta = float(TEXTBOOK.beta(torch.tensor(t, dtype=torch.float64)))
        return beta / 2 * (1 - 1 / self._variance(t))

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        """dx/dtau [1] at a state [1]."""
        return self._rate(time_second) * volts

    def tangents(
        self, time_second: float, volts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same, by the state [1, 1] and by time [1]; the latter by central differences."""
        rate, step = self._rate(time_second), 1e-5 * SOLVE_SECOND
        later, before = self._rate(time_second + step), self._rate(time_second - step)
        by_time = (later - before) / (2 * step) * volts
        return rate * volts, np.array([[rate]]), by_time

    def solution(self, time_second: np.ndarray) -> np.ndarray:
        """Closed form from x = 1 at tau = 0: the flow keeps x / sqrt(v)."""
        variances = np.array([self._variance(1 - at / SOLVE_SECOND) for at in time_second])
        return np.asarray(np.sqrt(variances / self._variance(1.0)))


def _smooth_error(pool: WorkerPool, scheme: type[Scheme], step_second: float) -> float:
    flow = GaussianFlow()
    block = Block(flow, ("x",), ("u",), name="score")
    circuit = Circuit("one state")
    circuit.VCCS("rate", circuit.gnd, "x", "u", circuit.gnd, STATE_FARAD / SOLVE_SECOND)
    circuit.C("state", "x", circuit.gnd, STATE_FARAD)
    block.port(scheme).add_to(circuit)
    netlist = (
        f"{circuit}.ic v(x)=1\n.options reltol=1e-9 vntol=1e-12 abstol=1e-15 trtol=1e6\n"
        f"{saved(['x', 'u'])}\n.tran {step_second!r} {SOLVE_SECOND!r} 0 {step_second!r}\n.end\n"
    )
    job = Simulation(0, netlist, SOLVE_SECOND, ("x",), {}, (block,), scheme, (1.0,))
    points = pool.run_one(job)[0]
    exact = flow.solution(points.time_second)
    return float(np.abs(points.values[:, 0] - exact).max() / np.ptp(exact))


def _ring_error(
    workspace: Workspace, pool: WorkerPool, scheme: type[Scheme], step_second: float
) -> float:
    run = workspace.run("coupling_order", {
        "task": "circle", "fidelity": {"all": "ideal"},
        "coupling": {"scheme": scheme.NAME, "step_second": step_second},
    })  # fmt: skip
    points = pool.run_one(next(iter(run.plan.simulations())))[0]
    time, state = points.time_second, run.plan.units(points.values)
    solving = time >= run.config.scaling.precharge_second
    exact = run.problem.reference(0, run.config.scaling.tau(time))[solving]
    return float(np.abs(state[solving] - exact).max() / np.ptp(exact))
