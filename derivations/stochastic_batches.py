"""Means over mini-batches: the two finite-population factors, and every notion of batch curvature that they give.

Batches of b out of n samples with losses l_i, gradients g_i and Hessians H_i; g, H and L are means over the samples,
g_B, H_B and L_B means over a batch, <.> is a mean over i and D. a deviation from the mean, Dx_i = x_i - x.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import sympy as sp

from eossim import rules
from eossim.domain import Interval
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .bias_variance import expectation, step
from .bias_variance_stochastic import batches
from .common import POSITIVE, at, by_name, experiment_claim

MODEL = "batches of b out of n samples, gradients g_i, Hessians H_i, <.> the mean over i, Dx_i = x_i - x"
REAL = Interval()

n, b = sp.symbols("n b", positive=True)
p, kappa = sp.symbols("p kappa_3", real=True)
#: Factors of the second and third central moment of a batch mean, by `replacement`.
SECOND = {False: (n - b) / (b * (n - 1)), True: 1 / b}
THIRD = {False: (n - b) * (n - 2 * b) / (b**2 * (n - 1) * (n - 2)), True: 1 / b**2}
NAMES = {False: "without replacement", True: "with replacement"}

#: What the closed forms are made of; in one dimension g = <g_i>, H = <h_i>.
PARTS = G2, V, GHG, VH, X1, X3 = sp.symbols("G_2 V G_H V_H X_1 X_3", real=True)
NORM2 = G2 + p * V
FULL_CURVATURE = GHG + p * VH
OWN_CURVATURE = GHG + p * (X1 + VH) + kappa * X3


def factors(count: int, size: int, *, replacement: bool) -> tuple[sp.Expr, sp.Expr]:
    """Return p and kappa_3, by convention 0 where the moment itself vanishes: b = n, and kappa_3 for n = 2."""
    if not replacement and size == count:
        return sp.Integer(0), sp.Integer(0)
    values = {n: sp.Integer(count), b: sp.Integer(size)}
    third = sp.Integer(0) if count == 2 and not replacement else THIRD[replacement].subs(values)
    return SECOND[replacement].subs(values), third


def mean(terms: Sequence) -> sp.Expr:
    """Return the mean of expressions or of matrices."""
    first, *others = terms
    return sum(others, first) / sp.Integer(len(terms))


def dot(left: sp.Matrix, right: sp.Matrix) -> sp.Expr:
    """Return left^T right of two columns."""
    return (left.T * right)[0]


def parts(gradients: Sequence[sp.Matrix], hessians: Sequence[sp.Matrix]) -> dict[sp.Symbol, sp.Expr]:
    """Return what the closed forms are made of, for samples with these gradients and Hessians."""
    g, H = mean(gradients), mean(hessians)
    off = [(gi - g, Hi - H) for gi, Hi in zip(gradients, hessians, strict=True)]
    values = (
        dot(g, g),
        mean([dot(dg, dg) for dg, _ in off]),
        dot(g, H * g),
        mean([dot(dg, H * dg) for dg, _ in off]),
        mean([2 * dot(g, dH * dg) for dg, dH in off]),
        mean([dot(dg, dH * dg) for dg, dH in off]),
    )
    return dict(zip(PARTS, values, strict=True))


def enumerated(
    gradients: Sequence[sp.Matrix], hessians: Sequence[sp.Matrix], drawn: Sequence[Sequence[int]]
) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Return E|g_B|^2, E[g_B^T H g_B] and E[g_B^T H_B g_B] over `drawn` batches."""
    H = mean(hessians)
    pairs = [(mean([gradients[i] for i in chosen]), mean([hessians[i] for i in chosen])) for chosen in drawn]
    return (
        mean([dot(g, g) for g, _ in pairs]),
        mean([dot(g, H * g) for g, _ in pairs]),
        mean([dot(g, HB * g) for g, HB in pairs]),
    )


