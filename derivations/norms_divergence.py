"""Above 2/S: which starts diverge. The ray of the maximiser attracts a cone, linf freezes all but one direction."""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, by_name, experiment_claim
from .directional_identity import SIGNED
from .norms_edge import MODEL, l4_step
from .norms_sharpness import PLANE, PSD, UNIT, H, h11, h22, q, symmetric
from .stochastic_batches import dot

SOURCE = "derived"

size, s = sp.symbols("c s", positive=True)
rho = sp.Symbol("rho", nonnegative=True)
#: Multiplier of the angle to a stationary ray of value s, and the eta s above which the ray attracts.
PROJECTIVE = (1 - eta * s * rho) / (1 - eta * s)
THRESHOLD = 2 / (1 + rho)


def derive() -> list[Derivation]:
    """Return the ascent of the LMO iteration, attraction to a ray, and the linear map of linf."""
    return [_monotone(), _cone(), _examples(), _linf()]


def _monotone() -> Derivation:
    d = Derivation("norms_unit_step", "d <- LMO(H d) climbs", "H >= 0, q(d) = d^T H d", SOURCE)
    v, after = (sp.Matrix(sp.symbols(f"{x}_1:3", real=True)) for x in "de")
    d.equal(
        "Cauchy-Schwarz in the seminorm of H, with what is lost",
        q(H, v) * q(H, after) - dot(after, H * v) ** 2,
        H.det() * (v[0] * after[1] - v[1] * after[0]) ** 2,
    )
    d.say("For e = LMO(H d), <e, H d> = |H d|_* >= <d, H d> = q(d). So q(e) q(d) >= |H d|_*^2 >= q(d)^2.")
    bound, value = sp.symbols("N q", positive=True)
    d.equal(
        "q(e) >= |H d|_*^2 / q(d), at least q(d) by",
        bound**2 / value - value,
        (bound - value) * (bound + value) / value,
    )
    d.say("It stops where |H d|_* = q(d), at stationary d. Indefinite H: with |d|_2 fixed on the candidates, H + k I")
    k, length2 = sp.symbols("k n_2", positive=True)
    d.equal("has the same maximiser", q(H + k * sp.eye(2), v), at(q(H, v) + k * length2, (length2, dot(v, v))))
    domain = PLANE | {"c": Interval(-1.0, 1.0), "w_1": SIGNED, "w_2": SIGNED}
    point = sp.Matrix(sp.symbols("w_1 w_2", real=True))
    g = PSD * point
    d.claim(
        id="norms.unit_step_linf",
        statement="Plane, H >= 0, linf: |H d|_*^2 is at most q(LMO(H d)) q(d), for every d",
        kind="inequality",
        left=by_name(sum(map(sp.Abs, g)) ** 2, domain),
        right=by_name(q(PSD, g.applyfunc(sp.sign)) * q(PSD, point), domain),
        domain=domain,
    )
    d.claim(
        id="norms.unit_step_l2",
        statement="Plane, H >= 0, l2: |H d|^2 is at most q(LMO(H d)) q(d), both times |H d|^2",
        kind="inequality",
        left=by_name(dot(g, g) ** 2, domain),
        right=by_name(q(PSD, g) * q(PSD, point), domain),
        domain=domain,
    )
    return d


def _cone() -> Derivation:
    d = Derivation("norms_cone", "When the ray of a stationary direction attracts", MODEL, SOURCE)
    d.say(
        "d stationary, s = q(d), J = DLMO(H d) H. DLMO(g) is the Hessian of the dual norm: symmetric, >= 0, zero on g. "
        "So J has real eigenvalues rho >= 0, J d = 0, and the other eigenvectors v may be taken with <H d, v> = 0."
    )
    d.say(
        "At w = c (d + e v) the gradient is c (H d + e H v). To first order LMO = d + e rho v and "
        "G = c (s + e <H v, d>) = c s."
    )
    e = sp.Symbol("e", real=True)
    along = size - eta * size * s
    across = size * e - eta * size * s * rho * e
    d.equal("After a step the part of d is", along, size * (1 - eta * s))
    d.equal("and that of v, relative to it, is multiplied by", across / along / e, PROJECTIVE)
    d.equal(
        "which is less than 1 in modulus iff (rho < 1) eta s > 2 / (1 + rho)",
        (1 - eta * s) ** 2 - (1 - eta * s * rho) ** 2,
        eta * s * (1 - rho) * (1 + rho) * (eta * s - THRESHOLD),
    )
    d.say("At a strict maximiser rho < 1: the ray attracts once eta s > 2 / (1 + rho_min), and repels some v before.")
    d.equal("A zero mode, rho = 0, asks for eta s > 2 and no less", at(THRESHOLD, (rho, 0)), 2)
    d.say("So above 2/s there is an open cone of starts in which |w| grows by eta s - 1 a step.")
    gap, fraction = sp.symbols("gap r", positive=True)
    above = (1 + gap) * 2 / (1 + fraction)
    d.claim(
        id="norms.attraction",
        statement="eta s = (1 + gap) 2 / (1 + r): the angle to the ray shrinks, |1 - eta s r| <= |1 - eta s|",
        kind="inequality",
        left=((1 - above * fraction) / (1 - above)) ** 2,
        right=sp.Integer(1),
        domain={"gap": POSITIVE, "r": UNIT},
    )
    d.claim(
        id="norms.repulsion",
        statement="eta s = 1 + gap < 2 / (1 + rho), that is (1 + gap) rho = r (1 - gap), r < 1: the angle grows",
        kind="inequality",
        left=sp.Integer(1),
        right=((1 - fraction * (1 - gap)) / gap) ** 2,
        domain={"gap": UNIT, "r": UNIT},
    )
    experiment_claim(
        d,
        "norms.cone",
        "divergence_cone",
        "Deviations from the ray of a maximiser shrink above 2 / (1 + rho) and grow below, by the predicted factor",
    )
    return d


