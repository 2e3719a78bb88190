"""The RRAM model against its equations, integrated by scipy, and against the read-only cell."""

from pathlib import Path

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from cosim.circuits.rram import (
    DEFAULT_CARD,
    ReadNoise,
    ReadOnlyCell,
    Rram,
    fit_current_scale,
    load_card,
    nanometre,
)
from cosim.engine.session import NgspiceSession
from cosim.errors import ConfigurationError, NetlistError

CARD = load_card()
KELVIN = 273.15
# k/q, CODATA 2018.
VOLT_PER_KELVIN = 1.380649e-23 / 1.602176634e-19


def current(gap: float, volt: float) -> float:
    """The published equation, in SI units."""
    return (
        CARD.current_scale_ampere
        * np.exp(-gap / CARD.gap_scale_metre)
        * np.sinh(volt / CARD.voltage_scale_volt)
    )


def velocity(gap: float, volt: float, celsius: float) -> float:
    """The published equations, in SI units, away from the bounds."""
    kelvin = celsius + KELVIN
    kelvin += volt * current(gap, volt) * CARD.thermal_resistance_kelvin_per_watt
    thermal = VOLT_PER_KELVIN * kelvin
    gamma = (
        CARD.field_enhancement
        - CARD.field_enhancement_loss * (gap / CARD.field_gap_scale_metre) ** 3
    )
    lowering = gamma * CARD.hop_distance_metre / CARD.oxide_thickness_metre * volt
    return (
        -CARD.velocity_scale_metre_per_second
        * np.exp(-CARD.activation_energy_electronvolt / thermal)
        * np.sinh(lowering / thermal)
    )


def bench(gap: float, source: str, series_ohm: float = 1e-3) -> Circuit:
    """A device behind a resistor."""
    circuit = Circuit("device")
    device = Rram(CARD)
    circuit.subcircuit(device)
    circuit.V("drive", "drive", circuit.gnd, source)
    circuit.R("series", "drive", "top", series_ohm)
    circuit.X("device", device.name, "top", circuit.gnd, initial_gap=nanometre(gap))
    return circuit


@pytest.mark.parametrize("gap", [0.15e-9, 0.5e-9, 1.6e-9])
def test_current_is_that_of_the_equation_and_a_sweep_leaves_the_state(gap: float) -> None:
    netlist = f"{bench(gap, '0')}.dc vdrive -2 2 0.1\n.end\n"
    vectors = NgspiceSession.start().analyse(netlist)
    volt = vectors["top"]
    # abs: currents below 1e-11 A are at ngspice's abstol.
    np.testing.assert_allclose(-vectors["vdrive#branch"], current(gap, volt), rtol=1e-6, atol=1e-11)
    np.testing.assert_allclose(vectors["xdevice.gap"], gap * 1e9, rtol=1e-6)


@pytest.mark.parametrize(
    ("gap", "volt", "series", "celsius", "stop"),
    [
        (0.9e-9, 1.9, 8e3, 27.0, 2e-6),  # SET, abrupt, limited by the resistor
        (0.9e-9, 2.0, 8e3, 125.0, 1e-7),
        (0.3e-9, -1.5, 1e3, 27.0, 2e-6),  # RESET, gradual
        (0.3e-9, -1.5, 1e3, -40.0, 1e-2),
    ],
)
def test_gap_follows_the_equations(
    gap: float, volt: float, series: float, celsius: float, stop: float
) -> None:
    edge = 1e-3 * stop

    def device_volt(gap: float, time: float) -> float:
        drive = volt * min(time / edge, 1.0)
        if drive == 0:
            return 0.0
        # The device takes between nothing and the whole drive.
        return brentq(lambda v: v + series * current(gap, v) - drive, min(drive, 0), max(drive, 0))

    expected = solve_ivp(
        lambda time, y: [velocity(y[0] * 1e-9, device_volt(y[0] * 1e-9, time), celsius) * 1e9],
        (0.0, stop),
        [gap * 1e9],
        method="Radau",
        rtol=1e-8,
        atol=1e-8,
        max_step=stop / 100,
        dense_output=True,
    )
    circuit = bench(gap, f"PWL(0 0 {edge!r} {volt!r})", series)
    netlist = (
        f"{circuit}.temp {celsius}\n.options reltol=1e-6\n.tran {stop / 500!r} {stop!r}\n.end\n"
    )
    vectors = NgspiceSession.start().analyse(netlist)
    time = np.linspace(0.05, 1, 20) * stop
    reached = np.interp(time, vectors["time"], vectors["xdevice.gap"])
    assert abs(reached[-1] - gap * 1e9) > 0.2, "the state must move, or nothing is tested"
    # 0.002 nm is 0.7 % of the conductance: interpolation at the abrupt SET, 1 pm elsewhere.
    np.testing.assert_allclose(reached, expected.sol(time)[0], atol=2e-3)


