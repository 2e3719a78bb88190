"""What a bench of a block is: how it is built, what its table and its figures show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cosim.characterise.bench import Measured
from cosim.characterise.sheet import Column, Condition, Sheet
from cosim.circuits.cell_1t1r import Simulator
from cosim.circuits.fidelity import Fidelity
from cosim.process.process import Process


class TestBench(Protocol):
    """A block with its surroundings."""

    @property
    def netlist(self) -> str:
        """Its main analysis, ready for ngspice."""

    @property
    def sisters(self) -> dict[str, str]:
        """Further ones by name, for what the main one does not show."""

    def measure(self) -> Measured:
        """The spec sheet."""


@dataclass(frozen=True)
class BlockBench:
    """How a block is measured and shown.

    Attributes:
        build: the test bench at a condition.
        columns: what the table shows.
        design: what the design promises at a supply, by the same names.
        figures: drawers by file name.
        fidelities: at which the bench makes sense.
    """

    build: Callable[[Condition, Process, Simulator], TestBench]
    columns: Sequence[Column]
    design: Callable[[float], dict[str, float]]
    figures: Mapping[str, Callable[[Sequence[Sheet], Path], None]]
    fidelities: tuple[Fidelity, ...] = tuple(Fidelity)
