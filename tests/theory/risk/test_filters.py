"""What is left of a mode and what is learned: against fifty-digit powers."""

import itertools
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eossim
from eossim import rules
from eossim.problems import LeastSquares
from eossim.theory.risk.filters import filters_of, powers, rates

V1 = LeastSquares([[1.0, 0], [0, 2], [1, 1]], [1.0, 2, 3])
LONG = np.array([0, 1, 2, 3, 4, 5, 10, 17, 64, 65, 100, 1000, 4095, 4096, 12345, 10**5, 10**6, 10**9])
BEYOND = np.append(LONG, [10**9 + 1, 10**12, 10**12 + 1, 10**15])


def left_exactly(u: float, k: int) -> mp.mpf:
    with mp.workdps(50):
        return (1 - mp.mpf(float(u))) ** int(k)


def assert_exact(found, exact, rel):
    """Compare with a 50-digit number where float64 can hold it to full precision."""
    if abs(exact) > mp.mpf("1e-250"):
        assert abs(mp.mpf(float(found)) - exact) <= rel * abs(exact)
    else:
        assert abs(found) <= 1.1e-250


# --- methods without memory ---


@pytest.mark.parametrize(
    "u",
    [
        1e-300, 1e-20, 1e-16, 1e-14, 1e-12, 1e-9, 1e-6, 1e-3, 0.1, 0.5, 0.75, 0.99, 1 - 1e-9, np.nextafter(1, 0),
        1.0, np.nextafter(1, 2), 1 + 1e-9, 1.01, 1.25, 1.5, 1.9, 1.999, 2 - 1e-9, 2 - 1e-12, np.nextafter(2, 0),
    ],
)  # fmt: skip
def test_powers_have_eleven_digits(u):
    z, y = powers(np.array([u]), BEYOND)
    with mp.workdps(50):
        for p, k in enumerate(BEYOND):
            exact = left_exactly(u, k)
            assert_exact(z[p, 0], exact, 1e-11)
            assert_exact(y[p, 0], 1 - exact, 1e-11)


def test_a_mode_learned_in_one_step_is_left_whole_at_the_start_only():
    z, y = powers(np.array([1.0]), np.array([0, 1, 2, 10**9]))
    np.testing.assert_array_equal(z[:, 0], [1, 0, 0, 0])
    np.testing.assert_array_equal(y[:, 0], [0, 1, 1, 1])


def test_nothing_has_moved_at_step_zero():
    u = np.array([1e-14, 0.3, 1.0, 1.7])
    z, y = powers(u, np.array([0]))
    np.testing.assert_array_equal(z, np.ones((1, 4)))
    np.testing.assert_array_equal(y, np.zeros((1, 4)))


def test_negative_multipliers_alternate():
    z, y = powers(np.array([1.5]), np.arange(6))
    np.testing.assert_allclose(z[:, 0], (-0.5) ** np.arange(6), rtol=1e-14)
    np.testing.assert_allclose(y[:, 0], 1 - (-0.5) ** np.arange(6), rtol=1e-14, atol=0)


def test_what_underflows_is_zero_and_learned():
    z, y = powers(np.array([0.5, 1.5]), np.array([5000, 5001]))
    np.testing.assert_array_equal(np.abs(z), 0)
    np.testing.assert_array_equal(y, 1)


@given(st.floats(1e-14, 1.999), st.lists(st.integers(0, 10**12), min_size=1, max_size=4))
def test_powers_of_any_multiplier(u, steps):
    z, y = powers(np.array([u]), np.array(sorted(steps)))
    with mp.workdps(50):
        for p, k in enumerate(sorted(steps)):
            assert_exact(z[p, 0], left_exactly(u, k), 1e-11)
            assert_exact(y[p, 0], 1 - left_exactly(u, k), 1e-11)


def test_rates_are_logarithms():
    u = np.array([1e-14, 0.2, 0.9, 1.3, 1.999])
    rate, odd = rates(u)
    with mp.workdps(50):
        exact = [float(-mp.log(abs(1 - mp.mpf(float(x))))) for x in u]
    np.testing.assert_allclose(rate, exact, rtol=1e-13)
    np.testing.assert_array_equal(odd, u > 1)


