"""Why batch sharpness above 2/eta is not divergence, and why batch sharpness below 2/eta is not stability.

BS = E[g_B^T H_B g_B / |g_B|^2] speaks of one step and its own batch; the mean-square edge eta* of
`stochastic_mean_square` speaks of the product of many steps. Both are exact here, so are the counterexamples.
"""

from __future__ import annotations

import sympy as sp

from eossim.domain import NON_NEGATIVE, UNIT_CLOSED, Interval
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, by_name, experiment_claim
from .stochastic_batches import MODEL as BATCHES
from .stochastic_batches import b, batch_sharpness, dot, factors, mean, p
from .stochastic_mean_square import EDGE_1D, GAUSSIAN, a, dimension, quotient, sigma2, squared, symmetric, wick
from .stochastic_stationary import GRADIENTS, HESSIANS, law, stationary

epsilon, c = sp.symbols("epsilon c", positive=True)
PHI = (1 + sp.sqrt(5)) / 2
#: The six axes of the icosahedron, not normalised: each has length^2 1 + phi^2.
AXES = [sp.Matrix(u) for u in ([0, 1, PHI], [0, 1, -PHI], [1, PHI, 0], [1, -PHI, 0], [PHI, 0, 1], [-PHI, 0, 1])]
DIAGONAL = sp.ones(3, 1)
#: Edge, spectral radius of Q and batch sharpness at (1, 1, 1) of H_i = I - (1 - epsilon) u_i u_i^T, b = 1.
EDGE_AXES = 2 * (2 + epsilon) / (2 + epsilon**2)
RADIUS_AXES = 1 - 2 * eta * (2 + epsilon) / 3 + eta**2 * (2 + epsilon**2) / 3
SHARPNESS_AXES = (epsilon**5 + 14 * epsilon**3 + 14 * epsilon**2 + 16) / (epsilon**4 + 28 * epsilon**2 + 16)
#: Batch sharpness at every point when the axes fill the sphere, root = sqrt(1 - epsilon^2).
_ROOT = sp.sqrt(1 - epsilon**2)
_SHARE = (1 - epsilon**3) / (1 - epsilon**2)
SHARPNESS_SPHERE = _SHARE + (1 - _SHARE) * sp.log((1 + _ROOT) / (1 - _ROOT)) / (2 * _ROOT)
#: Gaussian inputs of variance 1: E[H_B^3]; over GAUSSIAN it is the ratio of means without label noise, anywhere.
THIRD_GAUSSIAN = (b**2 + 3 * b * (dimension + 1) + dimension**2 + 3 * dimension + 4) / b**2


def axes(value: sp.Expr) -> list[sp.Matrix]:
    """Return the six Hessians I - (1 - value) u u^T."""
    lengths = 1 + PHI**2
    return [sp.eye(3) - (1 - value) / lengths * u * u.T for u in AXES]


def derive() -> list[Derivation]:
    """Return what batch sharpness does say, and what it does not prove in either direction."""
    return [_own_batch(), _icosahedron(), _sphere(), _gaussian(), _unstable(), _coincide()]


def _own_batch() -> Derivation:
    d = Derivation("sgd_own_batch", "What batch sharpness above 2/eta does say", BATCHES + ", quadratic losses")
    H, g = symmetric("H"), sp.Matrix(sp.symbols("g_1:3", real=True))
    after = g - eta * H * g
    d.say("After the step the gradient of the same batch is (I - eta H_B) g_B. r_B = g_B^T H_B g_B / |g_B|^2.")
    across = after[1] * g[0] - after[0] * g[1]
    d.equal("Cauchy-Schwarz, with what is lost", dot(after, after) * dot(g, g), dot(g, after) ** 2 + across**2)
    r = sp.Symbol("r_B", real=True)
    kept = at((1 - eta * r) * dot(g, g), (r, dot(g, H * g) / dot(g, g)))
    d.equal("g^T (I - eta H) g = (1 - eta r_B) |g|^2", dot(g, after), kept)
    r = sp.symbols("r_1:4", real=True)
    spread = mean([(x - mean(r)) ** 2 for x in r])
    d.equal(
        "Jensen, three batches: E(1 - eta r_B)^2 = (1 - eta BS)^2 + eta^2 Var r_B",
        mean([(1 - eta * x) ** 2 for x in r]),
        (1 - eta * mean(r)) ** 2 + eta**2 * spread,
    )
    d.say(
        "So E[|grad L_B(after)|^2 / |g_B|^2] >= (1 - eta BS)^2: eta BS > 2 means that one step enlarges the gradient "
        "of its own batch. The next batch is another one, the factors do not telescope."
    )
    other = sp.Matrix(sp.symbols("u_1 u_2", positive=True)), symmetric("K")
    own = sp.Matrix(sp.symbols("v_1 v_2", positive=True)), H
    grown = []
    for g, K in (own, other):
        after = g - eta * K * g
        grown.append(dot(after, after) / dot(g, g))
    sharpness = batch_sharpness([own[0], other[0]], [H, other[1]], [(0,), (1,)])
    entries = {x.name: Interval() for K in (H, other[1]) for x in K.free_symbols}
    d.claim(
        id="sgd.own_batch",
        statement="Two batches: the gradient of its own batch grows by at least (1 - eta BS)^2 in the mean square",
        kind="inequality",
        left=(1 - eta * sharpness) ** 2,
        right=mean(grown),
        domain={"eta": POSITIVE, **{x.name: POSITIVE for x in (*own[0], *other[0])}, **dict(sorted(entries.items()))},
    )
    return d


