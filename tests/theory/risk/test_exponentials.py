"""Roots of sums of exponentials: constructed ones, against fifty digits, and the hard places."""

from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eossim.theory.risk.exponentials import ExponentialSum
from tests.limits import within
from tests.strategies import seeds


def with_roots(roots, rate=1.0):
    """prod_j (x - exp(-k_j)), x = exp(-rate k): a plain sum with roots k_j / rate and no others on k > 0."""
    coefficients = np.array([1.0])
    for k in roots:
        coefficients = np.convolve(coefficients, [1.0, -np.exp(-k)])
    return ExponentialSum.plain(coefficients, rate * np.arange(len(roots), -1.0, -1.0))


def sign_changes(coefficients, rates):
    distinct = np.unique(rates)
    summed = np.array([coefficients[rates == r].sum() for r in distinct])
    signs = np.sign(summed[summed != 0])
    return int(np.count_nonzero(np.diff(signs)))


def value(f, k):
    """F(k) in fifty digits."""
    with mp.workdps(50):
        k = mp.mpf(float(k))
        terms = []
        for c, r, d in zip(f.coefficients, f.rates, f.gaps, strict=True):
            fall = mp.exp(-mp.mpf(float(r)) * k)
            terms.append(mp.mpf(float(c)) * fall * (1 if np.isinf(d) else -mp.expm1(-mp.mpf(float(d)) * k)))
        return mp.fsum(terms)


# --- roots that are known ---


