"""Input offsets of op-amps: a source in series with an input, drawn for each by its name."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from PySpice.Spice.Netlist import Netlist


@dataclass(frozen=True)
class InputOffsets:
    """Draws of N(0, deviation_volt^2)."""

    deviation_volt: float = 0.0
    seed: int = 0

    def volt(self, name: str) -> float:
        """Of the op-amp of a name, whatever other op-amps there are."""
        generator = np.random.default_rng([self.seed, crc32(name.encode())])
        return float(self.deviation_volt * generator.standard_normal())

    def shifted(self, circuit: Netlist, name: str, node: str) -> str:
        """The node that an op-amp of a circuit has as its input in place of `node`, off by its
        offset; `node` itself where there are none.
        """
        if not self.deviation_volt:
            return node
        moved = f"offset_{name}"
        circuit.V(moved, moved, node, self.volt(f"{circuit.name}.{name}"))
        return moved


NO_OFFSETS = InputOffsets()
