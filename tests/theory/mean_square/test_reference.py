"""Reference values of stochastic_edge.md."""

import numpy as np
import pytest

from eossim.problems import LeastSquares
from eossim.problems.finite_sum import QuadraticSum
from eossim.theory import MeanSquare
from eossim.theory.mean_square import delocalised_kernel_norm, delocalised_step
from tests.theory.mean_square.oracle import DESIGN, LINE, THREE, batch_quadratics, icosahedron


def exactly(value, rel=1e-12):
    return pytest.approx(value, rel=rel)


@pytest.mark.parametrize(
    ("n", "b", "p", "kappa3"), [(4, 1, 1, 1), (4, 2, 1 / 3, 0), (4, 3, 1 / 9, -1 / 27), (10, 3, 7 / 27, 7 / 162)]
)
def test_v1_factors(n, b, p, kappa3):
    found = MeanSquare(LeastSquares(np.eye(n), np.zeros(n)), b)
    assert (found.p, found.kappa3) == exactly((p, kappa3))


V3 = {
    1: (0.577545891254, 3.462928280307, 0.738796125036, 2 / 3, 7 / 13, 0.791094707833, 0.584964779),
    2: (0.936863734736, 2.134782173593, 0.985061500048, 16 / 15, 0.906382814514, 0.362800963014, 0.942561627),
}


@pytest.mark.parametrize("b", [1, 2])
def test_v3(b):
    edge, top, eigenvector, trace, sufficient, radius, rank_one = V3[b]
    found = MeanSquare(THREE, b)
    table = found.bounds()
    assert found.critical_step == table["critical_step"].step == exactly(edge, 2e-12)
    assert 2 / found.critical_step == exactly(top)
    assert table["top_eigenvector"].step == exactly(eigenvector, 2e-12)
    assert table["trace"].step == exactly(trace)
    assert table["wu_ma_e"].step == exactly(sufficient, 2e-12)
    assert table["rank_one"].step == exactly(rank_one, 1e-9)
    assert found.spectral_radius(0.5) == exactly(radius, 2e-12)


V4 = {
    1: (1, [[202 / 693, 5 / 72], [5 / 72, 370 / 693]], 13 / 42, 13 / 28, 52 / 21, 13 / 8, 6 / 5),
    2: (1 / 3, [[1900 / 29097, 2 / 99], [2 / 99, 4444 / 29097]], 13 / 159, 13 / 106, 104 / 159, 83 / 96, 36 / 19),
}


@pytest.mark.parametrize("b", [1, 2])
def test_v4_stationary(b):
    p, S, excess, grad_sq, batch_grad_sq, ratio_of_means, edge = V4[b]
    found = MeanSquare(DESIGN, b)
    law = found.stationary(0.5)
    assert (found.p, found.critical_step) == exactly((p, edge))
    np.testing.assert_allclose(law.covariance, S, rtol=1e-12)
    np.testing.assert_allclose(found.stationary_covariance(0.5), S, rtol=1e-12)
    assert (law.excess_loss, law.grad_sq, law.batch_grad_sq) == exactly((excess, grad_sq, batch_grad_sq))
    assert law.batch_sharpness_ratio_of_means == exactly(ratio_of_means)
    assert (law.gradient_noise_interaction, law.interaction_aware_sharpness) == exactly((4, 3 / 4))
    assert law.note == ""


def test_v4_one_step():
    found = MeanSquare(DESIGN, 2).second_moment(0.5, steps=1, covariance=True)
    deviation = found.w.values[1] - [2 / 3, 1 / 3]
    np.testing.assert_allclose(deviation, [-5 / 12, -5 / 24], rtol=1e-12)
    second = found.covariance.values[1] + np.outer(deviation, deviation)
    np.testing.assert_allclose(second, [[7 / 36, 1 / 18], [1 / 18, 41 / 288]], rtol=1e-12)
    assert found.excess_loss.values[1] == exactly(97 / 768)
    assert DESIGN.offset == exactly(13 / 24)


HEAVY_BALL = [
    (DESIGN, 1, 0.5, 6 / 7, 1e-12),
    (DESIGN, 1, 0.9, 0.209174312, 1e-8),
    (DESIGN, 2, 0.5, 1.8, 1e-12),
    (DESIGN, 2, 0.9, 0.579661017, 1e-9),
    (LINE, 1, 0.0, 12 / 25, 1e-12),
    (LINE, 2, 0.0, 36 / 61, 1e-12),
    (LINE, 1, 0.5, 6 / 13, 1e-12),
    (LINE, 1, 0.9, 0.150993377, 1e-8),
    (LINE, 2, 0.5, 0.72, 1e-12),
    (LINE, 2, 0.9, 0.365775401, 1e-9),
]


@pytest.mark.parametrize(("problem", "b", "beta", "edge", "rel"), HEAVY_BALL)
def test_v4_v7_edges(problem, b, beta, edge, rel):
    found = MeanSquare(problem, b, beta=beta)
    assert found.critical_step == exactly(edge, rel)
    assert found.spectral_radius(found.critical_step) == exactly(1)


