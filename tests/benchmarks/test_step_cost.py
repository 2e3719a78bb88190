"""CPU time of an accepted step in lockstep against plain `ngspice -b -r` at equal points.

Plain ngspice has the recorded score as `pwl(time, ...)` in behavioural sources, which make no
breakpoints, so that it takes the steps that the lockstep takes. Both include the operating point,
and neither the reading of the netlist.
"""

import re
import resource
import statistics
import subprocess
from pathlib import Path

import psutil
import pytest

from cosim.circuits.fidelity import Fidelity
from cosim.diffusion.config import RunConfig
from cosim.diffusion.fidelities import BlockFidelities
from cosim.diffusion.run import Run
from cosim.engine.library import find_library
from cosim.engine.worker import Simulation, WorkerPool
from tests.benchmarks.recording import record
from tests.plain_ngspice import read_raw

PAIRS = 9
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


def lockstep_second(pool: WorkerPool, simulation: Simulation) -> tuple[float, int]:
    """CPU seconds of the worker for a netlist that it has loaded, and accepted points."""
    before = psutil.Process(pool._workers[0].process.pid).cpu_times()
    _, finished = pool.run_one(simulation)
    after = psutil.Process(pool._workers[0].process.pid).cpu_times()
    spent = after.user + after.system - before.user - before.system
    return spent, finished.statistics.accepted_points


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
    ours, plain = [], []
    with WorkerPool(1, timeout_second=60) as pool:
        pool.run_one(simulation)
        for _ in range(PAIRS):
            # Clock ticks of 10 ms: several runs at once.
            spent = [lockstep_second(pool, simulation) for _ in range(5)]
            ours.append(MICRO * sum(one for one, _ in spent) / sum(points for _, points in spent))
            second = plain_second(whole) - plain_second(parsed)
            points = len(read_raw(whole.with_suffix(".raw"))["time"])
            plain.append(MICRO * second / points)
    step, plain_step = statistics.median(ours), statistics.median(plain)
    record(
        f"step_cost.{opamp}",
        {
            "lockstep_microsecond": step,
            "plain_microsecond": plain_step,
            "ratio": step / plain_step,
            "lockstep_points": spent[0][1],
            "plain_points": points,
        },
    )
    assert points == pytest.approx(spent[0][1], rel=0.1)
    assert step <= ASKED[opamp] * plain_step
