"""Every method against a loop of a few lines, to the same bits, and against `simulate`."""

import numpy as np
import pytest

from eossim import (
    Quadratic,
    QuadraticSum,
    Record,
    adaptive_descent,
    minibatch,
    noisy_gd,
    normalized_steepest_descent,
    norms,
    rules,
    sgd,
    simulate,
    steepest_descent,
    train,
)
from eossim._rule import Rule
from eossim.problems import Function
from eossim.training import adam, rmsprop
from tests.training.cases import network

STEPS = 70
ALL = Record(every=1, what="w")


def path(method, problem, w0=None, seed=0, **options):
    return train(problem, method, w0, STEPS, record=ALL, seed=seed, **options).w[0].values


def loop(step, w):
    points = [w]
    for _ in range(STEPS):
        points.append(step(points[-1]))
    return np.array(points)


def length(g):
    return np.sqrt(g @ g)


def test_gradient_descent():
    p = network()
    expected = loop(lambda w: w - 0.1 * p.grad(w), p.initial(0))
    assert np.array_equal(path(rules.gd(eta=0.1), p), expected)


def test_heavy_ball():
    p, m = network(), 0.0

    def step(w):
        nonlocal m
        m = p.grad(w) + 0.8 * m
        return w - 0.05 * m

    assert np.array_equal(path(rules.heavy_ball(eta=0.05, beta=0.8), p), loop(step, p.initial(0)))


def test_sam():
    p = network()

    def step(w):
        g = p.grad(w)
        return w - 0.1 * p.grad(w + (0.05 * (1 / length(g))) * g)

    assert np.array_equal(path(rules.sam(eta=0.1, rho=0.05), p), loop(step, p.initial(0)))


def test_reshuffled_batches():
    p, order = network(), np.random.default_rng([3, 1])
    batches = iter([batch for _ in range(20) for batch in order.permutation(20)[:18].reshape(6, 3)])  # two are dropped
    expected = loop(lambda w: w - 0.05 * p.grad(w, batch=next(batches)), p.initial(3))
    assert np.array_equal(path(sgd(eta=0.05, batch_size=3, sampling="reshuffle"), p, seed=3), expected)


@pytest.mark.parametrize("sampling", ["iid", "without_replacement"])
def test_fresh_batches(sampling):
    p, stream = network(), np.random.default_rng([3, 1])
    draw = {
        "iid": lambda: stream.integers(0, 20, 3),
        "without_replacement": lambda: stream.choice(20, 3, replace=False),
    }[sampling]
    expected = loop(lambda w: w - 0.05 * p.grad(w, batch=draw()), p.initial(3))
    assert np.array_equal(path(sgd(eta=0.05, batch_size=3, sampling=sampling), p, seed=3), expected)


@pytest.mark.parametrize("ascent", ["same", "independent"])
def test_sam_on_batches(ascent):
    p, stream = network(), np.random.default_rng([0, 1])

    def step(w):
        batch = stream.choice(20, 4, replace=False)
        g = p.grad(w, batch=batch)
        if ascent == "independent":
            batch = stream.choice(20, 4, replace=False)
        return w - 0.1 * p.grad(w + (0.05 * (1 / length(g))) * g, batch=batch)

    method = minibatch(rules.sam(eta=0.1, rho=0.05), batch_size=4, ascent=ascent)
    assert np.array_equal(path(method, p), loop(step, p.initial(0)))


@pytest.mark.parametrize("noise", ["isotropic", "diagonal", "gaussian"])
def test_noise_on_the_full_gradient(noise):
    p, stream, t = network(), np.random.default_rng([0, 1]), 0
    deviation = None

    def step(w):
        nonlocal deviation, t
        each = p.sample_gradients(w)
        if noise == "gaussian":
            xi = stream.standard_normal(20)
            g = (1 / 20 + (xi - xi.mean()) / np.sqrt(20 * 5)) @ each  # stochastic_networks, section 4
        else:
            if t % 30 == 0:
                variance = each.var(axis=0) if noise == "diagonal" else each.var(axis=0).mean()
                deviation = np.sqrt(variance / 5)
            g = each.mean(axis=0) + deviation * stream.standard_normal(p.dim)
        t += 1
        return w - 0.05 * g

    method = noisy_gd(eta=0.05, batch_size=5, noise=noise, sampling="iid")
    np.testing.assert_allclose(path(method, p), loop(step, p.initial(0)), rtol=1e-9, atol=1e-11)


