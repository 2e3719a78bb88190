"""How far generated samples are from the true distribution."""

import itertools
from statistics import fmean

import numpy as np

Edges = tuple[np.ndarray, ...]
CELLS = 24
"""Of a histogram along each coordinate."""
NEIGHBOURS = 5
KERNEL_UNITS = (0.05, 0.2, 0.8)


def kl_nearest_neighbour(generated: np.ndarray, true: np.ndarray) -> float:
    """KL(generated || true) in nats from samples [n, d] and [m, d], by their 5th neighbours.

    Source: Wang, Kulkarni and Verdu, IEEE Trans. Inf. Theory 55, 2392 (2009), eq. 25. Consistent,
    but noisy for few samples: it may be negative.
    """
    from scipy.spatial import cKDTree

    count, dimension = generated.shape
    # The query point itself is its own first neighbour among the generated ones.
    own = cKDTree(generated).query(generated, NEIGHBOURS + 1)[0][:, -1]
    other = cKDTree(true).query(generated, NEIGHBOURS)[0][:, -1]
    return float(dimension * np.log(other / own).mean() + np.log(len(true) / (count - 1)))


class HistogramKl:
    """KL(generated || true) in nats of 24 x 24 histograms over [-limit, limit]^2, 1e-10 added, to
    the true distribution of samples [n, 2], which are counted once.

    Points outside count in the cells at the border. Never negative; few samples raise it, so
    compare only numbers from equally many.

    Args:
        displacements: n, for the mean of n x n histograms, displaced by 1/n of a cell: a point
            that moves by little then changes little, and not a cell's whole part.
    """

    def __init__(self, true: np.ndarray, limit: float, displacements: int = 1) -> None:
        self._limit = limit
        cell = 2 * limit / CELLS
        grids = [_edges(limit, cell * n / displacements) for n in range(displacements)]
        self._true = [
            (edges, self._frequencies(true, edges)) for edges in itertools.product(grids, repeat=2)
        ]

    def __call__(self, generated: np.ndarray) -> float:
        """Of samples [n, 2]."""
        return fmean(
            _relative_entropy(self._frequencies(generated, edges), true)
            for edges, true in self._true
        )

    def _frequencies(self, points: np.ndarray, edges: Edges) -> np.ndarray:
        inside = np.clip(points, -self._limit, self._limit)
        return np.histogramdd(inside, bins=edges)[0].ravel() / len(points) + 1e-10


def _edges(limit: float, moved: float) -> np.ndarray:
    """Of cells over -limit..limit; of those that are moved down there is one more."""
    if not moved:
        return np.linspace(-limit, limit, CELLS + 1)
    return np.linspace(-limit, limit + 2 * limit / CELLS, CELLS + 2) - moved


def kl_histogram(generated: np.ndarray, true: np.ndarray, limit: float) -> float:
    """KL in nats of samples to others, once: see `HistogramKl`."""
    return HistogramKl(true, limit)(generated)


def kl_pooled_histogram(generated: np.ndarray, true: np.ndarray) -> float:
    """KL in nats as the paper's authors compute it.

    Both coordinates are pooled into one histogram of 50 bins over -4..4, 1e-10 added (fact
    sheet, section 6).
    """
    frequencies = [
        np.histogram(points.ravel(), bins=50, range=(-4, 4))[0] / points.size + 1e-10
        for points in (generated, true)
    ]
    return _relative_entropy(*frequencies)


def histogram_distance(generated: np.ndarray, true: np.ndarray) -> float:
    """L2 distance of 100 x 100 histograms over [-1, 1]^2, as frequencies (fact sheet, 6)."""
    frequencies = [
        np.histogramdd(points, bins=[100, 100], range=[(-1, 1)] * 2)[0] / len(points)
        for points in (generated, true)
    ]
    return float(np.linalg.norm(frequencies[0] - frequencies[1]))


def sliced_wasserstein(generated: np.ndarray, true: np.ndarray) -> float:
    """Sliced Wasserstein distance of order 2, in units of x, over 100 fixed directions.

    Source: Bonneel et al., J. Math. Imaging Vis. 51, 22 (2015).
    """
    import ot  # which takes seconds

    return float(ot.sliced_wasserstein_distance(generated, true, n_projections=100, seed=0))


def kernel_mmd(generated: np.ndarray, true: np.ndarray) -> float:
    """Squared maximum mean discrepancy of samples [n, d] and [m, d], by an unbiased estimate: its
    mean is 0 for equal distributions, so that it may be negative.

    Gaussian kernels of widths 0.05, 0.2 and 0.8 units, added: the ring's own deviation, its
    radius, and between. Source: Gretton et al., JMLR 13, 723 (2012), lemma 6.
    """
    from scipy.spatial.distance import cdist

    def kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        squares = cdist(one, other, "sqeuclidean")
        return np.asarray(sum(np.exp(-squares / (2 * width**2)) for width in KERNEL_UNITS))

    own, theirs, mixed = kernel(generated, generated), kernel(true, true), kernel(generated, true)
    n, m = len(generated), len(true)
    within = (own.sum() - np.trace(own)) / (n * (n - 1))
    within += (theirs.sum() - np.trace(theirs)) / (m * (m - 1))
    return float(within - 2 * mixed.mean())


def _relative_entropy(frequencies: np.ndarray, of_true: np.ndarray) -> float:
    """KL in nats of two histograms, each normalised."""
    from scipy.special import rel_entr

    return float(rel_entr(frequencies / frequencies.sum(), of_true / of_true.sum()).sum())
