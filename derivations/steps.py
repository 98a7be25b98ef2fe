"""Methods without memory: one multiplier a step, a polynomial in k = eta h."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.symbolic import eta, h, z
from eossim.symbolic.derivation import Derivation

from .common import at, edge_claim

k = sp.Symbol("k", positive=True)


def derive() -> list[Derivation]:
    """Return the edges of memoryless methods with one step size."""
    return [_metric(), _extragradient(), _runge_kutta_2(), _runge_kutta_4(), _implicit()]


def _multiplier(rule: rules.Rule) -> sp.Expr:
    """Return the factor of one step as a function of k = eta h."""
    return sp.expand(rule.linearization.multiplier.subs(h, k / eta))


def _metric() -> Derivation:
    d = Derivation(
        "preconditioned_gd",
        "Gradient descent in a fixed metric, and with one step size per coordinate",
        "L(w) = w^T H w / 2, w+ = w - eta P^-1 H w with P = diag(p_1, p_2) positive, H = [[a, b], [b, c]]",
    )
    a, b, c = sp.symbols("a b c", real=True)
    p = sp.symbols("p_1 p_2", positive=True)
    H, P = sp.Matrix([[a, b], [b, c]]), sp.diag(*p)
    root = sp.diag(*(sp.sqrt(x) for x in p))
    step = sp.eye(2) - eta * P.inv() * H
    symmetric = root.inv() * H * root.inv()
    d.say("In the coordinates y = P^(1/2) w the step is y+ = (I - eta P^-1/2 H P^-1/2) y: a similarity.")
    similar = root * step * root.inv()
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        d.equal(
            f"entry ({i + 1}, {j + 1}) of P^1/2 (I - eta P^-1 H) P^-1/2",
            similar[i, j],
            int(i == j) - eta * symmetric[i, j],
        )
    d.equal("The matrix on the right is symmetric", symmetric[0, 1], symmetric[1, 0])
    d.equal(
        "and has the characteristic polynomial of the step",
        (z * sp.eye(2) - step).det(),
        (z * sp.eye(2) - sp.eye(2) + eta * symmetric).det(),
    )
    d.say(
        "It has an orthonormal eigenbasis. With h an eigenvalue of P^-1/2 H P^-1/2 each mode is gradient descent on it."
    )
    d.equal("One mode of the rule", rules.preconditioned_gd.linearization.multiplier, 1 - eta * h)
    d.equal("reaches -1 at h = 2 / eta", at(1 - eta * h, (h, 2 / eta)), -1)
    edge_claim(d, rules.preconditioned_gd, 2 / eta)

    d.say(
        "One step size per coordinate is the case eta = 1, P = diag(eta_1, eta_2)^-1: h is an eigenvalue of the "
        "scaled H."
    )
    steps = sp.symbols("eta_1 eta_2", positive=True)
    inverse = {x: 1 / e for x, e in zip(p, steps, strict=True)}
    scale = sp.diag(*(sp.sqrt(e) for e in steps))
    d.equal(
        "Its off-diagonal entry is that of diag(etas)^1/2 H diag(etas)^1/2",
        symmetric[0, 1].subs(inverse),
        (scale * H * scale)[0, 1],
    )
    d.equal("One mode of the rule reaches -1", at(rules.per_parameter_lr.linearization.multiplier, (h, 2)), -1)
    edge_claim(d, rules.per_parameter_lr, sp.Integer(2))
    return d


def _extragradient() -> Derivation:
    rule = rules.extragradient
    d = Derivation("extragradient", "Extragradient loses stability at +1", "w+ = w - eta g(w - eta g(w)), g(w) = h w")
    m = _multiplier(rule)
    d.equal("With k = eta h one step multiplies w by 1 - k (1 - k)", m, 1 - k * (1 - k))
    d.equal("which is never below 3/4, its value at k = 1/2", m, sp.Rational(3, 4) + (k - sp.Rational(1, 2)) ** 2)
    d.equal("so it leaves the interval (-1, 1) only upwards, where", m - 1, k * (k - 1))
    d.say("is positive: for k > 1. The iterate then creeps away without changing sign.")
    d.equal("The derived edge is this value", rule.edge.expression, 1 / eta)
    edge_claim(d, rule, 1 / eta)
    return d


def _runge_kutta_2() -> Derivation:
    rule = rules.runge_kutta_2
    d = Derivation(
        "runge_kutta_2", "Heun's method on gradient flow", "w' = -h w, one step of the explicit trapezoidal rule"
    )
    m = _multiplier(rule)
    d.equal("The multiplier is the exponential series up to k^2", m, 1 - k + k**2 / 2)
    d.equal("It is at least 1/2, so it never reaches -1", m, sp.Rational(1, 2) + (k - 1) ** 2 / 2)
    d.equal("and exceeds 1 beyond k = 2", m - 1, k * (k - 2) / 2)
    edge_claim(d, rule, 2 / eta)
    return d


def _runge_kutta_4() -> Derivation:
    rule = rules.runge_kutta_4
    d = Derivation("runge_kutta_4", "The classical Runge-Kutta method on gradient flow", "w' = -h w, one step of RK4")
    m = _multiplier(rule)
    d.equal("The multiplier is the exponential series up to k^4", m, sum((-k) ** n / sp.factorial(n) for n in range(5)))
    d.equal(
        "It is a sum of positive terms, so it never reaches -1",
        m,
        (k**2 - 2 * k + 2) ** 2 / 24 + ((k - 2) ** 2 + 1) / 6,
    )
    cubic = k**3 - 4 * k**2 + 12 * k - 24
    d.equal("It equals 1 at k = 0 and at the roots of a cubic", m - 1, k * cubic / 24)
    d.equal("which increases everywhere", sp.diff(cubic, k), 3 * (k - sp.Rational(4, 3)) ** 2 + sp.Rational(20, 3))
    d.say("so that it has one real root, given by Cardano's formula; its value is 2.785293563405...")
    c = sp.cbrt(172 + 36 * sp.sqrt(29))
    root = (4 + c - 20 / c) / 3
    d.equal("Cardano's root inserted in the cubic", at(cubic, (k, root)), 0)
    edge_claim(d, rule, root / eta)
    return d


def _implicit() -> Derivation:
    rule = rules.implicit_gd
    d = Derivation("implicit_gd", "Implicit gradient descent has no edge", "w+ = w - eta g(w+), g(w) = h w")
    m = _multiplier(rule)
    d.equal("Solving w+ (1 + k) = w gives the multiplier", rule.linearization.multiplier.subs(h, k / eta), 1 / (1 + k))
    d.equal("It is positive and below 1 by", 1 - m, k / (1 + k))
    d.say("for every k > 0: no curvature is unstable. This row is the negative control of the catalogue.")
    edge_claim(d, rule, sp.oo)
    return d
