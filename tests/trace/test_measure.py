"""Measurements against closed forms and against ngspice's own `.meas`."""

import math
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cosim.engine.library import find_library
from cosim.errors import ConfigurationError, MeasurementError
from cosim.trace.measure import Part
from tests.plain_ngspice import run_batch

TAU = 1e-6
LINE = 1e-6
"""Relative; a chord of these grids leaves its curve by less."""


def part(values: Callable[[np.ndarray], np.ndarray], stop_second: float, unit: str = "V") -> Part:
    """A function of time on a grid as uneven as ngspice's."""
    steps = np.random.default_rng(5).uniform(0.2, 1.0, 40_000).cumsum()
    time_second = np.concatenate([[0.0], steps / steps[-1] * stop_second])
    return Part("out", unit, time_second, values(time_second))


@pytest.fixture(scope="module")
def charging() -> Part:
    """Of an RC low-pass to 1 V."""
    return part(lambda t: 1 - np.exp(-t / TAU), 40 * TAU)


@pytest.fixture(scope="module")
def distorted() -> Part:
    """A sine of 2 V at 1 MHz on 0.5 V, with 3 % second and 4 % third harmonic; 7.3 periods."""
    angle = 2 * math.pi * 1e6
    return part(
        lambda t: (
            0.5
            + 2 * np.sin(angle * t)
            + 0.06 * np.cos(2 * angle * t)
            + 0.08 * np.sin(3 * angle * t)
        ),
        7.3e-6,
    )


def test_a_step_response(charging: Part) -> None:
    assert charging.rise_time() == pytest.approx(TAU * math.log(9), rel=LINE)
    assert charging.rise_time(0.2, 0.8) == pytest.approx(TAU * math.log(4), rel=LINE)
    assert charging.settling_time(0.01) == pytest.approx(TAU * math.log(100), rel=LINE)
    assert charging.slew() == pytest.approx(0.8 / (TAU * math.log(9)), rel=LINE)
    assert charging.crossing("500m") == pytest.approx(TAU * math.log(2), rel=LINE)
    assert charging.at("1u") == pytest.approx(1 - math.exp(-1), rel=LINE)
    assert charging.overshoot() == 0
    assert charging.between(TAU, 2 * TAU).min() == pytest.approx(1 - math.exp(-1), rel=LINE)
    falling = Part("out", "V", charging.time_second, 3 - 2 * charging.values)
    assert falling.fall_time() == pytest.approx(TAU * math.log(9), rel=LINE)
    assert falling.slew() == pytest.approx(-1.6 / (TAU * math.log(9)), rel=LINE)
    assert falling.settling_time(0.01) == pytest.approx(TAU * math.log(100), rel=LINE)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_overshoot(sign: int) -> None:
    """Of a second-order step response: exp(-pi zeta / sqrt(1 - zeta^2))."""
    zeta = 0.3
    ring = math.sqrt(1 - zeta**2)
    response = part(
        lambda t: (
            sign * (1 - np.exp(-zeta * t) * (np.cos(ring * t) + zeta / ring * np.sin(ring * t)))
        ),
        100.0,
    )
    assert response.overshoot() == pytest.approx(math.exp(-math.pi * zeta / ring), rel=1e-5)
    assert response.overshoot(final=2 * sign) == 0


def test_a_period(distorted: Part) -> None:
    assert distorted.frequency(0.5) == pytest.approx(1e6, rel=LINE)
    assert distorted.thd() == pytest.approx(0.05, rel=1e-6)
    assert distorted.thd("1meg", harmonics=3) == pytest.approx(0.05, rel=1e-9)
    whole = distorted.between(0, "7u")
    assert whole.mean() == pytest.approx(0.5, rel=LINE)
    assert whole.integral() == pytest.approx(0.5 * 7e-6, rel=LINE)
    assert whole.rms() == pytest.approx(math.sqrt(0.25 + (4 + 0.06**2 + 0.08**2) / 2), rel=LINE)
    assert len(distorted.crossings(0.5, "rise")) == pytest.approx(7, abs=1)


def test_energy(charging: Part) -> None:
    """A source that charges C through R gives C V^2; half of it is left in C."""
    farad = 1e-9
    current = Part("i", "A", charging.time_second, farad / TAU * (1 - charging.values))
    source = Part("v", "V", charging.time_second, np.ones_like(charging.values))
    assert source.energy(current) == pytest.approx(farad, rel=LINE)
    assert charging.energy(current) == pytest.approx(farad / 2, rel=LINE)
    assert charging.energy(current).units == "J"


def test_results_know_their_units(charging: Part) -> None:
    assert (str(charging.rise_time()), str(charging.max())) == ("2.1972 us", "1 V")
    assert charging.slew().units == "V/s"
    assert charging.integral().units == "V·s"
    assert isinstance(charging.mean(), float)


def test_a_level_that_is_touched_is_not_crossed() -> None:
    touching = Part("out", "V", np.arange(7.0), np.array([0.0, 1, 0, 1, 1, 2, 1]))
    assert touching.crossings(1).tolist() == [4.0]
    assert touching.crossings(0.5).tolist() == [0.5, 1.5, 2.5]
    assert touching.crossing(0.5, "fall") == 1.5
    assert touching.crossing(0.5, number=-1) == 2.5


