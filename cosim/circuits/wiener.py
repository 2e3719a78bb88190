"""Noise sources of the Wiener term: independent draws, each held for an equal part of the solve.

The reverse SDE adds sqrt(beta) dw to the state. Held over h = 1/updates of tau, an increment of
variance h is a rate of standard deviation 1/sqrt(h) = sqrt(updates). The source carries
volt_per_unit * draw, draw ~ N(0, 1); the gain sqrt(updates) is in the summing resistor, so that
the source stays within the supplies. The published bench holds its noise too (fact sheet,
section 4). From the draws the solve repeats bit for bit, which ngspice's TRNOISE does not.
Source: Kloeden and Platen, Numerical Solution of Stochastic Differential Equations, section 9.1
(piecewise constant driving process).
"""

import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.circuits.waveform import piecewise_linear
from cosim.scaling import Scaling

EDGE_PART = 0.05
"""Of the hold time: between two draws the source ramps, centred on the boundary, so that each
increment keeps its integral but for half an edge of its neighbours."""


def add_held_noise(
    circuit: Circuit, node: str, reference: str, draws: np.ndarray, scaling: Scaling
) -> None:
    """Drive `node` against `reference` by draws [updates] held one after the other."""
    hold = scaling.solve_second / len(draws)
    edge = EDGE_PART * hold / 2
    boundaries = scaling.precharge_second + hold * np.arange(1, len(draws))
    time = np.concatenate([[0.0], np.stack([boundaries - edge, boundaries + edge], axis=1).ravel()])
    piecewise_linear(
        circuit, node, reference, time, scaling.volt_per_unit * np.repeat(draws, 2)[:-1]
    )