def batch_sharpness(
    gradients: Sequence[sp.Matrix],
    hessians: Sequence[sp.Matrix],
    drawn: Sequence[Sequence[int]],
    *,
    skip: bool = False,
) -> sp.Expr:
    """Return E[g_B^T H_B g_B / |g_B|^2], the mean of ratios; a zero gradient counts as 0, or not at all (`skip`)."""
    ratios = []
    for chosen in drawn:
        g, HB = mean([gradients[i] for i in chosen]), mean([hessians[i] for i in chosen])
        if not g.is_zero_matrix:
            ratios.append(dot(g, HB * g) / dot(g, g))
    return sp.Add(*ratios) / (len(ratios) if skip else len(drawn))


def numbers(name: str, count: int) -> list[sp.Matrix]:
    """Return one-dimensional samples: 1 x 1 matrices of real symbols."""
    return [sp.Matrix([x]) for x in sp.symbols(f"{name}_1:{count + 1}", real=True)]


def derive() -> list[Derivation]:
    """Return the factors, the closed forms, other ways of weighting samples, and what the ratios say of one step."""
    return [_factors(), _closed_forms(), _weights(), _one_step()]


def _factors() -> Derivation:
    d = Derivation("sgd_batches", "Moments of the mean of a batch", MODEL)
    free = sp.symbols("x_1:4", real=True)
    x = [*free, -sum(free)]
    power = [sum(xi**k for xi in x) for k in (2, 3)]
    d.say("Four centred samples, x_4 = -x_1 - x_2 - x_3. Sums over different samples come from power sums:")
    pairs = 2 * sum(x[i] * x[j] for i, j in batches(4, 2, replacement=False))
    d.equal("over pairs, x_i x_j", pairs, -power[0])
    square = sum(x[i] ** 2 * x[j] for i, j in product(range(4), repeat=2) if i != j)
    d.equal("over pairs, x_i^2 x_j", square, -power[1])
    d.equal("over triples", 6 * sum(x[i] * x[j] * x[k] for i, j, k in batches(4, 3, replacement=False)), 2 * power[1])
    one, two, three = b / n, b * (b - 1) / (n * (n - 1)), b * (b - 1) * (b - 2) / (n * (n - 1) * (n - 2))
    d.say("A sample is in the batch with probability b/n, a pair with b(b-1)/(n(n-1)), a triple in the same manner.")
    d.equal("So E x_B^2 = p <x^2>, without replacement", n * (one - two) / b**2, SECOND[False])
    d.equal("and E x_B^3 = kappa_3 <x^3>", n * (one - 3 * two + 2 * three) / b**3, THIRD[False])
    d.say("With replacement x_B is a mean of b independent draws: variance 1/b, third cumulant 1/b^2. Enumeration:")
    for count in (3, 4):
        centred = x if count == 4 else [*free[:2], -sum(free[:2])]
        for replacement, size in ((False, 1), (False, 2), (False, 3), (True, 2), (True, 3)):
            sums = [sum(centred[i] for i in chosen) / size for chosen in batches(count, size, replacement=replacement)]
            for order, factor in zip((2, 3), factors(count, size, replacement=replacement), strict=True):
                d.equal(
                    f"n = {count}, b = {size}, {NAMES[replacement]}, order {order}",
                    sp.expand(mean([total**order for total in sums])),
                    at(p * V, (p, factor), (V, mean([xi**order for xi in centred]))),
                )
    back = at(SECOND[False], (b, n - b)) * (n - b) ** 2 / b**2
    d.equal("The rest of the samples has the mean -b x_B / (n - b), hence the symmetry", back, SECOND[False])
    _claim_factors(d)
    return d


