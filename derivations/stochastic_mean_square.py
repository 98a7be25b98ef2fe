"""The mean-square edge of mini-batch SGD on quadratics, exactly: recursion, operator, critical step and its bounds.

Sample i has the loss (1/2) x^T H_i x + g_i^T x, x = theta - theta*, sum g_i = 0. m = E x and S = E x x^T. The factor p
is that of `stochastic_batches`: the batch size enters in no other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import sympy as sp

from eossim import rules
from eossim.domain import NON_NEGATIVE, UNIT_CLOSED, UNIT_OPEN, Interval
from eossim.symbolic import beta, eta
from eossim.symbolic.derivation import Derivation

from .bias_variance import step
from .bias_variance_stochastic import batches
from .common import POSITIVE, at, by_name, experiment_claim
from .stochastic_batches import NAMES, SECOND, b, batch_sharpness, dot, factors, mean, n, numbers, p

MODEL = "l_i = x^T H_i x / 2 + g_i^T x, sum g_i = 0, x' = x - eta g_B, batches fresh at every step"
SOURCE = "arXiv:2306.07850, re-derived"

a, sigma, mu, sigma2 = sp.symbols("a sigma mu V", positive=True)
#: Mean-square edge of SGD and of SGD with heavy ball in one dimension, curvatures of mean a and variance V.
EDGE_1D = 2 / (a + p * sigma2 / a)
EDGE_MOMENTUM = 1 / (a / (2 * (1 + beta)) + sigma2 / (2 * a * (1 - beta)))
#: Gaussian inputs of variance 1 in dimension d: the largest generalised eigenvalue, 2 / eta*.
dimension = sp.Symbol("d", positive=True)
GAUSSIAN = (b + dimension + 1) / b
#: The crossed valley, H_i = [[k + e, +-c], [+-c, k]] with c^2 = r k (k + e): everything in closed form.
k, e, r = sp.Symbol("k", positive=True), sp.Symbol("e", nonnegative=True), sp.Symbol("r", positive=True)
CROSSED = k + e / 2 + sp.sqrt(e**2 / 4 + p**2 * r * k * (k + e) * r)


def commuting(S: sp.Matrix, hessians: Sequence[sp.Matrix]) -> sp.Matrix:
    """Return C(S) = (H S + S H) / 2."""
    H = mean(hessians)
    return (H * S + S * H) / 2


def squared(S: sp.Matrix, hessians: Sequence[sp.Matrix], p: sp.Expr) -> sp.Matrix:
    """Return D(S) = E[H_B S H_B] = (1 - p) H S H + p <H_i S H_i>."""
    H = mean(hessians)
    return (1 - p) * H * S * H + p * mean([Hi * S * Hi for Hi in hessians])


def next_moments(
    m: sp.Matrix, S: sp.Matrix, hessians: Sequence[sp.Matrix], gradients: Sequence[sp.Matrix], p: sp.Expr, size: sp.Expr
) -> tuple[sp.Matrix, sp.Matrix]:
    """Return E x and E x x^T after one step of `size`."""
    noise = mean([Hi * m * gi.T + gi * m.T * Hi + gi * gi.T for Hi, gi in zip(hessians, gradients, strict=True)])
    operator = S - 2 * size * commuting(S, hessians) + size**2 * squared(S, hessians, p)
    return m - size * mean(hessians) * m, operator + size**2 * p * noise


def enumerated_step(
    points: Sequence[sp.Matrix],
    hessians: Sequence[sp.Matrix],
    gradients: Sequence[sp.Matrix],
    drawn: Sequence[Sequence[int]],
    size: sp.Expr,
) -> tuple[sp.Matrix, sp.Matrix]:
    """Return E x' and E x' x'^T over equally likely `points` and `drawn` batches, by the step of the rule."""
    after = []
    for x, chosen in product(points, drawn):
        H, g = (mean([terms[i] for i in chosen]) for terms in (hessians, gradients))
        after.append(step(rules.gd, x, gradient=lambda y, H=H, g=g: H * y + g, eta=size)[0])
    return mean(after), mean([x * x.T for x in after])


