"""What a step costs when another process serves the score, beside the same step in one process.

Pairs of runs of the same solve, alternating, so that what else the machine does hits both alike.
"""

import multiprocessing
import os
import statistics
from pathlib import Path

import pytest

from cosim.engine.worker import Finished, Simulation, Statistics, WorkerPool
from cosim.lockstep.exchange_server import await_request, serve
from cosim.lockstep.scheme import SCHEMES
from tests.benchmarks.recording import record
from tests.benchmarks.ring import ideal_ring
from tests.engine.problems import served

PAIRS = 9
MICRO = 1e6
PATIENCE_SECOND = 60.0


def solved(pool: WorkerPool, simulation: Simulation) -> Statistics:
    (finished,) = (one for one in pool.run([simulation]) if isinstance(one, Finished))
    return finished.statistics


def serve_often(simulation: Simulation, folder: Path, times: int) -> None:
    for _ in range(times):
        serve(await_request(folder, PATIENCE_SECOND), simulation.blocks[0], PATIENCE_SECOND)


@pytest.mark.benchmark
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scheme", SCHEMES.built_in)
def test_exchange_speed(scheme: str, tmp_path: Path) -> None:
    simulation = next(iter(ideal_ring(scheme).plan.simulations()))
    outside = served(simulation, tmp_path, PATIENCE_SECOND)
    load_average = os.getloadavg()[0]
    server = multiprocessing.get_context("spawn").Process(
        target=serve_often, args=(simulation, tmp_path, PAIRS + 1)
    )
    server.start()
    ratios, inside_second, outside_second = [], [], []
    with WorkerPool(1, timeout_second=2 * PATIENCE_SECOND) as pool:
        for pair in range(PAIRS + 1):
            here, there = solved(pool, simulation), solved(pool, outside)
            if pair:  # the first one compiles
                inside_second.append(here.transient_second / here.accepted_points)
                outside_second.append(there.transient_second / there.accepted_points)
                ratios.append(outside_second[-1] / inside_second[-1])
    server.join()
    record(
        f"exchange_speed.{scheme}",
        {
            "ratio_per_step": statistics.median(ratios),
            "step_microsecond": {
                "in_process": MICRO * statistics.median(inside_second),
                "through_files": MICRO * statistics.median(outside_second),
            },
            "load_average_before": load_average,
        },
    )
