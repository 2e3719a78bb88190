"""Test bench of the row decoder: an array of switching 1T1R cells, of which one is addressed.

Row 2 is addressed and its cell in the last column gets a SET pulse: its source line at ground,
those of the other columns inhibited at the bit line's voltage. Then another row is addressed.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.characterise.bench import Analyse, Measured
from cosim.circuits.cell_1t1r import READ_VOLT, SET, SWITCHING_OPTIONS, WORD_SUPPLY_VOLT, Cell1T1R
from cosim.circuits.decoder import RowDecoder
from cosim.circuits.rram import Rram, RramCard, nanometre
from cosim.netlist.netlist import Transient, with_analysis
from cosim.netlist.waveform import piecewise_linear
from cosim.process.process import Process

ROWS, COLUMNS = 4, 2
ADDRESSED, NEXT = 2, 1
WORD_LINE_FARAD = 50e-15
"""Of a line of 32 cells: gates of 5 um, and 32 x 1 fF of wire."""
RESET_SIEMENS = 0.02e-3
MAX_STEP_SECOND = 2e-9
START_SECOND, SET_SECOND, STOP_SECOND, EDGE_SECOND = 50e-9, 1e-6, 1.6e-6, 1e-9


@dataclass(frozen=True)
class DecoderBench:
    """Measures access time, levels, and what a write does to cells that are not addressed."""

    card: RramCard
    process: Process
    analyse: Analyse

    @property
    def netlist(self) -> str:
        """Address, SET pulse, next address."""
        circuit = Circuit("row decoder and an array of 1T1R cells")
        self.process.apply(circuit)
        decoder = RowDecoder(ROWS, self.process)
        cell = Cell1T1R(Rram(self.card), self.process.ACCESS)
        circuit.subcircuit(decoder)
        circuit.subcircuit(cell)
        circuit.V("vdd_word", "vdd_word", circuit.gnd, WORD_SUPPLY_VOLT)
        circuit.V("word_supply", "word_supply", circuit.gnd, SET.word_volt)
        circuit.V("all_rows", "all_rows", circuit.gnd, 0)
        before, after = (decoder.address(row, WORD_SUPPLY_VOLT) for row in (ADDRESSED, NEXT))
        for node, volt in before.items():
            self._step(circuit, node, [(START_SECOND, volt), (STOP_SECOND, after[node])])
        end = START_SECOND + SET_SECOND
        write = [(2 * START_SECOND, SET.bit_volt), (end, 0.0)]
        self._step(circuit, f"bit_line_{ADDRESSED}", write)
        for row in range(ROWS):
            if row != ADDRESSED:
                circuit.V(f"bit_line_{row}", f"bit_line_{row}", circuit.gnd, 0)
        for column in range(COLUMNS):
            inhibited = column != COLUMNS - 1
            self._step(circuit, f"source_line_{column}", write if inhibited else [])
        reset = self.card.gap(RESET_SIEMENS, READ_VOLT)
        for row in range(ROWS):
            circuit.C(row, f"word_line_{row}", circuit.gnd, WORD_LINE_FARAD)
            for column in range(COLUMNS):
                circuit.X(
                    f"cell_{row}_{column}", cell.name, f"bit_line_{row}", f"word_line_{row}",
                    f"source_line_{column}", initial_gap=nanometre(reset),
                )  # fmt: skip
        circuit.X(
            "decoder", decoder.name, *before, "all_rows", "word_supply", "vdd_word",
            *(f"word_line_{row}" for row in range(ROWS)),
        )  # fmt: skip
        recorded = [
            *(f"v(word_line_{row})" for row in range(ROWS)),
            *("v(address_0)", "i(vvdd_word)", f"i(vbit_line_{ADDRESSED})"),
            *(f"v({_gap(row, column)})" for row in range(ROWS) for column in range(COLUMNS)),
        ]
        stop = STOP_SECOND + 2 * START_SECOND
        line = Transient(stop, MAX_STEP_SECOND).line
        return with_analysis(circuit, line, recorded, SWITCHING_OPTIONS)

    sisters: ClassVar[dict[str, str]] = {}

    @staticmethod
    def _step(circuit: Circuit, node: str, levels: list[tuple[float, float]]) -> None:
        """A source that starts at 0 V and steps to each level at its time."""
        time, volt = [0.0], [0.0]
        for at, level in levels:
            time += [at, at + EDGE_SECOND]
            volt += [volt[-1], level]
        piecewise_linear(circuit, node, circuit.gnd, np.array(time), np.array(volt))

    def measure(self) -> Measured:
        """The spec sheet; curves `word line N` (time, volt) and `gap of row N, column M` (nm)."""
        vectors = self.analyse(self.netlist)
        time = vectors["time"]
        words = [vectors[f"word_line_{row}"] for row in range(ROWS)]
        gaps = {
            (row, column): vectors[_gap(row, column)]
            for row in range(ROWS)
            for column in range(COLUMNS)
        }
        written = gaps.pop((ADDRESSED, COLUMNS - 1))
        during = (time > 2 * START_SECOND) & (time < START_SECOND + SET_SECOND)
        others = [words[row][during] for row in range(ROWS) if row != ADDRESSED]
        half = SET.word_volt / 2
        rises = time[(time > STOP_SECOND) & (words[NEXT] > half)][0]
        falls = time[(time > STOP_SECOND) & (words[ADDRESSED] < half)][0]
        middle = STOP_SECOND + EDGE_SECOND / 2
        return Measured(
            {
                "selected_volt": float(words[ADDRESSED][during].min()),
                "unselected_volt": float(np.max(np.abs(others))),
                "rise_second": float(rises - middle),
                "fall_second": float(falls - middle),
                "written_nanometre": float(written[0] - written[-1]),
                "disturbed_nanometre": float(max(np.ptp(gap) for gap in gaps.values())),
                "rest_ampere": float(-vectors["vvdd_word#branch"][0]),
            },
            {
                **{f"word line {row}": (time, volts) for row, volts in enumerate(words)},
                f"gap of row {ADDRESSED}, column {COLUMNS - 1}": (time, written),
                **{f"gap of row {r}, column {c}": (time, gap) for (r, c), gap in gaps.items()},
            },
        )


def _gap(row: int, column: int) -> str:
    return f"xcell_{row}_{column}.xdevice.gap"
