"""The ring's solver as a user of PySpice alone would step it: PySpice's callbacks, which make a
dictionary of Python numbers for every point, and the torch network in the callback.

Run as a module, it prints the seconds of the transient and the accepted points.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PySpice.Spice.NgSpice.Shared import NgSpiceShared

from cosim.diffusion.run import Run
from cosim.engine.library import find_library
from tests.benchmarks.ring import ideal_ring


class OwnWay(NgSpiceShared):
    """Explicit coupling: each source has the score of the last accepted point."""

    def couple(self, run: Run) -> None:
        self.run_, self.points = run, 0
        self.inputs, self.outputs = run.plan.design.solver.ports
        self.score_volts = np.full(len(self.outputs), run.config.scaling.analog_ground_volt)
        self.last_time = -1.0

    def send_data(self, actual_vector_values, number_of_vectors, ngspice_id):  # type: ignore[no-untyped-def]
        scaling = self.run_.config.scaling
        volts = np.array([actual_vector_values[node].real for node in self.inputs])
        now = 1.0 - scaling.tau(actual_vector_values["time"].real)
        with torch.inference_mode():
            x = torch.from_numpy(scaling.units(volts))
            raw = self.run_.network(x, torch.tensor(float(now), dtype=torch.float64))
        self.score_volts = scaling.node_volt(raw.numpy())
        self.points += 1
        return 0

    def get_vsrc_data(self, voltage, time, node, ngspice_id):  # type: ignore[no-untyped-def]
        voltage[0] = self.score_volts[self.outputs.index(node.removeprefix("v"))]
        return 0


def main() -> None:
    """Simulate the first sample."""
    library = find_library()
    NgSpiceShared.LIBRARY_PATH = str(library.library_path)
    torch.set_num_threads(1)
    run = ideal_ring("explicit")
    (simulation,) = run.plan.simulations()
    with library.loading():
        shared = OwnWay(send_data=True)
    shared.couple(run)
    shared.load_circuit(simulation.netlist)
    shared.exec_command("set no_mem_check")
    for _ in range(2):  # the first run warms torch up
        shared.points = 0
        started = time.perf_counter()
        shared._ngspice_shared.ngSpice_Command(b"run")
        spent = time.perf_counter() - started
        shared._ngspice_shared.ngSpice_Command(b"destroy all")
    Path(sys.argv[1]).write_text(json.dumps({"second": spent, "points": shared.points}))


if __name__ == "__main__":
    main()
