"""Samples of the whole ring solver of transistors, by whatever version of cosim is on the path:
`python transistor_sample.py EQUATION PRESET SAMPLES POINTS.json STATES.npz`.

Prints CPU seconds (user and system) of the processes that it started, as JSON. PRESET `none` is
for versions before there were presets; POINTS.json keeps the operating point where there is one.
"""

import inspect
import json
import resource
import sys
from pathlib import Path

import numpy as np

from cosim.diffusion.config import parse
from cosim.diffusion.plan import Plan
from cosim.engine.worker import WorkerPool


def spent_second() -> float:
    """By processes that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main(equation: str, preset: str, samples: str, points_path: str, states_path: str) -> None:
    """Run them, one after the other, and compare the first."""
    values = {
        "name": "transistors",
        "task": "circle",
        "score": "analog",
        "equation": equation,
        "fidelity": {"all": "transistor"},
        "ensemble": {"samples": int(samples)},
    } | ({} if preset == "none" else {"accuracy": {"preset": preset}})
    plan = Plan(parse(values, "the benchmark"))
    begun = spent_second()
    if "starts" in inspect.signature(plan.simulations).parameters:
        from cosim.simulation.start import Starts

        simulations = list(plan.simulations(Starts(Path(points_path), 3600.0)))
    else:
        simulations = list(plan.simulations())
    searched = spent_second()
    with WorkerPool(1, timeout_second=3600.0) as pool:
        ran = [pool.run_one(simulation) for simulation in simulations]
    ended = spent_second()
    points, finished = ran[0]
    scaling = plan.config.scaling
    solving = points.time_second >= scaling.precharge_second
    time_second = points.time_second[solving] - scaling.precharge_second
    states = plan.units(points.values)[solving]
    exact = plan.problem.reference(0, time_second / scaling.solve_second)
    np.savez(states_path, time_second=time_second, states=states)
    measured = {
        "search_cpu_second": searched - begun,
        "sample_cpu_second": (ended - searched) / len(simulations),
        "points": finished.statistics.accepted_points,
        "iterations": getattr(finished.statistics, "iterations", None),
        "circuit_error_percent": float(100 * np.abs(states - exact).max() / np.ptp(exact)),
        "range": float(np.ptp(exact)),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
