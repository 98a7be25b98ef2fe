"""Networks written down plainly in NumPy, for real or complex parameters: complex steps give exact derivatives."""

from itertools import pairwise

import numpy as np
from scipy.special import erf

STEP = 1e-100


def _activation(name, z):
    """Return φ(z) and φ'(z)."""
    if name == "tanh":
        h = np.tanh(z)
        return h, 1 - h * h
    if name == "relu":
        return z * (z.real > 0), 1.0 * (z.real > 0)
    if name == "gelu":
        below = 0.5 * (1 + erf(z / np.sqrt(2)))
        return z * below, below + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    return z, np.ones_like(z)


def _blocks(problem, w):
    """Return matrices and biases as they multiply, and by what the parameters are multiplied for that."""
    sizes, layers, at = problem.sizes, [], 0
    last = len(sizes) - 2
    for k, (a, b) in enumerate(pairwise(sizes)):
        scale, bias_scale = 1.0, 1.0
        if problem.parametrization == "ntk":
            scale = a**-0.5
        elif problem.parametrization == "mup" and last > 0:
            scale = b**0.5 if k == 0 else a**-0.5 if k == last else 1.0
            bias_scale = 1.0 if k == last else b**0.5
        W, at = w[at : at + a * b].reshape(a, b), at + a * b
        bias = np.zeros(b)
        if biased(problem):
            bias, at = w[at : at + b], at + b
        layers.append((scale * W, bias_scale * bias, scale, bias_scale))
    return layers


def biased(problem):
    return len(problem.layers) == 2 * (len(problem.sizes) - 1)


def outputs(problem, w, X):
    h, seen = X, []
    layers = _blocks(problem, w)
    for k, (W, b, _, _) in enumerate(layers):
        z = h @ W + b
        slope = np.ones_like(z)
        before = h
        if k < len(layers) - 1:
            h, slope = _activation(problem.activation, z)
        else:
            h = z
        seen.append((before, slope))
    return h, seen, layers


def loss_and_gradient(problem, w, X, Y, *, half=True, mean=False):
    """Return the mean loss over the samples and its gradient."""
    f, seen, layers = outputs(problem, w, X)
    if problem.loss_name == "mse":
        c = (0.5 if half else 1.0) / (Y.shape[1] if mean else 1)
        loss, d = c * ((f - Y) ** 2).sum() / len(X), 2 * c * (f - Y) / len(X)
    else:
        top = f.real.max(axis=1, keepdims=True)
        p = np.exp(f - top)
        total = p.sum(axis=1, keepdims=True)
        loss, d = (np.log(total) + top - (f * Y).sum(axis=1, keepdims=True)).sum() / len(X), (p / total - Y) / len(X)
    parts = []
    for (before, slope), (W, _, scale, bias_scale) in zip(seen[::-1], layers[::-1], strict=True):
        d = d * slope
        if biased(problem):
            parts.append(bias_scale * d.sum(axis=0))
        parts.append(scale * (before.T @ d).ravel())
        d = d @ W.T
    return loss, np.concatenate(parts[::-1])


def hvp(problem, w, v, X, Y, **convention):
    """Return the Hessian times v by a complex step in the gradient."""
    return loss_and_gradient(problem, w + 1j * STEP * v, X, Y, **convention)[1].imag / STEP


def gauss_newton(problem, w, v, X, Y, *, half=True, mean=False):
    """Return Jᵀ L_f'' J v: complex steps give J v; the gradient of a linear function of f gives Jᵀ."""
    f, _, _ = outputs(problem, w, X)
    tangent = outputs(problem, w + 1j * STEP * v, X)[0].imag / STEP
    if problem.loss_name == "mse":
        u = (1.0 if half else 2.0) / (Y.shape[1] if mean else 1) * tangent / len(X)
    else:
        p = np.exp(f - f.max(axis=1, keepdims=True))
        p = p / p.sum(axis=1, keepdims=True)
        u = p * (tangent - (p * tangent).sum(axis=1, keepdims=True)) / len(X)
    # uᵀ f is the derivative of ½ Σ (f - y)² at y = f - n u
    plain = type("Plain", (), {**vars(problem), "loss_name": "mse"})
    return loss_and_gradient(plain, w, X, f - len(X) * u)[1]
