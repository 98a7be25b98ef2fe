"""When to stop, when USAM and gradient descent cross, and what a fair comparison is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import sympy as sp

from eossim.domain import NON_NEGATIVE, Interval
from eossim.symbolic import eta, h, parameter, rho, z
from eossim.symbolic.derivation import Derivation

from .bias_variance import GD, USAM, risk
from .bias_variance_ordering import MONOTONE, B, K, S, z_gd, z_usam
from .common import POSITIVE, at, by_name, experiment_claim

SNR = parameter("SNR", POSITIVE)
t = parameter("t", POSITIVE)
MODE = {"eta": POSITIVE, "rho": NON_NEGATIVE, "h": POSITIVE}
#: The best filter of a mode, and the step at which a method with multiplier q has it.
BEST = 1 / (1 + SNR)


def best_step(q: sp.Expr) -> sp.Expr:
    """Return the real k at which q^k is the best filter, 0 < q < 1."""
    return sp.log(1 + SNR) / -sp.log(q)


def relative_risk(q: sp.Expr, steps: sp.Expr) -> sp.Expr:
    """Return the risk of a mode over its noise S."""
    return risk(q**steps, SNR, sp.Integer(1))


#: The root in k of this is where the risks of one mode cross.
CROSSING = USAM**K + GD**K - 2 * BEST


def derive() -> list[Derivation]:
    """Return the best step, the crossing, budgets of gradients, and an example with three crossings."""
    return [_best_step(), _crossing(), _budget(), _three_crossings()]


def _best_step() -> Derivation:
    d = Derivation(
        "least_squares_stopping",
        "When to stop on least squares",
        "R(z) = z^2 B + (1 - z)^2 S a mode, z = q^k, 0 < q < 1, SNR = B / S",
    )
    R, least = risk(z, B, S), B * S / (B + S)
    d.equal("The slope of the risk in the filter vanishes at z = S / (B + S)", at(sp.diff(R, z), (z, S / (B + S))), 0)
    d.equal("The risk exceeds its minimum B S / (B + S) by a square", R, least + (B + S) * (z - S / (B + S)) ** 2)
    d.equal("With SNR = B / S the best filter is", at(S / (B + S), (B, SNR * S)), BEST)
    q = sp.Symbol("q", positive=True)
    d.equal("A method has it at k = ln(1 + SNR) / (-ln q)", at(q**K, (K, best_step(q))), BEST)
    d.say("So every method reaches the same least risk on one mode; a smaller q reaches it earlier.")
    first, second = sp.symbols("q_1 q_2", positive=True)
    times = sp.symbols("k_1 k_2", positive=True)
    shown = at(times[0] / times[1], (times[0], best_step(first)), (times[1], best_step(second)))
    d.equal("The ratio of the times is that of the rates, whatever the signal", shown, sp.log(second) / sp.log(first))
    filters, signals = sp.symbols("q_1:3", positive=True), sp.symbols("B_1:3", positive=True)
    total = sum(risk(x**K, signal, S) for x, signal in zip(filters, signals, strict=True))
    terms = [
        2 * sp.log(1 / x) * (x**K * (1 - x**K) * S - x ** (2 * K) * signal)
        for x, signal in zip(filters, signals, strict=True)
    ]
    d.equal("With several modes, here two, the slope of the risk in k is a sum", sp.Derivative(total, K), sum(terms))
    d.say("No one k suits all modes. The best filter of each, z_i = 1 / (1 + SNR_i), would give sum B_i S / (B_i + S).")
    q_best = (1 + SNR) ** (-1 / K)
    rho_best = ((1 - q_best) / (eta * h) - 1) / h
    d.equal("At a fixed k the best rho solves q^k = 1 / (1 + SNR)", at(USAM, (rho, rho_best)), q_best)
    d.say("It is positive while k is below the best step of gradient descent.")
    d.claim(
        id="usam.min_risk",
        statement="USAM and gradient descent have the same least risk B S / (B + S) on a mode: no step goes below",
        kind="inequality",
        left=B * S / (B + S),
        right=risk(USAM**K, B, S),
        domain=MODE | {"k": POSITIVE, "B": POSITIVE, "S": POSITIVE},
        where=MONOTONE,
    )
    d.claim(
        id="usam.stops_earlier",
        statement="On a mode the best step of USAM, ln(1 + SNR) / (-ln q), is no later than that of gradient descent",
        kind="inequality",
        left=best_step(USAM),
        right=best_step(GD),
        domain=MODE | {"SNR": POSITIVE},
        where=MONOTONE,
    )
    d.claim(
        id="usam.best_rho",
        statement="At rho = ((1 - (1 + SNR)^(-1/k)) / (eta h) - 1) / h the filter of step k is the best, 1 / (1 + SNR)",
        kind="equality",
        left=USAM.subs(rho, rho_best) ** K,
        right=BEST,
        domain={"eta": POSITIVE, "h": POSITIVE, "k": Interval(1.0, 1000.0), "SNR": POSITIVE},
    )
    experiment_claim(
        d,
        "risk.best_step",
        "best_step",
        "The predicted best stopping step of gd and usam is that of least stepped risk",
    )
    experiment_claim(
        d,
        "risk.alignment",
        "alignment",
        "Each at its own best step, usam beats gd where the signal sits on large curvatures and loses where it is flat",
    )
    return d


def _crossing() -> Derivation:
    d = Derivation(
        "usam_crossing",
        "Where the risks of USAM and gradient descent cross",
        "R = z^2 B + (1 - z)^2 S a mode, z_S = q_SAM^k <= z_G = q_GD^k, eta h (1 + rho h) < 1",
    )
    excess = risk(z_usam, B, S) - risk(z_gd, B, S)
    factored = (z_gd - z_usam) * (2 * S - (B + S) * (z_usam + z_gd))
    d.equal("The excess risk of USAM has two factors", excess, factored)
    d.say("The first is positive. So on one mode they cross where q_SAM^k + q_GD^k = 2 / (1 + SNR), and only there:")
    a_g, a_s = sp.symbols("a_G a_S", positive=True)
    falling = sp.exp(-a_g * K) + sp.exp(-a_s * K)
    d.equal(
        "with q = exp(-a), the left side falls from 2 to 0",
        sp.Derivative(falling, K),
        -a_g * sp.exp(-a_g * K) - a_s * sp.exp(-a_s * K),
    )
    d.equal(
        "At the best step of USAM, z_S = S / (B + S), it is still better",
        at(factored, (z_usam, S / (B + S))),
        -(B + S) * (z_gd - S / (B + S)) ** 2,
    )
    d.equal(
        "At the best step of gradient descent it is already worse",
        at(factored, (z_gd, S / (B + S))),
        (B + S) * (S / (B + S) - z_usam) ** 2,
    )
    d.say(
        "Over several modes the excesses add up. USAM is better up to the smallest of its best steps on the modes, and "
        "worse from the largest of those of gradient descent on."
    )
    before, after = t * best_step(USAM), (1 + t) * best_step(GD)
    d.claim(
        id="usam.better_before",
        statement="USAM has at most the risk of gradient descent at every k up to its best step, k = t ln(1 + SNR) / "
        "(-ln q_SAM)",
        kind="inequality",
        left=relative_risk(USAM, before),
        right=relative_risk(GD, before),
        domain=MODE | {"SNR": POSITIVE, "t": Interval(0.0, 1.0, open_high=False)},
        where=MONOTONE,
    )
    d.claim(
        id="usam.worse_after",
        statement="USAM has at least the risk of gradient descent from its best step on, "
        "k = (1 + t) ln(1 + SNR) / (-ln q_GD)",
        kind="inequality",
        left=relative_risk(GD, after),
        right=relative_risk(USAM, after),
        domain=MODE | {"SNR": POSITIVE, "t": POSITIVE},
        where=MONOTONE,
    )
    d.claim(
        id="usam.risk_difference",
        statement="The risk of USAM exceeds that of gradient descent by (z_G - z_S)(2 S - (B + S)(z_S + z_G)), z = q^k",
        kind="equality",
        left=risk(USAM**K, B, S),
        right=risk(GD**K, B, S) + (GD**K - USAM**K) * (2 * S - (B + S) * (USAM**K + GD**K)),
        domain=MODE | {"k": POSITIVE, "B": POSITIVE, "S": POSITIVE},
        where=MONOTONE,
    )
    experiment_claim(
        d,
        "risk.crossings",
        "crossing_steps",
        "The risks of gd and usam cross where predicted, and nowhere else in the first 5000 steps",
    )
    return d


def _budget() -> Derivation:
    d = Derivation(
        "usam_budget",
        "USAM and gradient descent with the same number of gradients",
        "USAM takes k / 2 steps of two gradients, gradient descent k steps, eta h (1 + rho h) <= 1",
    )
    d.equal(
        "In two gradients USAM multiplies the error by q_SAM, gradient descent by q_GD^2: the difference",
        USAM - GD**2,
        eta * h * (1 - (eta + rho) * h),
    )
    d.say("USAM has the smaller bias on a mode for (eta + rho) h > 1: on large curvatures, and never for small rho.")
    d.equal("At rho = 1 / h - eta the two agree", at(USAM, (rho, 1 / h - eta)), GD**2)
    gain = sp.expand((USAM - GD**2).subs(rho, eta))
    d.equal("With rho = eta USAM needs h > 1 / (2 eta)", gain, eta * h * (1 - 2 * eta * h))
    near = {"eta": Interval(0.0, 0.1), "rho": Interval(1.0, 3.0), "h": Interval(0.5, 2.0), "k": POSITIVE}
    d.claim(
        id="usam.budget_gain",
        statement="With as many gradients, USAM at k / 2 against gradient descent at k, the bias^2 of USAM is smaller "
        "where (eta + rho) h >= 1",
        kind="inequality",
        left=by_name(USAM**K, near),
        right=by_name(GD ** (2 * K), near),
        domain=near,
        where=tuple(by_name(condition, near) for condition in (*MONOTONE, (eta + rho) * h - 1)),
    )
    d.claim(
        id="usam.budget_loss",
        statement="With as many gradients the bias^2 of USAM is larger where (eta + rho) h <= 1",
        kind="inequality",
        left=GD ** (2 * K),
        right=USAM**K,
        domain=MODE | {"k": POSITIVE},
        where=(1 - (eta + rho) * h, *MONOTONE),
    )
    return d


#: An example in which the risks cross three times.
CURVATURES, SIGNALS, NOISE = (sp.Integer(1), sp.Rational(1, 100)), (sp.Integer(5), sp.Integer(50)), sp.Integer(1)
VALUES = {eta: sp.Rational(1, 5), rho: sp.Integer(2)}


def exponentials(
    curvatures: Sequence[sp.Expr], signals: Sequence[sp.Expr], noise: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]
) -> list[tuple[sp.Expr, sp.Expr]]:
    """Return the excess risk of USAM, a sum of c x^k, as its (x, c): the slowest first, equal ones merged."""
    found: dict[sp.Expr, sp.Expr] = {}
    for curvature, signal in zip(curvatures, signals, strict=True):
        square, linear, _ = sp.Poly(risk(z, signal, noise), z).all_coeffs()  # the constant is the same for both
        for rule, sign in ((USAM, 1), (GD, -1)):
            x = rule.subs({h: curvature, **values})
            for base, coefficient in ((x, linear), (x**2, square)):
                found[base] = found.get(base, 0) + sign * coefficient
    return sorted(((x, c) for x, c in found.items() if c != 0), reverse=True)


def sign_changes(coefficients: Sequence[sp.Expr]) -> sp.Expr:
    """Return the number of sign changes of a sequence without zeros, as a formula."""
    return sp.Add(*(sp.Abs(sp.sign(second) - sp.sign(first)) / 2 for first, second in pairwise(coefficients)))


def excess(steps: sp.Expr) -> sp.Expr:
    """Return the excess risk of USAM in the example, times n."""
    return sp.Add(*(c * x**steps for x, c in exponentials(CURVATURES, SIGNALS, NOISE, VALUES)))


def _three_crossings() -> Derivation:
    d = Derivation(
        "usam_three_crossings",
        "The risks of USAM and gradient descent may cross three times",
        "h = (1, 1/100), B = (5, 50), S = 1, eta = 1/5, rho = 2",
    )
    bases, coefficients = zip(*exponentials(CURVATURES, SIGNALS, NOISE, VALUES), strict=True)
    c, x = sp.symbols("c_1:9", real=True), sp.symbols("x_1:9", positive=True)
    d.say(
        "The excess risk of USAM is a sum of c_i x_i^k with x = q and x = q^2, q of either method. The coefficients "
        "are -2 S and B + S for USAM, the opposite for gradient descent. The slowest come first."
    )
    pairs, rates = list(zip(c, coefficients, strict=True)), list(zip(x, bases, strict=True))
    for steps, text, shown in ((0, "It vanishes at k = 0", pairs), (1, "USAM is better at k = 1", pairs + rates)):
        total = sum(
            risk(USAM.subs({h: curvature, **VALUES}) ** steps, signal, NOISE)
            - risk(GD.subs({h: curvature, **VALUES}) ** steps, signal, NOISE)
            for curvature, signal in zip(CURVATURES, SIGNALS, strict=True)
        )
        d.equal(text, at(sum(ci * xi**steps for ci, xi in zip(c, x, strict=True)), *shown), total)
    d.equal("The coefficients change sign four times", at(sign_changes(c), *pairs), 4)
    d.say(
        "A sum of exponentials has no more real zeros than its sorted coefficients have sign changes (Laguerre). k = 0 "
        "is one of them, which leaves at most three crossings: they are near 5.196, 15.41 and 1944.86."
    )
    d.equal(
        "The slowest term decides the end: there USAM is worse, its excess is like",
        at(c[0] * x[0] ** K, pairs[0], rates[0]),
        2 * sp.Rational(499, 500) ** K,
    )
    one, own = sp.symbols("q_G q_S", positive=True)
    orders = ((one, own, one**2, own**2), (one, one**2, own, own**2))
    signs = {one: 2 * S, own: -2 * S, one**2: -(B + S), own**2: B + S}
    d.say("One mode has q_G first and q_S^2 last, in either order between them: two sign changes, so one crossing.")
    for order in orders:
        text = "q_G, q_S, q_G^2, q_S^2" if order[1] == own else "q_G, q_G^2, q_S, q_S^2"
        d.equal(text, at(sign_changes(c[:4]), *zip(c, (signs[base] for base in order), strict=False)), 2)
    experiment_claim(
        d,
        "risk.three_crossings",
        "three_crossings",
        "On two modes the risks of gd and usam cross three times",
    )
    return d
