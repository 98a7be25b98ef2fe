"""Values of the theory notes, exact."""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest

from eossim.measure import (
    batch_sharpness,
    expected_batch_lambda_max,
    gradient_moments,
    gradient_noise_interaction,
    interaction_aware_sharpness,
    momentum_batch_sharpness,
    population_factors,
    sharpness_report,
)
from eossim.measure.estimate import mean_of_ratios, ratio_of_means
from eossim.measure.point import Forms
from eossim.problems import QuadraticSum
from tests.measure.cases import V2, V4, V9, Products, icosahedron


def same(measured, value):
    assert float(measured) == pytest.approx(float(value), rel=1e-12, abs=0)


def all_five(problem, w, b, values, **how):
    for found, value in zip(
        (
            batch_sharpness(problem, w, b, **how),
            batch_sharpness(problem, w, b, estimator="ratio_of_means", **how),
            interaction_aware_sharpness(problem, w, b, **how),
            gradient_noise_interaction(problem, w, b, **how),
            expected_batch_lambda_max(problem, w, b, **how),
        ),
        values,
        strict=True,
    ):
        if value is not None:
            same(found, value)
            assert found.exact
            assert found.error == 0
            assert found.interval == (found.value, found.value)


@pytest.mark.parametrize(
    ("n", "b", "p", "kappa"),
    [
        (4, 1, 1, 1),
        (4, 2, Fraction(1, 3), 0),
        (4, 3, Fraction(1, 9), Fraction(-1, 27)),
        (10, 3, Fraction(7, 27), Fraction(7, 162)),
    ],
)
def test_v1_factors(n, b, p, kappa):
    factors = population_factors(n, b)
    assert (factors.p, factors.kappa_3) == (float(p), float(kappa))


@pytest.mark.parametrize(
    ("b", "replacement", "values", "square"),
    [
        (
            1,
            False,
            (Fraction(8, 3), Fraction(70, 19), Fraction(31, 19), Fraction(93, 25), Fraction(8, 3)),
            Fraction(76, 3),
        ),
        (
            2,
            False,
            (
                Fraction(745, 442),
                Fraction(203, 88),
                Fraction(109, 66),
                Fraction(109, 50),
                1.5 + (sqrt(2) + sqrt(5)) / 6,
            ),
            Fraction(44, 3),
        ),
        (
            2,
            True,
            (
                Fraction(4003, 1989),
                Fraction(483, 164),
                Fraction(202, 123),
                Fraction(202, 75),
                17 / 9 + (sqrt(2) + sqrt(5)) / 9,
            ),
            Fraction(164, 9),
        ),
        (
            3,
            False,
            (Fraction(5, 3), Fraction(5, 3), Fraction(5, 3), Fraction(5, 3), (4 + sqrt(2)) / 3),
            Fraction(100, 9),
        ),
    ],
)
def test_v2_three_quadratics(b, replacement, values, square):
    all_five(V2, [1, -1], b, values, replacement=replacement)
    same(gradient_moments(V2, [1, -1], b, sampling="with" if replacement else "without").grad_square, square)
    same(sharpness_report(V2, [1, -1], b, replacement=replacement)[b].lambda_max, (4 + sqrt(2)) / 3)


def test_v5_ratio_of_means_below_batch_sharpness():
    all_five(V4, [0, 0], 3, (Fraction(31, 40), Fraction(13, 17), Fraction(3, 4), Fraction(17, 15), 1))
    all_five(V4, [0, 0], 4, (Fraction(3, 4),) * 5)


def test_v6_a_zero_gradient_is_counted():
    zero = batch_sharpness(V4, [0, 0], 1)
    same(zero, 1)
    assert (zero.batches, zero.zero_gradients, zero.zero_share) == (4, 1, 0.25)
    skipped = batch_sharpness(V4, [0, 0], 1, zero_gradient="skip")
    same(skipped, Fraction(4, 3))
    assert skipped.zero_gradients == 1
    with pytest.raises(ValueError, match="1 of 4 batches have zero gradient"):
        batch_sharpness(V4, [0, 0], 1, zero_gradient="error")


@pytest.mark.parametrize(
    ("b", "sharpness", "ratio"),
    [(1, 0.973759461733, 0.984313725490), (2, 0.832641079502, 0.867264573991), (4, 0.755601120151, 0.771980676329)],
)
def test_v8_icosahedron(b, sharpness, ratio):
    problem, w = icosahedron(0.2), [1, 1, 1]
    assert float(batch_sharpness(problem, w, b)) == pytest.approx(sharpness, abs=1e-12)
    assert float(batch_sharpness(problem, w, b, estimator="ratio_of_means")) == pytest.approx(ratio, abs=1e-12)


def test_v8_batch_sharpness_above_two_is_no_divergence():
    eta, epsilon = 2.12, 0.2
    assert eta * float(batch_sharpness(icosahedron(epsilon), [1, 1, 1], 1)) > 2.06
    assert 1 - 2 * eta * (2 + epsilon) / 3 + eta**2 * (2 + epsilon**2) / 3 < 0.95


def test_v9_indefinite():
    all_five(
        V9, [1, 2], 1, (Fraction(4378, 2405), Fraction(134, 55), Fraction(6, 11), Fraction(90, 41), Fraction(7, 3))
    )


@pytest.mark.parametrize("b", [1, 2, 3])
def test_v10_a_loss_that_is_not_quadratic(b):
    ratio, interaction = (Fraction(1850, 41), Fraction(5084, 135)) if b == 1 else (None, None)
    all_five(Products(), [1, 2], b, (Fraction(124, 5), ratio, None, interaction, None))
    same(sharpness_report(Products(), [1, 2], [b])[b].lambda_max, 10 + 2 * sqrt(58))
    all_five(Products(gauss_newton=True), [1, 2], b, (20, Fraction(1490, 41) if b == 1 else None, None, None, None))


def test_v12_standard_errors():
    a, c = np.array([2.0, 3, 7, 4, 9]), np.array([1.0, 2, 2, 1, 3])
    forms = Forms(a, c, c == 0)
    mean, ratio = mean_of_ratios(forms, None, "zero"), ratio_of_means(forms, None, "zero")
    assert (mean.value, ratio.value) == pytest.approx((2.8, 25 / 9), rel=1e-12)
    assert mean.error == pytest.approx(sqrt(0.215), rel=1e-12)
    assert (mean.error, ratio.error) == pytest.approx((0.463680924775, 0.415005834913), abs=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_full_batch_flip_under_momentum_is_two_over_eta(beta):
    """On w' = -w the step is s = 2 w/eta and the velocity before it -s; the curvature is that of the edge."""
    eta, w = 0.1, np.array([1.5])
    problem = QuadraticSum([[[2 * (1 + beta) / eta]]])
    found = momentum_batch_sharpness(problem, w, -2 * w / eta, beta, 1)
    same(found, 2 / eta)
    same(found.median, 2 / eta)
    assert found.negative_share == 0
