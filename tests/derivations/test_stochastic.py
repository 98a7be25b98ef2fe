"""The stochastic edge: reference values and enumerations in exact fractions, from the derivations' expressions."""

from itertools import pairwise, product

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from derivations.bias_variance_stochastic import batches
from derivations.stochastic_batches import (
    FULL_CURVATURE,
    NORM2,
    OWN_CURVATURE,
    PARTS,
    b,
    batch_sharpness,
    dot,
    enumerated,
    factors,
    kappa,
    largest,
    mean,
    p,
    parts,
)
from derivations.stochastic_mean_square import (
    CROSSED,
    EDGE_1D,
    EDGE_MOMENTUM,
    GAUSSIAN,
    a,
    commuting,
    dimension,
    e,
    enumerated_step,
    k,
    next_moments,
    pencil,
    quotient,
    r,
    sigma2,
    squared,
    wick,
)
from derivations.stochastic_sharpness import (
    DIAGONAL,
    EDGE_AXES,
    RADIUS_AXES,
    SHARPNESS_AXES,
    SHARPNESS_SPHERE,
    THIRD_GAUSSIAN,
    axes,
    epsilon,
)
from derivations.stochastic_stationary import (
    BEST,
    FIRST,
    GRADIENTS,
    HESSIANS,
    INDEPENDENT,
    ROWS,
    SECOND_POSITION,
    SPREAD,
    TARGETS,
    epochs,
    law,
    noise,
    reshuffled,
    stationary,
)
from eossim.symbolic import beta, eta
from eossim.symbolic.derivation import recorded

R = sp.Rational
small = st.integers(-3, 3)
ZERO = sp.zeros(2, 1)
THREE = [sp.Matrix(H) for H in ([[2, 0], [0, 0]], [[1, 1], [1, 1]], [[0, 0], [0, 4]])]
#: V2: gradients of the three at (1, -1), centres (0, 0), (1, 1), (0, 1).
AT_POINT = [sp.Matrix(g) for g in ([2, 0], [-2, -2], [0, -8])]
ORIGIN = [row * -y for row, y in zip(ROWS, TARGETS, strict=True)]  # V5: gradients of the four rows at 0
INDEFINITE = [sp.Matrix(H) for H in ([[3, 0], [0, -1]], [[-1, 0], [0, 3]], [[0, 1], [1, 0]])]


def closed(gradients, hessians, weights) -> dict[str, sp.Expr]:
    """Return the closed forms of `stochastic_batches` with these p and kappa_3."""
    values = parts(gradients, hessians) | dict(zip((p, kappa), weights, strict=True))
    batch, full, own, norm = (f.subs(values) for f in (NORM2, FULL_CURVATURE, OWN_CURVATURE, PARTS[0]))
    return {"batch": batch, "RM": own / batch, "IAS": full / batch, "GNI": full / norm}


def gauges(gradients, hessians, size, *, replacement=False) -> list[sp.Expr]:
    """Return BS by enumeration and RM, IAS, GNI in closed form, E lambda_max(H_B), E|g_B|^2."""
    drawn = batches(len(gradients), size, replacement=replacement)
    found = closed(gradients, hessians, factors(len(gradients), size, replacement=replacement))
    tops = mean([largest(mean([hessians[i] for i in chosen]))[0] for chosen in drawn])
    sharpness = batch_sharpness(gradients, hessians, drawn)
    return [sharpness, found["RM"], found["IAS"], found["GNI"], tops, found["batch"]]


def numeric(matrix) -> np.ndarray:
    return np.array(matrix.evalf(30).tolist(), dtype=float)


def critical(hessians, factor) -> float:
    """Return 2 / eta*, the largest generalised eigenvalue on symmetric matrices."""
    C, D = (numeric(M) for M in pencil(hessians, factor))
    return float(np.max(np.linalg.eigvals(np.linalg.solve(C, D)).real))


