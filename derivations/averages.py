"""Several moving averages of the gradient: in parallel the edge is 2/(eta Q(-1)), one after another it need not be."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.domain import Interval
from eossim.symbolic import eta, h, parameter, z
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, edge_claim

UNIT = Interval(0.0, 1.0)


def derive() -> list[Derivation]:
    """Return the edges of parallel and cascaded moving averages."""
    return [_parallel(), _cascade()]


def _parallel() -> Derivation:
    family = rules.parallel_ema
    d = Derivation(
        "parallel_ema",
        "A weighted sum of moving averages",
        "m_j+ = beta_j m_j + (1 - beta_j) g, w+ = w - eta sum_j weight_j m_j+, weight_j >= 0",
        family.reference,
    )
    d.say("Each average has the transfer function (1 - beta_j) z / (z - beta_j), so Q(z) is their weighted sum.")
    for n in (1, 2, 3):
        betas, weights = _symbols("beta", n), _symbols("weight", n)
        pairs = list(zip(betas, weights, strict=True))
        transfer = sum(a * (1 - b) * z / (z - b) for b, a in pairs)
        if n < 3:
            poles = sp.Mul(*(z - b for b in betas))
            d.equal(
                f"n = {n}: the characteristic polynomial is prod(z - beta_j) (z - 1 + eta h Q(z))",
                family.member(n).linearization.charpoly,
                poles * (z - 1 + eta * h * transfer),
            )
        edge = _parallel_edge(n)
        d.equal(f"n = {n}: at h = 2 / (eta Q(-1)) a root is at -1", -2 + eta * edge * transfer.subs(z, -1), 0)
    d.say(
        "No root reaches the circle elsewhere. A root at z = exp(i omega), 0 < omega < pi, needs 1 / (eta h) = "
        "Q(z) / (1 - z), which must be real. Take one average, r = (1 - beta) z / ((z - beta) (1 - z)); 1/z is "
        "the conjugate of z."
    )
    b = parameter("beta")
    average = (1 - b) * z / ((z - b) * (1 - z))
    d.equal(
        "2 i Im r = r(z) - r(1/z) is 2 i sin(omega) = z - 1/z times a positive factor (two squared moduli below "
        "the line)",
        average - average.subs(z, 1 / z),
        (z - 1 / z) * (1 - b) ** 2 / ((1 - z) * (1 - 1 / z) * (z - b) * (1 / z - b)),
    )
    d.say(
        "So Im r > 0 for every average, and for their sum: no complex pair ever reaches the circle. At z = 1 the "
        "value is eta h sum weight_j > 0 times positive factors. What is left is z = -1. The same holds for any "
        "mixture of averages."
    )
    single = _parallel_edge(1).subs({parameter("beta_1"): b, parameter("weight_1"): 1})
    d.equal("One average is momentum as a moving average", single, rules.ema_momentum.edge.expression)
    d.say("With all weights zero there is no step and no edge: the claims take positive weights.")
    for n in (1, 2, 3):
        edge_claim(
            d, family, _parallel_edge(n), structure=n, narrowed={f"weight_{i}": POSITIVE for i in range(1, n + 1)}
        )
    return d


def _symbols(stem: str, n: int) -> list[sp.Symbol]:
    return [parameter(f"{stem}_{i}") for i in range(1, n + 1)]


def _parallel_edge(n: int) -> sp.Expr:
    pairs = zip(_symbols("beta", n), _symbols("weight", n), strict=True)
    return 2 / (eta * sp.Add(*(a * (1 - b) / (1 + b) for b, a in pairs)))


def _cascade() -> Derivation:
    rule = rules.cascaded_ema
    d = Derivation(
        "cascaded_ema",
        "A moving average of a moving average",
        "m_1+ = beta_1 m_1 + (1 - beta_1) g, m_2+ = beta_2 m_2 + (1 - beta_2) m_1+, w+ = w - eta m_2+",
    )
    x, y = _symbols("beta", 2)
    kappa = sp.Symbol("kappa", positive=True)
    inner = (1 - x) * (1 - y)
    polynomial = rule.linearization.charpoly.subs(h, kappa / (eta * inner))
    a2, a1, a0 = kappa - 1 - x - y, x * y + x + y, -x * y
    d.equal(
        "With kappa = eta h (1 - beta_1)(1 - beta_2): z^3 + a2 z^2 + a1 z + a0",
        polynomial,
        z**3 + a2 * z**2 + a1 * z + a0,
    )
    d.say(
        "The roots at h -> 0 are beta_1, beta_2 and a little less than 1: stable. Roots are continuous, and one "
        "reaches the circle only where p(1), p(-1) or the Schur-Cohn determinant 1 - a1 + a0 a2 - a0^2 vanishes."
    )
    d.equal("p(1) never does", 1 + a2 + a1 + a0, kappa)
    d.equal("-p(-1) does at kappa = 2 (1 + beta_1)(1 + beta_2)", 1 - a2 + a1 - a0, 2 * (1 + x) * (1 + y) - kappa)
    determinant = 1 - a1 + a0 * a2 - a0**2
    d.equal("The determinant is", determinant, (1 - x * y) * inner - x * y * kappa)
    u, v, t = sp.symbols("u v t")
    in_roots = {"a2": -(u + v + t), "a1": u * v + v * t + t * u, "a0": -u * v * t}
    d.equal(
        "For any cubic with roots u, v, t the determinant factors, so it vanishes when a conjugate pair has modulus 1",
        1 - in_roots["a1"] + in_roots["a0"] * in_roots["a2"] - in_roots["a0"] ** 2,
        (1 - u * v) * (1 - v * t) * (1 - t * u),
    )
    period_two = 2 * (1 + x) * (1 + y) / (inner * eta)
    pair = (1 - x * y) / (x * y * eta)
    d.equal("In h: period 2 at", at(2 * (1 + x) * (1 + y) - kappa, (kappa, eta * period_two * inner)), 0)
    d.equal("and the pair at", at(determinant, (kappa, eta * pair * inner)), 0)
    d.say(
        "Both expressions are positive before, so the smaller of the two is the edge. 2 / (eta Q(-1)) alone is "
        "only the first."
    )
    d.equal(
        "When the pair crosses, p = (z^2 - 2 c z + 1)(z + a0)",
        (z**3 + a2 * z**2 + a1 * z + a0).subs(kappa, eta * pair * inner),
        ((z**2 - (a0 - a2) * z + 1) * (z + a0)).subs(kappa, eta * pair * inner),
    )
    d.say(
        "As one beta goes to 0 the pair never crosses and the edge is that of one average; the closed form "
        "divides by beta."
    )
    d.equal(
        "One average at beta_2 = 0",
        at(period_two, (y, 0)),
        rules.ema_momentum.edge.expression.subs(parameter("beta"), x),
    )
    edge_claim(d, rule, sp.Min(pair, period_two), narrowed={"beta_1": UNIT, "beta_2": UNIT})
    return d
