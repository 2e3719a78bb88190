"""Order of each coupling scheme, against closed forms: error = O(step^order).

ngspice's own truncation control is switched off (trtol), so that every step is the largest
allowed one, and its trapezoidal rule (order 2) is not what limits the explicit scheme.
"""

from dataclasses import replace

import numpy as np
import pytest

from cosim.engine.worker import WorkerPool
from cosim.lockstep.scheme import BUILT_IN, Explicit, Linearised, Scheme
from cosim.lockstep.stepping import Stepping
from tests.engine.problems import (
    UNIT_SECOND,
    Decay,
    Rate,
    StiffCubic,
    TextbookMixture,
    block,
    simulation,
    solve,
)

SLOPE_TOLERANCE = 0.15  # asked for by the project; the fit over four steps gives about 0.05


def fitted_order(steps: list[float], errors: list[float]) -> float:
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


@pytest.mark.parametrize("scheme", BUILT_IN)
@pytest.mark.parametrize(
    ("problem", "units", "steps"),
    [
        (Decay(), 2.0, [0.04, 0.02, 0.01, 0.005]),
        (StiffCubic(), 2.0, [0.002, 0.001, 0.0005, 0.00025]),
        (TextbookMixture(), 1.0, [0.002, 0.001, 0.0005, 0.00025]),
    ],
    ids=["linear", "stiff_nonlinear", "textbook_vp"],
)
def test_coupling_order(
    pool: WorkerPool,
    scheme: type[Scheme],
    problem: Decay | StiffCubic | TextbookMixture,
    units: float,
    steps: list[float],
) -> None:
    initial = float(problem.solution(np.zeros(1))[0])
    errors = []
    for step in steps:
        points = solve(pool, simulation(block(Rate(problem)), scheme, initial, units, step))
        exact = problem.solution(points.time_second / UNIT_SECOND)
        errors.append(float(np.abs(points.values[:, 0] - exact).max()))
    assert fitted_order(steps, errors) == pytest.approx(scheme.ORDER, abs=SLOPE_TOLERANCE), errors


def test_linearised_holds_where_explicit_does_not(pool: WorkerPool) -> None:
    """Step 20 times the problem's time constant: the implicit coupling stays on the solution."""
    problem = StiffCubic(stiffness=1000.0)
    points = solve(pool, simulation(block(Rate(problem)), Linearised, 3.0, units=2.0, step=0.005))
    exact = problem.solution(points.time_second / UNIT_SECOND)
    assert np.abs(points.values[:, 0] - exact).max() < 1e-3


@pytest.mark.parametrize("scheme", BUILT_IN)
@pytest.mark.parametrize("tolerance", [1e-1, 1e-2, 1e-3])
@pytest.mark.parametrize(
    ("problem", "units"), [(StiffCubic(), 2.0), (TextbookMixture(), 1.0)], ids=["stiff", "score"]
)
def test_steps_are_chosen_for_a_coupling_error(
    pool: WorkerPool,
    scheme: type[Scheme],
    tolerance: float,
    problem: StiffCubic | TextbookMixture,
    units: float,
) -> None:
    """Within a factor of 3, also at the score's stiff end; the solution then is as good."""
    initial = float(problem.solution(np.zeros(1))[0])
    job = simulation(block(Rate(problem)), scheme, initial, units, step=0.05)
    points = solve(pool, replace(job, stepping=Stepping(tolerance_volt=tolerance)))
    largest = np.abs(points.errors[:, 0]).max()
    assert tolerance / 3 <= largest <= 3 * tolerance
    assert points.time_second[-1] == pytest.approx(job.stop_second, rel=1e-12)
    if scheme is Explicit or isinstance(problem, StiffCubic):
        return
    # Fewer points than equal steps of the same largest error would take.
    equal = solve(pool, simulation(block(Rate(problem)), scheme, initial, units, 2e-4))
    count = len(equal.time_second) * np.sqrt(np.abs(equal.errors[:, 0]).max() / largest)
    assert len(points.time_second) < count


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_fixed_communication_step(pool: WorkerPool, scheme: type[Scheme]) -> None:
    """ngspice takes ten steps or more between two evaluations; the order is that of the scheme."""
    problem, errors, steps = StiffCubic(stiffness=1.0), [], [0.02, 0.01, 0.005]
    for step in steps:
        job = simulation(block(Rate(problem)), scheme, 3.0, units=1.0, step=step / 10)
        communication = Stepping(communication_second=step * UNIT_SECOND)
        points = solve(pool, replace(job, stepping=communication))
        t = points.time_second / UNIT_SECOND
        met = t[np.isfinite(points.errors[:, 0])]
        np.testing.assert_allclose(met, step * np.arange(len(met)), atol=1e-5 * step)
        assert len(met) == round(1 / step) + 1
        assert len(t) > 5 * len(met)
        errors.append(float(np.abs(points.values[:, 0] - problem.solution(t)).max()))
    assert fitted_order(steps, errors) == pytest.approx(scheme.ORDER, abs=0.2), errors


def test_simulations_do_not_depend_on_what_a_worker_ran_before(pool: WorkerPool) -> None:
    plain = simulation(block(Rate(Decay())), Explicit, 1.0, units=1.0, step=0.01)
    before = solve(pool, plain)
    solve(pool, replace(plain, stepping=Stepping(tolerance_volt=1e-3)))
    after = solve(pool, plain)
    np.testing.assert_array_equal(after.time_second, before.time_second)
    np.testing.assert_array_equal(after.values, before.values)