def _claim_factors(d: Derivation) -> None:
    """Claim what the factors do as the batch grows, b = 1 + u, n - b = 1 + v."""
    domain = {"u": POSITIVE, "v": POSITIVE}
    u, v = sp.symbols("u v", positive=True)
    more = {b: 1 + u, n: 2 + u + v}
    second, third = (factor[False].subs(more, simultaneous=True) for factor in (SECOND, THIRD))
    for name, statement, left, right in (
        ("decreasing", "A larger batch has a smaller variance", SECOND[False].subs({b: 2 + u, n: more[n]}), second),
        ("replacement", "Drawing without replacement gives the smaller variance", second, SECOND[True].subs(more)),
        ("third", "Without replacement kappa_3 <= p^2; with replacement the two are equal", third, second**2),
    ):
        d.claim(
            id=f"sgd.factor_{name}",
            statement=statement + ", b = 1 + u, n = b + 1 + v",
            kind="inequality",
            left=by_name(left, domain),
            right=by_name(right, domain),
            domain=domain,
        )
    left_over = third.subs({u: v, v: u}, simultaneous=True)
    d.claim(
        id="sgd.factor_complement",
        statement="kappa_3 b^3 changes its sign when a batch of b = 1 + u is exchanged for the 1 + v samples left",
        kind="equality",
        left=by_name(third * (1 + u) ** 3, domain),
        right=by_name(-left_over * (1 + v) ** 3, domain),
        domain=domain,
    )


def _closed_forms() -> Derivation:
    d = Derivation("sgd_measures", "Batch curvature in closed form, for any batch size", MODEL)
    d.say("G_2 = |g|^2, V = <|Dg_i|^2>, G_H = g^T H g, V_H = <Dg_i^T H Dg_i>, X_1 = <2 g^T DH_i Dg_i>,")
    d.say("X_3 = <Dg_i^T DH_i Dg_i>. Four or three samples in one dimension, three in two.")
    g2, h2 = sp.symbols("u_1:4", real=True), sp.symbols("k_1:4", real=True)
    flat = numbers("g", 4), numbers("h", 4)
    plane = (
        [sp.Matrix([gi[0], u]) for gi, u in zip(flat[0], g2, strict=False)],
        [sp.Matrix([[hi[0], k], [k, 1 + k]]) for hi, k in zip(flat[1], h2, strict=False)],
    )
    flat3 = flat[0][:3], flat[1][:3]
    texts = ("E|g_B|^2", "E[g_B^T H g_B]", "E[g_B^T H_B g_B]")
    for samples, size, replacement in (
        (flat, 1, False),
        (flat, 2, False),
        (flat, 3, False),
        (flat3, 2, True),
        (plane, 2, False),
    ):
        count, dimension = len(samples[0]), samples[0][0].rows
        found = enumerated(*samples, batches(count, size, replacement=replacement))
        weights = zip((p, kappa), factors(count, size, replacement=replacement), strict=True)
        values = [*parts(*samples).items(), *weights]
        for text, left, formula in zip(texts, found, (NORM2, FULL_CURVATURE, OWN_CURVATURE), strict=True):
            used = [pair for pair in values if pair[0] in formula.free_symbols]
            where = f"{dimension}-D, n = {count}, b = {size}, {NAMES[replacement]}"
            d.equal(f"{text}, {where}", left, at(formula, *used))
    d.say("RM = E[g_B^T H_B g_B] / E|g_B|^2, IAS = E[g_B^T H g_B] / E|g_B|^2, GNI = E[g_B^T H g_B] / |g|^2.")
    d.equal("GNI = IAS E|g_B|^2 / |g|^2", FULL_CURVATURE / G2, (FULL_CURVATURE / NORM2) * (1 + p * V / G2))
    for text, ratio in (("RM", OWN_CURVATURE / NORM2), ("IAS", FULL_CURVATURE / NORM2), ("GNI", FULL_CURVATURE / G2)):
        d.equal(
            f"The full batch, p = kappa_3 = 0: {text} is the Rayleigh quotient", at(ratio, (p, 0), (kappa, 0)), GHG / G2
        )
    r, c = sp.symbols("r_1:4", real=True), sp.symbols("c_1:4", positive=True)
    weighted = sum(ri * ci for ri, ci in zip(r, c, strict=True)) / sum(c)
    covariance = mean([(ri - mean(r)) * (ci - mean(c)) for ri, ci in zip(r, c, strict=True)])
    d.say("BS = E[r_B], r_B = g_B^T H_B g_B / c_B, c_B = |g_B|^2: the mean of ratios. Three batches:")
    d.equal("RM - BS = Cov(r_B, c_B) / E c_B, of either sign", weighted - mean(r), covariance / mean(c))
    x, y, theta = (sp.symbols(f"{name}_1:3", real=True) for name in ("x", "y", "theta"))
    row, point, scale = sp.Matrix(x), sp.Matrix(theta), sp.Symbol("c", positive=True)
    loss = scale * (dot(row, point) - y[0]) ** 2 / 2
    g = sp.Matrix([sp.diff(loss, t) for t in theta])
    H = sp.hessian(loss, theta)
    own = dot(g, H * g) / dot(g, g)
    d.equal("One row: g_i is parallel to x_i, so r_i = c |x_i|^2 = tr H_i unless the residual is 0", own, H.trace())
    d.say("So for b = 1 BS = tr H wherever no residual vanishes.")
    d.equal(
        "x_i is an eigenvector with that eigenvalue, the other is 0: BS = E lambda_max(H_i) too",
        (H * row)[0],
        H.trace() * row[0],
    )
    _claim_measures(d, flat, r, c, covariance)
    experiment_claim(
        d,
        "sgd.batch_moments",
        "gradient_moments_of_batches",
        "Ratio of means, interaction-aware sharpness and GNI in closed form are those over all batches",
    )
    return d


