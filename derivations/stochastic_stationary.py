"""The stationary law of mini-batch SGD: its covariance, identities that hold for any step size, and its level.

Same model and symbols as `stochastic_mean_square`. The identities need fresh batches; a reshuffled epoch breaks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import sympy as sp

from eossim import rules
from eossim.domain import Interval
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .bias_variance import step
from .bias_variance_stochastic import batches
from .common import POSITIVE, at, by_name, experiment_claim, s
from .stochastic_batches import (
    FULL_CURVATURE,
    NAMES,
    NORM2,
    OWN_CURVATURE,
    dot,
    factors,
    kappa,
    mean,
    numbers,
    p,
    parts,
)
from .stochastic_mean_square import (
    EDGE_1D,
    MODEL,
    a,
    commuting,
    enumerated_step,
    next_moments,
    quotient,
    sigma2,
    squared,
    symmetric,
)

#: Four rows in the plane: H = 3/4 I, minimum at (2/3, 1/3).
ROWS = [sp.Matrix(row) for row in ([1, 0], [0, 1], [1, 1], [1, -1])]
TARGETS = (1, 2, 0, 1)
HESSIANS = [row * row.T for row in ROWS]
BEST = mean(HESSIANS).LUsolve(mean([row * y for row, y in zip(ROWS, TARGETS, strict=True)]))
GRADIENTS = [row * (dot(row, BEST) - y) for row, y in zip(ROWS, TARGETS, strict=True)]

noise = sp.Symbol("N", positive=True)  # <g_i^2> at the minimiser
#: Stationary mean square in one dimension.
SPREAD = eta * p * noise / (2 * a * (1 - eta / EDGE_1D))
#: Two points x = +-1, one per step: mean square before the first and the second batch of an epoch; i.i.d.
FIRST = eta**4 / (1 - (1 - eta) ** 4)
SECOND_POSITION = (1 - eta) ** 2 * FIRST + eta**2
INDEPENDENT = eta / (2 - eta)


def stationary(
    hessians: Sequence[sp.Matrix], gradients: Sequence[sp.Matrix], factor: sp.Expr, size: sp.Expr
) -> sp.Matrix:
    """Return the stationary second moments in the plane: the fixed point of the recursion, mean 0."""
    unknown = sp.symbols("S_11 S_12 S_22")
    S = sp.Matrix([unknown[:2], unknown[1:]])
    change = next_moments(sp.zeros(2, 1), S, hessians, gradients, factor, size)[1] - S
    (values,) = sp.linsolve([change[0, 0], change[0, 1], change[1, 1]], unknown)
    return S.subs(dict(zip(unknown, map(sp.factor, values), strict=True)))


def averaged(expression: sp.Expr, x: sp.Matrix, m: sp.Matrix, S: sp.Matrix) -> sp.Expr:
    """Return the mean of a quadratic in the two coordinates of `x`, of mean `m` and second moments `S`."""
    poly = sp.Poly(expression, *x)
    at_moments = {(0, 0): 1, (1, 0): m[0], (0, 1): m[1], (2, 0): S[0, 0], (1, 1): S[0, 1], (0, 2): S[1, 1]}
    return sum(coefficient * at_moments[powers] for powers, coefficient in poly.terms())


def law(
    hessians: Sequence[sp.Matrix], gradients: Sequence[sp.Matrix], m: sp.Matrix, S: sp.Matrix, *weights: sp.Expr
) -> dict[str, sp.Expr]:
    """Return means over x and fresh batches, for x of mean `m` and second moments `S`, `weights` = p and kappa_3."""
    x = sp.Matrix(sp.symbols("x_1:3", real=True))
    values = parts([Hi * x + gi for Hi, gi in zip(hessians, gradients, strict=True)], hessians)
    values |= dict(zip((p, kappa), weights, strict=True))
    wanted = {"batch": NORM2, "full": FULL_CURVATURE, "own": OWN_CURVATURE}
    found = {name: averaged(formula.subs(values), x, m, S) for name, formula in wanted.items()}
    H = mean(hessians)
    return found | {"gradient": averaged(dot(H * x, H * x), x, m, S), "excess": averaged(dot(x, H * x) / 2, x, m, S)}


def epochs(
    hessians: Sequence[sp.Matrix], gradients: Sequence[sp.Matrix], size: int, eta_: sp.Expr
) -> list[list[tuple[sp.Matrix, sp.Matrix]]]:
    """Return, for every ordered partition into batches, the affine maps (A, v) from x to x at each place."""

    def ordered(left: frozenset[int]) -> list[list[tuple[int, ...]]]:
        firsts = combinations(sorted(left), size)
        return [[first, *rest] for first in firsts for rest in ordered(left - {*first})] or [[]]

    d = hessians[0].rows
    paths = []
    for parts_ in ordered(frozenset(range(len(hessians)))):
        path = [(sp.eye(d), sp.zeros(d, 1))]
        for chosen in parts_:
            H, g = (mean([terms[i] for i in chosen]) for terms in (hessians, gradients))
            A, v = path[-1]
            path.append(((sp.eye(d) - eta_ * H) * A, v - eta_ * (H * v + g)))
        paths.append(path)
    return paths


def reshuffled(paths: Sequence[Sequence[tuple[sp.Matrix, sp.Matrix]]]) -> list[tuple[sp.Matrix, sp.Matrix]]:
    """Return the stationary mean and second moments before each batch of an epoch, in the plane."""
    unknown = sp.symbols("S_11 S_12 S_22")
    S, last = sp.Matrix([unknown[:2], unknown[1:]]), [path[-1] for path in paths]
    m = (sp.eye(2) - mean([A for A, _ in last])).LUsolve(mean([v for _, v in last]))

    def push(S: sp.Matrix, maps: Sequence[tuple[sp.Matrix, sp.Matrix]]) -> sp.Matrix:
        return mean([A * S * A.T + A * m * v.T + v * m.T * A.T + v * v.T for A, v in maps])

    change = push(S, last) - S
    (values,) = sp.linsolve([change[0, 0], change[0, 1], change[1, 1]], unknown)
    S = S.subs(dict(zip(unknown, values, strict=True)))
    positions = [[path[i] for path in paths] for i in range(len(paths[0]) - 1)]
    return [(mean([A * m + v for A, v in maps]), push(S, maps)) for maps in positions]


def derive() -> list[Derivation]:
    """Return the stationary law in one dimension, identities for any quadratic, reshuffling, and an exact level."""
    return [_line(), _identities(), _reshuffling(), _levels()]


def _line() -> Derivation:
    d = Derivation("sgd_stationary", "The stationary law in one dimension", MODEL, "arXiv:2306.07850, re-derived")
    h, g, t = sp.symbols("h_1:3", positive=True), sp.Symbol("g", positive=True), sp.Symbol("t", positive=True)
    samples = [sp.Matrix([x]) for x in h], [sp.Matrix([g]), sp.Matrix([-g])]
    known = [(a, mean(h)), (sigma2, mean([(x - mean(h)) ** 2 for x in h])), (noise, g**2)]
    d.say("S = eta p N / (2 a (1 - eta/eta*)), N = <g_i^2>, eta* = 2/(a + p V/a).")
    S = sp.Symbol("S", positive=True)
    following = (1 - 2 * eta * a + eta**2 * (a**2 + p * sigma2)) * S + p * eta**2 * noise
    d.equal("The recursion keeps it", at(following, (S, SPREAD)), SPREAD)
    domain = {"h_1": POSITIVE, "h_2": POSITIVE, "g": POSITIVE, "s": Interval(0.0, 1.0)}
    for size, replacement in ((1, False), (2, True)):
        drawn, text = batches(2, size, replacement=replacement), f"b = {size}, {NAMES[replacement]}"
        values = dict([*known, (p, factors(2, size, replacement=replacement)[0])])
        after = enumerated_step([sp.Matrix([t]), sp.Matrix([-t])], *samples, drawn, eta)[1][0]
        level = SPREAD.subs(values)
        square = sp.expand(after).subs(t**2, S)
        d.equal(f"Two samples, {text}: from +-sqrt(S) a step leads back to S", at(square, (S, level)), level)
        exact = {eta: s * EDGE_1D.subs(values), t**2: level.subs(eta, s * EDGE_1D.subs(values))}
        square = mean([mean([h[i] for i in row]) ** 2 * t**2 + mean([(g, -g)[i] for i in row]) ** 2 for row in drawn])
        d.claim(
            id=f"sgd.gni_{size}",
            statement=f"Stationary, two samples in one dimension, b = {size}, eta = s eta*: GNI is 2/eta",
            kind="equality",
            left=(mean(h) * square).subs(exact),
            right=(2 / eta * mean(h) ** 2 * t**2).subs(exact),
            domain=domain,
        )
    share = at(SPREAD, (eta, s * EDGE_1D))
    d.equal("At a fraction s of the edge", share, p * noise / (a**2 + p * sigma2) * s / (1 - s))
    names = {"a": POSITIVE, "V": POSITIVE, "N": POSITIVE, "s": Interval(0.0, 0.5), "p": Interval(0.0, 0.5)}
    level = a * SPREAD / 2
    doubled = eta, 2 * s * EDGE_1D
    for name, statement, left, right in (
        (
            "doubling",
            "Doubling eta at least doubles the stationary loss, eta = s eta*, s < 1/2",
            2 * level.subs(eta, s * EDGE_1D),
            level.subs(*doubled),
        ),
        (
            "halving",
            "Halving the batch at least doubles the stationary loss, with replacement, eta = s eta*(b/2)",
            2 * level.subs(eta, s * EDGE_1D.subs(p, 2 * p)),
            level.subs(p, 2 * p).subs(eta, s * EDGE_1D.subs(p, 2 * p)),
        ),
    ):
        d.claim(
            id=f"sgd.level_{name}",
            statement=statement,
            kind="inequality",
            left=by_name(left, names),
            right=by_name(right, names),
            domain=names,
        )
    return d


def _identities() -> Derivation:
    d = Derivation("sgd_identities", "Identities of the stationary law, for any step size and symmetric A", MODEL)
    (h1, h2), u, k = sp.symbols("h_1:3", real=True), sp.Symbol("u", real=True), sp.symbols("k_1:4", real=True)
    hessians = [sp.Matrix([[x, u], [u, y]]) for x, y in zip((h1, h2, 1), k, strict=True)]
    gradients = [sp.Matrix(row) for row in ((1, 3), (1, -1), (-2, -2))]
    x, A = sp.Matrix(sp.symbols("x_1:3", real=True)), sp.Matrix([[sp.Symbol("A"), sp.Symbol("B")], [sp.Symbol("B"), 1]])
    H, S, drawn = mean(hessians), x * x.T, batches(3, 2, replacement=False)
    after = enumerated_step([x], hessians, gradients, drawn, eta)[1]
    steps = [mean([hessians[i] * x + gradients[i] for i in row]) for row in drawn]
    d.equal("Fresh batches: E g_B = H x", mean(steps)[0], (H * x)[0])
    d.equal(
        "One step from x: tr A(S' - S) = -eta tr A(HS + SH) + eta^2 E[g_B^T A g_B]",
        (A * (after - S)).trace(),
        -2 * eta * (A * commuting(S, hessians)).trace() + eta**2 * mean([dot(v, A * v) for v in steps]),
    )
    d.say("In the mean over the stationary law the left side is 0: tr A(HS + SH) = eta E[g_B^T A g_B].")
    x1, x2 = sp.symbols("lambda_1 lambda_2", positive=True)
    G, M = symmetric("H"), symmetric("S")
    d.equal("A = H: tr H(HS + SH) = 2 E|g|^2, so GNI = 2/eta", (G * (G * M + M * G)).trace(), 2 * (G * M * G).trace())
    size = sp.Symbol("E_g2", positive=True), (G * M + M * G).trace() / eta
    d.equal(
        "A = I: E|g_B|^2 = 2 tr(HS)/eta, so the excess loss is (eta/4) E|g_B|^2",
        at(eta / 4 * size[0], size),
        (G * M).trace() / 2,
    )
    D, M = sp.diag(x1, x2), sp.diag(*sp.symbols("S_11 S_22", positive=True))
    names = {"lambda_1": POSITIVE, "lambda_2": POSITIVE, "S_11": POSITIVE, "S_22": POSITIVE}
    d.claim(
        id="sgd.interaction_below_sharpness",
        statement="Stationary interaction-aware sharpness tr(H^2 S)/tr(H S) is at most lambda_max",
        kind="inequality",
        left=(D * D * M).trace() / (D * M).trace(),
        right=sp.Max(x1, x2),
        domain=names,
    )
    curvatures = numbers("h", 3)
    square = mean([mean([curvatures[i][0] for i in row]) ** 2 for row in drawn])
    growth = mean([(1 - eta * mean([curvatures[i][0] for i in row])) ** 2 for row in drawn])
    h_mean = mean(curvatures)[0]
    d.say("Interpolating, g_i = 0: along S' = mu S, GNI = 2/eta + (mu - 1) tr(HS)/(eta^2 tr(H^2 S)). One dimension:")
    gni = 2 / eta + (growth - 1) / (eta**2 * h_mean)
    d.equal("below 2/eta while it decays, above while it grows", square / h_mean, gni)
    d.say("Any optimiser x' = x - eta s on a quadratic, any sampling; three steps s_t in the plane:")
    points, total = [x], 0
    for t in range(3):
        move = sp.Matrix(sp.symbols(f"s_{t}1 s_{t}2", real=True))
        total += -eta * dot(move, D * points[-1]) + eta**2 / 2 * dot(move, D * move)
        points.append(points[-1] - eta * move)
    change = (dot(points[-1], D * points[-1]) - dot(x, D * x)) / 2
    d.equal("the loss telescopes: L_T - L_0 = -eta sum s^T grad L + (eta^2/2) sum s^T H s", change, total)
    first, second = sp.symbols("sum_gradient sum_curvature", positive=True)
    balance = -eta * first + eta**2 / 2 * second
    d.equal("On a bounded path sum s^T H s / sum s^T grad L -> 2/eta", at(balance, (second, 2 / eta * first)), 0)
    experiment_claim(
        d,
        "sgd.stationary",
        "stationary_laws",
        "Late excess loss is that of the stationary covariance, and GNI along the run is 2/eta",
    )
    return d


def _reshuffling() -> Derivation:
    d = Derivation(
        "sgd_reshuffling", "Reshuffled batches break GNI = 2/eta", "l = (x -+ 1)^2 / 2, one of the two per step"
    )
    x, t = sp.symbols("x t", real=True)
    ends = []
    for sign, start in product((1, -1), (t, -t)):
        first = step(rules.gd, start, gradient=lambda y, c=sign: y - c)[0]
        ends.append((first, step(rules.gd, first, gradient=lambda y, c=-sign: y - c)[0]))
    one = [step(rules.gd, start, gradient=lambda y, c=sign: y - c)[0] for sign, start in product((1, -1), (t, -t))]

    def settled(points: Sequence[sp.Expr]) -> sp.Expr:
        """Return the mean square of points that start at +-t, as a function of t^2, written t."""
        return sp.expand(mean([y**2 for y in points])).subs(t**2, t)

    d.equal("i.i.d.: E x^2 = eta/(2 - eta)", at(settled(one), (t, INDEPENDENT)), INDEPENDENT)
    fresh = mean([(x - c) ** 2 for c in (1, -1)])
    d.equal("Fresh batches at x: E g_B^2, the numerator of GNI, H = 1", fresh, x**2 + 1)
    gni = (1 + t) / t
    d.equal("i.i.d.: GNI = 2/eta", at(gni, (t, INDEPENDENT)), 2 / eta)
    d.equal("Reshuffled, before the first of the two", at(settled([y for _, y in ends]), (t, FIRST)), FIRST)
    d.equal("before the second", at(settled([y for y, _ in ends]), (t, FIRST)), SECOND_POSITION)
    average = (FIRST + SECOND_POSITION) / 2
    d.equal("in the mean over time", average, eta**2 / (2 - eta))
    ratio = at(gni, (t, average)).doit()
    d.equal("GNI = (2 - eta + eta^2)/eta^2", ratio, (2 - eta + eta**2) / eta**2)
    d.equal("above 2/eta for eta < 1 and below it for 1 < eta < 2", ratio - 2 / eta, (1 - eta) * (2 - eta) / eta**2)
    for name, low, high, above in (("small", 0.0, 1.0, True), ("large", 1.0, 2.0, False)):
        domain = {"eta": Interval(low, high)}
        sides = [by_name(y, domain) for y in (2 / eta, sp.factor(ratio))]
        left, right = sides if above else sides[::-1]
        d.claim(
            id=f"sgd.reshuffled_gni_{name}",
            statement=f"Two points, reshuffled: GNI is {'above' if above else 'below'} 2/eta, {low:g} < eta < {high:g}",
            kind="inequality",
            left=left,
            right=right,
            domain=domain,
        )
    half = sp.Rational(1, 2)
    places = reshuffled(epochs(HESSIANS, GRADIENTS, 2, half))
    weights = factors(4, 2, replacement=False)
    found = [law(HESSIANS, GRADIENTS, m, S, *weights) for m, S in places]
    d.say("Four rows in the plane, two batches of two per epoch, eta = 1/2: affine maps of all six ordered partitions.")
    first, second = sp.symbols("S_11 S_22", positive=True)
    for text, S, value in (
        ("Excess loss before the first batch", places[0][1], sp.Rational(2639, 261888)),
        ("before the second", places[1][1], sp.Rational(404287, 8380416)),
    ):
        d.equal(text, at(sp.Rational(3, 8) * (first + second), (first, S[0, 0]), (second, S[1, 1])), value)
    top, bottom = sp.symbols("numerator denominator", positive=True)
    sums = [(x, sum(row[name] for row in found)) for x, name in ((top, "full"), (bottom, "gradient"))]
    d.equal("GNI over an epoch, not 2/eta = 4", at(top / bottom, *sums), sp.Rational(684377, 75190))
    experiment_claim(
        d,
        "sgd.reshuffled",
        "reshuffled_laws",
        "The stationary law of reshuffled batches is that of long runs",
    )
    return d


def _levels() -> Derivation:
    d = Derivation(
        "sgd_levels",
        "Noise-driven or curvature-driven: an exact level",
        "rows (1, 0), (0, 1), (1, 1), (1, -1), y = (1, 2, 0, 1), loss r^2/2",
    )
    image, own = squared(sp.eye(2), HESSIANS, p), mean([H**2 for H in HESSIANS])[0, 0]
    d.say("H = 3/4 I, and <H_i^2> is a multiple of I too: S = I is an eigenmatrix of C and of D.")
    d.equal(
        "D(I) = ((1 - p) H^2 + p <H_i^2>) I",
        at((1 - p) * a**2 + p * sigma2, (a, sp.Rational(3, 4)), (sigma2, own)),
        image[1, 1],
    )
    edge = 2 / quotient(sp.eye(2), HESSIANS, p)
    d.equal("The edge", edge, 24 / (9 + 11 * p))
    S, zero = stationary(HESSIANS, GRADIENTS, p, eta), sp.zeros(2, 1)
    level = (mean(HESSIANS) * S).trace() / 2
    d.equal("Excess loss, any batch size", level, sp.Rational(13, 36) * p * eta / (1 - eta / edge))
    found = law(HESSIANS, GRADIENTS, zero, S, p, kappa)
    d.equal("GNI = 2/eta", found["full"] / found["gradient"], 2 / eta)
    d.equal("IAS = 3/4 = lambda_max", found["full"] / found["batch"], sp.Rational(3, 4))
    own = found["own"] / found["batch"]
    single = factors(4, 1, replacement=False)
    d.equal("RM with b = 1", at(own, (p, single[0]), (kappa, single[1])), sp.Rational(3, 2) + eta / 4)
    pair, one = factors(4, 2, replacement=False)[0], single[0]
    d.say("A run at b = 1, eta = 0.3. Noise-driven: a new eta moves the level smoothly, more than in proportion.")
    for text, factor, size, value in (
        ("b = 1, eta = 0.3", one, "3/10", "13/90"),
        ("b = 1, eta = 0.6, three times that", one, "6/10", "13/30"),
        ("b = 2, eta = 1.5", pair, "3/2", "13/15"),
    ):
        d.equal(text, at(level, (p, factor), (eta, sp.Rational(size))), sp.Rational(value))
    growth = 1 - 2 * eta * sp.Rational(3, 4) + eta**2 * image[0, 0]
    d.say("Curvature-driven: beyond the new edge the spread grows. From b = 2, eta = 1.5 to b = 1:")
    d.equal("growth per step", at(growth, (p, one), (eta, sp.Rational(3, 2))), sp.Rational(25, 16))
    text = "b = 1, eta = 1.2 is the edge itself: no growth factor, E|x|^2 grows linearly"
    d.equal(text, at(growth, (p, one), (eta, sp.Rational(6, 5))), 1)
    names = {"eta": Interval(0.0, 1.2), "p": Interval(0.0, 1.0, open_high=False)}
    for name, statement, left, right in (
        ("gni", "GNI is 2/eta", found["full"] / found["gradient"], 2 / eta),
        ("excess", "the excess loss is (eta/4) E|g_B|^2", level, eta / 4 * found["batch"]),
        ("interaction", "interaction-aware sharpness is lambda_max", found["full"] / found["batch"], sp.Rational(3, 4)),
    ):
        d.claim(
            id=f"sgd.stationary_{name}",
            statement=f"Stationary on four rows in the plane, any batch size: {statement}",
            kind="equality",
            left=by_name(left, names),
            right=by_name(sp.sympify(right), names),
            domain=names,
        )
    d.claim(
        id="sgd.level_rows",
        statement="Four rows in the plane: the stationary loss of any batch size is at most that of b = 1",
        kind="inequality",
        left=by_name(level, names),
        right=by_name(level.subs(p, 1), names),
        domain=names,
    )
    experiment_claim(
        d,
        "sgd.interventions",
        "interventions",
        "Noise-driven runs move to a new level, curvature-driven ones grow, at the predicted rate",
    )
    return d
