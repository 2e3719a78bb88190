"""Spec sheet of the crossbar: product error by size with and without wires, IR drop, settling."""

from dataclasses import dataclass

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
from cosim.process.process import Process

SIZES = (4, 8, 16, 32)
WINDOW_SIEMENS = (0.02e-3, 0.10e-3)
WIRE = WireSegment(resistance_ohm=2.5, capacitance_farad=1e-15)
"""Of a cell's pitch of about 4 um: 2.5 ohm of minimum-width metal, 1 fF."""
DRIVE_VOLT = 0.3
SEED = 1
SETTLED_SIZE = 16


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
        """The operating point of the smallest array with wires."""
        return self._bench(SIZES[0], WIRE)[0].netlist

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
        circuit = Circuit("crossbar_step")
        if self.process is not None:
            self.process.apply(circuit)
        circuit.subcircuit(crossbar)
        for node in crossbar.external_nodes:
            volt: float | str = READ.source_volt
            if node.startswith("word"):
                volt = READ.word_volt
            elif node.startswith("bit"):
                volt = f"PWL(0 {READ.source_volt!r} 10p {READ.source_volt + DRIVE_VOLT!r})"
            circuit.V(node, node, circuit.gnd, volt)
        circuit.X("crossbar", crossbar.name, *crossbar.external_nodes)
        last = column_nodes(SETTLED_SIZE)[-2:]
        vectors = self.simulator.analyse(
            f"{circuit}.options reltol=1e-5{' klu' if self.klu else ''}\n"
            f".save {' '.join(f'i(v{line})' for line in last)}\n.tran 2p 0.5n 0 2p\n.end\n"
        )
        plus, minus = (vectors[f"v{line}#branch"] for line in last)
        return vectors["time"], plus - minus
