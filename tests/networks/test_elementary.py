"""tanh and exp of compiled code against mpmath."""

import mpmath
import numpy as np
import pytest
from numba import njit

from eossim.networks._elementary import exp, tanh


@njit(error_model="numpy")  # not cached: the cache does not see changes of what is called
def tanh_of(x, out):
    for k in range(x.size):
        out[k] = tanh(x[k])


@njit(error_model="numpy")
def exp_of(x, out):
    for k in range(x.size):
        out[k] = exp(x[k])


def worst(found, x, exact):
    """Return the largest error in units in the last place of the exact value."""
    errors = []
    for a, f in zip(x, found, strict=True):
        value = exact(mpmath.mpf(float(a)))
        errors.append(
            abs(mpmath.mpf(float(f)) - value) / mpmath.mpf(float(np.spacing(abs(x.dtype.type(float(value))))))
        )
    return float(max(errors))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_three_ulp(dtype):
    rng = np.random.default_rng(0)
    info = np.finfo(dtype)
    parts = [
        rng.uniform(-0.6, 0.6, 4000),
        rng.uniform(-25, 25, 3000),
        np.linspace(0.1, 0.5, 3000),  # both sides of where the range is first reduced
        10.0 ** rng.uniform(np.log10(info.tiny), 0, 1000),
        [info.tiny, info.max, -info.smallest_subnormal, 7 * info.smallest_subnormal, 0.0],
    ]
    x = np.concatenate(parts).astype(dtype)
    found = np.empty_like(x)
    tanh_of(x, found)
    assert found.dtype == dtype
    assert worst(found, x, mpmath.tanh) <= 3
    below = -np.abs(x[np.abs(x) < (700 if dtype == np.float64 else 87)])
    found = np.empty_like(below)
    exp_of(below, found)
    assert worst(found, below, mpmath.exp) <= 3


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_special_values(dtype):
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 1e4, -1e4], dtype)
    found = np.empty_like(x)
    tanh_of(x, found)
    np.testing.assert_array_equal(found, np.array([np.nan, 1, -1, -0.0, 1, -1], dtype))
    assert np.signbit(found[3])
    exp_of(x[[0, 2, 3, 5]], found[:4])
    np.testing.assert_array_equal(found[:4], np.array([np.nan, 0, 1, 0], dtype))


def test_odd():
    x = np.random.default_rng(1).standard_normal(1000) * 5
    left, right = np.empty_like(x), np.empty_like(x)
    tanh_of(x, left)
    tanh_of(-x, right)
    np.testing.assert_array_equal(left, -right)
