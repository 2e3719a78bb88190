"""What changes over a solve: converters, noise, the voltage reference."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySpice.Spice.Netlist import Circuit

from cosim.characterise.bench import Measured
from cosim.characterise.dac import FULL_SCALE_VOLT, DacBench
from cosim.characterise.noise import HOLD_SECOND, RMS_VOLT, NoiseBench
from cosim.characterise.voltage_reference import VoltageReferenceBench
from cosim.circuits.analog_switch import AnalogSwitchSpec, analog_switch, on_resistance
from cosim.circuits.dac import DacSpec, dac
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.integrator import RUN_EARLY_SECOND, Integrator, IntegratorSpec
from cosim.circuits.noise import EDGE_PART, add_held_noise
from cosim.circuits.opamp import OpAmpSpec, op_amp
from cosim.circuits.voltage_reference import VoltageReferenceSpec
from cosim.diffusion.accuracy import TRANSISTORS, Preset
from cosim.diffusion.circuit.schedule import Schedule, add_initial, add_rise
from cosim.diffusion.scaling import RISE_SECOND, RISING_PRECHARGE_SECOND, Scaling
from cosim.diffusion.score.held import HeldNoise
from cosim.engine.session import NgspiceSession
from cosim.netlist.netlist import Transient
from cosim.process.gf180mcu import GF180MCU
from cosim.process.process import Process, processes

EVERY = pytest.mark.parametrize("process", [known() for known in processes().values()])


@given(st.integers(2, 14), st.floats(-3, 3), st.floats(0.01, 2))
def test_codes_are_the_nearest_and_clamped(bits: int, volt: float, full_scale: float) -> None:
    spec = DacSpec(bits=bits)
    (code,) = spec.codes(np.array([volt]), full_scale)
    assert 0 <= code < 2**bits
    least = full_scale / 2 ** (bits - 1)
    inside = np.clip(volt, -full_scale, full_scale - least)
    assert abs(code * least - full_scale - inside) <= least / 2 * (1 + 1e-9)


def converter(fidelity: Fidelity, process: Process, spec: DacSpec) -> Measured:
    analyse = NgspiceSession.start().analyse
    return DacBench(dac(fidelity, spec, process), spec, process, 3.3, analyse).measure()


@EVERY
def test_ladder_is_linear(process: Process) -> None:
    """All codes of 8 bits, of switches and buffer too: v = full scale (2 code / 2^bits - 1)."""
    spec = DacSpec(bits=8)
    measured = converter(Fidelity.TRANSISTOR, process, spec)
    code, out = measured.curves["transfer"]
    np.testing.assert_array_equal(code, np.arange(256))
    ideal = FULL_SCALE_VOLT * (2 * code / 256 - 1)
    assert np.abs(out - ideal).max() < 0.3e-3
    assert measured.values["integral_lsb"] < 0.25
    assert measured.values["differential_lsb"] < 0.25
    assert measured.values["settling_second"] < 100e-9  # of a hold on the 20 us solve


def test_macro_settles_as_the_transistors_do() -> None:
    spec = DacSpec(bits=8)
    macro, transistor = (
        converter(fidelity, GF180MCU(), spec) for fidelity in (Fidelity.MACRO, Fidelity.TRANSISTOR)
    )
    assert macro.values["settling_second"] == pytest.approx(
        transistor.values["settling_second"], rel=0.5
    )
    assert macro.values["integral_lsb"] < 1e-6


def test_noise_is_white_gaussian_and_its_integral_brownian() -> None:
    """32 sources of 1000 draws: standard errors of 0.4 % (rms) and 0.014 (excess kurtosis)."""
    values = NoiseBench(NgspiceSession.start().analyse).measure().values
    assert values["rms_volt"] == pytest.approx(RMS_VOLT, rel=0.02)
    assert values["density_volt_per_root_hertz"] == pytest.approx(
        np.sqrt(2 * RMS_VOLT**2 * HOLD_SECOND), rel=0.05
    )
    assert values["wiener_slope"] == pytest.approx(1.0, abs=0.2)
    assert abs(values["excess_kurtosis"]) < 0.15
    assert abs(values["successive_correlation"]) < 0.02
    assert values["largest_correlation"] < 0.17  # 5 sigma of 1 / sqrt(1000)


@pytest.mark.parametrize("breakpoints", [True, False])
def test_held_noise_is_what_the_reference_solution_is_driven_by(breakpoints: bool) -> None:
    """At every point of a transient: 0 in the precharge, ramps, and the last draw to the end."""
    scaling, draws = Scaling(), np.random.default_rng(0).standard_normal(20)
    circuit = Circuit("held noise")
    add_held_noise(circuit, "noise", circuit.gnd, draws, scaling, breakpoints)
    netlist = f"{circuit}.tran 100n {scaling.stop_second} 0 100n\n.end\n"
    found = NgspiceSession.start().analyse(netlist)
    held = HeldNoise.of(draws, EDGE_PART)
    tau = (found["time"] - scaling.precharge_second) / scaling.solve_second
    expected = np.interp(tau, held.tau, held.rates) * scaling.volt_per_unit / np.sqrt(20)
    expected[tau < 0] = 0
    away = np.abs(tau) > EDGE_PART / 40  # the first ramp begins in the precharge
    np.testing.assert_allclose(found["noise"][away], expected[away], atol=1e-9)
    corners = np.abs(found["time"][:, None] - scaling.time_second(held.tau[1:-2])).min(axis=0)
    assert (corners.max() < 1e-15) == breakpoints


def rising(volt: float, corner: str = "typical") -> Circuit:
    """An integrator of transistors that rises to a voltage; its switches are yet to be driven."""
    process, amplifier, switch = GF180MCU(corner), OpAmpSpec(), AnalogSwitchSpec()
    spec = IntegratorSpec.of_op_amp(amplifier.gbw_hertz)
    block = Integrator(
        "integrator",
        spec,
        op_amp(Fidelity.TRANSISTOR, amplifier, process),
        analog_switch(Fidelity.TRANSISTOR, switch, process),
    )
    circuit = Circuit("rise")
    process.apply(circuit)
    circuit.subcircuit(block)
    for node, supply_volt in (("vdd", 3.3), ("analog_ground", 1.65)):
        circuit.V(node, node, circuit.gnd, supply_volt)
    on_ohm = on_resistance(Fidelity.TRANSISTOR, switch, process)
    add_rise(circuit, spec.precharge_second(on_ohm))
    add_initial(circuit, 0, -volt, rises=True)
    nodes = ("initial_0", "out", "run", "precharge", "analog_ground", "vdd")
    circuit.X("integrator", "integrator", "summing", *nodes, circuit.gnd)
    return circuit


@pytest.mark.parametrize("corner", ["typical", "ss"])
def test_integrators_are_there_when_initial_conditions_have_risen(corner: str) -> None:
    """Op-amp and switches of transistors, to 1.8 units; no breakpoints after that of the start."""
    circuit = rising(0.18, corner)
    for node, volt in (("precharge", 3.3), ("run", 0.0), ("summing", 1.65)):
        circuit.V(node, node, circuit.gnd, volt)
    netlist = f"{circuit}.save v(out)\n.tran 20n 8u 0 20n\n.end\n"
    found = NgspiceSession.start().analyse(netlist)
    out = found["out"] - 1.65
    settled = found["time"] > RISE_SECOND
    assert np.abs(out[settled] - out[-1]).max() < 2e-3 * 0.18
    assert out[-1] == pytest.approx(0.18, rel=1e-3)
    assert np.diff(found["time"])[10:-1].min() > 10e-9


@pytest.mark.parametrize("volt", [-0.15, -0.1, 0.05, 0.18])
def test_wide_steps_hand_over_as_short_ones_do(volt: float) -> None:
    """In 1 us after it, of transistors: within 20 uV (8 to 18; without the run switch's corners up
    to 43 uV).
    """
    scaling = Scaling(precharge_second=RISING_PRECHARGE_SECOND, solve_second=1e-6)
    circuit = rising(volt)
    circuit.R("input", "out", "summing", 500e3)
    schedule = Schedule(
        1, scaling, 1.0, 0.0, None, wide_steps=True, run_early_second=RUN_EARLY_SECOND
    )
    schedule.add_to(circuit, None)
    solves = []
    for preset in (Preset.STANDARD, Preset.REFERENCE):
        accuracy = TRANSISTORS[preset]
        transient = Transient(scaling.stop_second, accuracy.step_second)
        netlist = f"{circuit}{accuracy.tolerances.line}\n.save v(out)\n{transient.line}\n.end\n"
        found = NgspiceSession.start().analyse(netlist)
        solves.append((found["time"], found["out"]))
    (time, out), tight = solves
    solving = time >= scaling.precharge_second
    assert np.abs(out - np.interp(time, *tight))[solving].max() < 20e-6


def reference(process: Process, fidelity: Fidelity = Fidelity.TRANSISTOR) -> Measured:
    spec = VoltageReferenceSpec()
    analyse = NgspiceSession.start().analyse
    return VoltageReferenceBench(fidelity, spec, process, 3.3, analyse).measure()


@EVERY
def test_bandgap_is_where_its_equations_say(process: Process) -> None:
    """1.65 V within 1 %, and flat: 30 mV over 165 kelvin is 110 ppm for each."""
    volts = [
        reference(type(process)("typical", celsius)).values["out_volt"]
        for celsius in (-40.0, 27.0, 125.0)
    ]
    assert volts[1] == pytest.approx(1.65, rel=0.01)
    assert np.ptp(volts) < 0.03


@pytest.mark.parametrize("corner", GF180MCU.CORNERS)
def test_reference_starts_and_holds_at_every_corner(corner: str) -> None:
    """The supply rises in 10 us."""
    measured = reference(GF180MCU(corner))
    out = measured.curves["start_up"][1]
    assert out[-1] == pytest.approx(measured.values["out_volt"], rel=1e-3)
    assert measured.values["out_volt"] == pytest.approx(1.65, rel=0.02)
    assert measured.values["start_up_second"] < 50e-6
    assert measured.values["load_ohm"] < 1.0
    assert measured.values["psrr_decibel"] > 40


@EVERY
@pytest.mark.parametrize("corner", ["typical", "ff", "ss"])
@pytest.mark.parametrize("offset_volt", [-10e-3, 10e-3])
def test_reference_starts_with_a_slow_supply_and_an_offset(
    process: Process, corner: str, offset_volt: float
) -> None:
    """Cold, where diodes need most. The transistor that lifts it does nothing once it runs."""
    lifted, left = (
        _slow_start(type(process)(corner, -40.0), offset_volt, lift) for lift in (True, False)
    )
    # The loop multiplies an offset by 1 + R1/R3 and the amplifier's gain.
    assert lifted == pytest.approx(1.645 + 16.3 * offset_volt, rel=0.02)
    # In sky130 it starts at that corner without the lift too.
    stays = corner == "ff" and offset_volt < 0 and process.NAME != "sky130"
    assert left < 1.0 if stays else left == pytest.approx(lifted, rel=1e-3) or left < 0.1


def _slow_start(process: Process, offset_volt: float, lift: bool) -> float:
    """Output in the end, the supply rising in 10 ms."""
    netlist = VoltageReferenceBench(
        Fidelity.TRANSISTOR, VoltageReferenceSpec(), process, 3.3, dict
    ).netlist
    for pattern, instead in (
        (r"PWL\(.*\)", "PWL(0 0 10m 3.3)"),
        (r"^\.tran .*$", ".tran 10u 12m 0 100u uic"),
        ("Xcore single many", f"Voffset shifted single {offset_volt}\nXcore shifted many"),
        ("^Xlift .*\n", r"\g<0>" if lift else ""),
    ):
        netlist, changes = re.subn(pattern, instead, netlist, flags=re.MULTILINE)
        assert changes == 1
    return float(NgspiceSession.start().analyse(netlist)["out"][-1])


def test_macro_reference_has_the_output_impedance_of_the_transistors() -> None:
    """From 10 Hz to 100 MHz, over which it rises 300-fold."""
    frequency, macro = reference(GF180MCU(), Fidelity.MACRO).curves["impedance"]
    transistor = reference(GF180MCU()).curves["impedance"][1]
    assert np.abs(np.log(macro / transistor)).max() < np.log(1.4)
    assert transistor[frequency > 5e6].max() > 200 * transistor[0]


def test_references_of_coarser_fidelity_are_exact() -> None:
    for fidelity in (Fidelity.IDEAL, Fidelity.MACRO):
        assert reference(GF180MCU(), fidelity).values["out_volt"] == pytest.approx(1.65, abs=1e-9)
