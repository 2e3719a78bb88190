"""Samples of the whole solver of transistors, in a process of its own; it prints JSON.

It is run in a checkout of the commit before as well, so it uses what both have: `python
transistor_sample.py RUN.json FOLDER`. Seconds are of this process and all that it started.
"""

import json
import resource
import sys
from pathlib import Path

import numpy as np

from cosim.diffusion.config import parse
from cosim.diffusion.run import Run


def main() -> None:
    """Execute the run; print its CPU time, points, errors and states on a grid of tau."""
    values, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    run = Run(parse(values, "The benchmark"))
    outcome = run.execute(folder, overwrite=True)
    used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    scaling, states = run.config.scaling, run.problem.network.states
    precharge, grid = scaling.precharge_second, np.linspace(0, 1, 401)
    samples = run.config.ensemble.samples
    members = [outcome.trace.member(k) for k in range(samples)] if samples > 1 else [outcome.trace]
    paths, supplies = [], []
    for member in members:
        ground = member["reference.out"].values
        time_second = np.asarray(member.time_second)
        volts = [member[f"integrator_{k}.out"].values - ground for k in range(states)]
        at = precharge + scaling.solve_second * grid
        paths.append([np.interp(at, time_second, v) / scaling.volt_per_unit for v in volts])
        supplies.append(float(member["supply.vdd"].values[0]))
    said = {
        "ngspice_cpu_second": used[1].ru_utime,
        "all_cpu_second": used[0].ru_utime + used[1].ru_utime,
        "accepted_points": outcome.statistics.accepted_points,
        "circuit_error": outcome.solve.relative_error,
        "supply_ampere": supplies,
        "paths": np.array(paths).tolist(),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