def test_section_6_unstable_though_batch_sharpness_is_below_the_edge():
    """And the ratio of means is above 2/eta at a stable step: both gauges fail on one data set."""
    found = MeanSquare(DESIGN, 1)
    assert found.spectral_radius(1.15) == exactly(0.928125)
    assert 1.15 * found.stationary(1.15).batch_sharpness_ratio_of_means == exactly(2.055625)
    assert found.bounds()["batch_sharpness"].step == exactly(2 / 1.5)  # above 1.2
    assert MeanSquare(LINE, 1).critical_step * 3 == exactly(1.44)


def test_section_7_5_levels_and_growth():
    def level(eta, b):
        return MeanSquare(DESIGN, b).stationary(eta).excess_loss

    assert (level(0.3, 1), level(0.6, 1), level(1.5, 2)) == exactly((13 / 90, 13 / 30, 13 / 15))
    assert MeanSquare(DESIGN, 1).spectral_radius(1.5) == exactly(1.5625)


@pytest.mark.parametrize(("b", "edge"), [(1, 2.156862745098), (2, 2.466367713004), (4, 2.657004830918)])
def test_v8_edges(b, edge):
    assert MeanSquare(icosahedron(), b).critical_step == exactly(edge, 1e-12)


@pytest.mark.parametrize("epsilon", [0.0, 0.2, 0.7])
def test_v8_batch_sharpness_above_the_edge_does_not_mean_divergence(epsilon):
    found = MeanSquare(icosahedron(epsilon), 1)
    assert found.critical_step == exactly(2 * (2 + epsilon) / (2 + epsilon**2))
    if epsilon != 0.2:
        return
    eta = 2.12
    H_B = batch_quadratics(found.problem, 1, False)[0]
    gradients = H_B @ np.ones(3)
    quotients = np.einsum("ni,nij,nj->n", gradients, H_B, gradients) / (gradients**2).sum(axis=1)
    assert quotients.mean() == exactly(0.973759461733, 1e-11)
    assert eta * quotients.mean() > 2
    assert found.spectral_radius(eta) == exactly(0.946858666667)
    assert found.spectral_radius(eta) < 1
    run = found.second_moment(eta, np.ones(3) / np.sqrt(3), steps=[0, 120])
    size = run.variance + (run.w**2).sum("coord")
    assert size.values[0] == exactly(1)
    assert size.values[1] == pytest.approx(1.5e-3, rel=0.1)


def test_v11_two_points():
    problem = LeastSquares([[1], [1]], [1, -1])
    assert MeanSquare(problem, 1).stationary_covariance(0.1) == exactly(np.array([[1 / 19]]))


def test_v13():
    assert delocalised_kernel_norm([1, 0.5, 0.25], 0.5, 0.25) == exactly(19 / 140)
    step = delocalised_step([1, 0.5, 0.25], 0.25)
    assert delocalised_kernel_norm([1, 0.5, 0.25], step, 0.25) == exactly(1)
    line = QuadraticSum(np.array([0.0, 4.0])[:, None, None])  # mean 2, variance 4
    assert MeanSquare(line, 1).critical_step == exactly(0.5)
    assert MeanSquare(line, 1, beta=0.5).critical_step == exactly(0.375)


@pytest.mark.parametrize("b", [1, 2, 3, 5])
def test_special_cases_of_section_5_5(b):
    h = np.array([1.0, 2, 2, 7, 3])
    rows = QuadraticSum(np.einsum("n,ni,nj->nij", h, np.eye(5), np.eye(5)))
    assert 2 / MeanSquare(rows, b).critical_step == exactly(h.max() / b if b < 5 else h.max() / 5)
    same = QuadraticSum(np.broadcast_to([[2.0, 1], [1, 3]], (5, 2, 2)), np.arange(10).reshape(5, 2))
    assert 2 / MeanSquare(same, b).critical_step == exactly((5 + np.sqrt(5)) / 2)
    line = MeanSquare(QuadraticSum(h[:, None, None]), b)
    assert 2 / line.critical_step == exactly(h.mean() + line.p * h.var() / h.mean())


def test_section_5_5_rows_of_equal_norm_put_the_edge_at_the_batch_sharpness():
    angles = np.linspace(0, 2, 7)
    found = MeanSquare(LeastSquares(np.column_stack([np.cos(angles), np.sin(angles)]), np.arange(7)), 1)
    assert found.critical_step == exactly(found.bounds()["batch_sharpness"].step)
    assert found.critical_step == exactly(2.0)


def test_section_5_5_gaussian_inputs():
    """The moments of a Gaussian of two coordinates by a Gauss-Hermite product rule, which is exact."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)  # 1/6, 2/3, 1/6: samples may be repeated
    counts = np.rint(6 * weights / weights.sum()).astype(int)
    x = np.repeat(nodes, counts)
    X = np.array([(a, b) for a in x for b in x])
    for b in (1, 3, 8):
        found = MeanSquare(LeastSquares(X, np.zeros(len(X))), b, replacement=True)
        assert 2 / found.critical_step == exactly((b + 2 + 1) / b)
        assert found.spectral_radius(0.3) == exactly(max(1 - 0.6 + 0.09 * (b + 3) / b, 1 - 0.6 + 0.09 * (b + 1) / b))