def pencil(hessians: Sequence[sp.Matrix], p: sp.Expr) -> tuple[sp.Matrix, sp.Matrix]:
    """Return C and D as matrices on symmetric S, in the coordinates S_ij, i <= j."""
    d = hessians[0].rows
    places = [(i, j) for i in range(d) for j in range(i, d)]
    columns: tuple[list[list[sp.Expr]], list[list[sp.Expr]]] = ([], [])
    for i, j in places:
        unit = sp.zeros(d, d)
        unit[i, j] = unit[j, i] = 1
        for out, image in zip(columns, (commuting(unit, hessians), squared(unit, hessians, p)), strict=True):
            out.append([image[place] for place in places])
    return sp.Matrix(columns[0]).T, sp.Matrix(columns[1]).T


def quotient(S: sp.Matrix, hessians: Sequence[sp.Matrix], p: sp.Expr) -> sp.Expr:
    """Return the Rayleigh quotient <S, D S> / <S, C S>: at most 2 / eta* for symmetric S."""
    return (S * squared(S, hessians, p)).trace() / (S * commuting(S, hessians)).trace()


def symmetric(name: str) -> sp.Matrix:
    """Return a symmetric 2 x 2 matrix of real symbols."""
    x, y, z = sp.symbols(f"{name}_11 {name}_12 {name}_22", real=True)
    return sp.Matrix([[x, y], [y, z]])


def derive() -> list[Derivation]:
    """Return the recursion, the critical step, special cases, bounds, and the edge with momentum."""
    return [_recursion(), _critical(), _cases(), _gaussian(), _bounds(), _momentum()]


def _recursion() -> Derivation:
    d = Derivation("sgd_recursion", "Mean and mean square of SGD, step by step", MODEL, SOURCE)
    m, t = sp.symbols("m t", real=True)
    h, g = numbers("h", 3), numbers("g", 2)
    g = [*g, -g[0] - g[1]]
    M, S, HB, W, N = sp.symbols("m S h W N", real=True)
    second = (1 - eta * HB) ** 2 * S + p * eta**2 * (W * S + N)
    d.say("One dimension, three samples, x = m + t or m - t. W = <Dh_i^2>, N = <2 h_i g_i> m + <g_i^2>.")
    curvature = mean(h)[0]
    known = [
        (HB, curvature),
        (S, m**2 + t**2),
        (W, mean([(hi[0] - curvature) ** 2 for hi in h])),
        (N, mean([2 * hi[0] * gi[0] * m + gi[0] ** 2 for hi, gi in zip(h, g, strict=True)])),
    ]
    for size, replacement in ((1, False), (2, False), (2, True)):
        factor = factors(3, size, replacement=replacement)[0]
        first, square = enumerated_step(
            [sp.Matrix([m + t]), sp.Matrix([m - t])], h, g, batches(3, size, replacement=replacement), eta
        )
        text = f"b = {size}, {NAMES[replacement]}"
        d.equal(f"{text}: the mean", first[0], at((1 - eta * HB) * M, (M, m), known[0]))
        d.equal(f"{text}: the mean square", square[0], at(second, *known, (p, factor)))
    d.say("The term with m is there until the mean has died out. Two dimensions, a fixed x: m = x, S = x x^T; both")
    d.say("sides are linear in m and S, so the mean over any law of x follows. H_i = [[h_i, u], [u, k_i]], b = 2 of 3.")
    u, x = sp.Symbol("u", real=True), sp.Matrix(sp.symbols("x_1:3", real=True))
    hessians = [sp.Matrix([[hi[0], u], [u, ki]]) for hi, ki in zip(h, sp.symbols("k_1:4", real=True), strict=True)]
    gradients = [sp.Matrix([gi[0], i]) for gi, i in zip(g, (1, 2, -3), strict=True)]
    found = enumerated_step([x], hessians, gradients, batches(3, 2, replacement=False), eta)
    closed = next_moments(x, x * x.T, hessians, gradients, factors(3, 2, replacement=False)[0], eta)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        d.equal(f"S_{i + 1}{j + 1}", found[1][i, j], closed[1][i, j])
    d.equal("m_1", found[0][0], closed[0][0])
    experiment_claim(
        d,
        "sgd.second_moment",
        "second_moments",
        "The exact second moment of SGD is the mean over runs, for batches of 1 to n, with momentum",
    )
    return d


