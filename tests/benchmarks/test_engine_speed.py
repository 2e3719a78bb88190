"""The engine against PySpice's own way, and its memory over a long run."""

import json
import statistics
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cosim.engine.worker import Finished, Points, WorkerPool
from cosim.lockstep.scheme import Explicit
from cosim.trace import Provenance, Signal, TraceWriter
from tests.benchmarks.recording import record
from tests.benchmarks.ring import ideal_ring
from tests.benchmarks.test_lockstep_overhead import lockstep
from tests.engine.problems import Decay, Rate, block, simulation

PAIRS = 5
MICRO, MEGA = 1e6, 1e6
LONG_RUN_POINTS = 1_000_000
LONG_RUN_SIGNALS = 50
GROWTH_MEGABYTE = 50


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_pyspice_s_own_way(tmp_path: Path) -> None:
    """Side by side: seconds of the same transient, explicit coupling."""
    job = next(iter(ideal_ring("explicit").plan.simulations()))
    ratios, own, ours = [], [], []
    with WorkerPool(1, timeout_second=60) as pool:
        lockstep(pool, job)
        for _ in range(PAIRS):
            spent = lockstep(pool, job)
            out = tmp_path / "own.json"
            subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.pyspice_own_way", str(out)],
                check=True, capture_output=True,
            )  # fmt: skip
            other = json.loads(out.read_text())
            own.append(MICRO * other["second"] / other["points"])
            ours.append(MICRO * spent.transient_second / spent.accepted_points)
            ratios.append(other["second"] / spent.transient_second)
    record(
        "pyspice_own_way",
        {
            "times_faster": statistics.median(ratios),
            "own_step_microsecond": statistics.median(own),
            "our_step_microsecond": statistics.median(ours),
            "points": other["points"],
        },
    )


def resident_megabyte(process: int | str) -> float:
    """Resident memory of a process (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / MEGA


@pytest.mark.benchmark
@pytest.mark.timeout(1200)
def test_memory_is_flat_over_a_long_run(tmp_path: Path) -> None:
    """A million points, recorded in a trace: worker and parent, from a tenth of the run on."""
    step = 1e-3
    taps = [f"tap_{index}" for index in range(LONG_RUN_SIGNALS - 2)]
    divider = "".join(f"R{node} {before} {node} 1k\n" for before, node in pairwise(["u", *taps]))
    job = simulation(
        block(Rate(Decay())), Explicit, 1.0, units=step * LONG_RUN_POINTS, step=step,
        extra=f"{divider}Rlast {taps[-1]} 0 1k",
    )  # fmt: skip
    job = replace(job, saved=("x", "u", *taps))
    provenance = Provenance.collect(
        configuration_toml="",
        netlist=job.plan.netlist,
        seeds={},
        ngspice_version="",
        model_sha256="",
    )
    measured: list[tuple[int, float, float]] = []
    points = 0
    signals = [Signal(f"{name}.{name}", "V") for name in job.saved]
    with (
        TraceWriter.create(tmp_path / "long.h5", signals=signals, provenance=provenance) as writer,
        WorkerPool(1, timeout_second=60) as pool,
    ):
        for message in pool.run([job]):
            if isinstance(message, Points):
                writer.append(message.time_second, message.values)
                points += len(message.time_second)
                worker = pool._workers[0].process.pid
                assert worker is not None
                measured.append((points, resident_megabyte(worker), resident_megabyte("self")))
        assert isinstance(message, Finished)
        writer.finish()
    table = np.array(measured)
    later = table[table[:, 0] > points / 10]
    growth = {
        name: float(later[:, column].max() - later[0, column])
        for column, name in ((1, "worker_megabyte"), (2, "parent_megabyte"))
    }
    record(
        "memory_of_a_long_run",
        {
            "points": points,
            "signals": len(signals),
            "growth": growth,
            "second": message.statistics.transient_second,
        },
    )
    assert points >= LONG_RUN_POINTS
    assert max(growth.values()) < GROWTH_MEGABYTE
