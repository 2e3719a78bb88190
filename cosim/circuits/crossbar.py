"""Crossbar of differential conductance pairs: i_column = sum_row G[row, column] v_row.

Bit lines (driven) run along the rows, source lines (held at virtual ground) along the columns, two
of them for each column: plus and minus. Cells of one transistor have word lines too, which run
along the rows.
Source: Chen, Peng and Yu, IEEE TCAD 37(12), 2018 (pseudo-crossbar array of 1T1R cells).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Protocol

import numpy as np
from PySpice.Spice.Netlist import Circuit, Netlist, SubCircuit

from cosim.circuits.cell_1t1r import READ, Simulator
from cosim.errors import NetlistError
from cosim.netlist.netlist import with_analysis
from cosim.process.process import Process

SIGNS = ("plus", "minus")


class Cell(Protocol):
    """What stands where a bit line crosses a source line."""

    @property
    def NODES(self) -> tuple[str, ...]:
        """bit_line and source_line, or bit_line, word_line and source_line."""

    def place(self, netlist: Netlist, name: str, nodes: Sequence[str], siemens: float) -> None:
        """Add a cell of a conductance between `nodes`, in the order of `NODES`."""


class ProgrammedConductance:
    """The ideal cell."""

    NODES = ("bit_line", "source_line")

    def place(self, netlist: Netlist, name: str, nodes: Sequence[str], siemens: float) -> None:
        """Add a resistor."""
        netlist.R(name, *nodes, 1.0 / siemens)


@dataclass(frozen=True)
class WireSegment:
    """A piece of any line between two neighbouring cells, or between the first one and the
    line's terminal: its resistance, and its capacitance to ground at the cell.
    """

    resistance_ohm: float
    capacitance_farad: float = 0.0

    def __post_init__(self) -> None:
        if not self.resistance_ohm > 0 or not self.capacitance_farad >= 0:
            raise NetlistError(
                f"A wire segment cannot have {self.resistance_ohm!r} ohm and "
                f"{self.capacitance_farad!r} F: give a resistance above 0 and a capacitance of "
                "at least 0; a crossbar without wire resistance has no wire segment."
            )


class Crossbar(SubCircuit):
    """Nodes: bit_line_0..., word_line_0... if its cells have one, then source_line_plus_0,
    source_line_minus_0, ... for each column.

    Rows end at column 0, columns at the last row: the farthest cell is that of row 0 in the last
    column. Inside, with wires, row r has the nodes bit_r_k and word_r_k and line k of the
    columns (plus_0, minus_0, plus_1, ...) has the nodes source_k_r.

    Args:
        plus_siemens, minus_siemens: conductances of the pairs [rows, columns], > 0.
        cell: what each conductance is made of; see `Cell1T1R` for cells with a transistor.
        wire: resistance and capacitance of the lines; None for ideal lines.

    Raises:
        NetlistError: shapes differ, or a conductance is not positive and finite, or the cell
            cannot have it.
    """

    def __init__(
        self,
        name: str,
        plus_siemens: np.ndarray,
        minus_siemens: np.ndarray,
        cell: Cell,
        wire: WireSegment | None = None,
    ) -> None:
        _check(name, plus_siemens, minus_siemens)
        rows, columns = plus_siemens.shape
        lines = [kind for kind in ("bit_line", "word_line") if kind in cell.NODES]
        super().__init__(
            name,
            *(f"{line}_{row}" for line in lines for row in range(rows)),
            *column_nodes(columns),
        )
        self.rows, self.columns, self.wire = rows, columns, wire
        self.has_word_lines = "word_line" in cell.NODES
        if isinstance(cell, SubCircuit):
            self.subcircuit(cell)
        if wire is not None:
            self._add_wires(wire, lines, rows, columns)
        for sign, siemens in zip(SIGNS, (plus_siemens, minus_siemens), strict=True):
            for row, column in product(range(rows), range(columns)):
                position = 2 * column + SIGNS.index(sign)
                nodes = {
                    "bit_line": f"bit_{row}_{position}" if wire else f"bit_line_{row}",
                    "word_line": f"word_{row}_{position}" if wire else f"word_line_{row}",
                    "source_line": f"source_{position}_{row}"
                    if wire
                    else f"source_line_{sign}_{column}",
                }
                cell.place(
                    self,
                    f"{sign}_{row}_{column}",
                    [nodes[node] for node in cell.NODES],
                    float(siemens[row, column]),
                )

    def _add_wires(self, wire: WireSegment, lines: Sequence[str], rows: int, columns: int) -> None:
        for line, row in product(lines, range(rows)):
            short = line.removesuffix("_line")
            self._add_line(
                wire, [f"{line}_{row}", *(f"{short}_{row}_{k}" for k in range(2 * columns))]
            )
        for position, terminal in enumerate(column_nodes(columns)):
            self._add_line(
                wire, [terminal, *(f"source_{position}_{row}" for row in reversed(range(rows)))]
            )

    def _add_line(self, wire: WireSegment, nodes: Sequence[str]) -> None:
        for before, node in pairwise(nodes):
            self.R(node, before, node, wire.resistance_ohm)
            if wire.capacitance_farad:
                self.C(node, node, self.gnd, wire.capacitance_farad)


class IdealCrossbar(Crossbar):
    """A crossbar of programmed conductances between ideal lines."""

    def __init__(self, name: str, plus_siemens: np.ndarray, minus_siemens: np.ndarray) -> None:
        super().__init__(name, plus_siemens, minus_siemens, ProgrammedConductance())


class CrossbarBench:
    """A crossbar with its bit lines driven, its source lines at virtual ground (the analog ground)
    and its word lines on: multiplies in one operating point.

    Args:
        process: supplies the access transistors; None for cells without.
        klu: use the KLU solver, which large arrays with wires need; not in every ngspice.

    Raises:
        NetlistError: the cells have transistors, but there is no process.
    """

    def __init__(
        self, crossbar: Crossbar, process: Process | None = None, klu: bool = False
    ) -> None:
        if crossbar.has_word_lines and process is None:
            raise NetlistError(
                f"The bench of crossbar '{crossbar.name}' needs a process: its cells have access "
                "transistors. Give one, or use cells without transistors."
            )
        self.crossbar = crossbar
        self._lines = column_nodes(crossbar.columns)
        circuit = Circuit(f"{crossbar.rows} x {crossbar.columns} crossbar")
        if process is not None:
            process.apply(circuit)
        circuit.subcircuit(crossbar)
        for node in crossbar.external_nodes:
            volt = READ.word_volt if node.startswith("word") else READ.source_volt
            circuit.V(node, node, circuit.gnd, volt)
        circuit.X("crossbar", crossbar.name, *crossbar.external_nodes)
        saved = [f"i(v{line})" for line in self._lines]
        if crossbar.wire is not None:
            saved += [f"v({node})" for node in self._far_cell]
        options = f".options reltol=1e-6{' klu' if klu else ''}"
        self.netlist = with_analysis(circuit, ".op", saved, options)

    @property
    def _far_cell(self) -> tuple[str, str]:
        last = 2 * self.crossbar.columns - 1
        return f"xcrossbar.bit_0_{last}", f"xcrossbar.source_{last}_0"

    def _solve(self, simulator: Simulator, bit_volts: np.ndarray) -> dict[str, np.ndarray]:
        simulator.load(self.netlist)
        for row, volt in enumerate(bit_volts):
            simulator.set_source(f"vbit_line_{row}", READ.source_volt + float(volt))
        return simulator.analyse(self.netlist)

    def multiply(self, simulator: Simulator, bit_volts: np.ndarray) -> np.ndarray:
        """Currents out of the source lines in ampere [columns, 2: plus and minus].

        Args:
            bit_volts: of the bit lines against the analog ground [rows].
        """
        vectors = self._solve(simulator, bit_volts)
        amperes = [vectors[f"v{line}#branch"][0] for line in self._lines]
        return np.array(amperes).reshape(-1, len(SIGNS))

    def ir_drop(self, simulator: Simulator, bit_volt: float) -> float:
        """The part of the drive that the wires take from the farthest cell, all rows driven.

        It is the worst case of its size where all cells have the largest conductance.
        """
        if self.crossbar.wire is None:
            return 0.0
        vectors = self._solve(simulator, np.full(self.crossbar.rows, bit_volt))
        bit, source = (float(vectors[node][0]) for node in self._far_cell)
        return 1 - (bit - source) / bit_volt


def column_nodes(columns: int) -> list[str]:
    """Names of the source lines, pair by pair."""
    return [f"source_line_{sign}_{column}" for column in range(columns) for sign in SIGNS]


def _check(name: str, plus_siemens: np.ndarray, minus_siemens: np.ndarray) -> None:
    if plus_siemens.ndim != 2 or plus_siemens.shape != minus_siemens.shape:
        raise NetlistError(
            f"Crossbar '{name}' needs two conductance matrices of one shape [rows, columns], "
            f"but has {plus_siemens.shape} and {minus_siemens.shape}."
        )
    for sign, siemens in zip(SIGNS, (plus_siemens, minus_siemens), strict=True):
        good = np.isfinite(siemens) & (siemens > 0)
        if not good.all():
            row, column = np.argwhere(~good)[0]
            raise NetlistError(
                f"Crossbar '{name}', cell [{row}, {column}] ({sign}) has conductance "
                f"{siemens[row, column]} S; it must be positive and finite. Check the mapping."
            )
