"""Limits of a run, and the table of its members: what is beyond a limit never ends as success."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cosim.cli import app
from cosim.diffusion.config import parse
from cosim.diffusion.run import Run
from cosim.diffusion.score.paths import paths
from cosim.engine.worker import Points
from cosim.errors import ConfigurationError, LimitError
from cosim.netlist.netlist import Signal
from cosim.simulation.limits import LimitMonitor, Limits
from cosim.trace import Trace


def run_of(**sections: object) -> Run:
    values = {"name": "test", "task": "circle", "fidelity": {"opamp": "ideal"}}
    return Run(parse(values | sections, "the test"))


def points(volts: list[float], errors: list[float]) -> Points:
    count, nothing = len(volts), np.empty((len(volts), 0))
    current = np.full(count, 1e9)  # no node voltage
    values = np.stack([volts, current], axis=1)
    return Points(0, np.arange(count) * 1e-6, values, nothing, nothing, np.array(errors)[:, None])


SIGNALS = (Signal("amplifier.out", "out", "V", ""), Signal("vdd.i", "vdd#branch", "A", ""))


@pytest.mark.parametrize(
    ("volts", "errors", "found"),
    [
        ([0.0, 3.3, 1.0], [0.0, 0.05, -0.099], []),
        ([0.0, 3.3, 1.0], [0.0, -0.2, 0.15], [("score: the coupling error is 0.2 V", 1e-6)]),
        ([0.0, 3.7, 1.0], [0.0, 0.0, 0.0], [("amplifier.out: the node is at 3.7 V", 1e-6)]),
        ([0.0, 1.0, -0.4], [0.0, 0.0, 0.0], [("amplifier.out: the node is at -0.4 V", 2e-6)]),
        ([0.0, 1.0, 1.0], [0.0, np.nan, 0.0], [("score: the coupling error is nan V", 1e-6)]),
    ],
)
def test_the_worst_value_is_named_with_its_place_and_time(
    volts: list[float], errors: list[float], found: list[tuple[str, float]]
) -> None:
    monitor = LimitMonitor(Limits(0.1, -0.3, 3.6), SIGNALS, ["score"])
    whole = points(volts, errors)
    for part in (slice(2), slice(2, None)):  # points come in blocks
        monitor.see(
            replace(
                whole,
                time_second=whole.time_second[part],
                values=whole.values[part],
                errors=whole.errors[part],
            )
        )
    said = monitor.findings()
    assert len(said) == len(found)
    for finding, (message, time_second) in zip(said, found, strict=True):
        assert finding.message.startswith(message) and finding.time_second == time_second


def test_a_node_that_is_not_a_number_is_beyond_every_limit() -> None:
    monitor = LimitMonitor(Limits(0.1, -1e9, 1e9), SIGNALS, ["score"])
    monitor.see(points([0.0, np.nan, 1.0], [0.0, 0.0, 0.0]))
    monitor.see(points([0.0, 5.0, 1.0], [0.0, 0.0, 0.0]))
    assert {finding.message[:29] for finding in monitor.findings()} == {
        "amplifier.out: the node is at"
    }


def test_a_circuit_far_beyond_its_supply_is_no_success(tmp_path: Path) -> None:
    """Issue 15, point 6: this ended with exit code 0 and without an event."""
    file = tmp_path / "big.toml"
    file.write_text(
        'task = "circle"\n[fidelity]\nopamp = "macro"\n[scaling]\nvolt_per_unit = 100.0\n'
    )
    ended = CliRunner().invoke(app, ["run", str(file), "-o", str(tmp_path / "out")])
    assert isinstance(ended.exception, LimitError) and ended.exception.exit_code == 8
    with Trace.open(tmp_path / "out/trace.h5") as trace:
        trace.verify()
        assert trace.complete
        said = [event.message for event in trace.events if event.kind == "limit"]
    assert any("% of range off the float64 reference" in one for one in said)
    assert any("the node is at" in one for one in said)
    assert ended.output.count("limit    ") == len(said)
    assert (tmp_path / "out/solve.png").exists()


@pytest.fixture(scope="module")
def corners(tmp_path_factory: pytest.TempPathFactory) -> tuple[LimitError, Path]:
    """Two corners, of which the slow one is beyond a limit between the two."""
    folder = tmp_path_factory.mktemp("corners")
    run = run_of(
        fidelity={"opamp": "transistor"},
        ensemble={"corners": ["typical", "ss"]},
        limits={"error": 3.7e-4},
    )
    with pytest.raises(LimitError, match=r"1 of 2 members are beyond.*Member 1 \(corner ss\)") as e:
        run.execute(folder)
    return e.value, folder


def test_an_ensemble_reports_its_worst_member(corners: tuple[LimitError, Path]) -> None:
    error, folder = corners
    (largest,) = [line for line in error.lines if line.startswith("error ")]
    assert "all 2 members: member 1, corner ss" in largest
    rows = [line.split() for line in error.lines if re.match(r" +\d+  corner", line)]
    assert [row[:3] for row in rows] == [["1", "corner", "ss"], ["0", "corner", "typical"]]
    assert [row[-1] for row in rows] == ["beyond", "kept"]
    assert f"repeat   cosim run {folder}/trace.h5 --member 1" in error.lines
    with Trace.open(folder / "trace.h5") as trace:
        assert [e.member for e in trace.events if e.kind == "limit"] == [1]


def test_the_printed_command_repeats_a_member_bit_for_bit(
    corners: tuple[LimitError, Path], tmp_path: Path
) -> None:
    error, folder = corners
    (command,) = [line.split()[2:] for line in error.lines if line.startswith("repeat ")]
    ended = CliRunner().invoke(app, [*command, "-o", str(tmp_path)])
    assert isinstance(ended.exception, LimitError)
    with Trace.open(folder / "trace.h5") as all_members, Trace.open(tmp_path / "trace.h5") as alone:
        member = all_members.member(1)
        np.testing.assert_array_equal(alone.time_second, member.time_second)
        for name in member.names:
            np.testing.assert_array_equal(alone[name].values, member[name].values)


def test_a_member_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="member 3 is not one of the 3, 0 to 2"):
        run_of(ensemble={"samples": 3, "member": 3})


@pytest.mark.parametrize(("equation", "tolerance"), [("ode", 1e-5), ("sde", 5e-5)])
def test_paths_of_all_samples_are_those_of_each(equation: str, tolerance: float) -> None:
    problem = run_of(equation=equation, ensemble={"samples": 2}, noise={"updates": 50}).problem
    draws = [one for one in map(problem.draws, range(2)) if one is not None]
    found = paths(
        problem.network,
        problem.task.sampling_sde,
        problem.initial_states,
        np.stack(draws, axis=1) if draws else None,
        problem.edge_part,
    )
    tau = np.linspace(0, 1, 333)
    exact = problem.reference(1, tau)
    assert np.abs(found.at(1, tau) - exact).max() < tolerance * np.ptp(exact)
