"""Basins: shares of starts, against plain iteration and symmetry."""

import numpy as np
import pytest

from eossim.dynamics import FunctionMap, basin_fractions, grid_starts, random_starts
from eossim.maps import SHIPPED
from tests.dynamics.systems import logistic

double_well = FunctionMap(lambda x: 1.1 * x - 0.1 * x**3, 1, name="double_well")


def test_double_well_against_plain_iteration():
    starts = np.linspace(-5, 5, 401)
    found = basin_fractions(double_well, starts[:, None], transient=500)
    ends = starts.copy()
    with np.errstate(all="ignore"):
        for _ in range(500):
            ends = 1.1 * ends - 0.1 * ends**3
    lost = ~np.isfinite(ends)
    assert float(found.diverged) == lost.mean()
    np.testing.assert_array_equal(found.ends_in == -1, lost)
    for number, point in enumerate(found.points[:, 0, 0].values):
        np.testing.assert_array_equal(found.ends_in == number, np.abs(ends - point) < 1e-6)
    # Divergence starts at √21, which is mapped to -√21; 0 itself stays.
    np.testing.assert_array_equal(lost, np.abs(starts) > np.sqrt(21))
    np.testing.assert_allclose(sorted(found.points[:, 0, 0]), [-1, 0, 1], atol=1e-9)
    assert float(found.share.sum() + found.diverged) == pytest.approx(1)


def test_cycles_and_fixed_points_side_by_side():
    # At Y = 1.1 each sign of X has a 2-cycle; by the symmetry X → -X their basins are mirror images.
    starts = random_starts(-1.6, 1.6, 1000, seed=3)
    found = basin_fractions(SHIPPED["uv_balanced"], np.concatenate([starts, -starts]), Y=1.1, transient=3000)
    np.testing.assert_array_equal(found.period, [2, 2])
    np.testing.assert_array_equal(found.share, [0.5, 0.5])
    root = np.sqrt(2.1**2 - 4)
    np.testing.assert_allclose(np.sort(found.points.values.ravel() ** 2)[::2], [(2.1 - root) / 2, (2.1 + root) / 2])


def test_period_and_divergence_and_chaos():
    starts = np.array([[0.3], [0.6], [-0.5], [1.5]])
    cycle = basin_fractions(logistic, starts, r=3.83)
    np.testing.assert_array_equal(cycle.period, [3])
    np.testing.assert_array_equal(cycle.ends_in, [0, 0, -1, -1])
    chaos = basin_fractions(logistic, starts, r=3.9)
    assert chaos.sizes["attractor"] == 0
    np.testing.assert_array_equal(chaos.ends_in, [-2, -2, -1, -1])
    assert float(chaos.aperiodic) == float(chaos.diverged) == 0.5


def test_a_line_of_fixed_points_fills_the_list():
    starts = grid_starts(np.linspace(2.5, 3.5, 8), np.linspace(0.2, 1.0, 8))
    found = basin_fractions(SHIPPED["uv"], starts, Y=0.3, listed=5)
    assert found.sizes["attractor"] == 5
    assert float(found.share.sum() + found.unlisted) == pytest.approx(1)
    np.testing.assert_allclose(found.points[:, 0, 0] - found.points[:, 0, 1], 4 * 0.3, atol=1e-7)


def test_shares_fall():
    found = basin_fractions(double_well, np.linspace(-1, 4, 301)[:, None], transient=500)
    assert (np.diff(found.share) <= 0).all()
    counts = [(found.ends_in == n).mean() for n in range(found.sizes["attractor"])]
    np.testing.assert_allclose(found.share, counts)


def test_bad_input():
    with pytest.raises(ValueError, match="one value of each parameter, got an array for r"):
        basin_fractions(logistic, [[0.1]], r=[3.0, 3.1])
    with pytest.raises(ValueError, match="listed must be an integer >= 1"):
        basin_fractions(logistic, [[0.1]], r=3.0, listed=0)
    with pytest.raises(ValueError, match="max_period must be an integer >= 1"):
        basin_fractions(logistic, [[0.1]], r=3.0, max_period=0)


def test_starts():
    np.testing.assert_array_equal(grid_starts([0.0, 1.0], [2.0, 3.0, 4.0])[:4], [[0, 2], [0, 3], [0, 4], [1, 2]])
    box = random_starts([0.0, -1.0], [1.0, 3.0], 500, seed=1)
    assert box.shape == (500, 2)
    assert (box >= [0, -1]).all()
    assert (box <= [1, 3]).all()
    np.testing.assert_allclose(box.mean(axis=0), [0.5, 1.0], atol=0.2)
    np.testing.assert_array_equal(box, random_starts([0.0, -1.0], [1.0, 3.0], 500, seed=1))
    with pytest.raises(ValueError, match="corners of a box"):
        random_starts([0.0, 1.0], [1.0, 0.0], 5)
    with pytest.raises(ValueError, match="at least one coordinate"):
        grid_starts()
