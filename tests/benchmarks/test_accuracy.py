"""How far the circuit is from the equation: each fidelity and coupling scheme, and the KL."""

from pathlib import Path

import pytest

from cosim.circuits.fidelity import Fidelity
from cosim.circuits.lockstep_port import Scheme
from cosim.config import CouplingConfig, EngineConfig, EnsembleConfig, FidelityConfig, RunConfig
from cosim.run import Run
from tests.benchmarks.recording import record


@pytest.mark.benchmark
@pytest.mark.parametrize("opamp", list(Fidelity))
def test_error_by_scheme(opamp: Fidelity, tmp_path: Path) -> None:
    """Largest |x_circuit - x_reference| over the solve, in % of the signal's range."""
    percent = {}
    for scheme in [*Scheme, "analog"]:
        run = Run(
            RunConfig(
                name="accuracy",
                task="circle",
                score="analog" if scheme == "analog" else "torch",
                fidelity=FidelityConfig(opamp=opamp),
                coupling=CouplingConfig() if scheme == "analog" else CouplingConfig(scheme=scheme),
            )
        )
        solve = run.execute(tmp_path / scheme).solve
        percent[str(scheme)] = 100 * solve.relative_error
    record(f"error_percent_of_range.{opamp}", percent)
    assert percent["linearised"] <= (2.0 if opamp is Fidelity.TRANSISTOR else 0.1)


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
