"""linf descent on (a b - 1)^2 / 2: a conserved quantity, one cubic map, its edge, 2-cycle and doubling, exactly."""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, experiment_claim
from .directional_identity import LOSS, SIGNED

MODEL = "L = (a b - 1)^2 / 2, a, b > 0, linf descent, delta = a - b, m = delta^2 + 4"
SOURCE = "derived"

a, b = sp.symbols("a b", positive=True)
p, m = sp.symbols("p m", positive=True)
delta = sp.Symbol("delta", real=True)
kappa, x, y = sp.symbols("kappa x y", positive=True)
#: The map of x = (a + b) / sqrt m with kappa = eta m / 2, and sum and difference of the two points of its 2-cycle.
STEP = x * (1 + kappa * (1 - x**2))
SUM, DIFFERENCE = sp.sqrt(1 + 3 / kappa), sp.sqrt(1 - 1 / kappa)
HIGH, LOW = (SUM + DIFFERENCE) / 2, (SUM - DIFFERENCE) / 2
#: Multiplier over the two steps; -1 at the doubling.
CYCLE_MULTIPLIER = 9 - 2 * (1 + kappa) ** 2
DOUBLING = sp.sqrt(5) - 1
SHARPNESS = delta**2 + 4


def derive() -> list[Derivation]:
    """Return the edge at the minimum, the 2-cycle beyond it, and the mean of D on it."""
    return [_edge(), _cycle(), _smoothness()]


def _edge() -> Derivation:
    d = Derivation("norms_ab_toy", "The edge of linf descent on (a b - 1)^2 / 2", MODEL, SOURCE)
    residual = a * b - 1
    move = -eta * residual * (a + b)
    d.say("The gradient is (a b - 1)(b, a): both coordinates move by -eta (a b - 1)(a + b), so delta is conserved.")
    total = a + b + 2 * move
    reduced = p * (1 + eta * (m - p**2) / 2)
    known = (p, a + b), (m, (a - b) ** 2 + 4)
    d.equal("p = a + b follows p+ = p (1 + eta (m - p^2) / 2)", total, at(reduced, *known))
    hessian = sp.hessian(LOSS, (a, b))
    along = sum(hessian)
    d.equal("At a minimum, b = 1/a, S = (1, 1) H (1, 1) = (a + b)^2", at(along, (b, 1 / a)), (a + 1 / a) ** 2)
    d.equal("which is delta^2 + 4 = m", (a + 1 / a) ** 2, (a - 1 / a) ** 2 + 4)
    euclidean = (hessian.trace().subs(b, 1 / a), hessian.det().subs(b, 1 / a))
    d.equal("In l2, S = delta^2 + 2: the eigenvalues there have this sum", euclidean[0], (a - 1 / a) ** 2 + 2)
    d.equal("and product", euclidean[1], 0)
    d.equal("The multiplier at p^2 = m is 1 - eta m", at(sp.diff(reduced, p), (p, sp.sqrt(m))), 1 - eta * m)
    d.equal("so -1 at eta = 2 / (delta^2 + 4)", at(1 - eta * m, (eta, 2 / SHARPNESS), (m, SHARPNESS)), -1)
    d.claim(
        id="norms.ab_conserved",
        statement="linf descent on (a b - 1)^2 / 2, a, b > 0: a + b follows p (1 + eta (delta^2 + 4 - p^2) / 2)",
        kind="equality",
        left=total,
        right=(a + b) * (1 + eta * ((a - b) ** 2 + 4 - (a + b) ** 2) / 2),
        domain={"eta": POSITIVE, "a": POSITIVE, "b": POSITIVE},
    )
    experiment_claim(
        d,
        "norms.ab_toy",
        "linf_on_ab_toy",
        "linf descent on (a b - 1)^2 / 2 keeps a - b, settles below 2 / (delta^2 + 4) and is on the 2-cycle above",
    )
    return d


