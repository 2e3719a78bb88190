"""Small circuits coupled to blocks, for the lockstep's tests."""

from collections.abc import Sequence

from PySpice.Spice.Netlist import Circuit

from cosim.engine.protocol import Simulation
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import Scheme
from cosim.lockstep.stepping import BY_NGSPICE, Stepping


def coupled(
    body: str,
    blocks: Sequence[Block],
    *,
    scheme: type[Scheme],
    stop: float,
    step: float,
    saved: Sequence[str],
    stepping: Stepping = BY_NGSPICE,
    initial: Sequence[float] = (),
    options: str = "reltol=1e-6 vntol=1e-9 abstol=1e-14",
) -> Simulation:
    """A simulation of `body` with the ports of `blocks`, steps at most `step` seconds."""
    circuit = Circuit("case")
    for block in blocks:
        block.port(scheme).add_to(circuit)
    save = " ".join(f"v({node})" for node in saved)
    netlist = (
        f"{circuit}{body}\n.options {options}\n.save {save}\n"
        f".tran {step!r} {stop!r} 0 {step!r}\n.end\n"
    )
    inputs = sum(len(block.inputs) for block in blocks)
    return Simulation(
        0, netlist, stop, tuple(saved), {}, tuple(blocks), scheme,
        tuple(initial) or (0.0,) * inputs, stepping,
    )  # fmt: skip