@pytest.mark.parametrize(
    ("volt", "bound"), [(3.0, CARD.minimum_gap_metre), (-3.0, CARD.maximum_gap_metre)]
)
def test_gap_stops_at_its_bounds(volt: float, bound: float) -> None:
    circuit = bench(0.6e-9, f"PWL(0 0 1u {volt})", series_ohm=100.0)
    vectors = NgspiceSession.start().analyse(f"{circuit}.options reltol=1e-6\n.tran 1u 1m\n.end\n")
    gap = vectors["xdevice.gap"]
    assert gap[-1] == pytest.approx(bound * 1e9, abs=1e-3)
    assert gap.min() > CARD.minimum_gap_metre * 1e9 - 1e-3
    assert gap.max() < CARD.maximum_gap_metre * 1e9 + 1e-3


@pytest.mark.parametrize("siemens", [0.02e-3, 0.10e-3])
def test_read_only_cell_agrees_within_one_percent_up_to_145_millivolt(siemens: float) -> None:
    read_volt = 0.1
    circuit = bench(CARD.gap(siemens, read_volt), "0")
    cell = ReadOnlyCell("read_only")
    circuit.subcircuit(cell)
    circuit.V("copy", "copy", circuit.gnd, 0)
    circuit.X("read", cell.name, "top", "copy", **cell.programmed(siemens, read_volt))
    vectors = NgspiceSession.start().analyse(f"{circuit}.dc vdrive 1m 0.2 1m\n.end\n")
    both, read_only = -vectors["vdrive#branch"], vectors["vcopy#branch"]
    volt, error = vectors["top"], (both - read_only) / read_only - 1
    assert error[np.argmin(abs(volt - read_volt))] == pytest.approx(0, abs=1e-5)
    limit = CARD.agreement_volt(read_volt, 0.01)
    assert limit == pytest.approx(0.145, abs=5e-4)
    assert abs(error[volt <= limit]).max() <= 0.01
    assert abs(error[volt >= limit + 1e-3]).min() > 0.01


def test_reading_does_not_move_the_state() -> None:
    """At 0.15 V nothing can be simulated to move, so the closed form is checked where it can."""
    session = NgspiceSession.start()
    siemens, relative = 0.10e-3, 0.01
    for volt, celsius in ((0.7, 125.0), (1.0, 27.0)):
        second = CARD.read_time(siemens, volt, celsius, relative)
        gap = CARD.gap(siemens, volt)
        circuit = bench(gap, f"PWL(0 0 {1e-4 * second!r} {volt})")
        vectors = session.analyse(
            f"{circuit}.temp {celsius}\n.options reltol=1e-7\n"
            f".tran {second / 100!r} {second!r}\n.end\n"
        )
        moved = vectors["xdevice.gap"][-1] - gap * 1e9
        # The drift speeds up as the gap closes: 1 % is small enough for 5 %.
        assert -moved == pytest.approx(relative * CARD.gap_scale_metre * 1e9, rel=0.05)
    year = 365.25 * 86400.0
    assert CARD.read_time(siemens, 0.15, 27.0, relative) > 10 * year
    # Hot, a conductance holds for over a thousand seconds of reading: 50 million solves of 20 us.
    assert CARD.read_time(siemens, 0.15, 125.0, relative) > 1e3
    circuit = bench(CARD.gap(siemens, 0.1), "0.15")
    vectors = session.analyse(f"{circuit}.temp 125\n.options reltol=1e-6\n.tran 1m 1\n.end\n")
    assert np.ptp(vectors["xdevice.gap"]) < relative * CARD.gap_scale_metre * 1e9 / 1e3


def test_card_holds_the_fit_it_names() -> None:
    assert CARD.fitted == ("current_scale_ampere",)
    assert CARD.current_scale_ampere == pytest.approx(
        fit_current_scale(CARD, highest_siemens=0.125e-3, read_volt=0.1), rel=1e-4
    )
    for read_volt in (0.1, 0.2):
        for siemens in (0.02e-3, 0.10e-3):
            gap = CARD.gap(siemens, read_volt)
            assert current(gap, read_volt) / read_volt == pytest.approx(siemens, rel=1e-12)
    with pytest.raises(NetlistError, match="cannot have"):
        CARD.gap(0.2e-3, 0.1)
    with pytest.raises(NetlistError, match="cannot have"):
        CARD.gap(-1.0, 0.1)
    with pytest.raises(NetlistError, match="lower voltage"):
        CARD.agreement_volt(0.3, 0.01)