def _icosahedron() -> Derivation:
    d = Derivation(
        "sgd_six_axes",
        "Batch sharpness above 2/eta at a stable step size",
        "H_i = I - (1 - epsilon) u_i u_i^T, u_i the six axes of the icosahedron, g_i = 0, b = 1",
    )
    unit, hessians = 1 + PHI**2, axes(epsilon)
    d.equal("The axes average to I/3", mean([u * u.T / unit for u in AXES])[0, 0], sp.Rational(1, 3))
    x = sp.Matrix(sp.symbols("x_1:4", real=True))
    fourth = mean([dot(u, x) ** 4 / unit**2 for u in AXES])
    d.equal("and to the fourth order too they are as good as all directions", fourth, dot(x, x) ** 2 / 5)
    d.say("So Q has three eigenvalues: on I, on traceless symmetric S, on antisymmetric S.")
    tests = sp.eye(3), sp.diag(1, -1, 0), sp.Matrix([[0, 1, 0], [-1, 0, 0], [0, 0, 0]])
    H = mean(hessians)[0, 0]
    values = [squared(S, hessians, sp.Integer(1))[0, 1 if i == 2 else 0] for i, S in enumerate(tests)]
    rho = 1 - 2 * eta * H + eta**2 * values[0]
    d.equal("on I: rho(Q) = 1 - 2 eta (2 + eps)/3 + eta^2 (2 + eps^2)/3", rho, RADIUS_AXES)
    fall = 1 - epsilon
    d.equal("the traceless one is smaller by eta^2 times", values[0] - values[1], fall**2 / 5)
    d.equal("the antisymmetric one by eta^2 times", values[0] - values[2], fall**2 / 3)
    d.equal("The edge", at(RADIUS_AXES, (eta, EDGE_AXES)), 1)
    shares = [dot(u, DIAGONAL) ** 2 / (3 * unit) for u in AXES]
    d.say("At (1, 1, 1) three axes have the share t = (5 + 2 sqrt 5)/15 of it, three (5 - 2 sqrt 5)/15.")
    d.equal("In the mean 1/3", mean(shares), sp.Rational(1, 3))
    ratios = [(1 - t + epsilon**3 * t) / (1 - t + epsilon**2 * t) for t in shares]
    g = hessians[0] * x
    shrunk = dot(x, x) - (1 - epsilon**2) * dot(AXES[0], x) ** 2 / unit
    d.equal("|H_i x|^2 = |x|^2 - (1 - epsilon^2)(u_i^T x)^2", dot(g, g), shrunk)
    d.equal("BS, b = 1", mean(ratios), SHARPNESS_AXES)
    above = 4 * epsilon * (4 - epsilon) * (2 - epsilon) * (1 - epsilon) ** 2
    d.equal(
        "At the edge eta* BS exceeds 2, for every epsilon between 0 and 1",
        EDGE_AXES * SHARPNESS_AXES - 2,
        above / ((epsilon**2 + 2) * (epsilon**4 + 28 * epsilon**2 + 16)),
    )
    fifth = (epsilon, sp.Rational(1, 5)), (eta, sp.Rational(53, 25))
    d.equal("epsilon = 0.2, eta = 2.12: rho(Q) is below 1", at(RADIUS_AXES, *fifth), sp.Rational(44384, 46875))
    d.equal("and eta BS is above 2", at(eta * SHARPNESS_AXES, *fifth), sp.Rational(306817, 148625))
    domain = {"epsilon": Interval(0.0, 1.0)}
    d.claim(
        id="sgd.six_axes",
        statement="Six axes of the icosahedron: at the edge eta* batch sharpness at (1, 1, 1) is above 2/eta*",
        kind="inequality",
        left=by_name(2 / EDGE_AXES, domain),
        right=by_name(SHARPNESS_AXES, domain),
        domain=domain,
    )
    experiment_claim(
        d,
        "sgd.sharpness_is_no_edge",
        "sharpness_is_no_edge",
        "Six axes: eta times batch sharpness exceeds 2 at (1, 1, 1), yet the second moment falls",
    )
    return d