MEMORYLESS = {  # 1 - q in exact arithmetic
    "gd": (lambda s: rules.gd(eta=s), lambda x, s: x * s),
    "usam": (lambda s: rules.usam(eta=s, rho=0.3), lambda x, s: s * x * (1 + mp.mpf(0.3) * x)),
    "extragradient": (lambda s: rules.extragradient(eta=s), lambda x, s: s * x * (1 - s * x)),
    "implicit_gd": (lambda s: rules.implicit_gd(eta=s), lambda x, s: s * x / (1 + s * x)),
    "alternating_steps": (
        lambda s: rules.alternating_steps(eta_1=s, eta_2=s / 4),
        lambda x, s: 1 - (1 - s * x) * (1 - s * x / 4),
    ),
    "lookahead": (lambda s: rules.lookahead.member(4)(eta=s, alpha=0.75), lambda x, s: (1 - (1 - s * x) ** 4) * 3 / 4),
    "runge_kutta_4": (
        lambda s: rules.runge_kutta_4(eta=s),
        lambda x, s: s * x - (s * x) ** 2 / 2 + (s * x) ** 3 / 6 - (s * x) ** 4 / 24,
    ),
}


@pytest.mark.parametrize("name", MEMORYLESS)
def test_multipliers_of_rules_without_memory(name):
    make, exact = MEMORYLESS[name]
    curvature = np.array([1.5, 0.8, 0.1, 1e-3, 1e-9, 1e-14])
    filters = filters_of(make(0.5), curvature)
    assert filters.iterates.tolist() == [True]
    with mp.workdps(50):
        wanted = [exact(mp.mpf(float(h)), mp.mpf(0.5)) for h in curvature]
        np.testing.assert_allclose(filters.steps_down[0], [float(u) for u in wanted], rtol=1e-14)
        z, y = filters.respond(0, LONG)
        for (p, k), (i, u) in itertools.product(enumerate(LONG), enumerate(wanted)):
            assert_exact(z[p, i], (1 - u) ** int(k), 1e-11)
            assert_exact(y[p, i], 1 - (1 - u) ** int(k), 1e-11)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_units_of_curvature_do_not_matter(scale):
    curvature = np.array([1.5, 0.3, 1e-8])
    for make in (lambda c: rules.usam(eta=0.4 / c, rho=0.2 / c), lambda c: rules.heavy_ball(eta=0.4 / c, beta=0.9)):
        z, y = filters_of(make(scale), scale * curvature).respond(0, LONG[:14])
        z1, y1 = filters_of(make(1.0), curvature).respond(0, LONG[:14])
        np.testing.assert_allclose(y, y1, rtol=1e-9)
        np.testing.assert_allclose(z, z1, rtol=1e-9, atol=1e-100)


# --- methods with memory ---

MEMORY = [
    *[(rules.heavy_ball(eta=1.0, beta=b), 1.9) for b in (0.1, 0.5, 0.9, 0.99, 0.9999)],
    *[(rules.nesterov(eta=1.0, beta=b), 0.9) for b in (0.1, 0.5, 0.9, 0.99)],
    (rules.usam_heavy_ball(eta=0.5, beta=0.9, rho=0.7), 1.5),
    (rules.usam_heavy_ball(eta=1e-3, beta=0.9, rho=1e3), 1.0),
    (rules.ema_momentum(eta=1.0, beta=0.9), 1.9),
    (rules.optimistic_gd(eta=0.3), 1.5),
    (rules.cascaded_ema(eta=1.0, beta_1=0.9, beta_2=0.8), 0.2),
    *[(rules.delayed_gd.member(d)(eta=0.4), 0.9) for d in (1, 2, 3)],
]


@pytest.mark.parametrize(("method", "top"), MEMORY, ids=lambda p: repr(p))
def test_powers_of_matrices(method, top):
    """Real multipliers give eleven digits; for complex ones the rounding of the angle grows with k."""
    curvature = np.array([1e-14, 1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.1, 0.5]) * top
    curvature = np.append(curvature, top)
    filters = filters_of(method, curvature)
    z, y = filters.respond(0, LONG)
    states = filters.iterates.size
    starts = mp.matrix(filters.iterates.astype(int).tolist())
    with mp.workdps(50):
        for i in range(curvature.size):
            matrix = mp.eye(states) + mp.matrix(filters.increments[0, i].tolist())
            turn = np.abs(np.angle(np.linalg.eigvals(np.eye(states) + filters.increments[0, i])))
            turn = turn[turn < 3.14].max(initial=0.0)
            for p, k in enumerate(LONG):
                power = matrix ** int(k)
                state = power * starts
                following = (matrix * state)[0]
                rounding = 2e-15 * k * turn * max(abs(state[0]), abs(following), abs((matrix * matrix * state)[0]))
                if abs(state[0]) > mp.mpf("1e-250"):
                    assert abs(mp.mpf(float(z[p, i])) - state[0]) <= 1e-11 * abs(state[0]) + rounding
                assert abs(mp.mpf(float(y[p, i])) - (1 - state[0])) <= 1e-11 * abs(1 - state[0]) + rounding


