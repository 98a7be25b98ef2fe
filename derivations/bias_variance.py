"""The bias and variance of a linear method on least squares, step by step and exactly.

y = X b* + e with E e = 0, Cov e = sigma^2 I, loss |y - X b|^2 / (2 c). Along a right singular vector of X, singular
value s and curvature h = s^2 / c, a method whose error is multiplied by q each step has the filter z = q^k after k.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import sympy as sp

from eossim import rules
from eossim._rule import Rule
from eossim.symbolic import beta, eta, h, parameter, rho
from eossim.symbolic.derivation import Derivation

from .common import at, experiment_claim

MODEL = "y = X b* + e, E e = 0, Cov e = sigma^2 I, loss |y - X b|^2 / (2 c)"

k = sp.Symbol("k", integer=True, nonnegative=True)
s, c, n, sigma = sp.symbols("s c n sigma", positive=True)
b, b0, target = sp.symbols("b b_0 b_star", real=True)
q, z = sp.symbols("q z", real=True)

#: Multipliers of the error in one step, as the rules say.
GD = rules.gd.linearization.multiplier
USAM = rules.usam.linearization.multiplier


def step(rule: Rule, *state: Any, gradient: Callable[[Any], Any], **values: Any) -> tuple[Any, ...]:
    """Return the state after one step of the rule itself, for a gradient of one's own.

    Args:
        rule: The rule.
        state: Its state: expressions, numbers or vectors.
        gradient: Gradient at a point; the calls come in the order of the method, the ascent point first.
        values: Hyper-parameters (symbols where not given), and ``norm`` for a rule that has one.
    """
    words = {"grad": gradient, "norm": values.pop("norm", None)}
    symbols = [parameter(name, rule.domain[name]) for name in rule.hyper]
    update = sp.lambdify([*rule.update, *symbols], list(rule.update.values()), modules=[words, "sympy"])
    return tuple(update(*state, *(values.get(x.name, x) for x in symbols)))


def expectation(expression: sp.Expr, noise: Sequence[sp.Symbol], level: sp.Expr = sigma) -> sp.Expr:
    """Return the mean over all signs e_i = +-`level`: then E e = 0, Cov e = level^2 I, all that a risk depends on."""
    signs = [dict(zip(noise, (x * level for x in row), strict=True)) for row in product((1, -1), repeat=len(noise))]
    return sp.Add(*(expression.subs(point, simultaneous=True) for point in signs)) / len(signs)


def risk(filter_: sp.Expr, B: sp.Expr, S: sp.Expr) -> sp.Expr:
    """Return the prediction risk of one mode, B = s^2 (b_0 - b*)^2 / n its signal and S = sigma^2 / n the noise."""
    return filter_**2 * B + (1 - filter_) ** 2 * S


def prediction(z: sp.Expr, s2: sp.Expr, d: sp.Expr, n: sp.Expr, sigma2: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Return what one mode adds to bias^2 and variance of the prediction; s2 = s^2, d = b_0 - b*."""
    return z**2 * s2 * d**2 / n, (1 - z) ** 2 * sigma2 / n