@pytest.mark.parametrize(
    ("line", "instead", "message"),
    [
        ("voltage_scale_volt = 0.43", "voltage_scale_volt = -0.43", "voltage_scale_volt"),
        ("minimum_gap_metre = 0.1e-9", "minimum_gap_metre = 2e-9", "minimum gap < maximum gap"),
        ("field_enhancement_loss = 1.25", "field_enhancement_loss = 4.0", "gamma negative"),
        ('gap_scale_metre = "g0', 'gap_scale = "g0', "gap_scale_metre"),
        ('fitted = ["current_scale_ampere"]', 'fitted = ["current"]', "unknown parameters"),
        ("gap_scale_metre = 0.27505e-9", "gap_scale_metre = 0.27505e-9 nm", "cannot be read"),
        ("hop_distance_metre = 0.25e-9", "", "hop_distance_metre"),
    ],
)
def test_a_wrong_card_is_refused_by_key(
    line: str, instead: str, message: str, tmp_path: Path
) -> None:
    text = DEFAULT_CARD.read_text()
    assert line in text
    path = tmp_path / "card.toml"
    path.write_text(text.replace(line, instead))
    with pytest.raises(ConfigurationError, match=message) as raised:
        load_card(path)
    assert str(path) in str(raised.value)


def test_a_missing_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_card(tmp_path / "none.toml")


def relative_noise(
    noise: ReadNoise, cells: int, step: float, points: int
) -> tuple[np.ndarray, np.ndarray]:
    """Time [points] and relative fluctuation [cells, points] of cells at different voltages."""
    circuit = Circuit("read noise")
    cell = ReadOnlyCell("read_only", noise, step)
    circuit.subcircuit(cell)
    siemens = np.linspace(0.02e-3, 0.10e-3, cells)
    volts = np.where(np.arange(cells) % 2, 0.15, -0.05)
    for index in range(cells):
        circuit.V(index, f"top_{index}", circuit.gnd, float(volts[index]))
        circuit.X(
            index, cell.name, f"top_{index}", circuit.gnd, **cell.programmed(siemens[index], 0.1)
        )
    vectors = NgspiceSession.start().analyse(
        f"{circuit}.tran {step!r} {(points + 1) * step!r} 0 {step!r}\n.end\n"
    )
    time = step * np.arange(1, points + 1)
    amperes = [np.interp(time, vectors["time"], -vectors[f"v{k}#branch"]) for k in range(cells)]
    return time, np.array(amperes) / (siemens * volts)[:, None] - 1


def test_flicker_noise_has_the_given_spectrum() -> None:
    noise = CARD.read_noise.model_copy(update={"telegraph_amplitude": 0.0})
    step, points = 1e-7, 1024
    _, fluctuation = relative_noise(noise, cells=24, step=step, points=points)
    power = 2 * step / points * abs(np.fft.rfft(fluctuation)) ** 2
    frequency = np.fft.rfftfreq(points, step)
    # The lowest bins lack what is slower than the record, the highest what lies between points.
    band = slice(8, points // 10)
    flicker = (power * frequency).mean(axis=0)[band].mean()
    # 24 cells and 94 bins: the mean's own scatter is 2 %; the record's ends bias it by some more.
    assert flicker == pytest.approx(noise.flicker_power, rel=0.15)


def test_telegraph_noise_has_the_given_step_and_times() -> None:
    noise = CARD.read_noise.model_copy(
        update={"flicker_power": 0.0, "capture_second": 3e-6, "emission_second": 6e-6}
    )
    step = 5e-8
    _, fluctuation = relative_noise(noise, cells=12, step=step, points=6000)
    filled = fluctuation > 0
    amplitude = noise.telegraph_amplitude
    levels = fluctuation[abs(abs(fluctuation + amplitude / 6) - amplitude / 2) < amplitude / 100]
    assert levels.size > 0.98 * fluctuation.size, "two levels: 1/3 above the mean, 2/3 below"
    captures = np.count_nonzero(~filled[:, :-1] & filled[:, 1:])
    empty_second, filled_second = (step * np.count_nonzero(state) for state in (~filled, filled))
    # About 400 dwells of each kind: 5 % scatter.
    assert empty_second / captures == pytest.approx(noise.capture_second, rel=0.25)
    assert filled_second / captures == pytest.approx(noise.emission_second, rel=0.25)
    assert fluctuation.mean() == pytest.approx(0, abs=0.1 * amplitude)


def test_an_operating_point_has_no_noise() -> None:
    circuit = Circuit("read")
    cell = ReadOnlyCell("read_only", CARD.read_noise)
    circuit.subcircuit(cell)
    circuit.V("top", "top", circuit.gnd, 0.1)
    circuit.X("cell", cell.name, "top", circuit.gnd, **cell.programmed(0.05e-3, 0.1))
    vectors = NgspiceSession.start().analyse(f"{circuit}.op\n.end\n")
    assert -vectors["vtop#branch"][0] == pytest.approx(5e-6, rel=1e-9)
