"""Fewer points for a plot that looks the same."""

import numpy as np


def decimate(time_second: np.ndarray, values: np.ndarray, points: int) -> np.ndarray:
    """Indices of at most `points` samples that draw the same line: no peak is lost.

    M4 (Jugel et al., VLDB 2014): time is cut into equal spans, one for each pixel column, and of
    each span the first, last, lowest and highest sample are kept.

    Args:
        time_second: increasing times [n].
        values: values [n]; NaN is never a peak.
        points: at least 4.
    """
    if points < 4:
        raise ValueError(f"at least 4 points are needed to keep peaks, not {points}")
    if len(time_second) <= points:
        return np.arange(len(time_second))
    edges = np.linspace(time_second[0], time_second[-1], points // 4 + 1)
    starts = np.unique(np.searchsorted(time_second, edges[:-1]))
    ends = np.append(starts[1:], len(time_second))
    span = np.repeat(np.arange(len(starts)), ends - starts)
    kept = [starts, ends - 1]
    for extreme in (np.fmin, np.fmax):
        candidates = np.flatnonzero(values == extreme.reduceat(values, starts)[span])
        _, first = np.unique(span[candidates], return_index=True)
        kept.append(candidates[first])
    return np.unique(np.concatenate(kept))