def _examples() -> Derivation:
    d = Derivation(
        "norms_cone_examples", "The angle multiplier in l2 and l4", "diagonal H in the plane, t = w_2 / w_1", SOURCE
    )
    t = sp.Symbol("t", positive=True)
    d.say("l2, d = e_1, s = h_1: t is small.")
    h = sp.symbols("h_1 h_2", positive=True)
    after = sp.Matrix([1, t]) - eta * sp.diag(*h) * sp.Matrix([1, t])
    ratio = h[1] / h[0]
    d.equal("rho = h_2 / h_1", after[1] / after[0] / t, at(PROJECTIVE, (s, h[0]), (rho, ratio)))
    d.equal(
        "The threshold eta h_1 = 2 / (1 + rho) is eta = 2 / (h_1 + h_2)",
        at(THRESHOLD, (rho, ratio)) / h[0],
        2 / (h[0] + h[1]),
    )
    a, b = sp.symbols("a b", positive=True)
    d.say("l4, h = (a^2, b^2): d in proportion to (a, b), s^2 = a^4 + b^4, t* = b / a. LMO_i is g_i^(1/3): rho = 1/3.")
    after = l4_step((a**2, b**2), sp.Matrix([1, t]))
    value = sp.sqrt(a**4 + b**4)
    there = [
        sp.powdenest(sp.simplify(x.subs(t, b / a)), force=True)
        for x in (*after, sp.diff(after[0], t), sp.diff(after[1], t))
    ]
    d.equal("On the ray, both coordinates shrink by the same", sp.simplify(there[0]), 1 - eta * value)
    d.equal("second", sp.simplify(there[1]), (1 - eta * value) * b / a)
    slope = sp.simplify((there[3] * there[0] - there[1] * there[2]) / there[0] ** 2)
    d.equal("d t+ / d t at t*", slope, at(PROJECTIVE, (s, value), (rho, sp.Rational(1, 3))))
    d.equal("The threshold is eta s =", at(THRESHOLD, (rho, sp.Rational(1, 3))), sp.Rational(3, 2))
    d.say("Below 2 already: in l4 the ray attracts before it diverges, so above 2/S it does so in an open cone.")
    return d


def _linf() -> Derivation:
    d = Derivation(
        "norms_linf_map",
        "linf descent moves one direction only",
        "sgn(H w) = +-sigma, three parameters",
        SOURCE,
    )
    M, sigma = symmetric(3), sp.Matrix(sp.symbols("sigma_1:4", real=True))
    point = sp.Matrix(sp.symbols("w_1:4", real=True))
    value = q(M, sigma)
    step = (sp.eye(3) - eta * sigma * sigma.T * M) * point
    d.say("G = |sigma^T H w| and LMO = sgn(sigma^T H w) sigma: while the signs stay, w+ = (I - eta sigma sigma^T H) w.")
    component, after = dot(sigma, M * point), dot(sigma, M * step)
    d.equal("sigma^T H w is multiplied by 1 - eta sigma^T H sigma", after, (1 - eta * value) * component)
    others = point - component / value * sigma
    frozen = step - after / value * sigma
    d.equal("What is left, w - (sigma^T H w / q) sigma, is frozen: coordinate 1", sp.factor(frozen[0] - others[0]), 0)
    d.equal("coordinate 2", sp.factor(frozen[1] - others[1]), 0)
    d.equal("It has no part in that component", sp.factor(dot(sigma, M * others)), 0)
    part = sp.Matrix(sp.symbols("v_1:4", real=True))
    d.equal(
        "The signs are those of c H sigma + H v: at w = c sigma + v",
        (M * (size * sigma + part))[0],
        size * (M * sigma)[0] + (M * part)[0],
    )
    d.say(
        "They stay +-sigma while sigma_i (H sigma)_i > 0 and |(H v)_i| < |c (H sigma)_i|. At eta sigma^T H sigma > 2 "
        "|c| grows, so they stay for ever and every such w diverges. Below 2, c falls until some c (H sigma)_i has "
        "fallen to (H v)_i: only then does another direction move."
    )
    p = sp.Symbol("p", positive=True)
    plane = sp.Matrix([[h11, p], [p, h22]])
    w = sp.Matrix([size + 1, size])
    after = w - eta * sum(plane * w) * sp.ones(2, 1)
    d.claim(
        id="norms.linf_component",
        statement="Plane, h_12 = p > 0, w = (c + 1, c): (1, 1) H w is multiplied by 1 - eta S, S = h_11 + h_22 + 2p",
        kind="equality",
        left=sum(plane * after),
        right=(1 - eta * q(plane, (1, 1))) * sum(plane * w),
        domain=PLANE | {"eta": POSITIVE, "p": POSITIVE, "c": POSITIVE},
    )
    experiment_claim(
        d,
        "norms.linf_freezes",
        "linf_freezing",
        "While its signs stay, linf descent multiplies one component as predicted and leaves the rest untouched",
    )
    return d
