"""Step sizes that adapt to directional smoothness: the roots that define them and where they settle on a quadratic.

On two modes of curvature a > b the step depends on u = (g_b / g_a)^2 alone, so each rule is a map u -> u+.
"""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic import eta, h
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, experiment_claim
from .directional_identity import STEEPEST, D, G
from .stochastic_batches import dot

SOURCE = "arXiv:2403.04081, corrected and re-derived"
TWO = "f = x^T B x / 2, two modes of curvature a > b, u = (g_b / g_a)^2"

b, u, gap = sp.symbols("b u gap", positive=True)
a = sp.Symbol("a", positive=True)
#: Where Dai-Yang steps and steps 1/D settle (the latter for a > 3 b), and the step there.
DAI_YANG = (3 * a + b) / (a + 3 * b)
INVERSE = (3 * a - b) * (5 * a + b) / ((a - 3 * b) * (a + 5 * b))
LIMIT = 2 / (a + b)
#: Multiplier of a deviation of log u from these fixed points.
DAI_YANG_MULTIPLIER = -(a**2 + 6 * a * b + b**2) / (2 * (a + b) ** 2)
INVERSE_MULTIPLIER = (a**2 - 14 * a * b + b**2) ** 2 / (8 * (a**2 - b**2) ** 2) - 1


def squared_step(divisor: int) -> sp.Expr:
    """Return eta^2 for the step |g| / (divisor |B g|): Dai-Yang for 1, 1/D pointwise for 2."""
    return (1 + u) / (divisor**2 * (a**2 + b**2 * u))


def cauchy(ratio: sp.Expr) -> sp.Expr:
    """Return the step of exact line search, 1 / Rayleigh quotient."""
    return (1 + ratio) / (a + b * ratio)


def following(step: sp.Expr, ratio: sp.Expr = u) -> sp.Expr:
    """Return u after a step."""
    return ratio * ((1 - step * b) / (1 - step * a)) ** 2


def multiplier(divisor: int) -> sp.Expr:
    """Return d log u+ / d log u where the step is 2 / (a + b), with u still free."""
    slope = sp.diff(squared_step(divisor), u) / (2 * LIMIT)  # d eta / d u
    return 1 + 2 * u * slope * (a / (1 - LIMIT * a) - b / (1 - LIMIT * b))


def derive() -> list[Derivation]:
    """Return the defining equations, the steps on quadratics, and the limits of three rules and of a fixed step."""
    return [_roots(), _line_search(), _dai_yang(), _inverse(), _cauchy(), _fixed()]


