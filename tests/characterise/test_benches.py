"""Blocks by their benches: transistors against macro models, closed forms and design values.

What has a datasheet is measured there too: test_own_datasheets.py.
"""

from functools import cache

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit

from cosim.characterise import cell
from cosim.characterise.bench import Measured
from cosim.characterise.benches import BENCHES
from cosim.characterise.builders import TRANSIMPEDANCE_OHM
from cosim.characterise.integrator import INPUT_OHM, RAMP_VOLT
from cosim.characterise.multiplier import MultiplierBench
from cosim.characterise.relu import ROW_OHM
from cosim.characterise.sheet import Condition
from cosim.characterise.sheets import measure
from cosim.characterise.transimpedance import COMMON_VOLT, LINE_SIEMENS
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.folded_cascode import FoldedCascode
from cosim.circuits.integrator import IntegratorSpec
from cosim.circuits.multiplier import MultiplierSpec, multiplier
from cosim.circuits.transimpedance import COLUMN_OP_AMP, FIRST_SWING_VOLT
from cosim.engine.session import NgspiceSession
from cosim.process.gf180mcu import GF180MCU

WITHOUT_SHEET = {"cell": -1, "crossbar": 0, "dac": 0, "decoder": -1, "noise": 0, "relu_diode": -1}
"""Blocks, and the fidelity that is measured: transistors where tests of the circuit have none."""


@cache
def measured(block: str, fidelity: Fidelity) -> Measured:
    return drawn(block, fidelity, None)


def drawn(block: str, fidelity: Fidelity, seed: int | None) -> Measured:
    return measure(block, Condition("typical", 27.0, 3.3, fidelity, seed)).measured


def test_macro_and_transistor_integrators_agree() -> None:
    """Ramp and Bode plot within 3 % in band."""
    macro, transistor = (
        measured("integrator", level) for level in (Fidelity.MACRO, Fidelity.TRANSISTOR)
    )
    for name in ("ramp", "bode"):
        at, expected = macro.curves[name]
        resampled = np.interp(at, *transistor.curves[name])
        scale = np.abs(expected) if name == "bode" else np.ptp(expected)
        assert (np.abs(resampled - expected) / scale).max() < 0.03


def test_ideal_integrator_integrates() -> None:
    ideal = measured("integrator", Fidelity.IDEAL)
    expected = INPUT_OHM * IntegratorSpec().c_int_farad
    assert ideal.values["time_constant_second"] == pytest.approx(expected, rel=1e-4)
    time, out = ideal.curves["ramp"]
    inside = (time > 1e-6) & (time < 8e-6)
    slope = np.polyfit(time[inside], out[inside], 1)[0]
    assert slope == pytest.approx(-RAMP_VOLT / expected, rel=1e-4)


@pytest.mark.parametrize("fidelity", list(Fidelity))
def test_relu_rectifies(fidelity: Fidelity) -> None:
    """A hidden unit of 0.01 is 1 mV; the knee may be off by the macro model's half millivolt."""
    relu = measured("relu", fidelity)
    assert relu.values["transfer_error_volt"] < 0.2e-3
    assert relu.values["knee_error_volt"] < 1e-3
    assert relu.values["turn_on_second"] < 40e-9  # with a capacitor of 0.7 pF it is 45 ns
    drive, out = relu.curves["transfer"]
    assert out[drive < -0.1].max() < 0.1e-3
    assert ROW_OHM < 2e3  # the load of 28 cells, which an unloaded follower would not show


@pytest.mark.parametrize("fidelity", list(Fidelity))
def test_multiplier_multiplies_in_four_quadrants(fidelity: Fidelity) -> None:
    multiplier = measured("multiplier", fidelity)
    assert multiplier.values["gain_per_volt"] == pytest.approx(-1.0, rel=0.01)
    assert multiplier.values["nonlinearity"] < 0.015
    for name, (a, out) in multiplier.curves.items():
        b = float(name.split()[2])
        assert np.abs(out + a * b).max() < 0.02 * 0.4**2


@pytest.mark.parametrize("celsius", [-40.0, 125.0])
def test_multiplier_keeps_its_gain_over_temperature(celsius: float) -> None:
    """With load resistors that do not follow it, 19 % more and less."""
    condition = Condition("typical", celsius, 3.3, Fidelity.TRANSISTOR, None)
    gain = measure("multiplier", condition).measured.values["gain_per_volt"]
    assert gain == pytest.approx(-1.0, abs=0.08)


@pytest.mark.parametrize("gain", [-2.0, -1.0, 0.5])
def test_multiplier_has_no_systematic_offset(gain: float) -> None:
    """Without its balance resistor 50 to 90 uV, of 200 that make 1 % of the solver's range."""
    process = GF180MCU()
    block = multiplier(Fidelity.TRANSISTOR, gain, MultiplierSpec(), process)
    bench = MultiplierBench(block, process, 3.3, NgspiceSession.start().analyse)
    assert abs(bench.measure().values["offset_volt"]) < 8e-6


