"""Sums over modes: against fifty digits for a few modes, against plain NumPy for many."""

import subprocess
import sys

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.theory.risk.filters import powers
from eossim.theory.risk.sums import curve_sums

STEPS = np.array([0, 1, 2, 3, 7, 63, 64, 65, 127, 4095, 4096, 4097, 99_999, 10**6, 10**9, 10**9 + 1, 10**12])


def exact_sums(u, weights, steps):
    """The four sums in fifty digits, shape (4, steps)."""
    found = np.empty((4, len(steps)))
    with mp.workdps(50):
        q = [1 - mp.mpf(float(x)) for x in u]
        a, b, c = ([mp.mpf(float(w)) for w in row] for row in weights)
        for p, k in enumerate(steps):
            z = [x ** int(k) for x in q]
            found[0, p] = mp.fsum(w * x * x for w, x in zip(a, z, strict=True))
            found[1, p] = mp.fsum(w * x * x for w, x in zip(b, z, strict=True))
            found[2, p] = mp.fsum(w * (1 - x) ** 2 for w, x in zip(c, z, strict=True))
            found[3, p] = mp.fsum(1 - x for x in z)
    return found


def weights_of(modes, seed=0):
    return 10 ** np.random.default_rng(seed).uniform(-3, 3, (3, modes))


def assert_sums(u, steps=STEPS, seed=0):
    u, weights = np.asarray(u, dtype=float), weights_of(len(u), seed)
    np.testing.assert_allclose(curve_sums(u, weights, steps), exact_sums(u, weights, steps), rtol=1e-11, atol=1e-250)


@pytest.mark.parametrize(
    "u",
    [
        [1e-14], [1e-9], [1e-5], [0.003], [0.3], [0.999], [1.0], [1.3], [1.999], [1e-300],
        [0.1, 0.1, 0.1], [1e-9, 0.5, 1e-14, 0.5, 1.5, 1.0, 1e-9, 0.999], [1.9, 1.1, 1.0, 1.0], [0.5, 1e-3, 0.9, 1e-6],
        [1e-12, 0.999999], np.geomspace(1e-14, 1.99, 40)[::-1],
    ],
    ids=lambda u: f"{len(u)}-{u[0]:g}",
)  # fmt: skip
def test_few_modes_to_eleven_digits(u):
    assert_sums(u)


@pytest.mark.parametrize("k", [1, 2, 5, 63, 64, 65, 4096, 10**6, 10**9])
def test_a_single_step(k):
    assert_sums([1e-9, 0.01, 0.3, 1.4], np.array([k]))


@pytest.mark.parametrize("edge", [0.01, 354.0])
def test_on_both_sides_of_where_the_way_of_summing_changes(edge):
    """The modes leave the moments at k l = 0.01, and are counted beyond 354."""
    k = 1000
    rate = edge / k * (1 + np.array([-1e-3, -1e-9, -1e-15, 0, 1e-15, 1e-9, 1e-3]))
    assert_sums(-np.expm1(-rate), np.array([k - 1, k, k + 1]))


@pytest.mark.parametrize("k", [2**60 - 1, 2**60, 2 * 10**18, 2**62 - 1])
def test_far_steps(k):
    assert_sums([1e-18, 1e-19, 1e-17, 0.3, 1.4], np.array([3, k]))


def test_the_farthest_step_ends():
    """In a process of its own: a loop in compiled code cannot be interrupted."""
    lines = (
        "import numpy as np",
        "from eossim.theory.risk.sums import curve_sums",
        "print(curve_sums(np.array([1e-19]), np.ones((3, 1)), np.array([2**63 - 1]))[3, 0])",
    )
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, timeout=10, check=True)
    assert float(run.stdout) == pytest.approx(-np.expm1(-(2.0**63) * 1e-19), rel=1e-11)


@given(
    st.lists(st.floats(1e-14, 1.999), min_size=1, max_size=12),
    st.sets(st.one_of(st.integers(0, 200), st.integers(0, 10**10)), min_size=1, max_size=12),
    st.integers(0, 100),
)
def test_any_modes_and_steps(u, steps, seed):
    assert_sums(u, np.array(sorted(steps)), seed)


def test_many_modes_at_every_step():
    rng = np.random.default_rng(1)
    u = rng.permutation(np.concatenate([np.geomspace(1e-9, 0.999, 1500), np.full(300, 0.01), rng.uniform(1, 1.9, 200)]))
    weights, steps = weights_of(u.size), np.arange(600)
    z, y = powers(u, steps)
    expected = np.stack([z**2 @ weights[0], z**2 @ weights[1], y**2 @ weights[2], y.sum(axis=1)])
    np.testing.assert_allclose(curve_sums(u, weights, steps), expected, rtol=1e-11)


def test_many_modes_at_far_steps():
    u = np.random.default_rng(2).permutation(np.geomspace(1e-12, 1.9, 3000))
    weights, steps = weights_of(u.size), np.unique(np.geomspace(1, 1e12, 200).astype(np.int64))
    z, y = powers(u, steps)
    expected = np.stack([z**2 @ weights[0], z**2 @ weights[1], y**2 @ weights[2], y.sum(axis=1)])
    np.testing.assert_allclose(curve_sums(u, weights, steps), expected, rtol=1e-11)


def test_the_order_of_modes_does_not_matter():
    rng = np.random.default_rng(3)
    u, weights = rng.uniform(0, 1.9, 50), weights_of(50)
    order = rng.permutation(50)
    np.testing.assert_allclose(
        curve_sums(u[order], weights[:, order], STEPS), curve_sums(u, weights, STEPS), rtol=1e-12
    )


def test_a_subset_of_steps_gives_the_same_sums():
    """Products of digits are reused between steps: what was asked for before must not matter."""
    rng = np.random.default_rng(4)
    u, weights = rng.uniform(0, 1.2, 30) ** 3, weights_of(30)
    every = curve_sums(u, weights, np.arange(20_000))
    for size in (1, 2, 10, 100):
        for _ in range(20):
            steps = np.sort(rng.choice(20_000, size, replace=False))
            np.testing.assert_allclose(curve_sums(u, weights, steps), every[:, steps], rtol=1e-12)


def test_no_modes_sum_to_zero():
    np.testing.assert_array_equal(curve_sums(np.empty(0), np.empty((3, 0)), np.array([0, 5])), np.zeros((4, 2)))


def test_zero_weights_are_allowed():
    sums = curve_sums(np.array([0.5, 1e-3]), np.zeros((3, 2)), STEPS)
    np.testing.assert_array_equal(sums[:3], 0)
    np.testing.assert_allclose(sums[3, 1], 0.501, rtol=1e-12)
