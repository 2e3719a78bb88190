"""What the benches of the blocks share: supplies around a block, and the result's form."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.netlist.netlist import inner_nodes
from cosim.process.process import Process

Analyse = Callable[[str], dict[str, np.ndarray]]
"""Runs a netlist's analysis; the engine's `NgspiceSession.analyse`."""

RESPONSE = ".ac dec 20 1k 1g"
"""The analysis of a block's frequency response."""

Curve = tuple[np.ndarray, np.ndarray]
"""Abscissa [n] and ordinate [n]."""


@dataclass(frozen=True)
class Measured:
    """A spec sheet: values by name with their unit at the end, and the curves behind them."""

    values: dict[str, float]
    curves: dict[str, Curve] = field(default_factory=dict, repr=False)


def bench_circuit(
    title: str, block: SubCircuit, process: Process | None, supply_volt: float
) -> Circuit:
    """A circuit with the process, the block's definition, vdd and the mid-rail analog_ground."""
    circuit = Circuit(title)
    if process is not None:
        process.apply(circuit)
    circuit.subcircuit(block)
    circuit.V("dd", "vdd", circuit.gnd, supply_volt)
    circuit.V("analog_ground", "analog_ground", circuit.gnd, supply_volt / 2)
    return circuit


def at_rest(circuit: Circuit) -> list[str]:
    """What an operating point has to say: output, supply current, every node inside the blocks."""
    return ["v(out)", "i(vdd)", *(f"v({node})" for node in inner_nodes(circuit))]


def corner_hertz(frequency: np.ndarray, magnitude: np.ndarray) -> float:
    """Frequency at which a low-pass response has fallen by 3 dB; infinite if it does not."""
    below = magnitude < magnitude[0] / np.sqrt(2)
    return float(frequency[np.argmax(below)]) if below.any() else float("inf")


def settling_second(time: np.ndarray, out: np.ndarray, edge_second: float, part: float) -> float:
    """From an edge until `out` stays within a part of its step around its last value."""
    step = abs(out[-1] - np.interp(edge_second, time, out))
    outside = (np.abs(out - out[-1]) > part * step) & (time >= edge_second)
    return float(time[outside][-1] - edge_second) if outside.any() else 0.0
