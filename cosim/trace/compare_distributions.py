"""Compare noisy runs with a golden one by their distributions, at a stated rate of false alarms.

Samples are the members' final values of an ensemble, or one run's values at equal times, which must
be far enough apart to be independent. Two distances are taken: the sliced Wasserstein distance of
all signals together, each over its standard deviation, and the mean over signals of the KL
divergence of histograms between pooled deciles. Each is held against its values after random
exchanges of samples between the two runs: of equal distributions at most `false_alarm` fail.
Source: Bonneel et al., J. Math. Imaging Vis. 51, 22 (2015) (sliced Wasserstein distance); Phipson
and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 39 (2010) (p-values of permutations).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import ot
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cosim.errors import ConfigurationError, TraceError
from cosim.trace.bounds import EVENT
from cosim.trace.exchange.replacing import replacing
from cosim.trace.golden import open_golden, require_reason
from cosim.trace.reader import Trace
from cosim.trace.schema import Signal
from cosim.trace.tolerances import faults_of
from cosim.trace.verdict import MISSING, Verdict, junit
from cosim.trace.writer import TraceWriter

EXCHANGES = 499
PROJECTIONS = 20
BINS = 10
TOGETHER = 25
"""Exchanges that are computed at once, for speed."""

SEED = 0
"""Of projections and exchanges: the same traces give the same verdict."""

LEAST_SAMPLES, MOST_SAMPLES = 20, 1000
"""Of more, as many at equal intervals are taken: what 1000 do not tell is no matter of a golden
trace, and all exchanges take seconds.
"""

LEAST_RATE, LARGEST_RATE = 0.004, 0.5


class Distribution(BaseModel):
    """How runs are compared by their distributions.

    Attributes:
        every_second: between the samples of a single run; an ensemble needs none.
        signals: patterns of those compared.
        false_alarm: probability that a run of the very same distribution fails; not below what
            499 exchanges can tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    every_second: float | None = Field(None, gt=0)
    signals: tuple[str, ...] = ("*",)
    false_alarm: float = Field(0.01, ge=LEAST_RATE, le=LARGEST_RATE)


def distribution_of(
    every_second: float | None, signals: Sequence[str] | None, false_alarm: float
) -> Distribution:
    """What a user asks for.

    Raises:
        ConfigurationError: a time that is not above 0, or a rate that cannot be told.
    """
    try:
        return Distribution(
            every_second=every_second, signals=tuple(signals or "*"), false_alarm=false_alarm
        )
    except ValidationError as error:
        raise ConfigurationError(
            f"Distributions cannot be compared so: {faults_of(error)}. Give seconds above 0 "
            f"(--every), and a rate from {LEAST_RATE} to {LARGEST_RATE} (--false-alarm)."
        ) from None


@dataclass(frozen=True)
class Distance:
    """One distance of two sets of samples.

    Attributes:
        value: standard deviations, or nats.
        limit: what it exceeds with half of the rate of false alarms if nothing has changed.
        p_value: how often exchanged samples are as far apart.
    """

    name: str
    value: float
    limit: float
    p_value: float
    passes: bool


@dataclass(frozen=True)
class DistributionComparison:
    """Two traces.

    Attributes:
        samples: of the run and of the golden trace.
        missing: signals that only the golden trace has.
        values: the samples of both [samples, signals], for a figure.
    """

    run: str
    golden: str
    signals: list[str]
    missing: list[str]
    samples: tuple[int, int]
    false_alarm: float
    distances: list[Distance]
    values: tuple[np.ndarray, np.ndarray] = field(repr=False, compare=False)

    @property
    def passes(self) -> bool:
        """Whether the run could be of the golden one's distribution."""
        return self.verdict is Verdict.PASSED

    @property
    def verdict(self) -> Verdict:
        """Passed, or differs: at the stated rate of false alarms."""
        same = not self.missing and all(distance.passes for distance in self.distances)
        return Verdict.PASSED if same else Verdict.DIFFERS

    def to_json(self) -> str:
        """All but the samples."""
        content = {key: value for key, value in asdict(self).items() if key != "values"}
        return json.dumps(content | {"passes": self.passes}, indent=2) + "\n"

    def to_junit(self) -> str:
        """JUnit XML: a test case for each distance."""
        cases = [
            (
                one.name,
                Verdict.PASSED if one.passes else Verdict.DIFFERS,
                f"{one.value:.6g}, limit {one.limit:.6g}",
            )
            for one in self.distances
        ]
        cases += [(name, Verdict.DIFFERS, MISSING) for name in self.missing]
        return junit(self.run, self.golden, cases)


