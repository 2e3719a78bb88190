"""A transient of a netlist with blocks, as the engine takes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tomli_w

from cosim.engine.library import find_library, probe
from cosim.engine.worker import Simulation
from cosim.errors import ConfigurationError
from cosim.lockstep.block import Block, port_lines
from cosim.lockstep.scheme import SCHEMES, Scheme
from cosim.lockstep.stepping import Stepping
from cosim.netlist.circuit import Netlist
from cosim.netlist.netlist import Signal, Transient
from cosim.netlist.units import si
from cosim.simulation.signals import recorded_signals
from cosim.trace import Provenance

USUAL_STEPS = 1000
"""Of a transient for which no largest step is given."""


@dataclass(frozen=True)
class Plan:
    """One transient.

    Attributes:
        netlist: the circuit, a variant of it where one is asked for.
        blocks: what runs in lockstep.
        record: see `recorded_signals`.
        stepping: how steps serve the coupling.
    """

    netlist: Netlist
    blocks: tuple[Block, ...]
    transient: Transient
    record: tuple[str, ...] | None
    scheme: type[Scheme]
    stepping: Stepping

    @classmethod
    def of(
        cls,
        netlist: Netlist,
        blocks: Sequence[Block],
        stop: float | str,
        max_step: float | str | None,
        record: Sequence[str] | None,
        scheme: str | type[Scheme],
        coupling_tolerance: float | str | None,
    ) -> "Plan":
        """From what a user writes.

        Raises:
            ConfigurationError, NetlistError: it cannot be simulated.
        """
        stop_second = si(stop, "`stop`")
        step_second = stop_second / USUAL_STEPS if max_step is None else si(max_step, "`max_step`")
        tolerance = coupling_tolerance
        volt = None if tolerance is None else si(tolerance, "`coupling_tolerance`")
        plan = cls(
            netlist,
            tuple(blocks),
            Transient(stop_second, step_second),
            None if record is None else (record,) if isinstance(record, str) else tuple(record),
            SCHEMES.find(scheme) if isinstance(scheme, str) else scheme,
            Stepping(volt) if blocks else Stepping(),
        )
        plan._check()
        return plan

    @cached_property
    def coupled(self) -> Netlist:
        """The circuit with the sources of the blocks' ports."""
        if not self.blocks:
            return self.netlist
        lines = port_lines(self.blocks, self.scheme)
        netlist = self.netlist
        return Netlist(f"{netlist.circuit}{lines}\n", path=netlist.path, trust=netlist.trusted)

    @cached_property
    def signals(self) -> list[Signal]:
        """What is recorded."""
        return recorded_signals(self.netlist, self.record)

    @cached_property
    def text(self) -> str:
        """The whole netlist, as ngspice gets it."""
        saved = [signal.save for signal in self.signals]
        saved += [f"v({node})" for block in self.blocks for node in block.inputs]
        lines = [
            self.coupled.circuit.rstrip("\n"),
            f".save {' '.join(dict.fromkeys(saved))}",
            self.transient.line,
            ".end\n",
        ]
        return "\n".join(lines)

    def simulation(self, member: int) -> Simulation:
        """For the engine."""
        return Simulation(
            member=member,
            netlist=self.text,
            stop_second=self.transient.stop_second,
            saved=tuple(signal.vector for signal in self.signals),
            blocks=self.blocks,
            scheme=self.scheme,
            initial_volts=(0.0,) * sum(len(block.inputs) for block in self.blocks),
            stepping=self.stepping,
        )

    def provenance(self, facts: dict[str, Any], seeds: dict[str, int]) -> Provenance:
        """What determines the run.

        Args:
            facts: of a sweep, its points.
        """
        simulated = {
            "stop_second": self.transient.stop_second,
            "max_step_second": self.transient.step_second,
            "scheme": self.scheme.NAME,
            "blocks": [f"{block!r} {block.fingerprint()}" for block in self.blocks],
            **({"trusted": list(notes)} if (notes := self.netlist.trust_notes) else {}),
            **facts,
        }
        return Provenance.collect(
            configuration_toml=tomli_w.dumps({"simulate": simulated}),
            netlist=self.text,
            seeds=seeds,
            ngspice_version=str(probe(find_library()).version),
        )

    def _check(self) -> None:
        nodes = set(self.netlist.nodes)
        for block in self.blocks:
            for what, names in (("takes", block.inputs), ("drives", block.outputs)):
                for node in names:
                    if node.lower() not in nodes:
                        raise ConfigurationError(
                            f"Block '{block.name}' {what} node '{node}', which is not in the "
                            f"netlist. It has {', '.join(sorted(nodes)[:12])}."
                        )
        self.coupled.require_sound(self.transient.line)
