"""The committed netlists: what the generators write, and right in plain ngspice."""

import numpy as np
import pytest

from cosim.config import RunConfig
from cosim.netlists import PROJECT_NETLISTS, generated
from cosim.run import Run
from cosim.score.sampling import reference_solution
from tests.plain_ngspice import run_batch


@pytest.mark.parametrize("name", sorted(generated()))
def test_committed_netlist_is_what_the_generator_writes(name: str) -> None:
    assert (PROJECT_NETLISTS / name).read_text() == generated()[name], "run `make netlists`"


def test_nothing_else_is_committed() -> None:
    assert {path.name for path in PROJECT_NETLISTS.glob("*.cir")} == set(generated())


def test_plain_ngspice_generates_the_sample_from_the_netlist_alone() -> None:
    """No engine, no torch in the loop: the 2 % of range that the project asks for."""
    vectors = run_batch(PROJECT_NETLISTS / "solver_circle.cir")
    run = Run(RunConfig(name="circle", task="circle", score="analog"))
    state = run.initial_states[0]
    expected = reference_solution(run.network, run.task.sampling_sde, state, np.array([0.0, 1.0]))
    final = run.config.scaling.units(np.array([vectors["v(x_0)"][-1], vectors["v(x_1)"][-1]]))
    assert np.abs(final - expected[-1]).max() < 0.02 * np.ptp(expected)
