"""Comparison with a golden trace: every change over tolerance is caught, none under it is."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.errors import ConfigurationError
from cosim.trace import Signal, Trace, TraceWriter
from cosim.trace.compare import (
    Tolerance,
    Tolerances,
    Verdict,
    compare,
    compare_curves,
)
from cosim.trace.curves import Points
from cosim.trace.tolerances import load_tolerances
from tests.trace.recordings import PROVENANCE

TOLERANCE = Tolerance(absolute=1e-4, relative=1e-3, time_second=20e-9)
NO_DELAY = TOLERANCE.model_copy(update={"time_second": 0.0})
CHANGES = 200
STOP = 20e-6


def waveform(time: np.ndarray) -> np.ndarray:
    """An integrator's ramp and settling, an edge of 100 ns, and a ripple: 1 V or so."""
    ramp = 0.3 * np.clip(time / 5e-6, 0, 1)
    settling = 0.4 * (1 - np.exp(-np.maximum(time - 6e-6, 0) / 2e-6))
    edge = 0.5 * np.clip((time - 12e-6) / 100e-9, 0, 1)
    return ramp + settling + edge + 0.01 * np.sin(2 * np.pi * 0.5e6 * time)


def grid(generator: np.random.Generator, points: int = 2000) -> np.ndarray:
    """As ngspice chooses it: unequal steps that resolve the waveform, and the corners met."""
    inner = STOP * (np.arange(points) + generator.uniform(-0.4, 0.4, points)) / points
    inner = inner[(inner > 0) & (inner < STOP)]
    return np.union1d(inner, [0, 5e-6, 6e-6, 12e-6, 12.1e-6, STOP])


def judged(run: tuple[np.ndarray, np.ndarray], time: np.ndarray, tolerance: Tolerance) -> Verdict:
    golden = Points(time, waveform(time))
    return compare_curves("x", "V", Points(*run), golden, tolerance).verdict


def passes(run: tuple[np.ndarray, np.ndarray], time: np.ndarray, tolerance: Tolerance) -> bool:
    return judged(run, time, tolerance) is Verdict.PASSED


def changed(
    kind: str, over: float, time: np.ndarray, generator: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray], Tolerance]:
    """A run that differs by `over` times the tolerance, and the tolerance."""
    golden = waveform(time)
    band = TOLERANCE.absolute + TOLERANCE.relative * np.ptp(golden)
    sign = generator.choice([-1, 1])
    match kind:
        case "gain":
            return (time, golden * (1 + sign * over * band / np.abs(golden).max())), NO_DELAY
        case "offset":
            return (time, golden + sign * over * band), NO_DELAY
        case "drift":
            return (time, golden + sign * over * band * time / STOP), NO_DELAY
        case "glitch":
            spike = np.zeros(len(time))
            spike[generator.integers(len(time))] = sign * over * band
            return (time, golden + spike), NO_DELAY
        case "delay":
            # Beyond the time tolerance the edge's slope turns time into volts.
            slope, beyond = 0.5 / 100e-9, max(over - 1, 0) * TOLERANCE.time_second
            shift = min(over, 1) * TOLERANCE.time_second + (beyond > 0) * (2 * band / slope)
            late = sign * (shift + beyond)
            corners = np.array([5e-6, 6e-6, 12e-6, 12.1e-6]) + late  # as a simulator meets them
            time = np.union1d(time, corners)
            return (time, waveform(time - late)), TOLERANCE
        case _:
            end = STOP - over * TOLERANCE.time_second
            kept = np.append(time[time < end], end)
            return (kept, waveform(kept)), TOLERANCE


KINDS = ("gain", "offset", "drift", "glitch", "delay", "truncation")


@pytest.mark.parametrize(("over", "expected"), [(1.05, False), (0.95, True)])
def test_mutations(over: float, expected: bool) -> None:
    """Asked for: of 200 just over tolerance 200 are caught, of 200 just under none."""
    generator = np.random.default_rng(0)
    for number in range(CHANGES):
        kind, time = KINDS[number % len(KINDS)], grid(generator)
        run, tolerance = changed(kind, over, time, generator)
        assert passes(run, time, tolerance) is expected, (number, kind)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(200, 5000), st.integers(200, 5000))
def test_another_time_grid_is_no_difference(seed: int, run_points: int, golden_points: int) -> None:
    """Steps from 4 ns to 100 ns, of a ripple of 2 us, cost 0.3 mV between points at most (h^2/8).

    With no tolerance to speak of it cannot be told; a difference it is never.
    """
    generator = np.random.default_rng(seed)
    mine, theirs = grid(generator, run_points), grid(generator, golden_points)
    longest = max(np.diff(mine).max(), np.diff(theirs).max())
    bend = 0.01 * (2 * np.pi * 0.5e6) ** 2 + 0.4 / 2e-6**2
    within = Tolerance(absolute=bend * longest**2 / 8, relative=0.0)
    if longest < 4 * min(np.diff(mine).max(), np.diff(theirs).max()):
        assert passes((mine, waveform(mine)), theirs, within)
    strict = Tolerance(absolute=1e-5, relative=0.0)
    assert judged((mine, waveform(mine)), theirs, strict) is not Verdict.DIFFERS