def _critical() -> Derivation:
    d = Derivation("sgd_critical_step", "The mean-square edge of SGD", MODEL, SOURCE)
    s, u = sp.Symbol("s", real=True), sp.symbols("u_1:4", real=True)
    d.say("Without noise S' = Q(S) = S - 2 eta C(S) + eta^2 D(S), C(S) = (H S + S H)/2, D(S) = E[H_B S H_B].")
    d.say("Between any two vectors, c^T Q(v v^T) c, with s = c^T v and u_i = c^T H_i v (three samples, b = 2):")
    U, W = sp.symbols("u W", real=True)
    form = s**2 - 2 * eta * s * U + eta**2 * ((1 - p) * U**2 + p * W)
    drawn = batches(3, 2, replacement=False)
    d.equal(
        "Q = E[(I - eta H_B) (x) (I - eta H_B)], D = (1 - p) H (x) H + p <H_i (x) H_i>",
        mean([(s - eta * mean([u[i] for i in chosen])) ** 2 for chosen in drawn]),
        at(form, (U, mean(u)), (W, mean([ui**2 for ui in u])), (p, factors(3, 2, replacement=False)[0])),
    )
    d.say("p times a single sample plus 1 - p times the full batch: the same operator, hence the same edge.")
    d.say(
        "Q maps positive semidefinite S to such: its spectral radius is an eigenvalue, with a semidefinite S "
        "(Krein-Rutman). Q is symmetric, so it is below 1 iff <S, Q S> < <S, S> for all S."
    )
    N, c = sp.symbols("N c", positive=True)
    growth = N - 2 * eta * c + eta**2 * mu * c
    d.equal("With <S, C S> = c, <S, D S> = mu c: <S, Q S> = <S, S> at eta = 2/mu", at(growth, (eta, 2 / mu)), N)
    d.equal("and is smaller for all eta below, larger above", growth - N, -2 * eta * c * (1 - eta * mu / 2))
    d.say("So eta* = 2 / max mu, the largest mu of D v = mu C v on the range of H, and (0, eta*) is stable.")
    for replacement, size in ((False, 1), (False, 2), (True, 2)):
        h = sp.symbols("h_1:4", positive=True)
        drawn = batches(3, size, replacement=replacement)
        q = mean([(1 - eta * mean([h[i] for i in chosen])) ** 2 for chosen in drawn])
        known = (a, mean(h)), (sigma2, mean([(hi - mean(h)) ** 2 for hi in h]))
        edge = EDGE_1D.subs([*known, (p, factors(3, size, replacement=replacement)[0])])
        d.equal(f"One dimension, b = {size}, {NAMES[replacement]}: Q = 1 at 2 / (a + p V / a)", at(q, (eta, edge)), 1)
    hessians = [sp.Matrix(H) for H in ([[2, 0], [0, 0]], [[1, 1], [1, 1]], [[0, 0], [0, 4]])]
    C, D = pencil(hessians, p)
    Q = sp.eye(3) - 2 * eta * C + eta**2 * D
    d.say("diag(2, 0), [[1, 1], [1, 1]], diag(0, 4), which do not commute: eta* is 2 / (the largest root of)")
    singular = at(mu**6 / 64 * sp.factor((sp.eye(3) - Q).det()), (eta, 2 / mu))
    d.equal("det(mu C - D), which vanishes where det(I - Q) does", (mu * C - D).det(), singular)
    v, w = sp.Matrix(sp.symbols("v_1:3", real=True)), sp.Matrix(sp.symbols("w_1:3", real=True))
    A = symmetric("A")
    d.say("Larger batches: dD/dp = <A (x) A>, A = H_i - H, is not semidefinite, but it is on semidefinite S:")
    for sign, text in ((1, "S = v v^T + w w^T"), (-1, "a difference v v^T - w w^T can have the other sign")):
        S = v * v.T + sign * w * w.T
        forms = dot(v, A * v) ** 2 + 2 * sign * dot(v, A * w) ** 2 + dot(w, A * w) ** 2
        d.equal(text, (S * A * S * A).trace(), forms)
    d.say("The largest mu has a semidefinite S, so it grows with p: eta* does not fall as b grows.")
    _claim_critical(d)
    experiment_claim(
        d,
        "sgd.critical_step",
        "critical_steps",
        "E[M kron M] has spectral radius 1 at the critical step, below 1 before it and above 1 after it",
    )
    return d


