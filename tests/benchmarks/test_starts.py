"""Starts of the whole solver of transistors over corners and temperatures: each at a confirmed
operating point, found again by Newton's method, with the supply current that belongs to it.

A corner and an equation are a test of their own, so that the rest can be run another time.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cosim.diffusion.config import parse
from cosim.diffusion.plan import Plan
from cosim.diffusion.studies.waveforms import WHOLE
from cosim.engine.worker import WorkerPool
from cosim.process.gf180mcu import GF180MCU
from cosim.simulation.start import Starts
from tests.benchmarks.recording import record

CELSIUS = (27.0, -40.0, 125.0)
SAMPLES = 20
STOP_SECOND = 10e-9
"""The start is what is looked at."""


@pytest.mark.benchmark
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("equation", ["ode", "sde"])
@pytest.mark.parametrize("corner", GF180MCU.CORNERS)
def test_every_start_is_at_the_confirmed_point(corner: str, equation: str, tmp_path: Path) -> None:
    starts = Starts(tmp_path / "operating_points.json", 3600.0)
    measured = {}
    for celsius in CELSIUS:
        values = {
            "name": "starts",
            **WHOLE,
            "equation": equation,
            "process": {"corner": corner, "temperature_celsius": celsius},
            "ensemble": {"samples": SAMPLES},
        }
        ways: Counter[str] = Counter()
        supply_ampere, iterations = [], []
        with WorkerPool(1, timeout_second=3600.0) as pool:
            for simulation in Plan(parse(values, "the benchmark")).simulations(starts):
                short = re.sub(
                    r"^\.tran .*", f".tran 1n {STOP_SECOND!r}", simulation.netlist, flags=re.M
                )
                job = replace(simulation, netlist=short, stop_second=STOP_SECOND)
                points, finished = pool.run_one(job)
                assert finished.start is not None and simulation.start is not None
                ways[finished.start.way] += 1
                iterations.append(finished.start.iterations)
                supply_ampere.append(-float(points.values[0, 0]))
                assert supply_ampere[-1] == pytest.approx(-simulation.start[0], rel=0.1)
        assert ways == {"Newton's method": SAMPLES}
        measured[f"{celsius:g}"] = {
            "samples": SAMPLES,
            "most_iterations": max(iterations),
            "supply_milliampere": [1e3 * min(supply_ampere), 1e3 * max(supply_ampere)],
        }
    record(f"starts_{equation}_{corner}", measured)
