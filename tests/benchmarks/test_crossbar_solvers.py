"""KLU against SPARSE by array size: one operating point, wires of 2.5 ohm a segment."""

import time

import numpy as np
import pytest

from cosim.circuits.crossbar import Crossbar, CrossbarBench, ProgrammedConductance, WireSegment
from cosim.engine.library import find_library, probe
from cosim.engine.session import NgspiceSession
from tests.benchmarks.recording import record

SIZES = (8, 16, 32, 64, 128)


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_operating_point_by_size() -> None:
    if not probe(find_library()).klu:
        pytest.skip("this ngspice has no KLU")
    session, generator = NgspiceSession.start(), np.random.default_rng(0)
    spent: dict[str, dict[int, float]] = {"klu": {}, "sparse": {}}
    for size in SIZES:
        plus, minus = (generator.uniform(2e-5, 1e-4, (size, size)) for _ in range(2))
        crossbar = Crossbar("array", plus, minus, ProgrammedConductance(), WireSegment(2.5))
        for solver, seconds in spent.items():
            bench = CrossbarBench(crossbar, klu=solver == "klu")
            session.load(bench.netlist)
            started = time.perf_counter()
            bench.multiply(session, np.full(size, 0.1))
            seconds[size] = time.perf_counter() - started
    exponents = {
        solver: float(
            np.polyfit(
                np.log([2 * size**2 for size in list(seconds)[1:]]),
                np.log(list(seconds.values())[1:]),
                1,
            )[0]
        )
        for solver, seconds in spent.items()
    }
    record(
        "crossbar_operating_point",
        {
            **{f"{solver}_second": seconds for solver, seconds in spent.items()},
            "exponent_in_cells": exponents,
        },
    )
    assert spent["klu"][128] < 60
