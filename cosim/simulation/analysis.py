"""Simulate any netlist, or say why its answer could not be trusted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cosim.engine.audit import read_asked
from cosim.engine.session import NgspiceSession
from cosim.errors import NetlistError
from cosim.netlist.check import check, errors
from cosim.netlist.model import GROUND
from cosim.netlist.reading import read_text
from cosim.netlist.trust import trusted_notes, trusting
from cosim.netlist.writing import written
from cosim.simulation.confirm import Confirmation, confirm
from cosim.simulation.frozen import circuit_alone

AROUND_OPERATING_POINT = (".op", ".ac", ".noise", ".pz", ".sens", ".tf")
ABSCISSAE = ("time", "frequency", "v-sweep", "i-sweep", "temp-sweep")


@dataclass(frozen=True)
class Answer:
    """What a netlist's own analysis gave.

    Attributes:
        netlist: its text.
        analysis: the words of its analysis line, lower case.
        vectors: every vector that ngspice gives, by name; complex or real [points].
        measures: results of `.meas`, by name.
        warnings: for the user, a sentence each.
        confirmation: what a second opinion said.
    """

    netlist: str
    analysis: Sequence[str]
    vectors: dict[str, np.ndarray]
    measures: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    confirmation: Confirmation = Confirmation()

    @property
    def abscissa(self) -> str | None:
        """The vector that the others are over; None for a single point."""
        return next((name for name in ABSCISSAE if name in self.vectors), None)


def simulate(
    netlist: str, path: Path, *, confirmed: bool | None = None, allow: Sequence[str] = ()
) -> Answer:
    """Check a netlist's electrical rules, run its analysis, confirm its answer.

    Args:
        path: of the file it came from; includes are searched in its folder.
        confirmed: whether the analysis is repeated otherwise (`cosim.simulation.confirm`); None:
            where that is cheap, or the netlist is of a kind that goes wrong.
        allow: electrical rules that it may break.

    Raises:
        NetlistError: findings of the electrical rules, or what ngspice leaves out.
        ConvergenceError, EngineError: no answer, or one that is wrong.
    """
    findings = check(netlist, path, allow)
    if broken := errors(findings):
        raise NetlistError(
            f"{path} breaks {len(broken)} of the electrical rules, and ngspice might answer it "
            f"wrongly. The first: {broken[0]} `cosim check` lists them all."
        )
    given, netlist = netlist, written(netlist, path)
    told = (*trusted_notes(netlist), *map(str, findings))  # what is left are warnings
    session = NgspiceSession.start()
    warnings: tuple[str, ...] = ()
    asked = read_asked(netlist)
    if asked.kind in AROUND_OPERATING_POINT:
        nodes = session.operating_point(circuit_alone(netlist), path=path)
        warnings = session.point_warnings
        if missing := sorted(set(asked.output_nodes) - set(nodes) - {GROUND, "gnd"}):
            raise NetlistError(
                f"'{' '.join(asked.analysis)}' looks at nodes that do not exist: "
                f"{', '.join(missing)}; ngspice would answer 0. Correct their names."
            )
    started = time.perf_counter()
    vectors = session.analyse(netlist)
    second = time.perf_counter() - started
    measures, warnings = session.measures, (*warnings, *session.warnings)
    found = Confirmation()
    if confirmed is not False:
        found = confirm(session, netlist, path, asked.analysis, vectors, second, asked=confirmed)
    warnings = (*told, *warnings, *found.warnings)
    return Answer(given, asked.analysis, vectors, measures, warnings, found)


def simulate_file(
    path: Path,
    *,
    confirmed: bool | None = None,
    allow: Sequence[str] = (),
    trusted: Sequence[Path] = (),
) -> Answer:
    """As `simulate`, of a file; to be run in a process of its own.

    Args:
        trusted: folders of foreign process libraries, which ngspice reads as they are.

    Raises:
        ConfigurationError: it cannot be read, or is no text, or a folder is none.
    """
    with trusting(trusted):
        return simulate_variant(path, read_text(path), confirmed=confirmed, allow=allow)


def simulate_variant(
    path: Path, netlist: str, *, confirmed: bool | None = None, allow: Sequence[str] = ()
) -> Answer:
    """As `simulate_file`, of another text for the file."""
    return simulate(netlist, path.resolve(), confirmed=confirmed, allow=allow)
