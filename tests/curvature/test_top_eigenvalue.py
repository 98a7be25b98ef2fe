"""The largest eigenvalues, found from products and followed along paths on which eigenvalues cross."""

import numpy as np
import pytest
from scipy.linalg import eigh, expm

from eossim.curvature.operator import Operator
from eossim.curvature.top_eigenvalue import top_eigenvalue, top_eigenvalues
from eossim.networks import MLP


def rotated(eigenvalues, seed=0):
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(eigenvalues),) * 2))[0]
    return (Q * eigenvalues) @ Q.T, Q


def of(H):
    return Operator.of_matrix((H + H.T) / 2)


@pytest.mark.parametrize("dim", [1, 5, 16, 17, 200])
@pytest.mark.parametrize("shift", [-10.0, 0.0, 3.0])
def test_the_largest_algebraic_eigenvalues(dim, shift):
    lam = np.sort(np.random.default_rng(dim).standard_normal(dim))[::-1] + shift
    H, _ = rotated(lam)
    count = min(3, dim)
    operator = of(H)
    found = top_eigenvalues(operator, count)
    assert found.values == pytest.approx(lam[:count], abs=1e-6 * np.abs(lam).max())
    assert found.vectors @ found.vectors.T == pytest.approx(np.eye(count), abs=1e-12)
    distance = np.linalg.norm(found.vectors @ H - found.values[:, None] * found.vectors, axis=1)
    assert found.residuals == pytest.approx(distance, abs=1e-11)
    assert found.products == operator.products
    for value, residual in zip(found.values, found.residuals, strict=True):
        assert np.abs(lam - value).min() <= residual + 1e-12
    assert (found.value, found.residual) == (found.values[0], found.residuals[0])


def test_repeated_eigenvalues_count_as_often_as_they_are_there():
    H, _ = rotated(np.array([5.0, 5.0, 5.0, *np.linspace(-1, 1, 97)]))
    assert top_eigenvalues(of(H), 4).values == pytest.approx([5, 5, 5, 1], abs=1e-5)


def test_a_warm_start_does_not_stay_on_a_branch_that_was_overtaken():
    rest = np.random.default_rng(0).exponential(0.3, 298).clip(max=2)
    for seed in range(20):
        H, Q = rotated(np.array([10.0, 10.1, *rest]), seed)  # 10.1 has just overtaken 10
        found = top_eigenvalue(of(H), start=Q[:, 0], seed=seed)
        assert found.value == pytest.approx(10.1, rel=1e-6)
        # and with a full set of eigenvectors to start from, none of which is the new one
        found = top_eigenvalue(of(H), start=Q[:, [0, 2, 3, 4]].T, seed=seed)
        assert found.value == pytest.approx(10.1, rel=1e-6)


def crossing(seed, *, together, turn):
    """A path of matrices whose six largest eigenvalues are lines that cross, with their eigenvalues."""
    rng = np.random.default_rng([seed, 7])
    n, steps = 150, 30
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    first, last = rng.uniform(5, 10, (2, 6))
    if together:  # all of them at 8, up to 1e-4, in the middle of the path
        middle, slope = 8 + 1e-4 * rng.standard_normal(6), rng.uniform(-3, 3, 6)
        first, last = middle - slope, middle + slope
    rest = rng.exponential(0.5, n - 6).clip(max=4)
    S = rng.standard_normal((n, n))
    R = expm(turn * (S - S.T) / np.sqrt(n))
    for s in np.linspace(0, 1, steps):
        lam = np.concatenate([(1 - s) * first + s * last, rest])
        yield (Q * lam) @ Q.T, np.sort(lam)[::-1]
        Q = Q @ R


@pytest.mark.parametrize("turn", [0.0, 0.03])
@pytest.mark.parametrize("together", [False, True])
def test_crossings_are_followed(together, turn):
    branches = set()
    for seed in range(10):
        kept = None
        for t, (H, lam) in enumerate(crossing(seed, together=together, turn=turn)):
            found = top_eigenvalues(of(H), 1, start=kept, seed=[seed, 2, t])
            assert found.value == pytest.approx(lam[0], rel=1e-6)
            if kept is not None and turn == 0:
                branches.add(round(abs(float(found.vector @ kept[0]))))
            kept = found.kept
    assert turn or branches == {0, 1}  # the eigenvector did change


def test_the_order_of_several_eigenvalues_is_followed():
    for seed in range(5):
        kept = None
        for t, (H, lam) in enumerate(crossing(seed, together=True, turn=0.03)):
            found = top_eigenvalues(of(H), 3, start=kept, seed=[seed, 2, t])
            assert found.values == pytest.approx(lam[:3], rel=2e-6)
            kept = found.kept


def test_an_eigenvalue_that_nobody_saw_coming_is_found():
    rng = np.random.default_rng(1)
    bulk = np.concatenate([[8.0, 7.0, 6.0, 5.0], rng.exponential(0.3, 246).clip(max=3)])
    for seed in range(40):
        H, Q = rotated(bulk, seed)
        kept = top_eigenvalues(of(H), seed=seed).kept
        jumped = bulk.copy()
        jumped[-1 - seed] = 9.0  # one of the bulk is the largest now
        found = top_eigenvalues(of((Q * jumped) @ Q.T), start=kept, seed=[seed, 1])
        assert found.value == pytest.approx(9, rel=1e-6)


