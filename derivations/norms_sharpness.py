"""Generalised sharpness S = max of q(d) = d^T H d over |d| = 1 for norms of vectors: closed forms and bounds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic.derivation import Derivation

from .bias_variance import expectation
from .common import POSITIVE, at, by_name, experiment_claim
from .directional_identity import SIGNED
from .stochastic_batches import dot, largest

MODEL = "q(d) = d^T H d, S = max of q over |d| = 1, H symmetric"
SOURCE = "arXiv:2603.05002, re-derived"
UNIT = Interval(0.0, 1.0)

#: In the plane; with positive diagonal; with positive diagonal and semidefinite (correlation c between -1 and 1).
x, y, h12 = sp.symbols("x y h_12", real=True)
h11, h22 = sp.symbols("h_11 h_22", positive=True)
H = sp.Matrix([[h11, h12], [h12, h22]])
c = sp.Symbol("c", real=True)
PSD = H.subs(h12, c * sp.sqrt(h11 * h22))
CORRELATION = Interval(-1.0, 1.0)
PLANE = {"h_11": POSITIVE, "h_22": POSITIVE}


def symmetric(size: int) -> sp.Matrix:
    """Return a symmetric matrix of real symbols."""
    return sp.Matrix(size, size, lambda i, j: sp.Symbol(f"h_{min(i, j) + 1}{max(i, j) + 1}", real=True))


def q(H: sp.Matrix, d: sp.Matrix | Sequence[sp.Expr]) -> sp.Expr:
    """Return d^T H d."""
    column = sp.Matrix(d)
    return dot(column, H * column)


def signs(size: int) -> list[tuple[int, ...]]:
    """Return the sign vectors, one of each pair +-."""
    return [(1, *rest) for rest in product((1, -1), repeat=size - 1)]


def cube(H: sp.Matrix) -> sp.Expr:
    """Return S in linf for a non-negative diagonal: the largest value at a sign vector."""
    return sp.Max(*(sp.expand(q(H, sigma)) for sigma in signs(H.rows)))


def face(H: sp.Matrix, sign: int = 1) -> sp.Expr:
    """Return the value of q at its stationary point on the face d_1 + sign d_2 = 1 of the l1 ball."""
    return H.det() / (H[0, 0] + H[1, 1] - 2 * sign * H[0, 1])


def diagonal_lp(h: Sequence[sp.Expr], p: sp.Expr) -> sp.Expr:
    """Return S in lp, p > 2, for a non-negative diagonal: its norm with exponent p / (p - 2)."""
    r = sp.Integer(p) / (p - 2)
    return sum(hi**r for hi in h) ** (1 / r)


def derive() -> list[Derivation]:
    """Return the sharpness of each norm of vectors, and bounds between norms."""
    return [_euclidean(), _cube(), _cross(), _lp(), _rank_one(), _bounds()]


def _euclidean() -> Derivation:
    d = Derivation("norms_euclidean", "S in l2 and in the norm of a preconditioner", MODEL, SOURCE)
    half, root = (h11 + h22) / 2, sp.Symbol("R", positive=True)
    d.say("In the plane with |d| = 1, q = (h_11 + h_22)/2 + <(x^2 - y^2, 2 x y), (e, h_12)>, e = (h_11 - h_22)/2.")
    e = (h11 - h22) / 2
    d.equal("Indeed", q(H, (x, y)), half * (x**2 + y**2) + e * (x**2 - y**2) + h12 * 2 * x * y)
    d.equal("and (x^2 - y^2, 2 x y) is a unit vector", (x**2 - y**2) ** 2 + (2 * x * y) ** 2, (x**2 + y**2) ** 2)
    d.equal(
        "so S is the mean plus R = |(e, h_12)|, the largest eigenvalue",
        at(half + root, (root, sp.sqrt(e**2 + h12**2))),
        largest(H)[0],
    )
    p1, p2 = sp.symbols("P_1 P_2", positive=True)
    scaled = sp.Matrix(2, 2, lambda i, j: H[i, j] / sp.sqrt((p1, p2)[i] * (p1, p2)[j]))
    free = sp.sqrt(p1) * x, sp.sqrt(p2) * y
    d.say("P: with e = P^(1/2) d the norm is |e|_2, and q(d) is the form of P^(-1/2) H P^(-1/2) at e.")
    d.equal("It is", q(scaled, free), q(H, (x, y)))
    d.equal("the ball of P is that of l2", p1 * x**2 + p2 * y**2, dot(sp.Matrix(free), sp.Matrix(free)))
    mapped = (sp.diag(1 / p1, 1 / p2) * H).trace()
    d.equal("P^-1 H has the same trace and, below, determinant, so the same eigenvalues", scaled.trace(), mapped)
    d.equal("determinant", scaled.det(), (sp.diag(1 / p1, 1 / p2) * H).det())
    domain = PLANE | {"P_1": POSITIVE, "P_2": POSITIVE, "h_12": SIGNED, "x": SIGNED, "y": SIGNED}
    d.claim(
        id="norms.preconditioned",
        statement="Plane: q(d) is at most lambda_max(P^(-1/2) H P^(-1/2)) d^T P d",
        kind="inequality",
        left=q(H, (x, y)),
        right=largest(scaled)[0] * (p1 * x**2 + p2 * y**2),
        domain=domain,
    )
    d.say("For H = -I the maximum over the sphere is -1, over the ball 0: only the first is S.")
    experiment_claim(
        d,
        "norms.blind",
        "euclidean_sharpness_is_blind",
        "In norms other than l2 the edge lies at the generalised sharpness, far from 2 / lambda_max",
    )
    return d


def _cube() -> Derivation:
    d = Derivation("norms_linf", "S in linf: a maximum over sign vectors", MODEL, SOURCE)
    M, t = symmetric(3), sp.Symbol("t", real=True)
    point = sp.Matrix(sp.symbols("d_1:4", real=True))
    d.say(
        "Three parameters, any H. Along coordinate 1 from -1 to 1 a chord lies above q by H_11 times a positive number:"
    )
    up, down, between = (q(M, sp.Matrix([end, *point[1:]])) for end in (1, -1, t))
    d.equal("chord less q", (1 + t) / 2 * up + (1 - t) / 2 * down - between, (1 - t**2) * M[0, 0])
    d.say("So with H_ii >= 0 an end is at least as good, coordinate by coordinate: S is reached at a sign vector.")
    sigma = sp.Matrix(sp.symbols("sigma_1:4", real=True))
    flipped = sp.Matrix([-sigma[0], *sigma[1:]])
    change = 4 * sigma[0] * (M * sigma)[0] - 4 * sigma[0] ** 2 * M[0, 0]
    d.equal("A flip of sigma_1 lowers q by 4 sigma_1 (H sigma)_1 - 4 H_11", q(M, sigma) - q(M, flipped), change)
    d.say("At the best sign vector no flip raises q: sigma_i (H sigma)_i >= H_ii >= 0, it is stationary, sgn(H sigma).")
    d.equal("Plane, equal signs", q(H, (1, 1)), h11 + h22 + 2 * h12)
    d.equal("Plane, different signs, so S = h_11 + h_22 + 2 |h_12|", q(H, (1, -1)), h11 + h22 - 2 * h12)
    other = sp.Symbol("h_22", real=True)
    d.say("With a negative H_22 a free coordinate may win: d = (1, y) is stationary at y = -h_12 / h_22.")
    inside = q(sp.Matrix([[h11, h12], [h12, other]]), (1, -h12 / other))
    d.equal("There q is", inside, h11 - h12**2 / other)
    d.equal("diag(1, -1): S = 1, no sign vector has more than 0", at(h11 - h12**2 / other, (h11, 1), (h12, 0)), 1)
    box = {"x": CORRELATION, "y": CORRELATION}
    d.claim(
        id="norms.linf_plane",
        statement="Plane, h_11, h_22 > 0: q is at most h_11 + h_22 + 2 |h_12| on the square",
        kind="inequality",
        left=q(H, (x, y)),
        right=h11 + h22 + 2 * sp.Abs(h12),
        domain=PLANE | {"h_12": SIGNED} | box,
    )
    interior = sp.Matrix([[h11, h12], [h12, -h22]])
    d.claim(
        id="norms.linf_interior",
        statement="Plane, diagonal (h_11, -h_22), h_12 = c h_22: q is at most h_11 + h_12^2 / h_22 on the square",
        kind="inequality",
        left=q(interior, (x, y)).subs(h12, c * h22),
        right=h11 + c**2 * h22,
        domain=PLANE | {"c": CORRELATION} | box,
    )
    return d


def _cross() -> Derivation:
    d = Derivation("norms_l1", "S in l1 and for sums of block norms", MODEL, SOURCE)
    t = sp.Symbol("t", positive=True)
    d.say("On the face d = (t, 1 - t), 0 < t < 1, of the l1 ball:")
    on_face = q(H, (t, 1 - t))
    d.equal("chord less q", t * h11 + (1 - t) * h22 - on_face, t * (1 - t) * q(H, (1, -1)))
    d.say("For H >= 0 that is positive: S = max H_ii. Otherwise q has its maximum inside where q(1, -1) < 0 allows it.")
    best = (h22 - h12) / (h11 + h22 - 2 * h12)
    d.equal("It is stationary at t = (h_22 - h_12) / (h_11 + h_22 - 2 h_12)", at(sp.diff(on_face, t), (t, best)), 0)
    d.equal("with the value det H / (h_11 + h_22 - 2 h_12)", at(on_face, (t, best)), face(H))
    swap = sp.Matrix([[0, 1], [1, 0]])
    d.equal("[[0, 1], [1, 0]]: S = 1/2, both H_ii are 0", face(swap), sp.Rational(1, 2))
    first, second, cross = sp.symbols("q_1 q_2 b_12", real=True)
    d.say("Two blocks, d = (t v, (1 - t) w) with unit v, w: q_1 = q(v), q_2 = q(w), b_12 = v^T H w.")
    blocks = t**2 * first + 2 * t * (1 - t) * cross + (1 - t) ** 2 * second
    d.equal("The same chord", t * first + (1 - t) * second - blocks, t * (1 - t) * (first - 2 * cross + second))
    d.say("and q(v, -w) >= 0 if H >= 0. So S = max over blocks of lambda_max(H_bb); sums of any norms behave alike.")
    d.claim(
        id="norms.l1_semidefinite",
        statement="Plane, H >= 0: q(t, 1 - t) is at most max H_ii",
        kind="inequality",
        left=q(PSD, (t, 1 - t)),
        right=sp.Max(h11, h22),
        domain=PLANE | {"c": CORRELATION, "t": UNIT},
    )
    sharp = H.subs(h12, sp.Max(h11, h22) + sp.Symbol("gap", positive=True))
    d.claim(
        id="norms.l1_face",
        statement="Plane, h_12 = max(h_11, h_22) + gap: q(t, 1 - t) is at most -det H / (2 h_12 - h_11 - h_22)",
        kind="inequality",
        left=q(sharp, (t, 1 - t)),
        right=face(sharp),
        domain=PLANE | {"gap": POSITIVE, "t": UNIT},
    )
    experiment_claim(
        d,
        "norms.coordinate_descent",
        "coordinate_descent_edge",
        "Greedy coordinate and block descent have their edge at the largest curvature of one coordinate or block",
    )
    return d


def _lp() -> Derivation:
    d = Derivation(
        "norms_lp", "S in lp for a diagonal H", "q = h_1 x^2 + h_2 y^2, |x|^p + |y|^p = 1, h_i > 0", "derived"
    )
    h1, h2, r = sp.symbols("h_1 h_2 r", positive=True)
    d.say("p > 2, r = p / (p - 2). Lagrange: h_i d_i is proportional to d_i^(p-1), so d_i^p to h_i^r.")
    total = h1**r + h2**r
    p = 2 * r / (r - 1)
    d.equal("with p = 2r / (r - 1): r is p / (p - 2)", p / (p - 2), r)
    best = [(hi**r / total) ** (1 - 1 / r) for hi in (h1, h2)]
    d.say("d_i^2 = (h_i^r / W)^(2/p), 2/p = 1 - 1/r, W = h_1^r + h_2^r.")
    d.equal("So S = W^(1/r)", sp.powsimp(sp.powdenest(h1 * best[0] + h2 * best[1], force=True)), total ** (1 / r))
    for value in (3, 4, 6):
        power = sp.Rational(value, value - 2)
        weight = h1**power + h2**power
        point = [(hi**power / weight) ** sp.Rational(1, value) for hi in (h1, h2)]
        d.equal(f"p = {value}: its norm", sum(z**value for z in point), 1)
        left = sp.simplify(h1 * point[0] ** 2 + h2 * point[1] ** 2)
        d.equal("and the value there", left, diagonal_lp((h1, h2), value))
    for value in (3, 4):
        s = sp.Symbol("s", positive=True)
        d.claim(
            id=f"norms.l{value}",
            statement=f"Plane, diagonal H: q <= (h_1^r + h_2^r)^(1/r), r = {value}/{value - 2}, on the l{value} sphere",
            kind="inequality",
            left=h1 * s ** sp.Rational(2, value) + h2 * (1 - s) ** sp.Rational(2, value),
            right=diagonal_lp((h1, h2), value),
            domain={"h_1": POSITIVE, "h_2": POSITIVE, "s": UNIT},
        )
    d.say("p <= 2: the lp ball lies in the l2 ball and shares the axes, S = max h_i.")
    return d


def _rank_one() -> Derivation:
    d = Derivation("norms_rank_one", "S of rank one: the dual norm squared", MODEL + ", H = a a^T", "derived")
    a = sp.Matrix(sp.symbols("a_1:4", positive=True))
    free = sp.Matrix(sp.symbols("d_1:4", real=True))
    d.equal("q(d) = <a, d>^2, at most |a|_*^2 |d|^2", q(a * a.T, free), dot(a, free) ** 2)
    d.say("and LMO(a) reaches it. Up to signs a > 0.")
    d.equal("linf, d = (1, 1, 1)", q(a * a.T, (1, 1, 1)), sum(a) ** 2)
    d.equal("l2, d = a / |a|", q(a * a.T, a / sp.sqrt(dot(a, a))), dot(a, a))
    d.equal("l1, d = e_1 where a_1 is the largest", q(a * a.T, (1, 0, 0)), a[0] ** 2)
    d.equal(
        "l4, d_i = a_i^(1/3) normalised",
        q(a * a.T, [ai ** sp.Rational(1, 3) for ai in a]),
        sum(ai ** sp.Rational(4, 3) for ai in a) ** 2,
    )
    d.say("whose l4 norm to the fourth is the same sum, so S = (a_1^(4/3) + a_2^(4/3) + a_3^(4/3))^(3/2).")
    d.claim(
        id="norms.rank_one",
        statement="H = a a^T, three parameters: S_l1 <= S_l2 <= S_linf, the squares of max a_i, |a|_2 and the sum",
        kind="inequality",
        left=sp.Max(*a) ** 2,
        right=sp.Min(dot(a, a), sum(a) ** 2),
        domain={f"a_{i}": POSITIVE for i in (1, 2, 3)},
    )
    return d


def _bounds() -> Derivation:
    d = Derivation("norms_bounds", "Bounds on S", MODEL, "derived")
    M, sigma = symmetric(3), sp.symbols("s_1:4", real=True)
    mean = expectation(sp.expand(q(M, sigma)), sigma, sp.Integer(1))
    d.equal("The mean of q over all sign vectors is the trace, so tr H <= S in linf", mean, M.trace())
    v = sp.Matrix(sp.symbols("v_1:4", positive=True))
    top = sp.Symbol("lambda", positive=True)
    ones = sp.ones(3, 1)
    d.equal("The part lambda v v^T of H >= 0 gives S >= lambda |v|_1^2", q(top * v * v.T, ones), top * sum(v) ** 2)
    d.say("Shor: if diag(z) - H >= 0, then S <= sum of z, since sigma_i^2 = 1.")
    z = sp.symbols("z_1:4", real=True)
    signed = q(sp.diag(*z) - M, sigma)
    d.equal(
        "sigma^T (diag(z) - H) sigma", signed, sum(zi * si**2 for zi, si in zip(z, sigma, strict=True)) - q(M, sigma)
    )
    rows = [sum(sp.Symbol(f"k_{min(i, j)}{max(i, j)}", positive=True) for j in (1, 2, 3) if j != i) for i in (1, 2, 3)]
    k = sp.Matrix(3, 3, lambda i, j: 0 if i == j else sp.Symbol(f"k_{min(i, j) + 1}{max(i, j) + 1}", positive=True))
    free = sp.symbols("d_1:4", real=True)
    squares = sum(k[i, j] * (free[i] - free[j]) ** 2 for i, j in ((0, 1), (0, 2), (1, 2)))
    d.equal("z_i = sum_j |H_ij| is feasible: diag(z) - |H| is a sum of squares", q(sp.diag(*rows) - k, free), squares)
    d.equal("so S is at most the sum of all |H_ij|; in the plane, H_ii > 0, this is S", sum(H), q(H, (1, 1)))
    d.say("A norm with alpha |d|_2 <= |d| <= |d|_2 / beta has beta^2 lambda_max <= S <= lambda_max / alpha^2, H >= 0:")
    length2, size2 = sp.symbols("l_2 N", positive=True)
    value = top * length2 / size2
    d.equal("linf in three dimensions, |d|_2^2 <= 3 |d|^2", at(value, (length2, 3 * size2)), 3 * top)
    d.claim(
        id="norms.trace_below_linf",
        statement="Three parameters, any symmetric H: tr H is at most the largest q at a sign vector",
        kind="inequality",
        left=M.trace(),
        right=cube(M),
        domain={f"h_{i}{j}": SIGNED for i in (1, 2, 3) for j in range(i, 4)},
    )
    domain = PLANE | {"c": CORRELATION}
    chain = (
        ("l2_below_linf", "lambda_max <= S in linf", largest(PSD)[0], h11 + h22 + 2 * sp.Abs(PSD[0, 1])),
        ("linf_below_l2", "S in linf <= 2 lambda_max", h11 + h22 + 2 * sp.Abs(PSD[0, 1]), 2 * largest(PSD)[0]),
        ("l1_below_l2", "S in l1 <= lambda_max", sp.Max(h11, h22), largest(PSD)[0]),
        ("l2_below_l1", "lambda_max <= 2 S in l1", largest(PSD)[0], 2 * sp.Max(h11, h22)),
    )
    for name, text, left, right in chain:
        d.claim(
            id=f"norms.{name}",
            statement=f"Plane, H >= 0: {text}",
            kind="inequality",
            left=by_name(left, domain),
            right=by_name(right, domain),
            domain=domain,
        )
    for name, measured_by, statement in (
        (
            "bounds",
            "sharpness_bounds",
            "Certified upper bounds and attained values enclose the exact sharpness in every norm",
        ),
        ("estimator", "sharpness_estimator", "Frank-Wolfe <= polished estimate <= exact sharpness <= upper bound"),
    ):
        experiment_claim(d, f"norms.{name}", measured_by, statement)
    return d
