"""Notions of directional smoothness as averages of the curvature along a step, their order, and where it fails.

Along the step from x to x + v, n = |v|_2: phi(s) = f(x + s v), kappa(s) = phi''(s) / n^2 the curvature,
A_t = [phi'(t) - phi'(0)] / (t n^2). Then secant A_1, pathwise sup A_t, signed D = 2 [phi(1) - phi(0) - phi'(0)] / n^2,
pointwise 2 |change of the gradient| / n.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at
from .directional_identity import SIGNED
from .stochastic_batches import dot

MODEL = "phi(s) = f(x + s v), n = |v|, kappa = phi'' / n^2, A_t = [phi'(t) - phi'(0)] / (t n^2)"
SOURCE = "arXiv:2403.04081, re-derived"

x, u, c = sp.symbols("x u c", real=True)
y, s, t = sp.symbols("y s t", positive=True)

Function = Callable[[sp.Expr], sp.Expr]


def slope(f: Function, point: sp.Expr) -> sp.Expr:
    """Return f' at a point."""
    return sp.diff(f(u), u).subs(u, point)


def secant(f: Function, start: sp.Expr, end: sp.Expr) -> sp.Expr:
    """Return A_1 on the line."""
    return (slope(f, end) - slope(f, start)) / (end - start)


def along(f: Function, start: sp.Expr, end: sp.Expr) -> sp.Expr:
    """Return A_t on the line."""
    return (slope(f, start + t * (end - start)) - slope(f, start)) / (t * (end - start))


def signed(f: Function, start: sp.Expr, end: sp.Expr) -> sp.Expr:
    """Return the signed D on the line."""
    return 2 * (f(end) - f(start) - slope(f, start) * (end - start)) / (end - start) ** 2


def pointwise(f: Function, start: sp.Expr, end: sp.Expr) -> sp.Expr:
    """Return the pointwise D on the line."""
    return 2 * sp.Abs(secant(f, start, end))


def quartic(z: sp.Expr) -> sp.Expr:
    """Return x^4 / 4."""
    return z**4 / 4


def bowl(z: sp.Expr) -> sp.Expr:
    """Return 1 - cos x."""
    return 1 - sp.cos(z)


def logistic(z: sp.Expr) -> sp.Expr:
    """Return log(1 + e^-x)."""
    return sp.log(1 + sp.exp(-z))


def log_cosh(z: sp.Expr) -> sp.Expr:
    """Return log cosh x."""
    return sp.log(sp.cosh(z))


def derive() -> list[Derivation]:
    """Return averages of curvature, their order, orders that fail, quadratics, and explicit values."""
    return [_averages(), _order(), _false_orders(), _quadratics(), _values()]