@pytest.mark.parametrize(
    "roots",
    [
        [1.0], [0.5, 3.0], [1.0, 2.0, 3.0], [1e-3, 1.0], [1e-6, 1.0], [1e-6, 1e-3, 1.0], [30.0], [1.0, 30.0],
        [1.0, 1.001], [1.0, 1.00001], [0.7, 0.701, 0.702], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0], [0.2, 0.4, 0.6, 0.8],
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("rate", [1.0, 1e-12, 1e9])
def test_known_roots_are_all_found(roots, rate):
    if rate != 1 and min(np.diff(roots), default=1) < 0.002:
        return  # slow
    with within(6):
        found = with_roots(roots, rate).roots() * rate
    assert found.size == len(roots)
    gaps = np.min([abs(a - b) for a, b in pairwise(roots)], initial=1.0)
    np.testing.assert_allclose(found, roots, rtol=1e-9 / gaps)


def test_no_terms_and_no_roots():
    assert ExponentialSum.plain(np.empty(0), np.empty(0)).roots().size == 0
    assert ExponentialSum.plain(np.zeros(2), np.array([1.0, 2.0])).roots().size == 0
    assert ExponentialSum.plain(np.array([1.0]), np.array([0.3])).roots().size == 0
    assert ExponentialSum.plain(np.array([1.0, 2.0]), np.array([0.0, 1.0])).roots().size == 0
    assert ExponentialSum.plain(np.array([-1.0, 2.0]), np.array([1.0, 0.0])).roots().size == 0
    assert ExponentialSum(np.array([1.0, 1.0]), np.array([0.1, 2.0]), np.array([0.1, np.inf])).roots().size == 0


def test_a_root_that_is_missed_by_little():
    """X^2 - 2 x + 1 + e, x = exp(-k) about 1/2 after a shift: (x - 1/2)^2 + e has no root."""
    for e in (1e-3, 1e-6, 1e-9, 1e-12):
        f = ExponentialSum.plain(np.array([1.0, -1.0, 0.25 + e]), np.array([2.0, 1.0, 0.0]))
        assert f.roots().size == 0
        f = ExponentialSum.plain(np.array([1.0, -1.0, 0.25 - e]), np.array([2.0, 1.0, 0.0]))
        with mp.workdps(30):
            exact = [float(-mp.log(mp.mpf(1) / 2 + s * mp.sqrt(mp.mpf(1) / 4 - mp.mpf(0.25 - e)))) for s in (1, -1)]
        np.testing.assert_allclose(f.roots(), exact, rtol=3e-16 / np.sqrt(e) + 1e-13)


@pytest.mark.parametrize("k", [1e-9, 1e-3, 1.0, 1e6, 1e12, 1e15])
def test_a_root_anywhere(k):
    """(exp(-k l) - 1/2): the root is k for l = ln 2 / k, whatever the other rate is."""
    rate = np.log(2) / k
    for shift in (0.0, 1.0, 1e-15):
        f = ExponentialSum.plain(np.array([-0.5, 1.0]), np.array([shift, shift + rate]))
        gap = (shift + rate) - shift  # what is left of the rate after rounding
        if gap == 0:
            continue
        np.testing.assert_allclose(f.roots(), [np.log(2) / gap], rtol=1e-12)


def test_a_root_far_behind_another_rate():
    f = ExponentialSum.plain(np.array([-1e-9, 1.0]), np.array([0.0, 1e-6]))
    np.testing.assert_allclose(f.roots(), [np.log(1e9) / 1e-6], rtol=1e-12)
    f = ExponentialSum.plain(np.array([1e-3, -1.0, 1.0]), np.array([1e-12, 1e-3, 1e2]))
    exact = [float(mp.findroot(lambda k: value(f, k), x)) for x in (1e-5, 6907.0)]
    np.testing.assert_allclose(f.roots(), exact, rtol=1e-11)


@pytest.mark.parametrize("roots", [[2.0, 2.0], [0.3, 0.3], [2.0, 2.0, 2.0], [1.0, 1.0, 3.0]], ids=str)
def test_repeated_zeros_keep_count_and_parity(roots):
    """Rounded coefficients may split a double zero in two or none, never in more than Descartes allows."""
    with within(3):
        found = with_roots(roots).roots()
    assert found.size <= len(roots)
    assert found.size % 2 == len(roots) % 2
    assert np.min(np.abs(found[:, None] - roots), axis=1, initial=9.0).max(initial=0.0) < 1e-3


@pytest.mark.parametrize("gap", [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8])
def test_close_roots_are_both_or_neither(gap):
    """Below 1e-7 the dip between the roots is smaller than rounding: none or both, never an odd number."""
    with within(3):
        found = with_roots([1.0, 1.0 + gap]).roots()
    assert found.size in ({2} if gap > 1e-6 else {0, 2})


# --- pairs ---


@given(
    st.lists(st.floats(-3, 3).filter(lambda c: abs(c) > 1e-3), min_size=1, max_size=4),
    seeds,
    st.sampled_from([1.0, 1e-3, 1e-8, 1e-12]),
)
def test_pairs_that_are_close_give_the_roots_of_their_derivative(coefficients, seed, size):
    """As d -> 0, exp(-r k) (1 - exp(-d k)) -> d k exp(-r k): roots agree to order d with those of sum c d exp(-r k)."""
    rng = np.random.default_rng(seed)
    rates, shapes = np.sort(rng.uniform(0.1, 3, len(coefficients))), rng.uniform(0.5, 1, len(coefficients))
    assume(np.min(np.diff(rates), initial=1.0) > 0.1)
    f = ExponentialSum(np.array(coefficients), rates, size * shapes)
    with within(3):
        found = f.roots()
    for k in found:
        below, above = value(f, k * (1 - 1e-6)), value(f, k * (1 + 1e-6))
        assert below * above < 0
    if size < 1e-6:
        limit = ExponentialSum.plain(np.array(coefficients) * shapes, rates).roots()
        clear = [k for k in limit if 1e-2 < k < 100]
        assert all(np.min(np.abs(found - k), initial=np.inf) < 1e-4 * k for k in clear)


@pytest.mark.parametrize("size", [1e-3, 1e-8, 1e-13, 1e-30])
def test_tiny_gaps_are_exact(size):
    """C (exp(-k) - exp(-(1 + d) k)) - C' (exp(-2k) - exp(-(2 + d) k)): the root is ln(C'/C) for every d."""
    f = ExponentialSum(np.array([1.0, -3.0]), np.array([1.0, 2.0]), np.array([size, size]))
    np.testing.assert_allclose(f.roots(), [np.log(3)], rtol=1e-13)


def test_values_are_exact_where_a_difference_would_cancel():
    f = ExponentialSum(np.array([2.0, -1.5]), np.array([1.0, 0.5]), np.array([1e-12, 2e-12]))
    for k in (1e-6, 0.1, 3.0):
        np.testing.assert_allclose(f(k), float(value(f, k)), rtol=1e-13)


def test_derivative_and_bounds():
    rng = np.random.default_rng(0)
    for _ in range(50):
        gaps = np.where(rng.random(4) < 0.5, np.inf, rng.uniform(0.01, 2, 4))
        f = ExponentialSum(rng.standard_normal(4), rng.uniform(0, 3, 4), gaps)
        a = np.sort(rng.uniform(0.01, 3, 2))
        low, high = f.bounds(a[:1], a[1:])
        inside = [float(value(f, k)) for k in np.linspace(*a, 7)]
        assert low[0] <= min(inside)
        assert max(inside) <= high[0]
        slope = (value(f, a[0] + 1e-8) - value(f, a[0] - 1e-8)) / 2e-8
        np.testing.assert_allclose(f.derivative(a[0]), float(slope), rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(f.slowed()(a[0]), f(a[0]) * np.exp(f.rates.min() * a[0]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("coefficients", "rates", "gaps", "roots"),
    [
        ([1.0, -1.0], [0.0, 0.0], [1.0, 2.0], []),  # exp(-2k) - exp(-k): the slowest terms cancel
        ([1.0, -1.0, 0.1], [0.0, 0.0, 1.0], [1.0, 2.0, np.inf], [-np.log(0.9)]),  # exp(-k) (exp(-k) - 0.9)
        ([1.0], [0.3], [0.5], []),  # one term, always positive
        ([1.0, 2.0], [0.3, 0.3], [0.5, 0.5], []),
        ([1.0, -1.0], [0.3, 0.3], [0.5, 0.5], []),  # zero everywhere
        ([1.0, -1.0], [1.0, 1.0], [np.inf, np.inf], []),
        ([2.0, -1.0], [1.0, 1.0], [1.0, 2.0], []),  # exp(-k) (1 - exp(-k))^2
        ([-2.0, 1.0], [1.0, 1.0], [0.5, 1.0], []),  # slope zero at the start
        ([3.0, -3.0, 1.0], [1.0, 1.0, 1.0], [1.0, 2.0, 3.0], []),  # exp(-k) (1 - exp(-k))^3
        ([2.0 + 1e-12, -1.0], [1.0, 1.0], [1.0, 2.0], []),
    ],
)
def test_degenerate_sums_end(coefficients, rates, gaps, roots):
    with within(3):
        found = ExponentialSum(*(np.array(x, dtype=float) for x in (coefficients, rates, gaps))).roots()
    np.testing.assert_allclose(found, roots)


# --- number of roots ---


@given(st.integers(1, 8), seeds)
def test_no_more_roots_than_sign_changes_and_of_the_same_parity(terms, seed):
    rng = np.random.default_rng(seed)
    coefficients, rates = rng.standard_normal(terms), np.unique(rng.uniform(0, 4, terms))
    assume(abs(coefficients.sum()) > 1e-3)
    with within(3):
        found = ExponentialSum.plain(coefficients, rates).roots()
    bound = sign_changes(coefficients, rates)
    assert found.size <= bound
    # the signs at k = 0 and at infinity are those of the sum and of the slowest term
    assert (np.sign(coefficients.sum()) != np.sign(coefficients[0])) == bool(found.size % 2)


@given(st.integers(2, 8), seeds)
def test_roots_are_those_of_a_dense_grid(terms, seed):
    rng = np.random.default_rng(seed)
    coefficients, rates = rng.standard_normal(terms), np.unique(rng.uniform(0.05, 4, terms))
    f = ExponentialSum.plain(coefficients, rates)
    with within(3):
        found = f.roots()
    grid = np.geomspace(1e-6, 2000, 100_000)
    values = (coefficients * np.exp(-np.outer(grid, rates - rates.min()))).sum(axis=1)
    crossed = np.flatnonzero(values[:-1] * values[1:] < 0)
    inside = found[(found > 2e-6) & (found < 1500)]
    for k in crossed:
        assert ((found >= grid[k] * (1 - 1e-9)) & (found <= grid[k + 1] * (1 + 1e-9))).any()
    assert inside.size >= crossed.size
    for k in found:
        assert value(f, k * (1 - 1e-9)) * value(f, k * (1 + 1e-9)) < 0


def test_scaling_of_coefficients_and_of_time():
    f = with_roots([0.4, 1.0, 2.5])
    for c, t in [(1e-200, 1.0), (1e200, 1.0), (1.0, 1e-100), (1.0, 1e100), (-3.0, 1e-6)]:
        scaled = ExponentialSum.plain(c * f.coefficients, t * f.rates)
        np.testing.assert_allclose(scaled.roots() * t, [0.4, 1.0, 2.5], rtol=1e-10)


def test_many_terms():
    """A risk difference of 400 modes: one root, where the grid has it."""
    rng = np.random.default_rng(1)
    rates = np.geomspace(1e-6, 1, 400)
    signal_, noise = rng.uniform(0, 1, 400), np.full(400, 0.3)
    f = ExponentialSum(
        np.concatenate([signal_ + noise, -2 * noise]), np.concatenate([2 * rates, rates]),
        np.concatenate([0.2 * rates, 0.1 * rates]),
    )  # fmt: skip
    with within(3):
        found = f.roots()
    grid = np.geomspace(1e-3, 1e9, 4000)
    values = np.array([f.slowed()(k) for k in grid])
    assert found.size == np.count_nonzero(values[:-1] * values[1:] < 0)
