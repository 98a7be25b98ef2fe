"""Averages over Gaussian starts: reference values, exact moments, and sampled starts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import beta, hyp2f1

from eossim.problems import UVModel
from eossim.theory import uv

widths = st.floats(1, 1e6)

#: ⟨k_loss⟩, ⟨c_loss⟩ and ⟨c_max⟩ by width.
TABLE = {
    4: (2.6944, 3.1482, 4.4856),
    16: (2.0776, 2.1678, 4.1605),
    64: (2.0161, 2.0391, 4.0447),
    256: (2.0039, 2.0098, 4.0116),
}


@pytest.mark.parametrize("width", TABLE)
def test_reference_values(width):
    found = uv.mean_k_loss(width), uv.mean_c_loss(width), uv.mean_c_max(width)
    assert found == pytest.approx(TABLE[width], abs=5.01e-5)


def test_the_mean_loss():
    assert uv.k_mean_loss(16) == pytest.approx(2.059070545869509, rel=1e-13)
    assert uv.k_mean_loss([1e9])[0] == pytest.approx(2, rel=1e-8)


@given(st.sampled_from([1, 2, 3, 8, 100]))
def test_the_mean_loss_is_unchanged_at_its_k(width):
    k = float(uv.k_mean_loss(width))
    s, s2 = uv.mean_s(width), uv.mean_s2(width)
    assert (1 - k) ** 2 + 2 * (1 - k) * k**2 * s + k**4 * s2 == pytest.approx(1, abs=1e-12)
    assert (1 - k + 1e-3) ** 2 + 2 * (1 - k + 1e-3) * (k - 1e-3) ** 2 * s + (k - 1e-3) ** 4 * s2 < 1


@given(widths)
def test_moments_of_the_quadrature(width):
    # 4s is Beta(½, w/2).
    assert uv.mean(np.ones_like, width) == pytest.approx(1, rel=1e-11)
    assert uv.mean(lambda s: s, width) == pytest.approx(1 / (4 * (width + 1)), rel=1e-11)
    assert uv.mean(lambda s: s**2, width) == pytest.approx(3 / (16 * (width + 1) * (width + 3)), rel=1e-11)
    assert uv.mean_s(width) == pytest.approx(1 / (4 * (width + 1)), rel=1e-14)
    assert uv.mean_s2(width) == pytest.approx(3 / (16 * (width + 1) * (width + 3)), rel=1e-14)


@pytest.mark.parametrize("width", [1, 1.5, 2, 7, 33, 1000])
def test_quadrature_against_a_hypergeometric_function(width):
    # The mean of (1 + 12 s)^½, with 4s of Beta(½, w/2), is ₂F₁(-½, ½; (w + 1)/2; -3).
    assert uv.mean_c_max(width) == pytest.approx(2 + 2 * hyp2f1(-0.5, 0.5, (width + 1) / 2, -3), rel=1e-12)


@pytest.mark.parametrize("width", [1, 2, 3, 10])
def test_quadrature_with_a_jump_and_a_root_at_one_eighth(width):
    # ∫ over 4s = u up to ½ of √(1 - 2u) u^-½ (1 - u)^(w/2-1) / B, with u = v/2.
    exact = np.sqrt(0.5) * beta(0.5, 1.5) * hyp2f1(1 - width / 2, 0.5, 2, 0.5) / beta(0.5, width / 2)
    found = uv.mean(lambda s: np.where(s < 0.125, np.sqrt(np.maximum(0, 1 - 8 * s)), 0.0), width)
    assert found == pytest.approx(exact, rel=1e-12)


@given(st.floats(200, 1e5))
def test_series_are_the_averages_to_first_order(width):
    for mean in (uv.mean_c_loss, uv.mean_c_sharp, uv.mean_c_max):
        assert abs(mean(width, method="series") - mean(width)) < 60 / width**2


def test_series():
    width = np.array([4, 16])
    np.testing.assert_allclose(uv.mean_c_loss(width, method="series"), 2 + 2.5 / (width + 1), rtol=1e-14)
    np.testing.assert_allclose(uv.mean_c_sharp(width, method="series"), 2.5 + 3.5625 / (width + 1), rtol=1e-14)
    np.testing.assert_allclose(uv.mean_c_max(width, method="series"), 4 + 3 / (width + 1), rtol=1e-14)


@pytest.mark.parametrize("width", [1, 4, 16])
def test_sampled_starts(width):
    problem = UVModel(width)
    w = np.random.default_rng(7).standard_normal((40_000, problem.dim))
    s = uv.s_parameter(problem.function(w), problem.ntk(w), problem.kappa)
    for function, expected in (
        (lambda s: s, uv.mean_s(width)),
        (lambda s: s**2, uv.mean_s2(width)),
        (uv.k_loss, uv.mean_k_loss(width)),
        (uv.c_loss, uv.mean_c_loss(width)),
        (uv.c_sharp, uv.mean_c_sharp(width)),
        (uv.c_max, uv.mean_c_max(width)),
    ):
        values = function(s)
        assert abs(values.mean() - expected) <= 4.5 * values.std() / np.sqrt(len(s))


def test_shapes_and_bad_input():
    assert uv.mean_c_sharp(np.ones((2, 3))).shape == (2, 3)
    for function in (uv.mean_s, uv.mean_s2, uv.mean_c_loss, uv.k_mean_loss, uv.mean_k_loss):
        with pytest.raises(ValueError, match="1 <= width < inf required, got width = 0"):
            function(0)
    with pytest.raises(ValueError, match="method must be one of 'quadrature', 'series'"):
        uv.mean_c_loss(4, method="serie")
