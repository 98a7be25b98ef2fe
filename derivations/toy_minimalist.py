"""The four-parameter example (1 - a b c d)^2 / 2: its symmetric map, its Hessian, and where descent ends."""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.maps import minimalist
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, experiment_claim
from .toy_symbols import image, put

MODEL = "L = (1 - a b c d)^2 / 2, a = b = x, c = d = y"
SOURCE = "arXiv:2210.03294"

x, y = sp.symbols("x y", positive=True)
#: At the minima x y = 1, and what is left of it after descent from above 2/eta, to first order.
SHARPNESS = 2 * (x**2 + x**-2)
LIMIT = 2 / eta - eta / 2


def derive() -> list[Derivation]:
    """Return the map with its Hessian, and the limit of the sharpness."""
    return [_map(), _limit()]


def _map() -> Derivation:
    d = Derivation("minimalist", "Gradient descent on the four-parameter example", MODEL, SOURCE)
    names = sp.symbols("a b c d", real=True)
    loss = (1 - sp.prod(names)) ** 2 / 2
    symmetric = tuple(zip(names, (x, x, y, y), strict=True))
    moved = [n - eta * sp.diff(loss, n) for n in names]
    x_after, y_after = image(minimalist, x=x, y=y, eta=eta)
    for i, after in enumerate((x_after, x_after, y_after, y_after)):
        d.equal(f"The symmetry stays: {names[i]}", at(moved[i], *symmetric), after)
    residual = 1 - x**2 * y**2
    law = (x**2 - y**2) * (1 - eta**2 * residual**2 * x**2 * y**2)
    d.equal("x^2 - y^2 shrinks by 1 - (eta r x y)^2, r = 1 - x^2 y^2", x_after**2 - y_after**2, law)
    hessian = sp.hessian(loss, names).subs(dict(symmetric))
    d.say("The Hessian splits: (1, -1, 0, 0), (0, 0, 1, -1), and the span of (1, 1, 0, 0) and (0, 0, 1, 1).")
    for vector, value in (((1, -1, 0, 0), residual * y**2), ((0, 0, 1, -1), residual * x**2)):
        image_ = hessian * sp.Matrix(vector) - value * sp.Matrix(vector)
        d.equal(f"{vector} is an eigenvector: the squared error", image_.dot(image_), 0)
    frame = sp.Matrix([[1, 1, 0, 0], [0, 0, 1, 1]]).T / sp.sqrt(2)
    block = frame.T * hessian * frame
    away = hessian * frame - frame * block
    d.equal("The span is invariant", sum(entry**2 for entry in away), 0)
    top = (block.trace() + sp.sqrt((block[0, 0] - block[1, 1]) ** 2 + 4 * block[0, 1] ** 2)) / 2
    observed = next(arg for arg in minimalist.observables["sharpness"].args if arg.has(sp.sqrt) or arg.is_Add)
    observed = put(minimalist, observed, x=x, y=y, eta=eta)
    d.equal(
        "its larger eigenvalue is that of the map", (2 * observed - block.trace()) ** 2, (2 * top - block.trace()) ** 2
    )
    at_minimum = block.subs(y, 1 / x)
    d.equal("At x y = 1 its determinant vanishes: rank one", at_minimum.det(), 0)
    d.equal("so the sharpness is its trace, 2 (x^2 + 1/x^2)", at_minimum.trace(), SHARPNESS)
    squares = (x**2 - x**-2) ** 2
    d.equal("With x^2 - y^2 = s, S^2 = 4 (s^2 + 4)", SHARPNESS**2, 4 * (squares + 4))
    critical = (eta**-2 - 4) ** sp.Rational(1, 4)
    d.equal("S = 2/eta at sqrt(x^2 - y^2) = (1/eta^2 - 4)^(1/4)", 4 * (critical**4 + 4), (2 / eta) ** 2)
    d.claim(
        id="minimalist.law",
        statement="x^2 - y^2 is multiplied by 1 - (eta (1 - x^2 y^2) x y)^2 at every step",
        kind="equality",
        left=x_after**2 - y_after**2,
        right=law,
        domain={"x": POSITIVE, "y": POSITIVE, "eta": POSITIVE},
    )
    d.claim(
        id="minimalist.sharpness",
        statement="minima x y = 1: no sharpness is below 4",
        kind="inequality",
        left=sp.Integer(4),
        right=SHARPNESS,
        domain={"x": Interval(0.0)},
    )
    return d


