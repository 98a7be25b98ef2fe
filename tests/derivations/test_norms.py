"""Generalised sharpness and descent in norms: reference values and literal runs, from the derivations' expressions."""

from itertools import pairwise

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from derivations.norms_ab_toy import CYCLE_MULTIPLIER, DOUBLING, HIGH, LOW, SHARPNESS, delta, kappa
from derivations.norms_cycles import MULTIPLIER, STABLE_FOR_ALL, a
from derivations.norms_cycles import rho as cycle_rho
from derivations.norms_divergence import PROJECTIVE, THRESHOLD, rho, s
from derivations.norms_edge import l4_step, linf_step
from derivations.norms_matrices import E, J, circles, cofactors, gram, operator
from derivations.norms_sharpness import cube, diagonal_lp, face, q, signs
from derivations.stochastic_batches import largest
from eossim.symbolic import eta
from eossim.symbolic.derivation import recorded

R = sp.Rational
H2 = sp.Matrix([[2, 1], [1, 2]])
H3 = sp.Matrix([[2, R(1, 2), R(3, 10)], [R(1, 2), R(3, 2), -R(2, 5)], [R(3, 10), -R(2, 5), 1]])
H4 = sp.Matrix([[4, 1, 0, 1], [1, 3, 1, 0], [0, 1, 2, -1], [1, 0, -1, 5]])
H6 = sp.Matrix([[1, -R(1, 2), -R(1, 2)], [-R(1, 2), 1, -R(1, 2)], [-R(1, 2), -R(1, 2), 1]])
small = st.integers(-4, 4)


def numeric(M):
    return np.array(M, dtype=float)


# --- N1-N12: closed forms ---


@pytest.mark.parametrize(
    ("H", "expected"),
    [(sp.diag(3, 1), 4), (H2, 6), (H3, R(57, 10)), (H6, 4), (sp.Matrix([[0, 1], [1, 0]]), 2), (H4, 18)],
)
def test_linf_over_sign_vectors(H, expected):
    assert cube(H) == expected


def test_stationary_sign_vectors():
    values = [q(H3, sigma) for sigma in signs(3)]
    assert sorted(values) == [R(21, 10), R(49, 10), R(53, 10), R(57, 10)]
    assert q(H3, (1, 1, -1)) == R(57, 10)
    for sigma in signs(3):
        assert list((H3 * sp.Matrix(sigma)).applyfunc(sp.sign)) == list(sigma)


@settings(max_examples=20)
@given(entries=st.lists(small, min_size=6, max_size=6), point=st.lists(st.floats(-1, 1), min_size=3, max_size=3))
def test_no_point_of_the_cube_beats_the_sign_vectors(entries, point):
    x = iter(entries)
    H = sp.Matrix(sp.zeros(3, 3))
    for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)):
        H[i, j] = H[j, i] = abs(next(x)) if i == j else next(x)
    point = np.array(point)
    assert point @ numeric(H) @ point <= float(cube(H)) + 1e-9


def test_closed_forms_in_the_plane():
    assert largest(H2)[0] == 3
    assert max(H2.diagonal()) == 2  # l1
    assert face(sp.Matrix([[0, 1], [1, 0]])) == R(1, 2)
    assert float(diagonal_lp((3, 1), 3)) == pytest.approx(3.03658897187566, rel=1e-12)
    on_diagonal = q(H2, (1, 1)) / 2 ** R(2, 3)  # (1, 1) has the l3 norm 2^(1/3)
    assert float(on_diagonal) == pytest.approx(3.77976314968462, rel=1e-12)
    block_max = sp.Matrix([[1, R(9, 10)], [R(9, 10), 1]])
    assert cube(block_max) == R(19, 5)
    assert largest(block_max)[0] == R(19, 10)


def test_l2_and_preconditioned():
    assert np.linalg.eigvalsh(numeric(H3))[-1] == pytest.approx(2.31086774162037, rel=1e-12)
    root = np.sqrt([1.0, 2, 4])
    assert np.linalg.eigvalsh(numeric(H3) / np.outer(root, root))[-1] == pytest.approx(2.09957524705922, rel=1e-12)


def test_rank_one():
    vector = sp.Matrix([3, -4, 12])
    H = vector * vector.T
    assert (cube(H), max(H.diagonal()), H.trace()) == (361, 144, 169)


# --- matrices ---


def test_spectral_norm_of_two_by_two():
    rotations, reflections = circles(H4)
    assert sp.simplify(rotations - (7 + 2 * sp.sqrt(5))) == 0
    assert reflections == 9
    assert float(rotations) == pytest.approx(11.4721359549996, rel=1e-14)
    corner = sp.Matrix([1, 0, 0, 0])
    assert max(circles(corner * corner.T + sp.eye(4) / 10)) == R(6, 5)
    assert max(circles(operator(sp.diag(2, 1), sp.diag(3, 1)))) == 7
    assert [gram(H4, E, J)[i, i] for i in (0, 1)] == [11, 3]