def _sphere() -> Derivation:
    d = Derivation(
        "sgd_all_axes",
        "Batch sharpness above 2/eta at every point, at a stable step size",
        "H = I - (1 - epsilon) u u^T, u uniform on the sphere in three dimensions, b = 1",
    )
    t = sp.Symbol("t", positive=True)
    d.say("The component t of a uniform u along any fixed direction is uniform on [-1, 1] (Archimedes).")
    for power, value in ((2, sp.Rational(1, 3)), (4, sp.Rational(1, 5))):
        d.equal(f"E t^{power}, as for the six axes: the same Q, the same edge", sp.Integral(t**power, (t, 0, 1)), value)
    ratio = (1 - (1 - epsilon**3) * t**2) / (1 - (1 - epsilon**2) * t**2)
    part = t * _SHARE + (1 - _SHARE) * sp.log((1 + _ROOT * t) / (1 - _ROOT * t)) / (2 * _ROOT)
    d.say("r_B = (1 - (1 - epsilon^3) t^2)/(1 - (1 - epsilon^2) t^2). Its integral over 0 < t < 1:")
    d.equal("the integrand has this primitive", sp.diff(part, t), ratio)
    d.equal("so BS, at EVERY point", at(part, (t, 1)), SHARPNESS_SPHERE)
    value = sp.Rational(49, 40) - sp.Rational(9, 64) * sp.log(9)
    d.equal("With epsilon = 3/5 it is", at(SHARPNESS_SPHERE, (epsilon, sp.Rational(3, 5))), value)
    domain = {"epsilon": Interval(0.0, 1.0)}
    d.claim(
        id="sgd.all_axes",
        statement="Axes all over the sphere: at the edge eta* batch sharpness is above 2/eta* at every point",
        kind="inequality",
        left=by_name(2 / EDGE_AXES, domain),
        right=by_name(SHARPNESS_SPHERE, domain),
        domain=domain,
    )
    return d


def _gaussian() -> Derivation:
    d = Derivation(
        "sgd_gaussian_gauge",
        "Linear regression on Gaussian inputs: a natural instance",
        "H_i = x_i x_i^T, x_i ~ N(0, I_d), no label noise, p = 1/b, kappa_3 = 1/b^2",
    )
    for size in (1, 2):
        second = sum(wick(0, 0, j, j) for j in range(size))
        third = sum(wick(0, 0, i, i, j, j) for i in range(size) for j in range(size))
        known = (dimension + 2) * (dimension + 4)
        d.equal(f"d = {size}: E[(x x^T)^3] = (d + 2)(d + 4) I", third, at(known, (dimension, size)))
        cubed = 1 + 3 * (second - 1) / b + (third - 3 * second + 2) / b**2
        text = f"d = {size}: E[H_B^3] = H^3 + 3 p <DH^2> + kappa_3 <DH^3>"
        d.equal(text, cubed, at(THIRD_GAUSSIAN, (dimension, size)))
    values = (b, 8), (dimension, 10), (eta, sp.Rational(4, 5))
    growth = 1 - 2 * eta + eta**2 * GAUSSIAN
    d.say("d = 10, b = 8, eta = 0.8, at any point: E|x|^2 is multiplied by 0.92 a step, yet")
    d.equal("growth", at(growth, *values), sp.Rational(23, 25))
    d.equal("eta RM is above 2", at(eta * THIRD_GAUSSIAN / GAUSSIAN, *values), sp.Rational(231, 95))
    d.say("Batch sharpness itself, the mean of ratios, has no closed form; by simulation eta BS is about 2.07.")
    excess = THIRD_GAUSSIAN - GAUSSIAN**2
    d.equal("RM is above 2/eta* for any b and d", excess, (b * (dimension + 1) + dimension + 3) / b**2)
    d.say("So eta RM > 2 at the edge itself, always.")
    domain = {"b": POSITIVE, "d": POSITIVE}
    d.claim(
        id="sgd.gaussian_gauge",
        statement="Gaussian inputs: the ratio of means E[g_B^T H_B g_B]/E|g_B|^2 is above 2/eta* at every point",
        kind="inequality",
        left=by_name(GAUSSIAN, domain),
        right=by_name(THIRD_GAUSSIAN / GAUSSIAN, domain),
        domain=domain,
    )
    return d


