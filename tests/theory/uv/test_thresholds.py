"""Critical constants of the uv model: reference values, fifty digits, and bisection over literal steps."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.maps import uv as uv_map
from eossim.problems import UVModel
from eossim.theory import uv
from tests.strategies import seeds

s_values = st.floats(0, 0.25)
outputs = st.floats(-3, 3)


@pytest.mark.parametrize(
    ("s", "k_loss", "k_sharp", "c_loss", "c_sharp", "c_max"),
    [
        (0, 2, 2.5, 2, 2.5, 4),
        (0.001, 2.0040160805, 2.5067704597, 2.0100102000, 2.5142683445, 4.0119642144),
        (1 / 64, 2.066740905808469, 2.6108960968992156, 2.159459796766838, 2.7280270782581653, 4.1794494717703365),
        (0.05, 2.2540333076, 2.9054796611, 2.5525924886, 3.2903265154, 4.5298221281),
        (0.25, 4, 4, 6, 6, 6),
    ],
)
def test_reference_values(s, k_loss, k_sharp, c_loss, c_sharp, c_max):
    # The table ends at ten decimals where the values are not those of 1/64.
    rel = 1e-13 if s in (0, 1 / 64, 0.25) else 3e-11
    assert uv.k_loss(s) == pytest.approx(k_loss, rel=rel)
    assert uv.k_sharp(s) == pytest.approx(k_sharp, rel=rel)
    assert uv.c_loss(s) == pytest.approx(c_loss, rel=rel)
    assert uv.c_sharp(s) == pytest.approx(c_sharp, rel=rel)
    assert uv.c_max(s) == pytest.approx(c_max, rel=rel)
    assert uv.k_max(s) == uv.k_trace(s) == 4


def test_exact_values_and_small_s():
    assert uv.k_loss(0) == 2
    assert uv.k_sharp(0) == 2.5
    assert uv.k_sharp(0.125) == pytest.approx(4, rel=1e-14)
    s = 1e-6
    assert (uv.k_loss(s) - 2) / s == pytest.approx(4, rel=1e-4)
    assert (uv.k_sharp(s) - 2.5) / s == pytest.approx(6.75, rel=1e-4)
    assert (uv.c_loss(s) - 2) / s == pytest.approx(10, rel=1e-4)
    assert (uv.c_sharp(s) - 2.5) / s == pytest.approx(14.25, rel=1e-4)
    assert (uv.c_max(s) - 4) / s == pytest.approx(12, rel=1e-4)


def close(found, exact, rel=1e-14):
    return abs(mp.mpf(float(found)) - exact) <= rel * abs(exact)


@given(st.one_of(s_values, st.floats(0, 1e-6), st.floats(0.1249999, 0.1250001)))
def test_fifty_digits(s):
    with mp.workdps(50):
        x = mp.mpf(s)
        C = 1 + mp.sqrt(1 + 12 * x)
        assert close(uv.conversion(s), C)
        assert close(uv.c_max(s), 2 * C)
        if 0 < s < 0.125:  # 1 - 8 s is near 0 there
            exact = (1 - mp.sqrt(1 - 8 * x)) / (2 * x) if s > 1e-20 else mp.mpf(2)
            assert close(uv.k_loss(s), exact, 1e-14)
        elif s:
            assert close(uv.k_loss(s), 1 / x)
        k = mp.mpf(float(uv.k_sharp(s)))
        if s > 1e-12:  # the sharpness after a step of k/λ equals the one before: with λ = 1, κf² = s

            def change(k):
                lam, f2 = 1 + x * k * (k - 4), x * (1 - k + k**2 * x) ** 2
                return (lam - 1 + mp.sqrt(lam**2 + 12 * f2) - mp.sqrt(1 + 12 * x)) / x

            slope = mp.diff(change, k)
            assert abs(change(k)) <= 1e-14 * abs(slope) * k


@given(outputs, st.floats(1e-3, 10), st.floats(1e-3, 10), st.floats(-3, 3))
def test_sharpness_and_s_at_fifty_digits(f, excess, kappa, y):
    lam = 2 * np.sqrt(kappa) * abs(f) + excess
    with mp.workdps(50):
        F, L, K, Y = map(mp.mpf, (f, float(lam), kappa, y))
        delta = F - Y
        exact = (L + mp.sqrt(L**2 + 4 * K * (2 * F * delta + delta**2))) / 2
        assert close(uv.sharpness(f, lam, kappa, y), exact, 1e-13)
        s = K * F * delta / L**2
        assert abs(mp.mpf(float(uv.s_parameter(f, lam, kappa, y))) - s) <= mp.mpf(1e-14) * abs(s) + mp.mpf(1e-300)


@given(
    outputs, st.floats(1e-3, 10), st.floats(1e-3, 10), st.floats(-3, 3), st.integers(-450, 450), st.integers(-450, 450)
)
def test_units_do_not_matter(f, excess, kappa, y, of_kernel, of_kappa):
    """λ → aλ, κ → b²κ, f → a/b f and y → a/b y: the sharpness is multiplied by a, s by 1."""
    f, y = (v if abs(v) > 1e-3 else 0.0 for v in (f, y))
    lam = 2 * np.sqrt(kappa) * abs(f) + excess
    by_output = of_kernel - of_kappa
    scaled = [np.ldexp(f, by_output), np.ldexp(lam, of_kernel), np.ldexp(kappa, 2 * of_kappa), np.ldexp(y, by_output)]
    assert uv.s_parameter(*scaled) == uv.s_parameter(f, lam, kappa, y)
    assert uv.sharpness(*scaled) == np.ldexp(uv.sharpness(f, lam, kappa, y), of_kernel)
    end = uv.gradient_flow_end(f, lam, kappa, y)
    assert uv.gradient_flow_end(*scaled) == np.ldexp(end, of_kernel)
    assert uv.zero_output_c_loss(*scaled[1:]) == uv.zero_output_c_loss(lam, kappa, y)


def test_tiny_and_huge_starts():
    assert uv.sharpness(1e-170, 1e-160, 1.0) == pytest.approx(1e-160, rel=1e-14)
    assert uv.sharpness(1e200, 3e200, 1.0) == pytest.approx((3 + np.sqrt(21)) / 2 * 1e200, rel=1e-14)
    assert uv.sharpness(0.0, 1e-170, 1.0, 1e150) == pytest.approx(1e150, rel=1e-14)
    assert uv.s_parameter(1e-170, 1e-165, 1.0) == pytest.approx(1e-10, rel=1e-14)
    assert uv.zero_output_c_loss(1e-200, 1.0, 1e-200) == pytest.approx(1 + np.sqrt(5), rel=1e-14)
    assert uv.peak_bound(1e-170, 1e300) == pytest.approx(2e40, rel=1e-14)
    assert uv.gradient_flow_end(1e-170, 1e-165, 1.0) == pytest.approx(1e-165, rel=1e-9)


@given(seeds, st.integers(2, 30), st.sampled_from([0.0, 0.0, 0.7, -1.5]))
def test_one_step_raises_the_loss_from_k_loss_on(seed, width, y):
    rng = np.random.default_rng(seed)
    problem = UVModel(width, rng.standard_normal(2), y)
    w = problem.initial(rng)
    s = uv.s_parameter(problem.function(w), problem.ntk(w), problem.kappa, y)
    if abs(s) < 1e-8 or abs(problem.function(w)) < 1e-6:
        return
    g, lam = problem.grad(w), problem.ntk(w)

    def rises(k):
        k = np.atleast_1d(k)
        return problem.loss(w - (k / lam)[:, None] * g) > problem.loss(w)

    found = first_crossing(rises, np.linspace(0.05, 1.5 * uv.k_loss(s), 4000))
    assert found == pytest.approx(uv.k_loss(s), rel=1e-6)
    if not y:
        assert found * problem.sharpness(w) / lam == pytest.approx(uv.c_loss(s), rel=1e-6)


@given(seeds, st.integers(1, 40))
def test_one_step_raises_the_sharpness_from_k_sharp_on(seed, width):
    problem = UVModel(width)
    w = problem.initial(seed)
    s = uv.s_parameter(problem.function(w), problem.ntk(w), problem.kappa)
    if s < 1e-6 or s > 0.2499999:
        return
    P, Q, _ = problem.unit_free(w, 1 / problem.ntk(w))
    before = problem.sharpness(w) / problem.ntk(w)

    def rises(k):
        k = np.atleast_1d(k)
        after = uv_map.step(k[:, None] * np.array([P, Q]), Y=0.0)
        return uv_map.observe(after, Y=0.0)["sharpness"] / k > before

    found = first_crossing(rises, np.linspace(0.05, 4.6, 2000))
    assert found == pytest.approx(uv.k_sharp(s), rel=1e-6)
    assert found * before == pytest.approx(uv.c_sharp(s), rel=1e-6)


def first_crossing(rises, grid):
    """Smallest point from which `rises` holds: scan upward, then bisect."""
    first = int(np.argmax(rises(grid)))
    assert first > 0
    low, high = grid[first - 1], grid[first]
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (low, middle) if rises(middle)[0] else (middle, high)
    return high


def test_runs_converge_below_k_max_and_diverge_above():
    s = np.concatenate([np.geomspace(1e-3, 0.24, 20), [0.25]])
    ratio = 2 * np.sqrt(s)  # 2√κ f / λ
    for k, grows in ((3.97, False), (4.03, True)):
        x = k * np.stack([1 + ratio, 1 - ratio], -1)
        for _ in range(5000):
            x = uv_map.step(x, Y=0.0)
        trace = uv_map.observe(x, Y=0.0)["trace"]
        assert ((trace > k) | ~np.isfinite(trace)).all() if grows else (trace < k).all()
        if grows:
            assert not np.isfinite(trace[s < 0.25]).any()


@given(outputs, outputs, st.floats(1.1, 5))
def test_trace_with_a_target(f, y, margin):
    if abs(f) < 1e-3 or abs(f - y) < 1e-3:
        return
    k, lam = uv.k_trace_of_target(f, y), 2 * abs(f) + 0.5
    assert k == (pytest.approx(4 * f / (f - y), rel=1e-14) if f * (f - y) > 0 else 0)
    problem = UVModel(2, y=y, m=1.0)
    P, Q = lam + 2 * f, lam - 2 * f
    w = problem.join(np.array([[P**0.5], [Q**0.5]]) / 2, np.array([P**0.5, -(Q**0.5)]) / 2)
    for at, grows in ((k * margin if k else 0.01, True), (k / margin, False)):
        if at:
            after = w - at / lam * problem.grad(w)
            assert (problem.ntk(after) > problem.ntk(w)) == grows


def test_outside_the_domain():
    outside = np.array([-0.01, 0.2501, np.nan, np.inf])
    for name in ("conversion", "k_sharp", "k_trace", "k_max", "c_loss", "c_sharp", "c_max"):
        function = getattr(uv, name)
        assert np.isnan(function(outside)).all(), name
        assert np.isfinite(function(0.25 * (1 + 1e-15))), name
        assert function(np.zeros((2, 3))).shape == (2, 3)
        assert function([]).shape == (0,)
    assert np.isnan(uv.k_loss([np.nan, np.inf])).all()
    assert uv.k_loss(-1.0) == pytest.approx(1.0)
    assert np.isnan(uv.sharpness(1.0, -1.0, 1.0))
    assert np.isnan(uv.s_parameter(1.0, 1.0, 0.0))
    assert np.isnan(uv.k_trace_of_target(1.0, 1.0))


def test_bad_input():
    with pytest.raises(TypeError, match="s must hold real numbers"):
        uv.k_loss("a")
    with pytest.raises(ValueError, match=r"shapes do not broadcast: f \(2,\), lam \(3,\)"):
        uv.sharpness([1.0, 2.0], [1.0, 2.0, 3.0], 1.0)
