"""Self-stabilisation: gradient descent on a loss is the predicted map; its invariant, period and mean square."""

from __future__ import annotations

import sympy as sp

from eossim.maps import self_stabilization
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, by_name, experiment_claim
from .toy_symbols import image

MODEL = "x along the top eigenvector, y = S - 2/eta, alpha = -grad L.grad S, beta = |grad S|^2 orthogonal to it"
SOURCE = "arXiv:2209.15594"

alpha, beta = sp.symbols("alpha beta", positive=True)
x, y = sp.symbols("x y", real=True)
DELTA = sp.sqrt(2 * alpha / beta)
PERIOD = 2 * sp.pi / (eta * sp.sqrt(2 * alpha))


def derive() -> list[Derivation]:
    """Return the map as descent on a loss, and what follows from it."""
    d = Derivation("self_stabilization", "The predicted dynamics of self-stabilisation", MODEL, SOURCE)
    after = image(self_stabilization, x=x, y=y, eta=eta, alpha=alpha, beta=beta)
    d.equal("x' = -(1 + eta y) x", after[0], -(1 + eta * y) * x)
    d.equal("y' = y + eta (alpha - beta x^2 / 2)", after[1], y + eta * (alpha - beta * x**2 / 2))
    loss = (2 / eta + y) * x**2 / 2 - alpha * y
    d.equal("Gradient descent on L = (2/eta + y) x^2 / 2 - alpha y moves x so", x - eta * sp.diff(loss, x), after[0])
    d.equal("and y so, beta = 1", y - eta * sp.diff(loss, y), at(after[1], (beta, 1)))
    scaled = image(self_stabilization, x=sp.sqrt(beta) * x, y=y, eta=eta, alpha=alpha, beta=sp.Integer(1))
    d.equal("sqrt(beta) x follows the map of beta = 1: x", scaled[0], sp.sqrt(beta) * after[0])
    d.equal("and y", scaled[1], after[1])
    d.equal("y stays at x = delta = sqrt(2 alpha / beta)", at(after[1], (x, DELTA)), y)
    d.say("Summed over T steps: the mean of x^2 is delta^2 - 2 (y_T - y_0) / (beta eta T), exactly.")
    d.equal("One term of the sum", x**2, DELTA**2 - 2 * (after[1] - y) / (beta * eta))
    size, shift = sp.Symbol("X", positive=True), sp.Symbol("u", real=True)
    d.say("In continuous time, eta t -> t, the size X = |x| grows by the rate y, and y by alpha - beta X^2 / 2.")
    invariant = y**2 / 2 + beta * size**2 / 4 - alpha * sp.log(size)
    flow = sp.diff(invariant, y) * (alpha - beta * size**2 / 2) + sp.diff(invariant, size) * y * size
    d.equal("y^2 / 2 + beta X^2 / 4 - alpha log X is then conserved", flow, 0)
    restoring = alpha - beta * (DELTA * sp.exp(shift)) ** 2 / 2
    d.equal("Next to X = delta, X = delta exp(u): u' = y, y' =", restoring, alpha * (1 - sp.exp(2 * shift)))
    d.equal("of slope -2 alpha", at(sp.diff(restoring, shift), (shift, 0)), -2 * alpha)
    d.equal(
        "an oscillation of frequency sqrt(2 alpha), its period in steps", 2 * sp.pi / sp.sqrt(2 * alpha) / eta, PERIOD
    )
    jacobian = sp.Matrix([(1 + eta * y) * size, after[1].subs(x, size)]).jacobian((size, y)).subs(y, 0)
    d.equal(
        "The discrete map spirals out: the determinant at (delta, 0)",
        jacobian.det().subs(size, DELTA),
        1 + 2 * alpha * eta**2,
    )
    domain = {n: POSITIVE for n in ("eta", "alpha", "beta", "x", "y")}
    d.claim(
        id="self_stabilization.scaling",
        statement="sqrt(beta) x follows the map of beta = 1",
        kind="equality",
        left=by_name(scaled[1], domain),
        right=by_name(after[1], domain),
        domain=domain,
    )
    experiment_claim(
        d,
        "self_stabilization.gradient_descent",
        "self_stabilization_descent",
        "gradient descent on (2/eta + y) x^2 / 2 - alpha y is the predicted map; period and mean square as derived",
    )
    return [d]
