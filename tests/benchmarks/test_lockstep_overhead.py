"""What the lockstep costs: torch's score in the loop against the same netlist played back.

Playback is plain `ngspice -b` on the netlist that the run wrote, with the recorded score as PWL
sources. ngspice makes a breakpoint of every PWL corner and takes several small steps after each,
so the playback has more points than the run; the ratio is given for the whole process, for
ngspice's own analysis time, and for each accepted point.
"""

import re
import statistics
import subprocess
from pathlib import Path

import pytest

from cosim.circuits.fidelity import Fidelity
from cosim.diffusion.config import CouplingConfig, RunConfig
from cosim.diffusion.fidelities import BlockFidelities
from cosim.diffusion.run import Run
from cosim.engine.library import find_library
from cosim.engine.worker import Finished, Simulation, Statistics, WorkerPool
from tests.benchmarks.recording import record
from tests.plain_ngspice import read_raw

PAIRS = 9
MICRO = 1e6


def lockstep(pool: WorkerPool, simulation: Simulation) -> Statistics:
    for message in pool.run([simulation]):
        if isinstance(message, Finished):
            return message.statistics
    raise AssertionError("the simulation did not finish")


def playback(netlist: Path) -> tuple[float, int]:
    """ngspice's own 'Total analysis time' in s, and accepted points."""
    executable = find_library().executable_path
    assert executable is not None
    raw = netlist.with_suffix(".raw")
    done = subprocess.run(
        [str(executable), "-b", "-r", str(raw), str(netlist)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.search(r"Total analysis time \(seconds\) = ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1]), len(read_raw(raw)["time"])


@pytest.mark.benchmark
@pytest.mark.parametrize("opamp", [Fidelity.TRANSISTOR, Fidelity.IDEAL])
@pytest.mark.parametrize("scheme", ["explicit", "extrapolated", "linearised"])
def test_lockstep_overhead(opamp: Fidelity, scheme: str, tmp_path: Path) -> None:
    config = RunConfig(
        name="overhead",
        task="circle",
        fidelity=BlockFidelities(opamp=opamp),
        coupling=CouplingConfig(scheme=scheme),  # type: ignore[arg-type]
    )
    measure(config, PAIRS, f"{opamp}.{scheme}", tmp_path)


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_overhead_of_a_large_netlist(tmp_path: Path) -> None:
    """Both hidden layers, and all else, of transistors; the last layer in torch."""
    fidelity = {"all": "transistor", "reference": "ideal"}
    config = RunConfig(
        name="overhead",
        task="circle",
        score="split",
        fidelity=BlockFidelities.model_validate(fidelity),
    )
    measure(config, 1, "split.linearised", tmp_path)


def measure(config: RunConfig, pairs: int, name: str, tmp_path: Path) -> None:
    run = Run(config)
    outcome = run.execute(tmp_path)
    simulation = next(iter(run.plan.simulations()))
    ratios, per_point, steps, played = [], [], [], []
    with WorkerPool(1, timeout_second=60) as pool:
        lockstep(pool, simulation)
        for _ in range(pairs):
            spent = lockstep(pool, simulation)
            second, points = playback(outcome.netlist_path)
            ratios.append(spent.transient_second / second)
            per_point.append((spent.transient_second / spent.accepted_points) / (second / points))
            steps.append(spent)
            played.append((second, points))
    median = statistics.median
    record(
        f"lockstep_overhead.{name}",
        {
            "ratio_of_analysis_times": median(ratios),
            "ratio_per_accepted_point": median(per_point),
            "lockstep_points": steps[0].accepted_points,
            "playback_points": played[0][1],
            "step_microsecond": {
                "all": median(MICRO * s.transient_second / s.accepted_points for s in steps),
                "score_function": median(MICRO * s.block_second / s.accepted_points for s in steps),
                "rest_of_accepted_point": median(
                    MICRO * (s.accept_second - s.block_second) / s.accepted_points for s in steps
                ),
            },
            "source_calls_per_step": steps[0].newton_calls / steps[0].accepted_points,
        },
    )
