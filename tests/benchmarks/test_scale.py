"""What size costs: arrays of 1T1R cells with wires, and score networks of transistors, by ngspice's
solver SPARSE, as far as it goes, and by KLU.

Each size is a test of its own, so that the rest can be run another time.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cosim.diffusion.config import parse
from cosim.diffusion.plan import Plan
from cosim.diffusion.studies.waveforms import WHOLE
from cosim.engine.isolated import isolated
from cosim.engine.library import find_library, probe
from cosim.engine.worker import Simulation, WorkerPool
from cosim.simulation.start import Starts
from tests.benchmarks.recording import RESULTS, record
from tests.benchmarks.scale import Cost, array_cost, exponent, network_cost
from tests.benchmarks.test_step_cost import lockstep_second

LONGEST_SECOND = 3600.0
ARRAYS = (4, 8, 16, 32, 64, 128)
SPARSE_ARRAYS = (4, 8, 16, 32, 64)
"""By SPARSE 64 takes 6 minutes. Of 128, by these exponents (2.7 and 2.1), the operating point would
take 50 minutes and the read 90.
"""
NETWORKS = (4, 8, 16, 64)
"""Of 32 KLU finds no time step 0.1 ps after the search's operating point, where SPARSE does."""
SPARSE_NETWORKS = (4, 8, 16, 32)
LEAST_CELLS = 500
"""Below, what is the same for all sizes shows."""
RING_RUNS = 5


def measure(name: str, cost: Callable[[int, bool], Cost], size: int, solver: str) -> Cost:
    """Record the cost of a size, and the exponents of the sizes that are there by now."""
    if solver == "klu" and not probe(find_library()).klu:
        pytest.skip("this ngspice has no KLU")
    known = json.loads(RESULTS.read_text()).get(f"{name}.{solver}", {}).get("sizes", {})
    load = os.getloadavg()[0]
    measured = isolated(cost, size, solver == "klu", timeout_second=LONGEST_SECOND)
    known[str(size)] = measured | {"load": load}
    large = [one for one in known.values() if one["transistors"] >= LEAST_CELLS]
    exponents = {
        what: exponent([one["transistors"] for one in large], [one[what] for one in large])
        for what in measured
        if what.endswith("cpu_second") and len(large) > 1
    }
    record(f"{name}.{solver}", {"sizes": known, "exponent_in_transistors": exponents})
    return measured


@pytest.mark.benchmark
@pytest.mark.timeout(LONGEST_SECOND)
@pytest.mark.parametrize(
    ("size", "solver"),
    [*((size, "klu") for size in ARRAYS), *((size, "sparse") for size in SPARSE_ARRAYS)],
)
def test_read_of_an_array(size: int, solver: str) -> None:
    measured = measure("scale_array", array_cost, size, solver)
    assert measured["transient_points"] >= 100


@pytest.mark.benchmark
@pytest.mark.timeout(LONGEST_SECOND)
@pytest.mark.parametrize(
    ("width", "solver"),
    [*((width, "klu") for width in NETWORKS), *((width, "sparse") for width in SPARSE_NETWORKS)],
)
def test_score_network_of_transistors(width: int, solver: str) -> None:
    """2-width-width-2: the search for its operating point, and a transient from there."""
    measured = measure("scale_network", network_cost, width, solver)
    assert measured["confirming_iterations"] < 10
    assert measured["transient_points"] >= 100


@pytest.mark.benchmark
@pytest.mark.timeout(LONGEST_SECOND)
@pytest.mark.parametrize("equation", ["ode", "sde"])
def test_solver_of_the_whole_ring(equation: str, tmp_path: Path) -> None:
    """CPU time of a sample by either, one after the other; what `KLU_NODES` is chosen by."""
    values = {"name": "solvers", **WHOLE, "equation": equation}
    starts = Starts(tmp_path / "points.json", LONGEST_SECOND)
    klu = next(iter(Plan(parse(values, "the benchmark")).simulations(starts)))
    sparse = replace(klu, netlist=klu.netlist.replace(".options bypass=1 klu", ".options bypass=1"))
    assert sparse.netlist != klu.netlist
    spent = {"klu": 0.0, "sparse": 0.0}
    iterations = {"klu": 0, "sparse": 0}
    load = os.getloadavg()[0]
    jobs: dict[str, Simulation] = {"klu": klu, "sparse": sparse}
    pools = {name: WorkerPool(1, timeout_second=LONGEST_SECOND) for name in jobs}
    with pools["klu"], pools["sparse"]:
        for name, job in jobs.items():
            pools[name].run_one(job)
        for _ in range(RING_RUNS):
            for name, job in jobs.items():
                second, ran = lockstep_second(pools[name], job, 1)
                spent[name] += second / RING_RUNS
                iterations[name] = ran.statistics.iterations
    record(
        f"solver_of_the_ring.{equation}",
        {
            "cpu_second": spent,
            "iterations": iterations,
            "klu_over_sparse": spent["klu"] / spent["sparse"],
            "load": load,
        },
    )
    assert spent["klu"] < spent["sparse"]
