"""Voltage sources whose value is a waveform, at full double precision."""

import numpy as np
from PySpice.Spice.Netlist import Netlist

_PAIRS_PER_LINE = 4


def piecewise_linear(
    netlist: Netlist,
    node: str,
    reference: str,
    time_second: np.ndarray,
    volt: np.ndarray,
    digits: int = 17,
) -> None:
    """Drive `node` against `reference` by a PWL source.

    Args:
        time_second: increasing times [n].
        volt: values at these times [n]; the last one is held.
        digits: of both; with 17 a recorded waveform is played back bit for bit.

    PySpice's own PWL class prints units and one endless line.
    """
    lines = "\n+ ".join(pair_lines(time_second, volt, digits))
    netlist.V(node, node, reference, f"PWL({lines})")


def behavioural_waveform(
    netlist: Netlist, node: str, reference: str, time_second: np.ndarray, volt: np.ndarray
) -> None:
    """As `piecewise_linear`, without breakpoints, each of which costs ngspice several short steps:
    its longest step has to be short against the waveform.
    """
    # The function goes on with its first and last slope (ngspice 46, `ptfuncs.c`), so they are 0.
    time_second = np.concatenate([[time_second[0] - 1], time_second, [time_second[-1] + 1]])
    volt = np.concatenate([volt[:1], volt, volt[-1:]])
    pairs = ",\n+ ".join(line.replace(" ", ",") for line in pair_lines(time_second, volt))
    netlist.B(node, node, reference, voltage_expression=f"pwl(time,\n+ {pairs})")


def pair_lines(time_second: np.ndarray, volt: np.ndarray, digits: int = 17) -> list[str]:
    """Times [n] and values [n] as pairs of so many digits, a few on a line."""
    pairs = [f"{t:.{digits}g} {v:.{digits}g}" for t, v in zip(time_second, volt, strict=True)]
    return [
        " ".join(pairs[start : start + _PAIRS_PER_LINE])
        for start in range(0, len(pairs), _PAIRS_PER_LINE)
    ]
