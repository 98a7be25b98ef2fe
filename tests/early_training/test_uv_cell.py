import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim import UVModel, maps
from eossim.early_training import UVStarts, classify_early, critical_constants, saturation_grid, saturation_knee
from eossim.early_training.bisection import bisect
from eossim.early_training.uv import run_uv
from eossim.early_training.uv_cell import uv_cell, uv_saturation
from eossim.engine.iterate import orbit
from eossim.theory import uv as exact

GRID = 2.0 ** np.arange(0, 3, 0.1)


def of_s(s):
    """Starts with y = 0, κ = λ = 1 and f = √s."""
    s = np.atleast_1d(np.asarray(s, float))
    return UVStarts.of_output(np.sqrt(s), np.ones_like(s), 1.0)


def thresholds(starts, flag, steps, low, high):
    """The c in (low, high) from which on something is seen, to 1e-11."""

    def crosses(which, c):
        return getattr(run_uv(starts, c, steps, 1e30, which), flag)

    return bisect(crosses, np.full(len(starts.p), low), np.full(len(starts.p), high), 1e-11)[1]


@given(
    st.floats(-2, 2), st.floats(-2, 2), st.floats(0.05, 1), st.floats(-1, 1), st.lists(st.floats(0.2, 7), min_size=1)
)
def test_runs_are_those_of_the_positive_map(f, y, kappa, gap, cs):
    """Labels, peaks and the barrier against whole trajectories of P and Q and points on the segment of vectors."""
    ntk = (2 * np.sqrt(kappa) * abs(f) + 0.1) * (1 + abs(gap))
    starts = UVStarts.of_output(f, ntk, kappa, y)
    c, T = np.sort(cs)[None], 6
    seen = run_uv(starts, c, T, 1e5)
    eta = c[0] / starts.sharpness
    x0 = eta[:, None] * np.array([starts.p[0], starts.q[0]])
    Y = eta * np.sqrt(kappa) * y
    path = orbit(maps.uv, x0, T, at=np.arange(T + 1), Y=Y)
    seen_there = [maps.uv.observe(x, Y=Y) for x in path]
    L, S = (np.stack([each[name] for each in seen_there], -1) for name in ("loss", "sharpness"))
    units = (eta**2 * kappa)[:, None]
    with np.errstate(all="ignore"):
        clear = np.all(np.abs(L[:, 1:] / L[:, :1] - 1) > 1e-9, -1) & np.all(np.abs(S[:, 1:] / S[:, :1] - 1) > 1e-9, -1)
        ok = clear & np.all(L / units < 1e4, -1) & np.isfinite(S).all(-1)
        assert np.array_equal(seen.diverged[0], ~np.all(units * 1e5 >= L, -1))
    found = classify_early((L / units)[ok], S[ok], c[0][ok]) if ok.any() else None
    if found is not None:
        np.testing.assert_array_equal(seen.loss_rises[0][ok], found.loss_rises)
        np.testing.assert_array_equal(seen.sharpness_rises[0][ok], found.sharpness_rises)
        np.testing.assert_allclose(seen.loss_peak[0][ok], (L[:, 1:].max(-1) / L[:, 0])[ok], rtol=1e-6)
        np.testing.assert_allclose(seen.sharpness_ratio[0][ok], (S[:, -1] / S[:, 0])[ok], rtol=1e-6)


def test_reference_labels():
    """w = 16, f = 1, λ = 2: a catapult of the loss at η = 1.25, of both at 1.95."""
    starts = UVStarts.of_output(1.0, 2.0, 1 / 16)
    np.testing.assert_allclose(starts.sharpness, 2.08972473589, rtol=1e-11)
    c = np.array([1.25, 1.95]) * starts.sharpness
    np.testing.assert_allclose(c, [2.6122, 4.075], atol=5e-5)
    found = uv_cell(starts, c, refine=False, barrier=False).isel(seed=0)
    assert list(found.label.values) == ["catapult-loss", "catapult-both"]
    path = orbit(maps.uv_amplitudes, np.sqrt(1.95 * np.array([2.5, 1.5])), 3, at=[1, 2, 3], Y=0.0)[:, 0]
    np.testing.assert_allclose(
        maps.uv_amplitudes.observe(path, Y=0.0)["sharpness"] / 1.95,
        [2.51603093424, 2.60534153502, 1.56478706187],
        rtol=1e-11,
    )


