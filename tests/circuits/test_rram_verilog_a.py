"""The Verilog-A model against the subcircuit, which is tested against its equations."""

import re
from pathlib import Path

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit

from cosim.circuits import rram_verilog_a
from cosim.circuits.cell_1t1r import FORM, READ, READ_VOLT, RESET, Bias, Cell1T1R
from cosim.circuits.rram import ReadOnlyCell, Rram, load_card, nanometre
from cosim.circuits.rram_verilog_a import (
    SOURCE,
    VerilogARram,
    compile_model,
    find_compiler,
    model_parameters,
)
from cosim.engine.session import NgspiceSession
from cosim.errors import ConfigurationError, EngineError
from cosim.process.gf180mcu import GF180MCU

CARD, PROCESS = load_card(), GF180MCU()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> NgspiceSession:
    """With the compiled model."""
    if find_compiler() is None:
        pytest.skip("no OpenVAF compiler; the extra `verilog-a` installs one")
    started = NgspiceSession.start()
    # As users name folders.
    started.load_model(compile_model(tmp_path_factory.mktemp("two words; one")))
    return started


def both(source: str, gap_metre: float, series_ohm: float, analysis: str) -> str:
    """Both devices, each behind a resistor, side by side."""
    circuit = Circuit("two models")
    for device in (Rram(CARD), VerilogARram(CARD)):
        circuit.subcircuit(device)
        circuit.V(device.name, f"drive_{device.name}", circuit.gnd, source)
        circuit.R(device.name, f"drive_{device.name}", device.name, series_ohm)
        circuit.X(
            device.name, device.name, device.name, circuit.gnd, initial_gap=nanometre(gap_metre)
        )
    return f"{circuit}{analysis}\n.end\n"


@pytest.mark.parametrize("gap", [0.15e-9, 0.5e-9, 1.6e-9])
@pytest.mark.parametrize("volt", [-2.0, -0.1, 0.01, 0.1, 0.5, 2.0])
def test_currents_agree(session: NgspiceSession, gap: float, volt: float) -> None:
    """Read voltage included, at which both give the card's conductance."""
    vectors = session.analyse(both(f"{volt}", gap, 1.0, ".options reltol=1e-9\n.op"))
    subcircuit, compiled = (
        (-vectors[f"v{name}#branch"][0], vectors[name][0])
        for name in (CARD.name, f"{CARD.name}_verilog_a")
    )
    assert compiled == pytest.approx(subcircuit, rel=1e-6, abs=1e-14)
    assert compiled[0] == pytest.approx(CARD.current(gap, compiled[1]), rel=1e-6, abs=1e-14)


@pytest.mark.parametrize(
    ("gap", "volt", "series", "celsius", "stop"),
    [
        (0.9e-9, 1.9, 8e3, 27.0, 2e-6),
        (0.9e-9, 2.0, 8e3, 125.0, 1e-7),
        (0.3e-9, -1.5, 1e3, 27.0, 2e-6),
        (0.3e-9, -1.5, 1e3, -40.0, 1e-2),
        (0.6e-9, 3.0, 1e2, 27.0, 1e-3),  # to the smallest gap
        (0.6e-9, -3.0, 1e2, 27.0, 1e-3),  # to the largest gap
    ],
)
def test_states_agree(
    session: NgspiceSession, gap: float, volt: float, series: float, celsius: float, stop: float
) -> None:
    vectors = session.analyse(
        both(
            f"PWL(0 0 {stop / 1e3!r} {volt})", gap, series,
            f".temp {celsius}\n.options reltol=1e-6\n.tran {stop / 500!r} {stop!r}",
        )
    )  # fmt: skip
    states = [vectors[name] for name in vectors if name.endswith("gap")]
    assert len(states) == 2
    assert abs(states[0][-1] - gap * 1e9) > 0.15, "the state must move, or nothing is tested"
    # 0.2 pm is 0.1 % of the conductance, at the abrupt SET; both are integrated at the same points.
    np.testing.assert_allclose(states[1], states[0], rtol=0, atol=2e-4)


def test_cells_agree_at_the_read_bias(session: NgspiceSession) -> None:
    """Full model as subcircuit and in Verilog-A, and the read-only cell of inference."""
    for siemens in (0.02e-3, 0.10e-3):
        read = [
            _read(session, device, siemens)
            for device in (Rram(CARD), VerilogARram(CARD), ReadOnlyCell("read_only"))
        ]
        assert read == pytest.approx([siemens] * 3, rel=2e-3)
        assert read[1] == pytest.approx(read[0], rel=1e-6)


def _read(
    session: NgspiceSession, device: Rram | VerilogARram | ReadOnlyCell, siemens: float
) -> float:
    cell, circuit = Cell1T1R(device, PROCESS.ACCESS), Circuit("read")
    PROCESS.apply(circuit)
    circuit.subcircuit(cell)
    for node, volt in zip(
        cell.NODES, (READ.bit_volt, READ.word_volt, READ.source_volt), strict=True
    ):
        circuit.V(node, node, circuit.gnd, volt)
    cell.place(circuit, "cell", list(cell.NODES), siemens)
    vectors = session.analyse(f"{circuit}.op\n.end\n")
    return float(-vectors["vbit_line#branch"][0]) / READ_VOLT


@pytest.mark.parametrize("bias", [FORM, RESET])
def test_cells_switch_alike(session: NgspiceSession, bias: Bias) -> None:
    start = CARD.maximum_gap_metre if bias is FORM else 0.4e-9
    reached = []
    for device in (Rram(CARD), VerilogARram(CARD)):
        cell, circuit = Cell1T1R(device, PROCESS.ACCESS), Circuit("pulse")
        PROCESS.apply(circuit)
        circuit.subcircuit(cell)
        for node, volt in zip(
            cell.NODES, (bias.bit_volt, bias.word_volt, bias.source_volt), strict=True
        ):
            circuit.V(node, node, circuit.gnd, f"PWL(0 0 1n {volt!r})")
        circuit.X("cell", cell.name, *cell.NODES, initial_gap=nanometre(start))
        vectors = session.analyse(f"{circuit}.options reltol=1e-6\n.tran 10n 1u\n.end\n")
        reached.append(next(vectors[name][-1] for name in vectors if name.endswith("gap")))
    assert abs(reached[0] - start * 1e9) > 0.05
    assert reached[1] == pytest.approx(reached[0], abs=1e-3)


def test_defaults_of_the_source_are_the_card_s() -> None:
    """Also where there is no compiler."""
    stated = re.findall(r"parameter real (\w+) = ([\d.e+-]+) from", SOURCE.read_text())
    defaults = {name: float(value) for name, value in stated}
    assert defaults.pop("initial_gap") == pytest.approx(CARD.maximum_gap_metre * 1e9)
    assert defaults == pytest.approx(model_parameters(CARD))


def test_without_a_compiler_the_error_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rram_verilog_a, "find_compiler", lambda: None)
    with pytest.raises(ConfigurationError, match="verilog-a"):
        compile_model(tmp_path)


def test_a_wrong_source_is_refused_with_the_compiler_s_words(tmp_path: Path) -> None:
    if find_compiler() is None:
        pytest.skip("no OpenVAF compiler; the extra `verilog-a` installs one")
    source = tmp_path / "wrong.va"
    source.write_text("module wrong(a); inout a; electrical a; analog I(a) <+ nothing; endmodule\n")
    with pytest.raises(ConfigurationError, match="nothing"):
        compile_model(tmp_path, source)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.osdi"
    path.write_text("no")
    with pytest.raises(EngineError, match=r"no\.osdi"):
        NgspiceSession.start().load_model(path)
