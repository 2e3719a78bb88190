"""Whether an operating point stays where it is when it is kicked.

Newton's method finds a latch balanced on its ridge as willingly as one that has fallen. Here every
node gets a current pulse of random sign, too small to move a stable circuit, and transients of
1e-17 s to 10,000 s show whether the deviation goes on growing after the pulse. A mode that grows
with time constant tau shows in the transient of 10 to 100 tau: the trapezoidal rule, whatever its
step, lets no growing mode decay. A tenth of a femtofarad at every node lets circuits without
capacitors move at all.
Source: Vladimirescu, The SPICE Book, section 10.2; Dahlquist, BIT 3 (1963), for the rule's
stability.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cosim.engine.session import NgspiceSession
from cosim.errors import CosimError

KICK_AMPERE, KICK_COULOMB = 1e-9, 1e-15
"""The pulse is no larger than the first, nor its charge than the second: a volt on a femtofarad."""

NODE_FARAD = 1e-16
STEPS, KICK_STEPS, MOST_POINTS = 100, 5, 3000
DECADES = range(-17, 5)
"""Of the transients' lengths in s."""

GROWTH, LEAST_VOLT = 30.0, 1e-6
"""After the pulse a deviation has grown by more than this, to more than that."""


@dataclass(frozen=True)
class Escape:
    """How an operating point is left: the node that goes farthest, from where to where, when."""

    node: str
    volt: float
    to_volt: float
    within_second: float

    def __str__(self) -> str:
        return (
            f"the operating point is unstable: kicked by a nanoampere, node '{self.node}' leaves "
            f"{self.volt:.6g} V and is at {self.to_volt:.6g} V {self.within_second:.3g} s later. "
            "A real circuit never stays there (a latch or Schmitt trigger on its ridge, positive "
            "feedback, an oscillator at rest)"
        )


def escape(session: NgspiceSession, circuit: str, found: Mapping[str, np.ndarray]) -> Escape | None:
    """Kick an operating point; None if it stays.

    Args:
        circuit: a frozen circuit (`cosim.simulation.frozen`).
        found: its operating point, all nodes.

    """
    nodes = sorted(name for name in found if "#" not in name and "@" not in name)
    netlist = _kicked(circuit, nodes)
    for decade in DECADES:
        stop_second = 10.0**decade
        step_second = stop_second / STEPS
        pulse_second = KICK_STEPS * step_second
        ampere = min(KICK_AMPERE, KICK_COULOMB / pulse_second)
        pulse = (0, 0, step_second / 10, ampere, pulse_second, ampere, 1.1 * pulse_second, 0)
        commands = (
            f"alter @vcosim_kick[pwl] = [ {' '.join(map(repr, pulse))} ]",
            f"stop after {MOST_POINTS}",
            f"tran {step_second!r} {stop_second!r} 0 {step_second!r}",
        )
        try:
            vectors = session.run_unaudited(netlist, *commands)
        except CosimError:
            continue  # so fast a mode, or so slow a transient, that ngspice cannot step; others can
        finally:
            session.command("delete all")
        if (escaped := _escaped(nodes, vectors, stop_second)) is not None:
            return escaped
    return None


def _kicked(circuit: str, nodes: list[str]) -> str:
    """The circuit with a current into every node, all set by one source."""
    random = np.random.default_rng(0)
    parts = random.choice([-1, 1], len(nodes)) * random.uniform(0.5, 1.0, len(nodes))
    lines = [
        f"gcosim_kick_{index} 0 {node} cosim_kick 0 {part!r}\n"
        f"ccosim_kick_{index} {node} 0 {NODE_FARAD!r}"
        for index, (node, part) in enumerate(zip(nodes, parts.tolist(), strict=True))
    ]
    return "\n".join(
        [
            circuit,
            "vcosim_kick cosim_kick 0 pwl(0 0 1 0)",
            *lines,
            ".options reltol=1e-6 vntol=1e-12 abstol=1e-15 method=trap",
            f".save {' '.join(f'v({node})' for node in nodes)}",
            ".op",
            ".end",
            "",
        ]
    )


def _escaped(
    nodes: list[str], vectors: Mapping[str, np.ndarray], stop_second: float
) -> Escape | None:
    time = np.real(vectors["time"])
    kicked, after = time <= stop_second * (KICK_STEPS + 1) / STEPS, time > time[-1] / 2
    moved = {node: np.abs(vectors[node] - vectors[node][0]) for node in nodes if node in vectors}
    at_kick = max((float(values[kicked].max()) for values in moved.values()), default=0.0)
    largest, escaped = max(LEAST_VOLT, GROWTH * at_kick), None
    for node, values in moved.items():
        farthest = float(values[after].max())
        if not farthest <= largest:
            largest = farthest
            point = int(np.flatnonzero(after)[np.argmax(values[after])])
            begin, end = float(vectors[node][0]), float(vectors[node][point])
            beyond = int(np.argmax(~(values <= farthest / 2)))
            escaped = Escape(node, begin, end, float(time[beyond]))
    return escaped
