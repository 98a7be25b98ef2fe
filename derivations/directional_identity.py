"""What one step does to the loss, exactly: directional smoothness turns the descent lemma into an identity.

D = [L(w + v) - L(w) - <g, v>] / (|v|^2 / 2) for a step v in any norm, G the dual norm of the gradient g. LMO(g) has
norm 1 and <g, LMO(g)> = G.
"""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic import eta, h, parameter
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, experiment_claim

MODEL = "any C^1 loss, any norm; G = |g|_*, D = [L(w + v) - L(w) - <g, v>] / (|v|^2 / 2) for a step v"
SOURCE = "arXiv:2603.05002, re-derived"
#: Numbers of both signs.
SIGNED = Interval(-2.0, 2.0)

D, G, slope, length, before, after = sp.symbols("D G slope length L_0 L_1", real=True)
#: The change of the loss in one step of (normalised) steepest descent.
STEEPEST = -eta * (1 - eta * D / 2) * G**2
NORMALISED = -eta * G + eta**2 * D / 2


def smoothness(change: sp.Expr, slope: sp.Expr, length: sp.Expr) -> sp.Expr:
    """Return D of a step from the change of the loss, <g, v> and |v|."""
    return (change - slope) / (length**2 / 2)


def derive() -> list[Derivation]:
    """Return the identities of one step, their sums over a run, a loss on which both are explicit, and 2-cycles."""
    return [_step(), _sum(), _example(), _even()]


def _step() -> Derivation:
    d = Derivation("directional_identity", "The change of the loss in one step", MODEL, SOURCE)
    d.equal(
        "By the definition of D alone, L(w + v) - L(w) = <g, v> + D |v|^2 / 2",
        at(slope + D * length**2 / 2, (D, smoothness(after - before, slope, length))),
        after - before,
    )
    change = slope + D * length**2 / 2
    d.equal(
        "Steepest descent, v = -eta G LMO(g): |v| = eta G and <g, v> = -eta G^2",
        at(change, (slope, -eta * G**2), (length, eta * G)),
        STEEPEST,
    )
    d.equal("The loss stays at D = 2/eta, falls below and rises above", at(STEEPEST, (D, 2 / eta)), 0)
    d.equal("since the change increases with D", sp.diff(STEEPEST, D), eta**2 * G**2 / 2)
    d.equal(
        "Normalised, v = -eta LMO(g): |v| = eta and <g, v> = -eta G",
        at(change, (slope, -eta * G), (length, eta)),
        NORMALISED,
    )
    d.equal("The loss stays at D = 2 G / eta", at(NORMALISED, (D, 2 * G / eta)), 0)
    a, u, zeta = sp.symbols("a u zeta", real=True)
    d.say("Any update, v = -eta u with a = <g, u> > 0: zeta = 1 + (change of the loss) / (eta a).")
    realised = at(1 + change / (eta * a), (slope, -eta * a), (length, eta * u))
    d.equal("It is eta D |u|^2 / (2 a)", realised, eta * D * u**2 / (2 * a))
    lost = at(-eta * a * (1 - zeta), (zeta, realised))
    d.equal("so the change is -eta a (1 - zeta)", lost, eta**2 * D * u**2 / 2 - eta * a)
    edge = 2 * a / (eta * u**2)
    d.equal("and zeta = 1 at D = 2 a / (eta |u|^2), exact for an inexact LMO too", at(realised, (D, edge)), 1)
    d.equal("Steepest descent, a = G^2 and |u| = G: zeta = eta D / 2", at(realised, (a, G**2), (u, G)), eta * D / 2)
    d.equal("normalised, a = G and |u| = 1: zeta = eta D / (2 G)", at(realised, (a, G), (u, 1)), eta * D / (2 * G))
    d.equal("Relative progress, the change over eta G^2, is eta D / 2 - 1", STEEPEST / (eta * G**2), eta * D / 2 - 1)
    return d


def _sum() -> Derivation:
    d = Derivation("directional_sum", "Why D hovers at 2/eta once the loss stops falling", MODEL, SOURCE)
    first, last, W = sp.symbols("L_0 L_T W", real=True)
    d.say("Induction: W = sum of G_t^2 and N = sum of G_t^2 D_t up to T, L_T the loss there.")
    steepest = 2 * W / eta - 2 * (first - last) / eta**2
    d.equal("N = 2 W / eta - 2 (L_0 - L_T) / eta^2 holds at T = 0", at(steepest, (W, 0), (last, first)), 0)
    d.equal(
        "and a step of steepest descent keeps it",
        at(steepest, (W, W + G**2), (last, last + STEEPEST)),
        steepest + G**2 * D,
    )
    d.equal("So the mean of D with weights G^2 is", steepest / W, 2 / eta - 2 * (first - last) / (eta**2 * W))
    d.equal("On any periodic orbit, L_T = L_0, it is 2/eta exactly", at(steepest / W, (last, first)), 2 / eta)
    d.say("Normalised: W = sum of G_t, N = sum of D_t.")
    d.equal(
        "A normalised step keeps the same formula",
        at(steepest, (W, W + G), (last, last + NORMALISED)),
        steepest + D,
    )
    ratio = at(steepest / W, (last, first))
    d.equal("so on a periodic orbit the ratio of the means of D and G is 2/eta", ratio, 2 / eta)
    gap = sp.Symbol("epsilon", positive=True)
    d.equal(
        "Were D at most (1 - epsilon) 2/eta, every step would lower the loss by epsilon eta G^2",
        at(STEEPEST, (D, (1 - gap) * 2 / eta)),
        -gap * eta * G**2,
    )
    d.say(
        "So a loss that is bounded below with a diverging sum of G^2 has limsup D >= 2/eta. This is bookkeeping: it "
        "does not say why the sharpness rises."
    )
    names = [f"{x}_{t}" for t in (1, 2, 3) for x in "GD"]
    domain = {x: POSITIVE if x[0] == "G" else SIGNED for x in names}
    values = [parameter(x, interval) for x, interval in domain.items()]
    pairs = list(zip(values[::2], values[1::2], strict=True))
    for name, weight, rule, quantity in (
        ("telescoped", lambda g: g**2, STEEPEST, lambda g, smooth: g**2 * smooth),
        ("telescoped_normalised", lambda g: g, NORMALISED, lambda g, smooth: smooth),
    ):
        total = sum(weight(g) for g, _ in pairs)
        change = sum(rule.subs({G: g, D: smooth}) for g, smooth in pairs)
        what = "D of weights G^2 is" if name == "telescoped" else "D over that of G is normalised"
        d.claim(
            id=f"directional.{name}",
            statement=f"Three steps: the mean {what} 2/eta less 2 (L_0 - L_3) / (eta^2 times the sum of weights)",
            kind="equality",
            left=sum(quantity(g, smooth) for g, smooth in pairs) / total,
            right=2 / eta + 2 * change / (eta**2 * total),
            domain={"eta": POSITIVE, **domain},
        )
    experiment_claim(
        d,
        "directional.identities",
        "descent_identities",
        "Measured D gives the change of the loss in every step, and its weighted mean over every run",
    )
    return d


