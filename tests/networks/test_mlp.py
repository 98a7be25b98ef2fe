"""What a user sees: layout, many networks at once, points kept, divergence, and errors that say what is wrong."""

import copy
import pickle
import warnings

import numpy as np
import pytest

from eossim.networks import MLP, _threads, one_hot

RNG = np.random.default_rng(0)
X, Y, LABELS = RNG.standard_normal((300, 4)), RNG.standard_normal((300, 3)), RNG.integers(0, 3, 300)


def network(**options):
    arguments = {"sizes": (4, 30, 20, 3), "activation": "tanh", "loss": "mse", "X": X, "y": Y, **options}
    return MLP(**arguments)


def test_layout():
    problem = network()
    assert problem.layers == ((4, 30), (30,), (30, 20), (20,), (20, 3), (3,))
    assert problem.dim == 4 * 30 + 30 + 30 * 20 + 20 + 20 * 3 + 3
    assert network(bias=False).layers == ((4, 30), (30, 20), (20, 3))
    w = np.arange(2.0 * problem.dim).reshape(2, -1)
    blocks = problem.unflatten(w)
    assert [b.shape for b in blocks] == [(2, *shape) for shape in problem.layers]
    np.testing.assert_array_equal(blocks[0][1, 1, :2], problem.dim + 30 + np.arange(2))
    np.testing.assert_array_equal(problem.flatten(blocks), w)


def test_initial():
    problem = network(gain=(1.0, 2.0, 3.0), last_gain=0.5, seed=7)
    rng = np.random.default_rng(7)
    W1, b1, W2, _, W3, _ = problem.unflatten(problem.initial())
    np.testing.assert_allclose(W1, rng.standard_normal((4, 30)) / 2, rtol=1e-15)
    np.testing.assert_allclose(W2, 2 * rng.standard_normal((30, 20)) / np.sqrt(30), rtol=1e-15)
    np.testing.assert_allclose(W3, 0.5 * rng.standard_normal((20, 3)) / np.sqrt(20), rtol=1e-15)
    assert not b1.any()
    assert not np.array_equal(problem.initial(8), problem.initial())
    np.testing.assert_array_equal(network().initial(np.random.default_rng(3)), network().initial(3))


def test_parametrizations_start_alike():
    """The same draw gives the same function under "ntk"; under "mup" with the last layer over the root of its width."""
    w = network().initial(1)
    expected = network().predict(w)
    np.testing.assert_allclose(
        network(parametrization="ntk").predict(network(parametrization="ntk").initial(1)), expected
    )
    mup = network(parametrization="mup")
    np.testing.assert_allclose(mup.predict(mup.initial(1)), expected / np.sqrt(20))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_neighbours_and_threads_change_nothing(monkeypatch, dtype, loss):
    problem = network(sizes=(4, 70, 60, 3), loss=loss, y=Y if loss == "mse" else LABELS, dtype=dtype)
    w = np.stack([problem.initial(s) for s in range(6)]).reshape(2, 3, -1)
    v, batches = w[::-1, ::-1], np.random.default_rng(0).integers(0, 300, (2, 3, 40))
    monkeypatch.setattr(_threads, "_WORTH", 1)
    found = {}
    for cores in (1, 2, 3):
        monkeypatch.setattr(_threads, "available_cores", lambda cores=cores: cores)
        found[cores] = (
            *problem.loss_and_grad(w),
            problem.grad(w, batch=batches),
            problem.grad(w, batch=batches[0, 0]),
            problem.hvp(w, v),
            problem.predict(w),
            problem.linearize(w[0, 0]).hvp(v),
            problem.sample_hvp(w[0, 0], v[0, 0]),
        )
    for other in (2, 3):
        for a, b in zip(found[1], found[other], strict=True):
            assert np.array_equal(a, b)
    losses, gradients, batched, shared, curved, outputs, _, _ = found[1]
    for k in np.ndindex(2, 3):
        assert losses[k] == problem.loss(w[k])
        assert np.array_equal(gradients[k], problem.grad(w[k]))
        assert np.array_equal(batched[k], problem.grad(w[k], batch=batches[k]))
        assert np.array_equal(shared[k], problem.grad(w[k], batch=batches[0, 0]))
        assert np.array_equal(curved[k], problem.hvp(w[k], v[k]))
        assert np.array_equal(outputs[k], problem.predict(w[k]))


