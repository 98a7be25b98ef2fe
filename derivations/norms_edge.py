"""The edge of steepest descent in any norm: S = 2/eta, and 2 G/eta where the step is normalised."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, by_name, experiment_claim
from .directional_identity import NORMALISED, SIGNED, STEEPEST, D, G
from .norms_sharpness import PLANE, PSD, H, h11, h22, q
from .stochastic_batches import largest

MODEL = "L = w^T H w / 2, w+ = w - eta G LMO(g), g = H w, G = |g|_*, q(d) = d^T H d, S = max of q over |d| = 1"
SOURCE = "arXiv:2603.05002, re-derived"
INSIDE = Interval(-1.0, 1.0)

w = sp.Matrix(sp.symbols("w_1 w_2", real=True))
S, mu, L = sp.symbols("S mu L", positive=True)


def linf_step(H: sp.Matrix, w: sp.Matrix) -> sp.Matrix:
    """Return w after a step of steepest descent in linf."""
    g = H * w
    return w - eta * sum(sp.Abs(gi) for gi in g) * g.applyfunc(sp.sign)


def l4_step(h: Sequence[sp.Expr], w: sp.Matrix) -> sp.Matrix:
    """Return w after a step of steepest descent in l4, diagonal H, all w_i > 0."""
    g = [hi * wi for hi, wi in zip(h, w, strict=True)]
    third = sp.Rational(1, 3)
    G = sum(gi ** (4 * third) for gi in g) ** sp.Rational(3, 4)
    return sp.Matrix([wi - eta * G ** (1 - third) * gi**third for wi, gi in zip(w, g, strict=True)])


def loss(H: sp.Matrix, w: sp.Matrix) -> sp.Expr:
    """Return w^T H w / 2."""
    return q(H, w) / 2


def derive() -> list[Derivation]:
    """Return the edge on a ray, the rate below it, and how it scales."""
    return [_ray(), _normalised(), _rate(), _scaling()]


def _ray() -> Derivation:
    d = Derivation("norms_edge", "The edge of steepest descent in a norm", MODEL, SOURCE)
    size, curvature = sp.symbols("c q", positive=True)
    d.say(
        "d is stationary if LMO(H d) = d: every maximiser of q with S >= 0 is. Then |H d|_* = <H d, d> = q(d). "
        "At w = c d the gradient is c H d, so G = |c| q and LMO = sgn(c) d."
    )
    d.equal(
        "A step on the ray, c > 0, leads to c (1 - eta q)",
        size - eta * (size * curvature),
        (1 - eta * curvature) * size,
    )
    d.equal("for c < 0 too", -size - eta * (size * curvature) * -1, (1 - eta * curvature) * -size)
    d.equal("The multiplier is -1 at q = 2/eta", at(1 - eta * curvature, (curvature, 2 / eta)), -1)
    d.say("The first stationary direction to reach 2/eta is the maximiser: the edge is S = 2/eta. Three norms:")
    p = sp.Symbol("p", positive=True)
    plane = sp.Matrix([[h11, p], [p, h22]])
    after = linf_step(plane, sp.Matrix([size, size]))
    d.equal("linf, h_12 > 0, d = (1, 1)", after[0], (1 - eta * q(plane, (1, 1))) * size)
    d.equal("second coordinate", after[1], after[0])
    first = sp.Matrix([size, 0])
    d.equal("l2, an eigenvector", (first - eta * sp.diag(h11, h22) * first)[0], (1 - eta * h11) * size)
    h, best = (h11, h22), sp.Matrix([sp.sqrt(h11), sp.sqrt(h22)])
    after = l4_step(h, size * best)
    top = sp.sqrt(h11**2 + h22**2)
    d.equal(
        "l4, diagonal H: d in proportion to the roots of h_i, S = |h|_2",
        sp.simplify(after[0]),
        (1 - eta * top) * size * best[0],
    )
    d.equal("second coordinate", sp.simplify(after[1]), (1 - eta * top) * size * best[1])
    d.claim(
        id="norms.ray_linf",
        statement="linf in the plane, h_12 = p > 0: from (c, c) the loss grows by (1 - eta S)^2, S = h_11 + h_22 + 2p",
        kind="equality",
        left=loss(plane, linf_step(plane, sp.Matrix([size, size]))),
        right=(1 - eta * q(plane, (1, 1))) ** 2 * loss(plane, sp.Matrix([size, size])),
        domain=PLANE | {"eta": POSITIVE, "p": POSITIVE, "c": POSITIVE},
    )
    for name, measured_by, statement in (
        ("below_the_edge", "norms_below_edge", "Below 2/S every start converges, at least at the rate derived"),
        ("above_the_edge", "norms_above_edge", "Above 2/S a start near the maximiser diverges at the rate eta S - 1"),
        (
            "coexistence",
            "norms_coexistence",
            "A little above 2/S some starts diverge and others converge, except in l2",
        ),
    ):
        experiment_claim(d, f"norms.{name}", measured_by, statement)
    return d


def _normalised() -> Derivation:
    d = Derivation(
        "norms_edge_normalised", "The edge of normalised steepest descent", "w+ = w - eta LMO(g), G = |g|_*", SOURCE
    )
    size, curvature, norm = sp.symbols("c q G", positive=True)
    d.say("The same step with eta/G in place of eta. With G held, on the ray of a stationary d:")
    multiplier = 1 - eta / norm * curvature
    d.equal("The multiplier is -1 at q = 2 G/eta", at(multiplier, (curvature, 2 * norm / eta)), -1)
    d.equal("On the ray itself G = c q, so c falls by eta", at(multiplier, (norm, size * curvature)) * size, size - eta)
    d.equal("Any loss changes in a step by", at(NORMALISED, (D, 2 * G / eta)), 0)
    d.say("where D = 2 G/eta. On a quadratic D = q(LMO) <= S, so S/G = 2/eta is where it may first rise.")
    plane = at(NORMALISED, (D, S))
    d.equal("A step lowers a quadratic loss at least by eta (G - eta S / 2)", plane, -eta * (G - eta * S / 2))
    return d


def _rate() -> Derivation:
    d = Derivation("norms_rate", "Below 2/S the loss falls at a rate", MODEL, SOURCE)
    falls = at(STEEPEST, (D, S))
    d.equal("D = q(LMO) <= S in every step, so L+ - L is at most", falls, -eta * (1 - eta * S / 2) * G**2)
    size = sp.Symbol("n", positive=True)
    d.say("mu = min of q over |d| = 1, n = |w|. Then mu n^2 <= w^T H w = 2 L, and 2 L = <g, w> <= G n.")
    d.equal("So G^2 >= (2 L / n)^2, and with n^2 <= 2 L / mu", (2 * L / size) ** 2 * size**2 / (2 * L / mu), 2 * mu * L)
    factor = 1 - 2 * eta * mu * (1 - eta * S / 2)
    d.equal("So L+ <= (1 - 2 eta mu (1 - eta S / 2)) L", L + at(falls, (G, sp.sqrt(2 * mu * L))), factor * L)
    d.equal("The factor is 1 at the edge", at(factor, (S, 2 / eta)), 1)
    d.equal("and least at eta = 1/S", at(sp.diff(factor, eta), (eta, 1 / S)), 0)
    d.equal("where it is 1 - mu / S", at(factor, (eta, 1 / S)), 1 - mu / S)
    fraction = sp.Symbol("s", positive=True)
    point = sp.Matrix([sp.Symbol("w_1", real=True), sp.Symbol("w_2", real=True)])
    domain = PLANE | {"c": INSIDE, "s": Interval(0.0, 1.0), "w_1": SIGNED, "w_2": SIGNED}
    value = PSD[0, 1]
    free = [sp.Max(-1, sp.Min(1, -value / x)) for x in (h22, h11)]
    sharpness = {
        "linf": h11 + h22 + 2 * sp.Abs(value),
        "l2": largest(PSD)[0],
        "l1": sp.Max(h11, h22),
    }
    least = {
        "linf": sp.Min(q(PSD, (1, free[0])), q(PSD, (free[1], 1))),
        "l2": largest(PSD)[1],
        "l1": (h11 * h22 - value**2) / (h11 + h22 + 2 * sp.Abs(value)),
    }
    g = PSD * point
    bigger = sp.Heaviside(sp.Abs(g[0]) - sp.Abs(g[1]), 1)
    step = {
        "linf": (sp.Abs(g[0]) + sp.Abs(g[1])) * g.applyfunc(sp.sign),
        "l2": g,
        "l1": sp.Matrix([bigger * g[0], (1 - bigger) * g[1]]),
    }
    for name, text in (("linf", "linf descent"), ("l2", "gradient descent"), ("l1", "greedy coordinate descent")):
        size = 2 * fraction / sharpness[name]
        rate = 1 - 2 * size * least[name] * (1 - fraction)
        d.claim(
            id=f"norms.rate_{name}",
            statement=f"Plane, H > 0, eta = 2s/S, {text}: L+ is at most (1 - 2 eta mu (1 - s)) L",
            kind="inequality",
            left=by_name(loss(PSD, point - size * step[name]), domain),
            right=by_name(rate * loss(PSD, point), domain),
            domain=domain,
        )
    return d


def _scaling() -> Derivation:
    d = Derivation("norms_scaling", "How S, G and the edge scale", MODEL, "derived")
    alpha, k, step = sp.symbols("alpha k u", positive=True)
    d.say("A norm alpha |.|: unit vectors are d / alpha, so LMO / alpha, G / alpha and S / alpha^2 (u = G LMO).")
    d.equal("q(d / alpha)", q(H, w / alpha), q(H, w) / alpha**2)
    d.equal("The same step with eta alpha^2", (eta * alpha**2) * (step / alpha / alpha), eta * step)
    d.equal("and eta S is the same", (eta * alpha**2) * (S / alpha**2), eta * S)
    d.equal("normalised with eta alpha: eta S / G the same", (eta * alpha) * (S / alpha**2) / (G / alpha), eta * S / G)
    d.say("A loss k L has k S and k G.")
    d.equal("The normalised edge S/G does not see it", (k * S) / (k * G), S / G)
    d.equal("the other one needs eta / k", eta / k * (k * S), eta * S)
    d.equal("Change of the loss with them", at(STEEPEST, (D, k * D), (G, k * G), (eta, eta / k)), k * STEEPEST)
    return d