def samples(trace: Trace, names: list[str], every_second: float | None) -> np.ndarray:
    """Independent samples [samples, signals] of a trace.

    Raises:
        TraceError: there are too few, one is not finite, or `every_second` is missing.
    """
    if trace.members is not None:
        complete = [
            trace.member(number)
            for number, status in enumerate(trace.member_statuses)
            if status == "complete"
        ]
        found = np.array([[member[name][-1] for name in names] for member in complete])
    elif not trace.complete:
        raise TraceError(
            f"{trace.path} did not end: its status is '{trace.status}', and its distribution is "
            "not that of a whole run. Run it to its end."
        )
    elif every_second is None:
        raise TraceError(
            f"{trace.path} holds one run. Say how far apart in time its values are independent "
            "(`every_second`, --every), or give an ensemble."
        )
    else:
        time = trace.time_second
        count = int((time[-1] - time[0]) / every_second * (1 + 1e-12)) + 1 if len(time) else 0
        at = time[:1] + every_second * np.arange(count)
        found = np.column_stack([np.interp(at, time, trace[name].values) for name in names])
    if len(found) < LEAST_SAMPLES or not names:
        raise TraceError(
            f"{trace.path} gives {len(found)} samples of {len(names)} signals; a distribution "
            f"needs {LEAST_SAMPLES} of one at least. Simulate more."
        )
    if not np.isfinite(found).all():
        wrong = names[int(np.flatnonzero(~np.isfinite(found).all(axis=0))[0])]
        raise TraceError(
            f"{trace.path}: signal '{wrong}' has samples that are not finite, which cannot be "
            "compared. Look for what made them, or leave the signal out."
        )
    return found[:: math.ceil(len(found) / MOST_SAMPLES)]


def compare_distributions(
    run: Trace, golden: Trace, distribution: Distribution
) -> DistributionComparison:
    """Compare two traces, ensembles or single noisy runs.

    Raises:
        ConfigurationError: a pattern fits no signal, or a signal's units are two.
        TraceError: a trace does not give samples.
    """
    for pattern in distribution.signals:
        if not golden.match(pattern):
            raise ConfigurationError(
                f"The pattern '{pattern}' fits no signal of {golden.path}, so that nothing would "
                "be compared by it. Correct it (--signals)."
            )
    wanted = list(
        dict.fromkeys(name for pattern in distribution.signals for name in golden.match(pattern))
    )
    names = [name for name in wanted if name in run]
    for name in names:
        if run[name].unit != golden[name].unit:
            raise ConfigurationError(
                f"Signal '{name}' is in '{run[name].unit}' in {run.path} and in "
                f"'{golden[name].unit}' in {golden.path}, which cannot be compared. Correct it, or "
                "leave it out (--signals)."
            )
    mine, theirs = (samples(trace, names, distribution.every_second) for trace in (run, golden))
    return DistributionComparison(
        str(run.path),
        str(golden.path),
        names,
        [name for name in wanted if name not in run],
        (len(mine), len(theirs)),
        distribution.false_alarm,
        distances(mine, theirs, distribution.false_alarm),
        (mine, theirs),
    )


