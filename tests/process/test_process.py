"""The process: what is written, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.characterise.bench import bench_circuit
from cosim.characterise.multiplier import MultiplierBench
from cosim.characterise.opamp import OpAmpBench
from cosim.circuits.analog_switch import AnalogSwitchSpec, analog_switch
from cosim.circuits.cell_1t1r import READ
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.multiplier import MultiplierSpec, multiplier
from cosim.circuits.opamp import OpAmpSpec, op_amp, slew_rate
from cosim.engine.session import NgspiceSession
from cosim.errors import ConfigurationError, NetlistError
from cosim.process.gf180mcu import GF180MCU
from cosim.process.process import (
    LENGTH_METRE,
    MIRROR_GM_OVER_ID,
    PAIR_GM_OVER_ID,
    SOURCE_GM_OVER_ID,
    Process,
    find_process,
    processes,
)


def test_netlist_names_models_corner_and_temperature() -> None:
    circuit = Circuit("models")
    GF180MCU("ss", 125.0, model_folder=Path("../.ngspice/gf180mcu")).apply(circuit)
    text = str(circuit)
    assert '.include "../.ngspice/gf180mcu/design.ngspice"' in text
    assert '.lib "../.ngspice/gf180mcu/sm141064.ngspice" ss' in text
    assert ".temp 125.0" in text


def test_unknown_corner() -> None:
    with pytest.raises(ConfigurationError, match="typical, ff, ss, fs, sf"):
        GF180MCU("tt")


def test_seed_that_ngspice_would_skip() -> None:
    with pytest.raises(ConfigurationError, match="Count from 1"):
        GF180MCU(monte_carlo_seed=0)


@pytest.mark.parametrize("folder", ['a"b', "a\n.control"])
def test_folder_that_would_break_out_of_its_line(folder: str) -> None:
    with pytest.raises(NetlistError, match="quote or a line break"):
        GF180MCU(model_folder=Path(folder))


@pytest.mark.parametrize(
    ("width", "length", "says"),
    [
        (0.1e-6, 1e-6, "width 0.1 um"),
        (1e-6, 0.18e-6, "length 0.18 um"),
        (1e-6, 60e-6, "length 60 um"),
    ],
)
def test_geometry_outside_the_models(width: float, length: float, says: str) -> None:
    subcircuit = SubCircuit("block", "d", "g", "s", "b")
    with pytest.raises(NetlistError, match=says):
        GF180MCU().nfet(subcircuit, "device", ("d", "g", "s", "b"), width, length)


def test_wide_transistor_becomes_parallel_ones() -> None:
    subcircuit = SubCircuit("block", "d", "g", "s", "b")
    GF180MCU().nfet(subcircuit, "device", ("d", "g", "s", "b"), 250e-6, 1e-6, 2)
    assert "ad=36.6667p as=36.6667p l=1u m=6 pd=167.547u ps=167.547u w=83.3333u" in str(subcircuit)


def test_processes_are_found_by_name() -> None:
    assert set(processes()) == {"gf180mcu", "generic180", "sky130"}
    with pytest.raises(ConfigurationError, match="Choose one of generic180, gf180mcu, sky130"):
        find_process("tsmc")


# -- what each process states, measured in ngspice -------------------------------------------------

EVERY = pytest.mark.parametrize("process", [known() for known in processes().values()])


@EVERY
@pytest.mark.parametrize(
    ("role", "kind", "sign", "gm_over_id"),
    [
        ("PAIR", "pfet", -1, PAIR_GM_OVER_ID),
        ("MIRROR", "nfet", 1, MIRROR_GM_OVER_ID),
        ("SOURCE", "pfet", -1, SOURCE_GM_OVER_ID),
    ],
)
def test_design_points(
    process: Process, role: str, kind: str, sign: int, gm_over_id: float
) -> None:
    """The numbers that the sizing starts from, extracted again."""
    point = getattr(process, role)
    circuit = Circuit("point")
    process.apply(circuit)
    circuit.V("drain", "drain", circuit.gnd, sign)
    circuit.V("gate", "gate", circuit.gnd, 0)
    add = getattr(process, kind)
    add(circuit, "device", ("drain", "gate", "0", "0"), 10e-6, LENGTH_METRE)
    at = point.gate_source_volt
    vectors = NgspiceSession.start().analyse(
        f"{circuit}.save i(vdrain)\n.dc Vgate {sign * (at - 0.01)!r} {sign * (at + 0.0101)!r} "
        f"{sign * 0.005!r}\n.end\n"
    )
    current = np.abs(vectors["vdrain#branch"])
    slope = np.gradient(current, 0.005)[2] / current[2]
    assert slope == pytest.approx(gm_over_id, rel=0.05)
    assert current[2] / 10 == pytest.approx(point.current_per_square_ampere, rel=0.08)


@pytest.mark.parametrize(
    ("process", "kind", "area", "side", "gate_side"),
    [
        ("gf180mcu", "nfet", 0.96797e-3, 0.15663e-9, 0.59903e-9),
        ("gf180mcu", "pfet", 0.94344e-3, 0.15078e-9, 0.4794e-9),
        ("generic180", "nfet", 0.9e-3, 0.3e-9, 0.3e-9),
        ("generic180", "pfet", 0.9e-3, 0.3e-9, 0.3e-9),
        ("sky130", "nfet", 0.84698656e-3, 0.0864309e-9, 0.0547776e-9),
    ],
)
def test_junction_capacitance(
    process: str, kind: str, area: float, side: float, gate_side: float
) -> None:
    """Of a drain at 0 V: C = CJ W E + CJSW (W + 2 E) + CJSWG W, from the card's F/m2 and F/m; the
    card's temperature is 2 to 5 K from here, and its W a little less.
    """
    at, width = find_process(process)(), 10e-6
    circuit = Circuit("junction")
    at.apply(circuit)
    circuit.V("drain", "drain", circuit.gnd, 0)
    getattr(at, kind)(circuit, "device", ("drain", "0", "0", "0"), width, LENGTH_METRE)
    vectors = NgspiceSession.start().analyse(
        f"{circuit}.save @m.xdevice.m0[capbd] @m.xdevice.m0[capbs]\n.op\n.end\n"
    )
    extent = at.DIFFUSION_METRE
    closed = area * width * extent + side * (width + 2 * extent) + gate_side * width
    for junction in ("capbd", "capbs"):
        assert vectors[f"@m.xdevice.m0[{junction}]"][0] == pytest.approx(closed, rel=0.01)


@EVERY
def test_access_transistor(process: Process) -> None:
    """The resistance that the cell's conductance is corrected with."""
    circuit = Circuit("on")
    process.apply(circuit)
    access = process.ACCESS
    circuit.V("word", "word", circuit.gnd, READ.word_volt)
    circuit.V("source", "source", circuit.gnd, READ.source_volt)
    circuit.V("drop", "drain", "source", 1e-3)
    circuit.X(
        "access", access.model, "drain", "word", "source", circuit.gnd,
        **access.parameters,
    )  # fmt: skip
    current = -NgspiceSession.start().analyse(f"{circuit}.op\n.end\n")["vdrop#branch"][0]
    assert 1e-3 / current == pytest.approx(access.on_ohm, rel=0.02)


