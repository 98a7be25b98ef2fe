import numpy as np
import pytest
from hypothesis import given

from eossim.curvature.operator import Operator
from eossim.problems import Function
from tests.strategies import batches


def cubic(hvp=True) -> Function:
    """Σ w³/3 in three variables."""
    product = (lambda w, v: 2 * w * v) if hvp else None
    return Function(3, lambda w: (w**3).sum(axis=-1) / 3, lambda w: w**2, product)


@given(batches(3))
def test_what_the_functions_say(w):
    problem = cubic()
    np.testing.assert_array_equal(problem.loss(w), (w**3).sum(axis=-1) / 3)
    np.testing.assert_array_equal(problem.grad(w), w * w)
    np.testing.assert_array_equal(problem.hvp(w, w + 1), 2 * w * (w + 1))
    assert problem.loss(w).shape == w.shape[:-1]
    assert problem.dim == 3


def test_hvp_broadcasts():
    problem = cubic()
    assert problem.hvp(np.ones((4, 1, 3)), np.ones((2, 3))).shape == (4, 2, 3)
    assert problem.hvp([1, 2, 3], np.eye(3)).tolist() == np.diag([2.0, 4.0, 6.0]).tolist()
    with pytest.raises(ValueError, match=r"v must broadcast against w of shape \(2, 3\), got \(4, 3\)"):
        problem.hvp(np.ones((2, 3)), np.ones((4, 3)))


def test_hasattr_tells_whether_there_is_an_hvp():
    assert hasattr(cubic(), "hvp")
    assert not hasattr(cubic(hvp=False), "hvp")
    with pytest.raises(AttributeError, match="made without a Hessian-vector product"):
        _ = cubic(hvp=False).hvp
    assert repr(cubic(hvp=False)) == "Function(dim=3, no hvp)"
    assert repr(cubic()) == "Function(dim=3)"


def test_it_is_a_hessian_at_a_point():
    operator = Operator.of(cubic(), [1.0, 2.0, 3.0])
    assert operator(np.array([1.0, 1.0, 1.0])).tolist() == [2.0, 4.0, 6.0]


def test_divergence_passes_without_warnings():
    problem = cubic()
    w = np.array([[np.inf, 0.0, 0.0], [np.nan, 0.0, 0.0], [1e200, -1e200, 0.0], [1.0, 1.0, 1.0]])
    loss = problem.loss(w)
    assert not np.isfinite(loss[:3]).any()
    assert loss[3] == 1
    assert np.isinf(problem.grad(w)[2, 0])
    assert np.isnan(problem.hvp(w, np.zeros(3))[0, 0])


def test_integers_become_floats_and_single_precision_stays():
    seen = []
    problem = Function(1, lambda w: seen.append(w.dtype) or w.astype(np.float32)[..., 0], lambda w: w)
    assert problem.loss([2]).dtype == np.float32
    assert seen == [np.float64]


def test_what_comes_back_is_checked():
    scalar_only = Function(2, lambda w: float(w.sum()), lambda w: w[..., 0], lambda w, v: np.ones(2))
    assert scalar_only.loss([1.0, 2.0]) == 3
    with pytest.raises(ValueError, match=r"loss\(w\) must return shape \(5,\) for w of shape \(5, 2\), got \(\)"):
        scalar_only.loss(np.ones((5, 2)))
    with pytest.raises(ValueError, match=r"grad\(w\) must return shape \(2,\) for w of shape \(2,\), got \(\)"):
        scalar_only.grad([1.0, 2.0])
    with pytest.raises(ValueError, match=r"hvp\(w, v\) must return shape \(5, 2\)"):
        scalar_only.hvp(np.ones((5, 2)), [1.0, 2.0])
    with pytest.raises(TypeError, match=r"loss\(w\) must hold real numbers"):
        Function(1, lambda w: None, lambda w: w).loss([1.0])


def test_bad_input():
    with pytest.raises(ValueError, match="dim must be an integer >= 1, got 0"):
        Function(0, np.sum, np.sin)
    with pytest.raises(TypeError, match="grad must be a function, got 3"):
        Function(1, np.sum, 3)
    with pytest.raises(TypeError, match="loss must be a function, got None"):
        Function(1, None, np.sin)
    with pytest.raises(TypeError, match="hvp must be a function, got 'yes'"):
        Function(1, np.sum, np.sin, "yes")
    for call in (cubic().loss, cubic().grad, lambda w: cubic().hvp([1, 1, 1], w), lambda w: cubic().hvp(w, [1, 1, 1])):
        with pytest.raises(ValueError, match=r"must have shape \(\.\.\., 3\), got \(2,\)"):
            call([1.0, 2.0])
        with pytest.raises(TypeError, match="must hold real numbers"):
            call(["a", "b", "c"])
