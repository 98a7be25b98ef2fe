"""The same steps written by hand for other libraries, each as its users would write them for speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eossim._jit import kernel


def numpy_sam(w: np.ndarray, curvature: np.ndarray, eta: np.ndarray, rho: np.ndarray, steps: int) -> np.ndarray:
    """In-place NumPy on arrays [run, coordinate], no temporaries inside the loop."""
    w, gradient, eta, rho = w.copy(), np.empty_like(w), eta[:, None], rho[:, None]
    for _ in range(steps):
        np.multiply(curvature, w, out=gradient)
        scale = rho / np.sqrt(np.einsum("ij,ij->i", gradient, gradient))[:, None]
        gradient *= scale
        gradient += w
        gradient *= curvature
        gradient *= eta
        w -= gradient
    return w


def numpy_noise_draws(
    X: np.ndarray, w_star: np.ndarray, eta: float, rho: float, steps: int, draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """USAM on every draw of the noise, on arrays [coordinate, draw] in the eigenbasis; risk and loss at every step."""
    n = len(X)
    _, s, Vt = np.linalg.svd(X, full_matrices=False)
    h, target = (s**2 / n)[:, None], (Vt @ w_star)[:, None]
    noise = np.random.default_rng(0).standard_normal((s.size, draws)) / s[:, None]
    x, ascent = -target - noise, np.empty_like(noise)  # away from the least-squares solution
    risk, loss = np.empty(steps + 1), np.empty(steps + 1)
    for k in range(steps + 1):
        np.add(x, noise, out=ascent)
        risk[k] = np.einsum("i,ij,ij->", h[:, 0], ascent, ascent) / draws
        loss[k] = np.einsum("i,ij,ij->", h[:, 0], x, x) / (2 * draws)
        np.multiply(h, x, out=ascent)
        ascent *= rho
        ascent += x
        ascent *= h
        ascent *= eta
        x -= ascent
    return risk, loss


def numpy_sgd(X: np.ndarray, y: np.ndarray, eta: float, runs: int, steps: int) -> np.ndarray:
    """Single-sample SGD on least squares, all runs at once on arrays [run, coordinate], no temporaries in the loop."""
    n, dim = X.shape
    rng, w = np.random.default_rng(0), np.zeros((runs, dim))
    rows, residual, target = np.empty_like(w), np.empty(runs), np.empty(runs)
    for _ in range(steps):
        chosen = rng.integers(n, size=runs)
        np.take(X, chosen, axis=0, out=rows, mode="clip")  # "raise" copies through a buffer
        np.einsum("ij,ij->i", rows, w, out=residual)
        np.take(y, chosen, out=target, mode="clip")
        residual -= target
        residual *= eta
        rows *= residual[:, None]
        w -= rows
    return w


def numpy_linf(w: np.ndarray, curvature: np.ndarray, eta: np.ndarray, steps: int, normalized: bool) -> np.ndarray:
    """Sign descent, or steepest descent in the largest absolute value, in place on arrays [run, coordinate]."""
    w, gradient, size, length = w.copy(), np.empty_like(w), np.empty_like(w), eta[:, None]
    for _ in range(steps):
        np.multiply(curvature, w, out=gradient)
        if not normalized:
            length = eta[:, None] * np.abs(gradient, out=size).sum(axis=1, keepdims=True)
        np.sign(gradient, out=gradient)
        gradient *= length
        w -= gradient
    return w


def numpy_greedy(w: np.ndarray, hessian: np.ndarray, eta: np.ndarray, steps: int) -> np.ndarray:
    """Greedy coordinate descent on arrays [run, coordinate]; gradients change by the rows of H that were stepped on."""
    w, each = w.copy(), np.arange(len(w))
    gradient, rows = w @ hessian, np.empty_like(w)
    for _ in range(steps):
        chosen = np.abs(gradient, out=rows).argmax(axis=1)
        step = eta * gradient[each, chosen]
        w[each, chosen] -= step
        np.take(hessian, chosen, axis=0, out=rows, mode="clip")
        rows *= step[:, None]
        gradient -= rows
    return w


def numpy_spectral(w: np.ndarray, hessian: np.ndarray, shape: tuple[int, int], eta: float, steps: int) -> np.ndarray:
    """Normalised spectral descent with a batched singular value decomposition."""
    w = w.copy()
    for _ in range(steps):
        U, _, Vt = np.linalg.svd((w @ hessian).reshape(-1, *shape), full_matrices=False)
        w -= eta * (U @ Vt).reshape(w.shape)
    return w


def jax_sam() -> Callable[..., Any] | None:
    """A jitted `fori_loop` over a batched step in double precision, or None without jax."""
    try:
        import jax
    except ImportError:
        return None
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    @jax.jit
    def loop(w, curvature, eta, rho, steps):
        def step(_, w):
            g = curvature * w
            g = curvature * (w + rho[:, None] * g / jnp.linalg.norm(g, axis=1, keepdims=True))
            return w - eta[:, None] * g

        return jax.lax.fori_loop(0, steps, step, w)

    return lambda *arguments: loop(*arguments).block_until_ready()


def torch_sam() -> Callable[..., Any] | None:
    """In-place torch in double precision, or None without torch."""
    try:
        import torch
    except ImportError:
        return None

    def loop(w, curvature, eta, rho, steps):
        w, curvature = torch.tensor(w), torch.tensor(curvature)
        eta, rho = torch.tensor(eta)[:, None], torch.tensor(rho)[:, None]
        with torch.no_grad():
            for _ in range(steps):
                g = curvature * w
                g.mul_(rho / g.norm(dim=1, keepdim=True)).add_(w).mul_(curvature).mul_(eta)
                w.sub_(g)
        return w

    return loop


@kernel
def numba_gd(w, curvature, eta, steps):
    dim, runs = w.shape
    for _ in range(steps):
        for i in range(dim):
            for r in range(runs):
                w[i, r] -= eta[r] * (curvature[i] * w[i, r])


@kernel
def numba_heavy_ball(w, m, curvature, eta, beta, steps):
    dim, runs = w.shape
    for _ in range(steps):
        for i in range(dim):
            for r in range(runs):
                m[i, r] = beta[r] * m[i, r] + curvature[i] * w[i, r]
                w[i, r] -= eta[r] * m[i, r]


@kernel
def numba_sam(w, curvature, eta, rho, steps):
    dim, runs = w.shape
    squares = np.empty(runs)
    for _ in range(steps):
        squares[:] = 0
        for i in range(dim):
            for r in range(runs):
                g = curvature[i] * w[i, r]
                squares[r] += g * g
        for r in range(runs):
            squares[r] = rho[r] / np.sqrt(squares[r])
        for i in range(dim):
            for r in range(runs):
                g = curvature[i] * w[i, r]
                w[i, r] -= eta[r] * (curvature[i] * (w[i, r] + squares[r] * g))
