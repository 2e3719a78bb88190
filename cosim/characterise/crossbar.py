"""Spec sheet of the crossbar: product error by size with and without wires, IR drop, settling."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.characterise.bench import Measured, settling_second
from cosim.circuits.cell_1t1r import READ, Simulator
from cosim.circuits.crossbar import (
    Cell,
    Crossbar,
    CrossbarBench,
    WireSegment,
    column_nodes,
)
from cosim.netlist.netlist import Transient, with_analysis
from cosim.netlist.waveform import piecewise_linear
from cosim.process.process import Process

SIZES = (4, 8, 16, 32)
WINDOW_SIEMENS = (0.02e-3, 0.10e-3)
WIRE = WireSegment(resistance_ohm=2.5, capacitance_farad=1e-15)
"""Of a cell's pitch of about 4 um: 2.5 ohm of minimum-width metal, 1 fF."""
DRIVE_VOLT = 0.3
SEED = 1
SETTLED_SIZE = 16
READ_SECOND, READ_EDGE_SECOND = 0.5e-9, 50e-12
EDGE_SECOND = 10e-12


@dataclass(frozen=True)
class CrossbarSheet:
    """Measures square arrays of pairs, random conductances, all rows driven at random.

    Args:
        cell: of the arrays; 1T1R or ideal.
        klu: use the KLU solver, which arrays with wires need from some 32 x 32.
    """

    cell: Cell
    process: Process | None
    simulator: Simulator
    klu: bool

    @property
    def netlist(self) -> str:
        """The smallest array with wires: each row is read by itself, then all at once."""
        bench, _, volts = self._bench(SIZES[0], WIRE)
        rows = len(volts)
        circuit = self._placed(bench.crossbar)
        for row, volt in enumerate(volts):
            edges = READ_SECOND * np.array([row, row + 1, rows + 1, rows + 2]) + READ_EDGE_SECOND
            levels = np.array([DRIVE_VOLT, 0.0, volt, 0.0])
            time = np.stack([edges, edges + READ_EDGE_SECOND], axis=1).ravel()
            before = np.concatenate([[0.0], levels[:-1]])
            volts_over_time = np.stack([before, levels], axis=1).ravel()
            piecewise_linear(
                circuit,
                f"bit_line_{row}",
                "analog_ground",
                np.concatenate([[0.0], time]),
                np.concatenate([[0.0], volts_over_time]),
            )
        far = 2 * bench.crossbar.columns - 1
        recorded = [
            *(f"i(v{line})" for line in column_nodes(bench.crossbar.columns)),
            *(f"v(xcrossbar.bit_{row}_{far})" for row in range(rows)),
            *(f"v(xcrossbar.source_{line}_0)" for line in range(far + 1)),
        ]
        line = Transient((rows + 3) * READ_SECOND, READ_SECOND / 100).line
        return with_analysis(circuit, line, recorded, self._options)

    sisters: ClassVar[dict[str, str]] = {}

    def measure(self) -> Measured:
        """The spec sheet.

        Curves: `error wires` and `error ideal lines` (size, largest error of a column's difference
        current over the largest one), `drop` (size, part of the drive lost at the farthest cell),
        `product N` (ideal, measured currents) of the largest array, `step` (time, current).
        """
        errors: dict[str, list[float]] = {"wires": [], "ideal lines": []}
        drops, product = [], (np.empty(0), np.empty(0))
        for size in SIZES:
            for kind, wire in (("ideal lines", None), ("wires", WIRE)):
                bench, weights, volts = self._bench(size, wire)
                amperes = bench.multiply(self.simulator, volts)
                found, ideal = amperes[:, 0] - amperes[:, 1], volts @ weights
                errors[kind].append(float(np.abs(found - ideal).max() / np.abs(ideal).max()))
                product = (ideal, found)
            drops.append(self._worst_drop(size))
        sizes = np.array(SIZES, dtype=float)
        step = self._step()
        return Measured(
            {
                "error_ideal_lines": errors["ideal lines"][-1],
                **{f"error_{size}": error for size, error in zip(SIZES, errors["wires"],
                                                                 strict=True)},
                "worst_drop": drops[-1],
                "settling_second": settling_second(*step, 0.0, 1e-3),
            },
            {
                "error ideal lines": (sizes, np.array(errors["ideal lines"])),
                "error wires": (sizes, np.array(errors["wires"])),
                "drop": (sizes, np.array(drops)),
                f"product {SIZES[-1]}": product,
                "step": step,
            },
        )  # fmt: skip

    def _bench(
        self, size: int, wire: WireSegment | None
    ) -> tuple[CrossbarBench, np.ndarray, np.ndarray]:
        """Bench, plus - minus conductances [rows, columns], drive volts [rows]."""
        generator = np.random.default_rng(SEED)
        plus, minus = (generator.uniform(*WINDOW_SIEMENS, (size, size)) for _ in range(2))
        volts = generator.uniform(-DRIVE_VOLT, DRIVE_VOLT, size)
        crossbar = Crossbar("crossbar", plus, minus, self.cell, wire)
        return CrossbarBench(crossbar, self.process, self.klu), plus - minus, volts

    def _worst_drop(self, size: int) -> float:
        full = np.full((size, size), WINDOW_SIEMENS[1])
        crossbar = Crossbar("crossbar", full, full, self.cell, WIRE)
        return CrossbarBench(crossbar, self.process, self.klu).ir_drop(self.simulator, DRIVE_VOLT)

    def _step(self) -> tuple[np.ndarray, np.ndarray]:
        """Time and the last column's difference current after all rows step up."""
        full, least = (
            np.full((SETTLED_SIZE, SETTLED_SIZE), siemens) for siemens in reversed(WINDOW_SIEMENS)
        )
        crossbar = Crossbar("crossbar", full, least, self.cell, WIRE)
        circuit = self._placed(crossbar)
        for row in range(SETTLED_SIZE):
            piecewise_linear(
                circuit, f"bit_line_{row}", "analog_ground",
                np.array([0.0, EDGE_SECOND]), np.array([0.0, DRIVE_VOLT]),
            )  # fmt: skip
        last = column_nodes(SETTLED_SIZE)[-2:]
        recorded = [f"i(v{line})" for line in last]
        line = Transient(0.5e-9, 2e-12).line
        vectors = self.simulator.analyse(with_analysis(circuit, line, recorded, self._options))
        plus, minus = (vectors[f"v{line}#branch"] for line in last)
        return vectors["time"], plus - minus

    @property
    def _options(self) -> str:
        return f".options reltol=1e-5{' klu' if self.klu else ''}"

    def _placed(self, crossbar: Crossbar) -> Circuit:
        """A crossbar with its word lines on and its source lines at the analog ground; the bit
        lines are left to be driven.
        """
        circuit = Circuit(f"{crossbar.rows} x {crossbar.columns} crossbar")
        if self.process is not None:
            self.process.apply(circuit)
        circuit.subcircuit(crossbar)
        circuit.V("analog_ground", "analog_ground", circuit.gnd, READ.source_volt)
        for node in crossbar.external_nodes:
            if node.startswith("word"):
                circuit.V(node, node, circuit.gnd, READ.word_volt)
            elif node.startswith("source"):
                circuit.V(node, node, "analog_ground", 0)
        circuit.X("crossbar", crossbar.name, *crossbar.external_nodes)
        return circuit
