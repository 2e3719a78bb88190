"""Golden traces: fresh results against them, how they are made, and the pytest plugin."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.diffusion.golden import (
    PROJECT_GOLDEN,
    SLOW,
    golden_names,
    judge,
    read_netlist,
    with_points,
)
from cosim.errors import ConfigurationError, CosimError
from cosim.trace import Signal, Trace, TraceWriter
from cosim.trace.compare import Tolerances, Verdict
from cosim.trace.golden import check_golden, golden_path, reason, thinned, update_golden
from tests.diffusion.golden_mutations import harmless, mutations
from tests.diffusion.golden_mutations_table import FAILED, Found, plain, tried
from tests.diffusion.mutating import NotThereError, removed, replaced, scaled, swapped
from tests.trace.recordings import PROVENANCE

LARGEST_MEGABYTE = 6


QUICK = {
    "transimpedance": ("pair W +1 %", "Miller x3"),
    "opamp": ("load x2", "nulling resistor +50 %"),
    "relu": ("pass transistor W -1 %", "Miller x3"),
    "integrator": ("op_amp_transistor/Rbias +5 %", "run 100 ns late"),
    "crossbar": ("a cell doubled", "wires x4"),
    "multiplier": ("corner ss", "Vdd 2 % low"),
}
"""Mutations that earlier golden traces did not notice, or that are quick; the others are run by
`python -m tests.diffusion.golden_mutations_table`.
"""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.benchmark if name in SLOW else ())
        for name in golden_names()
    ],
)
def test_netlist_gives_its_golden_trace(name: str, tmp_path: Path) -> None:
    """A guard against change; that the results are right is what the other tests show."""
    verdict, rows = judge(name, PROJECT_GOLDEN, tmp_path)
    assert verdict is Verdict.PASSED, rows


def test_quick_mutations_are_noticed() -> None:
    """Each changes one line of physics, in plain `ngspice -b`."""
    chosen = [one for one in mutations() if one.what in QUICK.get(one.block, ())]
    assert len(chosen) == sum(map(len, QUICK.values()))
    missed = [found for found in map(tried, chosen) if not found.good]
    assert not missed


def test_harmless_changes_pass() -> None:
    """Another solver, integration method, step: no physics."""
    alarms = [found for found in map(tried, harmless("opamp")) if not found.good]
    assert not alarms


def test_all_mutations_are_caught_and_no_other_change() -> None:
    with (PROJECT_GOLDEN.parent / "golden_mutations.csv").open(newline="") as file:
        rows = [Found(**row) for row in csv.DictReader(file)]
    listed = {(one.block, one.what) for one in mutations()}
    assert {(row.block, row.mutation) for row in rows if not row.harmless} == listed
    assert {row.block for row in rows if row.harmless} == {block for block, _ in listed}
    assert [row for row in rows if not row.good] == []
    unanswered = [row for row in rows if row.harmless and row.signal == FAILED]
    # ngspice's KLU finds no time step at the first edges of this one.
    assert [(row.block, row.mutation) for row in unanswered] == [("solver_circle", "KLU")]


def test_mutation_changes_the_intended_line_alone() -> None:
    netlist = read_netlist("opamp")
    for edit in (
        scaled("Cload", 2.0),
        removed("op_amp_transistor/Xtail"),
        swapped("Xdevice", 1, 2),
    ):
        before, after = netlist.splitlines(), edit(netlist).splitlines()
        assert len(before) == len(after)
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
    for edit in (scaled("Cnone", 2.0), removed("Xtail"), replaced("pfet_03v3", "nfet_03v3")):
        with pytest.raises(NotThereError):
            edit(netlist)


def test_run_is_repeated_with_the_golden_points() -> None:
    netlist = read_netlist("opamp_large_step")
    denser = with_points(netlist, np.array([1.23e-7, 4.56e-7]))
    vectors = plain(denser)
    assert vectors is not None
    time = vectors["time"]
    for wanted in (1.23e-7, 4.56e-7):
        assert np.abs(time - wanted).min() < 1e-15


def test_golden_traces_are_small_and_say_why() -> None:
    files = sorted(PROJECT_GOLDEN.glob("*.h5"))
    assert [file.stem for file in files] == golden_names()
    assert sum(file.stat().st_size for file in files) < LARGEST_MEGABYTE * 1e6
    for file in files:
        golden = Trace.open(file)
        golden.verify()
        assert reason(golden) != "no reason"
        assert "/" not in golden.provenance.command_line


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 400), st.floats(1e-6, 0.5))
def test_thinned_points_give_all_others(seed: int, points: int, allowed: float) -> None:
    generator = np.random.default_rng(seed)
    time = np.cumsum(generator.uniform(0, 1, points))
    values = np.cumsum(generator.standard_normal((points, 3)) / 10, axis=0)
    limit = allowed * np.array([1.0, 2.0, 0.5])
    rows = thinned(time, values, limit)
    assert rows[0] == 0 and rows[-1] == points - 1
    for column in range(3):
        line = np.interp(time, time[rows], values[rows, column])
        assert np.abs(line - values[:, column]).max() <= limit[column] * (1 + 1e-9)


def recorded(path: Path, gain: float = 1.0) -> Trace:
    time = np.linspace(0, 1e-6, 2001)
    with TraceWriter.create(
        path, signals=[Signal("a.out", "V")], provenance=PROVENANCE, overwrite=True
    ) as writer:
        writer.append(time, gain * np.sin(2e7 * time)[:, None])
        writer.finish()
    return Trace.open(path)


def test_golden_is_replaced_only_with_a_reason(tmp_path: Path) -> None:
    golden = tmp_path / "golden.h5"
    run = recorded(tmp_path / "run.h5")
    with pytest.raises(ConfigurationError, match="no golden trace"):
        check_golden(run, golden, Tolerances())
    with pytest.raises(ConfigurationError, match="reason"):
        update_golden(run, golden, "  ", Tolerances())
    assert not golden.exists()
    update_golden(run, golden, "the first one", Tolerances())
    taken = Trace.open(golden)
    assert taken.points < run.points / 2
    assert reason(taken) == "the first one"
    assert check_golden(run, golden, Tolerances()).passes
    other = recorded(tmp_path / "other.h5", gain=1.003)
    assert not check_golden(other, golden, Tolerances()).passes
    update_golden(other, golden, "a new op-amp", Tolerances())
    assert reason(Trace.open(golden)).startswith("a new op-amp; replaces one of")
    assert check_golden(other, golden, Tolerances()).passes


@pytest.mark.parametrize("name", ["../outside", "a/b", "", "a b", "/etc/passwd", "x..y"])
def test_names_that_lead_elsewhere_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CosimError, match="cannot be named"):
        golden_path(tmp_path, name)
