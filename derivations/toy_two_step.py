"""Two steps at the edge of a minimum in one dimension: when a stable 2-cycle is born."""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.maps import uv_residual
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, experiment_claim
from .toy_symbols import image

MODEL = "L = f2 x^2 / 2 + f3 x^3 / 6 + f4 x^4 / 24 + ..., g(x) = x - eta L'(x)"
SOURCE = "arXiv:2206.04172"

f2 = sp.Symbol("f2", positive=True)
f3, f4 = sp.symbols("f3 f4", real=True)
#: Coefficient of x^3 in g(g(x)) at eta = 2/f2; a stable 2-cycle is born where it is negative.
COEFFICIENT = sp.Rational(2, 3) * (f2 * f4 - 3 * f3**2) / f2**2


def derive() -> list[Derivation]:
    """Return the series of two steps and the cycle that follows."""
    d = Derivation("two_step", "Two steps at the edge of a minimum in one dimension", MODEL, SOURCE)
    x, mu, a, b = sp.symbols("x mu a b", real=True)
    f5 = sp.Symbol("f5", real=True)
    slope = f2 * x + f3 * x**2 / 2 + f4 * x**3 / 6 + f5 * x**4 / 24
    step = x - 2 / f2 * slope
    twice = sp.Poly(sp.expand(step.subs(x, step)), x)
    d.equal("eta = 2/f2: one step", step, -x - f3 / f2 * x**2 - f4 / (3 * f2) * x**3 - f5 / (12 * f2) * x**4)
    d.say("In two steps:")
    d.equal("the coefficient of x", twice.coeff_monomial(x), 1)
    d.equal("that of x^2 vanishes", twice.coeff_monomial(x**2), 0)
    d.equal("that of x^3: no derivative beyond the fourth enters", twice.coeff_monomial(x**3), COEFFICIENT)
    general = -x + a * x**2 + b * x**3
    both = sp.Poly(sp.expand(general.subs(x, general)), x)
    d.equal(
        "For any map with g' = -1 it is -2 (g''^2 / 4 + g''' / 6)",
        both.coeff_monomial(x**3),
        -2 * ((2 * a) ** 2 / 4 + 6 * b / 6),
    )
    d.say("Beyond the edge, eta = 2 (1 + mu) / f2, to the leading order in mu with x of the order sqrt(mu):")
    t = sp.Symbol("t", positive=True)
    beyond = (x - 2 * (1 + mu) / f2 * slope).subs({x: t * x, mu: t**2 * mu}, simultaneous=True)
    again = (x - 2 * (1 + t**2 * mu) / f2 * slope).subs(x, beyond)
    moved = sp.expand(again - t * x)
    d.equal("two steps move x by 4 mu x + C x^3", moved.coeff(t, 3), 4 * mu * x + COEFFICIENT * x**3)
    d.equal("with nothing below", moved.coeff(t, 1) + moved.coeff(t, 2), 0)
    C = sp.Symbol("C", negative=True)
    size = sp.Symbol("mu", positive=True)
    amplitude = 2 * sp.sqrt(size / -C)
    d.equal("which vanishes at x^2 = 4 mu / -C", at(4 * size * x + C * x**3, (x, amplitude)), 0)
    d.equal("with the slope -8 mu: the cycle attracts", at(4 * size + 3 * C * x**2, (x, amplitude)), -8 * size)
    d.say("So a stable 2-cycle is born iff C < 0, 3 f3^2 > f2 f4. Otherwise runs beyond the edge leave the minimum.")
    residual = image(uv_residual, e=x, Y=sp.Integer(1))[0]
    d.equal("The uv model on its balanced manifold at Y = 1", residual, -x - x**2 + x**3)
    d.equal(
        "has g''^2 / 2 + g''' / 3 = 4: stable",
        at(sp.diff(residual, x, 2) ** 2 / 2 + sp.diff(residual, x, 3) / 3, (x, 0)),
        4,
    )
    d.claim(
        id="two_step.coefficient",
        statement="at eta = 2/f'' the coefficient of x^3 in two steps is 2/3 (f'' f'''' - 3 f'''^2) / f''^2",
        kind="equality",
        left=sp.expand(twice.coeff_monomial(x**3)),
        right=COEFFICIENT,
        domain={"f2": POSITIVE, "f3": Interval(), "f4": Interval()},
    )
    experiment_claim(
        d,
        "two_step.cycle",
        "two_step_cycle",
        "just beyond eta = 2/f'' descent ends on a 2-cycle of the derived size iff 3 f'''^2 > f'' f''''",
    )
    return [d]