@EVERY
def test_switch_on_resistance(process: Process) -> None:
    """Between nodes at mid-rail, with 1 mV across it."""
    gate = analog_switch(Fidelity.TRANSISTOR, AnalogSwitchSpec(), process)
    circuit = bench_circuit("gate", gate, process, 3.3)
    circuit.V("across", "first", "analog_ground", 1e-3)
    circuit.X("gate", gate.name, "first", "analog_ground", "vdd", "vdd", circuit.gnd)
    vectors = NgspiceSession.start().analyse(f"{circuit}.op\n.end\n")
    assert 1e-3 / -vectors["vacross#branch"][0] == pytest.approx(process.SWITCH_OHM, rel=0.1)


@EVERY
def test_op_amp_and_multiplier_of_the_same_equations(process: Process) -> None:
    """Sized from the process's design points: within 20 % of the design, gain within 3 %."""
    analyse = NgspiceSession.start().analyse
    spec = OpAmpSpec()
    device = op_amp(Fidelity.TRANSISTOR, spec, process)
    measured = OpAmpBench(device, process, spec, analyse).measure().values
    assert measured["dc_gain_decibel"] >= 70
    assert measured["phase_margin_degree"] >= 55
    assert measured["gbw_hertz"] == pytest.approx(spec.gbw_hertz, rel=0.2)
    assert measured["slew_rise_volt_per_second"] == pytest.approx(slew_rate(spec), rel=0.2)
    assert measured["slew_fall_volt_per_second"] == pytest.approx(slew_rate(spec), rel=0.2)
    block = multiplier(Fidelity.TRANSISTOR, -1.0, MultiplierSpec(), process)
    product = MultiplierBench(block, process, 3.3, analyse).measure().values
    assert product["gain_per_volt"] == pytest.approx(-1.0, rel=0.03)