def kronecker(hessians, size, step) -> np.ndarray:
    """Return Q by enumeration of the batches: E[(I - eta H_B) (x) (I - eta H_B)], on all matrices."""
    steps = [np.eye(hessians[0].rows) - step * numeric(mean([hessians[i] for i in chosen]))
             for chosen in batches(len(hessians), size, replacement=False)]  # fmt: skip
    return np.mean([np.kron(A, A) for A in steps], axis=0)


# --- V1, V2, V5, V6, V9, V10: values at a point ---


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (4, 1, (1, 1)),
        (4, 2, (R(1, 3), 0)),
        (4, 3, (R(1, 9), -R(1, 27))),
        (10, 3, (R(7, 27), R(7, 162))),
        (4, 4, (0, 0)),
        (2, 1, (1, 0)),
        (1, 1, (0, 0)),
    ],
)
def test_finite_population_factors(count, size, expected):
    assert factors(count, size, replacement=False) == expected


def test_equal_second_factor_is_not_equal_sharpness():
    assert factors(6, 5, replacement=True)[0] == factors(6, 3, replacement=False)[0] == R(1, 5)
    assert factors(6, 5, replacement=True)[1] != factors(6, 3, replacement=False)[1]


V2 = [
    (1, False, "8/3 70/19 31/19 93/25 8/3 76/3"),
    (2, False, "745/442 203/88 109/66 109/50 3/2+(sqrt(2)+sqrt(5))/6 44/3"),
    (2, True, "4003/1989 483/164 202/123 202/75 17/9+(sqrt(2)+sqrt(5))/9 164/9"),
]


@pytest.mark.parametrize(("size", "replacement", "expected"), V2)
def test_three_batches_at_a_point(size, replacement, expected):
    found = gauges(AT_POINT, THREE, size, replacement=replacement)
    assert [sp.expand(x) for x in found] == [sp.expand(sp.sympify(x)) for x in expected.split()]
    assert sp.expand(largest(mean(THREE))[0] - (4 + sp.sqrt(2)) / 3) == 0


def test_four_rows_at_the_origin():
    assert gauges(ORIGIN, HESSIANS, 3)[:5] == [R(31, 40), R(13, 17), R(3, 4), R(17, 15), 1]  # RM below BS
    assert gauges(ORIGIN, HESSIANS, 4)[:4] == [R(3, 4)] * 4
    single = batches(4, 1, replacement=False)
    assert batch_sharpness(ORIGIN, HESSIANS, single) == 1  # the third gradient is 0
    assert batch_sharpness(ORIGIN, HESSIANS, single, skip=True) == R(4, 3)
    assert mean(HESSIANS).trace() == R(3, 2)


def test_indefinite_hessians():
    point = sp.Matrix([1, 2])
    found = gauges([H * point for H in INDEFINITE], INDEFINITE, 1)
    assert found[:5] == [R(4378, 2405), R(134, 55), R(6, 11), R(90, 41), R(7, 3)]


def test_a_product_of_two_parameters():
    u, v = sp.symbols("u v")
    losses = [(u * v * x - y) ** 2 for x, y in ((1, 1), (2, 1), (-1, 0))]
    here = {u: 1, v: 2}
    gradients = [sp.Matrix([sp.diff(f, x) for x in (u, v)]).subs(here) for f in losses]
    hessians = [sp.hessian(f, (u, v)).subs(here) for f in losses]
    assert [list(g) for g in gradients] == [[4, 2], [24, 12], [8, 4]]
    for size in (1, 2, 3):
        assert batch_sharpness(gradients, hessians, batches(3, size, replacement=False)) == R(124, 5)
    found = closed(gradients, hessians, factors(3, 1, replacement=False))
    assert (found["RM"], found["GNI"]) == (R(1850, 41), R(5084, 135))
    assert sp.expand(largest(mean(hessians))[0] - 10 - 2 * sp.sqrt(58)) == 0
    tangents = [sp.Matrix([2, 1]) * x for x in (1, 2, -1)]
    newton = [2 * t * t.T for t in tangents]
    assert gauges(gradients, newton, 2)[0] == 20
    assert gauges(gradients, newton, 1)[:2] == [20, R(1490, 41)]


# --- closed forms against enumeration ---