def distances(mine: np.ndarray, theirs: np.ndarray, false_alarm: float) -> list[Distance]:
    """Both distances of samples [m, signals] and [n, signals], and whether they pass.

    Each may fail with half of the rate, so that either does with no more than all of it.
    """
    pooled = np.concatenate([mine, theirs])
    spread = pooled.std(axis=0)
    scaled = (pooled - pooled.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    projections = ot.sliced.get_random_projections(pooled.shape[1], PROJECTIONS, seed=SEED)
    projected, cells = scaled @ projections, _cells(pooled)
    generator = np.random.default_rng(SEED)
    orders = [np.arange(len(pooled))]
    orders += [generator.permutation(len(pooled)) for _ in range(EXCHANGES)]
    transport = [
        value
        for first in range(0, len(orders), TOGETHER)
        for value in _transports(projected[np.array(orders[first : first + TOGETHER])], len(mine))
    ]
    divergence = [
        _divergence(cells[order[: len(mine)]], cells[order[len(mine) :]]) for order in orders
    ]
    return [
        _judged("sliced Wasserstein", np.array(transport), false_alarm / 2),
        _judged("KL of histograms", np.array(divergence), false_alarm / 2),
    ]


def _transports(exchanged: np.ndarray, count: int) -> np.ndarray:
    """Wasserstein distance of order 1, mean over projections, of the first `count` samples and the
    others; of each exchange [exchanges, samples, projections].
    """
    columns = exchanged.transpose(1, 0, 2).reshape(exchanged.shape[1], -1)
    found = ot.wasserstein_1d(columns[:count], columns[count:], p=1)
    return np.asarray(found.reshape(len(exchanged), -1).mean(axis=1))


def _cells(pooled: np.ndarray) -> np.ndarray:
    """The cell of each sample [samples, signals], between pooled deciles."""
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    columns = [np.searchsorted(np.quantile(column, inner), column) for column in pooled.T]
    return np.stack(columns, axis=1)


def _divergence(first: np.ndarray, second: np.ndarray) -> float:
    """KL(first || second) in nats, mean over signals; half a sample is added to each cell."""
    shares = []
    for cells in (first, second):
        offset = cells + BINS * np.arange(cells.shape[1])
        counts = np.bincount(offset.ravel(), minlength=BINS * cells.shape[1]) + 0.5
        shares.append(counts / (len(cells) + BINS / 2))
    return float((shares[0] * np.log(shares[0] / shares[1])).sum() / first.shape[1])


def _judged(name: str, found: np.ndarray, rate: float) -> Distance:
    value, exchanged = found[0], found[1:]
    # Rounding alone must not tell equal exchanges apart.
    p_value = (1 + np.sum(exchanged >= value * (1 - 1e-9))) / (1 + len(exchanged))
    limit = np.quantile(exchanged, 1 - rate, method="higher")
    return Distance(name, float(value), float(limit), float(p_value), bool(p_value > rate))


def update_golden_distribution(
    run: Trace, path: Path, why: str, distribution: Distribution
) -> None:
    """Take the samples of a run or of an ensemble for golden; what was there is replaced whole.

    Raises:
        ConfigurationError: there is no reason.
        TraceError: the trace gives no samples, or the file cannot be written.
    """
    reason = require_reason(why, path)
    names = list(
        dict.fromkeys(name for pattern in distribution.signals for name in run.match(pattern))
    )
    found = samples(run, names, distribution.every_second)
    signals = [Signal(name, run[name].unit, run[name].description) for name in names]
    members = None if run.members is None else len(found)
    with (
        replacing(path) as partial,
        TraceWriter.create(
            partial, signals=signals, provenance=run.provenance, members=members
        ) as writer,
    ):
        writer.event(float("nan"), EVENT, reason)
        if members is None:
            assert distribution.every_second is not None  # as there are samples
            writer.append(distribution.every_second * np.arange(len(found)), found)
        else:
            for number, values in enumerate(found):
                writer.append(np.zeros(1), values[None], number)
                writer.finish_member(number)
        writer.finish()


def check_golden_distribution(
    run: Trace, path: Path, distribution: Distribution
) -> DistributionComparison:
    """Compare a run with a golden trace.

    Raises:
        ConfigurationError: there is no golden trace yet.
        TraceError: a trace does not give samples.
    """
    return compare_distributions(run, open_golden(path), distribution)


def distance_rows(comparison: DistributionComparison) -> list[Mapping[str, str]]:
    """The table's rows."""
    rows: list[Mapping[str, str]] = [
        {
            "distance": distance.name,
            "": "ok" if distance.passes else "differs",
            "value": f"{distance.value:.3g}",
            "limit": f"{distance.limit:.3g}",
            "p": f"{distance.p_value:.3f}",
        }
        for distance in comparison.distances
    ]
    return rows + [{"distance": name, "": "missing"} for name in comparison.missing]
