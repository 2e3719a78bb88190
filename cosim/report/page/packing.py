"""Waveforms as a page carries them: of long ones lowest and highest value of each bin, compressed.

Values are 32-bit floats where they fit, else 16-bit steps of the signal's range, as differences
from point to point, so that smooth signals compress well. The page's `unpack` is the reverse.
"""

import base64
import math
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from cosim.trace.table import Table

NO_VALUE = 65535
LEAST_BINS = 16


class Column(NamedTuple):
    """A signal and its values [points]."""

    name: str
    unit: str
    about: str
    values: np.ndarray


def columns_of(table: Table) -> Iterator[Column]:
    """Every signal of a table, one after the other: all at once may not fit."""
    for name in table.names:
        signal = table[name]
        yield Column(name, signal.unit, signal.description, signal.values)


def packed(
    time_second: np.ndarray, columns: Iterable[Column], count: int, budget_byte: int
) -> dict[str, Any]:
    """Signals on their common time base [points], for JSON.

    Args:
        count: of the columns.
        budget_byte: about as much they may take before compression.

    Returns:
        `times`, `signals` (name, unit, `data`, range `low` and `high`), `kind` of the values,
        `bin` (points that one pair of values stands for; 1: each point is there), `points`.
    """
    points = len(time_second)
    per_signal = budget_byte // max(count, 1)
    as_float = points * 4 <= per_signal
    size = 1
    if not as_float and points * 2 > per_signal:
        bins = max(per_signal // 4, LEAST_BINS)
        size = max(math.ceil(points / bins), 2)
    starts = np.arange(0, points, size)
    times = time_second if size == 1 else _pair_times(time_second, starts, size)
    signals = []
    for column in columns:
        values = np.where(np.isfinite(column.values), column.values, np.nan)
        if size > 1:
            values = _pairs(values, starts)
        data, low, high = _as_floats(values) if as_float else _as_steps(values)
        signals.append(
            {"name": column.name, "unit": column.unit, "about": column.about, "data": data,
             "low": low, "high": high}
        )  # fmt: skip
    return {
        "times": compressed(times.astype("<f8").tobytes()),
        "kind": "f4" if as_float else "u2",
        "bin": size,
        "points": points,
        "signals": signals,
    }


def _pair_times(time_second: np.ndarray, starts: np.ndarray, size: int) -> np.ndarray:
    middles = np.minimum(starts + size // 2, len(time_second) - 1)
    return np.stack([time_second[starts], time_second[middles]], axis=1).ravel()


def _pairs(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Lowest and highest value of each bin, in the order in which they come [2 bins]."""
    ends = np.append(starts[1:], len(values))
    pairs = np.stack([np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)], axis=1)
    rising = values[starts] <= values[ends - 1]
    pairs[~rising] = pairs[~rising][:, ::-1]
    return pairs.ravel()


def _as_floats(values: np.ndarray) -> tuple[str, float, float]:
    with np.errstate(over="ignore"):
        narrow = values.astype("<f4")
    narrow[np.isinf(narrow)] = np.nan
    return compressed(narrow.tobytes()), 0.0, 0.0


def _as_steps(values: np.ndarray) -> tuple[str, float, float]:
    known = np.isfinite(values)
    low = float(values[known].min()) if known.any() else 0.0
    high = float(values[known].max()) if known.any() else 0.0
    span = (high - low) or 1.0
    if not math.isfinite(span):  # of values near the largest float
        low, high = low / 2, high / 2
        values, span = values / 2, high - low
    steps = np.full(len(values), NO_VALUE, dtype=np.uint16)
    steps[known] = np.round((values[known] - low) / span * (NO_VALUE - 1)).astype(np.uint16)
    changes = np.diff(steps, prepend=np.uint16(0)).astype("<u2")
    planes = changes.view(np.uint8).reshape(-1, 2).T  # low bytes, then high bytes
    return compressed(planes.tobytes()), low, high


def compressed(content: bytes) -> str:
    """Bytes as the page takes them: zlib, base64."""
    return base64.b64encode(zlib.compress(content, 6)).decode("ascii")