vectors = st.tuples(small, small).map(lambda x: sp.Matrix(x))
symmetric = st.tuples(small, small, small).map(lambda x: sp.Matrix([[x[0], x[1]], [x[1], x[2]]]))


@settings(max_examples=25, deadline=None)
@given(samples=st.lists(st.tuples(vectors, symmetric), min_size=1, max_size=5), data=st.data())
def test_closed_forms_are_the_means_over_all_batches(samples, data):
    gradients, hessians = ([pair[i] for pair in samples] for i in (0, 1))
    count, replacement = len(samples), data.draw(st.booleans())
    size = data.draw(st.integers(1, 3 if replacement else count))
    found = enumerated(gradients, hessians, batches(count, size, replacement=replacement))
    weights = dict(zip((p, kappa), factors(count, size, replacement=replacement), strict=True))
    values = parts(gradients, hessians) | weights
    assert list(found) == [f.subs(values) for f in (NORM2, FULL_CURVATURE, OWN_CURVATURE)]


def test_a_wrong_factor_is_noticed():
    found = enumerated(AT_POINT, THREE, batches(3, 2, replacement=False))
    values = parts(AT_POINT, THREE)
    for wrong in ((R(1, 2), R(1, 4)), (R(1, 4), 0)):  # of drawing with replacement; no third moment
        assert found[2] != OWN_CURVATURE.subs(values | dict(zip((p, kappa), wrong, strict=True)))


def test_repeating_every_sample_changes_sampling_without_replacement_only():
    for replacement in (True, False):
        once = enumerated(AT_POINT, THREE, batches(3, 2, replacement=replacement))
        twice = enumerated(AT_POINT * 2, THREE * 2, batches(6, 2, replacement=replacement))
        assert (once == twice) is replacement


@settings(max_examples=25, deadline=None)
@given(samples=st.lists(st.tuples(vectors, symmetric), min_size=2, max_size=4), step=st.fractions(0, 3))
def test_the_gradient_of_its_own_batch(samples, step):
    assume(all(not g.is_zero_matrix for g, _ in samples))
    gradients, hessians = ([pair[i] for pair in samples] for i in (0, 1))
    step = R(step.numerator, step.denominator)
    grown = mean([dot(g - step * H * g, g - step * H * g) / dot(g, g) for g, H in samples])
    sharpness = batch_sharpness(gradients, hessians, [(i,) for i in range(len(samples))])
    assert grown >= (1 - step * sharpness) ** 2


# --- V3: critical step and bounds ---

V3 = [
    (1, 0.577545891254, 3.462928280307, 0.738796125036, R(2, 3), 0.538461538461538, 0.791094707833, 0.584964779),
    (2, 0.936863734736, 2.134782173593, 0.985061500048, R(16, 15), 0.906382814514, 0.362800963014, 0.942561627),
]


@pytest.mark.parametrize(("size", "edge", "top", "rank_one", "trace", "sufficient", "radius", "best"), V3)
def test_three_matrices_that_do_not_commute(size, edge, top, rank_one, trace, sufficient, radius, best):
    factor = factors(3, size, replacement=False)[0]
    assert critical(THREE, factor) == pytest.approx(top, rel=1e-12)
    assert 2 / critical(THREE, factor) == pytest.approx(edge, rel=1e-11)
    H = mean(THREE)
    v = np.linalg.eigh(numeric(H))[1][:, -1]
    along = np.array([v @ numeric(Hi) @ v for Hi in THREE])
    assert 2 / (along.mean() + float(factor) * along.var() / along.mean()) == pytest.approx(rank_one, rel=1e-11)
    assert 2 / quotient(sp.eye(2), THREE, factor) == trace
    bound = np.max(np.linalg.eigvals(np.linalg.solve(numeric(H), numeric(squared(sp.eye(2), THREE, factor)))).real)
    assert 2 / bound == pytest.approx(sufficient, rel=1e-11)
    assert sufficient < edge < best < min(rank_one, trace)
    angles = [sp.Matrix([sp.cos(x), sp.sin(x)]).evalf() for x in np.linspace(0, np.pi, 400)]
    best_found = 2 / max(quotient(v * v.T, THREE, factor) for v in angles)
    assert float(best_found) == pytest.approx(best, rel=1e-4)
    assert best_found >= best * (1 - 1e-8)
    assert np.max(np.abs(np.linalg.eigvals(kronecker(THREE, size, 0.5)))) == pytest.approx(radius, rel=1e-11)
    assert np.max(np.abs(np.linalg.eigvals(kronecker(THREE, size, edge)))) == pytest.approx(1, abs=1e-10)