def test_momentum_at_a_billion_steps_on_flat_modes():
    """The slow multiplier of heavy ball is near 1 - eta h / (1 - beta): 9 digits survive where k eta h = 1."""
    curvature = np.array([1e-9, 1e-10, 1e-11])
    z, _ = filters_of(rules.heavy_ball(eta=1.0, beta=0.9), curvature).respond(0, np.array([10**9]))
    np.testing.assert_allclose(z[0], np.exp(-1e9 * curvature / 0.1), rtol=1e-6)


def test_memory_without_momentum_is_gradient_descent():
    curvature = np.array([1.5, 0.9, 0.1, 1e-6, 1e-13])
    for method in (rules.heavy_ball(eta=1.0, beta=0.0), rules.delayed_gd.member(0)(eta=1.0)):
        z, y = filters_of(method, curvature).respond(0, LONG)
        z0, y0 = filters_of(rules.gd(eta=1.0), curvature).respond(0, LONG)
        np.testing.assert_allclose(z, z0, rtol=1e-11, atol=1e-250)
        np.testing.assert_allclose(y, y0, rtol=1e-11)


def test_runs_of_a_batch_are_those_of_single_methods():
    curvature = np.array([1.0, 0.2])
    both = filters_of(rules.usam(eta=[0.1, 0.3], rho=0.5), curvature)
    assert both.increments.shape == (2, 2, 1, 1)
    for run, eta in enumerate((0.1, 0.3)):
        single = filters_of(rules.usam(eta=eta, rho=0.5), curvature)
        np.testing.assert_array_equal(both.respond(run, LONG)[0], single.respond(0, LONG)[0])


def test_radius_is_the_spectral_radius():
    curvature = np.array([2.0, 0.5, 0.01])
    for method, values in [
        ("gd", {"eta": 0.7}),
        ("usam", {"eta": 0.3, "rho": 0.2}),
        ("heavy_ball", {"eta": 0.7, "beta": 0.9}),
        ("nesterov", {"eta": 0.3, "beta": 0.5}),
    ]:
        radius = filters_of(rules.CATALOGUE[method](**values), curvature).radius[0]
        np.testing.assert_allclose(radius, eossim.spectral_radius(method, curvature, **values), rtol=1e-12)


# --- V1: iterates of the note ---


@pytest.mark.parametrize(
    ("method", "iterates"),
    [
        (rules.usam(eta=0.25, rho=0.5), ["13/24 9/8", "325/432 2207/1728"]),
        (rules.gd(eta=0.25), ["1/3 7/12", "9/16 43/48", "419/576 305/288", "1471/1728 7883/6912"]),
        (rules.usam(eta=0.25, rho=0.0), ["1/3 7/12", "9/16 43/48", "419/576 305/288", "1471/1728 7883/6912"]),
    ],
)
def test_iterates_of_the_note(method, iterates):
    np.testing.assert_allclose(V1.minimizer, [13 / 9, 10 / 9], rtol=1e-14)
    np.testing.assert_allclose(V1.modes.curvature, [1.76759187924399822, 0.565741454089335118], rtol=1e-14)
    steps = np.arange(1, len(iterates) + 1)
    _, y = filters_of(method, V1.modes.curvature).respond(0, steps)
    modes = V1.modes
    found = (y * (modes.samples.T @ V1.y) / modes.singular) @ modes.coordinates.T
    expected = [[float(Fraction(part)) for part in pair.split()] for pair in iterates]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# --- what has no closed form ---


@pytest.mark.parametrize(
    ("method", "why"),
    [
        (rules.sam(eta=0.1, rho=0.1), "sam has no closed form here: its step depends on the norm"),
        (rules.normalised(eta=0.1), "monte_carlo_risk"),
        (rules.clipped_gd(eta=0.1, clip=1.0), "norm of the gradient"),
        (rules.gd_weight_decay(eta=0.1, weight_decay=0.1), "weight decay moves its fixed point"),
        (rules.heavy_ball_l2(eta=0.1, beta=0.5, weight_decay=0.1), "weight decay"),
        (rules.preconditioned_gd(eta=0.1, P=[1.0, 2.0]), "it is preconditioned"),
    ],
)
def test_rules_without_closed_form_say_why(method, why):
    with pytest.raises(ValueError, match=why):
        filters_of(method, np.array([1.0]))