def _cycle() -> Derivation:
    d = Derivation(
        "norms_ab_cycle", "The 2-cycle of linf descent on (a b - 1)^2 / 2", MODEL + ", kappa = eta m / 2", SOURCE
    )
    scaled = at(p * (1 + eta * (m - p**2) / 2), (p, sp.sqrt(m) * x), (eta, 2 * kappa / m)) / sp.sqrt(m)
    d.equal("x = p / sqrt m follows x+ = x (1 + kappa (1 - x^2))", scaled, STEP)
    back = STEP.subs(x, y)
    d.say("A 2-cycle x, y solves y = x+ and x = y+. Sum and difference of the two equations:")
    d.equal("sum", (STEP - x) + (back - y), kappa * (x + y) * (1 - (x**2 - x * y + y**2)))
    d.equal("difference", (STEP - y) - (back - x), (x - y) * (2 + kappa * (1 - (x**2 + x * y + y**2))))
    d.say("So x^2 - x y + y^2 = 1, x^2 + x y + y^2 = 1 + 2/kappa: (x + y)^2 = 1 + 3/kappa, (x - y)^2 = 1 - 1/kappa.")
    d.equal("x y = 1/kappa", sp.expand(HIGH * LOW), 1 / kappa)
    d.equal("x^2 + y^2 = 1 + 1/kappa", sp.expand(HIGH**2 + LOW**2), 1 + 1 / kappa)
    d.equal("The upper point leads to the lower one", sp.expand(STEP.subs(x, HIGH)), sp.expand(LOW))
    d.equal("and back", sp.expand(STEP.subs(x, LOW)), sp.expand(HIGH))
    d.say("It is real for kappa > 1, eta > 2/m: it is born at the edge, where both points are 1.")
    slopes = sp.expand(sp.diff(STEP, x) * sp.diff(back, y))
    known = 1 + 1 / kappa, 1 / kappa
    symmetric = (1 + kappa) ** 2 - 3 * kappa * (1 + kappa) * known[0] + 9 * kappa**2 * known[1] ** 2
    d.equal("The slope of the map", sp.diff(STEP, x), 1 + kappa - 3 * kappa * x**2)
    d.equal(
        "Over two steps",
        slopes,
        sp.expand((1 + kappa) ** 2 - 3 * kappa * (1 + kappa) * (x**2 + y**2) + 9 * kappa**2 * (x * y) ** 2),
    )
    d.equal("that is 9 - 2 (1 + kappa)^2", symmetric, CYCLE_MULTIPLIER)
    d.equal("1 at the edge, kappa = 1", at(CYCLE_MULTIPLIER, (kappa, 1)), 1)
    d.equal(
        "and -1 at kappa = sqrt 5 - 1: from eta = 2 (sqrt 5 - 1) / m on the period is 4",
        at(CYCLE_MULTIPLIER, (kappa, DOUBLING)),
        -1,
    )
    d.say("All this needs a, b > 0, p > |delta|. The lower point falls as kappa grows. At the doubling:")
    squares = (1 + 3 / kappa) * (1 - 1 / kappa)
    d.equal("(x^2 - y^2)^2 is 1/kappa^2", at(squares, (kappa, DOUBLING)), 1 / DOUBLING**2)
    d.equal("so the lower x^2 = (1 + 1/kappa - 1/kappa) / 2", ((1 + 1 / kappa) - 1 / kappa) / 2, sp.Rational(1, 2))
    d.say("p^2 = m / 2, above delta^2 iff |delta| < 2. With larger |delta| the smaller coordinate crosses zero before.")
    domain = {"kappa": Interval(1.0, 1.2360679774997896)}
    d.claim(
        id="norms.ab_cycle",
        statement="Beyond the edge, kappa = eta m / 2 > 1: the upper point of the closed form leads to the lower one",
        kind="equality",
        left=STEP.subs(x, HIGH),
        right=LOW,
        domain=domain,
    )
    d.claim(
        id="norms.ab_cycle_stable",
        statement="The 2-cycle is stable for 1 < kappa < sqrt 5 - 1",
        kind="inequality",
        left=CYCLE_MULTIPLIER**2,
        right=sp.Integer(1),
        domain=domain,
    )
    return d


def _smoothness() -> Derivation:
    d = Derivation("norms_ab_smoothness", "D on the 2-cycle of linf descent on (a b - 1)^2 / 2", MODEL, SOURCE)
    q, u = sp.Symbol("q", positive=True), sp.Symbol("u", real=True)
    loss = ((p**2 - m) / 4) ** 2 / 2
    d.equal(
        "With a = (p + delta)/2, b = (p - delta)/2: a b - 1 =",
        ((p + delta) / 2) * ((p - delta) / 2) - 1,
        at((p**2 - m) / 4, (m, SHARPNESS)),
    )
    gradient = p * sp.Abs(p**2 - m) / 4
    d.equal("so G^2, G = |a b - 1| (a + b)", gradient**2, p**2 * (p**2 - m) ** 2 / 16)
    d.say("Moving both coordinates by u changes p by 2u. From p to q: |v| = |q - p| / 2 and <g, v> = L'(p)(q - p).")
    smooth = (loss.subs(p, q) - loss - sp.diff(loss, p) * (q - p)) / ((q - p) ** 2 / 8)
    closed = (q**2 + 2 * p * q + 3 * p**2 - 2 * m) / 4
    d.equal("D is a quadratic in p and q", smooth, closed)
    d.equal(
        "At q = p it is the curvature along (1, 1), four times L''",
        at(closed, (q, p)),
        sp.expand(4 * sp.diff(loss, p, 2)),
    )
    d.equal("which is m = S at the minimum", at(sp.expand(4 * sp.diff(loss, p, 2)), (p, sp.sqrt(m))), m)
    d.say("On the cycle p = sqrt(m) x, q = sqrt(m) y, |q - p| = 2 eta G. G is the same at both points:")
    lengths = (kappa * x * (1 - x**2)) ** 2
    for name, point in (("upper", HIGH), ("lower", LOW)):
        d.equal(f"(x+ - x)^2 at the {name} point", sp.expand(lengths.subs(x, point)), 1 - 1 / kappa)
    mean = (closed + closed.subs({p: q, q: p}, simultaneous=True)) / 2
    d.equal("The mean of D", mean, (p**2 + q**2) / 2 + p * q / 2 - m / 2)
    d.equal(
        "with p^2 + q^2 = m (1 + 1/kappa), p q = m / kappa is m / kappa",
        m * (1 + 1 / kappa) / 2 + m / kappa / 2 - m / 2,
        m / kappa,
    )
    d.equal(
        "= 2/eta: exactly on the edge, as the identity of a run demands", at(m / kappa, (kappa, eta * m / 2)), 2 / eta
    )
    d.equal("though S at the minimum is kappa times that", m, kappa * (m / kappa))
    d.claim(
        id="norms.ab_smoothness",
        statement="L along u (1, 1): D = (q^2 + 2 p q + 3 p^2 - 2 m) / 4, q = p + 2u, gives L(q) - L(p)",
        kind="equality",
        left=loss.subs(p, p + 2 * u) - loss,
        right=2 * sp.diff(loss, p) * u + closed.subs(q, p + 2 * u) * u**2 / 2,
        domain={"p": POSITIVE, "m": POSITIVE, "u": SIGNED},
    )
    return d