def _order(expression: sp.Expr, t: sp.Symbol, n: int) -> sp.Expr:
    """Return the coefficient of t^n, not yet evaluated."""
    return sp.Subs(sp.Derivative(expression, (t, n)), t, 0) / sp.factorial(n)


def _limit() -> Derivation:
    d = Derivation("minimalist_limit", "The four-parameter example ends a little below the edge", MODEL, SOURCE)
    r, c = sp.symbols("r c", real=True)
    v, t = sp.Symbol("v", real=True), sp.Symbol("t", positive=True)
    sigma = sp.Symbol("sigma", positive=True)
    x_after, y_after = image(minimalist, x=x, y=y, eta=eta)
    residual, both = 1 - x**2 * y**2, x**2 + y**2
    following = 1 - (1 - r) * (1 + eta * r * sigma + eta**2 * r**2 * (1 - r)) ** 2
    d.equal(
        "r = 1 - x^2 y^2 follows, sigma = x^2 + y^2,",
        1 - (x_after * y_after) ** 2,
        at(following, (r, residual), (sigma, both)),
    )
    D = sp.Symbol("s", positive=True)
    d.equal(
        "sigma^2 = s^2 + 4 (1 - r), s = x^2 - y^2", both**2, at(D**2 + 4 * (1 - r), (D, x**2 - y**2), (r, residual))
    )
    d.say(
        "eta sqrt(s^2 + 4) = 1 + v measures the edge: S = 2 (1 + v) / eta at the minimum of the same s. For small eta, "
        "r and eta of the order t, v of the order t^2:"
    )
    width = sp.sqrt((1 + t**2 * v) ** 2 - 4 * t**3 * eta**2 * r)
    d.equal("eta sigma", sp.sqrt(t**2 * eta**2) * sp.sqrt(((1 + t**2 * v) / (t * eta)) ** 2 - 4 * t * r), width)
    step = 1 - (1 - t * r) * (1 + t * r * width + t**4 * eta**2 * r**2 * (1 - t * r)) ** 2
    orders = [-r, r**2, r**3 - 2 * r * v]
    for n, order in enumerate(orders, 1):
        d.equal(f"r' at the order {n}", _order(step, t, n), order)
    shrunk = ((1 + t**2 * v) ** 2 - 4 * t**2 * eta**2) * (
        1 - t**4 * eta**2 * r**2 * (1 - t * r)
    ) ** 2 + 4 * t**2 * eta**2
    excess = sp.sqrt(shrunk) - 1 - t**2 * v
    d.equal("v' - v at the order 4", _order(excess, t, 4), -(eta**2) * r**2)
    d.equal("with nothing below", sum(c**n * _order(excess, t, n) for n in range(1, 4)), 0)
    once = sum(t**n * order for n, order in enumerate(orders, 1))
    twice = sp.expand(-once + once**2 + once**3 - 2 * t**2 * once * v)
    d.equal("Two steps: r changes by", (twice - t * r).coeff(t, 3), 4 * r * v - 4 * r**3)
    d.equal("with nothing below", (twice - t * r).coeff(t, 1) + c * twice.coeff(t, 2), 0)
    d.say("and v by -2 eta^2 r^2. So u = r^2 and v follow du/dv = (4 / eta^2)(u - v), v falling:")
    solution = v + eta**2 / 4 + c * sp.exp(4 * v / eta**2)
    d.equal(
        "with the solution u = v + eta^2 / 4 + c exp(4 v / eta^2)", sp.diff(solution, v), 4 / eta**2 * (solution - v)
    )
    d.say("From v_0 well above eta^2 the last term is negligible once v is small. The run ends where u = 0:")
    ending = -(eta**2) / 4
    d.equal("v = -eta^2 / 4", at(v + eta**2 / 4, (v, ending)), 0)
    d.equal("S = 2/eta - eta/2", 2 * (1 + ending) / eta, LIMIT)
    experiment_claim(
        d,
        "minimalist.edge",
        "minimalist_edge",
        "from well above 2/eta descent on the four-parameter example ends at S = 2/eta - eta/2, to first order in eta",
    )
    return d
