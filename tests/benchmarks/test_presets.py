"""The numerical error of the presets of `[accuracy]` for each class of circuit, beside the
circuit's own.
"""

import resource
from typing import Any

import numpy as np
import pytest

from cosim.diffusion.accuracy import Preset
from cosim.diffusion.config import parse
from cosim.diffusion.plan import Plan
from cosim.diffusion.studies.waveforms import WHOLE
from cosim.engine.worker import WorkerPool
from cosim.simulation.start import Starts
from tests.benchmarks.recording import record
from tests.benchmarks.test_transistor_speed import NUMERICAL_PERCENT

CLASSES: dict[str, dict[str, Any]] = {
    "torch": {},
    "torch_sde": {"equation": "sde"},
    "transistors": WHOLE,
    "transistors_sde": {**WHOLE, "equation": "sde"},
}
MOST_ITERATIONS = 4
"""Of a point of `reference`: about 3. Of transistors with noise it takes 13 where a current's
tolerance is 1e-14 A.
"""


def solved(sections: dict[str, Any], preset: Preset) -> dict[str, Any]:
    """The first sample: its path in the solve, and what it cost."""
    values = {"name": "presets", "task": "circle", "accuracy": {"preset": preset}} | sections
    plan = Plan(parse(values, "the benchmark"))
    simulation = next(plan.simulations(Starts(None, 3600.0)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with WorkerPool(1, timeout_second=3600.0) as pool:
        points, finished = pool.run_one(simulation)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    scaling = plan.config.scaling
    time_second = points.time_second - scaling.precharge_second
    solving = time_second >= 0
    time_second, states = time_second[solving], plan.units(points.values)[solving]
    exact = plan.problem.reference(0, time_second / scaling.solve_second)
    return {
        "time_second": time_second,
        "states": states,
        "cost": {
            "points": finished.statistics.accepted_points,
            "iterations": finished.statistics.iterations,
            "cpu_second": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "circuit_error_percent": float(100 * np.abs(states - exact).max() / np.ptp(exact)),
        },
    }


@pytest.mark.benchmark
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", CLASSES)
def test_error_of_the_presets(name: str) -> None:
    """Against `reference`, over the whole solve."""
    runs = {preset: solved(CLASSES[name], preset) for preset in Preset}
    tight = runs[Preset.REFERENCE]
    measured = {}
    for preset, run in runs.items():
        expected = [
            np.interp(run["time_second"], tight["time_second"], state)
            for state in tight["states"].T
        ]
        away = np.abs(run["states"] - np.stack(expected, axis=1)).max()
        percent = float(100 * away / np.ptp(tight["states"]))
        measured[str(preset)] = run["cost"] | {"numerical_error_percent": percent}
    record(f"accuracy_presets_{name}", measured)
    largest = NUMERICAL_PERCENT[CLASSES[name].get("equation", "ode")]
    assert measured["standard"]["numerical_error_percent"] <= largest
    cost = tight["cost"]
    assert cost["iterations"] < MOST_ITERATIONS * cost["points"]
