"""What the stages before the integrators lag the state by, and what makes up for it.

A score network's lag T is small against the solve, so that its output is f(t - T) but for terms of
order T^2: a lead capacitor beside an input's resistor adds T df/dt. What multiplies the score after
the network, beta, is led too, and so played later by the network's part of T.
Source: the lags are the design equations of the blocks, noise gain / (2 pi GBW).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cosim.circuits.fidelity import Fidelity
from cosim.circuits.relu import ReluSpec
from cosim.circuits.relu import lag_second as relu_lag
from cosim.circuits.summing import lead_capacitance
from cosim.circuits.transimpedance import COLUMN_OP_AMP
from cosim.circuits.transimpedance import lag_second as column_lag
from cosim.diffusion.circuit.mapping import MappedLayer
from cosim.diffusion.circuit.score_network import first_ohm, usual_line
from cosim.diffusion.fidelities import BlockFidelities


@dataclass(frozen=True)
class Lags:
    """Of the stages before the integrators' inputs.

    Attributes:
        by_kind_second: of an input's kind: its multiplier, and before that a score's layers.
    """

    by_kind_second: Mapping[str, float] = field(default_factory=dict)

    @property
    def layers_second(self) -> float:
        """Of a score's layers alone."""
        return self.by_kind_second.get("score", 0.0) - self.by_kind_second.get("state", 0.0)

    def leads_farad(
        self, gains: Mapping[str, float], integration_second: float, c_int_farad: float
    ) -> dict[str, float]:
        """Lead capacitors by the kinds of the inputs that have one."""
        return {
            kind: lead_capacitance(lag, integration_second, c_int_farad, gains[kind])
            for kind, lag in self.by_kind_second.items()
            if lag
        }


def score_lag(layers: Sequence[MappedLayer], fidelity: BlockFidelities) -> float:
    """Seconds by which layers lag the state, with the ReLUs between them: of real op-amps, for
    lines of the usual conductance.
    """
    lag = 0.0
    if fidelity.transimpedance is not Fidelity.IDEAL:
        for layer in layers:
            ohm, first = 1.0 / layer.siemens_per_weight, first_ohm(layer)
            lag += column_lag(COLUMN_OP_AMP, ohm, first, usual_line(layer))
    if fidelity.relu is not Fidelity.IDEAL:
        lag += (len(layers) - 1) * relu_lag(ReluSpec())
    return lag
