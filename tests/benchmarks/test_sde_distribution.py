"""The whole solver of transistors, reverse SDE: its samples' distribution beside the software's."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from cosim.diffusion.config import EngineConfig, EnsembleConfig, RunConfig
from cosim.diffusion.fidelities import BlockFidelities
from cosim.diffusion.run import Run
from cosim.diffusion.score.sampling import euler_maruyama, initial_states
from cosim.trace import Trace
from tests.benchmarks.recording import record

SAMPLES = 24
SOFTWARE_SAMPLES = 2_000
PERMUTATIONS = 1_999
SIGNIFICANCE = 0.01


def _p_value(one: np.ndarray, other: np.ndarray) -> float:
    """Permutation test of the energy distance between samples [n, d] and [m, d].

    Source: Szekely and Rizzo, J. Stat. Plan. Inference 143, 1249 (2013).
    """
    distances = cdist(np.vstack([one, other]), np.vstack([one, other]))
    first = np.arange(len(distances)) < len(one)
    generator = np.random.default_rng(0)
    chosen = np.stack([first, *(generator.permutation(first) for _ in range(PERMUTATIONS))])
    size, rest = len(one), len(other)
    to_chosen = chosen.astype(float) @ distances
    within = (to_chosen * chosen).sum(axis=1)
    between = (to_chosen * ~chosen).sum(axis=1)
    within_rest = distances.sum() - within - 2 * between
    energy = 2 * between / (size * rest) - within / size**2 - within_rest / rest**2
    return float(np.mean(energy >= energy[0]))


def _final(member: Trace) -> np.ndarray:
    """The sample in volts against the analog ground [states]."""
    states = [member[f"integrator_{index}.out"][-1] for index in range(2)]
    return np.array(states) - member["reference.out"][-1]


@pytest.mark.benchmark
@pytest.mark.timeout(4 * 3600)
def test_distribution_of_sde_samples(tmp_path: Path) -> None:
    """Hours: some minutes a sample. A two-sample test against software samples of other seeds."""
    run = Run(
        RunConfig(
            name="sde",
            task="circle",
            score="analog",
            equation="sde",
            fidelity=BlockFidelities.model_validate({"all": "transistor"}),
            ensemble=EnsembleConfig(samples=SAMPLES),
            engine=EngineConfig(jobs=2, timeout_second=600),
        )
    )
    outcome = run.execute(tmp_path)
    volts = np.array([_final(outcome.trace.member(number)) for number in range(SAMPLES)])
    circuit = volts / run.config.scaling.volt_per_unit
    twins = np.array([run.problem.reference(number, np.ones(1))[-1] for number in range(SAMPLES)])
    start = initial_states(SOFTWARE_SAMPLES, run.problem.network.states, seed=1)
    software = euler_maruyama(
        run.problem.network, run.problem.task.sampling_sde, start, 1_000, seed=1
    ).numpy()
    p_value = _p_value(circuit, software)
    shifted = _p_value(circuit + 0.5, software)
    distance = np.linalg.norm(circuit - twins, axis=1)
    radius = {
        name: [float(moment(np.linalg.norm(points, axis=1))) for moment in (np.mean, np.std)]
        for name, points in {"circuit": circuit, "twins": twins, "software": software}.items()
    }
    record(
        "sde_of_transistors",
        {
            "samples": SAMPLES,
            "p_value_energy_test": p_value,
            "p_value_of_software_twins": _p_value(twins, software),
            "p_value_if_shifted_by_half_a_unit": shifted,
            "distance_from_twin_unit": {
                "root_mean_square": float(np.sqrt(np.mean(distance**2))),
                "largest": float(distance.max()),
            },
            "radius_mean_and_deviation_unit": radius,
            "transient_second_of_first": outcome.statistics.transient_second,
        },
    )
    assert shifted < SIGNIFICANCE < p_value
