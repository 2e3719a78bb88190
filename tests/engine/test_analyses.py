"""Every analysis against its closed form, and what cannot be asked for."""

import numpy as np
import pytest

from cosim.engine.analyses import (
    DirectSweep,
    Noise,
    OperatingPoint,
    PoleZero,
    Sensitivity,
    SimulatorOptions,
    SmallSignal,
)
from cosim.engine.library import find_library, probe
from cosim.engine.session import NgspiceSession
from cosim.errors import ConfigurationError, NetlistError

OHM, FARAD = 1e3, 1e-9
LOW_PASS = f".title low pass\nV1 a 0 dc 1 ac 1\nR1 a b {OHM}\nC1 b 0 {FARAD}\nR2 b 0 {3 * OHM}\n"
PARALLEL_OHM = 0.75 * OHM
BOLTZMANN = 1.380649e-23


@pytest.fixture(scope="module")
def session() -> NgspiceSession:
    return NgspiceSession.start()


def test_operating_point(session: NgspiceSession) -> None:
    found = session.operating_point(LOW_PASS)
    assert found["b"][0] == pytest.approx(0.75, rel=1e-9)
    assert found["v1#branch"][0] == pytest.approx(-0.25e-3, rel=1e-9)


def test_direct_sweep(session: NgspiceSession) -> None:
    found = session.solve(LOW_PASS, DirectSweep("V1", -1.0, 1.0, 0.25))
    np.testing.assert_allclose(found["b"], 0.75 * np.arange(-1, 1.01, 0.25), atol=1e-12)


def test_small_signal(session: NgspiceSession) -> None:
    found = session.solve(LOW_PASS, SmallSignal(5, 1e3, 1e7))
    expected = 0.75 / (1 + 2j * np.pi * np.real(found["frequency"]) * PARALLEL_OHM * FARAD)
    np.testing.assert_allclose(found["b"], expected, rtol=1e-9)


def test_noise(session: NgspiceSession) -> None:
    """Low frequency: 4 k T R of both resistors in parallel; in all: kT/C."""
    options = SimulatorOptions(temperature_celsius=27.0)
    found = session.solve(LOW_PASS, Noise(20, 1.0, 1e10, "b", "V1"), options)
    kelvin = 300.15
    density = np.sqrt(4 * BOLTZMANN * kelvin * PARALLEL_OHM)
    assert found["onoise_spectrum"][0] == pytest.approx(density, rel=1e-4)
    total = np.sqrt(BOLTZMANN * kelvin / FARAD)
    assert found["onoise_total"][0] == pytest.approx(total, rel=5e-3)


def test_pole_zero(session: NgspiceSession) -> None:
    found = session.solve(LOW_PASS, PoleZero(("a", "0"), ("b", "0")))
    assert found["pole(1)"][0] == pytest.approx(-1 / (PARALLEL_OHM * FARAD), rel=1e-6)


def test_sensitivity(session: NgspiceSession) -> None:
    """d/dR1 of R2 / (R1 + R2) = -R2 / (R1 + R2)^2."""
    found = session.solve(LOW_PASS, Sensitivity("b"))
    assert found["r1"][0] == pytest.approx(-3 / (16 * OHM), rel=1e-6)
    assert found["v1"][0] == pytest.approx(0.75, rel=1e-6)


def test_temperature_and_tolerances(session: NgspiceSession) -> None:
    """A resistor with a temperature coefficient, 100 K above its nominal 27 C."""
    circuit = ".title hot\nI1 0 a 1m\nR1 a 0 1k tc1=1e-3\n"
    for celsius, ohm in ((27.0, 1000.0), (127.0, 1100.0)):
        options = SimulatorOptions(
            temperature_celsius=celsius, reltol=1e-6, method="gear", maxord=3
        )
        found = session.solve(circuit, OperatingPoint(), options)
        assert found["a"][0] == pytest.approx(1e-3 * ohm, rel=1e-9)


def test_klu_solves_the_same_or_is_refused(session: NgspiceSession) -> None:
    options = SimulatorOptions(klu=True)
    if probe(find_library()).klu:
        assert session.solve(LOW_PASS, OperatingPoint(), options)["b"][0] == pytest.approx(0.75)
    else:
        with pytest.raises(ConfigurationError, match="without it"):
            session.solve(LOW_PASS, OperatingPoint(), options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DirectSweep("V1", 0.0, 1.0, -0.1),
        lambda: DirectSweep("V1", 0.0, float("nan"), 0.1),
        lambda: SmallSignal(0, 1.0, 10.0),
        lambda: SmallSignal(10, 10.0, 1.0),
        lambda: SimulatorOptions(reltol=-1.0),
        lambda: SimulatorOptions(maxord=9),
        lambda: Sensitivity("b)\n.control\nshell touch x\n.endc").line,
        lambda: Noise(1, 1.0, 10.0, "b", "V1 dec").line,
        lambda: PoleZero(("a", "0"), ("b;", "0")).line,
    ],
)
def test_impossible_analysis_is_refused(make: object) -> None:
    with pytest.raises(NetlistError, match="cannot be run"):
        make()  # type: ignore[operator]


def test_external_source_that_nothing_drives_is_an_error(session: NgspiceSession) -> None:
    with pytest.raises(NetlistError, match=r"Nothing drives the external sources \['vu'\]"):
        session.solve("* case\nVu a 0 external\nR1 a 0 1k", OperatingPoint())
