"""The row decoder: every address, and an array of switching cells of which one is written."""

import pytest
from PySpice.Spice.Netlist import Circuit

from cosim.characterise.bench import Measured
from cosim.characterise.sheet import Condition
from cosim.characterise.sheets import measure
from cosim.circuits.cell_1t1r import SET, WORD_SUPPLY_VOLT
from cosim.circuits.decoder import RowDecoder
from cosim.circuits.fidelity import Fidelity
from cosim.engine.session import NgspiceSession
from cosim.errors import NetlistError
from cosim.process.process import find_process, processes


@pytest.mark.parametrize("process", processes())
@pytest.mark.parametrize(("rows", "supply_volt"), [(2, 1.4), (5, 5.0), (8, 0.9)])
def test_each_address_selects_its_row_alone(process: str, rows: int, supply_volt: float) -> None:
    chosen, session = find_process(process)("typical"), NgspiceSession.start()
    decoder, circuit = RowDecoder(rows, chosen), Circuit("decoder")
    chosen.apply(circuit)
    circuit.subcircuit(decoder)
    inputs = {"vdd_word": WORD_SUPPLY_VOLT, "word_supply": supply_volt, "all_rows": 0.0}
    for node, volt in (inputs | decoder.address(0, WORD_SUPPLY_VOLT)).items():
        circuit.V(node, node, circuit.gnd, volt)
    circuit.X("decoder", decoder.name, *decoder.external_nodes)
    netlist = f"{circuit}.op\n.end\n"
    session.load(netlist)
    for address in range(2**decoder.bits):
        for everything in (0.0, WORD_SUPPLY_VOLT):
            session.set_source("vall_rows", everything)
            for node, volt in decoder.address(address, WORD_SUPPLY_VOLT).items():
                session.set_source(f"v{node}", volt)
            vectors = session.analyse(netlist)
            for row in range(rows):
                selected = everything > 0 or row == address
                found = vectors[f"word_line_{row}"][0]
                assert found == pytest.approx(supply_volt if selected else 0.0, abs=1e-4)


def _array() -> Measured:
    return measure("decoder", Condition("typical", 27.0, 3.3, Fidelity.TRANSISTOR)).measured


def test_one_cell_of_an_array_is_written_and_the_others_rest() -> None:
    values = _array().values
    assert values["selected_volt"] == pytest.approx(SET.word_volt, abs=1e-3)
    assert values["written_nanometre"] > 0.1
    # 1 % of the conductance would be 2.7 pm.
    assert values["disturbed_nanometre"] < 1e-6
    assert 0 < values["rise_second"] < 10e-9


@pytest.mark.parametrize("rows", [-1, 0, 1, 1025])
def test_impossible_decoders_are_refused(rows: int) -> None:
    process = find_process("gf180mcu")("typical")
    with pytest.raises(NetlistError, match="2 to 1024"):
        RowDecoder(rows, process)
