"""Expectations over batches: against all batches, in exact rationals."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from eossim.theory.batches import Batches, partition_weights, partitions

SAMPLES = 4
SETTINGS = [*itertools.product(range(1, SAMPLES + 1), (False, True)), (5, True)]
settings = pytest.mark.parametrize(("size", "replacement"), SETTINGS)


def all_batches(n, b, replacement):
    return list(itertools.product(range(n), repeat=b) if replacement else itertools.combinations(range(n), b))


def rationals(rng, *shape):
    return np.array([Fraction(int(k), int(m)) for k, m in rng.integers(1, 9, (np.prod(shape), 2))]).reshape(shape)


def floats(array):
    return np.asarray(array, dtype=float)


@pytest.mark.parametrize(("order", "bell"), [(1, 1), (2, 2), (3, 5), (4, 15), (5, 52)])
def test_partitions_are_as_many_as_bell_numbers_and_all_different(order, bell):
    found = list(partitions(order))
    assert len(found) == len(set(found)) == bell


@settings
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_weights_average_any_function_of_the_samples(order, size, replacement):
    """One function value per tuple of samples: the expectation is linear in them, so random ones tell all apart."""
    values = rationals(np.random.default_rng(order), *(SAMPLES,) * order)
    batches = all_batches(SAMPLES, size, replacement)
    exact = sum(values[np.ix_(*(list(batch),) * order)].sum() for batch in batches) / (len(batches) * size**order)
    by_weights = sum(
        weight * sum(float(values[tuple(at[k] for k in labels)]) for at in np.ndindex(*(SAMPLES,) * (max(labels) + 1)))
        for labels, weight in partition_weights(order, SAMPLES, size, replacement).items()
    )
    assert by_weights == pytest.approx(float(exact), rel=1e-12)


def test_the_full_batch_has_one_weight():
    assert partition_weights(4, SAMPLES, SAMPLES, False) == {(0, 1, 2, 3): SAMPLES**-4}


@pytest.mark.parametrize(("samples", "size"), [(1000, 7), (1000, 999), (1000, 1000), (3, 2)])
def test_weights_keep_constants(samples, size):
    for order in range(1, 5):
        weights = partition_weights(order, samples, size, False)
        assert sum(w * samples ** (max(p) + 1) for p, w in weights.items()) == pytest.approx(1, rel=1e-12)


@settings
@pytest.mark.parametrize(("left", "right"), [(0, 1), (1, 0), (2, 0), (1, 1), (2, 1), (1, 2), (2, 2)])
def test_sandwich_is_the_mean_over_all_batches(left, right, size, replacement):
    rng = np.random.default_rng(10 * left + right)
    P, Q, S = rationals(rng, SAMPLES, 2), rationals(rng, SAMPLES, 2) - 1, rationals(rng, 3, 2, 2)
    batches = all_batches(SAMPLES, size, replacement)
    identity = np.array([[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]])
    total = 0
    for batch in batches:
        A = P[list(batch)].T.dot(Q[list(batch)]) / Fraction(size)
        before, after = identity, identity
        for _ in range(left):
            before = before.dot(A)
        for _ in range(right):
            after = after.dot(A)
        total = total + np.array([before.dot(s).dot(after.T) for s in S])
    found = Batches(floats(P), floats(Q), size, replacement).sandwich(floats(S), left, right)
    np.testing.assert_allclose(found, floats(total / len(batches)), rtol=1e-12, atol=1e-12)


def test_power_is_the_mean_of_the_power():
    rng = np.random.default_rng(0)
    P, Q = rng.standard_normal((2, 5, 3))
    A = [P[list(batch)].T @ Q[list(batch)] / 3 for batch in all_batches(5, 3, False)]
    for k in (1, 2, 3):
        mean = np.mean([np.linalg.matrix_power(a, k) for a in A], axis=0)
        np.testing.assert_allclose(Batches(P, Q, 3, False).power(k), mean, rtol=1e-12, atol=1e-13)


def test_a_large_stack_is_cut_without_a_trace(monkeypatch):
    rng = np.random.default_rng(0)
    P, Q = rng.standard_normal((2, 9, 3))
    S = rng.standard_normal((2, 5, 3, 3))
    whole = Batches(P, Q, 2, False).sandwich(S, 2, 2)
    monkeypatch.setattr("eossim.theory.batches._CHUNK", 200)  # two matrices at a time
    np.testing.assert_allclose(Batches(P, Q, 2, False).sandwich(S, 2, 2), whole, rtol=1e-13)
