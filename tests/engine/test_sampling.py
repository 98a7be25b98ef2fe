"""Batches: equally likely, each sample once per epoch; methods on them are data that is checked."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from eossim import minibatch, noisy_gd, rules, sgd
from eossim._rule import Rule
from eossim.engine.batches import draw_batch
from eossim.engine.sampling import SAMPLINGS, Minibatch
from eossim.engine.streams import streams
from eossim.symbolic import eta, grad, w


def drawn(sampling, n, size, steps, runs=50, seed=11):
    """Batches of several runs, shape (steps, size, runs), and the order that is left."""
    order = np.tile(np.arange(n, dtype=np.int32), (runs if sampling == "reshuffle" else 1, 1))
    states, batches, begin = streams(seed, 0, runs), np.empty((steps, size, runs), np.int64), 0
    for batch in batches:
        begin = draw_batch(SAMPLINGS.index(sampling), states, order, begin, batch)
    return batches, order


def assert_uniform(seen, outcomes):
    """Chi-square of a counter within four of its standard deviations."""
    assert len(seen) == outcomes
    expected = sum(seen.values()) / outcomes
    chi = sum((count - expected) ** 2 for count in seen.values()) / expected
    assert abs(chi - (outcomes - 1)) < 4 * math.sqrt(2 * (outcomes - 1))


@pytest.mark.parametrize(
    ("sampling", "n", "size", "outcomes"),
    [
        ("without_replacement", 6, 3, 120),
        ("without_replacement", 5, 1, 5),
        ("without_replacement", 4, 4, 24),
        ("iid", 4, 3, 64),
        ("iid", 2, 5, 32),
        ("reshuffle", 6, 3, 120),
        ("reshuffle", 5, 1, 5),
        ("reshuffle", 7, 2, 42),
    ],
)
def test_all_ordered_batches_are_equally_likely(sampling, n, size, outcomes):
    batches, order = drawn(sampling, n, size, 400)
    assert_uniform(Counter(map(tuple, np.moveaxis(batches, 1, 2).reshape(-1, size))), outcomes)
    assert (np.sort(order, axis=1) == np.arange(n)).all()
    if sampling == "without_replacement":
        assert (order == np.arange(n)).all()


@pytest.mark.parametrize("sampling", ["without_replacement", "iid"])
def test_neighbouring_steps_and_runs_are_independent(sampling):
    batches, _ = drawn(sampling, 4, 2, 400)
    first = batches[:, 0]
    assert_uniform(Counter(zip(first[:-1].ravel(), first[1:].ravel(), strict=True)), 16)
    assert_uniform(Counter(zip(first[:, :-1].ravel(), first[:, 1:].ravel(), strict=True)), 16)


@pytest.mark.parametrize(("n", "size"), [(6, 1), (6, 2), (6, 6), (7, 3), (5, 4)])
def test_an_epoch_visits_every_sample_once_and_drops_an_incomplete_batch(n, size):
    blocks = n // size
    batches, _ = drawn("reshuffle", n, size, 600 * blocks)
    epochs = batches.reshape(600, blocks * size, -1)
    assert (np.diff(np.sort(epochs, axis=1), axis=1) > 0).all()
    if n % size == 0:
        assert (np.sort(epochs, axis=1) == np.arange(n)[:, None]).all()
    sums = np.moveaxis(epochs, 1, 2).reshape(-1, blocks * size)
    if blocks * size <= 4 or n == 6:
        places = Counter((int(s[0]), int(s[-1])) for s in sums)
        assert_uniform(places, n * (n - 1))
    assert not (epochs[:-1] == epochs[1:]).all(axis=1).all()


def test_orders_of_one_epoch_are_equally_likely_and_independent_of_the_last():
    batches, _ = drawn("reshuffle", 3, 1, 3 * 800)
    epochs = np.moveaxis(batches.reshape(800, 3, -1), 1, 2)
    orders = [tuple(order) for order in epochs.reshape(-1, 3)]
    assert_uniform(Counter(orders), 6)
    pairs = Counter(
        (tuple(a), tuple(b)) for a, b in zip(epochs[:-1].reshape(-1, 3), epochs[1:].reshape(-1, 3), strict=True)
    )
    assert_uniform(pairs, 36)


def test_constructors_make_data():
    plain = sgd(eta=0.1, batch_size=4)
    assert plain.method.rule.name == "gd"
    assert (plain.sampling, plain.ascent, plain.noise) == ("without_replacement", "same", "batch")
    heavy = sgd(eta=[0.1, 0.2], beta=0.9, batch_size=1, sampling="iid", label_noise=0.5)
    assert (heavy.method.rule.name, heavy.runs, heavy.label_noise) == ("heavy_ball", 2, 0.5)
    assert repr(heavy) == "heavy_ball[eta=0.1..0.2, beta=0.9] on batches[batch_size=1, iid, label_noise=0.5]"
    sharp = minibatch(rules.sam(eta=0.1, rho=0.05), batch_size=4, ascent="independent")
    assert repr(sharp) == "sam[eta=0.1, rho=0.05] on batches[batch_size=4, without_replacement, independent ascent]"
    control = noisy_gd(eta=0.1, batch_size=np.int64(2), noise="diagonal", beta=0.5)
    assert (control.method.rule.name, control.noise, control.batch_size) == ("heavy_ball", "diagonal", 2)
    assert "diagonal noise" in repr(control)


def test_the_spread_is_the_variance_factor_of_all_batches():
    values = np.array([1.0, 2.0, 4.0, 9.0, 3.0])
    for b in range(1, 6):
        subsets = [np.mean(c) for c in itertools.combinations(values, b)]
        for sampling in ("without_replacement", "reshuffle"):
            assert sgd(eta=1, batch_size=b, sampling=sampling).spread(5) * values.var() == pytest.approx(
                np.var(subsets)
            )
    assert sgd(eta=1, batch_size=3, sampling="iid").spread(5) == 1 / 3
    assert sgd(eta=1, batch_size=1).spread(1) == 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: sgd(eta=0.1, batch_size=0), ValueError, "batch_size must be an integer >= 1, got 0"),
        (lambda: sgd(eta=0.1, batch_size=2.0), TypeError, "batch_size must be an integer >= 1, got 2.0"),
        (lambda: sgd(eta=0.1, batch_size=True), TypeError, "batch_size must be an integer"),
        (lambda: sgd(eta=-0.1, batch_size=1), ValueError, "0 < eta"),
        (lambda: sgd(eta=0.1, beta=1.5, batch_size=1), ValueError, "0 <= beta < 1"),
        (lambda: sgd(eta=0.1, batch_size=1, sampling="shuffle"), ValueError, 'did you mean "reshuffle"'),
        (lambda: sgd(eta=0.1, batch_size=1, sampling=True), TypeError, "sampling must be one of"),
        (lambda: sgd(eta=0.1, batch_size=1, label_noise=-1.0), ValueError, "0 <= label_noise < inf required, got"),
        (lambda: sgd(eta=0.1, batch_size=1, label_noise=float("nan")), ValueError, "0 <= label_noise < inf"),
        (lambda: sgd(eta=0.1, batch_size=1, label_noise=[0.1, 0.2]), ValueError, "label_noise must be a single number"),
        (lambda: noisy_gd(eta=0.1, batch_size=1, noise="isotropc"), ValueError, 'did you mean "isotropic"'),
        (lambda: noisy_gd(eta=0.1, batch_size=1, noise="batch"), ValueError, "noise must be one of 'isotropic'"),
        (lambda: noisy_gd(eta=0.1, batch_size=1, sampling="reshuffle"), ValueError, "fresh at every step"),
        (
            lambda: minibatch(rules.ema_momentum(eta=0.1, beta=0.5), batch_size=1),
            ValueError,
            "method must be one of gd",
        ),
        (lambda: minibatch(rules.gd, batch_size=1), TypeError, "bound hyper-parameters"),
        (lambda: minibatch("sgd", batch_size=1), TypeError, "bound hyper-parameters"),
        (lambda: minibatch(rules.sam(eta=1, rho=1), batch_size=1, ascent="sam"), ValueError, 'did you mean "same"'),
        (
            lambda: minibatch(rules.sam(eta=1, rho=1), batch_size=1, sampling="reshuffle", ascent="independent"),
            ValueError,
            "not independent",
        ),
        (lambda: Minibatch(rules.sam(eta=1, rho=1), 1, noise="diagonal"), ValueError, "sam needs batches"),
        (lambda: Minibatch(rules.gd(eta=1), 1, noise="gaussian", label_noise=0.1), ValueError, "label noise goes with"),
    ],
)
def test_what_makes_no_sense_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_rule_of_ones_own_with_a_known_name_is_refused():
    mine = Rule("gd", hyper=(eta,), update={w: w - 2 * eta * grad(w)})
    with pytest.raises(ValueError, match="method must be one of"):
        minibatch(mine(eta=0.1), batch_size=1)
