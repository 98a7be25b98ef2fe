"""USAM in a space of functions: kernel regression and linearised networks are least squares once more."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.domain import NON_NEGATIVE
from eossim.symbolic import eta, h, parameter, rho
from eossim.symbolic.derivation import Derivation

from .bias_variance import USAM, VALUES, X, Y, expectation, iterates, k, sigma, step
from .bias_variance_ordering import K
from .common import POSITIVE, at, experiment_claim

n, mu = sp.symbols("n mu", positive=True)
q = sp.Symbol("q", positive=True)
MODEL = "f(g) = sum (y_i - g(x_i))^2 / (2 n), g = sum alpha_i K(x_i, .), fit f = K alpha, K the Gram matrix"


def kernel_step(alpha: sp.Matrix, K: sp.Matrix, y: sp.Matrix, count: sp.Expr, **values: sp.Expr) -> sp.Matrix:
    """Return the coefficients after one step of USAM along the gradient in the function space, (K alpha - y) / n."""
    return step(rules.usam, alpha, gradient=lambda x: (K * x - y) / count, **values)[0]


def derive() -> list[Derivation]:
    """Return the step on the fit, its modes, bias and variance, and the two equivalences with least squares."""
    return [_fit(), _modes(), _risk(), _equivalence()]


def _fit() -> Derivation:
    d = Derivation("usam_kernel", "USAM on kernel regression", MODEL)
    a, b, c = sp.symbols("a b c", real=True)
    gram = sp.Matrix([[a, c], [c, b]])
    alpha, r = sp.Matrix(sp.symbols("alpha_1 alpha_2", real=True)), sp.Matrix(sp.symbols("r_1 r_2", real=True))
    y = gram * alpha - r  # the residual K alpha - y is the symbol
    after = gram * kernel_step(alpha, gram, y, n) - y
    d.say("Two points, K = [[a, c], [c, b]], residual r = K alpha - y. The gradient is that in the function space.")
    p = sp.symbols("p_1 p_2", real=True)
    perturbed = r + rho / n * gram * r
    for i in (0, 1):
        shown = at((r - eta / n * gram * sp.Matrix(p))[i], *zip(p, perturbed, strict=True))
        d.equal(
            f"Residual {i + 1} after a step, r - (eta / n) K p, p = (I + (rho / n) K) r", sp.expand(after[i]), shown
        )
    free = sp.Matrix(sp.symbols("y_1 y_2", real=True))
    error = gram * alpha - free
    loss = (error.T * error)[0] / (2 * n)
    for i in (0, 1):
        shown = at((gram * r / n)[i], *zip(r, error, strict=True))
        text = f"The gradient in alpha_{i + 1} is K r / n: its descent would put K^2 in place of K"
        d.equal(text, sp.expand(sp.diff(loss, alpha[i])), shown)
    return d


def _modes() -> Derivation:
    d = Derivation(
        "usam_kernel_modes",
        "The coefficients of kernel regression along an eigenvector",
        MODEL + ", eigenvalue mu of K / n, alpha_0 = 0",
    )
    a, y = sp.symbols("alpha y", real=True)

    def advance(value: sp.Expr, curvature: sp.Expr) -> sp.Expr:
        return step(rules.usam, value, gradient=lambda x: (n * curvature * x - y) / n)[0]

    q_mu = USAM.subs(h, mu)
    closed = (1 - q**k) * y / (n * mu)
    d.equal(
        "The residual is multiplied by q = 1 - eta mu (1 + rho mu)",
        n * mu * advance(a, mu) - y,
        q_mu * (n * mu * a - y),
    )
    following = at(closed, (k, k + 1), (q, q_mu))
    d.equal(
        "alpha_k = (1 - q^k) y / (n mu) leads to itself one step later", advance(closed.subs(q, q_mu), mu), following
    )
    d.equal("so the fit is n mu alpha_k = (1 - q^k) y", n * mu * closed, y - q**k * y)
    zero = eta * k * y / n
    d.equal("Along a null direction alpha grows by the same amount each step", advance(zero, 0), at(zero, (k, k + 1)))
    d.equal(
        "which is the limit of the other form",
        sp.Limit((closed.subs(q, q_mu)).subs(k, 3), mu, 0),
        at(zero, (k, 3)),
    )
    d.say("Growth there is harmless: K sends it to 0. Compare fits, not coefficients.")
    m = parameter("mu", POSITIVE)
    scaled = closed.subs({q: USAM.subs(h, m), y: n}).subs({k: K, mu: m})  # y = n: the factor y / n drops out
    d.claim(
        id="usam.kernel_coefficients",
        statement="Along an eigenvalue mu of K / n a step of USAM sends the coefficient (1 - q^k) y / (n mu) to that "
        "of k + 1",
        kind="equality",
        left=step(rules.usam, scaled, gradient=lambda x: m * x - 1)[0],
        right=scaled.subs(K, K + 1),
        domain={"eta": POSITIVE, "rho": NON_NEGATIVE, "mu": POSITIVE, "k": POSITIVE},
        where=(1 - eta * m * (1 + rho * m),),
    )
    return d


def _risk() -> Derivation:
    d = Derivation(
        "usam_kernel_bias_variance",
        "Bias and variance of kernel regression",
        MODEL + ", y = f* + e, Cov e = sigma^2 I, z = q^k, one eigenvector u of K / n",
    )
    z, signal, e = sp.symbols("z f_star e", real=True)
    fit = (1 - z) * (signal + e)
    d.say("e is the noise along u, of variance sigma^2: its mean is taken over +-sigma.")
    d.equal(
        "Error of the fit: bias^2 + variance",
        expectation((fit - signal) ** 2, [e]),
        z**2 * signal**2 + (1 - z) ** 2 * sigma**2,
    )
    own = fit / (n * mu) - signal / (n * mu)
    d.equal(
        "In the norm of the function space, n mu (alpha - alpha*)^2",
        expectation(n * mu * own**2, [e]),
        z**2 * signal**2 / (n * mu) + sigma**2 / n * (1 - z) ** 2 / mu,
    )
    d.say("So the order of bias and variance, the best step and the crossings are those of least squares, h = mu.")
    scaled = sp.Symbol("s", positive=True)
    b0 = sp.Symbol("d", real=True)
    d.equal(
        "A linear kernel has mu = s^2 / n and signal s d along u",
        at(z**2 * signal**2 / (n * mu), (signal, scaled * b0), (mu, scaled**2 / n)),
        z**2 * b0**2,
    )
    return d


def _equivalence() -> Derivation:
    d = Derivation(
        "usam_kernel_linear",
        "A linear kernel and a linearised network are least squares",
        "K = X X^T against X itself, c = n, b_0 = 0; outputs f_0 + J v of a network with a constant Jacobian J",
    )
    x, alpha = sp.Matrix(sp.symbols("x_1 x_2", real=True)), sp.Matrix(sp.symbols("alpha_1 alpha_2", real=True))
    r = sp.Matrix(sp.symbols("r_1 r_2", real=True))
    y = x * x.T * alpha - r  # the residual K alpha - y is the symbol
    through = (x.T * kernel_step(alpha, x * x.T, y, n))[0]
    length2, slope = sp.Symbol("s", positive=True), sp.Symbol("g", real=True)
    direct = step(rules.usam, (x.T * alpha)[0], gradient=lambda b: slope + length2**2 / n * (b - (x.T * alpha)[0]))[0]
    d.equal(
        "b = X^T alpha holds after the step if it held before: the gradient g in b is x^T r / n, the curvature s^2 / n",
        sp.expand(through),
        at(direct, (slope, (x.T * r)[0] / n), (length2, sp.sqrt((x.T * x)[0]))),
    )
    coefficients, gram = sp.zeros(3, 1), X * X.T
    path = iterates(rules.usam, X, Y, sp.zeros(2, 1), 2, sp.Integer(3), **VALUES)
    v = sp.symbols("alpha_1:4", real=True)
    for number in (1, 2):
        coefficients = kernel_step(coefficients, gram, Y, sp.Integer(3), **VALUES)
        for i in (0, 1):
            shown = at((X.T * sp.Matrix(v))[i], *zip(v, coefficients, strict=True))
            d.equal(f"Three observations, step {number}: coordinate {i + 1} of b", shown, path[number][i])
    J = sp.Matrix([sp.symbols("J_1 J_2", real=True)])
    v0 = sp.Matrix(sp.symbols("v_1 v_2", real=True))
    start, t = sp.symbols("f_0 y", real=True)
    weights = step(rules.usam, v0, gradient=lambda v: J.T * (start + (J * v)[0] - t))[0]
    theta = sp.Symbol("Theta", positive=True)
    error = start + (J * v0)[0] - t
    d.equal(
        "A network with one output: its error is multiplied as by a kernel Theta = J J^T",
        start + (J * weights)[0] - t,
        at(USAM.subs(h, theta) * error, (theta, (J * J.T)[0])),
    )
    experiment_claim(
        d,
        "kernel.linear",
        "kernel_is_linear",
        "Kernel regression with K = X X^T has the fitted values and the risk of least squares",
    )
    return d
