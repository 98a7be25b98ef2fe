"""Lyapunov exponents against closed forms and published values."""

import numpy as np
import pytest

from eossim import Quadratic, rules
from eossim.dynamics import lyapunov_exponent, lyapunov_spectrum, method_map
from eossim.maps import SHIPPED
from tests.dynamics.systems import henon, logistic, turn


def test_logistic_map_at_4_is_ln_2():
    starts = np.random.default_rng(0).uniform(0.1, 0.9, (64, 1))
    found = lyapunov_exponent(logistic, starts, r=4.0, steps=20_000)
    # The map is the tent map in other coordinates: the mean over a run of n steps differs from ln 2 by O(1/n).
    assert float(found.lyapunov.mean()) == pytest.approx(np.log(2), abs=1e-4)
    assert found.lyapunov.dims == ("start",)


def test_cycles_have_the_logarithm_of_their_multiplier():
    r = np.array([2.5, 3.2, 3.4])
    multipliers = np.array([2 - 2.5, 4 + 2 * 3.2 - 3.2**2, 4 + 2 * 3.4 - 3.4**2])
    found = lyapunov_exponent(logistic, 0.3, r=r, steps=2000, burn_in=2000)
    np.testing.assert_allclose(found.lyapunov, np.log(np.abs(multipliers)) / [1, 2, 2], atol=1e-9)


def test_henon_map():
    found = lyapunov_spectrum(henon, [0.1, 0.1], a=1.4, b=0.3, steps=200_000)
    assert float(found.lyapunov.sum()) == pytest.approx(np.log(0.3), abs=1e-9)  # det J = -b everywhere
    # Published: 0.41922 and -1.62319 (Sprott, Chaos and Time-Series Analysis, 2003).
    np.testing.assert_allclose(found.lyapunov, [0.41922, -1.62319], atol=2e-3)
    np.testing.assert_array_equal(found.exponent, [1, 2])


def test_exponents_of_a_linear_map_are_those_of_its_multipliers():
    system = method_map(rules.gd, Quadratic(np.array([[2.0, 0.5], [0.5, 1.0]])))
    eigenvalues = np.linalg.eigvalsh([[2.0, 0.5], [0.5, 1.0]])
    expected = np.sort(np.log(np.abs(1 - 0.3 * eigenvalues)))[::-1]
    found = lyapunov_spectrum(system, [1.0, 1.0], eta=0.3, steps=500, burn_in=200)
    np.testing.assert_allclose(found.lyapunov, expected, atol=1e-12)
    turning = lyapunov_spectrum(turn, [1.0, 1.0], angle=1.0, factor=0.9, steps=200)
    np.testing.assert_allclose(turning.lyapunov, np.log(0.9), atol=1e-9)


def test_uv_model_along_and_across_the_balanced_manifold():
    # Derived: along it the 2-cycle has ln|9 - 2(1+Y)²|/2, across it ln(3-2Y)²/2; chaos, measured: +1.04 and -0.12.
    found = lyapunov_spectrum(SHIPPED["uv"], [4.5, 0.0], Y=[1.05, 1.2], steps=4000, burn_in=4000).lyapunov
    along = [np.log(abs(9 - 2 * (1 + Y) ** 2)) / 2 for Y in (1.05, 1.2)]
    across = [np.log((3 - 2 * Y) ** 2) / 2 for Y in (1.05, 1.2)]
    np.testing.assert_allclose(np.sort(found, axis=1), np.sort(np.transpose([along, across]), axis=1), atol=1e-8)
    chaos = lyapunov_spectrum(SHIPPED["uv"], [4.5, 0.0], Y=1.99, steps=200_000).lyapunov
    np.testing.assert_allclose(chaos, [1.04, -0.12], atol=5e-3)


@pytest.mark.parametrize("name", ["uv_balanced", "uv_residual"])
def test_uv_model_on_the_balanced_manifold(name):
    # At Y = 2 the map is 3X - X³, X = 2 cos θ triples θ: ln 3. The value at 1.31 is measured.
    starts = np.linspace(0.3, 0.9, 64)[:, None] * (1 if name == "uv_balanced" else -1)
    found = lyapunov_exponent(SHIPPED[name], starts, Y=[1.31, 1.99, 2.0], steps=10_000).lyapunov
    np.testing.assert_allclose(found.median("start"), [0.090, 1.04, np.log(3)], atol=5e-3)


def test_lost_runs_have_none():
    found = lyapunov_exponent(logistic, 0.3, r=[3.2, 4.5], steps=200)
    assert np.isnan(found.lyapunov[1])
    assert np.isfinite(found.lyapunov[0])


def test_bad_input():
    class Plain:
        dim, parameters = 1, ()

        def step(self, x):
            return x

    with pytest.raises(TypeError, match="no jacobian_at"):
        lyapunov_exponent(Plain(), 0.3)
    with pytest.raises(ValueError, match="steps must be an integer >= 1"):
        lyapunov_spectrum(logistic, 0.3, r=3.0, steps=0)
    with pytest.raises(ValueError, match="unknown parameter"):
        lyapunov_spectrum(logistic, 0.3, s=3.0)
