"""Points in blocks, in order of time."""

from collections.abc import Iterator, Sequence

import numpy as np

from cosim.errors import TraceError
from cosim.trace.schema import first_disorder
from cosim.trace.table import Table


def ordered_blocks(table: Table, names: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Times [n] and values [n, names], block after block.

    Raises:
        TraceError: a time is not finite or goes back, which no other program would stand.
    """
    before = -np.inf
    for time_second, values in table.blocks(names):
        wrong = first_disorder(before, time_second)
        if wrong is not None:
            raise TraceError(
                f"{table.path} is damaged: a point at {time_second[wrong]:.9g} s follows a later "
                "one. `cosim trace verify` compares it with its content hash; get a good copy."
            )
        before = time_second[-1]
        yield time_second, values