@pytest.mark.parametrize(
    ("s", "c_loss", "c_sharp", "c_max"),
    [
        (0.001, 2.0100102000, 2.5142683445, 4.0119642144),
        (1 / 64, 2.159459796766838, 2.7280270782581653, 4.1794494717703365),
        (0.05, 2.5525924886, 3.2903265154, 4.5298221281),
    ],
)
@pytest.mark.parametrize("steps", [1, 10, 1000])
def test_thresholds_below_one_eighth_are_those_of_one_step(s, c_loss, c_sharp, c_max, steps):
    start = of_s(s)
    assert thresholds(start, "loss_rises", steps, 1.5, 3.0) == pytest.approx(c_loss, rel=1e-10)
    assert thresholds(start, "sharpness_rises", steps, 2.0, 3.6) == pytest.approx(c_sharp, rel=1e-10)
    if steps == 1000:
        assert thresholds(start, "diverged", steps, 3.0, 7.0) == pytest.approx(c_max, rel=1e-9)


@pytest.mark.parametrize(
    ("s", "c_loss", "c_sharp", "c_max"), [(0.125, 5.1623, 5.1623, 5.1623), (0.15, 5.1218, 5.2398, 5.3466)]
)
def test_many_steps_beyond_one_eighth(s, c_loss, c_sharp, c_max):
    found = uv_cell(of_s(s), np.linspace(4.5, 6.5, 401), steps=1000)
    assert float(found.c_max[0]) == pytest.approx(c_max, rel=8e-4)
    if s > 0.125:
        assert float(found.c_loss[0]) == pytest.approx(c_loss, rel=8e-4)
        assert float(found.c_sharp[0]) == pytest.approx(c_sharp, rel=8e-4)


def test_on_the_balanced_manifold_nothing_rises_before_divergence():
    found = uv_cell(of_s(0.25), GRID, steps=1000).isel(seed=0)
    assert float(found.c_max) == pytest.approx(6, rel=8e-4)
    assert np.isnan(found.c_loss)
    assert np.isnan(found.c_sharp)
    assert float(found.c_barrier) == float(found.c_max)
    assert float(found.c_barrier_grid) == float(found.c_max_grid)


@pytest.mark.parametrize(
    ("s", "steps", "low", "high", "printed"),
    [(1 / 64, 1, 2.1, 2.3, 2.159459797), (1 / 64, 2, 2.2, 2.3, 2.2397610309), (0.05, 2, 3.1, 3.2, 3.1300893690)],
)
def test_barrier_begins_where_the_segment_first_leads_uphill(s, steps, low, high, printed):
    """At τ = 0 the slope of f is ½(p(A - 1) - q(B - 1)): it vanishes at c_barrier, unless one step ends at -f.

    Printed values for two steps were found with a tolerance on the rise, which begins quadratically.
    """

    def slope(c):
        k = 2 * c / (1 + mp.sqrt(1 + 12 * mp.mpf(s)))
        p, q = (p0, q0) = k * (1 + 2 * mp.sqrt(s)), k * (1 - 2 * mp.sqrt(s))
        A = B = mp.mpf(1)
        for _ in range(steps):
            e = (p - q) / 4
            A, B, p, q = A * (1 - e), B * (1 + e), p * (1 - e) ** 2, q * (1 + e) ** 2
        return p0 * (A - 1) - q0 * (B - 1)

    onset = float(exact.c_loss(s)) if steps == 1 else float(mp.findroot(slope, (low, high), solver="anderson"))
    assert thresholds(of_s(s), "barrier", steps, low, high) == pytest.approx(onset, rel=1e-8)
    assert onset == pytest.approx(printed, rel=2e-5)
    found = uv_cell(of_s(s), np.linspace(1.5, 6, 901), steps=steps, bound=0.9).isel(seed=0)
    assert 0 <= float(found.c_barrier) - onset < 0.005


def test_a_barrier_at_the_last_c_before_divergence_stays():
    """This start has its barrier at the last c of the grid that does not diverge."""
    starts = UVStarts.drawn(64, [7])
    found = uv_cell(starts, GRID, steps=5).isel(seed=0)
    last = float(found.c_max_grid)
    assert run_uv(starts, np.array([[last]]), 5, 1e5).barrier.all()
    assert float(found.c_barrier) == float(found.c_barrier_grid) == last < float(found.c_max)


@pytest.mark.parametrize("width", [1, 3, 40, 1000])
def test_balanced_weights_are_starts(width):
    """u = v and u = -v have |f| = λ/(2√κ), up to rounding."""
    model = UVModel(width)
    for seed in range(50):
        v = np.random.default_rng(seed).standard_normal(width)
        for sign in (1, -1):
            w = model.join(sign * v[:, None], v)
            start = UVStarts.of_output(model.function(w), model.ntk(w), model.kappa)
            side, other = (start.q, start.p) if sign > 0 else (start.p, start.q)
            assert 0 <= side[0] <= 1e-14 * other[0]
    with pytest.raises(ValueError, match="0 <= q"):
        UVStarts.of_output(0.5 * (1 + 1e-13), 1.0, 1.0)