def test_gaussian_weights_are_handed_to_problems_that_take_them():
    class Weighted:
        dim, n_samples, calls = 1, 4, 0

        def loss(self, w):
            return 0.5 * (w @ w)

        def grad(self, w):
            return w.copy()

        def sample_gradients(self, w):
            return np.tile(w, (4, 1))

        def weighted_grad(self, w, weights):
            self.calls += 1
            return weights.sum() * w

    problem = Weighted()
    run = train(problem, noisy_gd(eta=0.5, batch_size=2, noise="gaussian"), [1.0], 10)
    assert run.w_final[0, 0] == pytest.approx(0.5**10, rel=1e-12)  # samples agree: no noise
    assert problem.calls == 10


def test_adam():
    p, m, v, t = network(), 0.0, 0.0, 0

    def step(w):
        nonlocal m, v, t
        g, t = p.grad(w), t + 1
        m, v = 0.9 * m + (1 - 0.9) * g, 0.99 * v + (1 - 0.99) * (g * g)
        return w - 0.01 * (m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.99**t)) + 1e-6))

    assert np.array_equal(path(adam(eta=0.01, beta2=0.99, eps=1e-6), p), loop(step, p.initial(0)))


def test_adam_against_torch():
    torch = pytest.importorskip("torch")
    p = network()
    w = torch.tensor(p.initial(0), requires_grad=True)
    theirs = torch.optim.Adam([w], lr=0.01, betas=(0.8, 0.95), eps=1e-7)
    expected = [w.detach().numpy().copy()]
    for _ in range(STEPS):
        w.grad = torch.tensor(p.grad(w.detach().numpy().copy()))
        theirs.step()
        expected.append(w.detach().numpy().copy())
    np.testing.assert_allclose(
        path(adam(eta=0.01, beta1=0.8, beta2=0.95, eps=1e-7), p), expected, rtol=1e-9, atol=1e-11
    )


def test_rmsprop():
    p, v = network(), 0.0

    def step(w):
        nonlocal v
        g = p.grad(w)
        v = 0.99 * v + (1 - 0.99) * (g * g)
        return w - 0.01 * (g / (np.sqrt(v) + 1e-8))

    assert np.array_equal(path(rmsprop(eta=0.01), p), loop(step, p.initial(0)))


@pytest.mark.parametrize(
    "method", [adam(eta=0.1, beta1=0.5, beta2=0.9, eps=0.01), rmsprop(eta=0.1, beta2=0.9, eps=0.01)]
)
def test_the_preconditioner_is_that_of_the_step(method):
    state = method.start(np.zeros(2))
    first, second = np.array([3.0, -4.0]), np.array([1.0, 3.0])
    assert np.isnan(method.preconditioner(state)).all()
    after = method.update(state, first)[1]
    corrected, factor = (0.1, 1.0) if method.name == "rmsprop" else (1.0, 0.5)
    assert method.preconditioner(state, first) == pytest.approx(factor * (np.sqrt(corrected * first**2) + 0.01))
    assert np.array_equal(method.preconditioner(after), method.preconditioner(state, first))
    update, last = method.update(after, second)
    numerator = last["m"] if method.name == "adam" else second
    assert method.preconditioner(after, second) == pytest.approx(0.1 * numerator / update)
    assert np.array_equal(method.preconditioner(last), method.preconditioner(after, second))


EXPLICIT = [
    rule
    for rule in rules.CATALOGUE.values()
    if isinstance(rule, Rule) and not (rule.kernel.MODEWISE or rule.kernel.PRECONDITIONED)
]
VALUES = {"eta": 0.05, "rho": 0.1, "clip": 0.7, "nu": 0.6, "tau": 0.4, "weight_decay": 0.1, "eta_1": 0.05, "eta_2": 0.1}
CURVATURE = np.array([0.5, 1.0, 3.0])
DISGUISED = Function(3, lambda w: 0.5 * (CURVATURE * w * w).sum(-1), lambda w: CURVATURE * w)


@pytest.mark.parametrize("rule", EXPLICIT, ids=lambda rule: rule.name)
def test_rules_step_as_in_simulate(rule):
    method = rule(**{name: VALUES.get(name, 0.3) for name in rule.hyper})
    expected = simulate(DISGUISED, method, [1.0, -2.0, 0.5], STEPS, record=ALL).w[0].values
    np.testing.assert_allclose(path(method, DISGUISED, [1.0, -2.0, 0.5]), expected, rtol=1e-10, atol=1e-14)


def test_families_step_as_in_simulate():
    method = rules.delayed_gd(eta=0.05, delay=3)
    expected = simulate(DISGUISED, method, [1.0, -2.0, 0.5], STEPS, record=ALL).w[0].values
    assert np.array_equal(path(method, DISGUISED, [1.0, -2.0, 0.5]), expected)


