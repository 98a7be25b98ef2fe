"""Thousands of small Hessians against plain enumerations and grids of angles."""

from itertools import product

import numpy as np
import pytest

from eossim.curvature.exact import exact_sharpness
from eossim.curvature.operator import Operator
from eossim.norms import L1, BlockMax, Linf, Mahalanobis, Nuclear, Spectral

from .cases import KINDS, hessian


def hessians(dim, rounds, kinds=KINDS, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([hessian(kind, dim, rng) for _ in range(rounds) for kind in kinds])


def solved(norm, matrices):
    return np.array([exact_sharpness(norm, Operator.of_matrix(H), demanded=True).value for H in matrices])


def forms(H, d):
    return np.einsum("ki,kij,kj->k", d, H, d)


def cube(H):
    """Stationary points of every face of the cube, all patterns of {-1, 1, free} but the interior."""
    count, dim = H.shape[:2]
    best = np.full(count, -np.inf)
    for pattern in product((-1, 1, 0), repeat=dim):
        d = np.tile(np.array(pattern, dtype=float), (count, 1))
        free, fixed = d[0] == 0, d[0] != 0
        if free.all():
            continue
        if free.any():
            rest = np.einsum("kij,kj->ki", H[:, free][:, :, fixed], d[:, fixed])
            d[:, free] = -np.einsum("kij,kj->ki", np.linalg.pinv(H[:, free][:, :, free]), rest)
        inside = np.abs(d).max(axis=1) <= 1
        best = np.maximum(best, np.where(inside, forms(H, d), -np.inf))
    return best


def cross_polytope(H):
    """For every support and sign pattern, A x = λ1 with Σx = 1: points with x >= 0 count."""
    count, dim = H.shape[:2]
    best = np.full(count, -np.inf)
    for pattern in product((-1, 1, 0), repeat=dim):
        s = np.array(pattern, dtype=float)
        on = s != 0
        k = int(on.sum())
        if not k:
            continue
        system = np.zeros((count, k + 1, k + 1))
        system[:, :k, :k] = H[:, on][:, :, on] * s[on][:, None] * s[on]
        system[:, k, :k] = system[:, :k, k] = 1
        x = np.linalg.pinv(system)[:, :k, k]
        x = np.maximum(x, 0)
        inside = np.abs(x.sum(axis=1) - 1) <= 1e-12
        d = np.zeros((count, dim))
        d[:, on] = s[on] * x
        best = np.maximum(best, np.where(inside, forms(H, d), -np.inf))
    return best


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
def test_linf(dim):
    H = hessians(dim, 40)
    np.testing.assert_allclose(solved(Linf(), H), cube(H), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
def test_l1(dim):
    H = hessians(dim, 40)
    np.testing.assert_allclose(solved(L1(), H), cross_polytope(H), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("dim", [7, 10])
def test_linf_of_semidefinite_hessians(dim):
    H = hessians(dim, 150, ("definite", "semidefinite"))
    signs = np.array(list(product((-1.0, 1.0), repeat=dim - 1)))
    signs = np.column_stack([np.ones(len(signs)), signs])
    best = np.array([np.einsum("si,si->s", signs @ h, signs).max() for h in H])
    np.testing.assert_allclose(solved(Linf(), H), best, rtol=1e-12)


def test_preconditioned_hessians():
    H = hessians(4, 40)
    P = np.cov(np.random.default_rng(3).standard_normal((4, 20)))
    expected = np.linalg.eigvals(np.linalg.solve(P, H)).real.max(axis=1)
    np.testing.assert_allclose(solved(Mahalanobis(P), H), expected, rtol=1e-9, atol=1e-10)


def test_spectral_2x2_on_a_grid_of_angles():
    """Extreme points are rotations and reflections; a grid of step h misses no more than h²‖H‖."""
    H = hessians(4, 100, ("definite", "semidefinite", "rank one", "identity", "zero"))
    angle = np.linspace(0, np.pi, 1001)
    c, s = np.cos(angle), np.sin(angle)
    points = np.concatenate([np.stack([c, -s, s, c], axis=1), np.stack([c, s, s, -c], axis=1)])
    grid = np.einsum("ai,kij,aj->ka", points, H, points, optimize=True).max(axis=1)
    values, scale = solved(Spectral((2, 2)), H), np.abs(H).sum(axis=(1, 2))
    assert (values >= grid - 1e-12 * scale).all()
    assert (values <= grid + (np.pi / 1000) ** 2 * scale + 1e-12).all()


def test_nuclear_2x2_on_a_grid_of_angles():
    H = hessians(4, 20, ("definite", "semidefinite", "rank one", "identity", "zero"))
    angle = np.linspace(0, np.pi, 101)
    units = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.einsum("ai,bj->abij", units, units).reshape(-1, 4)
    grid = np.array([((points @ h) * points).sum(axis=1) for h in H])
    values, scale = solved(Nuclear((2, 2)), H), np.abs(H).sum(axis=(1, 2))
    assert (values >= grid.max(axis=1) - 1e-12 * scale).all()
    assert (values <= grid.max(axis=1) + 2 * (np.pi / 100) ** 2 * scale + 1e-12).all()


def test_two_blocks_on_a_grid_of_angles():
    """Blocks {0, 1} and {2}, any H: the sphere is a circle times an interval and a disc times two points."""
    H = hessians(3, 20, seed=5)
    angle, radius = np.linspace(0, 2 * np.pi, 241), np.linspace(0, 1, 41)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    side = np.array([[*u, t] for u in circle for t in np.concatenate([-radius[:0:-1], radius])])
    lid = np.array([[*(r * u), 1.0] for u in circle for r in radius])
    points = np.concatenate([side, lid])
    grid = np.array([((points @ h) * points).sum(axis=1).max() for h in H])
    values, scale = solved(BlockMax([[0, 1], [2]]), H), np.abs(H).sum(axis=(1, 2))
    assert (values >= grid - 1e-12 * scale).all()
    assert (values <= grid + 2e-3 * scale).all()