rows = st.lists(st.tuples(small, small), min_size=2, max_size=5)


@settings(max_examples=25, deadline=None)
@given(rows=rows, repeated=st.booleans())
def test_the_edge_of_random_rows(rows, repeated):
    """Interpolating or not is no matter here; zero and repeated rows are."""
    chosen = [sp.Matrix(x) for x in (rows + rows[:1] if repeated else rows)]
    hessians = [x * x.T for x in chosen]
    H = mean(hessians)
    assume(H.det() > 0)
    edges = []
    for size in range(1, len(hessians) + 1):
        factor = factors(len(hessians), size, replacement=False)[0]
        edges.append(2 / critical(hessians, factor))
        radius = np.max(np.abs(np.linalg.eigvals(kronecker(hessians, size, edges[-1]))))
        assert radius == pytest.approx(1, abs=1e-9)
        inverse = np.linalg.solve(numeric(H), numeric(squared(sp.eye(2), hessians, factor)))
        assert 2 / np.max(np.linalg.eigvals(inverse).real) <= edges[-1] * (1 + 1e-9)
        for S in (sp.eye(2), sp.diag(1, 0), sp.Matrix([[1, 1], [1, 1]]), sp.Matrix([[4, -2], [-2, 1]])):
            assert edges[-1] <= float(2 / quotient(S, hessians, factor)) * (1 + 1e-9)
    assert all(x <= y * (1 + 1e-9) for x, y in pairwise(edges))
    assert edges[-1] == pytest.approx(2 / float(largest(H)[0]), rel=1e-9)


def test_the_crossed_valley():
    values = {k: R(1), e: R(1, 2), r: R(2, 5), p: R(1, 3)}
    c = sp.sqrt(r * k * (k + e)).subs(values)
    hessians = [sp.Matrix([[R(3, 2), sign * c], [sign * c, 1]]) for sign in (1, -1)]
    assert critical(hessians, R(1, 3)) == pytest.approx(float(CROSSED.subs(values)), rel=1e-12)


def test_one_dimension_and_momentum():
    line = {a: 3, sigma2: R(7, 2)}  # 1, 2, 3, 6
    assert [EDGE_1D.subs(line | {p: x}) for x in (1, R(1, 3))] == [R(12, 25), R(36, 61)]
    cases = list(product((1, R(1, 3)), (R(1, 2), R(9, 10))))
    heavy = [EDGE_MOMENTUM.subs(line | {sigma2: R(7, 2) * x, beta: y}) for x, y in cases]
    assert [float(x) for x in heavy] == pytest.approx([6 / 13, 0.150993377, 0.72, 0.365775401], rel=1e-8)
    assert [EDGE_MOMENTUM.subs({a: 2, sigma2: 4, beta: x}) for x in (0, R(1, 2))] == [R(1, 2), R(3, 8)]
    # the four rows: D(I) = (9/16 + 11 p/16) I, as a curvature of mean 3/4 and variance 11 p/16
    plane = [EDGE_MOMENTUM.subs({a: R(3, 4), sigma2: R(11, 16) * x, beta: y}) for x, y in cases]
    assert [float(x) for x in plane] == pytest.approx([6 / 7, 0.209174312, 1.8, 0.579661017], rel=1e-8)


