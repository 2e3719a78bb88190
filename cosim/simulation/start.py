"""Operating points that are found once, confirmed, and kept with the hash of their netlist.

Of a large circuit the search costs more than a transient, and may end in another state. So it is
done once for all runs of a circuit: they start from `.nodeset` lines for all nodes, and Newton's
method needs a few iterations.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cosim.engine.isolated import isolated
from cosim.engine.library import find_library, probe
from cosim.engine.start import Found, Way
from cosim.errors import ConvergenceError
from cosim.files import write_text
from cosim.netlist.netlist import Tolerances
from cosim.netlist.parse import parse
from cosim.simulation.frozen import circuit_alone, frozen

FILE_NAME = "operating_points.json"

SEARCHES = ("optran 1 0 0 100n 20u 5u", "optran 1 1 1 100n 20u 5u")
"""Commands that choose ngspice's ways to an operating point (manual, section 13.5), in its order:
Newton's method, gmin stepping, source stepping, and a transient in which the sources rise for 5 us.
For a large circuit both steppings take thousands of iterations and mostly fail: they come last.
"""
SEARCHING = Tolerances(1e-4, 1e-6, 1e-11)
"""The end of a search is but a guess for Newton's method."""
KEPT = Tolerances()
"""Of the point that is kept."""
PAIRS_PER_LINE = 4

KLU_NODES = 500
"""From so many nodes on ngspice's KLU solver is the faster one (tests/benchmarks/test_scale.py):
a sample of the whole ring solver, 1,275 nodes, takes 0.85 of SPARSE's time, the read of an array of
8 x 8 pairs with wires 0.74, one of 32 x 32 0.18; one of 4 x 4 takes as long with either.
"""
_OPTIONS = re.compile(r"\.options?\b", re.IGNORECASE)
_TOLERANCES = re.compile(r"\b(reltol|vntol|abstol|trtol)\s*=\s*\S+", re.IGNORECASE)
_EMPTY = (".option", ".options")

MOST_AMPERE_PER_NODE = 100e-6
"""Our solvers take 33e-6; in a second state of their equations that was met, it is 2.2e-3."""


@dataclass(frozen=True)
class Start:
    """A confirmed operating point.

    Attributes:
        found: by what, and at what cost.
        confirmed: by Newton's method from its own node voltages, with tighter tolerances.
        vectors: volts by node and amperes by `source#branch`, lower case.
    """

    found: Found
    confirmed: Found
    vectors: Mapping[str, float]

    def require_sound(self, highest_volt: float, margin_volt: float) -> None:
        """Refuse a state that no powered circuit is in.

        Args:
            highest_volt: of all supplies.
            margin_volt: how far nodes may be outside that and ground.

        Raises:
            ConvergenceError: a node is outside the supply, or the supply current is many times
                that of analog blocks.
        """
        highest = highest_volt + margin_volt
        for name, value in self.vectors.items():
            if not name.endswith("#branch") and not -margin_volt <= value <= highest:
                raise ConvergenceError(
                    f"The operating point that was found has {name} at {value:.4g} V, outside "
                    f"ground and the highest supply of {highest_volt:g} V: it is a state of the "
                    "equations, and not of the circuit. Look at what drives that node."
                )
        ampere = abs(self.vectors["vdd#branch"])
        if not ampere <= MOST_AMPERE_PER_NODE * len(self.vectors):
            raise ConvergenceError(
                f"The operating point that was found takes {ampere:.3g} A from the supply, "
                f"{ampere / len(self.vectors):.2g} A a node, where analog blocks take tens of "
                "microamperes: it is not the state that is meant. Give `.nodeset` lines for that."
            )

    def values(self, names: Iterable[str]) -> tuple[float, ...]:
        """Of these vectors."""
        return tuple(self.vectors[name.lower()] for name in names)


def nodesets(vectors: Mapping[str, float], circuit: str) -> list[str]:
    """`.nodeset` lines of a circuit's nodes for node values.

    Nodes that a voltage source sets need none (and the KLU solver takes none).
    """
    devices = list(parse(circuit, Path("netlist.cir")).devices())
    nodes = dict.fromkeys(node for device in devices for node in device.terminals)
    given = {one.terminals[0] for one in devices if one.element.is_voltage}
    pairs = [
        f"v({node})={vectors[node]:.10g}" for node in nodes if node in vectors and node not in given
    ]
    return [
        ".nodeset " + " ".join(pairs[first : first + PAIRS_PER_LINE])
        for first in range(0, len(pairs), PAIRS_PER_LINE)
    ]