@pytest.mark.parametrize(("every", "pairs"), [(1, 5), (20, 12)])
def test_a_network_takes_ten_products_where_it_is_warm(every, pairs):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((256, 10))
    net = MLP((10, 32, 32, 1), "tanh", "mse", X, np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] * X[:, 2])
    assert net.dim == 1441
    w, kept, products, basis = net.initial(0), None, [], np.eye(net.dim)
    for t in range(pairs * every):
        if t % every in (0, 1):
            linear = net.linearize(w)
            found = top_eigenvalue(Operator(net.dim, linear.hvp), start=kept, seed=[0, 2, t])
            H = linear.hvp(basis)
            exact = eigh((H + H.T) / 2, eigvals_only=True, subset_by_index=(net.dim - 1,) * 2, check_finite=False)[0]
            assert found.value == pytest.approx(exact, rel=1e-6)
            products.append(found.products)
            kept = found.kept
        w = w - 0.3 * net.grad(w)
    assert np.median(products[1:]) <= 10
    assert max(products[1:]) < products[0]


def test_single_precision():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((64, 5)), rng.standard_normal((64, 2))
    single = MLP((5, 20, 2), "tanh", "mse", X, y, dtype=np.float32)
    double = MLP((5, 20, 2), "tanh", "mse", X, y)
    w = single.initial(1)
    found = top_eigenvalue(Operator(single.dim, single.linearize(w).hvp))
    H = double.linearize(w.astype(float)).hvp(np.eye(double.dim))
    assert found.value == pytest.approx(np.linalg.eigvalsh(H)[-1], rel=3e-6)
    assert found.products < 60
    assert found.vector.dtype == np.float64


def test_a_flat_loss_has_sharpness_zero():
    found = top_eigenvalue(of(np.zeros((30, 30))))
    assert found.value == 0
    assert found.residual == 0
    assert top_eigenvalue(of(np.zeros((30, 30))), start=np.eye(30)[:4]).value == 0


def test_below_zero_and_rank_one():
    a = np.random.default_rng(0).standard_normal(60)
    assert top_eigenvalue(of(np.outer(a, a))).value == pytest.approx(a @ a, rel=1e-9)
    assert top_eigenvalue(of(-np.outer(a, a))).value == pytest.approx(0, abs=1e-6 * (a @ a))
    assert top_eigenvalue(of(-np.eye(40))).value == pytest.approx(-1, rel=1e-12)


@pytest.mark.parametrize("dim", [5, 40])
def test_products_that_are_not_finite_give_nan(dim):
    found = top_eigenvalues(Operator(dim, lambda v: v * np.nan), 2)
    assert np.isnan(found.values).all()
    assert np.isnan(found.residual)
    # and a start that is not finite is no start
    assert top_eigenvalue(of(np.eye(dim)), start=found.kept).value == pytest.approx(1, rel=1e-12)


def test_too_many_eigenvalues():
    with pytest.raises(ValueError, match=r"count must be at most the order 3 of the matrix, got 4"):
        top_eigenvalues(of(np.eye(3)), 4)


@pytest.mark.parametrize("dim", [5, 60])
@pytest.mark.parametrize("power", [-1000, -600, 200, 505, 515, 1000])
def test_matrices_of_any_size(dim, power, recwarn):
    lam = np.sort(np.random.default_rng(dim).uniform(-1, 1, dim))[::-1]
    H, Q = rotated(lam)
    scale = 2.0**power
    for start in (None, Q[:, :2].T):
        plain, found = (top_eigenvalues(Operator(dim, lambda v, s=s: v @ H * s), 2, start=start) for s in (1, scale))
        assert found.values / scale == pytest.approx(lam[:2], abs=1e-6)
        assert (found.values == plain.values * scale).all()  # a power of two: bit for bit
        assert (found.residuals == plain.residuals * scale).all()
        assert (found.vectors == plain.vectors).all()
    assert not recwarn


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_images_of_very_different_sizes(scale):
    large = np.zeros(60)
    large[7] = 1.0

    def product(v):  # 1 along one axis, 1e-200 along the others
        return scale * (large * v + (1 - large) * (1e-200 * v))

    start = np.eye(60)[:3]  # has nothing of the large one
    assert top_eigenvalue(Operator(60, product), start=start).value == pytest.approx(scale, rel=1e-6)


@pytest.mark.parametrize("dim", [5, 60])
def test_an_eigenvalue_that_is_not_finite_gives_nan(dim, recwarn):
    found = top_eigenvalue(Operator(dim, lambda v: np.full(dim, 1e308) * v.sum(axis=-1, keepdims=True)))
    assert np.isnan(found.value)
    assert np.isnan(found.residual)
    assert not recwarn
