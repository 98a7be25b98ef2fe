"""All step sizes of one network: reference values on digits, exact thresholds of linear networks, brute force."""

import numpy as np
import pytest

from eossim.early_training.digits import relu_network, standardized_samples, torch_start
from eossim.early_training.network_cell import network_cell

GRID = 2.0 ** (0.1 * np.arange(71))
STEP = 2**0.1
CONSTANTS = ("c_loss", "c_sharp", "c_barrier", "c_max")


def plain_descent(problem, w, eta, steps):
    """Return the points of gradient descent in single precision, up to overflow."""
    points = [w]
    with np.errstate(all="ignore"):
        for _ in range(steps):
            points.append(points[-1] - np.float32(eta) * problem.grad(points[-1]))
    return points


@pytest.mark.parametrize(
    ("depth", "width", "c_loss", "c_sharp", "c_max", "ratio"),
    [(2, 64, 3.249, 4.287, None, 0.735), (4, 32, 17.148, 18.379, 42.22, 0.217), (8, 32, 64.0, 59.714, 68.59, 0.181)],
)
def test_reference_values_on_digits(depth, width, c_loss, c_sharp, c_max, ratio):
    found = network_cell(depth, width, 0, c=GRID, barrier=False)
    within = STEP * 1.001
    assert c_loss / within < found.c_loss_grid < c_loss * within
    assert c_sharp / within < found.c_sharp_grid < c_sharp * within
    assert bool(found.reached_end) == (c_max is None)
    if c_max is None:
        assert np.isnan(found.c_max)
    else:
        assert c_max / within < found.c_max_grid < c_max * within
    assert found.sharpness_ratio[0] == pytest.approx(ratio, abs=0.005)
    for name in ("c_loss", "c_sharp"):  # the least that rises, just below its value on the grid
        assert found[f"{name}_grid"] / STEP < found[name] <= found[f"{name}_grid"] * (1 + 1e-12)
    first = found.label.values[: int(np.searchsorted(GRID, 2.001))]
    assert set(first) == {"monotone"}


def test_wide_networks_come_close_to_two():
    """Two layers of width 512 on digits, loss alone: the geometric mean over three seeds lies in [2.07, 2.35]."""
    grid = GRID[GRID < 3]
    found = [network_cell(2, 512, seed, c=grid, sharpness=False, barrier=False, refine=False) for seed in range(3)]
    mean = np.exp(np.mean([np.log(cell.c_loss_grid) for cell in found]))
    assert 2.07 < mean < 2.35
    assert all(np.isnan(cell.c_sharp) and set(cell.label.values) == {""} for cell in found)


