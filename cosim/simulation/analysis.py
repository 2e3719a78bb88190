"""Simulate any netlist, or say why its answer could not be trusted."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cosim.engine.audit import ANALYSES, read_asked
from cosim.engine.session import NgspiceSession
from cosim.errors import NetlistError
from cosim.netlist.check import check, errors
from cosim.netlist.model import GROUND
from cosim.netlist.reading import read_text, statements

AROUND_OPERATING_POINT = (".op", ".ac", ".noise", ".pz", ".sens", ".tf")
ABSCISSAE = ("time", "frequency", "v-sweep", "i-sweep", "temp-sweep")
NOT_CIRCUIT = (*ANALYSES, ".end", ".save", ".print", ".plot", ".probe", ".meas", ".measure")


@dataclass(frozen=True)
class Answer:
    """What a netlist's own analysis gave.

    Attributes:
        netlist: its text.
        analysis: the words of its analysis line, lower case.
        vectors: every vector that ngspice gives, by name; complex or real [points].
        measures: results of `.meas`, by name.
        warnings: for the user, a sentence each.
    """

    netlist: str
    analysis: Sequence[str]
    vectors: dict[str, np.ndarray]
    measures: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def abscissa(self) -> str | None:
        """The vector that the others are over; None for a single point."""
        return next((name for name in ABSCISSAE if name in self.vectors), None)


def simulate(netlist: str, path: Path) -> Answer:
    """Check a netlist's electrical rules, run its analysis, confirm its operating point.

    Args:
        path: of the file it came from; includes are searched in its folder.

    Raises:
        NetlistError: findings of the electrical rules, or what ngspice leaves out.
        ConvergenceError, EngineError: no answer, or one that is wrong.
    """
    findings = errors(check(netlist, path))
    if findings:
        raise NetlistError(
            f"{path} breaks {len(findings)} of the electrical rules, and ngspice might answer it "
            f"wrongly. The first: {findings[0]} `cosim check` lists them all."
        )
    session = NgspiceSession.start()
    asked = read_asked(netlist)
    if asked.kind in AROUND_OPERATING_POINT:
        found = session.operating_point(circuit_alone(netlist), path=path)
        if missing := sorted(set(asked.output_nodes) - set(found) - {GROUND, "gnd"}):
            raise NetlistError(
                f"'{' '.join(asked.analysis)}' looks at nodes that do not exist: "
                f"{', '.join(missing)}; ngspice would answer 0. Correct their names."
            )
    vectors = session.analyse(netlist)
    return Answer(netlist, asked.analysis, vectors, session.measures, session.warnings)


def simulate_file(path: Path) -> Answer:
    """As `simulate`, of a file; to be run in a process of its own, whose folder it changes.

    Raises:
        ConfigurationError: it cannot be read, or is no text.
    """
    text, path = read_text(path), path.resolve()
    os.chdir(path.parent)  # where ngspice looks for included files
    return simulate(text, path)


def circuit_alone(netlist: str) -> str:
    """A netlist without its analyses and outputs."""
    kept = [
        statement
        for _, statement in statements(netlist, titled=True)
        if statement.split()[0].lower() not in NOT_CIRCUIT
    ]
    return "\n".join([netlist.partition("\n")[0], *kept])
