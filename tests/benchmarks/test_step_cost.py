"""CPU time of an accepted step in lockstep against plain `ngspice -b -r` at equal points.

Plain ngspice has the recorded score as `pwl(time, ...)` in behavioural sources, which make no
breakpoints, so that it takes the steps that the lockstep takes. Both include the operating point,
and neither the reading of the netlist. What operating point, set-up and messages are of that is
where the line through a run that ends at once and a whole one meets no points.
"""

import os
import re
import resource
import statistics
import subprocess
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cosim.circuits.fidelity import Fidelity
from cosim.diffusion.config import RunConfig
from cosim.diffusion.fidelities import BlockFidelities
from cosim.diffusion.run import Run
from cosim.engine.library import find_library
from cosim.engine.worker import Finished, Simulation, WorkerPool
from tests.benchmarks.recording import record
from tests.plain_ngspice import read_raw

PAIRS = 9
AT_ONCE = 20
"""Runs in one measurement: a process's time is told in ticks of 10 ms."""
STARTS_AT_ONCE, START_STOP_SECOND = 300, 1e-9
MICRO = 1e6
ASKED = {Fidelity.TRANSISTOR: 2.0, Fidelity.IDEAL: 3.0}
PLAYED = re.compile(r"^V(score_\S+) (\S+) (\S+) PWL\(([^)]*)\)", re.MULTILINE)


def without_breakpoints(netlist: str) -> str:
    """Its PWL sources of the score as behavioural ones."""

    def behavioural(match: re.Match[str]) -> str:
        name, node, reference, corners = match.groups()
        numbers = corners.replace("+", " ").split() if "\n+" in corners else corners.split()
        pairs = ",\n+ ".join(map(",".join, zip(numbers[::2], numbers[1::2], strict=True)))
        return f"B{name} {node} {reference} v=pwl(time,\n+ {pairs},1,{numbers[-1]})"

    changed, count = PLAYED.subn(behavioural, netlist)
    assert count
    return changed


def plain_second(netlist: Path) -> float:
    """CPU seconds of `ngspice -b -r`."""
    executable = find_library().executable_path
    assert executable is not None
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [str(executable), "-b", "-r", str(netlist.with_suffix(".raw")), str(netlist)],
        capture_output=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def lockstep_second(pool: WorkerPool, simulation: Simulation, runs: int) -> tuple[float, Finished]:
    """CPU seconds of the worker for a run of a netlist that it has loaded, and how it ended."""
    before = psutil.Process(pool._workers[0].process.pid).cpu_times()
    for _ in range(runs):
        _, finished = pool.run_one(simulation)
    after = psutil.Process(pool._workers[0].process.pid).cpu_times()
    spent = after.user + after.system - before.user - before.system
    return spent / runs, finished


@pytest.mark.benchmark
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("opamp", [Fidelity.TRANSISTOR, Fidelity.IDEAL])
def test_step_in_lockstep(opamp: Fidelity, tmp_path: Path) -> None:
    """The main job: linearised coupling."""
    run = Run(RunConfig(name="step", task="circle", fidelity=BlockFidelities(opamp=opamp)))
    outcome = run.execute(tmp_path)
    whole, parsed = tmp_path / "whole.cir", tmp_path / "parsed.cir"
    whole.write_text(without_breakpoints(outcome.netlist_path.read_text()))
    parsed.write_text(re.sub(r"^\.tran .*", "", whole.read_text(), flags=re.MULTILINE))
    simulation = next(iter(run.plan.simulations()))
    short = replace(
        simulation,
        netlist=re.sub(
            r"^\.tran (\S+) .*", rf".tran \1 {START_STOP_SECOND}", simulation.netlist, flags=re.M
        ),
        stop_second=START_STOP_SECOND,
    )
    ours, plain = [], []
    with WorkerPool(1, timeout_second=60) as pool:
        pool.run_one(simulation)
        for _ in range(PAIRS):
            second, ran = lockstep_second(pool, simulation, AT_ONCE)
            ours.append(second)
            second = plain_second(whole) - plain_second(parsed)
            points = len(read_raw(whole.with_suffix(".raw"))["time"])
            plain.append(MICRO * second / points)
        pool.run_one(short)
        short_second, started = lockstep_second(pool, short, STARTS_AT_ONCE)
    whole_points, short_points = (one.statistics.accepted_points for one in (ran, started))
    whole_second = statistics.median(ours)
    slope = (whole_second - short_second) / (whole_points - short_points)
    step, plain_step = MICRO * whole_second / whole_points, statistics.median(plain)
    record(
        f"step_cost.{opamp}",
        {
            "lockstep_microsecond": step,
            "of_that_start_microsecond": step - MICRO * slope,
            "start_iterations": ran.start.iterations,
            "plain_microsecond": plain_step,
            "ratio": step / plain_step,
            "lockstep_points": whole_points,
            "plain_points": points,
            "load": os.getloadavg()[0],
        },
    )
    assert points == pytest.approx(whole_points, rel=0.1)
    assert step <= ASKED[opamp] * plain_step
