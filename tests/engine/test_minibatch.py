"""The compiled mini-batch simulator: bit for bit the plain one, whatever threads and runs are."""

import math
from collections import Counter

import numpy as np
import pytest

from eossim import KernelRegression, LeastSquares, Quadratic, Record, rules, simulate
from eossim._rule import Rule
from eossim.engine.minibatch import _draw, simulate_minibatch
from eossim.engine.streams import below, next_word, stream
from eossim.symbolic import eta, grad, w

MASK = 2**64 - 1
METHODS = {
    "gd": rules.gd(eta=0.2),
    "usam": rules.usam(eta=0.2, rho=0.1),
    "sam": rules.sam(eta=0.2, rho=0.1),
}


class PlainStream:
    """xoshiro256++ in Python integers."""

    def __init__(self, state):
        self.state = [int(word) for word in state]

    def word(self):
        def rotated(x, k):
            return ((x << k) | (x >> (64 - k))) & MASK

        s = self.state
        result = (rotated((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        shifted = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotated(s[3], 45)
        return result

    def below(self, bound):
        while True:  # words whose products fall into the first 2^32 mod bound of a residue class are one too many
            product = (self.word() >> 32) * bound
            if product % 2**32 >= 2**32 % bound:
                return product >> 32


def plain_run(problem, method, size, replacement, ascent, w0, steps, seed, run):
    """One run in Python numbers, sums in the same order as the compiled ones; iterates and losses of all steps."""
    rows, targets, n = problem.features.tolist(), problem.y.tolist(), problem.n_samples
    values = {name: float(value) for name, value in method.values.items()}
    random, order, scale = PlainStream(stream(seed, run)), list(range(n)), 2 * problem.loss_factor * n / size

    def draw():
        if replacement:
            return [random.below(n) for _ in range(size)]
        for t in range(size):
            chosen = t + random.below(n - t)
            order[t], order[chosen] = order[chosen], order[t]
        return order[:size]

    def residual(i, point):
        total = 0.0
        for x, coordinate in zip(rows[i], point, strict=True):
            total += x * coordinate
        return total - targets[i]

    def gradient(batch, point):
        g = [0.0] * len(point)
        for i in batch:
            r = scale * residual(i, point)
            g = [a + r * x for a, x in zip(g, rows[i], strict=True)]
        return g

    def loss(point):
        total = 0.0
        for i in range(n):
            total += residual(i, point) * residual(i, point)
        return 2 * problem.loss_factor * n / (2 * n) * total

    point = [float(x) for x in w0]
    seen, losses = [point], [loss(point)]
    for _ in range(steps):
        batch = draw()
        g = gradient(batch, point)
        if method.rule.name != "gd":
            reach = values["rho"]
            if method.rule.name == "sam":
                square = 0.0
                for x in g:
                    square += x * x
                reach = reach / math.sqrt(square) if square else 0.0
            ascended = [a + reach * b for a, b in zip(point, g, strict=True)]
            g = gradient(draw() if ascent == "independent" else batch, ascended)
        point = [a - values["eta"] * b for a, b in zip(point, g, strict=True)]
        seen.append(point)
        losses.append(loss(point))
    return np.array(seen), np.array(losses)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    return LeastSquares(rng.standard_normal((7, 3)), rng.standard_normal(7))


def test_the_generator_gives_its_published_words():
    """First words from the state 1, 2, 3, 4 (test vector of the xoshiro256++ reference code)."""
    state = np.array([1, 2, 3, 4], np.uint64)
    words = [int(next_word(state)) for _ in range(5)]
    assert words == [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205]


@pytest.mark.parametrize("bound", [1, 2, 7, 1000, 3 << 29, 3 << 30, 2**32 - 1])
def test_integers_are_those_of_the_plain_stream(bound):
    """A quarter of the words is rejected at 3·2^29 and 3·2^30."""
    state, plain = stream(5, 2), PlainStream(stream(5, 2))
    found = [int(below(state, bound)) for _ in range(2000)]
    assert found == [plain.below(bound) for _ in range(2000)]
    assert 0 <= min(found) <= max(found) < bound
    if bound > 2**30:
        assert np.mean(found) == pytest.approx(bound / 2, abs=4 * bound / math.sqrt(12 * 2000))


@pytest.mark.parametrize(("replacement", "outcomes"), [(False, 20), (True, 64)])
def test_all_batches_are_equally_likely(replacement, outcomes):
    """Three of six samples without replacement, three of four with; pairs of neighbouring steps are independent."""
    n, draws = (4, 32_000) if replacement else (6, 20_000)
    state, order, batch = stream(11, 0), np.arange(n), np.empty(3, np.int64)
    seen, pairs, before = Counter(), Counter(), None
    for _ in range(draws):
        _draw(state, order, batch, replacement)
        now = tuple(batch) if replacement else tuple(sorted(batch))
        seen[now] += 1
        pairs[before, now[0]] += 1
        before = now[0]
    assert sorted(order) == list(range(n))
    assert len(seen) == outcomes
    chi = sum((count - draws / outcomes) ** 2 for count in seen.values()) / (draws / outcomes)
    assert abs(chi - (outcomes - 1)) < 4 * math.sqrt(2 * (outcomes - 1))
    if replacement:
        chi = sum((count - draws / 16) ** 2 for (first, _), count in pairs.items() if first is not None) / (draws / 16)
        assert abs(chi - 15) < 4 * math.sqrt(30)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("ascent", ["same", "independent"])
@pytest.mark.parametrize(("size", "replacement"), [(1, False), (3, False), (7, False), (3, True), (9, True)])
def test_runs_equal_the_plain_ones_bit_for_bit(problem, name, ascent, size, replacement):
    w0 = np.array([0.3, -1.0, 2.0])
    how = {"batch_size": size, "replacement": replacement, "ascent": ascent}
    found = simulate_minibatch(problem, METHODS[name], steps=25, w0=w0, runs=3, seed=7, **how)
    for run in range(3):
        iterates, losses = plain_run(problem, METHODS[name], size, replacement, ascent, w0, 25, 7, run)
        np.testing.assert_array_equal(found.w[run], iterates)
        np.testing.assert_array_equal(found.loss[run], losses)
    assert not np.array_equal(found.w[0], found.w[1]) or (size, replacement) == (7, False)


@pytest.mark.parametrize(("normalize", "loss_scale"), [(True, 0.5), (True, 3.0), (False, 0.1)])
@pytest.mark.parametrize("name", METHODS)
def test_all_samples_without_replacement_are_the_full_batch(normalize, loss_scale, name):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
    problem = LeastSquares(X, y, normalize=normalize, loss_scale=loss_scale)
    rule, step = getattr(rules, name), 1 / problem.eigenvalues[-1]
    method = rule(eta=step) if name == "gd" else rule(eta=step, rho=0.1 * step if name == "usam" else 0.1)
    full = simulate(problem, method, np.ones(3), 20, record=Record(what=("w", "loss")))
    found = simulate_minibatch(problem, method, batch_size=6, steps=20, w0=np.ones(3))
    np.testing.assert_allclose(found.w, full.w, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.loss, full.loss, rtol=1e-9)


def test_results_do_not_depend_on_threads_runs_or_what_is_kept(problem):
    how = {"batch_size": 2, "steps": 40, "seed": 3}
    everything = simulate_minibatch(problem, METHODS["sam"], runs=23, threads=1, **how)
    for threads in (2, 3, 8):
        assert everything.equals(simulate_minibatch(problem, METHODS["sam"], runs=23, threads=threads, **how))
    few = simulate_minibatch(problem, METHODS["sam"], runs=5, at=[0, 7, 40], **how)
    assert few.equals(everything.isel(run=slice(5)).sel(step=[0, 7, 40]))
    other = simulate_minibatch(problem, METHODS["sam"], runs=5, at=[0, 7, 40], **how | {"seed": 4})
    assert not np.array_equal(few.w, other.w)
    shorter = simulate_minibatch(problem, METHODS["sam"], runs=23, **how | {"steps": 11})
    assert shorter.equals(everything.sel(step=slice(0, 11)))


def test_no_ascent_is_gradient_descent(problem):
    how = {"batch_size": 2, "steps": 30, "seed": 3}
    plain = simulate_minibatch(problem, METHODS["gd"], **how)
    for method in (rules.usam(eta=0.2, rho=0.0), rules.sam(eta=0.2, rho=0.0)):
        np.testing.assert_array_equal(simulate_minibatch(problem, method, **how).w, plain.w)
    np.testing.assert_array_equal(simulate_minibatch(problem, METHODS["gd"], ascent="independent", **how).w, plain.w)


def test_a_zero_gradient_does_not_move():
    """Interpolation: sam divides by a norm of zero at the solution, and stays."""
    X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    problem = LeastSquares(X, X @ [2.0, 3.0])
    found = simulate_minibatch(problem, METHODS["sam"], batch_size=2, steps=10, w0=[2.0, 3.0])
    assert (found.w == [2.0, 3.0]).all()
    assert (found.loss == 0).all()


def test_divergence_is_a_result(problem):
    found = simulate_minibatch(problem, rules.usam(eta=[1e3, 0.1], rho=1.0), batch_size=1, steps=2000, at=[1, 2000])
    assert not np.isfinite(found.w[0, 1]).any()
    assert not np.isfinite(found.loss[0, 1])
    assert np.isfinite(found.loss[:, 0]).all()


def test_hyper_parameters_and_starts_make_runs(problem):
    starts = np.arange(6.0).reshape(2, 3)
    found = simulate_minibatch(problem, rules.usam(eta=[0.1, 0.2], rho=0.1), batch_size=2, steps=9, w0=starts, seed=1)
    assert found.w.dims == ("run", "step", "coord")
    assert found.loss.dims == ("run", "step")
    np.testing.assert_array_equal(found.w[:, 0], starts)
    np.testing.assert_array_equal(found.eta, [0.1, 0.2])
    np.testing.assert_array_equal(found.rho, [0.1, 0.1])
    for run, step in enumerate((0.1, 0.2)):
        method = rules.usam(eta=step, rho=0.1)
        iterates, _ = plain_run(problem, method, 2, False, "same", starts[run], 9, 1, run)
        np.testing.assert_array_equal(found.w[run], iterates)
    assert simulate_minibatch(problem, METHODS["gd"], batch_size=2, steps=3, w0=starts).sizes["run"] == 2
    assert (simulate_minibatch(problem, METHODS["gd"], batch_size=2, steps=3).w[:, 0] == 0).all()


def test_the_dataset_says_how_it_was_made_and_can_be_saved(problem, tmp_path):
    import xarray as xr

    found = simulate_minibatch(problem, METHODS["sam"], batch_size=2, steps=3, ascent="independent", seed=5)
    wanted = {"rule": "sam", "batch_size": 2, "replacement": 0, "ascent": "independent", "seed": 5, "steps": 3}
    assert wanted.items() <= found.attrs.items()
    found.to_netcdf(tmp_path / "runs.nc")
    assert xr.load_dataset(tmp_path / "runs.nc").equals(found)


def test_kernel_regression_runs_on_its_features(problem):
    kernel = KernelRegression(problem.X @ problem.X.T + np.eye(7), problem.y)
    found = simulate_minibatch(kernel, METHODS["usam"], batch_size=2, steps=9, seed=1)
    iterates, losses = plain_run(kernel, METHODS["usam"], 2, False, "same", np.zeros(kernel.dim), 9, 1, 0)
    np.testing.assert_array_equal(found.w[0], iterates)
    np.testing.assert_array_equal(found.loss[0], losses)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be an integer >= 1"),
        ({"batch_size": True}, TypeError, "batch_size must be an integer"),
        ({"batch_size": 8}, ValueError, "at most the 7 samples without replacement"),
        ({"replacement": "yes"}, TypeError, "replacement must be True or False"),
        ({"ascent": "sam"}, ValueError, 'ascent must be one of .* did you mean "same"'),
        ({"steps": 0}, ValueError, "steps must be an integer >= 1"),
        ({"at": [1, 9]}, ValueError, "at asks for step 9"),
        ({"at": [2, 1]}, ValueError, "at must increase"),
        ({"runs": 0}, ValueError, "runs must be an integer >= 1"),
        ({"seed": -1}, ValueError, "seed must be an integer >= 0"),
        ({"threads": 0}, ValueError, "threads must be an integer >= 1"),
        ({"w0": [1.0, 2.0]}, ValueError, "w0 must have shape"),
        ({"w0": [1.0, 2.0, np.inf]}, ValueError, "w0 must be finite"),
        ({"w0": np.ones((2, 3)), "runs": 3}, ValueError, "numbers of runs differ: 3 in runs, 2 in w0"),
        ({"method": rules.gd(eta=[0.1, 0.2]), "runs": 3}, ValueError, "numbers of runs differ"),
        ({"method": rules.heavy_ball(eta=0.1, beta=0.5)}, ValueError, "must be one of gd, usam, sam; got heavy_ball"),
        ({"method": "gd"}, TypeError, "bound hyper-parameters"),
        ({"problem": Quadratic([1.0, 2.0, 3.0])}, TypeError, "problem must have samples"),
    ],
)
def test_bad_arguments_are_named(problem, change, error, message):
    given = {"problem": problem, "method": METHODS["gd"], "batch_size": 2, "steps": 3} | change
    with pytest.raises(error, match=message):
        simulate_minibatch(given.pop("problem"), given.pop("method"), **given)


def test_a_rule_of_ones_own_with_a_known_name_is_refused(problem):
    mine = Rule("gd", hyper=(eta,), update={w: w - 2 * eta * grad(w)})
    with pytest.raises(ValueError, match="method must be one of"):
        simulate_minibatch(problem, mine(eta=0.1), batch_size=1, steps=1)