def test_leading_axes_broadcast():
    problem = network()
    w, v = problem.initial(), np.random.default_rng(1).standard_normal((3, problem.dim))
    each = np.stack([problem.hvp(w, u) for u in v])
    assert np.array_equal(problem.hvp(w, v), each)
    assert np.array_equal(problem.hvp(np.stack([w, w, w]), v), each)
    assert problem.hvp(w[None], v[0]).shape == (1, problem.dim)
    assert problem.loss(w).shape == ()


def test_a_model_stays_what_it_was():
    """Neither changing w in place nor other passes touch it; `hvp` notices the change."""
    problem = network()
    w, v = problem.initial(), problem.initial(5)
    before = problem.hvp(w, v)
    model = problem.linearize(w)
    point = w.copy()
    w += 0.3
    after = problem.hvp(w, v)
    problem.loss_and_grad(w)
    assert np.array_equal(model.hvp(v), before)
    assert np.array_equal(model.w, point)
    assert not np.array_equal(after, before)
    assert np.array_equal(after, network().hvp(w, v))
    assert model.products == 1
    frozen = w.copy()
    frozen.flags.writeable = False
    assert np.array_equal(problem.hvp(frozen, v[::-1][::-1]), after)


def test_predict_elsewhere():
    problem = network(activation="relu")
    w = problem.initial()
    np.testing.assert_array_equal(problem.predict(w, X[:50]), problem.predict(w)[:50])
    assert problem.predict(np.stack([w, w]), X[:1]).shape == (2, 1, 3)


def test_copies():
    problem = network()
    w = problem.initial()
    g = problem.grad(w)
    problem.hvp(w, w)
    for other in (copy.deepcopy(problem), pickle.loads(pickle.dumps(problem))):
        assert np.array_equal(other.grad(w), g)


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "identity"])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_divergence_is_a_result(activation, loss):
    problem = network(activation=activation, loss=loss, y=Y if loss == "mse" else LABELS)
    w = problem.initial()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (np.nan, np.inf):
            bad = w.copy()
            bad[-4] = value  # in the last layer
            both = problem.loss(np.stack([bad, w]))
            assert not np.isfinite(both[0])
            assert both[1] == problem.loss(w)
            assert np.isnan(problem.hvp(bad, w)).any()
        huge = problem.loss_and_grad(1e300 * w)
    assert np.shape(huge[1]) == w.shape


def test_losses_are_what_they_are_called():
    w = network().initial()
    error = network().predict(w) - Y
    square = (error**2).sum(axis=1).mean()
    for half, reduction, expected in (
        (None, None, square / 2),
        (True, "mean", square / 6),
        (False, "sum", square),
        (False, "mean", square / 3),
    ):
        assert network(half=half, reduction=reduction).loss(w) == pytest.approx(expected, rel=1e-13)
    classes = network(loss="cross-entropy", y=LABELS)
    rows = network(loss="cross-entropy", y=one_hot(LABELS, 3))
    assert classes.loss(w) == rows.loss(w)
    assert classes.loss(0 * w) == pytest.approx(np.log(3), rel=1e-15)
    far = network(sizes=(4, 3), loss="cross-entropy", y=LABELS, bias=False)  # does not overflow
    scores = X @ (1e4 * np.eye(4, 3))
    expected = (scores.max(axis=1) - scores[np.arange(300), LABELS]).mean()
    assert far.loss(1e4 * np.eye(4, 3).ravel()) == pytest.approx(expected, rel=1e-3)