@pytest.mark.parametrize("fidelity", list(Fidelity))
def test_transimpedance(fidelity: Fidelity) -> None:
    stage = measured("transimpedance", fidelity)
    assert stage.values["transimpedance_ohm"] == pytest.approx(TRANSIMPEDANCE_OHM, rel=0.005)
    assert abs(stage.values["offset_volt"]) < 3e-3
    if fidelity is Fidelity.TRANSISTOR:  # without more feedback for the finite gain 1.3 mV, 0.14 %
        assert abs(stage.values["offset_volt"]) < 0.2e-3  # for the gain at rest 0.24 mV
        assert stage.values["transimpedance_ohm"] == pytest.approx(TRANSIMPEDANCE_OHM, rel=5e-4)
    if fidelity is Fidelity.IDEAL:
        return
    first = FIRST_SWING_VOLT / (2 * COMMON_VOLT * LINE_SIEMENS)
    noise_gain = 1 + TRANSIMPEDANCE_OHM * (LINE_SIEMENS + 1 / first)
    expected = COLUMN_OP_AMP.gbw_hertz / noise_gain
    assert stage.values["bandwidth_minus_hertz"] == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("block", WITHOUT_SHEET)
def test_sheet_has_what_its_table_shows(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "PROGRAMMED_TARGETS", 2)
    monkeypatch.setattr(cell, "SHOWN_LEVELS", 2)
    values = measured(block, BENCHES[block].fidelities[WITHOUT_SHEET[block]]).values
    assert {column.name for column in BENCHES[block].columns} <= set(values)
    assert set(BENCHES[block].design(3.3)) <= set(values)


def test_monte_carlo_repeats_from_its_seed_and_spreads() -> None:
    offsets = [
        drawn("multiplier", Fidelity.TRANSISTOR, seed).values["offset_volt"]
        for seed in (1, 1, 2, 3)
    ]
    assert offsets[0] == offsets[1]
    assert len(set(offsets)) == 3
    assert np.std(offsets) > 20e-6  # every draw has the same systematic offset


def test_monte_carlo_mismatch_is_that_of_the_models() -> None:
    """Two equal transistors differ by the area law, A_vt = 7.148 mV um and A_k = 0.7008 % um.

    Their effective area, which counts, is some 20 % below the drawn 10 um x 1 um.
    """
    first, second = _pairs(GF180MCU(monte_carlo_seed=1), 200)
    differences = 2 * (first - second) / (first + second)
    assert abs(np.mean(differences)) < 3 * np.std(differences) / np.sqrt(len(differences))
    assert np.std(differences) == pytest.approx(_spread(3.39), rel=0.25)


def _spread(gm_over_current: float) -> float:
    """Of the parts by which two drawn 10 um x 1 um differ, gm over I per volt."""
    return float(np.hypot(gm_over_current * 7.148e-3, 0.7008e-2) / np.sqrt(10))


def _pairs(process: GF180MCU, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Currents of equal transistors, in ampere, [count] twice."""
    circuit = Circuit("pairs")
    process.apply(circuit)
    circuit.V("gate", "gate", circuit.gnd, 1.2)
    names = [f"{side}{number}" for side in ("first", "second") for number in range(count)]
    for name in names:
        circuit.V(name, name, circuit.gnd, 3)
        circuit.X(name, "nfet_03v3", name, "gate", circuit.gnd, circuit.gnd, w="10u", l="1u")
    vectors = NgspiceSession.start().analyse(f"{circuit}.op\n.end\n")
    currents = np.array([abs(vectors[f"v{name}#branch"][0]) for name in names])
    return currents[:count], currents[count:]


def test_mismatch_alone_is_drawn_at_a_corner() -> None:
    """Pairs differ as at the typical corner; their mean is the corner's, whatever the seed."""
    first, second = _pairs(GF180MCU("ss", monte_carlo_seed=1), 200)
    (corner,), _ = _pairs(GF180MCU("ss"), 1)
    differences = 2 * (first - second) / (first + second)
    assert np.std(differences) == pytest.approx(_spread(4.28), rel=0.25)
    assert np.mean([first, second]) == pytest.approx(corner, rel=0.01)


@pytest.mark.parametrize("corner", ["ff", "sf"])  # typical: its datasheet
def test_folded_cascode_follows_its_design_equations(corner: str) -> None:
    sheet = measure("folded_cascode", Condition(corner, 27.0, 3.3, Fidelity.TRANSISTOR))
    assert sheet.values["dc_gain_decibel"] >= 70
    assert sheet.values["phase_margin_degree"] >= 55
    for name, designed in FoldedCascode().design_values(FoldedCascode.SPEC).items():
        assert sheet.values[name] == pytest.approx(designed, rel=0.2)


def test_diode_rectifier_rectifies_within_its_range() -> None:
    """Up to 0.4 V into a row; above, its diode no longer fits below the supply."""
    drive, out = measured("relu_diode", Fidelity.TRANSISTOR).curves["transfer"]
    inside = drive <= 0.4
    assert np.abs(out - np.maximum(drive, 0))[inside].max() < 4e-3
    assert out[-1] < 0.95 * drive[-1]