def estimation(z: sp.Expr, s2: sp.Expr, d: sp.Expr, sigma2: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Return what one mode adds to bias^2 and variance of the parameters (a null direction: d^2 and 0)."""
    return z**2 * d**2, (1 - z) ** 2 * sigma2 / s2


def train_loss(z: sp.Expr, s2: sp.Expr, d: sp.Expr, c: sp.Expr, sigma2: sp.Expr) -> sp.Expr:
    """Return what one mode adds to the expected training loss; each of the n - r dimensions off X adds it at z = 1."""
    return (z**2 * (s2 * d**2 + sigma2)) / (2 * c)


def derive() -> list[Derivation]:
    """Return the closed form of a mode, its bias and variance, methods with memory, and an exact example."""
    return [_modes(), _risk(), _random_design(), _memory(), _example()]


def _flat(point: Any) -> Any:
    """Return the gradient of a constant loss."""
    return 0 * point


def _modes() -> Derivation:
    d = Derivation("least_squares_modes", "Gradient descent and USAM on least squares in closed form", MODEL)
    x1, x2, y1, y2, t, curvature = sp.symbols("x_1 x_2 y_1 y_2 t lambda", real=True)
    slope = sp.diff(((y1 - x1 * b) ** 2 + (y2 - x2 * b) ** 2) / (2 * c), b)
    length2 = x1**2 + x2**2
    fitted = (x1 * y1 + x2 * y2) / length2
    d.equal(
        "Along a mode the gradient is lambda (b - t), lambda = s^2 / c, t = u^T y / s",
        slope,
        length2 / c * (b - fitted),
    )
    for rule, q_rule in ((rules.gd, GD), (rules.usam, USAM)):
        after = step(rule, b, gradient=lambda x: curvature * (x - t))[0]
        d.equal(f"{rule.name}: a step multiplies the distance to t", after - t, q_rule.subs(h, curvature) * (b - t))
    closed = q**k * b0 + (1 - q**k) * t
    d.equal(
        "Induction over k: with q^k b_0 + (1 - q^k) t the next step has the same form",
        t + q * (closed - t),
        closed.subs(k, k + 1),
    )
    d.equal("It starts at b_0", at(closed, (k, 0)), b0)
    d.equal(
        "Without curvature nothing moves", at(closed, (q, USAM.subs(h, 0))), step(rules.usam, b0, gradient=_flat)[0]
    )
    e = sp.Symbol("e", real=True)
    noisy = closed.subs(t, target + e / s)
    d.equal(
        "The data enter through t = b* + e / s, e the noise along the mode",
        noisy - target,
        q**k * (b0 - target) + (1 - q**k) * e / s,
    )
    observed = s * target + e
    d.equal("The residual of the fit shrinks by the same filter", observed - s * noisy, q**k * (observed - s * b0))
    d.equal(
        "A loss divided by n takes the same path with n eta and n rho",
        at(USAM, (h, h / n), (eta, n * eta), (rho, n * rho)),
        USAM,
    )
    return d


def _risk() -> Derivation:
    d = Derivation("bias_variance", "Bias and variance at step k", MODEL + ", z = q^k")
    e, x, count = sp.symbols("e_1:4", real=True), sp.symbols("x_1:4", real=True), 3
    y = [xi * target + ei for xi, ei in zip(x, e, strict=True)]
    s2 = sum(xi**2 for xi in x)
    estimate = z * b0 + (1 - z) * sum(xi * yi for xi, yi in zip(x, y, strict=True)) / s2
    d.say(
        "Three observations of one parameter, any x: s^2 = x_1^2 + x_2^2 + x_3^2, t = x^T y / s^2, two dimensions "
        "of the data lie off X. The mean is taken over all signs e_i = +-sigma, which has the right covariance."
    )
    start = b0 - target
    length = sp.Symbol("s", positive=True)  # prints s^2 in place of the sum of squares

    def shown(expression: sp.Expr) -> sp.Expr:
        return sp.Subs(expression, length, sp.sqrt(s2))

    d.equal("The mean iterate: noise does not bias it", sp.factor(expectation(estimate, e)), target + z * start)
    bias, variance = estimation(z, length**2, start, sigma**2)
    mean = expectation((estimate - target) ** 2, e)
    d.equal("Parameter error: bias^2 + variance", sp.factor(mean), shown(bias + variance))
    bias, variance = prediction(z, length**2, start, count, sigma**2)
    mean = expectation(s2 * (estimate - target) ** 2 / count, e)
    d.equal(
        "Prediction error |X (b_k - b*)|^2 / n: bias^2 + variance", sp.expand(sp.factor(mean)), shown(bias + variance)
    )
    residual2 = sum((yi - xi * estimate) ** 2 for xi, yi in zip(x, y, strict=True))
    r = sp.factor(expectation(residual2, e))
    total = train_loss(z, length**2, start, c, sigma**2) + (count - 1) * train_loss(1, 0, start, c, sigma**2)
    d.equal(
        "Training loss: the noise along the mode shrinks too, that off X stays", sp.factor(r / (2 * c)), shown(total)
    )
    free = sp.symbols("Y_1:4", real=True)
    fit = [xi * (z * b0 + (1 - z) * sum(xj * yj for xj, yj in zip(x, free, strict=True)) / s2) for xi in x]
    df = sum(sp.diff(fi, yi) for fi, yi in zip(fit, free, strict=True))
    d.equal("Degrees of freedom, the trace of y -> X b_k", sp.Add(*(sp.factor(t) for t in sp.Add.make_args(df))), 1 - z)
    d.equal(
        "SURE, |y - X b_k|^2 / n + 2 sigma^2 df / n - sigma^2, has the risk as its mean: it needs no b*",
        sp.expand(r / count + 2 * sigma**2 * (1 - z) / count - sigma**2),
        shown(bias + variance),
    )
    B, S = sp.symbols("B S", positive=True)
    values = (B, s**2 * start**2 / n), (S, sigma**2 / n)
    d.equal(
        "A mode's risk depends on its signal B and the noise S alone",
        sp.Subs(risk(z, B, S), *zip(*values, strict=True)),
        sum(prediction(z, s**2, start, n, sigma**2)),
    )
    experiment_claim(
        d,
        "risk.exact",
        "risk_by_simulation",
        "Exact risk and training loss of gd, usam and heavy ball are the means over draws of the noise",
    )
    return d


def _random_design() -> Derivation:
    d = Derivation(
        "bias_variance_random_design", "Bias and variance for new inputs", MODEL + ", new inputs have Cov Sig"
    )
    a, f, m, A, C, D, e1, e2, d1, d2, z1, z2 = sp.symbols("a f m A C D e_1 e_2 d_1 d_2 z_1 z_2", real=True)
    design = sp.Matrix([[a, -m * f], [f, m * a]])
    squares = (design.T * design).applyfunc(sp.expand)
    d.say("Two parameters, X = [[a, -m f], [f, m a]]: orthogonal columns, as in the singular basis of any X.")
    noise = design.T * sp.Matrix([e1, e2])
    error = [z1 * d1 + (1 - z1) * noise[0] / squares[0, 0], z2 * d2 + (1 - z2) * noise[1] / squares[1, 1]]
    cross, square = (expectation(noise[0] * factor, (e1, e2)) for factor in (noise[1], noise[0]))
    d.equal("The noise of two modes, here times s_1 and s_2, is uncorrelated", cross, 0)
    d.equal("and has the variance of the data, here times s_1^2", square, squares[0, 0] * sigma**2)
    s1, s2 = sp.symbols("s_1 s_2", positive=True)
    mean = expectation(sp.expand(A * error[0] ** 2 + 2 * C * error[0] * error[1] + D * error[1] ** 2), (e1, e2))
    bias = A * (z1 * d1) ** 2 + 2 * C * (z1 * d1) * (z2 * d2) + D * (z2 * d2) ** 2
    variance = A * estimation(z1, s1**2, d1, sigma**2)[1] + D * estimation(z2, s2**2, d2, sigma**2)[1]
    d.say("Sig = [[A, C], [C, D]] in that basis.")
    d.equal(
        "The bias mixes the modes through C; the variance sees the diagonal only",
        sp.factor(mean),
        sp.Subs(bias + variance, (s1, s2), (sp.sqrt(squares[0, 0]), sp.sqrt(squares[1, 1]))),
    )
    return d


def _memory() -> Derivation:
    d = Derivation(
        "bias_variance_memory", "Methods with memory have a filter too", MODEL + ", state t = (b, m), m_0 = 0"
    )
    rule, t = rules.heavy_ball, sp.Symbol("t", real=True)
    A, state = rule.linearization.matrix, (b0, sp.Integer(0))
    filters = [sp.Integer(1)]
    d.say("A linear rule sends (b - t, m) to A (b - t, m). So b_k - t = z_k (b_0 - t) with z_k = e_1^T A^k e_1.")
    for count in (1, 2, 3):
        state = step(rule, *state, gradient=lambda x: h * (x - t))
        filters.append(sp.expand((A**count)[0, 0]))
        d.equal(
            f"Heavy ball, {count} step{'s' * (count > 1)} of the rule against the matrix power",
            sp.expand(state[0]),
            t + filters[-1] * (b0 - t),
        )
    trace, determinant = sp.Symbol("tr"), sp.Symbol("det")
    known = (trace, determinant), (A.trace(), A.det())
    for count in (1, 2):
        recursion = sp.Subs(trace * filters[count] - determinant * filters[count - 1], *known)
        d.equal("A solves its characteristic polynomial: two steps give the next", filters[count + 1], recursion)
    d.equal("Without momentum z_k is q^k", filters[3].subs(beta, 0), GD**3)
    d.say(
        "z_k replaces q^k in every formula of bias and variance. It may be negative, and the orders of GD and USAM "
        "need not hold."
    )
    return d


#: The example of two parameters: inputs, observations, and one over the step size.
X = sp.Matrix([[1, 0], [0, 2], [1, 1]])
Y = sp.Matrix([1, 2, 3])
VALUES = {"eta": sp.Rational(1, 4), "rho": sp.Rational(1, 2)}


def iterates(rule: Rule, X: sp.Matrix, y: sp.Matrix, start: sp.Matrix, steps: int, c: sp.Expr, **values: Any) -> list:
    """Return the path of the rule on the loss |y - X b|^2 / (2 c), by the rule itself."""
    path = [start]
    for _ in range(steps):
        path += step(rule, path[-1], gradient=lambda x: X.T * (X * x - y) / c, **values)
    return path


def spectral(multiplier: sp.Expr, X: sp.Matrix, y: sp.Matrix, start: sp.Matrix, steps: int, c: sp.Expr) -> sp.Matrix:
    """Return the same iterate by the closed form, for two different modes: OLS plus q_i^k times a part per mode."""
    H, ols = X.T * X / c, (X.T * X).inv() * X.T * y
    first, second = sorted(H.eigenvals())
    total = ols
    for own, other in ((first, second), (second, first)):
        part = ((H - other * sp.eye(2)) * (start - ols) / (own - other)).applyfunc(sp.radsimp)
        total += sp.expand(multiplier.subs(h, own)) ** steps * part
    return total


def _example() -> Derivation:
    d = Derivation(
        "bias_variance_example",
        "The closed form on three observations, exactly",
        "X = [[1, 0], [0, 2], [1, 1]], y = (1, 2, 3), c = 3, b_0 = 0, eta = 1/4, rho = 1/2",
    )
    count, origin = sp.Integer(3), sp.zeros(2, 1)
    for rule, multiplier in ((rules.gd, GD), (rules.usam, USAM)):
        values = {name: VALUES[name] for name in rule.hyper}
        path = iterates(rule, X, Y, origin, 2, count, **values)
        q_rule = multiplier.subs({parameter(name): value for name, value in values.items()})
        for steps in (1, 2):
            modes = spectral(q_rule, X, Y, origin, steps, count)
            for i in (0, 1):
                text = f"{rule.name}, step {steps}, coordinate {i + 1}: the sum over modes is what the recursion gives"
                d.equal(text, modes[i], path[steps][i])
    return d
