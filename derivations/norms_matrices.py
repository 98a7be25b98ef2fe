"""Generalised sharpness in norms of matrices and of several layers: spectral, nuclear, maxima and sums of norms.

Matrices are flattened row by row. The spectral ball is the convex hull of the orthogonal matrices, so for H >= 0 its S
is a maximum over them.
"""

from __future__ import annotations

from itertools import product

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at
from .directional_identity import SIGNED
from .norms_sharpness import MODEL, PLANE, UNIT, q, symmetric
from .stochastic_batches import dot, largest

#: Rotations are cos E + sin J, reflections cos K + sin M.
E, J, K, M = (sp.Matrix(row) for row in ([1, 0, 0, 1], [0, -1, 1, 0], [1, 0, 0, -1], [0, 1, 1, 0]))

t = sp.Symbol("t", real=True)
cosine, sine = (1 - t**2) / (1 + t**2), 2 * t / (1 + t**2)


def gram(H: sp.Matrix, first: sp.Matrix, second: sp.Matrix) -> sp.Matrix:
    """Return H restricted to the plane of two directions."""
    return sp.Matrix(2, 2, lambda i, j: dot((first, second)[i], H * (first, second)[j]))


def circles(H: sp.Matrix) -> tuple[sp.Expr, sp.Expr]:
    """Return the largest q over rotations and over reflections; S of the 2 x 2 spectral norm if H >= 0."""
    return largest(gram(H, E, J))[0], largest(gram(H, K, M))[0]


def operator(B: sp.Matrix, A: sp.Matrix) -> sp.Matrix:
    """Return D -> B D A as a matrix on row-major vectors, B (x) A."""
    return sp.Matrix(sp.kronecker_product(B, A))


def cofactors(X: sp.Matrix) -> sp.Matrix:
    """Return [[x22, -x21], [-x12, x11]]."""
    return sp.Matrix([[X[1, 1], -X[1, 0]], [-X[0, 1], X[0, 0]]])


def derive() -> list[Derivation]:
    """Return the spectral ball and its dual in the plane, products of two matrices, and several layers."""
    return [_circles(), _polar(), _kronecker(), _layers(), _duals()]


