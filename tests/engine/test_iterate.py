"""Compiled iterations equal the NumPy step bit for bit; Lyapunov exponents against exact values and a QR of NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eossim._map import Map
from eossim.engine import iterate
from eossim.engine.iterate import extremes, lyapunov_exponents, orbit
from eossim.maps import SHIPPED, second_order, uv, uv_balanced
from tests.engine.cases import assert_same_bits
from tests.strategies import seeds

LOGISTIC = Map("logistic", state="x", parameters="r", update={"x": "r*x*(1 - x)"}, observables={"height": "x"})
HENON = Map("henon", state="x y", parameters="a b", update={"x": "1 - a*x**2 + y", "y": "b*x"})
KINKED = Map(
    "kinked",
    state="x y z",
    parameters="a b",
    where={"d": "x - b*y", "top": "max(d, z, a)"},
    update={"x": "a*d/sqrt(d**2 + 1) - min(x, y)/3", "y": "sign(d)*y/(1 + 0.3*y**2) + top/4", "z": "abs(z - x)*b**3"},
    observables={"gap": "d", "size": "sqrt(x**2 + y**2 + z**2)", "ratio": "x/y", "fixed": "3"},
)
HENON_3 = Map("henon_3", state="x y z", parameters="a b", update={"x": "a - y**2 - b*z", "y": "x", "z": "y"})
MAPS = [*SHIPPED.values(), HENON, KINKED]


class Plain:
    """A map as a system of another kind: nothing compiled."""

    def __init__(self, source):
        self.dim, self.parameters = source.dim, source.parameters
        self.step, self.jacobian_at = source.step, source.jacobian_at


def case(source, runs, seed, dtype="float64"):
    """Return starts, some of which diverge, and parameters."""
    rng = np.random.default_rng(seed)
    x0 = rng.normal(size=(runs, source.dim)) * 10 ** rng.uniform(-2, 1, (runs, 1))
    return x0.astype(dtype), {n: rng.uniform(0.05, 1.5, runs) for n in source.parameters}


def step_by_step(source, x0, steps, values):
    """Return states and observables after every step, the start included."""
    states, seen = [x0], [source.observe(x0, **values)]
    for _ in range(steps):
        states.append(source.step(states[-1], **values))
        seen.append(source.observe(states[-1], **values))
    return states, seen


@pytest.mark.parametrize(
    ("source", "dtype"), [*((m, "float64") for m in MAPS), *((m, "float32") for m in (uv, uv_balanced, KINKED))]
)
@settings(max_examples=10)
@given(runs=st.integers(1, 200), steps=st.integers(0, 40), seed=seeds)
def test_orbits_equal_the_numpy_step(source, dtype, runs, steps, seed):
    x0, values = case(source, runs, seed, dtype)
    at = sorted({0, steps // 3, steps})
    states, _ = step_by_step(source, x0, steps, values)
    kept = orbit(source, x0, steps, at=at, **values)
    assert kept.shape == (len(at), runs, source.dim)
    assert_same_bits(kept, np.array([states[t] for t in at]))
    assert_same_bits(orbit(source, x0, steps, **values), states[-1][None])


@pytest.mark.parametrize(
    ("source", "dtype"), [*((m, "float64") for m in MAPS if m is not HENON), (uv, "float32"), (KINKED, "float32")]
)
@settings(max_examples=10)
@given(runs=st.integers(1, 200), steps=st.integers(1, 40), seed=seeds)
def test_extremes_equal_those_of_the_numpy_step(source, dtype, runs, steps, seed):
    x0, values = case(source, runs, seed, dtype)
    states, seen = step_by_step(source, x0, steps, values)
    lost = ~np.isfinite(states[-1]).all(axis=1)
    found = extremes(source, x0, steps, **values)
    assert list(found) == list(source.observables)
    for name, (first, peak, last) in found.items():
        along = np.array([s[name] for s in seen])
        highest = along[1:].max(axis=0)
        assert_same_bits(first, along[0])
        assert_same_bits(last, along[-1])
        highest[lost | ~np.isfinite(along[1:]).all(axis=0)] = np.inf
        assert_same_bits(peak, highest)


@pytest.mark.parametrize("source", [m for m in MAPS if m is not KINKED], ids=lambda m: m.name)
def test_the_cases_reach_overflow(source):
    x0, values = case(source, 200, 0)
    assert 0 < (~np.isfinite(orbit(source, x0, 40, **values)[0]).all(axis=1)).sum() < 200


@pytest.mark.parametrize("form", [orbit, extremes, lyapunov_exponents])
def test_results_depend_neither_on_threads_nor_on_company(form, monkeypatch):
    x0, values = case(uv, 1000, 5)
    results = []
    for cores in (1, 2, 7):
        monkeypatch.setattr(iterate, "available_cores", lambda cores=cores: cores)
        results.append(form(uv, x0, 30, **values))
    some = form(uv, x0[100:165], 30, Y=values["Y"][100:165])
    if form is extremes:
        results, some = [np.stack(r["loss"], axis=-1) for r in results], np.stack(some["loss"], axis=-1)
    for other in results[1:]:
        assert_same_bits(results[0], other)
    assert_same_bits(results[0][..., 100:165, :], some)


def test_any_system_runs_as_its_compiled_form_does():
    for source in (uv, KINKED):
        x0, values = case(source, 50, 3)
        compiled = orbit(source, x0, 20, at=[0, 7, 20], **values)
        assert_same_bits(compiled, orbit(Plain(source), x0, 20, at=[0, 7, 20], **values))


def test_a_lost_run_of_any_system_stays_lost():
    class Shrinking(Plain):
        def __init__(self):
            self.dim, self.parameters = 1, ()

        def step(self, x):
            return 1 / x

    assert orbit(Shrinking(), [[0.0], [2.0]], 3, at=[0, 1, 2, 3])[:, :, 0].tolist() == [
        [0.0, 2.0],
        [np.inf, 0.5],
        [np.inf, 2.0],
        [np.inf, 0.5],
    ]


def test_divergence_shows_in_every_peak():
    found = extremes(uv, [[1.0, 0.5], [400.0, 0.5]], 50, Y=0.2)
    for first, peak, last in found.values():
        assert np.isfinite(first).all()
        assert np.isfinite(peak).tolist() == [True, False]
        assert np.isfinite(last[0])
    assert np.isposinf([peak[1] for _, peak, _ in found.values()]).all()


def test_starts_and_parameters_describe_runs_together():
    Y = np.array([0.1, 0.2, 0.3])
    together = orbit(uv, [1.0, 0.5], 4, Y=Y)[0]
    assert together.shape == (3, 2)
    for one, y in zip(together, Y, strict=True):
        np.testing.assert_array_equal(one, orbit(uv, [1.0, 0.5], 4, Y=y)[0, 0])
    np.testing.assert_array_equal(orbit(uv, [[1.0, 0.5]], 4, Y=Y)[0], together)
    assert orbit(HENON, [0.1, 0.1], 0, a=1.4, b=0.3).tolist() == [[[0.1, 0.1]]]


def test_starts_are_not_written_to():
    x0 = np.array([[1.0, 0.5]])
    extremes(uv, x0, 5, Y=0.1)
    lyapunov_exponents(uv, x0, 5, Y=0.1)
    assert x0.tolist() == [[1.0, 0.5]]


# --- Lyapunov exponents -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [*SHIPPED.values(), HENON, HENON_3], ids=lambda m: m.name)
def test_compiled_exponents_equal_those_of_a_qr_decomposition(source):
    """Each step may enlarge a rounding error by the condition number of its Jacobian: a large product is left out."""
    x0, values = case(source, 300, 11)
    x0 *= 0.3
    compiled = lyapunov_exponents(source, x0, 8, burn_in=3, **values)
    numpy = lyapunov_exponents(Plain(source), x0, 8, burn_in=3, **values)
    np.testing.assert_array_equal(np.isnan(compiled), np.isnan(numpy))
    kept = np.isfinite(numpy).all(axis=1)
    values = {n: v[kept] for n, v in values.items()}
    jacobians = source.jacobian_at(orbit(source, x0[kept], 10, at=range(11), **values), **values)
    tame = np.flatnonzero(kept)[np.linalg.cond(jacobians).prod(axis=0) < 1e6]
    assert tame.size > 10
    np.testing.assert_allclose(compiled[tame], numpy[tame], rtol=1e-9, atol=1e-9)


def test_the_logistic_map_at_four_has_exponent_ln_2():
    """Exact for almost every start; the mean over 100 × 20000 steps scatters by about 2e-3."""
    starts = np.random.default_rng(0).uniform(0.1, 0.9, (100, 1))
    found = lyapunov_exponents(LOGISTIC, starts, 20_000, burn_in=100, r=4.0)
    assert found.mean() == pytest.approx(np.log(2), abs=2e-3)


@given(a=st.floats(1.0, 1.4), b=st.floats(0.05, 0.3))
def test_exponents_of_a_constant_determinant_add_up_to_its_logarithm(a, b):
    found = lyapunov_exponents(HENON, [[0.1, 0.1]], 3000, a=a, b=b)[0]
    if np.isfinite(found).all():
        assert found.sum() == pytest.approx(np.log(b), rel=1e-10)
    assert np.isfinite(found).all() or np.isnan(found).all()


def test_henon_attractor():
    """0.419 and ln 0.3 - 0.419 for the classical parameters."""
    found = lyapunov_exponents(
        HENON, np.random.default_rng(1).uniform(0, 0.1, (64, 2)), 5000, burn_in=100, a=1.4, b=0.3
    )
    assert found.mean(axis=0) == pytest.approx([0.4192, np.log(0.3) - 0.4192], abs=2e-3)


@given(Y=st.floats(1.02, 1.22))
def test_a_two_cycle_has_the_logarithms_of_its_multipliers(Y):
    """On the balanced manifold of the uv model: 9 - 2(1 + Y)² along it, (3 - 2Y)² across."""
    r = 1 + Y
    X = np.sqrt((r + np.sqrt(r * r - 4)) / 2)
    along, across = 9 - 2 * r * r, (3 - 2 * Y) ** 2
    expected = sorted(np.log(np.abs([along, across])) / 2)[::-1]
    if min(abs(along), across) > 1e-3:
        assert lyapunov_exponents(uv_balanced, [X], 2, Y=Y)[0, 0] == pytest.approx(np.log(abs(along)) / 2, rel=1e-9)
        assert lyapunov_exponents(uv, [4 * X * X, 0.0], 2, Y=Y)[0] == pytest.approx(expected, rel=1e-9)


def test_a_superstable_orbit_has_exponent_minus_infinity():
    assert lyapunov_exponents(LOGISTIC, [[0.5], [0.3]], 10, r=2.0)[0].tolist() == [-np.inf]
    shear = Map("shear", state="x y", update={"x": "0*x", "y": "y/2"})
    assert lyapunov_exponents(shear, [1.0, 1.0], 4)[0] == pytest.approx([np.log(0.5), -np.inf])


def test_exponents_outlast_any_product_of_slopes():
    """2000 steps of slope 1e±90: the product leaves the range of floating point every few steps."""
    for slope in (1e90, 1e-90):
        steep = Map("steep", state="x", parameters="a", update={"x": "a*x - a*x**3"})
        assert lyapunov_exponents(steep, [0.0], 2000, a=slope)[0, 0] == pytest.approx(np.log(slope), rel=1e-12)


def test_single_precision_states_have_exponents_of_nearly_those_values():
    x0, values = case(uv_balanced, 50, 3)
    x0 = np.clip(x0, -1, 1).astype(np.float32)
    values["Y"] = values["Y"].astype(np.float32) / 2  # regular orbits: chaos would part the two precisions
    found = [lyapunov_exponents(uv_balanced, x0.astype(d), 60, **values) for d in (np.float32, np.float64)]
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-3)


def test_lost_runs_have_no_exponent():
    found = lyapunov_exponents(uv, [[1.0, 0.5], [400.0, 0.5]], 50, burn_in=5, Y=0.2)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


def test_the_conserved_quantity_is_neutral():
    """E of second-order regression is kept: on its line of minima, here T = 1.5, the multipliers are 1 and 1 - T."""
    found = lyapunov_exponents(second_order, [0.0, 1.5], 200, burn_in=100, eps=0.1, E=0.0)[0]
    assert found == pytest.approx([0.0, np.log(0.5)], abs=1e-12)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [orbit, extremes, lyapunov_exponents])
@pytest.mark.parametrize(
    ("x0", "steps", "values", "error", "message"),
    [
        ([1.0, 0.5], 3, {"y": 0.1}, ValueError, 'unknown parameter of uv "y"; did you mean "Y"'),
        ([1.0, 0.5], 3, {}, ValueError, "uv needs a value for Y"),
        ([1.0], 3, {"Y": 0.1}, ValueError, r"x0 must have shape \(\.\.\., 2\), got \(1,\)"),
        ([[[1.0, 0.5]]], 3, {"Y": 0.1}, ValueError, "x0 must be 1-D or 2-D"),
        ([[1.0, 0.5]] * 2, 3, {"Y": [0.1] * 3}, ValueError, r"one number of runs, got \{'x0': 2, 'Y': 3\}"),
        ([1.0, 0.5], 3, {"Y": [[0.1]]}, ValueError, "Y must be 0-D or 1-D"),
        ([1.0, np.nan], 3, {"Y": 0.1}, ValueError, r"x0 must be finite, got x0\[1\] = nan"),
        ([1.0, 0.5], 3, {"Y": np.inf}, ValueError, "Y must be finite"),
        ([1.0, 0.5], -1, {"Y": 0.1}, ValueError, "steps must be an integer >= "),
        ([1.0, 0.5], 2.5, {"Y": 0.1}, TypeError, "steps must be an integer"),
        ([1.0, 0.5j], 3, {"Y": 0.1}, TypeError, "x0 must hold real numbers"),
        (np.empty((0, 2)), 3, {"Y": 0.1}, ValueError, "x0 must not be empty"),
    ],
)
def test_wrong_arguments(form, x0, steps, values, error, message):
    with pytest.raises(error, match=message):
        form(uv, x0, steps, **values)


@pytest.mark.parametrize("at", [[], [2, 1], [0, 0], [-1], [4], [1.5], 2])
def test_wrong_stops(at):
    with pytest.raises(ValueError, match="at must be increasing step numbers from 0 to steps = 3"):
        orbit(uv, [1.0, 0.5], 3, at=at, Y=0.1)


def test_what_a_system_lacks():
    with pytest.raises(ValueError, match="henon has no observables"):
        extremes(HENON, [0.1, 0.1], 3, a=1.4, b=0.3)
    with pytest.raises(TypeError, match="must be a Map with observables"):
        extremes(Plain(uv), [1.0, 0.5], 3, Y=0.1)
    bare = Plain(uv)
    del bare.jacobian_at
    with pytest.raises(TypeError, match="must have jacobian_at"):
        lyapunov_exponents(bare, [1.0, 0.5], 3, Y=0.1)
    with pytest.raises(ValueError, match="burn_in must be an integer >= 0"):
        lyapunov_exponents(uv, [1.0, 0.5], 3, burn_in=-1, Y=0.1)
