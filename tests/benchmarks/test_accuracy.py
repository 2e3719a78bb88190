"""How far the circuit is from the equation: each fidelity and coupling scheme, and the KL."""

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cosim.circuits.fidelity import Fidelity
from cosim.diffusion.config import CouplingConfig, EngineConfig, EnsembleConfig, RunConfig
from cosim.diffusion.fidelities import BlockFidelities
from cosim.diffusion.run import Outcome, Run
from cosim.diffusion.score.sampling import reference_solution
from cosim.lockstep.scheme import SCHEMES
from cosim.trace import Trace
from tests.benchmarks.recording import record


@pytest.mark.benchmark
@pytest.mark.parametrize("opamp", list(Fidelity))
def test_error_by_scheme(opamp: Fidelity, tmp_path: Path) -> None:
    """Largest |x_circuit - x_reference| over the solve, in % of the signal's range."""
    percent = {}
    for scheme in [*SCHEMES.built_in, "analog"]:
        run = Run(
            RunConfig(
                name="accuracy",
                task="circle",
                score="analog" if scheme == "analog" else "torch",
                fidelity=BlockFidelities(opamp=opamp),
                coupling=CouplingConfig() if scheme == "analog" else CouplingConfig(scheme=scheme),
            )
        )
        solve = run.execute(tmp_path / scheme).solve
        percent[scheme] = 100 * solve.relative_error
    record(f"error_percent_of_range.{opamp}", percent)
    assert percent["linearised"] <= (0.1 if opamp is Fidelity.IDEAL else 2.0)


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_whole_solver_of_transistors(tmp_path: Path) -> None:
    """Every cell, op-amp, ReLU, multiplier and switch: four samples, one after the other."""
    run = Run(
        RunConfig(
            name="transistors",
            task="circle",
            score="analog",
            fidelity=BlockFidelities.model_validate({"all": "transistor"}),
            ensemble=EnsembleConfig(samples=4),
        )
    )
    outcome = run.execute(tmp_path)
    errors = [
        float(
            100
            * np.abs(
                run.config.scaling.units(
                    np.stack([member[f"integrator_{k}.out"].values[solving] for k in range(2)], 1)
                )
                - expected
            ).max()
            / np.ptp(expected)
        )
        for member, solving, expected in _references(run, outcome)
    ]
    spent = outcome.statistics
    record(
        "whole_solver_of_transistors",
        {
            "size": outcome.size,
            "error_percent_of_range": errors,
            "load_second": spent.load_second,
            "transient_second": spent.transient_second,
            "accepted_points": spent.accepted_points,
            "peak_memory_megabyte": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3,
        },
    )
    assert max(errors) <= 5.0


def _references(run: Run, outcome: Outcome) -> Iterator[tuple[Trace, np.ndarray, np.ndarray]]:
    """Each member, its points of the solve, and the float64 reference there."""
    scaling = run.config.scaling
    for index, state in enumerate(run.problem.initial_states):
        member = outcome.trace.member(index)
        solving = member.time_second >= scaling.precharge_second
        tau = scaling.tau(member.time_second[solving])
        yield (
            member,
            solving,
            reference_solution(run.problem.network, run.problem.task.sampling_sde, state, tau),
        )


@pytest.mark.benchmark
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_kl_of_200_samples(seed: int, tmp_path: Path) -> None:
    """Against 200 samples of the software ODE from the same initial conditions."""
    run = Run(
        RunConfig(
            name="kl",
            task="circle",
            ensemble=EnsembleConfig(samples=200, seed=seed),
            engine=EngineConfig(jobs=2),
        )
    )
    cloud = run.execute(tmp_path).cloud
    assert cloud is not None
    record(
        f"kl_200_samples.seed_{seed}",
        {
            "circuit_nat": cloud.kl_circuit,
            "software_nat": cloud.kl_software,
            "ratio": cloud.kl_circuit / cloud.kl_software,
            "largest_distance_unit": cloud.largest_distance,
            "pooled_circuit_nat": cloud.pooled_circuit,
            "pooled_software_nat": cloud.pooled_software,
        },
    )
    assert cloud.kl_circuit <= 1.5 * cloud.kl_software
