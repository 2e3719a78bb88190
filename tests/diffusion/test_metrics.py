"""Distances between distributions against closed forms."""

import numpy as np
import pytest

from cosim.diffusion.score.metrics import (
    HistogramKl,
    histogram_distance,
    kl_histogram,
    kl_nearest_neighbour,
    kl_pooled_histogram,
)

GENERATOR = np.random.default_rng(0)


def gaussian(mean: float, deviation: float, count: int = 20_000) -> np.ndarray:
    return mean + deviation * GENERATOR.standard_normal((count, 2))


def kl_of_gaussians(mean: float, deviation: float) -> float:
    """KL(N(mean, deviation^2 I) || N(0, I)) in two dimensions."""
    return float(deviation**2 + mean**2 - 1 - 2 * np.log(deviation))


@pytest.mark.parametrize(("mean", "deviation"), [(0.5, 1.0), (0.0, 0.5), (0.3, 0.8)])
def test_nearest_neighbour_kl(mean: float, deviation: float) -> None:
    found = kl_nearest_neighbour(gaussian(mean, deviation), gaussian(0, 1))
    assert found == pytest.approx(kl_of_gaussians(mean, deviation), abs=0.06)


def test_histogram_kl() -> None:
    found = kl_histogram(gaussian(0, 0.5), gaussian(0, 1, 200_000), limit=5)
    assert found == pytest.approx(kl_of_gaussians(0, 0.5), rel=0.1)


def test_pooled_histogram_kl_is_one_dimensional() -> None:
    found = kl_pooled_histogram(gaussian(0, 0.5), gaussian(0, 1))
    assert found == pytest.approx(kl_of_gaussians(0, 0.5) / 2, rel=0.1)


def test_equal_samples_have_no_distance() -> None:
    points = gaussian(0, 0.3)
    assert histogram_distance(points, points) == 0
    assert kl_histogram(points, points, limit=2) == pytest.approx(0, abs=1e-12)


def test_a_point_in_an_empty_cell_costs_23_nats() -> None:
    """0.01 of the points where the truth has 1e-10: 0.01 ln(0.01 / 1e-10), and the rest."""
    true = np.full((1000, 2), 0.01)
    generated = np.full((100, 2), 0.01)
    generated[0] = 0.9
    expected = 0.01 * np.log(0.01 / 1e-10) + 0.99 * np.log(0.99)
    assert kl_histogram(generated, true, 1.5) == pytest.approx(expected, rel=1e-5)
    assert kl_pooled_histogram(generated, true) == pytest.approx(expected, rel=1e-5)


def test_displaced_histograms_blur_the_edges_of_cells() -> None:
    """Their mean has the closed form too; a move across an edge counts by as much as it is long."""
    true = gaussian(0, 1, 200_000)
    smooth, single = HistogramKl(true, 5, 4), HistogramKl(true, 5)
    generated = gaussian(0, 0.5)
    assert smooth(generated) == pytest.approx(kl_of_gaussians(0, 0.5), rel=0.1)
    edge = 5 / 12 - 1e-4
    points = np.vstack([gaussian(0, 0.5, 200), np.full((100, 2), edge)])
    moved = points + np.where(points == edge, 2e-4, 0.0)
    assert abs(smooth(moved) - smooth(points)) < abs(single(moved) - single(points)) / 2 > 0