def _roots() -> Derivation:
    d = Derivation("directional_roots", "Strongly adapted steps, eta = 1/D of their own step", "x+ = x - eta g", SOURCE)
    kappa, g2, after2, cross = sp.symbols("kappa g^2 g+^2 g+g", real=True)
    d.say("Pointwise D = 2 |g+ - g| / (eta |g|), so eta = 1/D means |g+ - g| = |g| / 2. Call the factor kappa.")
    phi = after2 / 2 - cross + (1 - kappa**2) / 2 * g2
    d.equal("|g+ - g|^2 = kappa^2 |g|^2 is phi = 0", phi, (after2 - 2 * cross + g2 - kappa**2 * g2) / 2)
    for value, constant, where in (
        (sp.Rational(1, 2), sp.Rational(3, 8), "1/D"),
        (sp.Integer(1), sp.Integer(0), "the code without its factor 2"),
        (sp.sqrt(2), -sp.Rational(1, 2), "the code and the printed Newton equation"),
        (sp.Integer(2), -sp.Rational(3, 2), "the text of the existence proof"),
    ):
        d.equal(f"kappa = {value}, {where}: the constant", at((1 - kappa**2) / 2, (kappa, value)), constant)
        slope = sp.Symbol("g", positive=True)
        after = slope * (1 - eta * h)
        on_line = phi.subs({after2: after**2, cross: after * slope, g2: slope**2})
        d.equal("on f = h x^2 / 2 the root is eta h = kappa", at(on_line, (kappa, value), (eta, value / h)), 0)
    x, c = sp.symbols("x_1:3", real=True), sp.symbols("c_1:7", real=True)
    f = (
        c[0] * x[0] ** 2
        + c[1] * x[0] * x[1]
        + c[2] * x[1] ** 2
        + c[3] * x[0] ** 3
        + c[4] * x[0] ** 2 * x[1]
        + c[5] * x[1] ** 4
    )
    gradient, hessian = sp.Matrix([f]).jacobian(x).T, sp.hessian(f, x)
    start = sp.Matrix(sp.symbols("g_1:3", real=True))
    there = dict(zip(x, sp.Matrix(x) - eta * start, strict=True))
    after, curved = gradient.subs(there, simultaneous=True), hessian.subs(there, simultaneous=True)
    d.equal(
        "Newton's slope, on a loss of two parameters: phi' = <g - g+, H(x+) g>",
        sp.diff(dot(after, after) / 2 - dot(after, start), eta),
        dot(start - after, curved * start),
    )
    d.equal(
        "For signed D, eta = 1/D is Armijo's condition with 1/2, met exactly",
        at(STEEPEST, (D, 1 / eta)),
        -eta * G**2 / 2,
    )
    d.say("log(1 + e^-x) from 0: g = -1/2, x+ = eta / 2, g+ = -1 / (1 + e^(eta / 2)).")
    step = 2 * sp.log(3)
    d.equal("1/D pointwise: g+ = g / 2 at eta = ln 9", at(1 / (1 + sp.exp(eta / 2)), (eta, step)), sp.Rational(1, 4))
    d.equal(
        "|g+ - g| < 1/2 for every eta",
        sp.Rational(1, 2) - 1 / (1 + sp.exp(eta / 2)),
        (sp.tanh(eta / 4) / 2).rewrite(sp.exp),
    )
    d.say("so the equations with kappa >= 1 have no root there: bounded gradients.")
    return d


def _line_search() -> Derivation:
    d = Derivation("directional_line_search", "Known steps as one over a notion of D", TWO, SOURCE)
    B, g = sp.diag(*sp.symbols("b_1:4", positive=True)), sp.Matrix(sp.symbols("g_1:4", real=True))
    step = dot(g, g) / dot(g, B * g)
    after = g - eta * B * g
    d.equal("Three modes: the loss falls until <g+, g> = 0", at(dot(after, g), (eta, step)), 0)
    d.say("so 1/A = |g|^2 / g^T B g is the Cauchy step. Dai-Yang is |g| / |B g|, twice 1/D for the pointwise D:")
    size2 = dot(g, g) / dot(B * g, B * g)
    pointwise2 = 4 * dot(B * g, B * g) / dot(g, g)
    d.equal("eta^2 D^2 = 4", size2 * pointwise2, 4)
    first = sp.Symbol("g_a", positive=True)
    pair, two = sp.Matrix([first, first * sp.sqrt(u)]), sp.diag(a, b)
    d.equal("Two modes: eta^2 of Dai-Yang", dot(pair, pair) / dot(two * pair, two * pair), squared_step(1))
    d.equal("and of 1/D", dot(pair, pair) / (4 * dot(two * pair, two * pair)), squared_step(2))
    d.equal("eta of Cauchy", dot(pair, pair) / dot(pair, two * pair), cauchy(u))
    moved = pair - eta * two * pair
    d.equal("u+ = u (1 - eta b)^2 / (1 - eta a)^2", moved[1] ** 2 / moved[0] ** 2, following(eta))
    return d


def _settled(d: Derivation, divisor: int, point: sp.Expr, found: sp.Expr) -> None:
    """Show that u stays at `point`, where the step is 2 / (a + b), and what happens beside it."""
    d.equal("At eta = 2 / (a + b) both modes shrink alike", 1 - LIMIT * b, -(1 - LIMIT * a))
    d.equal("and the step has this size at u =", at(squared_step(divisor), (u, point)), LIMIT**2)
    d.equal("A deviation of log u is multiplied by", at(multiplier(divisor), (u, point)), found)