def starting(netlist: str, lines: Sequence[str]) -> str:
    """A netlist with the `.nodeset` lines of its operating point. Devices whose voltages stand
    still are no longer evaluated (`bypass`), which a search for an operating point must not do;
    and it has the solver of its size.
    """
    nodes = sum(line.count("v(") for line in lines)
    klu = " klu" if nodes >= KLU_NODES and probe(find_library()).klu else ""
    before, end, after = netlist.rpartition(".end")
    return "\n".join([before.rstrip("\n"), *lines, f".options bypass=1{klu}", f"{end}{after}"])


class Starts:
    """Operating points by netlist.

    Args:
        path: of the file that keeps them; None keeps them in memory alone.
        timeout_second: of a search.
        tell: is told of a search.
    """

    def __init__(
        self,
        path: Path | None = None,
        timeout_second: float | None = None,
        tell: Callable[[str], None] = lambda doing: None,
    ) -> None:
        self._path, self._timeout_second, self._tell = path, timeout_second, tell
        self._known: dict[str, Start] = {}
        self._last: Mapping[str, float] = {}

    def of(self, netlist: str, easier: Iterable[str] = ()) -> Start:
        """The operating point of a netlist, whatever its tolerances are.

        Args:
            easier: the same circuit at other corners, temperatures or with other models, whose
                points lead there: each search begins at the point before. Not looked at where the
                netlist's own is known.

        Raises:
            ConvergenceError: none is found that Newton's method confirms.
            WorkerTimeoutError: the search takes too long.
        """
        circuit = _without_tolerances(frozen(circuit_alone(netlist)))
        version = probe(find_library()).version
        key = hashlib.sha256(f"ngspice {version}\n{circuit}".encode()).hexdigest()
        if key not in self._known:
            self._known |= _kept(self._path)
        if key not in self._known:
            for other in easier:
                self.of(other)
            self._tell("operating point")
            self._known[key] = isolated(
                _find, circuit, self._last, timeout_second=self._timeout_second
            )
            if self._path is not None:
                kept = {name: asdict(start) for name, start in self._known.items()}
                write_text(self._path, json.dumps(kept, indent=0))
        self._last = self._known[key].vectors
        return self._known[key]


def _without_tolerances(circuit: str) -> str:
    """A point is the circuit's own: kept by `KEPT`, it serves any accuracy, which confirms it."""
    lines = circuit.splitlines()
    kept = [_TOLERANCES.sub("", line) if _OPTIONS.match(line) else line for line in lines]
    return "\n".join([*(line for line in kept if line.strip().lower() not in _EMPTY), KEPT.line])


def _kept(path: Path | None) -> dict[str, Start]:
    """What a file keeps; what cannot be read is searched for again."""
    if path is None or not path.exists():
        return {}
    try:
        return {
            key: Start(
                found=_found(one["found"]),
                confirmed=_found(one["confirmed"]),
                vectors={node: float(value) for node, value in one["vectors"].items()},
            )
            for key, one in json.loads(path.read_text(encoding="utf8")).items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _found(kept: Mapping[str, str]) -> Found:
    return Found(Way(kept["way"]), int(kept["iterations"]))


def _find(circuit: str, guess: Mapping[str, float]) -> Start:
    """In a process of its own."""
    from cosim.engine.session import NgspiceSession

    session = NgspiceSession.start()
    # A transient, as ngspice then says where its last way ended; the first point is that.
    analysis = [SEARCHING.line, ".tran 1n 1n", ".end", ""]
    search = "\n".join([circuit, *nodesets(guess, circuit), *analysis])
    failure: ConvergenceError | None = None
    for ways in SEARCHES:
        try:
            near = _first(session.run_unaudited(search, ways, "run"))
            found = session.found
            point = session.operating_point("\n".join([circuit, *nodesets(near, circuit)]))
        except ConvergenceError as error:
            failure = error
            continue
        assert found is not None and session.found is not None
        if session.found.way is Way.NEWTON:
            return Start(found, session.found, _first(point))
    raise ConvergenceError(
        "No operating point was found that Newton's method finds again from its own node "
        "voltages. Look for what holds the circuit's nodes, and give `.nodeset` lines for the "
        f"state that is meant. {failure or ''}".rstrip()
    )


def _first(vectors: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {name: float(values[0]) for name, values in vectors.items()}