BAD = [
    ({"sizes": (5, 30, 3)}, ValueError, r"sizes\[0\] must be the number of columns of X.*sizes\[0\] = 5.*\(300, 4\)"),
    ({"sizes": (4, 30, 2)}, ValueError, r"y must have shape \(300, 2\).*got \(300, 3\)"),
    ({"sizes": (4,)}, ValueError, "at least inputs and outputs"),
    ({"sizes": (4, 0, 3)}, ValueError, r"sizes\[1\] must be an integer >= 1, got 0"),
    ({"sizes": (4, 2.5, 3)}, TypeError, r"sizes\[1\] must be an integer"),
    ({"sizes": 4}, TypeError, "sequence of integers"),
    ({"activation": "tahn"}, ValueError, 'did you mean "tanh"'),
    ({"loss": "crossentropy"}, ValueError, 'did you mean "cross-entropy"'),
    ({"parametrization": "muP "}, ValueError, 'did you mean "mup"'),
    ({"reduction": "avg"}, ValueError, "reduction must be one of 'sum', 'mean'"),
    ({"X": np.full((300, 4), np.nan)}, ValueError, r"X must be finite, got X\[0, 0\] = nan"),
    ({"y": np.full((300, 3), np.inf)}, ValueError, r"y must be finite, got y\[0, 0\] = inf"),
    ({"y": Y[:7]}, ValueError, r"y must have shape \(300, 3\), one row per row of X, got \(7, 3\)"),
    ({"y": LABELS}, ValueError, "one_hot"),
    ({"X": X[:, 0]}, ValueError, "X must be 2-D"),
    ({"loss": "cross-entropy", "y": LABELS + 1}, ValueError, r"labels y must be 0 to 2.*= 3"),
    ({"loss": "cross-entropy", "y": LABELS - 1}, ValueError, r"labels y must be 0 to 2.*= -1"),
    ({"loss": "cross-entropy", "y": LABELS + 0.0}, TypeError, "integers"),
    ({"loss": "cross-entropy", "y": LABELS[:5]}, ValueError, r"shape \(300,\)"),
    ({"loss": "cross-entropy", "y": np.ones((300, 3))}, ValueError, "one-hot"),
    ({"loss": "cross-entropy", "y": LABELS * 0, "sizes": (4, 1)}, ValueError, "at least 2 outputs"),
    ({"loss": "cross-entropy", "y": LABELS, "half": True}, ValueError, 'belong to loss="mse"'),
    ({"gain": (1.0, 2.0)}, ValueError, "one for each of the 3 layers, got 2"),
    ({"gain": -1.0}, ValueError, "at least 0, got -1"),
    ({"last_gain": np.nan}, ValueError, "last_gain must be finite"),
    ({"dtype": np.float16}, ValueError, "float64 or float32"),
    ({"bias": 1}, TypeError, "bias must be True or False"),
    ({"half": 1}, TypeError, "half must be True or False"),
    ({"seed": -1}, ValueError, "seed"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD)
def test_bad_networks(options, error, message):
    with pytest.raises(error, match=message):
        network(**options)


def test_bad_points_and_batches():
    problem = network()
    w = problem.initial()
    for call in (problem.loss, problem.grad, problem.linearize, problem.predict, problem.unflatten):
        with pytest.raises(ValueError, match=rf"w must have shape \(\.\.\., {problem.dim}\).*\(5,\)"):
            call(np.zeros(5))
    with pytest.raises(TypeError, match="w must hold real numbers"):
        problem.loss(w + 0j)
    with pytest.raises(ValueError, match="v must have shape"):
        problem.hvp(w, w[:-1])
    with pytest.raises(ValueError, match="v must broadcast"):
        problem.hvp(np.stack([w, w]), np.stack([w, w, w]))
    with pytest.raises(ValueError, match="w must be one point"):
        problem.linearize(w[None])
    with pytest.raises(ValueError, match="vectors must have shape"):
        problem.sample_hvp(w, np.zeros((7, problem.dim)))
    for batch, error, message in (
        ([300], ValueError, "indices 0 to 299, got 300"),
        ([-1], ValueError, "indices 0 to 299, got -1"),
        ([], TypeError, "integers"),
        (np.zeros(0, int), ValueError, "at least one index"),
        ([0.5], TypeError, "integers"),
        ([True], TypeError, "integers"),
        ([[1], [2]], ValueError, "one row of indices or one for each network"),
    ):
        with pytest.raises(error, match=message):
            problem.grad(w, batch=batch)
    with pytest.raises(ValueError, match="X must have shape"):
        problem.predict(w, np.zeros((3, 5)))
    with pytest.raises(ValueError, match="blocks must be 6 arrays"):
        problem.flatten(problem.unflatten(w)[:-1])
    with pytest.raises(ValueError, match=r"blocks\[0\] must have shape"):
        problem.flatten([b.T for b in problem.unflatten(w)])
    with pytest.raises(TypeError, match="labels must be integers"):
        one_hot([0.5], 3)
    with pytest.raises(ValueError, match=r"labels must be 0 to 2, got labels\[1\] = 3"):
        one_hot([0, 3], 3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weighted_gradients_are_sums_of_those_of_samples(dtype):
    rng = np.random.default_rng(3)
    problem = MLP((5, 20, 3), "gelu", "mse", rng.standard_normal((700, 5)), rng.standard_normal((700, 3)), dtype=dtype)
    w, weights = problem.initial(), rng.standard_normal(700)
    expected = weights @ problem.sample_gradients(w).astype(float)
    np.testing.assert_allclose(problem.weighted_grad(w, weights), expected, atol=1e3 * np.finfo(dtype).eps)
    with pytest.raises(ValueError, match="weights must have shape"):
        problem.weighted_grad(w, weights[:-1])
