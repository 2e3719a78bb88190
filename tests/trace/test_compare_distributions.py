"""Distributions compared: false alarms at the stated rate, changes caught, bad input named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, wasserstein_distance

from cosim.errors import ConfigurationError, CosimError, TraceError
from cosim.trace import Signal, Trace, TraceWriter
from cosim.trace.compare_distributions import (
    Distribution,
    compare_distributions,
    distances,
    update_golden_distribution,
)
from cosim.trace.golden import reason
from tests.trace.recordings import PROVENANCE

TRIALS, RATE = 40, 0.25
EVERY = 1e-7


def ensemble(path: Path, final: np.ndarray) -> Trace:
    """Members that go from 0 to their final values [members, signals]."""
    signals = [Signal(f"state.{index}", "V") for index in range(final.shape[1])]
    with TraceWriter.create(
        path, signals=signals, provenance=PROVENANCE, members=len(final)
    ) as writer:
        for number, values in enumerate(final):
            writer.append(np.array([0.0, 1e-6]), np.stack([0 * values, values]), number)
            writer.finish_member(number)
        writer.finish()
    return Trace.open(path)


def noisy(path: Path, draws: np.ndarray) -> Trace:
    """One run that passes through draws [n] at equal times, with points in between."""
    time = EVERY * np.arange(len(draws))
    grid = np.union1d(time, time[:-1] + 0.3 * EVERY)
    with TraceWriter.create(
        path, signals=[Signal("noise.out", "V")], provenance=PROVENANCE
    ) as writer:
        writer.append(grid, np.interp(grid, time, draws)[:, None])
        writer.finish()
    return Trace.open(path)


@pytest.fixture(scope="module")
def golden_and_same(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trace, Trace]:
    folder, generator = tmp_path_factory.mktemp("ensembles"), np.random.default_rng(2)
    golden, same = (
        ensemble(folder / name, generator.standard_normal((200, 2)))
        for name in ("golden.h5", "same.h5")
    )
    return golden, same


def test_false_alarms_are_as_rare_as_stated() -> None:
    generator = np.random.default_rng(1)
    alarms = 0
    for _ in range(TRIALS):
        mine, theirs = (generator.standard_normal((count, 2)) for count in (30, 40))
        alarms += not all(distance.passes for distance in distances(mine, theirs, RATE))
    assert alarms <= binom.ppf(0.999, TRIALS, RATE)
    assert alarms > 0  # of a rate of a quarter: the limit is no wider than stated


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x + np.array([0.5, 0.0]),
        lambda x: x * 1.4,
        lambda x: np.sign(x),
        lambda x: np.column_stack([x[:, 0], 0.9 * x[:, 0] + 0.44 * x[:, 1]]),
    ],
    ids=["shift", "spread", "two values", "correlation"],
)
def test_changes_are_caught(
    change: Callable[[np.ndarray], np.ndarray],
    golden_and_same: tuple[Trace, Trace],
    tmp_path: Path,
) -> None:
    golden, _ = golden_and_same
    drawn = np.random.default_rng(3).standard_normal((200, 2))
    other = ensemble(tmp_path / "other.h5", change(drawn))
    assert not compare_distributions(other, golden, Distribution()).passes


def test_an_equal_distribution_passes(golden_and_same: tuple[Trace, Trace]) -> None:
    golden, same = golden_and_same
    assert compare_distributions(same, golden, Distribution()).passes


def test_transport_distance_is_scipy_s() -> None:
    """Of one signal every projection is the signal itself."""
    generator = np.random.default_rng(3)
    mine, theirs = generator.standard_normal((50, 1)), 1 + generator.standard_normal((70, 1))
    found = distances(mine, theirs, RATE)[0]
    pooled = np.concatenate([mine, theirs]).std()
    expected = wasserstein_distance(mine[:, 0], theirs[:, 0]) / pooled
    assert found.value == pytest.approx(expected, rel=1e-9)


def test_single_noisy_run_and_its_golden_trace(tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    runs = [
        noisy(tmp_path / f"{number}.h5", scale * generator.standard_normal(400))
        for number, scale in enumerate((1.0, 1.0, 1.5))
    ]
    every = Distribution(every_second=EVERY)
    golden = tmp_path / "golden.h5"
    with pytest.raises(ConfigurationError, match="reason"):
        update_golden_distribution(runs[0], golden, " ", every)
    update_golden_distribution(runs[0], golden, "the first", every)
    taken = Trace.open(golden)
    assert reason(taken) == "the first" and taken.points == 400
    verdicts = [compare_distributions(run, taken, every) for run in runs]
    assert [verdict.passes for verdict in verdicts] == [True, True, False]
    assert verdicts[0].distances[0].value == pytest.approx(0, abs=1e-12)
    with pytest.raises(TraceError, match="--every"):
        compare_distributions(runs[0], taken, Distribution())


def test_golden_ensemble_keeps_final_values(tmp_path: Path) -> None:
    final = np.random.default_rng(5).standard_normal((30, 2))
    run = ensemble(tmp_path / "run.h5", final)
    update_golden_distribution(run, tmp_path / "golden.h5", "why", Distribution())
    golden = Trace.open(tmp_path / "golden.h5")
    golden.verify()
    np.testing.assert_array_equal([golden.member(k)["state.1"][-1] for k in range(30)], final[:, 1])
    assert compare_distributions(run, golden, Distribution()).passes


def test_what_gives_no_distribution_is_named(tmp_path: Path) -> None:
    few = ensemble(tmp_path / "few.h5", np.zeros((5, 1)))
    with pytest.raises(TraceError, match="5 samples"):
        compare_distributions(few, few, Distribution())
    broken = np.zeros((30, 1))
    broken[3] = np.nan
    with pytest.raises(TraceError, match=r"state\.0.*not finite"):
        compare_distributions(*2 * [ensemble(tmp_path / "nan.h5", broken)], Distribution())
    golden = ensemble(tmp_path / "two.h5", np.random.default_rng(0).normal(size=(30, 2)))
    run = ensemble(tmp_path / "one.h5", np.random.default_rng(1).normal(size=(30, 1)))
    found = compare_distributions(run, golden, Distribution())
    assert found.missing == ["state.1"] and not found.passes
    with pytest.raises(ConfigurationError, match=r"'state\.7' fits no signal"):
        compare_distributions(run, golden, Distribution(signals=("state.0", "state.7")))


def test_distribution_of_half_a_run_or_of_another_unit_is_refused(tmp_path: Path) -> None:
    every = Distribution(every_second=EVERY)
    values = np.random.default_rng(6).standard_normal(400)
    golden = noisy(tmp_path / "golden.h5", values)
    time = EVERY * np.arange(400)
    for name, unit, status, says in (
        ("failed.h5", "V", "failed", "did not end: its status is 'failed'"),
        ("current.h5", "A", "complete", "is in 'A'"),
    ):
        signals = [Signal(golden.names[0], unit)]
        with TraceWriter.create(tmp_path / name, signals=signals, provenance=PROVENANCE) as writer:
            writer.append(time, values[:, None])
            writer.finish(status)
        with pytest.raises(CosimError, match=says):
            compare_distributions(Trace.open(tmp_path / name), golden, every)