#: The loss (a b - 1)^2 / 2 and its gradient.
x, y = sp.symbols("a b", positive=True)
LOSS = (x * y - 1) ** 2 / 2
GRADIENT = sp.Matrix([LOSS]).jacobian([x, y]).T


def _example() -> Derivation:
    d = Derivation(
        "directional_example", "The identities beyond quadratics", "L = (a b - 1)^2 / 2, a > 0, b > 0", SOURCE
    )
    s = sp.Symbol("s", real=True)
    r, domain = x * y - 1, {"eta": POSITIVE, "a": POSITIVE, "b": POSITIVE}
    hessian = sp.hessian(LOSS, (x, y))
    d.say(
        "r = a b - 1, the gradient is r (b, a). In linf, a, b > 0, G = |r| (a + b) and G LMO(g) = r (a + b) (1, 1); "
        "in l2, G^2 = r^2 (a^2 + b^2) and G LMO(g) = g."
    )
    for name, text, step, norm2, length2 in (
        ("linf", "linf", r * (x + y) * sp.ones(2, 1), r**2 * (x + y) ** 2, r**2 * (x + y) ** 2),
        ("l2", "gradient", GRADIENT, r**2 * (x**2 + y**2), r**2 * (x**2 + y**2)),
    ):
        d.equal(f"{text} descent: <g, G LMO> = G^2", sp.expand(GRADIENT.dot(step)), norm2)
        moved = {x: x - s * eta * step[0], y: y - s * eta * step[1]}
        curvature = sp.expand((step.T * hessian.subs(moved, simultaneous=True) * step)[0] / length2)
        curvature = sp.factor(curvature) if name == "l2" else curvature
        numerator = sp.Poly(sp.expand(sp.cancel(curvature)), s)
        # the mean over the step with weights 2 (1 - s): s^k has the mean 2 / ((k + 1) (k + 2))
        averaged = sum(2 * c / ((k[0] + 1) * (k[0] + 2)) for k, c in numerator.terms())
        change = LOSS.subs({v: e.subs(s, 1) for v, e in moved.items()}, simultaneous=True) - LOSS
        d.equal(
            "The curvature averaged over the step is D: the change is -eta (1 - eta D / 2) G^2",
            sp.expand(change),
            sp.expand(at(STEEPEST, (D, averaged)).doit().subs(G**2, norm2)),
        )
        d.claim(
            id=f"directional.identity_{name}",
            statement=f"(a b - 1)^2 / 2, {text} descent: the loss changes by -eta (1 - eta D / 2) G^2, D from f''",
            kind="equality",
            left=change,
            right=-eta * (1 - eta * averaged / 2) * norm2,
            domain=domain,
        )
    return d


def _even() -> Derivation:
    d = Derivation(
        "directional_cycle", "D on the 2-cycle of an even loss", "f even, gradient descent on the cycle x, -x", SOURCE
    )
    p, f, slope = sp.symbols("x f f'", positive=True)
    d.say("f(-x) = f(x), f' the slope at x. The step leads to -x when eta f' = 2 x.")
    d.equal("It does", at(p - eta * slope, (slope, 2 * p / eta)), -p)
    smooth = smoothness(f - f, slope * -2 * p, 2 * p)
    d.equal("D = f' / x from the definition, the loss being the same at both ends", smooth, slope / p)
    d.equal("is 2/eta", at(smooth, (slope, 2 * p / eta)), 2 / eta)
    d.say("whatever the curvature at x, at 0, or anywhere else. f = x^4 / 4:")
    amplitude = sp.sqrt(2 / eta)
    d.equal("amplitude^2 = 2/eta", amplitude - eta * amplitude**3, -amplitude)
    d.equal("the curvature on the cycle is three times the edge", 3 * amplitude**2, 3 * (2 / eta))
    d.claim(
        id="directional.even_quartic",
        statement="f = h x^2 / 2 + x^4 / 4, eta h < 2: on the 2-cycle, x^2 = 2/eta - h, f'' is above D = 2/eta",
        kind="inequality",
        left=2 / eta,
        right=h + 3 * (2 / eta - h),
        domain={"eta": POSITIVE, "h": POSITIVE},
        where=(2 - eta * h,),
    )
    return d