def test_a_linear_model_has_the_thresholds_of_its_eigenvalues(tmp_path):
    """One layer is least squares: losses at all steps follow from its eigenvalues, and so do c_loss and c_max."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((60, 4)), np.arange(60) % 3
    np.savez(tmp_path / "own.npz", X=X, y=y)
    found = network_cell(1, 1, 5, c=GRID, data=tmp_path / "own.npz", samples=60, steps=30, bound=1e3)
    inputs, targets = (a.astype(np.float64) for a in standardized_samples(tmp_path / "own.npz", 60))
    problem = relu_network(1, 1, inputs.astype(np.float32), targets.astype(np.float32))
    W = problem.unflatten(torch_start(problem, 5))[0].astype(np.float64)
    values, vectors = np.linalg.eigh(inputs.T @ inputs / (60 * 3))
    best = np.linalg.lstsq(inputs, targets, rcond=1e-5)[0]  # standardized features add up to zero
    away, rest = vectors.T @ (W - best), 0.5 * np.mean((inputs @ best - targets) ** 2)

    def losses(c):
        left = (1 - c * values / values[-1]) ** np.arange(31)[:, None]
        return rest + 0.5 * np.einsum("i,ti,ij->t", values, left**2, away**2)

    assert found.sharpness0 == pytest.approx(values[-1], rel=1e-5)
    np.testing.assert_allclose(found.loss[:11], [losses(c) for c in GRID[:11]], rtol=1e-4)
    fine = 2.0 ** np.arange(0, 7, 2.0**-10)
    rises = np.array([losses(c)[1:].max() > losses(c)[0] for c in fine])
    lost = np.array([losses(c).max() > 1e3 for c in fine])
    assert found.c_loss == pytest.approx(fine[rises.argmax()], rel=2e-3)
    assert found.c_max == pytest.approx(fine[lost.argmax()], rel=2e-3)
    np.testing.assert_allclose(found.sharpness_ratio[np.isfinite(found.sharpness_ratio)], 1, atol=1e-4)
    assert np.isnan(found.c_sharp)
    assert found.c_barrier == found.c_loss_grid  # the loss is convex on the segment: its end decides, or nothing does


@pytest.mark.parametrize(("depth", "width", "seed"), [(2, 7, 0), (3, 6, 1), (4, 5, 2), (5, 6, 4)])
def test_sharpness_at_every_step_is_the_largest_eigenvalue(depth, width, seed):
    """Against all eigenvalues of the Hessian at the same points."""
    grid = 2.0 ** np.arange(0, 7, 0.75)
    found = network_cell(depth, width, seed, c=grid, samples=60, barrier=False, refine=False)
    X, targets = standardized_samples("digits", 60)
    problem = relu_network(depth, width, X, targets)
    w0, S0 = torch_start(problem, seed), float(found.sharpness0)
    errors, exact = [], []
    for k, c in enumerate(grid):
        if not np.isfinite(found.sharpness_ratio[k]):
            break
        for t, w in enumerate(plain_descent(problem, w0, c / S0, 10)):
            assert problem.loss(w) == found.loss[k, t]
            H = problem.hvp(w, np.eye(problem.dim, dtype=np.float32)).astype(np.float64)
            exact.append(np.linalg.eigvalsh((H + H.T) / 2)[-1])
            errors.append(abs(float(found.sharpness[k, t]) - exact[-1]) / max(exact[-1], 1e-3 * S0))
    errors, exact = np.array(errors), np.array(exact)
    assert len(errors) > 50
    assert np.quantile(errors, 0.95) < 1e-4
    assert errors[exact > 0.05 * S0].max() < 3e-4


@pytest.mark.parametrize(
    ("depth", "width", "seed", "samples", "last", "step"),
    [(2, 16, 671, 16, 15, 2), (3, 4, 9717, 40, 15, 2), (2, 12, 8078, 64, 14, 7)],
)
def test_an_eigenvalue_that_overtakes_those_followed_is_found(depth, width, seed, samples, last, step):
    """In networks whose sharpness has just collapsed, where following two eigenvectors misses 13 to 35 % of it."""
    grid = 2.0 ** (0.25 * np.arange(last + 1))
    found = network_cell(depth, width, seed, c=grid, samples=samples, barrier=False, refine=False)
    problem = relu_network(depth, width, *standardized_samples("digits", samples))
    S0 = float(found.sharpness0)
    w = plain_descent(problem, torch_start(problem, seed), grid[-1] / S0, step)[-1]
    H = problem.hvp(w, np.eye(problem.dim, dtype=np.float32)).astype(np.float64)
    top = np.linalg.eigvalsh((H + H.T) / 2)[-1]
    assert top < 0.2 * S0
    assert found.sharpness[-1, step] == pytest.approx(top, rel=3e-4)


def test_results_depend_neither_on_threads_nor_on_what_is_asked_besides():
    options = {"c": GRID[::3], "samples": 100}
    one = network_cell(3, 12, 1, threads=1, **options)
    assert one.identical(network_cell(3, 12, 1, threads=3, **options))
    grid_only = network_cell(3, 12, 1, refine=False, barrier=False, **options)
    loss_only = network_cell(3, 12, 1, sharpness=False, **options)
    for name in ("c_loss", "c_sharp", "c_max"):
        assert one[f"{name}_grid"].equals(grid_only[name])
    for name in ("c_loss", "c_max", "c_barrier", "loss_peak"):
        assert one[name].equals(loss_only[name])
    assert np.isnan(grid_only.c_barrier)


def test_the_sweep_ends_at_the_first_divergence():
    whole = network_cell(4, 16, 1, c=GRID[::2], samples=100)
    end = int(np.flatnonzero(whole.label == "diverge")[0])
    assert end + 1 < whole.c.size
    assert set(whole.label.values[end + 1 :]) == {""}
    assert np.isnan(whole.loss[end + 1 :]).all()
    assert np.isnan(whole.sharpness_peak[end + 1 :]).all()
    assert np.isfinite(whole.sharpness[:end]).all()
    assert whole.c_max_grid == GRID[::2][end - 1]
    assert whole.c_max_grid <= whole.c_max < GRID[::2][end]
    shorter = network_cell(4, 16, 1, c=GRID[::2][:end], samples=100)
    assert bool(shorter.reached_end)
    np.testing.assert_array_equal(shorter.loss, whole.loss[:end])
    np.testing.assert_array_equal(shorter.sharpness, whole.sharpness[:end])


@pytest.mark.parametrize(("depth", "width", "seed"), [(3, 20, 1), (5, 8, 0), (4, 16, 1)])
def test_barrier_and_refined_constants_against_brute_force(depth, width, seed):
    grid = GRID[::4]
    found = network_cell(depth, width, seed, c=grid, samples=100)
    problem = relu_network(depth, width, *standardized_samples("digits", 100))
    w0, S0 = torch_start(problem, seed), float(found.sharpness0)
    ends = [plain_descent(problem, w0, c / S0, 10)[-1] for c in grid]
    reached = grid <= (grid[-1] if found.reached_end else float(found.c_max_grid))
    segment = np.linspace(0, 1, 101, dtype=np.float32)[:, None]
    peaks = np.array([problem.loss(w0 + segment * (w - w0)).max() for w in np.array(ends)[reached]])
    barrier = grid[reached][peaks > problem.loss(w0)]
    assert found.c_barrier == (barrier[0] if len(barrier) else float(found.c_max))

    def rises(c):
        losses = problem.loss(np.array(plain_descent(problem, w0, c / S0, 10)))
        return bool((losses[1:] > losses[0]).any())

    assert rises(float(found.c_loss))
    assert not rises(float(found.c_loss) * 2**-0.001)


def between(grid):
    """Return the grid with further points in equal steps of log2 c, as many as make them at most 1/128."""
    pairs = [np.log2(grid[k : k + 2]) for k in range(len(grid) - 1)]
    parts = [2.0 ** np.linspace(*pair, int(np.ceil(np.diff(pair)[0] * 128 - 1e-9)) + 1) for pair in pairs]
    return np.concatenate([[grid[k], *part[1:-1]] for k, part in enumerate(parts)] + [grid[-1:]])


@pytest.mark.parametrize(
    ("depth", "width", "seed", "samples", "every"),
    [(3, 20, 1, 100, 4), (4, 16, 1, 100, 10), (4, 32, 1, 512, 1)],
)
def test_c_loss_and_c_max_are_the_first_of_all_points_close_together(depth, width, seed, samples, every):
    """Where the set of c that diverges is ragged, as at (4, 32, 1), the grid goes on beyond the first."""
    grid = GRID[::every]
    found = network_cell(depth, width, seed, c=grid, samples=samples, sharpness=False)
    problem = relu_network(depth, width, *standardized_samples("digits", samples))
    w0, S0 = torch_start(problem, seed), float(found.sharpness0)
    c = between(grid)
    c = c[c < float(found.c_max_grid) * 1.2]
    with np.errstate(all="ignore"):
        w, losses = np.tile(w0, (len(c), 1)), [np.full(len(c), problem.loss(w0))]
        for _ in range(10):
            w = w - (c / S0).astype(np.float32)[:, None] * problem.grad(w)
            losses.append(problem.loss(w))
    lost = ~np.all(np.array(losses) <= 1e5, axis=0)
    up, end = (np.max(losses[1:], axis=0) > losses[0]).argmax(), lost.argmax()
    assert lost.any()
    assert c[up - 1] < found.c_loss <= c[up]
    assert c[end - 1] <= found.c_max < c[end]
    assert found.c_barrier <= found.c_max
    if every == 1:
        assert found.c_max < found.c_max_grid  # what the grid alone says is too high


def test_a_divergence_between_finite_neighbours_is_found():
    ends = {"c": GRID[46:48], "sharpness": False}
    grid_only, refined = (network_cell(4, 32, 1, refine=refine, **ends) for refine in (False, True))
    assert grid_only.reached_end
    assert not refined.reached_end
    assert np.isnan(refined.c_max_grid)
    assert refined.c_max == refined.c_barrier
    assert refined.c_max == pytest.approx(25.36, rel=2**-7)  # torch, in single and double precision, 2^-9 apart


@pytest.mark.parametrize("grid", [[1.0, 17.5, 64.0], [1.0, 32.0, 64.0]])
def test_c_sharp_does_not_need_a_grid_that_sees_it(grid):
    assert network_cell(4, 32, 0, c=grid, barrier=False).c_sharp == pytest.approx(18.0, rel=1e-3)


def test_a_dead_start_has_no_unit_for_step_sizes():
    dead = next(s for s in range(200) if not _curved(s))
    with pytest.raises(ValueError, match="sharpness at the start must be positive, got 0"):
        network_cell(6, 1, dead, c=[1.0, 2.0], samples=20)


def _curved(seed):
    problem = relu_network(6, 1, *standardized_samples("digits", 20))
    return problem.predict(torch_start(problem, seed)).any()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"c": [2.0, 1.0]}, ValueError, "c must increase"),
        ({"c": [0.0, 1.0]}, ValueError, "c"),
        ({"depth": 0}, ValueError, "depth"),
        ({"width": 1.5}, TypeError, "width"),
        ({"seed": -1}, ValueError, "seed"),
        ({"steps": 0}, ValueError, "steps"),
        ({"bound": 0.0}, ValueError, "bound"),
        ({"samples": 5000}, ValueError, "samples"),
        ({"threads": 0}, ValueError, "threads"),
        ({"data": "digit"}, ValueError, "digits"),
        ({"sharpness_rise": -1.0}, ValueError, "sharpness_rise"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    arguments = {"depth": 2, "width": 4, "seed": 0, "c": [1.0, 2.0]} | change
    with pytest.raises(error, match=message):
        network_cell(arguments.pop("depth"), arguments.pop("width"), arguments.pop("seed"), **arguments)


def test_a_constant_beyond_the_last_c_that_does_not_diverge_is_found_there():
    found = network_cell(3, 20, 1, c=[1.0, 4.0, 16.0, 64.0], samples=100)
    assert found.c_max_grid == 16
    assert np.isnan(found.c_sharp_grid)
    assert 16 < found.c_sharp < found.c_max < 64
    below, at = float(found.c_sharp) * 2**-0.001, float(found.c_sharp)
    peak = network_cell(3, 20, 1, c=[below, at], samples=100, refine=False).sharpness_peak
    assert peak[0] < 1.0022
    assert peak[1] > 1.0018