def largest(H: sp.Matrix) -> tuple[sp.Expr, sp.Expr]:
    """Return the larger and the smaller eigenvalue of a symmetric 2 x 2 matrix."""
    half, root = (H[0, 0] + H[1, 1]) / 2, sp.sqrt((H[0, 0] - H[1, 1]) ** 2 / 4 + H[0, 1] ** 2)
    return half + root, half - root


def _claim_measures(d: Derivation, flat: tuple, r: Sequence, c: Sequence, covariance: sp.Expr) -> None:
    """Claim the closed forms, and the order of the notions of sharpness."""
    positive = {x: sp.Symbol(x.name, positive=True) for name in "gh" for x in sp.symbols(f"{name}_1:5", real=True)}
    samples = {x.name: POSITIVE for x in positive}
    flat = tuple([sample.xreplace(positive) for sample in side] for side in flat)
    r = [sp.Symbol(x.name, positive=True) for x in r]
    for size in (1, 2, 3):
        values = {**parts(*flat), **dict(zip((p, kappa), factors(4, size, replacement=False), strict=True))}
        d.claim(
            id=f"sgd.own_curvature_{size}",
            statement=f"E[g_B^T H_B g_B] of four samples in one dimension, b = {size}, needs p and kappa_3 only",
            kind="equality",
            left=enumerated(*flat, batches(4, size, replacement=False))[2],
            right=OWN_CURVATURE.subs(values, simultaneous=True),
            domain=samples,
        )
    d.claim(
        id="sgd.two_gauges",
        statement="Ratio of means is mean of ratios plus Cov(r_B, |g_B|^2) / E|g_B|^2, three batches",
        kind="equality",
        left=sum(ri * ci for ri, ci in zip(r, c, strict=True)) / sum(c),
        right=mean(r) + covariance.xreplace({sp.Symbol(x.name, real=True): x for x in r}) / mean(c),
        domain={x.name: POSITIVE for x in (*r, *c)},
    )
    a = sp.symbols("a_1:4", real=True), sp.symbols("b_1:4", real=True)
    hessians = [sp.Matrix([[x, y], [y, z]]) for x, y, z in a]
    names = {x.name: REAL for row in a for x in row}
    directions = {x.name: POSITIVE for x in sp.symbols("u_1 u_2 v_1 v_2", positive=True)}
    gradients = [sp.Matrix(sp.symbols(f"{x}_1 {x}_2", positive=True)) for x in "uv"]
    mean_top = mean([largest(H)[0] for H in hessians])
    common = {"kind": "inequality", "right": mean_top}
    d.claim(
        id="sgd.batch_lambda_max",
        statement="The expected largest eigenvalue of two batches is at least that of the mean Hessian",
        left=largest(mean(hessians))[0],
        domain=names,
        **common,
    )
    d.claim(
        id="sgd.batch_sharpness_bound",
        statement="Batch sharpness of two batches is at most their expected largest eigenvalue",
        left=batch_sharpness(gradients, hessians, [(0,), (1,)]),
        domain=names | directions,
        **common,
    )
    H = hessians[0]
    d.claim(
        id="sgd.interaction_aware",
        statement="Interaction-aware sharpness of two batches is at most lambda_max(H)",
        kind="inequality",
        left=sum(dot(g, H * g) for g in gradients) / sum(dot(g, g) for g in gradients),
        right=largest(H)[0],
        domain={x.name: REAL for x in a[0]} | directions,
    )


