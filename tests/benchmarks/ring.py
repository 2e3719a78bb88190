"""The run that the engine's benchmarks share: one sample of the ring, ideal op-amps."""

from cosim.circuits.fidelity import Fidelity
from cosim.diffusion.config import CouplingConfig, RunConfig
from cosim.diffusion.fidelities import BlockFidelities
from cosim.diffusion.run import Run


def ideal_ring(scheme: str) -> Run:
    """With the score in torch."""
    return Run(
        RunConfig(
            name="ring",
            task="circle",
            fidelity=BlockFidelities(opamp=Fidelity.IDEAL),
            coupling=CouplingConfig(scheme=scheme),
        )
    )
