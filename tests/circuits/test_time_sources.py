"""What changes over a solve: converters, noise, the voltage reference."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.circuits.bench import Measured
from cosim.circuits.dac import DacSpec, dac
from cosim.circuits.dac_bench import FULL_SCALE_VOLT, DacBench
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.noise_bench import HOLD_SECOND, RMS_VOLT, NoiseBench
from cosim.circuits.process import Process, processes
from cosim.circuits.processes.gf180mcu import GF180MCU
from cosim.circuits.voltage_reference import VoltageReferenceSpec
from cosim.circuits.voltage_reference_bench import VoltageReferenceBench
from cosim.engine.session import NgspiceSession

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


def test_start_transistor_lifts_the_loop_from_its_other_solution() -> None:
    """A slow supply and an unlucky offset, cold: without the transistor the loop stays at 0 V."""
    netlist = VoltageReferenceBench(
        Fidelity.TRANSISTOR, VoltageReferenceSpec(), GF180MCU("typical", -40.0), 3.3, dict
    ).netlist
    for pattern, instead in (
        (r"PWL\(.*\)", "PWL(0 0 10m 3.3)"),
        (r"^\.tran .*$", ".tran 100u 12m 0 500u uic"),
        ("Xcore single many", "Voffset shifted single -10m\nXcore shifted many"),
    ):
        netlist, changes = re.subn(pattern, instead, netlist, flags=re.MULTILINE)
        assert changes == 1
    transistor = next(line for line in netlist.splitlines() if line.startswith("Xstart "))
    session = NgspiceSession.start()
    assert session.analyse(netlist)["out"][-1] > 1.4
    assert session.analyse(netlist.replace(transistor, ""))["out"][-1] < 0.1


def test_macro_reference_has_the_output_impedance_of_the_transistors() -> None:
    """From 10 Hz to 100 MHz, over which it rises 300-fold."""
    frequency, macro = reference(GF180MCU(), Fidelity.MACRO).curves["impedance"]
    transistor = reference(GF180MCU()).curves["impedance"][1]
    assert np.abs(np.log(macro / transistor)).max() < np.log(1.4)
    assert transistor[frequency > 5e6].max() > 200 * transistor[0]


def test_references_of_coarser_fidelity_are_exact() -> None:
    for fidelity in (Fidelity.IDEAL, Fidelity.MACRO):
        assert reference(GF180MCU(), fidelity).values["out_volt"] == pytest.approx(1.65, abs=1e-9)