@pytest.mark.parametrize(
    "method",
    [
        steepest_descent(norms.L1(), 0.1),
        steepest_descent(norms.Mahalanobis([1.0, 2.0, 3.0]), 0.3),
        normalized_steepest_descent(norms.Lp(3), 0.05),
        adaptive_descent("polyak", gamma=0.7),
        adaptive_descent("strongly_adapted"),
        adaptive_descent("normalized", eta=0.05),
    ],
    ids=repr,
)
def test_descents_step_as_in_simulate(method):
    expected = simulate(DISGUISED, method, [1.0, -2.0, 0.5], STEPS, record=ALL).w[0].values
    assert np.array_equal(path(method, DISGUISED, [1.0, -2.0, 0.5]), expected)


H2 = np.array([[2.0, 1.0], [1.0, 2.0]])


@pytest.mark.parametrize(
    ("method", "expected"),
    [  # norms, N13 and N14
        (normalized_steepest_descent(norms.Linf(), 0.2), {5: [0, -0.1], 6: [0.2, 0.1], 7: [0, -0.1], 8: [0.2, 0.1]}),
        (steepest_descent(norms.Linf(), 0.2), {1: [0.1, -0.4], 2: [0.28, -0.22], 3: [0.18, -0.12], 4: [0.12, -0.06]}),
    ],
    ids=["N13", "N14"],
)
def test_descent_in_linf(method, expected):
    found = train(Quadratic(H2), method, [1, 0.5], 8, record=ALL).w[0].values
    for t, point in expected.items():
        assert found[t] == pytest.approx(point, abs=1e-15 if t == 1 else 1e-14)
    simulated = simulate(Quadratic(H2), method, [1, 0.5], 8, record=ALL, engine="reference").w[0].values
    np.testing.assert_allclose(found, simulated, rtol=1e-14, atol=1e-15)


def test_batches_of_a_problem_without_batch_gradients():
    rng = np.random.default_rng(1)
    problem = QuadraticSum(rng.uniform(0.5, 2, (8, 1, 1)) * np.eye(3), rng.standard_normal((8, 3)))
    stream = np.random.default_rng([0, 1])

    def step(w):
        return w - 0.1 * problem.sample_gradients(w)[stream.choice(8, 2, replace=False)].mean(axis=0)

    assert np.array_equal(path(sgd(eta=0.1, batch_size=2), problem, np.ones(3)), loop(step, np.ones(3)))


@pytest.mark.parametrize("method", [rules.sam(eta=0.1, rho=0.05), adam(eta=0.01), steepest_descent(norms.Linf(), 0.01)])
def test_single_precision_stays(method):
    p = network(dtype=np.float32)
    run = train(p, method, steps=50)
    assert run.attrs["dtype"] == "float32"
    assert run.w_final.dtype == np.float32
    double = train(network(), method, p.initial(0).astype(float), 50)
    assert run.loss.values == pytest.approx(double.loss.values, rel=2e-3)


@pytest.mark.parametrize(
    ("method", "error", "message"),
    [
        (rules.implicit_gd(eta=0.1), ValueError, "implicit_gd is implicit.*quadratics"),
        (
            rules.adam_frozen(eta=0.1, beta1=0.9, P=np.ones(3)),
            ValueError,
            "adam_frozen is preconditioned.*training.adam",
        ),
        (sgd(eta=0.1, batch_size=2), TypeError, "n_samples"),
        (rules.gd, TypeError, "bound hyper-parameters"),
        ("gd", TypeError, "bound hyper-parameters"),
        (adaptive_descent("cauchy"), TypeError, "hvp"),
        (steepest_descent(norms.Spectral([(2, 2)]), 0.1), ValueError, "4 coordinates"),
    ],
)
def test_methods_that_do_not_fit(method, error, message):
    with pytest.raises(error, match=message):
        train(DISGUISED, method, np.ones(3))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (sgd(eta=0.1, batch_size=21), "at most the 20 samples"),
        (noisy_gd(eta=0.1, batch_size=21), "at most the 20 samples"),
        (sgd(eta=0.1, batch_size=2, label_noise=0.1), "label noise"),
    ],
)
def test_batches_that_do_not_fit(method, message):
    with pytest.raises(ValueError, match=message):
        train(network(), method)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: adam(eta=0), ValueError, "0 < eta"),
        (lambda: adam(eta=0.1, beta1=1), ValueError, "beta1 < 1"),
        (lambda: adam(eta=0.1, beta2=-0.1), ValueError, "0 <= beta2"),
        (lambda: rmsprop(eta=0.1, eps=-1), ValueError, "0 <= eps"),
        (lambda: rmsprop(eta="x"), TypeError, "eta"),
        (lambda: adam(eta=[0.1, 0.2], beta1=[0.1, 0.2, 0.3]), ValueError, "different numbers of runs"),
    ],
)
def test_moments_that_are_not_allowed(make, error, message):
    with pytest.raises(error, match=message):
        make()