@pytest.mark.parametrize("corner", GF180MCU.CORNERS)
@EVERY
def test_corners_shift_the_currents(process: Process, corner: str) -> None:
    """Fast is more, slow is less, of n and p each for itself."""
    currents = {}
    for name in ("typical", corner):
        at = type(process)(name)
        circuit = Circuit("corner")
        at.apply(circuit)
        circuit.V("n", "n", circuit.gnd, 1.5)
        circuit.V("p", "p", circuit.gnd, -1.5)
        at.nfet(circuit, "n", ("n", "n", "0", "0"), 10e-6, 1e-6)
        at.pfet(circuit, "p", ("p", "p", "0", "0"), 10e-6, 1e-6)
        vectors = NgspiceSession.start().analyse(f"{circuit}.op\n.end\n")
        currents[name] = {kind: abs(vectors[f"v{kind}#branch"][0]) for kind in ("n", "p")}
    speeds = dict(zip("np", corner, strict=False)) if corner != "typical" else {}
    for kind, speed in speeds.items():
        ratio = currents[corner][kind] / currents["typical"][kind]
        assert (ratio > 1.03) if speed == "f" else (ratio < 0.97)


@EVERY
def test_draws_at_a_corner_are_that_corner_with_mismatch_alone(process: Process) -> None:
    """The mean of 24 gate voltages is the corner's; a global draw would move them all together."""
    ampere, count = 10 * process.MIRROR.current_per_square_ampere, 24

    def gate_volts(at: Process) -> np.ndarray:
        circuit = Circuit("diodes")
        at.apply(circuit)
        nodes = [f"gate_{index}" for index in range(count)]
        for node in nodes:
            circuit.I(node, circuit.gnd, node, ampere)
            at.nfet(circuit, node, (node, node, "0", "0"), 10e-6, 1e-6)
        vectors = NgspiceSession.start().analyse(f"{circuit}.op\n.end\n")
        return np.array([vectors[node][0] for node in nodes])

    kind = type(process)
    corner = gate_volts(kind("ss"))
    draws = [gate_volts(kind("ss", monte_carlo_seed=seed)) for seed in (1, 2, 3)]
    assert np.ptp(corner) < 1e-6  # without a draw all are equal
    for draw in draws:
        # Pelgrom: some millivolts for 10 um2.
        assert 0.4e-3 < np.std(draw) < 6e-3
        assert abs(np.mean(draw) - corner[0]) < 4 * np.std(draw) / np.sqrt(count)
    assert not np.array_equal(draws[0], draws[1])


def test_a_process_without_mismatch_at_corners_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GF180MCU, "CORNER_MISMATCH", False)
    with pytest.raises(ConfigurationError, match="draws around the typical corner"):
        GF180MCU("ss", monte_carlo_seed=1)


def test_generic_mismatch_follows_pelgrom() -> None:
    """Offset current of a mirror of equal transistors over 40 seeds, against A_VT / sqrt(W L)."""
    process = find_process("generic180")
    ratios = []
    for seed in range(1, 41):
        at = process(monte_carlo_seed=seed)
        circuit = Circuit("mirror")
        at.apply(circuit)
        circuit.I("bias", circuit.gnd, "gate", 20e-6)
        circuit.V("out", "out", circuit.gnd, 0.8)
        for name, drain in (("first", "gate"), ("second", "out")):
            at.nfet(circuit, name, (drain, "gate", "0", "0"), 8e-6, 1e-6)
        vectors = NgspiceSession.start().analyse(f"{circuit}.op\n.end\n")
        ratios.append(-vectors["vout#branch"][0] / 20e-6)
    gm_over_id = 10.0
    volt = 7.6e-3 / np.sqrt(8) * np.sqrt(2)
    gain = 0.01 / np.sqrt(8) * np.sqrt(2)
    assert np.std(ratios) == pytest.approx(np.hypot(gm_over_id * volt, gain), rel=0.35)