def test_a_change_is_caught_on_another_grid_too() -> None:
    generator = np.random.default_rng(1)
    mine, theirs = grid(generator), grid(generator)
    assert not passes((mine, waveform(mine) + 2e-3), theirs, TOLERANCE)
    late = waveform(np.where(mine > 11e-6, mine - 40e-9, mine))
    golden = Points(theirs, waveform(theirs))
    found = compare_curves("x", "V", Points(mine, late), golden, TOLERANCE)
    assert found.first is not None and found.worst is not None
    assert 12e-6 < found.first.time_second <= found.worst.time_second < 12.2e-6
    assert found.verdict is Verdict.DIFFERS
    assert found.worst.excess == pytest.approx(0.5 * 20e-9 / 100e-9, rel=0.1)
    assert found.largest == pytest.approx(0.5 * 40e-9 / 100e-9, rel=0.1)
    fine = np.linspace(11e-6, STOP, 100_000)
    area = np.trapezoid(np.abs(waveform(fine) - waveform(fine - 40e-9)), fine)
    assert found.area == pytest.approx(area, rel=0.02)


def recorded(
    path: Path, values: dict[str, np.ndarray], time: np.ndarray | None = None, **options: object
) -> Trace:
    time = np.linspace(0, STOP, 500) if time is None else time
    signals = [Signal(name, "V") for name in values]
    with TraceWriter.create(path, signals=signals, provenance=PROVENANCE) as writer:
        writer.append(time, np.stack(list(values.values()), axis=1))
        writer.finish()
    return Trace.open(path)


TIME = np.linspace(0, STOP, 500)


def test_missing_extra_and_renamed_signals_are_told_apart(tmp_path: Path) -> None:
    wave = waveform(TIME)
    golden = recorded(tmp_path / "golden.h5", {"a.out": wave, "b.out": wave, "c.out": wave})
    run = recorded(tmp_path / "run.h5", {"a.out": wave, "new.out": wave, "d.out": wave})
    found = compare(run, golden, Tolerances(rename={"new.out": "b.out"}))
    assert [signal.name for signal in found.signals] == ["a.out", "b.out"]
    assert (found.missing, found.extra, found.passes) == (["c.out"], ["d.out"], False)
    assert compare(run, golden, Tolerances(rename={"new.out": "b.out"}, ignore=("c.*",))).passes


def test_tolerance_of_a_pattern(tmp_path: Path) -> None:
    wave = waveform(TIME)
    golden = recorded(tmp_path / "golden.h5", {"a.out": wave, "b.out": wave})
    run = recorded(tmp_path / "run.h5", {"a.out": wave + 0.01, "b.out": wave + 0.01})
    path = tmp_path / "tolerances.toml"
    path.write_text('relative = 1e-3\n[signals."a.*"]\nabsolute = 0.02\n')
    found = compare(run, golden, load_tolerances(path))
    assert [signal.passes for signal in found.signals] == [True, False]


def test_report_as_json_and_junit(tmp_path: Path) -> None:
    wave = waveform(TIME)
    golden = recorded(tmp_path / "golden.h5", {"a.out": wave, "b.out": wave, "c.out": wave})
    run = recorded(tmp_path / "run.h5", {"a.out": wave, "b.out": wave + 0.1})
    found = compare(run, golden, Tolerances())
    content = json.loads(found.to_json())
    assert not content["passes"]
    assert content["signals"][1]["worst"]["value"] == pytest.approx(
        content["signals"][1]["worst"]["limit"]
        + 0.1
        - 1e-3 * np.ptp(wave)
        - 1e-6 * np.ptp(wave)
        - 1e-9
    )
    suite = ElementTree.fromstring(found.to_junit())
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert [case.get("name") for case in suite if len(case)] == ["b.out", "c.out"]


def test_traces_that_do_not_overlap(tmp_path: Path) -> None:
    golden = recorded(tmp_path / "golden.h5", {"a.out": waveform(TIME)})
    run = recorded(tmp_path / "run.h5", {"a.out": waveform(TIME)}, TIME + 1.0)
    (signal,) = compare(run, golden, Tolerances()).signals
    assert "begins at" in signal.note and not signal.passes


@pytest.mark.parametrize(("late", "passes"), [(0, True), (1, True), (2, False)])
def test_recording_from_a_time_on(late: int, passes: bool, tmp_path: Path) -> None:
    """It begins at the first point after that time, which another step puts a step later."""
    time = TIME + 1.0
    golden = recorded(tmp_path / "golden.h5", {"a.out": waveform(TIME)}, time)
    run = recorded(tmp_path / "run.h5", {"a.out": waveform(TIME[late:])}, time[late:])
    found = compare(run, golden, Tolerances())
    assert found.passes == passes
    assert passes or "begins at" in found.signals[0].note


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("absolute = -1", "absolute"),
        ("relativ = 1e-3", "relativ"),
        ('[signals]\n"a" = 3', "signals.a"),
        ("absolute = nan", "absolute"),
        ("absolute = ", "not valid TOML"),
    ],
)
def test_wrong_tolerances_are_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "tolerances.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        load_tolerances(path)
