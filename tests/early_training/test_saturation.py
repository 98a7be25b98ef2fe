import numpy as np
import pytest

from eossim.early_training.saturation import saturation_grid, saturation_knee


def bent(c, knee, slope=-1.0):
    return np.where(c < knee, 1.0, 1 + slope * (c - knee))


@pytest.mark.parametrize("knee", [1.5, 2.0, 2.75])
def test_knee_of_a_broken_line(knee):
    c = saturation_grid(3.5)
    found = saturation_knee(c, bent(c, knee))
    assert found.c_crit == pytest.approx(knee, abs=1e-9)
    assert found.reason == ""


def test_depth_is_the_second_derivative_of_the_local_cubic():
    c = saturation_grid(3.5)
    found = saturation_knee(c, bent(c, 2.0))
    u = 0.05 * np.arange(-3, 4)
    local = np.polynomial.Polynomial.fit(u, bent(2.0 + u, 2.0), 3).deriv(2)
    assert found.depth == pytest.approx(-local(0.0), rel=1e-9)


@pytest.mark.parametrize("grid", [2.0 ** np.arange(-2, 2.05, 0.05), np.linspace(0.25, 4, 151)])
def test_other_grids_are_interpolated(grid):
    assert saturation_knee(grid, bent(grid, 2.0)).c_crit == pytest.approx(2.0, abs=0.06)


@pytest.mark.parametrize("level", [[1.0, 0.94], [0.72, 0.69]])
def test_no_plateau_no_knee(level):
    c = saturation_grid()
    ratio = np.interp(c, [0.5, 1.0, 2.0, 4.0], [*level, 0.5, 0.1])
    found = saturation_knee(c, ratio)
    assert (found.c_crit, found.depth, found.reason) == (None, None, "crossover")


@pytest.mark.parametrize(
    ("ratio", "reason"),
    [
        (np.ones_like, "no bend"),
        (lambda c: 1 - 0.02 * c, "no bend"),
        (lambda c: 1 + 1e-3 * np.random.default_rng(0).standard_normal(c.size), "no bend"),
        (lambda c: bent(c, 2.0, -0.04), "no bend"),
        (lambda c: np.exp(-0.05 * c), "no bend"),
        (lambda c: 1 - 0.9 * (c / 4) ** 4, "at the end"),
        (lambda c: bent(c, 3.4), "at the end"),
    ],
)
def test_no_knee(ratio, reason):
    c = saturation_grid(4.0)
    found = saturation_knee(c, ratio(c))
    assert (found.c_crit, found.depth, found.reason) == (None, None, reason)


def test_a_weak_bend_is_a_knee():
    c = saturation_grid(4.0)
    found = saturation_knee(c, bent(c, 2.0, -0.06))
    assert found.c_crit == pytest.approx(2.0)
    assert found.depth == pytest.approx(0.06 * 12 / 42 / 0.05, rel=1e-9)  # weights (5, 0, -3, -4, -3, 0, 5)/42


def test_the_least_cover_up_to_rounding():
    c = np.arange(0.25, 2.5001, 0.05)
    assert c[-1] < 2.5
    assert saturation_knee(c, bent(c, 2.0)).c_crit == pytest.approx(2.0)


def test_plateau_at_the_limits():
    c = saturation_grid()
    ratio = np.interp(c, [0.5, 1.0, 2.0, 4.0], [0.75, 0.7005, 0.65, 0.1])
    assert saturation_knee(c, ratio).reason == ""


def test_digits_of_depth_four_cross_over():
    """Ratios at c = 0.5, 1, 1.5, 2, 2.5, 3, 4, 8 measured on digits, (4, 64)."""
    c = np.array([0.5, 1, 1.5, 2, 2.5, 3, 4, 8])
    assert saturation_knee(c, [0.263, 0.253, 0.236, 0.206, 0.175, 0.153, 0.119, 0.062]).reason == "crossover"


def test_the_grid_ends_where_a_run_diverged():
    c = saturation_grid(4.0)
    ratio = np.where(c > 3.2, np.nan, bent(c, 2.0))
    assert saturation_knee(c, ratio).c_crit == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("c", "ratio", "message"),
    [
        ([1, 2, 2], [1, 1, 1], "c must increase strictly"),
        ([1, 2], [1, 1, 1], r"one value per c, shape \(2,\), got \(3,\)"),
        ([0.6, 3], [1, 1], "must cover 0.5 to 2.5, got 0.6 to 3"),
        ([0.5, 2, 3], [1, 1, np.inf], "must cover 0.5 to 2.5, got 0.5 to 2"),
        ([0.5, 3], [np.nan, 1], "must cover 0.5 to 2.5, got none"),
        ([0.5, 1, 2, 2.5], [1, 1, 1, 0.5], "c between 0.5 and 2.5 must have gaps of at most 0.25, got 1"),
        ([0.5, 3], [1, 1], "gaps of at most 0.25, got 2.5"),
    ],
)
def test_bad_input(c, ratio, message):
    with pytest.raises(ValueError, match=message):
        saturation_knee(c, ratio)


def test_grid():
    grid = saturation_grid(3.5)
    np.testing.assert_allclose(grid, np.linspace(0.25, 3.5, 66), rtol=1e-12)
    with pytest.raises(ValueError, match=r"2.5 <= c_max"):
        saturation_grid(2.0)
