"""What is special about jax: trees, precision, and losses that have no samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eossim.adapters import from_jax
from eossim.measure import batch_sharpness
from eossim.problems import FiniteSum

PARAMS = {"scale": np.array([0.5, -1.0]), "shift": np.array(0.3)}
X = np.random.default_rng(0).standard_normal((5, 2))


def loss(params, x):
    return (jnp.sin(x @ params["scale"] + params["shift"]) ** 2).mean()


def test_trees_become_vectors_and_back():
    problem = from_jax(loss, PARAMS, X)
    assert problem.names == ("scale", "shift")
    assert problem.layers == ((2,), ())
    assert np.array_equal(problem.w, [0.5, -1.0, 0.3])
    back = problem.unflatten(2 * problem.w)
    assert np.array_equal(problem.flatten(back), 2 * problem.w)
    assert float(problem.loss(problem.w)) == pytest.approx((np.sin(X @ [0.5, -1.0] + 0.3) ** 2).mean(), rel=1e-14)
    with pytest.raises(ValueError, match="params must be a tree"):
        problem.flatten({"scale": np.zeros(2)})
    with pytest.raises(ValueError, match="params must be a tree"):
        problem.flatten({"scale": np.zeros(3), "shift": np.zeros(())})


@pytest.mark.parametrize("x64", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_that_of_the_parameters(dtype, x64):
    with jax.enable_x64(x64):
        problem = from_jax(loss, jax.tree.map(dtype, PARAMS), X)
        w = problem.w
        for result in (w, problem.grad(w), problem.hvp(w, w), problem.sample_gradients(w), problem.sample_hvp(w, w)):
            assert result.dtype == dtype
        assert problem.loss(w).dtype == dtype


@pytest.mark.parametrize(
    ("fn", "batch", "why"),
    [
        (lambda p, x: loss(p, x) * len(x), X, "not the mean over samples"),
        (lambda p, b: loss(p, b["x"]), {"x": X, "y": X[:3]}, "do not share their first axis"),
        (lambda p, x: loss(p, x), {"x": X, "y": np.array(1.0)}, "do not share their first axis"),
        (lambda p, x: loss(p, X), (), "do not share their first axis"),
        (lambda p, x: loss(p, x.reshape(5, 2)), X, "does not take single samples"),
    ],
)
def test_losses_without_samples_still_have_curvature(fn, batch, why):
    if isinstance(batch, dict) and "y" in batch and np.ndim(batch["y"]) == 0:
        problem = from_jax(lambda p, b: loss(p, b["x"]), PARAMS, batch)
    else:
        problem = from_jax(fn, PARAMS, batch)
    w = problem.w
    H = problem.hvp(w, np.eye(3))
    assert np.array_equal(H.shape, (3, 3))
    assert pytest.approx(H.T, abs=1e-14) == H
    assert not isinstance(problem, FiniteSum)
    with pytest.raises(ValueError, match=why):
        problem.sample_gradients(w)
    with pytest.raises(TypeError, match=why):
        batch_sharpness(problem, w, 1)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({}, ValueError, "params hold no numbers"),
        ({"a": np.arange(3)}, TypeError, "got a of dtype int64"),
        ({"a": np.ones(2), "b": np.ones(2, np.float32)}, ValueError, "one dtype, got a: float64, b: float32"),
    ],
)
def test_parameters_that_will_not_do(params, error, message):
    with pytest.raises(error, match=message):
        from_jax(loss, params, X)


def test_batches_that_will_not_do():
    with pytest.raises(ValueError, match="batch must be finite"):
        from_jax(loss, PARAMS, np.full((2, 2), np.inf))
    with pytest.raises(TypeError, match="batch must hold arrays of numbers"):
        from_jax(loss, PARAMS, np.array(["a"]))
    with pytest.raises(TypeError, match="loss_fn must return a single number"):
        from_jax(lambda p, x: x @ p["scale"], PARAMS, X)


def test_batches_too_large_for_the_type_of_params(recwarn):
    large = np.full((2, 2), 1e300)
    with pytest.raises(ValueError, match="batch must be finite in the type of params, float32"):
        from_jax(loss, jax.tree.map(np.float32, PARAMS), large)
    assert not recwarn


def test_samples_that_the_loss_ignores():
    def masked(params, batch):
        x, keep = batch
        return (jnp.sin(x @ params["scale"]) ** 2 * keep).sum() / keep.sum()

    assert from_jax(masked, PARAMS, (X, np.ones(5))).n_samples == 5
    for keep in (np.arange(5) > 0, np.zeros(5)):
        assert not hasattr(from_jax(masked, PARAMS, (X, keep.astype(float))), "n_samples")
    diverged = {**PARAMS, "shift": np.array(np.nan)}
    assert from_jax(loss, diverged, X).n_samples == 5
