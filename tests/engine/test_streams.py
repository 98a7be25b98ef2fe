"""Random numbers of compiled code: published words, exact distributions, one stream per run."""

import math

import numpy as np
import pytest
from scipy import stats

from eossim.engine.streams import _ENDS, _HEIGHTS, below, below_each, logarithm, next_word, normals, stream, streams
from tests.engine.plain import PlainStream


def test_the_generator_gives_its_published_words():
    """First words from the state 1, 2, 3, 4 (test vector of the xoshiro256++ reference code)."""
    state = np.array([1, 2, 3, 4], np.uint64)
    words = [int(next_word(state)) for _ in range(5)]
    assert words == [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205]


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32, 2**64 + 5, 2**127, 2**128 + 3, 2**300 + 1])
def test_states_are_those_of_seed_sequences(seed):
    expected = [np.random.SeedSequence(seed, spawn_key=(run,)).generate_state(4, np.uint64) for run in range(3, 9)]
    np.testing.assert_array_equal(streams(seed, 3, 9).T, expected)
    np.testing.assert_array_equal(stream(seed, 4), expected[1])


@pytest.mark.parametrize("bound", [1, 2, 7, 1000, 3 << 29, 3 << 30, 2**32 - 1])
def test_integers_are_those_of_the_plain_stream(bound):
    """A quarter of the words is rejected at 3·2^29 and 3·2^30."""
    count, runs = 700, 3
    plain = [PlainStream(5, run) for run in range(runs)]
    expected = np.array([[p.below(bound) for p in plain] for _ in range(count)])
    states, found = streams(5, 0, runs), np.empty((count, runs), np.int64)
    for t in range(count):
        below_each(states, bound, found, t)
    np.testing.assert_array_equal(found, expected)
    state = stream(5, 2)
    assert [below(state, bound) for _ in range(count)] == expected[:, 2].tolist()
    assert 0 <= found.min() <= found.max() < bound
    if bound > 2**30:
        assert found.mean() == pytest.approx(bound / 2, abs=4 * bound / math.sqrt(12 * found.size))


def test_normal_numbers_are_those_of_the_plain_stream():
    """All branches: some 1.2 % of the numbers need a second word, one in 4000 lies in the tail."""
    states, found = streams(9, 0, 4), np.empty((10_000, 4))
    normals(states, found)
    plain = [PlainStream(9, run) for run in range(4)]
    np.testing.assert_array_equal(found, np.array([[p.normal() for p in plain] for _ in range(10_000)]))
    assert np.abs(found).max() > _ENDS[1]
    assert [int(next_word(states[:, r].copy())) for r in range(4)] == [p.word() for p in plain]


def test_normal_numbers_are_normal():
    states, found = streams(4, 0, 50), np.empty((60_000, 50))
    normals(states, found)
    x = found.ravel()
    counts = np.histogram(x, stats.norm.ppf(np.linspace(0, 1, 1001)))[0]
    chi = ((counts - x.size / 1000) ** 2).sum() / (x.size / 1000)
    assert abs(chi - 999) < 4 * math.sqrt(2 * 999)
    tail = np.abs(x[np.abs(x) > _ENDS[1]])
    expected = 2 * x.size * stats.norm.sf(_ENDS[1])
    assert abs(tail.size - expected) < 4 * math.sqrt(expected)
    assert stats.kstest(stats.norm.sf(tail) / stats.norm.sf(_ENDS[1]), "uniform").pvalue > 1e-3
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3), (5, 0), (6, 15)):
        spread = math.sqrt(stats.norm.moment(2 * power) - moment**2)
        assert abs((x**power).mean() - moment) < 4 * spread / math.sqrt(x.size)
    assert abs((found[1:] * found[:-1]).mean()) < 4 / math.sqrt(x.size)
    assert abs((found[:, 1:] * found[:, :-1]).mean()) < 4 / math.sqrt(x.size)


def test_the_layers_have_one_area_and_end_at_the_density():
    np.testing.assert_allclose(_HEIGHTS[1:256], np.exp(-(_ENDS[1:256] ** 2) / 2), rtol=1e-14)
    areas = _ENDS[1:256] * np.diff(_HEIGHTS[1:])
    base = _ENDS[1] * _HEIGHTS[1] + math.sqrt(2 * math.pi) * stats.norm.sf(_ENDS[1])
    np.testing.assert_allclose(areas, base, rtol=1e-11)
    assert _ENDS[0] * _HEIGHTS[1] == pytest.approx(base, rel=1e-14)


def test_the_logarithm_is_one():
    x = np.concatenate([np.random.default_rng(0).random(2000), 2.0 ** -np.arange(1, 105), [1 - 2**-53, 1.0, 2**-53]])
    for value in x:
        assert logarithm(value) == logarithm.py_func(value) == pytest.approx(math.log(value), rel=5e-16, abs=0)
