"""Large circuits, and what they cost ngspice: arrays with wires, score networks of transistors."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import numpy as np
import torch
from PySpice.Spice.Netlist import Circuit

from cosim.circuits.cell_1t1r import READ, READ_VOLT, WORD_SUPPLY_VOLT, Cell1T1R
from cosim.circuits.crossbar import Crossbar, CrossbarBench, WireSegment
from cosim.circuits.rram import ReadOnlyCell
from cosim.diffusion.circuit.mapped_score import map_score
from cosim.diffusion.circuit.mapping import ConductanceWindow
from cosim.diffusion.circuit.score_network import ScoreNetworkCircuit, score_blocks
from cosim.diffusion.fidelities import BlockFidelities
from cosim.diffusion.scaling import Scaling
from cosim.diffusion.score.network import ScoreNetwork
from cosim.engine.session import NgspiceSession
from cosim.netlist.lean import lean
from cosim.netlist.netlist import Transient, with_analysis
from cosim.netlist.parse import parse
from cosim.netlist.waveform import pair_lines
from cosim.process.gf180mcu import GF180MCU
from cosim.simulation import start as start_module
from cosim.simulation.frozen import circuit_alone, frozen
from cosim.simulation.start import _find, nodesets, starting

Cost = dict[str, float]

WIRE = WireSegment(resistance_ohm=2.5, capacitance_farad=1e-15)
WINDOW_SIEMENS = (0.02e-3, 0.10e-3)
POINTS = 100
SLOT_SECOND, SLOTS, EDGE_SECOND = 10e-9, 4, 0.4e-9
STATE_STEP_SECOND = 2e-6
SEED = 0


def array(size: int, klu: bool) -> str:
    """A transient of the read of a pattern by an array of `size` x `size` pairs of 1T1R cells, with
    wires: in each of four slots half of the rows are driven.
    """
    generator = np.random.default_rng(SEED)
    plus, minus = (generator.uniform(*WINDOW_SIEMENS, (size, size)) for _ in range(2))
    cell = Cell1T1R(ReadOnlyCell("programmed"), GF180MCU.ACCESS)
    bench = CrossbarBench(Crossbar("array", plus, minus, cell, WIRE), GF180MCU(), klu)
    driven = generator.integers(0, 2, (size, SLOTS))

    def pattern(match: re.Match[str]) -> str:
        volts = READ.source_volt + READ_VOLT * driven[int(match[2])]
        corners = [(SLOT_SECOND * slot + edge, volt) for slot, volt in enumerate(volts)
                   for edge in (EDGE_SECOND, SLOT_SECOND)]  # fmt: skip
        time_second, volt = np.array([(0.0, READ.source_volt), *corners]).T
        return f"{match[1]} PWL({' '.join(pair_lines(time_second, volt, 6))})"

    stop_second = SLOTS * SLOT_SECOND
    netlist = re.sub(r"^(Vbit_line_(\d+) \S+ \S+) \S+$", pattern, bench.netlist, flags=re.M)
    return lean(netlist.replace(".op\n", f"{Transient(stop_second, stop_second / POINTS).line}\n"))


def network(width: int, klu: bool) -> str:
    """A transient of a score network 2-width-width-2 of transistors, whose states step."""
    torch.manual_seed(SEED)
    generator, scaling = np.random.default_rng(SEED), Scaling()
    score = ScoreNetwork(frequencies=generator.uniform(0.1, 3.0, width // 2))
    (mapped,) = map_score(score, ConductanceWindow())
    process = GF180MCU()
    blocks = score_blocks(
        BlockFidelities.model_validate({"all": "transistor"}), scaling.supply_volt, process
    )
    block = ScoreNetworkCircuit("network", mapped, scaling, blocks)
    circuit = Circuit(f"score network 2-{width}-{width}-2")
    process.apply(circuit)
    circuit.subcircuit(block)
    circuit.V("dd", "vdd", circuit.gnd, scaling.supply_volt)
    circuit.V("analog_ground", "analog_ground", circuit.gnd, scaling.analog_ground_volt)
    circuit.V("word_line", "word_line", circuit.gnd, WORD_SUPPLY_VOLT)
    step = [0.0, scaling.volt_per_unit]
    for index in range(score.states):
        corners = " ".join(pair_lines(np.array([0.1, 0.2]) * STATE_STEP_SECOND, np.array(step), 6))
        circuit.V(f"x{index}", f"x{index}", "analog_ground", f"PWL({corners})")
    nodes = [*(f"x{index}" for index in range(score.states)), *("raw_0", "raw_1")]
    circuit.X("network", block.name, *nodes, "analog_ground", "vdd", circuit.gnd, "word_line")
    line = Transient(STATE_STEP_SECOND, STATE_STEP_SECOND / POINTS).line
    options = f".options reltol=1e-4 vntol=1e-6 abstol=1e-11{' klu' if klu else ''}"
    return with_analysis(circuit, line, ["v(raw_0)", "v(raw_1)", "i(vdd)"], options)


def array_cost(size: int, klu: bool) -> Cost:
    """Operating point and transient; in a process of its own, as is `network_cost`."""
    session = NgspiceSession.start()
    before = _megabyte("VmRSS")
    netlist = array(size, klu)
    begun = process_time()
    session.load(netlist)
    read = process_time()
    session.run_unaudited(netlist, "op")
    assert session.found is not None
    found, solved = session.found, process_time()
    vectors = session.run_unaudited(netlist, "run")
    ended = process_time()
    return {
        "transistors": 2.0 * size**2,
        "read_cpu_second": read - begun,
        "operating_point_cpu_second": solved - read,
        "operating_point_iterations": found.iterations,
        **_of_transient(vectors, ended - solved, session),
        "process_before_megabyte": before,
        "peak_megabyte": _megabyte("VmHWM"),
    }


def network_cost(width: int, klu: bool) -> Cost:
    """The search for the operating point, and a transient that begins there, by the same solver."""
    start_module.KLU_NODES = 0 if klu else sys.maxsize
    session = NgspiceSession.start()
    before = _megabyte("VmRSS")
    netlist = network(width, klu)
    begun = process_time()
    start = _find(frozen(circuit_alone(netlist)), {})
    found = process_time()
    own = starting(lean(netlist), nodesets(start.vectors, netlist))
    session.load(own)
    read = process_time()
    vectors = session.run_unaudited(own, "run")
    ended = process_time()
    assert session.found is not None
    return {
        "transistors": float(_transistors(own)),
        "nodes": float(sum(not name.endswith("#branch") for name in start.vectors)),
        "search_cpu_second": found - begun,
        "search_iterations": start.found.iterations,
        "confirming_iterations": start.confirmed.iterations,
        "supply_milliampere": -1e3 * start.vectors["vdd#branch"],
        "read_cpu_second": read - found,
        "start_iterations": session.found.iterations,
        **_of_transient(vectors, ended - read, session),
        "process_before_megabyte": before,
        "peak_megabyte": _megabyte("VmHWM"),
    }


def _of_transient(
    vectors: dict[str, np.ndarray], second: float, session: NgspiceSession
) -> dict[str, float]:
    """Its operating point is part of it."""
    return {
        "transient_cpu_second": second,
        "transient_points": len(vectors["time"]),
        "transient_iterations": session.transient_iterations,
    }


def _transistors(netlist: str) -> int:
    """How many there are in all instances."""
    devices = parse(netlist, Path("network.cir")).devices()
    return sum(device.path.rpartition(".")[2][0].lower() == "m" for device in devices)


def _megabyte(what: str) -> float:
    """Resident memory of this process, now or at most; not that of the one that started it."""
    status = Path("/proc/self/status").read_text()
    kibibyte = re.search(rf"^{what}:\s+(\d+)", status, re.M)
    assert kibibyte is not None
    return int(kibibyte[1]) * 1024 / 1e6


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Of the power of sizes that fits values."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
