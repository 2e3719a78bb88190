"""`cosim trace measure` and `info --json`: the same numbers as in Python."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cosim.cli import app
from cosim.errors import ConfigurationError, MeasurementError
from cosim.trace import Signal, Trace, TraceWriter
from cosim.trace.measure_named import NAMES, measure_named
from tests.trace.recordings import PROVENANCE

SIGNALS = (Signal("in", "V", ""), Signal("out", "V", ""), Signal("i(vdd)", "A", ""))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an RC low-pass of 1 us that is charged to 1 V from 1 us on, with 1 mA from a supply."""
    path = tmp_path_factory.mktemp("measure") / "run.h5"
    time_second = np.linspace(0, 20e-6, 20_001)
    late = np.maximum(time_second - 1e-6, 0)
    values = [np.clip(late * 1e9, 0, 1), 1 - np.exp(-late / 1e-6), np.full(len(late), -1e-3)]
    with TraceWriter.create(path, signals=SIGNALS, coupling=(), provenance=PROVENANCE) as writer:
        writer.append(time_second, np.stack(values, axis=1))
        writer.event(1e-6, "note", "begins", None)
        writer.finish()
    return path


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_measurements_by_name_are_those_of_python(path: Path) -> None:
    asked = [
        "rise_time", "rise_time=0.2,0.8", "settling_time=0.01", "at=2u", "crossing=500m,rise,1",
        "crossing=0.5,either,-1", "delay=in", "energy=i(vdd)", "overshoot", "max",
    ]  # fmt: skip
    found = json.loads(run("trace", "measure", path, "out", *asked, "--json"))
    with Trace.open(path) as trace:
        out = trace["out"]
        expected = [
            out.rise_time(), out.rise_time(0.2, 0.8), out.settling_time(0.01), out.at("2u"),
            out.crossing(0.5), out.crossing(0.5), out.delay(trace["in"]),
            out.energy(trace["i(vdd)"]), out.overshoot(), out.max(),
        ]  # fmt: skip
    assert list(found) == asked
    for name, value in zip(asked, expected, strict=True):
        assert found[name] == {"value": float(value), "unit": value.units}, name


def test_the_usual_ones_as_a_table(path: Path) -> None:
    lines = run("trace", "measure", path, "in").splitlines()
    assert [line.split() for line in lines[:2]] == [["min", "0", "V"], ["max", "1", "V"]]
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ("ringing", ConfigurationError, "There are at, crossing"),
        ("at", ConfigurationError, "at takes time"),
        ("max=3", ConfigurationError, "max takes no argument"),
        ("crossing=0.5,up", ConfigurationError, "give rise, fall, either"),
        ("crossing=0.5,rise,two", ConfigurationError, "whole number"),
        ("rise_time=some", ConfigurationError, "no finite number"),
        ("crossing=7", MeasurementError, "0 times"),
    ],
)
def test_what_cannot_be_asked(path: Path, asked: str, error: type[Exception], says: str) -> None:
    with Trace.open(path) as trace, pytest.raises(error, match=says):
        measure_named(trace, "out", asked)


def test_every_measurement_has_a_name() -> None:
    assert {"energy", "mean", "overshoot", "thd"} <= set(NAMES)
    assert len(NAMES) == 17


def test_results_for_another_program(path: Path) -> None:
    compared = json.loads(run("compare", path, path, "--json"))
    assert compared["passes"] is True
    assert run("--version").startswith("cosim 0.")


def test_info_for_another_program(path: Path) -> None:
    facts = json.loads(run("trace", "info", path, "--json"))
    assert facts["status"] == "complete"
    assert (facts["points"], facts["last_second"]) == (20_001, 20e-6)
    assert facts["signals"][2] == {"name": "i(vdd)", "unit": "A", "description": ""}
    assert facts["events"][0]["message"] == "begins"
