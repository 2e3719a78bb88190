"""Row decoder: connects the word line that an address names to the word supply, the rest to ground.

    select_row = (address == row) or all_rows,   word_line_row = word_supply if select_row else 0

Programming addresses one row; multiplication turns `all_rows` on. Static CMOS of thick-oxide
transistors, as word lines are boosted. With r address bits the worst delay is that of r stacked
n-channel transistors, which are r times as wide as one.
Source: Weste and Harris, CMOS VLSI Design, 4th ed., sections 9.2 and 12.2.4 (row decoders).
"""

from collections.abc import Sequence

from PySpice.Spice.Netlist import SubCircuit

from cosim.errors import NetlistError
from cosim.process.process import Process

LOGIC_WIDTH_METRE, DRIVER_WIDTH_METRE = 2e-6, 10e-6
LARGEST_ROWS = 1024


class Nand(SubCircuit):
    """Nodes: input_0, input_1, ..., out, vdd_word; of one input, an inverter."""

    def __init__(self, inputs: int, process: Process) -> None:
        names = [f"input_{index}" for index in range(inputs)]
        super().__init__(f"nand_{inputs}", *names, "out", "vdd_word")
        stack = ["out", *(f"stack_{index}" for index in range(inputs - 1)), self.gnd]
        for index, name in enumerate(names):
            process.thick(
                self, f"n_{index}", "n", (stack[index], name, stack[index + 1], self.gnd),
                inputs * LOGIC_WIDTH_METRE,
            )  # fmt: skip
            process.thick(
                self, f"p_{index}", "p", ("out", name, "vdd_word", "vdd_word"),
                2 * LOGIC_WIDTH_METRE,
            )  # fmt: skip


class WordLineDriver(SubCircuit):
    """Connects a word line to the word supply when selected, else to ground.

    Nodes: select, deselect, word_supply, word_line, vdd_word. A transmission gate passes any word
    voltage, which SET needs for its compliance.
    """

    def __init__(self, process: Process) -> None:
        super().__init__(
            "word_line_driver", "select", "deselect", "word_supply", "word_line", "vdd_word"
        )
        for name, channel, nodes in (
            ("pass_n", "n", ("word_line", "select", "word_supply", self.gnd)),
            ("pass_p", "p", ("word_line", "deselect", "word_supply", "vdd_word")),
            ("ground", "n", ("word_line", "deselect", self.gnd, self.gnd)),
        ):
            process.thick(self, name, channel, nodes, DRIVER_WIDTH_METRE)


class RowDecoder(SubCircuit):
    """Nodes: address_0 (lowest bit), ..., all_rows, word_supply, vdd_word, word_line_0, ...

    Logic levels are 0 and vdd_word.

    Args:
        rows: 2 to 1024.

    Raises:
        NetlistError: another number of rows.
    """

    def __init__(self, rows: int, process: Process) -> None:
        if not 2 <= rows <= LARGEST_ROWS:
            raise NetlistError(
                f"A row decoder cannot have {rows} rows: give 2 to {LARGEST_ROWS}, or split the "
                "array."
            )
        self.rows, self.bits = rows, (rows - 1).bit_length()
        addresses = [f"address_{bit}" for bit in range(self.bits)]
        word_lines = [f"word_line_{row}" for row in range(rows)]
        super().__init__(
            "row_decoder", *addresses, "all_rows", "word_supply", "vdd_word", *word_lines
        )
        driver = WordLineDriver(process)
        self.subcircuit(driver)
        gates = {inputs: Nand(inputs, process) for inputs in sorted({1, 2, self.bits})}
        for gate in gates.values():
            self.subcircuit(gate)

        def nand(name: str, inputs: Sequence[str], out: str) -> None:
            self.X(name, gates[len(inputs)].name, *inputs, out, "vdd_word")

        for address in (*addresses, "all_rows"):
            nand(f"not_{address}", [address], f"not_{address}")
        for row, word_line in enumerate(word_lines):
            match = [
                address if row >> bit & 1 else f"not_{address}"
                for bit, address in enumerate(addresses)
            ]
            nand(f"match_{row}", match, f"other_{row}")
            nand(f"select_{row}", [f"other_{row}", "not_all_rows"], f"select_{row}")
            nand(f"deselect_{row}", [f"select_{row}"], f"deselect_{row}")
            self.X(
                f"driver_{row}", driver.name, f"select_{row}", f"deselect_{row}", "word_supply",
                word_line, "vdd_word",
            )  # fmt: skip

    def address(self, row: int, high_volt: float) -> dict[str, float]:
        """Voltages of the address nodes that select a row."""
        return {f"address_{bit}": high_volt * (row >> bit & 1) for bit in range(self.bits)}