def _claim_critical(d: Derivation) -> None:
    """Claim what the edge of one dimension says: below that of the mean, and monotone in the batch size."""
    domain = {"a": POSITIVE, "V": NON_NEGATIVE, "p": UNIT_CLOSED}
    d.claim(
        id="sgd.edge_below_gd",
        statement="In one dimension the mean-square edge 2/(a + p V/a) is at most that of the mean, 2/a",
        kind="inequality",
        left=by_name(EDGE_1D, domain),
        right=by_name(2 / a, domain),
        domain=domain,
    )
    domain = {"h_1": POSITIVE, "h_2": POSITIVE, "h_3": POSITIVE}
    h = sp.symbols("h_1:4", positive=True)
    drawn = [batches(3, size, replacement=False) for size in (1, 2, 3)]
    edges = [2 * mean(h) / mean([mean([h[i] for i in row]) ** 2 for row in rows]) for rows in drawn]
    for size in (1, 2):
        spread = mean([(hi - mean(h)) ** 2 for hi in h])
        values = {a: mean(h), sigma2: spread, p: factors(3, size, replacement=False)[0]}
        d.claim(
            id=f"sgd.critical_step_{size}",
            statement=f"Three curvatures, b = {size}: 2 E h_B / E h_B^2 is 2/(a + p V/a)",
            kind="equality",
            left=edges[size - 1],
            right=EDGE_1D.subs(values, simultaneous=True),
            domain=domain,
        )
        d.claim(
            id=f"sgd.critical_step_grows_{size}",
            statement=f"Three curvatures: the mean-square edge of b = {size} is at most that of b = {size + 1}",
            kind="inequality",
            left=edges[size - 1],
            right=edges[size],
            domain=domain,
        )
    counts = {"h_1": POSITIVE, "k_1": POSITIVE, "h_2": POSITIVE, "k_2": POSITIVE}
    h1, k1, h2, k2 = sp.symbols("h_1 k_1 h_2 k_2", positive=True)
    d.claim(
        id="sgd.mixed_mode",
        statement="Two diagonal Hessians diag(h_i, k_i): the mixed mode S_12 never sets the mean-square edge",
        kind="inequality",
        left=2 * (h1 * k1 + h2 * k2) / (h1 + h2 + k1 + k2),
        right=sp.Max((h1**2 + h2**2) / (h1 + h2), (k1**2 + k2**2) / (k1 + k2)),
        domain=counts,
    )