@pytest.mark.parametrize(("size", "beta_", "edge"), [(1, 0.5, 6 / 7), (2, 0.9, 0.579661017), (2, 0.5, 1.8)])
def test_momentum_on_four_rows(size, beta_, edge):
    """By the second moments of the whole state (x, v) over every batch, in four dimensions."""
    for step, above in ((edge * (1 - 1e-6), False), (edge * (1 + 1e-6), True)):
        total = np.zeros((16, 16))
        drawn = batches(4, size, replacement=False)
        for chosen in drawn:
            H, identity = numeric(mean([HESSIANS[i] for i in chosen])), np.eye(2)
            M = np.block([[identity - step * H, -step * beta_ * identity], [H, beta_ * identity]])
            total += np.kron(M, M) / len(drawn)
        assert bool(np.max(np.abs(np.linalg.eigvals(total))) > 1) is above


def test_almost_sure_stability_lies_far_beyond():
    def growth(step):
        return np.mean(np.log(np.abs(1 - step * np.array([1.0, 2, 3, 6]))))

    assert growth(0.48) == pytest.approx(-1.0156277668757, rel=1e-12)
    assert growth(1.0724735613695) == pytest.approx(0, abs=1e-12)


# --- recursion ---


@settings(max_examples=15, deadline=None)
@given(samples=st.lists(st.tuples(vectors, symmetric), min_size=2, max_size=4), point=vectors, data=st.data())
def test_the_recursion_is_one_enumerated_step(samples, point, data):
    gradients, hessians = ([pair[i] for pair in samples] for i in (0, 1))
    gradients = [g - mean([pair[0] for pair in samples]) for g in gradients]  # gradients at the minimiser
    replacement = data.draw(st.booleans())
    size = data.draw(st.integers(1, 2 if replacement else len(samples)))
    other = sp.Matrix([1, -2])
    points, step = [point, other], R(1, 3)
    factor = factors(len(samples), size, replacement=replacement)[0]
    found = enumerated_step(points, hessians, gradients, batches(len(samples), size, replacement=replacement), step)
    closed_form = next_moments(mean(points), mean([x * x.T for x in points]), hessians, gradients, factor, step)
    assert found == closed_form


def test_three_steps_are_the_mean_over_all_paths():
    m, S = -BEST, BEST * BEST.T
    path = [m]
    drawn = batches(4, 2, replacement=False)
    for _ in range(3):
        m, S = next_moments(m, S, HESSIANS, GRADIENTS, R(1, 3), R(1, 2))
    ends = []
    steps = [(mean([HESSIANS[i] for i in row]), mean([GRADIENTS[i] for i in row])) for row in drawn]
    for choice in product(steps, repeat=3):
        x = path[0]
        for H, g in choice:
            x = x - (H * x + g) / 2
        ends.append(x)
    assert (m, S) == (mean(ends), mean([x * x.T for x in ends]))


def test_the_first_step_from_zero_needs_the_mean():
    m, S = next_moments(-BEST, BEST * BEST.T, HESSIANS, GRADIENTS, R(1, 3), R(1, 2))
    assert list(m) == [-R(5, 12), -R(5, 24)]
    assert list(S) == [R(7, 36), R(1, 18), R(1, 18), R(41, 288)]
    assert (mean(HESSIANS) * S).trace() / 2 == R(97, 768)
    without_mean = next_moments(ZERO, BEST * BEST.T, HESSIANS, GRADIENTS, R(1, 3), R(1, 2))[1]
    assert without_mean != S


# --- V4: the stationary law of four rows ---

V4 = [
    (1, "202/693 5/72 370/693 13/42 13/28 52/21 13/8 6/5"),
    (2, "1900/29097 2/99 4444/29097 13/159 13/106 104/159 83/96 36/19"),
]