def test_no_barrier_at_all():
    c = np.linspace(1.5, float(exact.c_max(0.1)), 2000)[None]
    assert not run_uv(of_s(0.1), c, 2, 1e5).barrier.any()


def test_barrier_against_points_on_the_segment_of_weights():
    width, T = 3, 4
    model = UVModel(width, y=0.4)
    w0 = model.initial(5)
    starts = UVStarts.of_output(model.function(w0), model.ntk(w0), 1 / width, 0.4)
    np.testing.assert_allclose(starts.sharpness, model.sharpness(w0), rtol=1e-12)
    tau = np.linspace(0, 1, 4001)[1:, None]
    c = np.linspace(0.3, 5, 40)
    seen = run_uv(starts, c[None], T, 1e5)
    for k, each in enumerate(c):
        w = w0
        for _ in range(T):
            w = w - each / starts.sharpness * model.grad(w)
        excess = float((model.loss((1 - tau) * w0 + tau * w) / model.loss(w0)).max()) - 1
        if abs(excess) > 1e-3:
            assert seen.barrier[0, k] == (excess > 0)
    assert 0 < seen.barrier.sum() < seen.barrier.size


def test_constants_and_labels_are_those_of_trajectories():
    starts = UVStarts.drawn(8, range(20), y=0.3)
    found = uv_cell(starts, GRID, steps=8, refine=False, barrier=False)
    eta = GRID / starts.sharpness[:, None]
    x0 = (eta[..., None] * np.stack([starts.p, starts.q], -1)[:, None]).reshape(-1, 2)
    Y = (eta * np.sqrt(starts.kappa) * starts.y).ravel()
    path = orbit(maps.uv, x0, 8, at=np.arange(9), Y=Y)
    seen = [maps.uv.observe(x, Y=Y) for x in path]
    L, S = (np.stack([each[name] for each in seen], -1).reshape(20, GRID.size, 9) for name in ("loss", "sharpness"))
    L = L / (eta**2 * starts.kappa)[..., None]
    expected = critical_constants(GRID, L, S, steps=8)
    for name in ("c_loss", "c_sharp", "c_max", "reached_end"):
        np.testing.assert_array_equal(found[name], getattr(expected, name))
        np.testing.assert_array_equal(found.get(f"{name}_grid", found[name]), getattr(expected, name))
    label = classify_early(L, np.where(np.isfinite(S), S, 0), GRID, steps=8).label
    first = np.argmax(label == "diverge", axis=1)[:, None]
    shown = np.arange(GRID.size) <= first
    np.testing.assert_array_equal(found.label, np.where(shown, label, ""))
    assert np.isnan(found.sharpness_peak.values[~shown]).all()
    assert np.isfinite(found.loss_peak.values[shown & (label != "diverge")]).all()


@pytest.mark.parametrize("width", [4, 16, 64, 256])
def test_gaussian_averages(width):
    """Against the exact mean of c_max, and printed means of 500 starts on a grid of 2^0.005 (0.35 % of bias)."""
    n = 2000
    starts = UVStarts.drawn(width, range(n))
    s = (starts.p - starts.q) ** 2 / (4 * (starts.p + starts.q) ** 2)
    for power, mean in ((1, exact.mean_s(width)), (2, exact.mean_s2(width))):
        assert abs((s**power).mean() - mean) < 5 * (s**power).std() / np.sqrt(n)
    found = uv_cell(starts, GRID, steps=200, barrier=False)
    c_max = found.c_max.values
    assert abs(c_max.mean() - float(exact.mean_c_max(width))) < 5 * c_max.std() / np.sqrt(n) + 7e-4 * 6
    printed = {
        4: (2.778, 3.369, 4.477), 16: (2.144, 2.703, 4.134), 64: (2.039, 2.554, 4.034), 256: (2.014, 2.518, 4.007)
    }[width]  # fmt: skip
    for name, mean in zip(("c_loss", "c_sharp", "c_max"), printed, strict=True):
        values = found[name].dropna("seed").values
        noise = values.std() * np.sqrt(1 / 500 + 1 / values.size)
        assert abs(values.mean() - mean) < 4 * noise + 0.004 * mean


