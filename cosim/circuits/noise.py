"""Noise sources of the Wiener term: held draws, and ngspice's TRNOISE.

The reverse SDE adds sqrt(beta) dw to the state. Held over h = 1/updates of tau, an increment of
variance h is a rate of standard deviation 1/sqrt(h) = sqrt(updates). The source carries
volt_per_unit * draw, draw ~ N(0, 1); what sums it has the gain (`Schedule.wiener_gain`), so that
the source stays within the supplies. It is 0 in the precharge, so that all solves of a circuit
have the same operating point. The published bench holds its noise too (fact sheet,
section 4).

`add_held_noise` plays draws that are known, so the solve repeats bit for bit and software can
follow the same path. `TransientNoise` is ngspice's white noise, N(0, 1) each hold, on a straight
line between them: its integral has the same variance, but no seed makes it repeat (ngspice 46).
Source: Kloeden and Platen, Numerical Solution of Stochastic Differential Equations, section 9.1
(piecewise constant driving process); ngspice manual, section 4.1.7 (TRNOISE).
"""

from dataclasses import dataclass, replace

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.circuits.timing import Timing
from cosim.netlist.waveform import behavioural_waveform, piecewise_linear

EDGE_PART = 1 / 3
"""Of the hold time: between two draws the source ramps, centred on the boundary. The reference
solution carries the same shape (`cosim.diffusion.score.held`). Steep edges cost ngspice several
steps each.
"""


def add_held_noise(
    circuit: Circuit,
    node: str,
    reference: str,
    draws: np.ndarray,
    timing: Timing,
    breakpoints: bool = True,
) -> None:
    """Drive `node` against `reference` by draws [updates] held one after the other.

    Args:
        breakpoints: whether ngspice has a point at each corner. Without them its steps have to be
            shorter than a ramp.
    """
    hold = timing.solve_second / len(draws)
    edge = EDGE_PART * hold / 2
    boundaries = timing.precharge_second + hold * np.arange(len(draws))
    time = np.concatenate([[0.0], np.stack([boundaries - edge, boundaries + edge], axis=1).ravel()])
    volt = timing.volt_per_unit * np.concatenate([[0.0, 0.0], np.repeat(draws, 2)[:-1]])
    drive = piecewise_linear if breakpoints else behavioural_waveform
    drive(circuit, node, reference, time, volt)


class TransientNoise(SubCircuit):
    """White noise in a transient analysis, nothing else. Nodes: out, analog_ground.

    Args:
        rms_volt: standard deviation of each draw.
        hold_second: time from draw to draw; the one-sided density at low frequency is
            2 rms_volt^2 hold_second.
    """

    def __init__(self, name: str, rms_volt: float, hold_second: float) -> None:
        super().__init__(name, "out", "analog_ground")
        self.V("noise", "out", "analog_ground", f"dc 0 trnoise({rms_volt!r} {hold_second!r} 0 0)")


@dataclass(frozen=True)
class WienerNoise:
    """The noise of one solve.

    Attributes:
        updates: draws in a solve.
        draws: N(0, 1) [updates, states]; None for ngspice's own.
    """

    updates: int
    draws: np.ndarray | None = None

    @property
    def silent(self) -> "WienerNoise":
        """The same sources, all draws 0."""
        return self if self.draws is None else replace(self, draws=np.zeros_like(self.draws))
