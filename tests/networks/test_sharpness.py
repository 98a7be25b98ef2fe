"""The largest eigenvalue of a network's Hessian against all eigenvalues of the Hessian."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.networks import MLP, one_hot


def _network(sizes, activation="relu", loss="mse", n=40, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, sizes[0])), rng.standard_normal((n, sizes[-1]))
    if loss == "cross-entropy":
        y = one_hot(y.argmax(axis=1), sizes[-1])
    problem = MLP(sizes, activation, loss, X, y, **kwargs)
    return problem, problem.initial(seed)


def _hessian(problem, w):
    return problem.hvp(w, np.eye(problem.dim, dtype=problem.dtype)).astype(np.float64)


@given(
    sizes=st.sampled_from([(2, 1), (1, 1), (3, 4, 2), (5, 6, 6, 3), (4, 8, 8, 8, 2)]),
    activation=st.sampled_from(["relu", "tanh", "identity"]),
    loss=st.sampled_from(["mse", "cross-entropy"]),
    parametrization=st.sampled_from(["standard", "ntk", "mup"]),
    bias=st.booleans(),
    rows=st.integers(1, 4),
    seed=st.integers(0, 50),
)
def test_it_is_the_largest_eigenvalue(sizes, activation, loss, parametrization, bias, rows, seed):
    if loss == "cross-entropy" and sizes[-1] < 2:
        loss = "mse"
    problem, w = _network(sizes, activation, loss, seed=seed, parametrization=parametrization, bias=bias)
    starts = np.random.default_rng(seed + 1).standard_normal((rows, problem.dim))
    found = problem.linearize(w).sharpness(starts, tolerance=1e-10)
    H = _hessian(problem, w)
    scale = np.abs(np.linalg.eigvalsh(H)).max()
    assert found.value == pytest.approx(np.linalg.eigvalsh(H)[-1], abs=1e-8 * scale)
    u = found.vectors[0]
    assert np.linalg.norm(u) == pytest.approx(1)
    assert np.linalg.norm(H @ u - found.value * u) == pytest.approx(found.residual, abs=1e-9 * scale)


@pytest.mark.parametrize("n", [16, 700, 1500])
def test_samples_may_take_several_chunks(n):
    problem, w = _network((4, 7, 3), n=n, dtype=np.float32)
    found = problem.linearize(w).sharpness(
        np.random.default_rng(1).standard_normal((2, problem.dim)).astype(np.float32)
    )
    assert found.value == pytest.approx(np.linalg.eigvalsh(_hessian(problem, w))[-1], rel=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_a_start_close_to_the_second_eigenvector_leads_to_the_first(seed):
    problem, w = _network((5, 8, 8, 3), seed=seed)
    values, vectors = np.linalg.eigh(_hessian(problem, w))
    found = problem.linearize(w).sharpness(vectors[:, -2] + 0.3 * vectors[:, -1])
    assert found.value == pytest.approx(values[-1], rel=1e-4)


def test_vectors_at_hand_save_products():
    problem, w = _network((5, 8, 8, 3), seed=3)
    first = problem.linearize(w).sharpness(np.random.default_rng(0).standard_normal((4, problem.dim)))
    near = problem.linearize(w + 1e-4 * np.random.default_rng(1).standard_normal(problem.dim))
    again = near.sharpness(first.vectors)
    assert again.products < first.products
    assert near.products == again.products


def test_a_network_without_curvature_has_sharpness_zero():
    problem, w = _network((4, 6, 2), bias=False)
    found = problem.linearize(np.zeros_like(w)).sharpness(np.ones(problem.dim))
    assert found.value == 0 == found.residual


def test_a_curvature_beyond_single_precision_is_nan():
    problem, w = _network((4, 6, 6, 2), dtype=np.float32)
    with np.errstate(all="ignore"):
        found = problem.linearize(w * np.float32(1e13)).sharpness(np.ones(problem.dim, np.float32))
    assert np.isnan(found.value)


def test_starts_of_another_network_are_refused():
    problem, w = _network((4, 6, 2))
    with pytest.raises(ValueError, match="starts"):
        problem.linearize(w).sharpness(np.ones(3))


def test_a_probe_finds_what_neither_start_nor_gradient_have_a_part_in():
    """H = diag(2, 1/2), start and gradient along the second axis."""
    problem = MLP((2, 1), "identity", "mse", np.diag([2.0, 1.0]), np.array([2.0, 5.0]), bias=False)
    at, start = problem.linearize(np.ones(2)), np.array([0.0, 1.0])
    np.testing.assert_allclose(at.grad, [0, -2])
    assert at.sharpness(start).value == pytest.approx(0.5)
    assert at.sharpness(start, probe=np.ones(2), below=0.4).value == pytest.approx(0.5)
    found = at.sharpness(start, probe=np.ones(2), below=1.0)
    assert found.value == pytest.approx(2)
    np.testing.assert_allclose(np.abs(found.vectors), [[1, 0], [0, 1]], atol=1e-12)
    with pytest.raises(ValueError, match="probe"):
        at.sharpness(start, probe=np.ones(3))


@given(rows=st.integers(1, 23), seed=st.integers(0, 50), n=st.sampled_from([5, 40]))
def test_a_probe_comes_closer_to_the_largest_eigenvalue(rows, seed, n):
    """With up to 23 rows of a subspace that holds 24, which is cut back then."""
    problem, w = _network((5, 6, 6, 3), n=n, seed=seed)
    values, vectors = np.linalg.eigh(_hessian(problem, w))
    starts, probe = vectors[:, -rows - 1 : -1].T, np.random.default_rng(seed).standard_normal(problem.dim)
    plain = problem.linearize(w).sharpness(starts)
    probed = problem.linearize(w).sharpness(starts, probe=probe)
    within = 1e-9 * np.abs(values).max()
    assert plain.value - within <= probed.value <= values[-1] + within
    assert plain.products + 4 <= probed.products
    assert problem.linearize(w).sharpness(starts, probe=probe, below=plain.value).products == plain.products
    u = probed.vectors[0]
    assert np.linalg.norm(_hessian(problem, w) @ u - probed.value * u) == pytest.approx(probed.residual, abs=within)
