"""Independent voltage sources whose value is a waveform, at full double precision."""

import numpy as np
from PySpice.Spice.Netlist import Netlist

_PAIRS_PER_LINE = 4


def piecewise_linear(
    netlist: Netlist, node: str, reference: str, time_second: np.ndarray, volt: np.ndarray
) -> None:
    """Drive `node` against `reference` by a PWL source.

    Args:
        time_second: increasing times [n].
        volt: values at these times [n]; the last one is held.

    PySpice's own PWL class prints units and one endless line; this one prints 17 digits on
    continuation lines, so that a recorded waveform is played back bit for bit.
    """
    netlist.V(node, node, reference, "PWL(" + "\n+ ".join(pair_lines(time_second, volt)) + ")")


def pair_lines(time_second: np.ndarray, volt: np.ndarray) -> list[str]:
    """Times [n] and values [n] as pairs of 17 digits, a few on a line."""
    pairs = [f"{t:.17g} {v:.17g}" for t, v in zip(time_second, volt, strict=True)]
    return [
        " ".join(pairs[start : start + _PAIRS_PER_LINE])
        for start in range(0, len(pairs), _PAIRS_PER_LINE)
    ]
