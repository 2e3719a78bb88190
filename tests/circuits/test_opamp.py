"""The op-amp's spec sheet over corners and temperatures, measured in ngspice."""

import itertools

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.characterise.bench import Measured
from cosim.characterise.opamp import LOAD_OHM, RANGE_BISECTIONS, OpAmpBench
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.opamp import (
    OpAmpSpec,
    op_amp,
    slew_rate,
)
from cosim.engine.session import NgspiceSession
from cosim.process.gf180mcu import GF180MCU

SPEC = OpAmpSpec()
CORNERS = [(corner, 27.0) for corner in GF180MCU.CORNERS]
CORNERS += itertools.product(("ff", "ss"), (-40.0, 125.0))


def bench(fidelity: Fidelity, process: GF180MCU, spec: OpAmpSpec = SPEC) -> OpAmpBench:
    return OpAmpBench(
        op_amp(fidelity, spec, process), process, spec, NgspiceSession.start().analyse
    )


@pytest.fixture(scope="module")
def table() -> dict[tuple[str, float], Measured]:
    return {
        (corner, temperature): bench(Fidelity.TRANSISTOR, GF180MCU(corner, temperature)).measure()
        for corner, temperature in CORNERS
    }


@pytest.mark.parametrize(("corner", "temperature"), CORNERS)
def test_every_corner_meets_the_spec(
    table: dict[tuple[str, float], Measured], corner: str, temperature: float
) -> None:
    """Asked for: DC gain 70 dB and phase margin 55 degrees with 20 pF and 50 kohm."""
    measured = table[corner, temperature].values
    assert measured["dc_gain_decibel"] >= 70
    assert measured["phase_margin_degree"] >= 55
    # The solver's signals, 1.65 +- 0.35 V, with room; and an offset that its integrator,
    # which integrates 6 of them in a solve, turns into less than 0.1 % of 0.6 V.
    assert measured["output_low_volt"] < 1.1
    assert measured["output_high_volt"] > 2.2
    assert measured["input_low_volt"] < 1.1
    assert 2.0 < measured["input_high_volt"] < 2.5
    assert abs(measured["offset_volt"]) < 0.1e-3


def test_typical_follows_the_design_equations(
    table: dict[tuple[str, float], Measured],
) -> None:
    """Asked for: within 20 %."""
    measured = table["typical", 27.0].values
    assert measured["gbw_hertz"] == pytest.approx(SPEC.gbw_hertz, rel=0.2)
    assert measured["slew_rise_volt_per_second"] == pytest.approx(slew_rate(SPEC), rel=0.2)
    assert measured["slew_fall_volt_per_second"] == pytest.approx(slew_rate(SPEC), rel=0.2)


def test_macro_follows_the_transistor_step() -> None:
    """Follower, 50 mV step: within 4 % of the step once the edge is over; the transistors have
    junctions, which the macro model leaves out.
    """
    process = GF180MCU()
    curves = [
        bench(fidelity, process).step(0.05, 2e-6)
        for fidelity in (Fidelity.TRANSISTOR, Fidelity.MACRO)
    ]
    at = np.linspace(60e-9, 0.9e-6, 400)
    transistor, macro = (np.interp(at, time, out) for time, out in curves)
    assert np.abs(transistor - macro).max() < 0.04 * 0.05


def test_ranges_of_the_macro_model_are_those_it_states() -> None:
    """Its output is limited at once; its input has no limit. To a bisection's last step."""
    measured = bench(Fidelity.MACRO, GF180MCU()).measure().values
    step, top = 1.65 / 2**RANGE_BISECTIONS, SPEC.supply_volt
    assert 0 <= measured["output_low_volt"] - SPEC.swing_margin_volt <= step
    assert 0 <= top - SPEC.swing_margin_volt - measured["output_high_volt"] <= step
    assert measured["input_low_volt"] == pytest.approx(step)
    assert measured["input_high_volt"] == pytest.approx(top - step)