def _cases() -> Derivation:
    d = Derivation("sgd_edge_cases", "Where the mean-square edge has a simple form", MODEL)
    top, x, y = sp.symbols("lambda_1 x y", positive=True)
    d.say("Identical H_i: between eigenvectors of lambda_1 - x and lambda_1 - y, mu is the harmonic mean of the two.")
    i, j = top - x, top - y
    d.equal("It is at most lambda_1: eta* = 2/lambda_1, any b", top * (i + j) - 2 * i * j, x * j + y * i)
    S = sp.Matrix([[0, 1], [1, 0]])
    one = quotient(S, [sp.diag(i, j)] * 2, p)
    d.equal("from the operators", one, 2 * i * j / (i + j))
    h = sp.symbols("h_1:4", positive=True)
    rows = [sp.diag(*(hi if i == j else 0 for j, hi in enumerate(h))) for i in range(3)]
    d.say("Orthogonal rows, H_i = h_i e_i e_i^T, n = d = 3.")
    for size in (1, 2):
        factor = factors(3, size, replacement=False)[0]
        d.equal(
            f"S = e_1 e_1^T, b = {size}: mu = h_1 / b",
            quotient(sp.diag(1, 0, 0), rows, factor),
            at(h[0] / b, (b, size)),
        )
    mixed = sp.Matrix([[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    d.equal(
        "S_12 is (b-1)/(b(n-1)) times the harmonic mean, at most h_max / b",
        quotient(mixed, rows, factors(3, 2, replacement=False)[0]),
        sp.Rational(1, 4) * 2 * h[0] * h[1] / (h[0] + h[1]),
    )
    d.equal("For any n", (1 - SECOND[False]) * n * (n - 1) * b, n * n * (b - 1))
    points = sp.symbols("x_1:4", positive=True)
    same = [H.subs(dict.fromkeys(h, top)) for H in rows]
    found = batch_sharpness([H * sp.Matrix(points) for H in same], same, batches(3, 2, replacement=False))
    d.equal("With equal rows batch sharpness is h / b at every point: there the two notions coincide", found, top / 2)
    d.say("Rotations R diag(l_1, l_2) R^T, b = 1, angles 0, 60 and 120 degrees: they average S as all angles do.")
    l1, l2 = sp.symbols("l_1 l_2", positive=True)
    turned = []
    for turn in range(3):
        R = sp.rot_axis3(-turn * sp.pi / 3)[:2, :2]
        turned.append(R * sp.diag(l1, l2) * R.T)
    image, base = squared(sp.eye(2), turned, sp.Integer(1)), commuting(sp.eye(2), turned)
    d.equal("S = I stays a multiple of I", image[0, 1], 0)
    d.equal("2/eta* = tr L^2 / tr L", image[0, 0] / base[0, 0], (l1**2 + l2**2) / (l1 + l2))
    flat = quotient(sp.diag(1, -1), turned, sp.Integer(1))
    d.equal("A traceless S has a smaller mu", (l1**2 + l2**2) / (l1 + l2) - flat, (l1 - l2) ** 2 / (l1 + l2) / 2)
    return d


def wick(*indices: int) -> sp.Expr:
    """Return E[x_i x_j ...] of independent standard normal numbers, from their generating function."""
    t = sp.symbols(f"t_0:{max(indices) + 1}", real=True)
    function = sp.exp(sum(ti**2 for ti in t) / 2)
    return sp.diff(function, *(t[i] for i in indices)).subs(dict.fromkeys(t, 0))


def _gaussian() -> Derivation:
    d = Derivation(
        "sgd_edge_gaussian", "The mean-square edge for Gaussian inputs", "H_i = x_i x_i^T, x_i ~ N(0, I_d), p = 1/b"
    )
    for size in (1, 2, 3):
        fourth = sum(wick(0, 0, j, j) for j in range(size))
        d.equal(f"d = {size}: E[x x^T x x^T] = (d + 2) I", fourth, at(dimension + 2, (dimension, size)))
        isotropic = 1 - 1 / b + fourth / b
        d.equal(f"d = {size}, S = I: mu = (b + d + 1)/b", isotropic, at(GAUSSIAN, (dimension, size)))
    traceless = wick(0, 0, 0, 0) - wick(0, 0, 1, 1)
    d.equal("S = diag(1, -1): mu = (b + 1)/b, smaller", 1 - 1 / b + traceless / b, (b + 1) / b)
    d.equal("A plane S_12 has the same", 1 - 1 / b + 2 * wick(0, 0, 1, 1) / b, (b + 1) / b)
    rank_one = 1 + (wick(0, 0, 0, 0) - 1) / b
    d.equal("The best rank-one bound misses the dimension", GAUSSIAN - rank_one, (dimension - 1) / b)
    growth = 1 - 2 * eta + eta**2 * GAUSSIAN
    values = (b, 8), (dimension, 10), (eta, sp.Rational(4, 5))
    d.equal("d = 10, b = 8, eta = 0.8: E|x|^2 is multiplied by", at(growth, *values), sp.Rational(23, 25))
    return d


def _bounds() -> Derivation:
    d = Derivation("sgd_edge_bounds", "Bounds of the mean-square edge from test matrices", MODEL, SOURCE)
    H = [symmetric("H"), symmetric("K")]
    v = sp.Matrix(sp.symbols("v_1:3", real=True))
    along = [dot(v, Hi * v) for Hi in H]
    spread = mean([(x - mean(along)) ** 2 for x in along])
    S = v * v.T
    d.say("eta* is at most 2 over the Rayleigh quotient <S, D S> / <S, C S> of any S. S = v v^T:")
    d.equal("<S, D S> = (v^T H v)^2 + p Var(v^T H_i v)", (S * squared(S, H, p)).trace(), mean(along) ** 2 + p * spread)
    d.equal("<S, C S> = v^T H v |v|^2", (S * commuting(S, H)).trace(), mean(along) * dot(v, v))
    norms = mean([(Hi * Hi).trace() for Hi in H])
    frobenius = (1 - p) * (mean(H) ** 2).trace() + p * norms
    d.equal("S = I: E|H_B|_F^2 / tr H", quotient(sp.eye(2), H, p), frobenius / mean(H).trace())
    other = sp.Matrix([[sp.Symbol("s", real=True), 0], [0, 0]])
    grown = other - 2 * eta * commuting(other, H) + eta**2 * squared(other, H, p)
    contraction = sp.eye(2) - 2 * eta * mean(H) + eta**2 * squared(sp.eye(2), H, p)
    d.equal(
        "tr Q(S) = tr(S E[(I - eta H_B)^2]): while its eigenvalues are below 1, tr S falls (sufficient)",
        grown.trace(),
        (other * contraction).trace(),
    )
    c = sp.Symbol("c", positive=True)
    h1 = k + e
    valley = [sp.Matrix([[h1, c], [c, k]]), sp.Matrix([[h1, -c], [-c, k]])]
    size = (c, sp.sqrt(r * k * h1))
    d.say("An example in closed form, [[h, c], [c, k]] and [[h, -c], [-c, k]], h = k + e, c^2 = r h k, 0 < r <= 1.")
    C, D = pencil(valley, p)
    block = (mu * C - D).extract([0, 2], [0, 2])
    cross = sp.Matrix([[0, 1], [1, 0]])
    fed = [(Hi * cross * Hi)[0, 0] for Hi in valley]
    d.equal("What S_12 adds to S_11 is odd in c and cancels between the two", at(fed[0], (c, -c)), fed[1])
    d.say("S_11 and S_22 alone: 2/eta* is the larger root of det(mu C - D).")
    d.equal("2/eta* = k + e/2 + sqrt(e^2/4 + p^2 r^2 h k)", at(block.det(), (mu, CROSSED), size), 0)
    sufficient, mixed, trace = h1 + p * r * k, quotient(cross, valley, p), quotient(sp.eye(2), valley, p)
    E = squared(sp.eye(2), valley, p)
    d.equal("Sufficient: E[H_B^2] = H diag(h + p r k, k + p r h)", at(E[0, 0] / h1, size), sufficient)
    d.equal("the other entry is smaller by", sufficient - at(E[1, 1] / k, size).doit(), e * (1 - p * r))
    blind = quotient(sp.diag(1, 0), valley, p)
    d.equal("The top eigenvector e_1 sees no spread: its bound is that of gradient descent", blind, h1)
    slope = sp.Symbol("t", nonnegative=True)
    tilted = quotient(sp.Matrix([[1, slope], [slope, slope**2]]), valley, p)
    domain = {"k": POSITIVE, "e": NON_NEGATIVE, "r": Interval(0.0, 1.0, open_high=False), "p": UNIT_CLOSED}
    for name, statement, left, right, more in (
        ("sufficient", "the sufficient condition of Wu-Ma-E is at least as strict", CROSSED, sufficient, {}),
        ("top", "the top-eigenvector bound is at most the exact 2/eta*", h1, CROSSED, {}),
        ("rank_one", "every rank-one bound is at most the exact 2/eta*", tilted, CROSSED, {"t": NON_NEGATIVE}),
        ("trace", "the trace bound is at most the exact 2/eta*", trace, CROSSED, {}),
        ("mixed", "the mode S_12 is not the critical one", mixed, CROSSED, {}),
    ):
        names = domain | more
        d.claim(
            id=f"sgd.bound_{name}",
            statement=f"On the crossed valley {statement}",
            kind="inequality",
            left=by_name(left.subs(*size), names),
            right=by_name(right, names),
            domain=names,
        )
    return d


def _momentum() -> Derivation:
    d = Derivation(
        "sgd_edge_momentum",
        "The mean-square edge with heavy ball, one dimension",
        "v' = beta v + h_B x, x' = x - eta v', h_B of mean a and variance V = s^2",
    )
    x, v = sp.symbols("x v", real=True)
    following = []
    for curvature in (a + sigma, a - sigma):
        x1, v1 = step(rules.heavy_ball, x, v, gradient=lambda y, h=curvature: h * y)
        following.append([x1**2, x1 * v1, v1**2])
    moments = []
    for terms in zip(*following, strict=True):
        poly = sp.Poly(sp.expand(mean(terms)), x, v)
        moments.append([poly.coeff_monomial(mono) for mono in (x**2, x * v, v**2)])
    T = sp.Matrix(moments)
    d.say("The step of the rule at h_B = a + s and a - s, s^2 = V: E x^2, E x v, E v^2 obey a linear recursion T.")
    quadratic = sum(c * y for c, y in zip(moments[0], (x**2, x * v, v**2), strict=True))
    d.equal("E x'^2", mean([row[0] for row in following]), quadratic)
    d.say("T keeps moment matrices semidefinite, so its spectral radius is an eigenvalue: the edge is det(I - T) = 0.")
    gap = 2 * a * eta * (1 - beta**2) * (1 - eta / EDGE_MOMENTUM)
    d.equal("det(I - T)", (sp.eye(3) - T).det(), at(gap, (sigma2, sigma**2)))
    d.equal("Without noise: 2(1 + beta)/a", at(EDGE_MOMENTUM, (sigma2, 0)), 2 * (1 + beta) / a)
    d.equal("Without momentum: the edge of SGD", at(EDGE_MOMENTUM, (beta, 0)), EDGE_1D.subs(p, 1))
    d.equal("Large noise: 2(1 - beta) a/V", sp.Limit(EDGE_MOMENTUM * sigma2, sigma2, sp.oo), 2 * (1 - beta) * a)
    change = a / (2 * (1 + beta)) + sigma2 / (2 * a * (1 - beta)) - (a**2 + sigma2) / (2 * a)
    d.equal(
        "Momentum raises the edge iff V/a^2 < (1 - beta)/(1 + beta)",
        change,
        beta / (2 * a) * (sigma2 / (1 - beta) - a**2 / (1 + beta)),
    )
    domain = {"a": POSITIVE, "V": POSITIVE, "beta": UNIT_OPEN}
    curved, noisy = 2 * (1 + beta) / a, 2 * (1 - beta) * a / sigma2
    x = sp.Symbol("u", nonnegative=True)
    balance = a**2 * (1 - beta) / (1 + beta)
    for name, statement, left, right, names in (
        ("curvature", "The edge with momentum is at most 2(1 + beta)/a", EDGE_MOMENTUM, curved, domain),
        ("noise", "The edge with momentum is at most 2(1 - beta) a/V", EDGE_MOMENTUM, noisy, domain),
        (
            "plateaus",
            "The edge with momentum is at least half the smaller of its two plateaus",
            sp.Min(curved, noisy) / 2,
            EDGE_MOMENTUM,
            domain,
        ),
        (
            "lowers",
            "Momentum lowers the edge where V = (1 + u) a^2 (1 - beta)/(1 + beta)",
            EDGE_MOMENTUM.subs(sigma2, (1 + x) * balance),
            EDGE_1D.subs({p: 1, sigma2: (1 + x) * balance}),
            {"a": POSITIVE, "beta": UNIT_OPEN, "u": NON_NEGATIVE},
        ),
        (
            "raises",
            "Momentum raises the edge where V = u a^2 (1 - beta)/(1 + beta), u <= 1",
            EDGE_1D.subs({p: 1, sigma2: x * balance}),
            EDGE_MOMENTUM.subs(sigma2, x * balance),
            {"a": POSITIVE, "beta": UNIT_OPEN, "u": UNIT_CLOSED},
        ),
    ):
        d.claim(
            id=f"sgd.momentum_{name}",
            statement=statement,
            kind="inequality",
            left=by_name(left, names),
            right=by_name(right, names),
            domain=names,
        )
    return d