def _dai_yang() -> Derivation:
    d = Derivation("directional_dai_yang", "Dai-Yang steps tend to 2 / (a + b)", TWO, "derived")
    _settled(d, 1, DAI_YANG, DAI_YANG_MULTIPLIER)
    d.equal("More than -1 for a > b", 1 + DAI_YANG_MULTIPLIER, (a - b) ** 2 / (2 * (a + b) ** 2))
    middle = sp.Symbol("m", positive=True)
    d.equal(
        "A mode m between b and a shrinks faster, so it does not matter in the end",
        (1 - LIMIT * a) ** 2 - (1 - LIMIT * middle) ** 2,
        4 * (a - middle) * (middle - b) / (a + b) ** 2,
    )
    d.say("The often quoted 2 / a is the limit of this for b -> 0.")
    d.claim(
        id="directional.dai_yang_limit",
        statement="Two modes: Dai-Yang at u = (3a + b) / (a + 3b) has the square of 2 / (a + b)",
        kind="equality",
        left=squared_step(1).subs(u, DAI_YANG),
        right=LIMIT**2,
        domain={"a": POSITIVE, "b": POSITIVE},
    )
    d.claim(
        id="directional.dai_yang_stable",
        statement="The limit 2 / (a + b) of Dai-Yang steps is stable at all curvatures: |multiplier| at most 1",
        kind="inequality",
        left=DAI_YANG_MULTIPLIER**2,
        right=sp.Integer(1),
        domain={"a": POSITIVE, "b": POSITIVE},
    )
    return d


def _inverse() -> Derivation:
    d = Derivation("directional_inverse", "Steps 1/D tend to 2 / (a + b) or to 1 / (2b)", TWO, "derived")
    _settled(d, 2, INVERSE, INVERSE_MULTIPLIER)
    d.say("u is positive iff a > 3b.")
    d.equal(
        "One less the multiplier is positive there",
        1 - INVERSE_MULTIPLIER,
        (3 * a - b) * (5 * a + b) * (a - 3 * b) * (a + 5 * b) / (8 * (a**2 - b**2) ** 2),
    )
    d.say(
        "One plus it is a square: never below -1, at -1 only where a^2 - 14 a b + b^2 = 0, "
        "where convergence is merely algebraic."
    )
    d.equal("That is a / b = 7 + 4 sqrt 3", at(INVERSE_MULTIPLIER, (a, (7 + 4 * sp.sqrt(3)) * b)), -1)
    rate = (1 - eta * b) / (1 - eta * a)
    d.equal(
        "With b alone, u = oo, eta = 1 / (2b): u grows by the square of", at(rate, (eta, 1 / (2 * b))), b / (2 * b - a)
    )
    d.equal("more than 1 iff b < a < 3b", b**2 - (2 * b - a) ** 2, (a - b) * (3 * b - a))
    d.equal("With a alone, u = 0, eta = 1 / (2a): by the square of", at(rate, (eta, 1 / (2 * a))), (2 * a - b) / a)
    d.say("which exceeds 1 for every b < a: this end is never reached.")
    low = {"b": POSITIVE, "gap": POSITIVE}
    high = {a: 3 * b + gap}
    d.claim(
        id="directional.inverse_limit",
        statement="Two modes, a = 3b + gap: steps 1/D at their fixed u have the square of 2 / (a + b)",
        kind="equality",
        left=squared_step(2).subs(u, INVERSE).subs(high),
        right=(LIMIT**2).subs(high),
        domain=low,
    )
    d.claim(
        id="directional.inverse_stable",
        statement="a = 3b + gap: the limit 2 / (a + b) of steps 1/D has a multiplier of modulus at most 1",
        kind="inequality",
        left=(INVERSE_MULTIPLIER**2).subs(high),
        right=sp.Integer(1),
        domain=low,
    )
    d.claim(
        id="directional.inverse_low",
        statement="a = (1 + 2q) b, 0 < q < 1: with steps 1 / (2b) the lower mode gains, (1 - eta a)^2 <= (1 - eta b)^2",
        kind="inequality",
        left=(1 - a / (2 * b)).subs(a, (1 + 2 * sp.Symbol("q", positive=True)) * b) ** 2,
        right=sp.Rational(1, 4),
        domain={"b": POSITIVE, "q": Interval(0.0, 1.0)},
    )
    return d