def test_macro_becomes_ideal_in_the_limit() -> None:
    """Gain 1e7, 10 GHz: the follower's output is its input to 1e-6."""
    spec = OpAmpSpec(gbw_hertz=10e9, dc_gain=1e7)
    process = GF180MCU()
    for fidelity in (Fidelity.MACRO, Fidelity.IDEAL):
        measured = NgspiceSession.start().analyse(
            f"{bench(fidelity, process, spec)._follower('1.9')}.save v(out)\n.op\n.end\n"
        )
        assert measured["out"][0] == pytest.approx(1.9, abs=2e-6)


@pytest.mark.parametrize("corner", GF180MCU.CORNERS)
def test_power_up_reaches_the_operating_point(corner: str) -> None:
    """Supply from 0 to 3.3 V in 1 us: the bias starts, and the follower is where .op says."""
    process = GF180MCU(corner)
    circuit = Circuit("power_up")
    process.apply(circuit)
    amplifier = op_amp(Fidelity.TRANSISTOR, SPEC, process)
    circuit.subcircuit(amplifier)
    circuit.V("dd", "vdd", circuit.gnd, "PWL(0 0 1u 3.3)")
    circuit.V("in", "plus", circuit.gnd, "PWL(0 0 1u 1.65)")
    circuit.X("device", amplifier.name, "plus", "out", "out", "vdd", circuit.gnd)
    circuit.R("load", "out", circuit.gnd, LOAD_OHM)
    vectors = NgspiceSession.start().analyse(f"{circuit}.save v(out)\n.tran 10n 10u uic\n.end\n")
    assert vectors["out"][-1] == pytest.approx(1.65, abs=0.5e-3)


def two_pole_op_amp() -> SubCircuit:
    """Gain 10,000 with poles at 1 kHz and 20 MHz; common mode 60 dB, supply 50 dB below it."""
    amplifier = SubCircuit("two_pole", "plus", "minus", "out", "vdd", "vss")
    amplifier.B("gain", "first", amplifier.gnd, voltage_expression=(
        "1e4*(V(plus)-V(minus))+10*((V(plus)+V(minus))/2-1.65)+31.6227766*(V(vdd)-3.3)"
    ))  # fmt: skip
    amplifier.R("first", "first", "second", 1e3)
    amplifier.C("first", "second", amplifier.gnd, 1 / (2 * np.pi * 1e3 * 1e3))
    amplifier.B("buffer", "third", amplifier.gnd, voltage_expression="V(second)")
    amplifier.R("second", "third", "fourth", 1e3)
    amplifier.C("second", "fourth", amplifier.gnd, 1 / (2 * np.pi * 1e3 * 20e6))
    amplifier.B("output", "out", amplifier.gnd, voltage_expression="V(fourth)+1.65")
    return amplifier


def test_bench_measures_what_an_op_amp_of_known_poles_has() -> None:
    """Phase margin 180 - atan(f/1 kHz) - atan(f/20 MHz) where the gain is 1; CMRR and PSRR as
    built.
    """
    values = OpAmpBench(
        two_pole_op_amp(), GF180MCU(), SPEC, NgspiceSession.start().analyse
    ).measure().values  # fmt: skip
    frequency = np.geomspace(1e6, 2e7, 20_001)
    gain = 1e4 / np.hypot(1, frequency / 1e3) / np.hypot(1, frequency / 20e6)
    crossing = frequency[np.argmin(np.abs(gain - 1))]
    margin = 180 - np.degrees(np.arctan(crossing / 1e3) + np.arctan(crossing / 20e6))
    assert values["cmrr_decibel"] == pytest.approx(60, abs=0.1)
    assert values["psrr_decibel"] == pytest.approx(50, abs=0.1)
    assert values["dc_gain_decibel"] == pytest.approx(80, abs=0.1)
    assert values["gbw_hertz"] == pytest.approx(crossing, rel=0.01)
    assert values["phase_margin_degree"] == pytest.approx(margin, abs=2)  # at the next of 40 points