def _circles() -> Derivation:
    d = Derivation("norms_spectral", "S of the spectral norm of 2 x 2 matrices", MODEL, "derived")
    a, b = sp.symbols("a b", real=True)
    d.say("By U and V of the singular value decomposition it is enough to mix diagonal matrices:")
    for entry in (0, 3):
        d.equal(
            f"diag(1, a) = (1 + a)/2 E + (1 - a)/2 K, E = I, entry {1 + entry // 3}",
            ((1 + a) / 2 * E + (1 - a) / 2 * K)[entry],
            (1, a)[entry // 3],
        )
    d.equal("diag(b, a) mixes diag(1, a) and diag(-1, a) the same way", (1 + b) / 2 - (1 - b) / 2, b)
    d.say("So the extreme points are orthogonal matrices, two circles. H >= 0 is convex: S is reached on one of them.")
    H = symmetric(4)
    for name, first, second in (("rotation", E, J), ("reflection", K, M)):
        own = gram(H, first, second)
        x, y = sp.symbols("x y", real=True)
        d.equal(
            f"On a {name}, x^2 + y^2 = 1, q is the form of a 2 x 2 Gram matrix",
            q(H, x * first + y * second),
            q(own, (x, y)),
        )
    d.say("Its largest eigenvalue is the best of that circle: two local maxima in all, S the larger.")
    scale = sp.Symbol("c", positive=True)
    d.equal("H = c I: S = 2 c, twice lambda_max", circles(scale * sp.eye(4))[0], 2 * scale)
    corner = sp.Matrix([1, 0, 0, 0])
    d.equal("H = a a^T + c I, a = diag(1, 0)", circles(corner * corner.T + scale * sp.eye(4))[0], 1 + 2 * scale)
    names = {f"a_{i}": SIGNED for i in range(1, 5)} | {f"b_{i}": SIGNED for i in range(1, 5)}
    rows = [sp.Matrix(sp.symbols(f"{x}_1:5", real=True)) for x in "ab"]
    low_rank = rows[0] * rows[0].T + rows[1] * rows[1].T
    rotations, reflections = circles(low_rank)
    d.claim(
        id="norms.spectral_plane",
        statement="2 x 2, H = a a^T + b b^T: q at diag(1, s) is at most the larger eigenvalue of the two circles",
        kind="inequality",
        left=q(low_rank, (1, 0, 0, sp.Symbol("s", real=True))),
        right=sp.Max(rotations, reflections),
        domain=names | {"s": Interval(-1.0, 1.0)},
    )
    d.claim(
        id="norms.spectral_below_linf",
        statement="2 x 2: orthogonal matrices have entries of size at most 1, q at a rotation is at most S in linf",
        kind="inequality",
        left=sum(dot(a, cosine * E + sine * J) ** 2 for a in rows),
        right=sp.Max(*(sum(dot(a, sp.Matrix([1, *s])) ** 2 for a in rows) for s in product((1, -1), repeat=3))),
        domain=names | {"t": SIGNED},
    )
    return d


def _polar() -> Derivation:
    d = Derivation(
        "norms_polar", "The polar factor and the nuclear norm of 2 x 2 matrices", "LMO of the spectral norm", "derived"
    )
    X = sp.Matrix(2, 2, sp.symbols("x_11 x_12 x_21 x_22", real=True))
    size2 = sum(x**2 for x in X)
    for sign, name in ((1, "det X > 0"), (-1, "det X < 0")):
        R = X + sign * cofactors(X)
        d.say(f"{name}: R = X {'+' if sign > 0 else '-'} cof X.")
        total = size2 + 2 * sign * X.det()
        product_ = R.T * R
        d.equal("Its columns are orthogonal", product_[0, 1], 0)
        d.equal("of length^2 |X|_F^2 + 2 |det X|", product_[0, 0], total)
        d.equal("and the second the same", product_[1, 1], total)
        d.equal("R^T X is symmetric", (R.T * X)[0, 1], (R.T * X)[1, 0])
        d.equal("with this trace, so <X, R / |column|> = root of it", (R.T * X).trace(), total)
        d.equal("and determinant", (R.T * X).det(), total * sign * X.det())
    s1, s2 = sp.symbols("sigma_1 sigma_2", positive=True)
    d.say("Both are positive: R over its length is the polar factor.")
    d.equal(
        "|X|_F^2 + 2 |det X| is (sigma_1 + sigma_2)^2, the nuclear norm squared",
        s1**2 + s2**2 + 2 * s1 * s2,
        (s1 + s2) ** 2,
    )
    rotated = sp.Matrix([[cosine, -sine], [sine, cosine]])
    d.claim(
        id="norms.nuclear_dual",
        statement="2 x 2: <X, rotation> is at most the root of |X|_F^2 + 2 |det X|, the nuclear norm",
        kind="inequality",
        left=(X.T * rotated).trace(),
        right=sp.sqrt(size2 + 2 * sp.Abs(X.det())),
        domain={x.name: SIGNED for x in X} | {"t": SIGNED},
    )
    return d


def _kronecker() -> Derivation:
    d = Derivation(
        "norms_kronecker", "S of a product D -> B D A", "q(D) = tr(D^T B D A), A, B >= 0 diagonal", "derived"
    )
    a, b = sp.symbols("a_1:3", positive=True), sp.symbols("b_1:3", positive=True)
    H = operator(sp.diag(*b), sp.diag(*a))
    D = sp.Matrix(2, 2, sp.symbols("d_1:5", real=True))
    form = (D.T * sp.diag(*b) * D * sp.diag(*a)).trace()
    d.say("Orthogonal changes of rows and columns keep the norm, so A and B may be taken diagonal.")
    d.equal("The matrix B (x) A on row-major vectors", q(H, list(D)), form)
    own, other = a[0] * b[0] + a[1] * b[1], a[0] * b[1] + a[1] * b[0]
    for name, first, second in (("rotations", E, J), ("reflections", K, M)):
        G = gram(H, first, second)
        d.equal(f"On {name} the Gram matrix is diagonal,", G[0, 1], 0)
        d.equal("with first entry", G[0, 0], own)
        d.equal("and second", G[1, 1], other)
    d.equal("Equal order wins", own - other, (a[0] - a[1]) * (b[0] - b[1]))
    d.say("so spectral S = sum of lambda_i(A) lambda_i(B), both sorted: for B = I the Ky Fan sum.")
    u, v = (sp.Matrix(sp.symbols(f"{x}_1:3", real=True)) for x in "uv")
    nuclear = q(H, list(u * v.T))
    d.equal(
        "Nuclear norm, D = u v^T",
        nuclear,
        (b[0] * u[0] ** 2 + b[1] * u[1] ** 2) * (a[0] * v[0] ** 2 + a[1] * v[1] ** 2),
    )
    d.say("so nuclear S = lambda_1(A) lambda_1(B), as in the Frobenius norm.")
    d.claim(
        id="norms.kronecker",
        statement="D -> B D A, 2 x 2 diagonal: q at a rotation is at most the sum of products in equal order",
        kind="inequality",
        left=q(H, list(cosine * E + sine * J)),
        right=sp.Max(own, other),
        domain={x.name: POSITIVE for x in (*a, *b)} | {"t": SIGNED},
    )
    return d


def _layers() -> Derivation:
    d = Derivation(
        "norms_layers",
        "Several layers: the joint S and those of the layers",
        "|d| = max |d_l|, H of two layers",
        "derived",
    )
    first, second, cross = sp.symbols("q_1 q_2 b_12", real=True)
    d.say("Maximisers v, w of the layers, q_1 = S_1, q_2 = S_2, b_12 = v^T H w: q(v, +-w) = q_1 + q_2 +- 2 b_12.")
    both = [first + second + 2 * sign * cross for sign in (1, -1)]
    d.equal("Their mean", sum(both) / 2, first + second)
    d.say("so S_1 + S_2 <= S for any symmetric H. For H >= 0, b_12^2 <= q_1 q_2, and with r_i = sqrt(S_i):")
    r1, r2 = sp.symbols("r_1 r_2", positive=True)
    bound = at(both[0], (first, r1**2), (second, r2**2), (cross, r1 * r2))
    d.equal("S <= (r_1 + r_2)^2", bound, (r1 + r2) ** 2)
    d.equal("which is at most 2 (S_1 + S_2)", 2 * (r1**2 + r2**2) - (r1 + r2) ** 2, (r1 - r2) ** 2)
    c = sp.Symbol("c", positive=True)
    example = sp.Matrix([[1, c], [c, 1]])
    d.equal("Scalar layers [[1, c], [c, 1]]: alone they add to 2, jointly", q(example, (1, 1)), 2 + 2 * c)
    radius = sp.symbols("r_1:3", positive=True)
    R, H = sp.diag(*radius), symmetric(2)
    x, y = sp.symbols("x y", real=True)
    d.equal(
        "Radii, |d| = max |d_l| / r_l: d = R e turns H into R H R", q(H, R * sp.Matrix([x, y])), q(R * H * R, (x, y))
    )
    h11, h22 = sp.symbols("h_11 h_22", positive=True)
    joint = h11 + h22 + 2 * c * sp.sqrt(h11 * h22)
    domain = PLANE | {"c": UNIT}
    d.claim(
        id="norms.layers_below",
        statement="Scalar layers of positive curvature, correlation c: S_1 + S_2 <= S",
        kind="inequality",
        left=h11 + h22,
        right=joint,
        domain=domain,
    )
    d.claim(
        id="norms.layers_above",
        statement="Scalar layers of positive curvature, correlation c: S <= (sqrt(S_1) + sqrt(S_2))^2",
        kind="inequality",
        left=joint,
        right=(sp.sqrt(h11) + sp.sqrt(h22)) ** 2,
        domain=domain,
    )
    return d


def _duals() -> Derivation:
    d = Derivation(
        "norms_products",
        "Max, sum and root of squares of layer norms",
        "n_l norms of the layers, g_l their dual norms",
        "derived",
    )
    n1, n2, g1, g2, r1, r2 = sp.symbols("n_1 n_2 g_1 g_2 r_1 r_2", positive=True)
    pairing = g1 * n1 + g2 * n2
    d.say("<g, d> is at most g_1 n_1 + g_2 n_2, reached by the LMO of each layer at length n_l. The best lengths:")
    d.equal("max n_l / r_l <= 1: all n_l = r_l, G =", at(pairing, (n1, r1), (n2, r2)), r1 * g1 + r2 * g2)
    share = sp.Symbol("s", positive=True)
    mixed = at(pairing, (n1, share), (n2, 1 - share))
    d.equal(
        "sum of n_l <= 1: G is a mean of g_1 and g_2, so the larger, one layer moves",
        mixed,
        share * g1 + (1 - share) * g2,
    )
    G = sp.sqrt(g1**2 + g2**2)
    d.equal("n_1^2 + n_2^2 <= 1: n_l = g_l / G", at(pairing, (n1, g1 / G), (n2, g2 / G)), G)
    d.equal("by Cauchy-Schwarz", (g1**2 + g2**2) * (n1**2 + n2**2) - pairing**2, (g1 * n2 - g2 * n1) ** 2)
    d.equal("so a step eta G LMO moves layer l by eta g_l, its own dual norm", G * (g1 / G), g1)
    return d
