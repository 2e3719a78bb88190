"""Golden traces: small, with the reason they were taken, replaced only with another reason.

A golden trace keeps the points from which straight lines give every signal within a quarter of its
tolerance. It is a trace as any other; its event `golden` says why, and what it replaced.
Source: Douglas and Peucker, Cartographica 10, 112 (1973) (thinning of lines).
"""

from pathlib import Path

import numpy as np

from cosim.errors import ConfigurationError
from cosim.trace.compare import Comparison, Tolerances, compare
from cosim.trace.exchange.replacing import replacing
from cosim.trace.reader import Trace
from cosim.trace.schema import Signal
from cosim.trace.writer import TraceWriter

KEPT_PART = 0.25
"""Of the tolerance that thinning may use."""

EVENT = "golden"


def thinned(time: np.ndarray, values: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Indices of the points to keep, so that lines between them are near enough to all others.

    Args:
        time: [n], not going back.
        values: [n, signals].
        allowed: error of each signal [signals].
    """
    kept = np.zeros(len(time), dtype=bool)
    kept[[0, -1]] = True
    waiting = [(0, len(time) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        inner = slice(first + 1, last)
        span = time[last] - time[first]
        part = (time[inner] - time[first]) / span if span > 0 else np.zeros(last - first - 1)
        line = values[first] + part[:, None] * (values[last] - values[first])
        excess = (np.abs(values[inner] - line) / allowed).max(axis=1)
        worst = int(np.argmax(excess))
        if excess[worst] > 1:
            middle = first + 1 + worst
            kept[middle] = True
            waiting += [(first, middle), (middle, last)]
    return np.flatnonzero(kept)


def golden_path(folder: Path, name: str) -> Path:
    """Where a golden trace lies.

    Raises:
        ConfigurationError: the name would lead elsewhere.
    """
    if not name.replace("_", "").replace("-", "").replace(".", "").isalnum() or ".." in name:
        raise ConfigurationError(
            f"A golden trace cannot be named '{name}': use letters, digits, '_', '-' and '.'."
        )
    return folder / f"{name}.h5"


def require_reason(why: str, path: Path) -> str:
    """The reason to take a trace for golden, and what it replaces.

    Raises:
        ConfigurationError: there is no reason.
        TraceError: what it would replace is no trace.
    """
    if not why.strip():
        raise ConfigurationError(
            f"{path} is replaced only with a reason, which it will hold: give --why."
        )
    replaced = f"; replaces one of {Trace.open(path).provenance.started}" if path.exists() else ""
    return f"{why.strip()}{replaced}"


def update_golden(run: Trace, path: Path, why: str, tolerances: Tolerances) -> None:
    """Take a run, or one member, for golden; what was there is replaced whole.

    Raises:
        ConfigurationError: there is no reason.
        TraceError: the trace is empty or damaged, or the file cannot be written.
    """
    reason = require_reason(why, path)
    names = [name for name in run.names if name not in _ignored(run, tolerances)]
    time, values = run.time_second, np.stack([run[name].values for name in names], axis=1)
    scale = np.abs(values).max(axis=0)
    allowed = np.array(
        [
            tolerances.of(name).absolute + tolerances.of(name).relative * np.ptp(column)
            for name, column in zip(names, values.T, strict=True)
        ]
    )
    rows = thinned(time, values, np.maximum(KEPT_PART * allowed, 1e-15 * np.maximum(scale, 1e-300)))
    with replacing(path) as partial:
        signals = [Signal(name, run[name].unit, run[name].description) for name in names]
        with TraceWriter.create(partial, signals=signals, provenance=run.provenance) as writer:
            writer.event(float("nan"), EVENT, reason)
            writer.append(time[rows], values[rows])
            writer.finish()


def _ignored(run: Trace, tolerances: Tolerances) -> set[str]:
    return {name for pattern in tolerances.ignore for name in run.match(pattern)}


def reason(golden: Trace) -> str:
    """Why it was taken."""
    return next((event.message for event in golden.events if event.kind == EVENT), "no reason")


def check_golden(run: Trace, path: Path, tolerances: Tolerances) -> Comparison:
    """Compare a run with a golden trace.

    Raises:
        ConfigurationError: there is no golden trace yet.
        TraceError: a trace cannot be compared.
    """
    return compare(run, open_golden(path), tolerances)


def open_golden(path: Path) -> Trace:
    """A golden trace.

    Raises:
        ConfigurationError: there is none yet.
        TraceError: it is damaged.
    """
    if not path.exists():
        raise ConfigurationError(
            f"There is no golden trace {path} yet. Take a run that you have looked at for golden: "
            "`cosim golden update`, or --golden-update WHY of pytest."
        )
    return Trace.open(path)
