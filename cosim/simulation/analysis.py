"""Simulate any netlist, or say why its answer could not be trusted."""

import os
from pathlib import Path

import numpy as np

from cosim.engine.audit import ANALYSES, read_asked
from cosim.engine.session import NgspiceSession
from cosim.errors import NetlistError
from cosim.netlist.check import check
from cosim.netlist.parse import GROUND, read_text, statements

AROUND_OPERATING_POINT = (".op", ".ac", ".noise", ".pz", ".sens", ".tf")
ABSCISSAE = ("time", "frequency", "v-sweep", "i-sweep", "temp-sweep")
NOT_CIRCUIT = (*ANALYSES, ".end", ".save", ".print", ".plot", ".probe", ".meas", ".measure")


def simulate(netlist: str, path: Path) -> dict[str, np.ndarray]:
    """Check a netlist's electrical rules, run its analysis, confirm its operating point.

    Args:
        path: of the file it came from; includes are searched in its folder.

    Returns:
        Every vector that ngspice gives, by name.

    Raises:
        NetlistError: findings of the electrical rules, or what ngspice leaves out.
        ConvergenceError, EngineError: no answer, or one that is wrong.
    """
    findings = check(netlist, path)
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
    return session.analyse(netlist)


def simulate_file(path: Path) -> dict[str, np.ndarray]:
    """As `simulate`, of a file; to be run in a process of its own, whose folder it changes.

    Raises:
        ConfigurationError: it cannot be read, or is no text.
    """
    text, path = read_text(path), path.resolve()
    os.chdir(path.parent)  # where ngspice looks for included files
    return simulate(text, path)


def as_csv(vectors: dict[str, np.ndarray]) -> str:
    """Vectors of one length side by side, abscissa first, complex ones as two columns."""
    scale = next((name for name in ABSCISSAE if name in vectors), None)
    names = sorted(vectors, key=lambda name: (name != scale, name))
    longest = max(len(values) for values in vectors.values())
    columns: dict[str, np.ndarray] = {}
    for name in names:
        values = vectors[name]
        if len(values) != longest:
            continue  # totals of a noise analysis
        if np.iscomplexobj(values) and name != scale:
            columns |= {f"re({name})": values.real, f"im({name})": values.imag}
        else:
            columns[name] = np.real(values)
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(f"{value:.17g}" for value in row) for row in rows)]
    return "\n".join(lines) + "\n"


def circuit_alone(netlist: str) -> str:
    """A netlist without its analyses and outputs."""
    kept = [
        statement
        for _, statement in statements(netlist, titled=True)
        if statement.split()[0].lower() not in NOT_CIRCUIT
    ]
    return "\n".join([netlist.partition("\n")[0], *kept])
