"""How the simulations of a circuit begin: at an operating point that is known, or at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from cosim.circuits.cell_1t1r import WORD_SUPPLY_VOLT
from cosim.diffusion.config import RunConfig
from cosim.netlist.lean import lean
from cosim.netlist.netlist import Netlist
from cosim.simulation.start import Start, nodesets, starting


@dataclass(frozen=True)
class Beginning:
    """What leads to a known operating point, and checks it.

    Attributes:
        nodesets: lines for a netlist.
        values: of the first of its recorded vectors; None where no point is known.
    """

    nodesets: Sequence[str] = ()
    values: tuple[float, ...] | None = None

    @classmethod
    def at(cls, start: Start, first: Netlist, config: RunConfig) -> "Beginning":
        """At an operating point of a run's netlists, of which `first` is one.

        Raises:
            ConvergenceError: no powered circuit has such a point.
        """
        highest_volt = max(config.scaling.supply_volt, WORD_SUPPLY_VOLT)
        start.require_sound(highest_volt, config.limits.rail_margin_volt)
        # Converters hold a sample's own draws from the beginning.
        standing = [one.vector for one in first.signals if not one.name.startswith("noise.")]
        return cls(nodesets(start.vectors, str(first)), start.values(standing))

    def of(self, netlist: str) -> str:
        """A netlist that begins there. Such a one is large, and read by ngspice alone."""
        return netlist if self.values is None else starting(lean(netlist), self.nodesets)


AT_ONCE = Beginning()
"""ngspice looks for an operating point by itself."""
