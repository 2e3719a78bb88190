"""A linear crossbar by sparse nodal analysis: shares nothing with the netlist generator.

Geometry: bit lines enter at column 0; source lines leave below the last row; line k of the columns
is plus_0, minus_0, plus_1, ... A wire segment lies between neighbouring cells and before the first
cell of a line.
"""

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg


class LinearCrossbar:
    """Lines with wire resistance, linear cells; bit lines driven, source lines held at 0 V.

    Args:
        siemens: [rows, lines], plus and minus lines interleaved.
    """

    def __init__(self, siemens: np.ndarray, wire_ohm: float) -> None:
        rows, lines = siemens.shape
        self.shape = rows, lines
        bit = np.arange(rows * lines).reshape(rows, lines)
        source = bit + rows * lines
        self.bit, self.source = bit, source
        wire = 1 / wire_ohm
        count = 2 * rows * lines
        pairs = [
            (bit.ravel(), source.ravel(), siemens.ravel()),
            (bit[:, 1:].ravel(), bit[:, :-1].ravel(), np.full(rows * (lines - 1), wire)),
            (source[1:].ravel(), source[:-1].ravel(), np.full((rows - 1) * lines, wire)),
        ]
        first, second, value = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        ends = np.concatenate([bit[:, 0], source[-1]])
        row_index = np.concatenate([first, second, first, second, ends])
        column_index = np.concatenate([first, second, second, first, ends])
        values = np.concatenate([value, value, -value, -value, np.full(len(ends), wire)])
        self.matrix = scipy.sparse.csc_matrix((values, (row_index, column_index)), (count, count))
        self.wire_siemens = wire

    def node_volts(self, bit_volts: np.ndarray) -> np.ndarray:
        """Voltages of all nodes, for drive voltages [rows]."""
        return scipy.sparse.linalg.spsolve(self.matrix, self._drive(bit_volts))

    def line_amperes(self, bit_volts: np.ndarray) -> np.ndarray:
        """Currents out of the source lines [lines]."""
        return self.node_volts(bit_volts)[self.source[-1]] * self.wire_siemens

    def step_response(
        self, bit_volts: np.ndarray, node_farad: float, time_second: float
    ) -> np.ndarray:
        """Currents out of the source lines [lines] a time after the drive is switched on."""
        final = self.node_volts(bit_volts)
        decay = scipy.linalg.expm(-self.matrix.toarray() * time_second / node_farad)
        return (final - decay @ final)[self.source[-1]] * self.wire_siemens

    def _drive(self, bit_volts: np.ndarray) -> np.ndarray:
        current = np.zeros(self.matrix.shape[0])
        current[self.bit[:, 0]] = self.wire_siemens * bit_volts
        return current


def interleaved(plus: np.ndarray, minus: np.ndarray) -> np.ndarray:
    """Pairs [rows, columns] as lines [rows, 2 columns]: plus_0, minus_0, plus_1, ..."""
    return np.stack([plus, minus], axis=2).reshape(len(plus), -1)
