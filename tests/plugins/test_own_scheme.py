"""A coupling scheme of somebody else: its stated order, the ways to name it, and its faults."""

from pathlib import Path

import numpy as np
import pytest

import cosim
from cosim.diffusion.config import parse
from cosim.diffusion.run import Run
from cosim.engine.worker import WorkerPool
from cosim.errors import ConfigurationError, CouplingError
from cosim.lockstep.lockstep import Lockstep
from cosim.lockstep.scheme import SCHEMES, Extrapolated, Prediction, Scheme
from tests.engine.problems import UNIT_SECOND, Decay, Rate, block, simulation, solve
from tests.plugins.test_plugins import Packages, packages

__all__ = ["packages"]

THREE_POINT = Path(__file__).parent / "three_point.py"
LAG = cosim.Netlist("lag\nR1 u x 1k\nC1 x 0 1n\nV1 in 0 sin(0 1 50k)\nR2 in 0 1k\n.end\n")


def error(pool: WorkerPool, scheme: type[Scheme], step: float) -> float:
    problem = Decay()
    points = solve(pool, simulation(block(Rate(problem)), scheme, 1.0, 2.0, step))
    exact = problem.solution(points.time_second / UNIT_SECOND)
    return float(np.abs(points.values[:, 0] - exact).max())


def test_its_order_is_the_stated_one(pool: WorkerPool) -> None:
    """Against the closed form, and with half the coupling error of `extrapolated`."""
    steps = [0.04, 0.02, 0.01, 0.005]
    own = SCHEMES.find(str(THREE_POINT))
    errors = [error(pool, own, step) for step in steps]
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert order == pytest.approx(own.ORDER, abs=0.15), errors
    assert errors[-1] < 0.6 * error(pool, Extrapolated, steps[-1])


def difference() -> cosim.Block:
    return cosim.Block(lambda volts: volts[:1] - volts[1:], ["in", "x"], ["u"], name="difference")


def simulated(scheme: str | type[Scheme]) -> np.ndarray:
    trace = cosim.simulate(LAG, [difference()], stop="20u", max_step="0.2u", record=["x"],
                           scheme=scheme, progress=False)  # fmt: skip
    return trace["x"].values


def test_by_file_by_entry_point_and_as_a_class(packages: Packages) -> None:
    packages.install(
        "acme-schemes",
        THREE_POINT.read_text(),
        entries={"cosim.schemes": ["three_point = acme_schemes:ThreePoint"]},
    )
    by_file = simulated(str(THREE_POINT))
    assert np.array_equal(by_file, simulated("three_point"))
    assert np.array_equal(by_file, simulated(SCHEMES.find(str(THREE_POINT))))
    assert not np.array_equal(by_file, simulated("extrapolated"))


def test_in_a_run_of_the_application() -> None:
    values = {"name": "own", "task": "circle", "coupling": {"scheme": str(THREE_POINT)}}
    run = Run(parse(values, "here"))
    assert next(run.plan.simulations()).scheme.NAME == "three_point"
    with pytest.raises(ConfigurationError, match=r"coupling\.scheme.*: must be one of expl"):
        parse(values | {"coupling": {"scheme": "three_points"}}, "here")


def test_an_unknown_one() -> None:
    with pytest.raises(ConfigurationError, match=r"no scheme 'linearized'.*linearised"):
        simulated("linearized")


class Faulty(Scheme):
    NAME = "faulty"
    ORDER = 1


class Raises(Faulty):
    def predict(self, points):
        return Prediction(points[-7].output)


class WrongShape(Faulty):
    def predict(self, points):
        return Prediction(np.zeros(3))


class NoNumber(Faulty):
    def predict(self, points):
        return Prediction(points[-1].output, np.array([np.nan]))


class NoJacobian(Faulty):
    IMPLICIT = True

    def predict(self, points):
        return Prediction(points[-1].output)


class UnaskedJacobian(Faulty):
    def predict(self, points):
        return Prediction(points[-1].output, jacobian=np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("scheme", "says"),
    [
        (Raises, "IndexError"),
        (WrongShape, r"shapes \(3,\)"),
        (NoNumber, "NaN or infinity"),
        (NoJacobian, "its Jacobian is None"),
        (UnaskedJacobian, "not `IMPLICIT`"),
    ],
)
def test_a_fault_names_scheme_block_and_time(scheme: type[Scheme], says: str) -> None:
    where = r"'faulty' of block 'difference' has a fault at t = 0 s"
    with pytest.raises(CouplingError, match=f"{where}.*{says}"):
        Lockstep([difference()], scheme, [0.0, 0.0])


@pytest.mark.parametrize("points", [1, 2, 4])
def test_it_sees_as_many_points_as_it_wants(points: int) -> None:
    """And no more are kept, however long the run."""
    seen = []

    class Counting(Faulty):
        POINTS = points

        def predict(self, points):
            seen.append(len(points))
            return Prediction(points[-1].output)

    lockstep = Lockstep([difference()], Counting, [0.0, 0.0], settles=False)
    for place in range(1, 6):
        lockstep.accept(1e-6 * place, np.array([0.1 * place, 0.0]), np.zeros(1), np.zeros(1))
    assert seen == [min(place, points) for place in range(1, 7)]


def test_one_that_states_no_order(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(THREE_POINT.read_text().replace("    ORDER = 2\n", ""))
    with pytest.raises(ConfigurationError, match="ThreePoint does not set ORDER"):
        simulated(str(path))