@pytest.mark.parametrize(
    ("rho", "k_max", "c_max"), [(0.01, 4.00, 3.995), (0.1, 3.85, 3.89), (0.5, 2.47, 2.98), (1.0, 1.56, 2.52)]
)
def test_zero_output_start(rho, k_max, c_max):
    start = UVStarts.of_output(0.0, 1.0, 1.0, y=rho)
    np.testing.assert_allclose(start.sharpness, (1 + np.sqrt(1 + 4 * rho**2)) / 2, rtol=1e-12)
    k = np.arange(1.0, 4.2, 0.005)
    found = uv_cell(start, k * start.sharpness, steps=2000, bound=1e12, refine=False, barrier=False).isel(seed=0)
    assert float(found.c_max / start.sharpness[0]) == pytest.approx(k_max, abs=0.011)
    assert float(found.c_max) == pytest.approx(c_max, abs=0.0151)
    if rho < 0.7:
        theory = float(exact.zero_output_c_loss(1.0, 1.0, rho))
        assert thresholds(start, "loss_rises", 1, theory - 0.1, theory + 0.1) == pytest.approx(theory, rel=1e-10)


def test_zero_output_reference():
    start = UVStarts.of_output(0.0, 1.0, 1 / 8, y=1.5)
    np.testing.assert_allclose(start.sharpness, 1.2288689868556626, rtol=1e-14)
    np.testing.assert_allclose(start.loss, 1.125, rtol=1e-14)
    seen = run_uv(start, 1.9 * start.sharpness[None], 1, 1e5)
    np.testing.assert_allclose(seen.loss_peak, 0.91125 / 1.125, rtol=1e-12)


@pytest.mark.parametrize(("width", "depth"), [(8, 1.6), (32, 2.6), (128, 3.6), (512, 4.5), (4096, 5.2)])
def test_saturation_knee_is_at_two(width, depth):
    c = saturation_grid(3.5)
    found = uv_saturation(UVStarts.drawn(width, range(300)), c)
    knee = saturation_knee(c, found.ratio)
    assert knee.c_crit == pytest.approx(2.0, abs=1e-9)
    assert knee.depth == pytest.approx(depth, abs=0.15)
    ratios = {4096: (1, 1, 0.999, 0.991, 0.513, 0.072, 0.16), 512: (0.997, 0.997, 0.996, 0.974, 0.513, 0.074, 0.16)}
    if width in ratios:
        shown = found.ratio.sel(c=[0.5, 1, 1.5, 2, 2.5, 3, 3.5], method="nearest").values
        assert np.all(np.abs(shown - ratios[width]) <= np.array([0.02] * 6 + [0.05]))
    for time in (100, 2000):
        again = uv_saturation(UVStarts.drawn(width, range(300)), c, time=time)
        assert saturation_knee(c, again.ratio).c_crit == pytest.approx(2.0, abs=1e-9)


def test_saturation_takes_round_steps_and_ends_where_runs_diverge():
    found = uv_saturation(UVStarts.drawn(64, range(5)), [0.3, 1.7, 9.0], time=20.0)
    assert list(found.step.values) == [67, 12, 2]
    assert list(np.isnan(uv_saturation(UVStarts.drawn(64, range(5)), [1.0, 9.0]).ratio.values)) == [False, True]
    with pytest.raises(ValueError, match="9 <= time"):
        uv_saturation(UVStarts.drawn(64, range(5)), [1.0, 9.0], time=3.0)


def test_seeds_are_streams_of_their_own():
    some, other = UVStarts.drawn(16, [3, 8]), UVStarts.drawn(16, [8])
    assert some.p[1] == other.p[0]
    assert UVStarts.drawn(32, [8]).p[0] != other.p[0]
    zero = UVStarts.drawn(16, [8], start="zero-output", y=1.0)
    np.testing.assert_array_equal(zero.p, zero.q)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UVStarts(np.ones(2), np.ones(3), 1.0), "one shape"),
        (lambda: UVStarts(-np.ones(2), np.ones(2), 1.0), "0 <= p"),
        (lambda: UVStarts(np.ones(2), np.ones(2), 0.0), "0 < kappa"),
        (lambda: UVStarts(np.zeros(2), np.zeros(2), 1.0), "sharpness at the start must be positive"),
        (lambda: UVStarts.of_output(2.0, 1.0, 1.0), "0 <= q"),
        (lambda: UVStarts.drawn(0, [1]), "width must be an integer >= 1"),
        (lambda: UVStarts.drawn(4, [-1]), "seed must be an integer >= 0"),
        (lambda: UVStarts.drawn(4, [1], start="gauss"), "start must be one of 'gaussian', 'zero-output'"),
        (lambda: uv_cell(of_s(0.1), [2.0, 1.0]), "c must increase strictly"),
        (lambda: uv_cell(of_s(0.1), [1.0], steps=0), "steps must be an integer >= 1"),
        (lambda: uv_cell(of_s(0.1), [1.0], bound=-1.0), "0 < bound"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