def _cauchy() -> Derivation:
    d = Derivation("directional_cauchy", "Cauchy steps alternate", TWO, "derived")
    d.equal("Exact line search turns u into 1/u", following(cauchy(u)), 1 / u)
    d.equal("so two steps return it: a 2-cycle for every start", following(cauchy(1 / u), 1 / u), u)
    pair = 1 / cauchy(u) + 1 / cauchy(1 / u)
    d.equal("The two steps have 1/eta + 1/eta' = a + b", pair, a + b)
    alpha, beta = sp.symbols("alpha beta", positive=True)
    d.say("A third mode at m, alpha = a - m, beta = m - b. Over two steps its gradient, against that of a:")
    m = a - alpha
    shrink = [(1 - cauchy(x) * m) / (1 - cauchy(x) * a) for x in (u, 1 / u)]
    grown = (shrink[0] * shrink[1]).subs(b, a - alpha - beta)
    product = (u * (alpha**2 + beta**2) - alpha * beta * (1 + u**2)) / (u * (alpha + beta) ** 2)
    d.equal("is multiplied by", grown, product)
    d.equal("less than 1", 1 - product, alpha * beta * (1 + u) ** 2 / (u * (alpha + beta) ** 2))
    margin = 2 * (alpha / beta + beta / alpha + 1) - (u + 1 / u)
    d.equal(
        "and above -1 iff u + 1/u < 2 (alpha/beta + beta/alpha + 1)",
        1 + product,
        alpha * beta / (alpha + beta) ** 2 * margin,
    )
    d.say("So not every u survives a third mode: the limit depends on the start, only the sum of 1/eta does not.")
    d.claim(
        id="directional.cauchy",
        statement="Two modes: consecutive Cauchy steps have 1/eta + 1/eta' = a + b, from every start",
        kind="equality",
        left=1 / cauchy(u) + 1 / cauchy(following(cauchy(u))),
        right=a + b,
        domain={"a": POSITIVE, "b": POSITIVE, "u": POSITIVE},
        where=(a - b,),
    )
    experiment_claim(
        d,
        "directional.adapted_steps",
        "adapted_step_limits",
        "Dai-Yang, 1/D and Cauchy steps end at, or alternate around, what the extreme excited modes predict",
    )
    return d


def _fixed() -> Derivation:
    d = Derivation("directional_fixed", "Which mode D of gradient descent ends at", TWO, "derived")
    d.equal(
        "A fixed step multiplies u by more than 1 iff eta < 2 / (a + b)",
        (1 - eta * b) ** 2 - (1 - eta * a) ** 2,
        eta * (a - b) * (2 - eta * (a + b)),
    )
    rayleigh = (a + b * u) / (1 + u)
    d.equal("D = Rayleigh quotient: u = 0 gives a", at(rayleigh, (u, 0)), a)
    d.equal("and 1/u = 0 gives b", at(sp.cancel(rayleigh.subs(u, 1 / G)), (G, 0)), b)
    d.equal(
        "At the edge of a, eta = 2/a, the top mode wins against every b",
        at(2 - eta * (a + b), (eta, 2 / a)),
        -2 * b / a,
    )
    d.claim(
        id="directional.rayleigh_of_gd",
        statement="eta above 2 / (a + b), a = b + gap: the top mode shrinks less, D tends to a",
        kind="inequality",
        left=(1 - eta * b) ** 2,
        right=(1 - eta * (b + gap)) ** 2,
        domain={"eta": POSITIVE, "b": POSITIVE, "gap": POSITIVE},
        where=(eta * (2 * b + gap) - 2,),
    )
    return d
