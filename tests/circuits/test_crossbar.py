"""Crossbars against an independent sparse nodal solution, to 1e-6."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySpice.Spice.Netlist import Circuit

from cosim.circuits.cell_1t1r import READ, Cell1T1R
from cosim.circuits.crossbar import (
    Crossbar,
    CrossbarBench,
    ProgrammedConductance,
    WireSegment,
    column_nodes,
)
from cosim.circuits.rram import ReadOnlyCell
from cosim.engine.session import NgspiceSession
from cosim.errors import NetlistError
from cosim.process.gf180mcu import GF180MCU
from tests.circuits.crossbar_reference import LinearCrossbar, interleaved

IDEAL = ProgrammedConductance()


def random_pairs(rows: int, columns: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    plus, minus = (generator.uniform(2e-5, 1e-4, (rows, columns)) for _ in range(2))
    return plus, minus, generator.uniform(-0.3, 0.3, rows)


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 16), st.integers(1, 16), st.sampled_from([0.1, 2.5, 100.0]), st.integers(0, 999)
)
def test_wired_array_is_the_nodal_solution(
    rows: int, columns: int, wire_ohm: float, seed: int
) -> None:
    plus, minus, volts = random_pairs(rows, columns, seed)
    bench = CrossbarBench(Crossbar("array", plus, minus, IDEAL, WireSegment(wire_ohm)))
    found = bench.multiply(NgspiceSession.start(), volts)
    exact = LinearCrossbar(interleaved(plus, minus), wire_ohm).line_amperes(volts).reshape(-1, 2)
    np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-6 * np.abs(exact).max())


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 16), st.integers(1, 16), st.integers(0, 999))
def test_array_with_ideal_lines_is_the_matrix_product(rows: int, columns: int, seed: int) -> None:
    plus, minus, volts = random_pairs(rows, columns, seed)
    found = CrossbarBench(Crossbar("array", plus, minus, IDEAL)).multiply(
        NgspiceSession.start(), volts
    )
    exact = np.stack([volts @ plus, volts @ minus], axis=1)
    np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-6 * np.abs(exact).max())


def test_1t1r_array_is_the_product_within_its_access_transistors() -> None:
    plus, minus, volts = random_pairs(6, 4, seed=3)
    crossbar = Crossbar("array", plus, minus, Cell1T1R(ReadOnlyCell("read_only"), GF180MCU.ACCESS))
    found = CrossbarBench(crossbar, GF180MCU()).multiply(NgspiceSession.start(), volts)
    exact = np.stack([volts @ plus, volts @ minus], axis=1)
    assert np.abs(found - exact).max() < 2e-3 * np.abs(exact).max()


def test_worst_ir_drop_is_the_nodal_solutions() -> None:
    size, ohm = 12, 2.5
    full = np.full((size, size), 1e-4)
    crossbar = Crossbar("array", full, full, IDEAL, WireSegment(ohm))
    drop = CrossbarBench(crossbar).ir_drop(NgspiceSession.start(), 0.3)
    reference = LinearCrossbar(interleaved(full, full), ohm)
    volts = reference.node_volts(np.full(size, 0.3))
    across = volts[reference.bit[0, -1]] - volts[reference.source[0, -1]]
    assert drop == pytest.approx(1 - across / 0.3, rel=1e-6)
    assert drop > 0.02


def test_settling_is_the_matrix_exponentials() -> None:
    """Wire capacitance at every cell; all rows step at 1 ps. Resistors and capacitors alone."""
    plus, minus, _ = random_pairs(4, 3, seed=5)
    wire = WireSegment(200.0, 20e-15)
    crossbar = Crossbar("array", plus, minus, IDEAL, wire)
    circuit = Circuit("step")
    circuit.subcircuit(crossbar)
    for node in crossbar.external_nodes:
        source = "PWL(0 0 0.01p 0.3)" if node.startswith("bit") else "0"
        circuit.V(node, node, circuit.gnd, source)
    circuit.X("array", crossbar.name, *crossbar.external_nodes)
    lines = column_nodes(3)
    vectors = NgspiceSession.start().analyse(
        f"{circuit}.options reltol=1e-6\n.save {' '.join(f'i(v{line})' for line in lines)}\n"
        ".tran 0.05p 60p 0 0.05p\n.end\n"
    )
    reference = LinearCrossbar(interleaved(plus, minus), 200.0)
    for second in (10e-12, 30e-12, 55e-12):
        expected = reference.step_response(np.full(4, 0.3), 20e-15, second)
        found = [np.interp(second, vectors["time"], vectors[f"v{line}#branch"]) for line in lines]
        np.testing.assert_allclose(found, expected, rtol=0.01, atol=0.002 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("plus", "minus", "says"),
    [
        (np.ones((2, 2)), np.ones((2, 3)), "one shape"),
        (np.ones(3), np.ones(3), "one shape"),
        (np.array([[1e-4, 0.0]]), np.full((1, 2), 1e-4), r"cell \[0, 1\] \(plus\)"),
        (np.full((1, 1), 1e-4), np.array([[np.nan]]), r"\(minus\)"),
    ],
)
def test_impossible_array_is_refused(plus: np.ndarray, minus: np.ndarray, says: str) -> None:
    with pytest.raises(NetlistError, match=says):
        Crossbar("array", plus, minus, IDEAL)


@pytest.mark.parametrize(("ohm", "farad"), [(0.0, 0.0), (-1.0, 0.0), (1.0, -1e-15)])
def test_impossible_wire_is_refused(ohm: float, farad: float) -> None:
    with pytest.raises(NetlistError, match="wire segment"):
        WireSegment(ohm, farad)


def test_1t1r_bench_needs_a_process() -> None:
    one = np.full((1, 1), READ.bit_volt * 1e-5)
    with pytest.raises(NetlistError, match="needs a process"):
        CrossbarBench(
            Crossbar("array", one, one, Cell1T1R(ReadOnlyCell("read_only"), GF180MCU.ACCESS))
        )
