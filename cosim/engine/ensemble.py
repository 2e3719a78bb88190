"""Ensembles: many simulations on workers of one machine or of several, and what becomes of each.

A simulation that fails is run again once, on fresh workers and after all others, so that a crash,
an overloaded machine or a killed process costs no member. What fails twice is reported.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cosim.engine.worker import Failed, Finished, Message, Simulation
from cosim.errors import ConvergenceError, CouplingError, EngineError

_KLU = re.compile(r"^(\.options?\b.*?) klu\b", re.IGNORECASE | re.MULTILINE)


class Executor(AbstractContextManager[Any], Protocol):
    """Runs simulations: `WorkerPool` on this machine, `ClusterPool` on a Dask cluster.

    A simulation's points are the same, bit for bit, whichever worker runs it and whatever that
    worker has run before.
    """

    def run(self, simulations: Iterable[Simulation]) -> Generator[Message]:
        """Run all; those of a simulation end with `Finished` or `Failed`.

        Raises:
            CosimError: the workers cannot simulate at all.
            KeyboardInterrupt: between two messages.
        """

    def renew(self) -> None:
        """End all workers; the next run has fresh ones."""


@dataclass(frozen=True)
class Retried(Message):
    """The simulation failed and will be run again; its points before count until it has started."""

    error: EngineError


def run_ensemble(executor: Executor, simulations: Iterable[Simulation]) -> Iterator[Message]:
    """Run all simulations, each with a number of its own; what fails is run again once.

    Of errors, all that come from running are worth a second attempt (`EngineError`: crash, hang,
    no convergence, a fault in a block): blocks may have a state or use the machine, ngspice's own
    noise has no seed, and a worker may have had bad luck. What is refused when it is read
    (`NetlistError`, `ConfigurationError`) would be refused again, and a coupling that diverges
    (`CouplingError`) would do so again. What did not converge by KLU is run again by SPARSE: KLU
    keeps its order of pivots, and at times finds no step where SPARSE does.

    Raises:
        CosimError, KeyboardInterrupt: as the executor's `run`.
    """
    running: dict[int, Simulation] = {}
    failed: list[Simulation] = []

    def noted() -> Iterator[Simulation]:
        for simulation in simulations:
            running[simulation.member] = simulation
            yield simulation

    for message in executor.run(noted()):
        if isinstance(message, Finished | Failed):
            simulation = running.pop(message.member)
            error = message.error if isinstance(message, Failed) else None
            if isinstance(error, EngineError) and not isinstance(error, CouplingError):
                again = simulation
                if isinstance(error, ConvergenceError):
                    again = replace(simulation, netlist=_KLU.sub(r"\1", simulation.netlist))
                if again != simulation:
                    error = EngineError(
                        f"{error} It is run again by ngspice's other solver, SPARSE."
                    )
                failed.append(again)
                yield Retried(message.member, error)
                continue
        yield message
    if failed:
        executor.renew()
        yield from executor.run(failed)