def _weights() -> Derivation:
    d = Derivation("sgd_weights", "Other ways of weighting samples", "sum w_i x_i in place of a batch mean, n = 3")
    x, q, size = sp.symbols("x_1:4", real=True), sp.Symbol("q", positive=True), sp.Symbol("b", positive=True)
    xi, g = sp.symbols("xi_1:4", real=True), mean(x)
    noise = sum((w - mean(xi)) / sp.sqrt(3 * size) * v for w, v in zip(xi, x, strict=True))
    spread = mean([(v - g) ** 2 for v in x])
    d.say("Gaussian resampling, w_i = 1/n + (xi_i - <xi>) / sqrt(n b). Signs have the moments of xi up to the third.")
    second, third = (expectation(noise**k, xi, sp.Integer(1)) for k in (2, 3))
    d.equal("It has p = 1/b, as with replacement", sp.expand(second), spread / size)
    d.equal("but kappa_3 = 0", third, 0)
    d.say("Poisson: keep each sample with probability q = b/n, divide by b. Moments about the mean g:")

    def poisson(function: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
        kept = product((0, 1), repeat=3)
        return sp.Add(
            *(
                q ** sum(k)
                * (1 - q) ** (3 - sum(k))
                * function(sum(ki * v for ki, v in zip(k, x, strict=True)) / (3 * q))
                for k in kept
            )
        )

    d.equal("The mean is g", poisson(lambda value: value), g)
    factor = sp.factor(poisson(lambda value: (value - g) ** 2) / mean([v**2 for v in x]))
    d.equal("p = (1 - q)/b, of moments that are NOT centred", factor.subs(q, size / 3), (1 - size / 3) / size)
    factor = sp.factor(poisson(lambda value: (value - g) ** 3) / mean([v**3 for v in x]))
    d.equal("kappa_3 = (1 - q)(1 - 2q)/b^2", factor.subs(q, size / 3), (1 - size / 3) * (1 - 2 * size / 3) / size**2)
    return d


def _one_step() -> Derivation:
    d = Derivation("sgd_one_step", "What the ratios say of one step", "quadratic losses, theta' = theta - eta g_B")
    gradients, curvatures, t = numbers("g", 3), numbers("h", 3), sp.Symbol("t", real=True)
    gains, full = [], []
    drawn = batches(3, 2, replacement=False)
    for chosen in drawn:
        g, curvature = (mean([terms[i] for i in chosen])[0] for terms in (gradients, curvatures))
        after = step(rules.gd, t, gradient=lambda _, g=g: g)[0] - t
        gains.append(g * after + curvature * after**2 / 2)
        full.append(mean(gradients)[0] * after + mean(curvatures)[0] * after**2 / 2)
    squared, whole, own = enumerated(gradients, curvatures, drawn)
    G, R, M = sp.symbols("E_g2 RM GNI", real=True)
    d.say("Three samples at theta, batches of two, L(theta + x) - L(theta) = g x + h x^2 / 2.")
    d.equal(
        "The loss of the batch itself falls on average iff RM < 2/eta",
        mean(gains),
        at(-eta * G * (1 - eta * R / 2), (G, squared), (R, own / squared)),
    )
    size = mean(gradients)[0]
    d.equal(
        "The full loss falls on average iff GNI < 2/eta",
        mean(full),
        at(-eta * G * (1 - eta * M / 2), (G, size**2), (M, whole / size**2)),
    )
    d.equal("The factor vanishes at 2/eta", at(1 - eta * R / 2, (R, 2 / eta)), 0)
    return d