@pytest.mark.parametrize(("size", "expected"), V4)
def test_the_stationary_law_of_four_rows(size, expected):
    weights = factors(4, size, replacement=False)
    S = stationary(HESSIANS, GRADIENTS, weights[0], R(1, 2))
    found = law(HESSIANS, GRADIENTS, ZERO, S, *weights)
    edge = 2 / quotient(sp.eye(2), HESSIANS, weights[0])
    moments = [S[0, 0], S[0, 1], S[1, 1]]
    values = [*moments, *(found[x] for x in ("excess", "gradient", "batch")), found["own"] / found["batch"], edge]
    assert values == [R(x) for x in expected.split()]
    assert (found["full"] / found["gradient"], found["full"] / found["batch"]) == (4, R(3, 4))
    assert float(edge) == pytest.approx(2 / critical(HESSIANS, weights[0]), rel=1e-12)
    assert found["excess"] == R(13, 36) * weights[0] * R(1, 2) / (1 - R(1, 2) / edge)
    by_enumeration = next_moments(ZERO, S, HESSIANS, GRADIENTS, weights[0], R(1, 2))
    assert by_enumeration == (ZERO, S)
    minimum = mean([(dot(row, BEST) - y) ** 2 / 2 for row, y in zip(ROWS, TARGETS, strict=True)])
    assert (list(BEST), minimum) == ([R(2, 3), R(1, 3)], R(13, 24))


@settings(max_examples=15, deadline=None)
@given(samples=st.lists(st.tuples(vectors, vectors), min_size=3, max_size=4), A=symmetric, data=st.data())
def test_identities_of_the_stationary_law(samples, A, data):
    """tr A(HS + SH) = eta E[g_B^T A g_B] for rows with noise, any batch size and any symmetric A."""
    hessians = [x * x.T + sp.eye(2) for x, _ in samples]
    gradients = [g - mean([pair[1] for pair in samples]) for _, g in samples]
    size = data.draw(st.integers(1, len(samples) - 1))
    factor = factors(len(samples), size, replacement=False)[0]
    step = R(1, 30)
    S = stationary(hessians, gradients, factor, step)
    spread = mean([Hi * S * Hi for Hi in hessians]) * factor + (1 - factor) * mean(hessians) * S * mean(hessians)
    own = spread + factor * mean([g * g.T for g in gradients])
    assert (A * 2 * commuting(S, hessians)).trace() == step * (A * own).trace()


def test_the_stationary_law_in_one_dimension():
    h, g = [sp.Matrix([x]) for x in (1, 2, 6)], [sp.Matrix([x]) for x in (1, 2, -3)]
    values = {a: 3, sigma2: R(14, 3), p: R(1, 4), noise: R(14, 3), eta: R(1, 5)}
    S = SPREAD.subs(values)
    after = next_moments(sp.zeros(1, 1), sp.Matrix([[S]]), h, g, R(1, 4), R(1, 5))[1][0]
    assert after == S
    assert SPREAD.subs(values | {p: R(1, 2)}) != S


def test_reshuffled_batches():
    assert INDEPENDENT.subs(eta, R(1, 10)) == R(1, 19)
    places = [x.subs(eta, R(1, 10)) for x in (FIRST, SECOND_POSITION)]
    assert places == [R(1, 3439), R(176, 17195)]
    assert mean(places) == R(1, 190)
    assert 1 + 1 / mean(places) == 191
    points = [sp.eye(2), sp.eye(2)], [sp.Matrix([1, 0]), sp.Matrix([-1, 0])]  # the second coordinate stays 0
    found = reshuffled(epochs(*points, 1, R(1, 10)))
    assert [S[0, 0] for _, S in found] == places
    places = reshuffled(epochs(HESSIANS, GRADIENTS, 2, R(1, 2)))
    weights = factors(4, 2, replacement=False)
    found = [law(HESSIANS, GRADIENTS, m, S, *weights) for m, S in places]
    assert [row["excess"] for row in found] == [R(2639, 261888), R(404287, 8380416)]
    assert sum(x["full"] for x in found) / sum(x["gradient"] for x in found) == R(684377, 75190)
    assert list(places[0][0]) == [-R(1, 96), -R(5, 96)]


@pytest.mark.parametrize(("size", "edge"), [(1, 1.3694771729), (2, 2.5200930011)])
def test_the_edge_of_reshuffled_batches(size, edge):
    assert len(epochs(HESSIANS, GRADIENTS, size, R(1, 2))) == {1: 24, 2: 6}[size]
    for step, above in ((edge * (1 - 1e-6), False), (edge * (1 + 1e-6), True)):
        maps = [numeric(path[-1][0]) for path in epochs(HESSIANS, GRADIENTS, size, sp.Float(step))]
        radius = np.max(np.abs(np.linalg.eigvals(np.mean([np.kron(A, A) for A in maps], axis=0))))
        assert bool(radius > 1) is above


