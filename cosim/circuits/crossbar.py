"""Crossbar of differential conductance pairs: i_column = sum_row G[row, column] v_row.

At `ideal` fidelity a cell is its programmed conductance between a bit line (row, driven) and a
source line (column, held at virtual ground); there is no wire resistance.
"""

import numpy as np
from PySpice.Spice.Netlist import SubCircuit

from cosim.errors import NetlistError


class IdealCrossbar(SubCircuit):
    """Nodes: bit_line_0..., then source_line_plus_0, source_line_minus_0, ... for each column.

    Args:
        plus_siemens, minus_siemens: conductances of the pairs [rows, columns], > 0.

    Raises:
        NetlistError: shapes differ, or a conductance is not positive and finite.
    """

    def __init__(self, name: str, plus_siemens: np.ndarray, minus_siemens: np.ndarray) -> None:
        if plus_siemens.ndim != 2 or plus_siemens.shape != minus_siemens.shape:
            raise NetlistError(
                f"Crossbar '{name}' needs two conductance matrices of one shape [rows, columns], "
                f"but has {plus_siemens.shape} and {minus_siemens.shape}."
            )
        rows, columns = plus_siemens.shape
        super().__init__(name, *(f"bit_line_{row}" for row in range(rows)), *column_nodes(columns))
        for sign, siemens in (("plus", plus_siemens), ("minus", minus_siemens)):
            if not (np.isfinite(siemens).all() and (siemens > 0).all()):
                row, column = np.argwhere(~(np.isfinite(siemens) & (siemens > 0)))[0]
                raise NetlistError(
                    f"Crossbar '{name}', cell [{row}, {column}] ({sign}) has conductance "
                    f"{siemens[row, column]} S; it must be positive and finite. Check the mapping."
                )
            for row in range(rows):
                for column in range(columns):
                    self.R(
                        f"{sign}_{row}_{column}",
                        f"bit_line_{row}",
                        f"source_line_{sign}_{column}",
                        1.0 / siemens[row, column],
                    )


def column_nodes(columns: int) -> list[str]:
    """Names of the source lines, pair by pair."""
    return [
        f"source_line_{sign}_{column}" for column in range(columns) for sign in ("plus", "minus")
    ]
