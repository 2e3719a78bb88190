"""Sources of the time embedding over circuit time: channel k holds sin or cos(2 pi W_k t).

At `ideal` fidelity the waveform is exact and continuous in time (the bench's 12-bit staircase is
its digital form). t = 1 - tau runs backwards with circuit time.
Source: fact sheet, sections 3 and 4.
"""

import numpy as np
from PySpice.Spice.Netlist import SubCircuit

from cosim.scaling import Scaling


class IdealTimeEmbedding(SubCircuit):
    """Nodes: embedding_0 ... embedding_{2n-1} (n sines, then n cosines), analog_ground.

    Args:
        frequencies: W_k in cycles per unit of diffusion time [n].
    """

    def __init__(self, name: str, frequencies: np.ndarray, scaling: Scaling) -> None:
        count = len(frequencies)
        channels = [f"embedding_{index}" for index in range(2 * count)]
        super().__init__(name, *channels, "analog_ground")
        tau = f"max(time-{scaling.precharge_second!r},0)/{scaling.solve_second!r}"
        for index, channel in enumerate(channels):
            function = "sin" if index < count else "cos"
            angular = 2 * np.pi * float(frequencies[index % count])
            self.B(
                channel,
                channel,
                "analog_ground",
                voltage_expression=(f"{scaling.volt_per_unit!r}*{function}({angular!r}*(1-{tau}))"),
            )
