"""The 1T1R cell: switching, programming, and what the read-only cell leaves out."""

from dataclasses import replace

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit

from cosim.circuits.cell_1t1r import (
    FORM,
    READ,
    READ_VOLT,
    RESET,
    SET,
    Cell1T1R,
    CellBench,
    WriteVerify,
    program,
    quasi_static_loop,
)
from cosim.circuits.rram import ReadOnlyCell, Rram, load_card
from cosim.engine.session import NgspiceSession
from cosim.errors import NetlistError
from cosim.process.gf180mcu import GF180MCU

PROCESS, CARD = GF180MCU(), load_card()


def biased(cell: Cell1T1R, siemens: float) -> Circuit:
    circuit = Circuit("read")
    PROCESS.apply(circuit)
    circuit.subcircuit(cell)
    circuit.V("word", "word", circuit.gnd, READ.word_volt)
    circuit.V("source", "source", circuit.gnd, READ.source_volt)
    circuit.V("bit", "bit", "source", READ_VOLT)
    cell.place(circuit, "cell", ["bit", "word", "source"], siemens)
    return circuit


def read(cell: Cell1T1R, siemens: float, analysis: str) -> np.ndarray:
    text = f"{biased(cell, siemens)}.save i(vbit)\n{analysis}\n.end\n"
    return -NgspiceSession.start().analyse(text)["vbit#branch"]


@pytest.mark.parametrize("siemens", [0.02e-3, 0.05e-3, 0.10e-3])
def test_cell_has_the_conductance_asked_for(siemens: float) -> None:
    for device in (Rram(CARD), ReadOnlyCell("read_only")):
        current = read(Cell1T1R(device, PROCESS.ACCESS), siemens, ".op")[0]
        assert current / READ_VOLT == pytest.approx(siemens, rel=2e-3)


def test_cell_of_inference_is_linear_over_the_rows_range() -> None:
    """Rows swing 0.7 V around the analog ground; asked of a cell: 0.3 % there."""
    sweep = np.arange(-0.7, 0.71, 0.1)
    current = read(
        Cell1T1R(ReadOnlyCell("read_only"), PROCESS.ACCESS), 0.1e-3, ".dc Vbit -0.7 0.701 0.1"
    )
    at = np.abs(sweep) > 0.05
    assert np.abs(current[at] / (0.1e-3 * sweep[at]) - 1).max() < 3e-3


def test_cell_that_no_device_can_have_is_refused() -> None:
    with pytest.raises(NetlistError, match="access transistor alone"):
        biased(Cell1T1R(ReadOnlyCell("read_only"), PROCESS.ACCESS), 1 / PROCESS.ACCESS.on_ohm)


def test_loop_switches_and_the_gate_limits_the_current() -> None:
    session = NgspiceSession.start()
    cell = Cell1T1R(Rram(CARD), PROCESS.ACCESS)
    low, high = (
        quasi_static_loop(session, PROCESS, cell, gate, CARD.maximum_gap_metre)
        for gate in (1.1, 1.5)
    )
    for loop in (low, high):
        quarter = len(loop.volt) // 4
        opened, closed = loop.gap_metre[quarter // 2], loop.gap_metre[2 * quarter]
        assert closed < 0.5 * opened  # SET closed it
        assert loop.gap_metre[-1] > 2 * closed  # RESET opened it again
        assert loop.gap_metre.min() >= CARD.minimum_gap_metre * 0.98
        assert loop.gap_metre.max() <= CARD.maximum_gap_metre * 1.02
    assert high.current_ampere.max() > 2 * low.current_ampere.max()


def test_forming_closes_a_fresh_cell_and_reset_opens_it() -> None:
    bench = CellBench(NgspiceSession.start(), PROCESS, CARD)
    formed = bench.pulse(FORM)
    assert formed > 0.05e-3
    assert bench.pulse(RESET) < 0.8 * formed


def test_set_depends_on_the_gate_voltage() -> None:
    """The published handle on multilevel SET: more compliance, more conductance."""
    reached = []
    for gate in (1.2, 1.5, 1.8):
        bench = CellBench(NgspiceSession.start(), PROCESS, CARD)
        bench.pulse(FORM)
        bench.pulse(RESET)
        reached.append(bench.pulse(replace(SET, word_volt=gate)))
    assert reached == sorted(reached)
    assert reached[-1] > 1.5 * reached[0]


@pytest.mark.parametrize("target_micro", [20, 35, 50, 75, 100])
def test_write_verify_reaches_its_target(target_micro: int) -> None:
    recipe = WriteVerify()
    bench = CellBench(NgspiceSession.start(), PROCESS, CARD)
    done = program(bench, target_micro * 1e-6, recipe)
    assert done.succeeded
    assert abs(done.error_siemens) <= recipe.tolerance_siemens
    # What the last pulse left is in the gap: read again by the model's own equation.
    access = PROCESS.ACCESS.on_ohm
    device = CARD.conductance(bench.gap_metre, READ_VOLT)
    assert 1 / (1 / device + access) == pytest.approx(done.siemens, rel=0.01)


def test_programming_that_fails_says_so() -> None:
    bench = CellBench(NgspiceSession.start(), PROCESS, CARD)
    done = program(bench, 0.05e-3, WriteVerify(maximum_pulses=2))
    assert not done.succeeded
    assert len(done.pulses) == 2
