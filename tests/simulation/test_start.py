"""Operating points: found once, confirmed, kept; another than the known one is an error.

Into the circuit's node x flows x - x^3: it has states at -1, 0 and 1 V.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from cosim.engine.library import find_library, probe
from cosim.engine.protocol import Failed, Finished, Message, Simulation
from cosim.engine.start import Found, Way, way_of
from cosim.engine.worker import WorkerPool
from cosim.errors import ConvergenceError, WorkerTimeoutError
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import Explicit
from cosim.simulation import start as start_module
from cosim.simulation.start import KLU_NODES, Start, Starts, nodesets, starting
from tests.engine.problems import simulation

CIRCUIT = """.title three states
Vdd vdd 0 dc 3.3
Rdd vdd 0 1meg
Bx x 0 I=1m*(V(x)*V(x)*V(x)-V(x))
Cx x 0 1n
.save v(x) i(vdd)
.tran 1n 10n
.end
"""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Start, Path]:
    path = tmp_path_factory.mktemp("start") / "points.json"
    upper = CIRCUIT.replace(".save", ".nodeset v(x)=0.9\n.save")
    return Starts(path).of(upper), path


def test_point_is_found_and_confirmed(known: tuple[Start, Path]) -> None:
    start, _ = known
    assert start.confirmed.way is Way.NEWTON
    assert start.vectors["x"] == pytest.approx(1.0, abs=1e-6)
    assert start.vectors["vdd#branch"] == pytest.approx(-3.3e-6, rel=1e-3)


def test_point_is_kept(known: tuple[Start, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing easier is looked at, nor anything searched for, where it is."""
    start, path = known

    def searched(*arguments: object, **options: object) -> None:
        raise AssertionError("searched again")

    monkeypatch.setattr(start_module, "isolated", searched)
    upper = CIRCUIT.replace(".save", ".nodeset v(x)=0.9\n.save")
    assert Starts(path).of(upper, (pytest.fail("looked at") for _ in range(1))) == start
    tighter = upper.replace(".save", ".options reltol=1e-6 vntol = 1e-9\n.save")
    assert Starts(path).of(tighter) == start
    for change in (("1meg", "2meg"), (".save", ".options reltol=1e-6 gmin=1e-9\n.save")):
        with pytest.raises(AssertionError, match="searched again"):
            Starts(path).of(upper.replace(*change))


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        ({"x": 3.7}, "x at 3.7 V, outside"),
        ({"x": float("nan")}, "x at nan V, outside"),
        ({"vdd#branch": -3.0}, "takes 3 A from the supply"),
    ],
)
def test_point_that_no_powered_circuit_has_is_refused(
    known: tuple[Start, Path], vectors: dict[str, float], says: str
) -> None:
    start, _ = known
    start.require_sound(3.3, 0.3)
    with pytest.raises(ConvergenceError, match=says):
        replace(start, vectors={**start.vectors, **vectors}).require_sound(3.3, 0.3)


def run(pool: WorkerPool, netlist: str, start: Start) -> Message:
    known = start.values(("x", "vdd#branch"))
    job = Simulation(0, netlist, 10e-9, ("x", "vdd#branch"), settles=False, start=known)
    return list(pool.run([job]))[-1]


def test_run_starts_at_the_known_point(pool: WorkerPool, known: tuple[Start, Path]) -> None:
    start, _ = known
    last = run(pool, starting(CIRCUIT, nodesets(start.vectors, CIRCUIT)), start)
    assert isinstance(last, Finished) and last.start is not None
    assert last.start.way is Way.NEWTON and last.start.iterations < 10


def test_solver_is_that_of_the_size() -> None:
    """Where ngspice has KLU at all."""
    ends = {}
    for nodes in (KLU_NODES - 1, KLU_NODES):
        lines = nodesets({f"n{place}": 1.0 for place in range(nodes)}, chain(nodes))
        ends[nodes] = starting(f"{chain(nodes)}.end\n", lines).splitlines()[-2]
    klu = " klu" if probe(find_library()).klu else ""
    assert list(ends.values()) == [".options bypass=1", f".options bypass=1{klu}"]


def chain(nodes: int) -> str:
    """Resistors from node to node."""
    return "chain\n" + "".join(f"r{n} n{n} n{(n + 1) % nodes} 1k\n" for n in range(nodes))


@pytest.mark.parametrize(
    ("netlist", "says"),
    [
        (CIRCUIT, "confirmed one: x is -1 V, and not 1 V"),
        (CIRCUIT.replace("*V(x)-V(x)", "+1"), "operating point could not be simulated"),
    ],
)
def test_provoked_wrong_state_is_an_error(
    pool: WorkerPool, known: tuple[Start, Path], netlist: str, says: str
) -> None:
    """Newton's method may end in another state, or nowhere: then nothing else is tried."""
    last = run(pool, starting(netlist, [".nodeset v(x)=-1"]), known[0])
    assert isinstance(last, Failed) and isinstance(last.error, ConvergenceError)
    assert says in str(last.error)


@dataclass(frozen=True)
class Late:
    """A block that takes some seconds to come to the worker, once, and then answers at once."""

    second: float
    came: ClassVar[bool] = False

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        return -volts

    def __setstate__(self, state: dict[str, float]) -> None:
        time.sleep(0.0 if Late.came else state["second"])
        Late.came = True
        self.__dict__.update(state)


@pytest.mark.parametrize("start_timeout_second", [60.0, 1.0])
def test_limit_of_a_point_counts_from_the_first(start_timeout_second: float) -> None:
    """What comes before has a limit of its own."""
    coupled = Block(Late(5.0).value, ("x",), ("u",), name="rate")
    job = simulation(coupled, Explicit, 1.0, units=1.0, step=0.01)
    with WorkerPool(1, 4.0, start_timeout_second=start_timeout_second) as own:
        last = list(own.run([job]))[-1]
    if start_timeout_second > 5.0:
        assert isinstance(last, Finished)
    else:
        assert isinstance(last, Failed) and isinstance(last.error, WorkerTimeoutError)
        assert "no operating point in 1 s" in str(last.error)


@pytest.mark.parametrize(
    ("said", "way"),
    [
        (["Note: Dynamic gmin stepping completed"], Way.GMIN),
        (["Warning: True gmin stepping failed", "Note: Source stepping completed"], Way.SOURCE),
        (["Note: Transient op finished successfully"], Way.PSEUDO_TRANSIENT),
        (["Using SPARSE 1.3 as Direct Linear Solver"], Way.NEWTON),
    ],
)
def test_way_is_read_from_what_ngspice_says(said: list[str], way: Way) -> None:
    assert way_of(said) is way
    assert str(Found(way, 9)) == f"{way}, 9 iterations"