FLAT = Part("out", "V", np.arange(3.0), np.ones(3))
RAMP = Part("out", "V", np.arange(101.0), np.arange(101.0))


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        (lambda: FLAT.rise_time(), "does not rise"),
        (lambda: FLAT.settling_time(), "makes no step"),
        (lambda: FLAT.overshoot(), "makes no step"),
        (lambda: FLAT.frequency(), "a period needs two"),
        (lambda: FLAT.thd(1.0), "too few"),
        (lambda: FLAT.thd(0.1), "less than one period"),
        (lambda: FLAT.crossing(2.0), "0 times"),
        (lambda: RAMP.crossing(50.0, number=2), "1 times"),
        (lambda: RAMP.fall_time(), "does not fall"),
        (lambda: RAMP.rise_time(levels=(0, 200)), "no whole rise"),
        (lambda: RAMP.settling_time(0.01), "has not settled"),
        (lambda: RAMP.settling_time(0.01, final=300), "has not settled"),
        (lambda: RAMP.at(101), "has no value at"),
        (lambda: RAMP.between(5, 5), "nothing of 'out'"),
        (lambda: RAMP.delay(FLAT, of_level=3), "does not cross"),
        (lambda: RAMP.delay(RAMP, level=10, of_level=20), "does not cross"),
        (lambda: RAMP.energy(RAMP), "not a voltage and a current"),
        (lambda: RAMP.energy(FLAT), "no time grid in common"),
        (lambda: Part("e", "V", np.arange(2.0), np.array([0, np.nan])).max(), "at 1 s it is nan"),
        (lambda: Part("e", "V", np.empty(0), np.empty(0)).max(), "no points"),
        (lambda: Part("e", "V", np.zeros(1), np.zeros(1)).mean(), "no duration"),
    ],
)
def test_what_does_not_happen_is_an_error(measure: Callable[[], float], says: str) -> None:
    with pytest.raises(MeasurementError, match=says):
        measure()


def test_an_argument_that_is_no_number() -> None:
    with pytest.raises(ConfigurationError, match="'soon', which is no finite number"):
        RAMP.at("soon")


MEASURED = """ringing
V1 in 0 PULSE(0 1 100n 10n 10n 3u 10u)
R1 in a 30
L1 a out 10u
C1 out 0 1n
.tran 2n 6u 0 2n
.meas tran m_max MAX v(out)
.meas tran m_min MIN v(out)
.meas tran m_pp PP v(out)
.meas tran m_avg AVG v(out) from=0.5u to=2.5u
.meas tran m_rms RMS v(out) from=0.5u to=2.5u
.meas tran m_integ INTEG v(out) from=0.5u to=2.5u
.meas tran m_at FIND v(out) AT=1.2345u
.meas tran m_when WHEN v(out)=0.5 CROSS=2
.meas tran m_fall WHEN v(out)=1.1 FALL=2
.meas tran m_last WHEN v(out)=0.1 CROSS=LAST
.meas tran m_rise TRIG v(out) VAL=0.1 RISE=1 TARG v(out) VAL=0.9 RISE=1
.meas tran m_delay TRIG v(in) VAL=0.5 RISE=1 TARG v(out) VAL=0.5 RISE=1
.end
"""


def test_ngspice_measures_the_same(tmp_path: Path) -> None:
    netlist = tmp_path / "ringing.cir"
    netlist.write_text(MEASURED)
    vectors = run_batch(netlist)
    said = subprocess.run(
        [str(find_library().executable_path), "-b", str(netlist)],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    meas = {
        name: float(value)
        for name, value in re.findall(r"^(m_\w+)\s*=\s*(\S+)", said, re.MULTILINE)
    }
    out = Part("out", "V", vectors["time"], vectors["v(out)"])
    drive = Part("in", "V", vectors["time"], vectors["v(in)"])
    middle = out.between("0.5u", "2.5u")
    ours = {
        "m_max": out.max(),
        "m_min": out.min(),
        "m_pp": out.peak_to_peak(),
        "m_avg": middle.mean(),
        "m_rms": middle.rms(),
        "m_integ": middle.integral(),
        "m_at": out.at("1.2345u"),
        "m_when": out.crossing(0.5, number=2),
        "m_fall": out.crossing(1.1, "fall", 2),
        "m_last": out.crossing(0.1, number=-1),
        "m_rise": out.rise_time(levels=(0, 1)),
        "m_delay": out.delay(drive, 0.5, 0.5, "rise", "rise"),
    }
    assert meas.keys() == ours.keys()
    for name, value in ours.items():
        # ngspice prints 7 digits, and squares by the trapezoidal rule; its RMS and AVG begin at
        # the first point after `from`, up to 2 ns of 2 us.
        tolerance = 2e-3 if name in ("m_avg", "m_rms", "m_integ") else 2e-6
        assert value == pytest.approx(meas[name], rel=tolerance), name