def _unstable() -> Derivation:
    d = Derivation("sgd_gauge_below", "Batch sharpness below 2/eta is not stability", BATCHES)
    h = [sp.Matrix([x]) for x in (1, 2, 3, 6)]
    d.say("One dimension: r_B = h_B, so BS is the mean curvature for every b. Curvatures 1, 2, 3, 6:")
    spread = mean([(x[0] - 3) ** 2 for x in h])
    for size, value in ((1, sp.Rational(12, 25)), (2, sp.Rational(36, 61))):
        factor = factors(4, size, replacement=False)[0]
        d.equal(f"b = {size}: eta*", at(EDGE_1D, (a, mean(h)[0]), (sigma2, spread), (p, factor)), value)
    single = batch_sharpness(h, h, [(i,) for i in range(4)])
    d.equal("eta* BS with b = 1, below 2", at(EDGE_1D * single, (a, 3), (sigma2, spread), (p, 1)), sp.Rational(36, 25))
    d.equal("always: eta* BS = 2/(1 + p V/a^2)", EDGE_1D * a, 2 / (1 + p * sigma2 / a**2))
    edge = 2 / quotient(sp.eye(2), HESSIANS, p)
    d.say("Rows (1, 0), (0, 1), (1, 1), (1, -1), y = (1, 2, 0, 1), b = 1: BS = tr H wherever no residual is 0.")
    d.equal("eta* tr H", at(edge * mean(HESSIANS).trace(), (p, 1)), sp.Rational(9, 5))
    S = stationary(HESSIANS, GRADIENTS, sp.Integer(1), eta)
    found = law(HESSIANS, GRADIENTS, sp.zeros(2, 1), S, sp.Integer(1), sp.Integer(1))
    stable = (eta, sp.Rational(23, 20))
    growth = 1 - 2 * eta * mean(HESSIANS)[0, 0] + eta**2 * squared(sp.eye(2), HESSIANS, sp.Integer(1))[0, 0]
    d.equal("At eta = 1.15 it is stable", at(growth, stable), sp.Rational(297, 320))
    gauge = at(eta * found["own"] / found["batch"], stable)
    d.equal("and the stationary eta RM is above 2: both gauges fail on one data set", gauge, sp.Rational(16445, 8000))
    domain = {"a": POSITIVE, "V": NON_NEGATIVE, "p": UNIT_CLOSED}
    d.claim(
        id="sgd.gauge_1d",
        statement="One dimension: at the mean-square edge eta* batch sharpness a is at most 2/eta*",
        kind="inequality",
        left=by_name(a, domain),
        right=by_name(2 / EDGE_1D, domain),
        domain=domain,
    )
    return d


def _coincide() -> Derivation:
    d = Derivation(
        "sgd_gauges_coincide",
        "Where batch sharpness and the mean-square edge coincide, b = 1",
        "least squares, H_i = c x_i x_i^T, h_i = c |x_i|^2, BS = tr H = <h_i>",
    )
    size = sp.symbols("t_1:4", real=True)
    rows = [sp.Matrix([(1 - t**2) / (1 + t**2), 2 * t / (1 + t**2)]) for t in size]
    same = [c * row * row.T for row in rows]
    d.say("Three rows of equal length, h_i = c.")
    for i, j in ((0, 0), (0, 1)):
        d.equal(
            f"D(I) = c C(I), entry {i + 1}{j + 1}: sufficient and trace bound meet",
            squared(sp.eye(2), same, sp.Integer(1))[i, j],
            c * mean(same)[i, j],
        )
    d.equal("2/eta* = c = tr H = BS", mean(same).trace(), c)
    h = sp.symbols("h_1:4", positive=True)
    unequal = [hi * row * row.T for hi, row in zip(h, rows, strict=True)]
    bound = quotient(sp.eye(2), unequal, sp.Integer(1))
    d.equal("Unequal rows, S = I: 2/eta* >= <h_i^2>/<h_i>", bound, mean([x**2 for x in h]) / mean(h))
    gap = mean([x**2 for x in h]) - mean(h) ** 2
    d.equal("above tr H by Var(h)/<h>: batch sharpness is too optimistic", bound - mean(unequal).trace(), gap / mean(h))
    d.equal("no gap for equal ones", at(gap / mean(h), *((hi, c) for hi in h)), 0)
    d.claim(
        id="sgd.rows",
        statement="Least squares, b = 1, three rows: batch sharpness tr H = <h_i> is at most <h_i^2>/<h_i>, so 2/eta*",
        kind="inequality",
        left=mean(h),
        right=mean([x**2 for x in h]) / mean(h),
        domain={x.name: POSITIVE for x in h},
    )
    return d
