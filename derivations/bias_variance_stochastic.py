"""USAM on minibatches: what the batch of the ascent step changes, and the mean square."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations, product
from typing import Any

import sympy as sp

from eossim import rules
from eossim.domain import NON_NEGATIVE
from eossim.symbolic import eta, parameter, rho
from eossim.symbolic.derivation import Derivation

from .bias_variance import step
from .common import POSITIVE, at, experiment_claim

MODEL = "loss sum (x_i b - y_i)^2 / (2 n), r_i = x_i b - y_i, grad = sum x_i r_i / n, H = sum x_i^2 / n"
b = sp.Symbol("b", real=True)
batch = sp.Symbol("B", positive=True)
#: What the expected direction is made of: grad, H, and D = sum |x_i|^2 x_i r_i / n.
PARTS = mean_gradient, hessian, weighted = sp.symbols("g H D", real=True)

#: Expected direction of a same-batch step, as a function of the batch size B and the number of observations n.
n = sp.Symbol("n", positive=True)
REPLACED = mean_gradient + rho * (weighted / batch + (1 - 1 / batch) * hessian * mean_gradient)
DISTINCT = mean_gradient + rho * (
    weighted / batch + (batch - 1) / (batch * (n - 1)) * (n * hessian * mean_gradient - weighted)
)


def batches(count: int, size: int, *, replacement: bool) -> list[tuple[int, ...]]:
    """Return every batch of `size` out of `count`, equally likely."""
    return list(product(range(count), repeat=size) if replacement else combinations(range(count), size))


def direction(
    gradients: Sequence[Callable[[Any], Any]], at_point: Any, drawn: Sequence[Sequence[int]], **values: Any
) -> Any:
    """Return the mean over `drawn` batches of the direction of USAM, each batch used for ascent and descent."""
    total = 0 * at_point
    for chosen in drawn:
        own = partial(_mean, [gradients[i] for i in chosen])
        total += at_point - step(rules.usam, at_point, gradient=own, eta=sp.Integer(1), **values)[0]
    return total / len(drawn)


def _mean(gradients: Sequence[Callable[[Any], Any]], point: Any) -> Any:
    first, *others = (gradient(point) for gradient in gradients)
    return sum(others, first) / len(gradients)


def _slope(x: sp.Symbol, r: sp.Expr, point: Any) -> Any:
    return x * (r + x * (point - b))


def scalar(x: Sequence[sp.Symbol], r: Sequence[sp.Symbol]) -> list[Callable[[Any], Any]]:
    """Return the gradients of the observations at a point, residuals `r` at b."""
    return [partial(_slope, xi, ri) for xi, ri in zip(x, r, strict=True)]


def derive() -> list[Derivation]:
    """Return the expected step, the fixed point of single observations, and the mean square."""
    return [_expected_step(), _fixed_point(), _mean_square()]


def _expected_step() -> Derivation:
    d = Derivation("usam_minibatch", "The expected step of USAM on minibatches", MODEL + ", D = sum x_i^2 x_i r_i / n")
    x, r, count = sp.symbols("x_1:4", real=True), sp.symbols("r_1:4", real=True), 3
    gradients = scalar(x, r)
    sums = (
        sum(xi * ri for xi, ri in zip(x, r, strict=True)) / count,
        sum(xi**2 for xi in x) / count,
        sum(xi**3 * ri for xi, ri in zip(x, r, strict=True)) / count,
    )
    values = tuple(zip(PARTS, sums, strict=True))
    d.say("Three observations, one parameter: the mean over all batches of B, the same batch for ascent and descent.")
    for size in (1, 2, 3):
        for text, formula, replacement in (
            ("with replacement", REPLACED, True),
            ("without replacement", DISTINCT.subs(n, count), False),
        ):
            found = sp.expand(direction(gradients, b, batches(count, size, replacement=replacement)))
            d.equal(f"B = {size}, {text}", found, at(formula.subs(batch, size), *values))
    d.equal("The full batch drops D", at(DISTINCT, (batch, n)), mean_gradient + rho * hessian * mean_gradient)
    pairs = list(product(range(count), repeat=2))
    independent = sum(
        b - step(rules.usam, b, gradient=_alternate(gradients, pair), eta=sp.Integer(1))[0] for pair in pairs
    )
    d.equal(
        "Two independent batches, one for the ascent: no D, the step of the full gradient",
        sp.expand(independent / len(pairs)),
        at(mean_gradient + rho * hessian * mean_gradient, *values),
    )
    return d


def _alternate(gradients: Sequence[Callable[[Any], Any]], order: Sequence[int]) -> Callable[[Any], Any]:
    """Return a gradient that takes the observations in turn, the first for the ascent."""
    turn = iter(order)
    return lambda point: gradients[next(turn)](point)


def _fixed_point() -> Derivation:
    d = Derivation(
        "usam_minibatch_fixed_point", "Where USAM on single observations ends in the mean", MODEL + ", B = 1"
    )
    x, y = sp.symbols("x_1:4", positive=True), sp.symbols("y_1:4", real=True)
    weights = [1 + rho * xi**2 for xi in x]
    residuals = [xi * b - yi for xi, yi in zip(x, y, strict=True)]
    found = direction(scalar(x, residuals), b, batches(3, 1, replacement=False))
    terms = sum(w * ri * xi for w, ri, xi in zip(weights, residuals, x, strict=True))
    d.equal("The ascent step multiplies each residual by 1 + rho x_i^2", found, terms / 3)
    weighted_fit = sum(w * xi * yi for w, xi, yi in zip(weights, x, y, strict=True)) / sum(
        w * xi**2 for w, xi in zip(weights, x, strict=True)
    )
    d.equal(
        "so the mean step vanishes at WEIGHTED least squares, weights 1 + rho x_i^2", at(found, (b, weighted_fit)), 0
    )
    slope, length = sp.symbols("beta_star x", positive=True)
    exact = dict(zip(y, (slope * xi for xi in x), strict=True))
    d.equal("On data that can be interpolated this is the interpolant", weighted_fit.subs(exact), slope)
    same = dict.fromkeys(x, length)
    ols = sum(y) / (3 * length)
    d.equal("With |x_i| all equal it is ordinary least squares", at(weighted_fit, *same.items()), ols)
    plain = sum(xi * yi for xi, yi in zip(x, y, strict=True)) / sum(xi**2 for xi in x)
    d.equal("and with rho = 0 too", at(weighted_fit, (rho, 0)), plain)
    shifted = sp.diff(weighted_fit, rho).subs(rho, 0)
    residual = [yi - xi * plain for xi, yi in zip(x, y, strict=True)]
    d.equal(
        "For small rho it moves by rho sum x_i^3 (y_i - x_i OLS) / sum x_i^2",
        sp.factor(shifted),
        sum(xi**3 * ri for xi, ri in zip(x, residual, strict=True)) / sum(xi**2 for xi in x),
    )
    return d


def _mean_square() -> Derivation:
    d = Derivation(
        "usam_minibatch_moments",
        "The mean square of USAM on single observations",
        "b' = M_i b + eta c_i, M_i = 1 - eta a_i, a_i = x_i^2 (1 + rho x_i^2), c_i = (1 + rho x_i^2) x_i y_i, i random",
    )
    x, y = sp.symbols("x_1 x_2", positive=True), sp.symbols("y_1 y_2", real=True)
    curvatures, shifts = sp.symbols("a_1 a_2", positive=True), sp.symbols("c_1 c_2", real=True)
    gradient = scalar(x, [xi * b - yi for xi, yi in zip(x, y, strict=True)])
    known = [(curvatures[i], x[i] ** 2 * (1 + rho * x[i] ** 2)) for i in (0, 1)]
    known += [(shifts[i], (1 + rho * x[i] ** 2) * x[i] * y[i]) for i in (0, 1)]
    after = step(rules.usam, b, gradient=gradient[0])[0]
    d.equal(
        "The step on one observation",
        sp.expand(after),
        at((1 - eta * curvatures[0]) * b + eta * shifts[0], *known[::2]),
    )
    m = [1 - eta * a for a in curvatures]
    M, C = sp.symbols("M_1 M_2", real=True), sp.symbols("C_1 C_2", real=True)
    E1, E2 = sp.symbols("E_b E_b2", real=True)

    def mean(terms: Sequence[sp.Expr]) -> sp.Expr:
        return sum(terms) / 2

    paths = [M[j] * (M[i] * b + C[i]) + C[j] for i, j in product((0, 1), repeat=2)]
    first = mean([Mi * E1 + Ci for Mi, Ci in zip(M, C, strict=True)])
    second = mean([Mi**2 * E2 + 2 * Mi * Ci * E1 + Ci**2 for Mi, Ci in zip(M, C, strict=True)])
    once = [(E1, first.subs(E1, b)), (E2, second.subs({E1: b, E2: b**2}))]
    d.say(
        "Two observations, C_i = eta c_i. The mean E_b and the mean square E_b2 have recursions, here applied to their "
        "values after the first step, against all four orders of two steps."
    )
    d.equal("Mean after two steps", sum(paths) / 4, at(first, *once[:1]))
    d.equal("Mean square after two steps", sum(path**2 for path in paths) / 4, at(second, *once))
    spread = (curvatures[0] - curvatures[1]) ** 2 / 4
    d.equal(
        "The square is multiplied by that of the mean plus a variance",
        mean([mi**2 for mi in m]),
        mean(m) ** 2 + eta**2 * spread,
    )
    edge = 2 * mean(curvatures) / mean([a**2 for a in curvatures])
    d.equal("It reaches 1 at eta = 2 mean(a) / mean(a^2)", at(mean([mi**2 for mi in m]), (eta, edge)), 1)
    d.equal(
        "That is below 2 / mean(a), where the mean loses stability: the reciprocals differ by",
        1 / edge - mean(curvatures) / 2,
        spread / (2 * mean(curvatures)),
    )
    d.say("Below the edge the mean square stays bounded. Larger rho makes a_i and their spread larger.")
    names = {"x_1": POSITIVE, "x_2": POSITIVE, "rho": NON_NEGATIVE}
    a1, a2 = (xi**2 * (1 + rho * xi**2) for xi in (parameter("x_1", POSITIVE), parameter("x_2", POSITIVE)))
    values = dict(zip(curvatures, (a1, a2), strict=True))
    d.claim(
        id="usam.mean_square_edge",
        statement="USAM on two single observations is stable in the mean square up to a smaller eta than in the mean",
        kind="inequality",
        left=edge.subs(values),
        right=(2 / mean(curvatures)).subs(values),
        domain=names,
    )
    d.claim(
        id="usam.mean_square_below_sgd",
        statement="On two single observations USAM is stable in the mean square up to a smaller eta than at rho = 0",
        kind="inequality",
        left=edge.subs(values),
        right=edge.subs(values).subs(rho, 0),
        domain=names,
    )
    experiment_claim(
        d,
        "usam.minibatch",
        "minibatch_by_simulation",
        "Exact moments of mini-batch usam are the means over runs, batches the same or independent for the ascent",
    )
    return d
