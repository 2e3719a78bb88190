"""What goes to an ngspice process, and what comes back: simulations, and messages about them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cosim.engine.start import Found
from cosim.errors import CosimError
from cosim.lockstep.block import Block
from cosim.lockstep.findings import CouplingEvent, CouplingReport
from cosim.lockstep.scheme import Linearised, Scheme
from cosim.lockstep.stepping import Stepping


@dataclass(frozen=True)
class Simulation:
    """One transient analysis in lockstep with blocks.

    Attributes:
        member: its number in the ensemble.
        netlist: the whole netlist, with `.tran` and `.save`; workers load it once for all
            members that share it.
        stop_second: when it ends.
        saved: names of the vectors to record, as ngspice reports them (`x_0`, `vdd#branch`).
        sources: DC values (volts) of independent sources, set before the run.
        blocks: what runs in lockstep.
        scheme: the coupling scheme; the netlist holds the ports for it.
        initial_volts: voltages of the blocks' inputs before the operating point is known.
        stepping: how steps are limited for the coupling's sake.
        start_second: circuit time at which its `.tran` begins.
        settles: whether the operating point is solved for with the blocks; not needed where
            `initial_volts` are those at which sources hold the inputs.
        start: values of the first of `saved` at the operating point to which the netlist's
            `.nodeset` lines lead; another one, or one that Newton's method alone does not find, is
            an error. None: it is not known.
        record_second: from when points are recorded; before, a resumed circuit is precharged.
    """

    member: int
    netlist: str
    stop_second: float
    saved: tuple[str, ...]
    sources: dict[str, float] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    scheme: type[Scheme] = Linearised
    initial_volts: tuple[float, ...] = ()
    stepping: Stepping = Stepping()
    start_second: float = 0.0
    record_second: float = 0.0
    settles: bool = True
    start: tuple[float, ...] | None = None

    @property
    def closed(self) -> bool:
        """Whether ngspice is in a closed room: blocks, which run beside it, may need the world."""
        return all(block.closed for block in self.blocks)


@dataclass(frozen=True)
class Statistics:
    """Where the wall time of a simulation went.

    First the netlist is loaded, then the transient runs; what is done at each accepted point is
    part of it, and the blocks' functions are part of that.

    Attributes:
        newton_calls: for the value of an external source.
        iterations: of Newton's method in all steps, the start left out.
    """

    load_second: float
    transient_second: float
    block_second: float
    accept_second: float
    accepted_points: int
    newton_calls: int
    iterations: int = 0


@dataclass(frozen=True)
class Message:
    """From a worker, about one simulation."""

    member: int


@dataclass(frozen=True)
class Started(Message):
    """The worker has loaded the netlist, and ngspice its operating point; points sent before, by an
    attempt that failed, no longer count.
    """


@dataclass(frozen=True)
class Points(Message):
    """Accepted points: time [n] and recorded vectors [n, saved].

    What crossed the lockstep interface: block inputs [n, inputs], applied outputs and coupling
    errors [n, outputs].
    """

    time_second: np.ndarray
    values: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray
    errors: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence["Points"]) -> "Points":
        """The points of several messages about one simulation, at least one."""
        columns = ("time_second", "values", "inputs", "outputs", "errors")
        return cls(
            parts[0].member,
            *(np.concatenate([getattr(part, column) for part in parts]) for column in columns),
        )


@dataclass(frozen=True)
class Finished(Message):
    """The simulation reached its end.

    Attributes:
        statistics: where the time went.
        start: how ngspice found the operating point.
        coupling: how the coupling of each block went.
        events: what the user has to know of it; the result is in doubt if one is grave.
    """

    statistics: Statistics
    start: Found | None = None
    coupling: tuple[CouplingReport, ...] = ()
    events: tuple[CouplingEvent, ...] = ()


@dataclass(frozen=True)
class Failed(Message):
    """The simulation did not finish; points before the fault have been sent."""

    error: CosimError