# --- counterexamples ---

V8 = [
    (1, 2.156862745098, 0.973759461733, 0.984313725490),
    (2, 2.466367713004, 0.832641079502, 0.867264573991),
    (4, 2.657004830918, 0.755601120151, 0.771980676329),
]


@pytest.mark.parametrize(("size", "edge", "sharpness", "ratio"), V8)
def test_six_axes(size, edge, sharpness, ratio):
    hessians = [H.evalf(30) for H in axes(R(1, 5))]
    gradients = [H * DIAGONAL for H in hessians]
    weights = factors(6, size, replacement=False)
    assert 2 / critical(hessians, weights[0]) == pytest.approx(edge, rel=1e-11)
    found = batch_sharpness(gradients, hessians, batches(6, size, replacement=False))
    assert float(found) == pytest.approx(sharpness, rel=1e-11)
    assert float(closed(gradients, hessians, weights)["RM"]) == pytest.approx(ratio, rel=1e-11)
    if size == 1:
        values = {epsilon: R(1, 5), eta: R(53, 25)}
        assert float(EDGE_AXES.subs(values)) == pytest.approx(edge, rel=1e-11)
        assert float(SHARPNESS_AXES.subs(values)) == pytest.approx(sharpness, rel=1e-11)
        assert float(RADIUS_AXES.subs(values)) == pytest.approx(0.946858666667, rel=1e-11)
        assert RADIUS_AXES.subs(values) < 1
        assert (eta * SHARPNESS_AXES).subs(values) > 2
        radius = np.max(np.abs(np.linalg.eigvals(kronecker(hessians, 1, 2.12))))
        assert radius == pytest.approx(0.946858666667, rel=1e-11)


def test_axes_all_over_the_sphere():
    rng = np.random.default_rng(5)
    t2 = rng.uniform(-1, 1, 200_000) ** 2
    simulated = np.mean((1 - (1 - 0.2**3) * t2) / (1 - (1 - 0.2**2) * t2))
    exact = float(SHARPNESS_SPHERE.subs(epsilon, R(1, 5)))
    assert simulated == pytest.approx(exact, abs=2e-3)
    assert 0.952 < exact < 0.959
    assert 2.12 * exact > 2


def test_gaussian_regression():
    values = {dimension: 10, b: 8}
    assert (1 - 2 * eta + eta**2 * GAUSSIAN).subs(values | {eta: R(4, 5)}) == R(23, 25)
    assert [wick(0, 0, 1, 1), wick(0, 0, 0, 0), wick(0, 1, 1, 1), wick(*[0] * 6), wick(0, 0, 0)] == [1, 3, 0, 15, 0]
    x = np.random.default_rng(3).normal(size=(40_000, 8, 10))
    g = np.einsum("tbi,tb->ti", x, x[:, :, 0]) / 8  # at the first unit vector
    along = np.einsum("tbi,ti->tb", x, g)
    own, norm = np.mean(along**2, axis=1), np.sum(g**2, axis=1)
    assert 0.8 * np.mean(own / norm) == pytest.approx(2.068, abs=0.02)
    assert np.mean(norm) == pytest.approx(float(GAUSSIAN.subs(values)), rel=0.02)
    assert np.mean(own) == pytest.approx(float(THIRD_GAUSSIAN.subs(values)), rel=0.04)


def test_every_claim_is_recorded_once():
    claims = [row["id"] for d in recorded().values() if d["name"].startswith("sgd_") for row in d["claims"]]
    assert len(claims) == len(set(claims)) == 51
    assert all(c.startswith("sgd.") for c in claims)
    assert {"sgd.edge_below_gd", "sgd.gni_1", "sgd.six_axes", "sgd.momentum_plateaus", "sgd.factor_third"} <= set(
        claims
    )