@settings(max_examples=20)
@given(entries=st.lists(small, min_size=16, max_size=16), point=st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_no_contraction_beats_the_two_circles(entries, point):
    B = sp.Matrix(4, 4, entries)
    H, X = B.T * B, np.array(point).reshape(2, 2)
    scale = max(1.0, np.linalg.norm(X, 2))
    d = (X / scale).ravel()
    top = max(float(x) for x in circles(H))
    assert d @ numeric(H) @ d <= top * (1 + 1e-9) + 1e-9
    assert top <= float(cube(H)) * (1 + 1e-9) + 1e-9  # linf, whose ball is larger
    assert np.linalg.eigvalsh(numeric(H))[-1] <= top * (1 + 1e-9) + 1e-9


@settings(max_examples=20)
@given(entries=st.lists(small, min_size=4, max_size=4))
def test_the_polar_factor(entries):
    X = sp.Matrix(2, 2, entries)
    assume(X.det() != 0)
    size = sp.sqrt(sum(x**2 for x in X) + 2 * abs(X.det()))
    factor = numeric((X + sp.sign(X.det()) * cofactors(X)) / size)
    left, values, right = np.linalg.svd(numeric(X))
    assert factor == pytest.approx(left @ right, abs=1e-9)
    assert float(size) == pytest.approx(values.sum(), rel=1e-12)


def test_spectral_descent_on_a_diagonal():
    """Spectral descent from diag(2, 1) on tr(W A W^T) / 2, A = diag(3, 1), eta = 2/5: every matrix stays diagonal."""
    A, W, path = sp.diag(3, 1), sp.diag(2, 1), []
    for _ in range(3):
        gradient = W * A
        factor = gradient + sp.sign(gradient.det()) * cofactors(gradient)  # times its length, the nuclear norm
        W = W - R(2, 5) * factor
        path.append(list(W.diagonal()))
    assert path == [[-R(4, 5), -R(9, 5)], [R(22, 25), -R(3, 25)], [-R(28, 125), R(123, 125)]]


# --- edge, cone and cycles ---


@pytest.mark.parametrize(("fraction", "grows"), [(R(99, 100), False), (R(101, 100), True)])
def test_linf_on_the_ray_of_its_maximiser(fraction, grows):
    size, w = 2 * fraction / cube(H3), sp.Matrix([1, 1, -1])
    for _ in range(3):
        after = linf_step(H3, w).subs(eta, size)
        assert after == (1 - 2 * fraction) * w
        assert bool(max(map(abs, after)) > max(map(abs, w))) is grows
        w = after


def test_the_angle_to_the_ray_of_l4():
    h, d = (4, 1), np.array([2.0, 1]) / 17**0.25
    curvature = float(diagonal_lp(h, 4))
    assert (float(np.sum(d**4)), curvature) == pytest.approx((1, np.sqrt(17)))
    step = sp.lambdify((eta, *sp.symbols("x y", positive=True)), list(l4_step(h, sp.symbols("x y", positive=True))))
    for product_ in (1.4, 1.6):  # the threshold is 3/2
        assert float(THRESHOLD.subs(rho, R(1, 3))) == 1.5
        bent = d + np.array([0, 1e-6])
        after = step(product_ / curvature, *bent)
        measured = (after[1] / after[0] - 0.5) / (bent[1] / bent[0] - 0.5)
        predicted = float(PROJECTIVE.subs({eta: product_ / curvature, s: curvature, rho: R(1, 3)}))
        assert measured == pytest.approx(predicted, rel=1e-4)
        assert (abs(predicted) < 1) is (product_ > 1.5)


def sign_descent(H, w, size, count):
    """Return gradient norms and losses of sign descent."""
    norms, losses = [], []
    for _ in range(count):
        g = H @ w
        norms.append(np.abs(g).sum())
        losses.append(w @ g / 2)
        w = w - size * np.sign(g)
    return np.array(norms), np.array(losses)


def test_sign_descent_ends_on_one_of_its_stationary_values():
    rng, found = np.random.default_rng(0), set()
    for _ in range(40):
        norms, _ = sign_descent(numeric(H3), rng.normal(size=3), 0.1, 400)
        assert norms[-2:] == pytest.approx(norms[-4:-2], abs=1e-9)
        found.add(round(norms[-2:].mean(), 9))
    assert found <= {0.285, 0.265, 0.245, 0.105}
    assert len(found) > 1


def test_normalised_spectral_descent_ends_on_a_circle():
    """Cycles of a rotation have the mean of G of 7 + 2 sqrt 5, those of a reflection that of 9."""
    H, size, rng, found = numeric(H4), 0.1, np.random.default_rng(1), set()
    for _ in range(20):
        w, norms = rng.normal(size=4), []
        for _ in range(600):
            left, values, right = np.linalg.svd((H @ w).reshape(2, 2))
            norms.append(values.sum())
            w = w - size * (left @ right).ravel()
        found.add(round(2 * np.mean(norms[-2:]) / size, 6))
    assert found == {round(float(x), 6) for x in circles(H4)}


def normalised_path(h, w, size, count):
    """Return the points of normalised gradient descent on a diagonal quadratic."""
    path = [np.array(w)]
    for _ in range(count):
        g = h * path[-1]
        path.append(path[-1] - size * g / np.linalg.norm(g))
    return np.array(path)


@pytest.mark.parametrize(("split", "stable"), [(R(1, 10), False), (R(14, 100), True)])
def test_the_split_of_a_cycle_of_normalised_descent(split, stable):
    h, size = np.array([4.0, 3, 1]), 0.1
    multipliers = [MULTIPLIER.subs({a: split, cycle_rho: ratio}) for ratio in (R(3, 4), R(1, 4))]
    assert all(abs(x) < 1 for x in multipliers) is stable
    path = normalised_path(h, (float(split) * size, 1e-7, 1e-7), size, 2)
    measured = path[2, 1:] / 1e-7
    assert measured == pytest.approx([float(x) for x in multipliers], rel=1e-6)
    symmetric = normalised_path(h, (size / 2, 0, 0), size, 1)
    assert np.linalg.norm(h * symmetric, axis=1) == pytest.approx([0.2, 0.2])
    assert h @ symmetric[0] ** 2 / 2 == pytest.approx(0.005)


def test_the_splits_that_are_always_stable():
    assert [float(x) for x in STABLE_FOR_ALL] == pytest.approx([0.14645, 0.85355], abs=5e-6)
    assert MULTIPLIER.subs({a: STABLE_FOR_ALL[0], cycle_rho: R(1, 2)}).equals(-1)


# --- the toy ---


def toy(a_, b_, size, count):
    """Return the points of linf descent on (a b - 1)^2 / 2."""
    path = [np.array([a_, b_])]
    for _ in range(count):
        x, y = path[-1]
        g = (x * y - 1) * np.array([y, x])
        path.append(path[-1] - size * np.abs(g).sum() * np.sign(g))
    return np.array(path)


@pytest.mark.parametrize("value", [1.05, 1.15, 1.22])
def test_the_two_cycle_of_the_toy(value):
    offset = 0.5
    m = float(SHARPNESS.subs(delta, offset))
    size = 2 * value / m
    high, low = (float(x.subs(kappa, value)) for x in (HIGH, LOW))
    path = toy(1.3, 0.8, size, 4001)
    assert path[:, 0] - path[:, 1] == pytest.approx(np.full(len(path), offset), abs=1e-9)
    totals = sorted(path[-2:].sum(axis=1) / np.sqrt(m))
    assert totals == pytest.approx([low, high], rel=1e-9)
    assert abs(float(CYCLE_MULTIPLIER.subs(kappa, value))) < 1
    losses, norms, found = (path.prod(axis=1) - 1) ** 2 / 2, [], []
    for (x, y), (before, after) in zip(path[-3:-1], pairwise(losses[-3:]), strict=True):
        norms.append(abs(x * y - 1) * (x + y))
        found.append(2 * (after - before + size * norms[-1] ** 2) / (size * norms[-1]) ** 2)
    assert np.average(found, weights=np.square(norms)) == pytest.approx(2 / size, rel=1e-9)


@pytest.mark.parametrize(("factor", "period"), [(0.95, 1), (1.05, 2), (1.01 * float(DOUBLING), 4)])
def test_periods_of_the_toy(factor, period):
    path = toy(1.3, 0.8, 2 * factor / 4.25, 8000)[-1 - 8 :].sum(axis=1)
    assert path[period:] == pytest.approx(path[:-period], rel=1e-9)
    if period > 1:
        assert path[-1] != pytest.approx(path[-1 - period // 2], rel=1e-3)


def test_a_coordinate_of_the_toy_crosses_zero_where_delta_is_large():
    """At the doubling the lower point has p^2 = m / 2, above delta^2 iff |delta| < 2."""
    lower = sp.simplify(LOW.subs(kappa, DOUBLING) ** 2)
    assert float(lower) == pytest.approx(0.5, rel=1e-14)
    for offset, inside in ((R(19, 10), True), (R(21, 10), False)):
        m = SHARPNESS.subs(delta, offset)
        assert bool(m / 2 > offset**2) is inside


def test_every_claim_is_recorded_once():
    claims = [row["id"] for d in recorded().values() if d["name"].startswith("norms_") for row in d["claims"]]
    assert len(claims) == len(set(claims)) == 50
    assert all(c.startswith("norms.") for c in claims)
    assert {"norms.cone", "norms.bounds", "norms.ab_toy", "norms.blind", "norms.linf_freezes"} <= set(claims)