def _mean(integrand: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    """Return the integral over 0..1, term by term."""
    return sp.Add(*(sp.integrate(term, (variable, 0, 1)) for term in sp.Add.make_args(sp.expand(integrand))))


def _averages() -> Derivation:
    d = Derivation("directional_averages", "Signed D as an average of curvature", MODEL, SOURCE)
    phi = sp.Function("phi")(s)
    first, second, start = sp.diff(phi, s), sp.diff(phi, s, 2), sp.Symbol("phi'(0)", real=True)
    d.say("Any C^2 loss; integrals over 0 < s < 1 by their primitives.")
    d.equal(
        "(1 - s) phi'' is the derivative of (1 - s) phi' + phi", sp.diff((1 - s) * first + phi, s), (1 - s) * second
    )
    d.say("So the mean of kappa with weights 2 (1 - s) is D. Without weights it is A_1.")
    taken = sp.diff(2 * (phi - s * start), s)
    d.equal("2 s n^2 A_s is the derivative of 2 [phi - s phi'(0)]", taken, 2 * (first - start))
    d.say("so the mean of A_t with weights 2 t is D as well.")
    weights = sp.Integral(2 * (1 - s), (s, 0, 1)), sp.Integral(2 * t, (t, 0, 1))
    d.equal("The two weights have the same sum, 1", *weights)
    d.equal("Backwards, from x + v to x, D has the weights 2 s", sp.diff(2 * (s * first - phi), s), 2 * s * second)
    d.equal("so D forwards and D backwards have the mean A_1", ((2 * (1 - s)) + 2 * s) / 2, 1)
    coefficients = sp.symbols("c_1:5", real=True)

    def polynomial(z: sp.Expr) -> sp.Expr:
        return sum(ck * z**k for k, ck in enumerate(coefficients, 1))

    for name, f in (("Any quartic", polynomial), ("e^x", sp.exp)):
        kappa = sp.diff(f(u), u, 2).subs(u, x + s * y)
        D = signed(f, x, x + y)
        d.equal(f"{name}, from x to x + y: D from kappa", _mean(2 * (1 - s) * kappa, s), D)
        d.equal("and from A_t", _mean(sp.cancel(2 * t * along(f, x, x + y)), t), D)
    k, z = sp.symbols("k z", positive=True)
    d.equal(
        "x^k, any k, z = x + s y: the primitive of 2 (1 - s) kappa dz = 2 (x + y - z) f''(z) ds, up to 1 / y",
        sp.diff(2 * ((x + y - z) * k * z ** (k - 1) + z**k), z),
        2 * (x + y - z) * k * (k - 1) * z ** (k - 2),
    )
    changed = signed(lambda w: c * polynomial(w) + 3 * w, x, x + y)
    d.equal("A factor of the loss multiplies D, a linear part adds nothing", changed, c * signed(polynomial, x, x + y))
    alpha, D, v = sp.symbols("alpha D v", positive=True)
    d.equal("alpha times the norm divides D by alpha^2", at(D / v**2, (v, alpha * v)), D / v**2 / alpha**2)
    g = sp.Symbol("g", positive=True)
    change = signed(polynomial, x, x - eta * g) * (eta * g) ** 2 / 2 - slope(polynomial, x) * eta * g
    d.equal(
        "A gradient step changes the loss by (-1 + eta D / 2) eta g^2, g the slope",
        sp.expand(change) / (eta * g),
        (polynomial(x - eta * g) - polynomial(x)) / (eta * g),
    )
    d.claim(
        id="directional.there_and_back",
        statement="log cosh: D forwards plus D backwards is twice the secant",
        kind="equality",
        left=signed(log_cosh, x, x + y) + signed(log_cosh, x + y, x),
        right=2 * secant(log_cosh, x, x + y),
        domain={"x": SIGNED, "y": POSITIVE},
    )
    return d


def _order() -> Derivation:
    d = Derivation("directional_order", "The order of the notions that does hold", MODEL, SOURCE)
    d.say("D is a mean of A_t and A_t the mean of kappa over (0, t): signed <= pathwise <= sup kappa, on any C^2 loss.")
    phi = sp.Function("phi")(s)
    weight = 2 - 2 * (1 - s)
    d.equal(
        "2 A_1 - D has the weights 2 s >= 0: D <= 2 A_1 where kappa >= 0",
        weight * sp.diff(phi, s, 2),
        2 * s * sp.diff(phi, s, 2),
    )
    d.say("The pointwise D has the norm of the change p of the gradient, A_1 only its part along v.")
    p, v = (sp.Matrix(sp.symbols(f"{name}_1 {name}_2", real=True)) for name in "pv")
    d.equal(
        "Cauchy-Schwarz, so 2 A_1 <= pointwise; in another norm Hoelder does the same",
        dot(p, p) * dot(v, v) - dot(p, v) ** 2,
        (p[0] * v[1] - p[1] * v[0]) ** 2,
    )
    d.say(
        "So 0 <= signed <= 2 A_1 <= pointwise for convex f: there the pointwise D bounds f(y) from above, "
        "and on a line it is 2 A_1."
    )
    e = sp.Symbol("epsilon", positive=True)

    def corner(z: sp.Expr) -> sp.Expr:
        return sp.sqrt(z**2 + e**2)

    d.say("Its factor 2 is needed: f = sqrt(x^2 + epsilon^2) from 0 to 1, epsilon -> 0.")
    d.equal("signed D", at(signed(corner, 0, 1), (e, 0)), 2)
    d.equal("pointwise D", at(pointwise(corner, 0, 1), (e, 0)), 2)
    d.claim(
        id="directional.factor_two",
        statement="sqrt(x^2 + epsilon^2) from 0 to 1: half the pointwise D is below the signed one",
        kind="inequality",
        left=secant(corner, 0, 1),
        right=signed(corner, 0, 1),
        domain={"epsilon": POSITIVE},
    )
    for name, text, f in (("exp", "e^x", sp.exp), ("logistic", "log(1 + e^-x)", logistic)):
        d.claim(
            id=f"directional.convex_{name}",
            statement=f"{text}: the signed D is at most the pointwise one",
            kind="inequality",
            left=signed(f, x, x + y),
            right=2 * secant(f, x, x + y),
            domain={"x": SIGNED, "y": Interval(0.0, 8.0)},
        )
    return d


def _false_orders() -> Derivation:
    d = Derivation("directional_false_orders", "Orders of the notions that fail", MODEL, SOURCE)
    z = sp.Symbol("z", positive=True)
    d.say("Pathwise and pointwise are incomparable: f = x^4 / 4 between z > 0 and 0.")
    down, up = along(quartic, z, 0), along(quartic, 0, z)
    d.equal("z to 0: A_t", down, z**2 * (3 - 3 * t + t**2))
    d.equal("falls on 0 < t < 1", sp.diff(down, t), z**2 * (2 * t - 3))
    d.equal("so pathwise is its value at t = 0, 3 z^2", at(z**2 * (3 - 3 * t + t**2), (t, 0)), 3 * z**2)
    d.equal("0 to z: A_t rises to z^2", up, z**2 * t**2)
    d.equal("pointwise lies between the two", sp.Abs(slope(quartic, z)) * 2 / z, 2 * z**2)
    d.equal("signed down", signed(quartic, z, 0), sp.Rational(3, 2) * z**2)
    d.equal("signed up", signed(quartic, 0, z), z**2 / 2)
    d.say("|signed| is not the smallest bound where f(y) lies below the tangent, for M = 0 bounds f(y) already.")
    d.equal("cos from 0 to z: signed D is negative", signed(sp.cos, 0, z), -4 * sp.sin(z / 2) ** 2 / z**2)
    d.equal("A_t is -sin(t z) / (t z): it rises, pathwise is A_1", along(sp.cos, 0, z), -sp.sin(t * z) / (t * z))
    d.say("Without convexity the pointwise D bounds nothing: f = 1 - cos x from 0 to pi.")
    d.equal("It is 0", pointwise(bowl, 0, sp.pi), 0)
    d.equal("though the loss rises, D =", signed(bowl, 0, sp.pi), 4 / sp.pi**2)
    d.equal("and A_t falls from 1 at t -> 0", along(bowl, 0, sp.pi), sp.sin(sp.pi * t) / (sp.pi * t))
    d.equal("to A_1 =", at(sp.sin(sp.pi * t) / (sp.pi * t), (t, 1)), 0)
    domain = {"z": POSITIVE}
    d.claim(
        id="directional.pathwise_above",
        statement="x^4 / 4 from z to 0: the pointwise D is below A_t for t = s / 3, 0 < s < 1, so below pathwise",
        kind="inequality",
        left=2 * z**2,
        right=down.subs(t, s / 3),
        domain=domain | {"s": Interval(0.0, 1.0)},
    )
    d.claim(
        id="directional.pathwise_below",
        statement="x^4 / 4 from 0 to z: A_t is at most half the pointwise D for every t",
        kind="inequality",
        left=up,
        right=z**2,
        domain=domain | {"t": Interval(0.0, 1.0)},
    )
    d.claim(
        id="directional.below_the_tangent",
        statement="cos from 0 to z < pi: signed D is below pathwise D = A_1, both negative",
        kind="inequality",
        left=signed(sp.cos, 0, z),
        right=secant(sp.cos, 0, z),
        domain={"z": Interval(0.0, 3.14)},
    )
    return d


def _quadratics() -> Derivation:
    d = Derivation(
        "directional_quadratics", "All notions on a quadratic", "f = x^T B x / 2, B diagonal, gradient steps", SOURCE
    )
    B = sp.diag(*sp.symbols("b_1:4", positive=True))
    point, g = (sp.Matrix(sp.symbols(f"{name}_1:4", real=True)) for name in "xg")
    v = -eta * g
    rayleigh = dot(g, B * g) / dot(g, g)

    def loss(z: sp.Matrix) -> sp.Expr:
        return dot(z, B * z) / 2

    d.say("Three modes, g = B x the gradient. The change of the gradient up to t is t B v, v = -eta g.")
    d.equal("A_t = g^T B g / |g|^2 for every t and every eta", dot(t * B * v, v) / (t * dot(v, v)), rayleigh)
    change = loss(point + v) - loss(point) - dot(B * point, v)
    d.equal(
        "so is signed D, and pathwise, secant and Rayleigh quotient are the same", change / (dot(v, v) / 2), rayleigh
    )
    d.equal(
        "The pointwise D squared is 4 |B g|^2 / |g|^2",
        4 * dot(B * v, B * v) / dot(v, v),
        4 * dot(B * g, B * g) / dot(g, g),
    )
    b = B.diagonal()
    pairs = ((0, 1), (0, 2), (1, 2))
    lost = sum((b[i] - b[j]) ** 2 * g[i] ** 2 * g[j] ** 2 for i, j in pairs)
    d.equal(
        "It is at least twice the others",
        dot(B * g, B * g) * dot(g, g) - dot(g, B * g) ** 2,
        lost,
    )
    names = {f"b_{i}": POSITIVE for i in (1, 2, 3)} | {f"g_{i}": SIGNED for i in (1, 2, 3)}
    form, length2 = dot(g, B * g), dot(g, g)
    d.claim(
        id="directional.quadratic_pointwise",
        statement="Three modes: D is at most half the pointwise D, (g^T B g)^2 <= |B g|^2 |g|^2",
        kind="inequality",
        left=form**2,
        right=dot(B * g, B * g) * length2,
        domain=names,
    )
    d.claim(
        id="directional.quadratic_top",
        statement="Three modes: D is at most the largest curvature, g^T B g <= max(b_i) |g|^2",
        kind="inequality",
        left=form,
        right=sp.Max(*b) * length2,
        domain=names,
    )
    return d


def _values() -> Derivation:
    d = Derivation("directional_values", "Exact values on logistic and log cosh losses", MODEL, SOURCE)
    z = sp.Symbol("z", positive=True)
    d.equal(
        "log(1 + e^-x), 0 to z: the slope rises by",
        slope(logistic, z) - slope(logistic, 0),
        sp.Rational(1, 2) - 1 / (1 + sp.exp(z)),
    )
    d.equal("which is tanh(z / 2) / 2", sp.Rational(1, 2) - 1 / (1 + sp.exp(z)), (sp.tanh(z / 2) / 2).rewrite(sp.exp))
    d.equal("signed D", signed(logistic, 0, z), (2 * sp.log(1 + sp.exp(-z)) - 2 * sp.log(2) + z) / z**2)
    d.equal(
        "log cosh, 0 to z: A_t = tanh(t z) / (t z) falls from 1, so pathwise is 1",
        along(log_cosh, 0, z),
        sp.tanh(t * z) / (t * z),
    )
    d.equal("signed D", signed(log_cosh, 0, z), 2 * sp.log(sp.cosh(z)) / z**2)
    back = signed(log_cosh, z, 0)
    d.equal("backwards", back, (2 * z * sp.tanh(z) - 2 * sp.log(sp.cosh(z))) / z**2)
    d.equal(
        "their sum is twice the secant, and on the line the pointwise D",
        signed(log_cosh, 0, z) + back,
        2 * sp.tanh(z) / z,
    )
    d.claim(
        id="directional.log_cosh",
        statement="log cosh, 0 to z: signed D is at most 1, the pathwise one",
        kind="inequality",
        left=signed(log_cosh, 0, z),
        right=sp.Integer(1),
        domain={"z": POSITIVE},
    )
    return d
