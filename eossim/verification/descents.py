"""Literal runs of steepest descent in any norm, below an edge, above it and on a cycle, for experiments to judge."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np

from ..curvature.generalized import GeneralizedSharpness
from ..engine.record import Record
from ..engine.simulate import simulate
from ..engine.steepest import normalized_steepest_descent, steepest_descent
from ..norms import L1, L2, BlockMax, BlockSum, Linf, Lp, Mahalanobis, Norm, Nuclear, Spectral
from ..problems import Quadratic

#: eta S / 2 of a run above the edge.
ABOVE = 1.2


def norms_of(dim: int) -> list[Norm]:
    """Return norms of every kind on R^dim; matrices are as square as can be, a rest is a vector of its own."""
    rows = max(1, isqrt(dim))
    columns, rest = divmod(dim, rows)
    shapes = [(rows, columns)] + ([(rest, 1)] if rest else [])
    blocks = [list(block) for block in np.array_split(np.arange(dim), min(3, dim))]
    norms: list[Norm] = [L2(), L1(), Linf(), Lp(3), Mahalanobis(np.linspace(1, 2, dim)), BlockSum(blocks)]
    norms += [BlockMax(blocks), Spectral(shapes)]
    return norms if rest else [*norms, Nuclear((rows, columns))]


def centred(problem: Any) -> Quadratic:
    """Return the quadratic of a problem with its minimum, zero, at the origin."""
    return Quadratic(problem.hessian())


def squared_ratio(norm: Norm, dim: int) -> float:
    """Return a bound on ‖d‖² / ‖d‖₂², inf if unknown: min q(d)/‖d‖² is at least the least eigenvalue over it."""
    if isinstance(norm, L1):
        return float(dim)
    if isinstance(norm, Mahalanobis):
        return float(np.max(norm.P) if norm.P.ndim == 1 else np.linalg.eigvalsh(norm.P)[-1])
    if isinstance(norm, BlockSum):
        return float(len(norm.blocks))
    if isinstance(norm, Nuclear):
        return float(min(norm.shape))
    return 1.0 if isinstance(norm, L2 | Linf | BlockMax | Spectral) or norm == Lp(3) else np.inf


def falls(problem: Quadratic, norm: Norm, sharpness: GeneralizedSharpness, rng: np.random.Generator) -> str:
    """Return what is wrong with runs below the edge: each step shrinks the loss at least by the proven factor.

    With S at most its upper bound, L+ <= (1 - 2 eta mu (1 - eta S / 2)) L with mu = min q(d)/‖d‖².
    """
    bound = sharpness.upper_bound
    if not np.isfinite(bound):
        bound = sharpness.value  # of a norm of one's own: an estimate from many starts
    eta = float(rng.uniform(0.3, 0.98)) * 2 / bound
    mu = max(0.0, float(problem.eigenvalues[0])) / squared_ratio(norm, problem.dim)
    rate = 1 - 2 * eta * mu * (1 - eta * bound / 2)
    starts = rng.standard_normal((32, problem.dim))
    starts[8:] = norm.lmo(starts[8:])  # among these are maximisers, if there are few extreme points
    loss = simulate(problem, steepest_descent(norm, eta), starts, 100, record=Record(what=("loss",))).loss.values
    excess = loss[:, 1:] - rate * loss[:, :-1]
    if np.all(excess <= 1e-12 * loss[:, :-1] + 1e-26 * loss[:, :1]):  # the rounding of where a run has arrived
        return ""
    return f"{norm}: eta S/2 = {eta * bound / 2:.4f}, yet a step shrinks the loss by less than {rate:.6g}"


def grows(problem: Any, norm: Norm, sharpness: GeneralizedSharpness) -> tuple[float, float]:
    """Return the predicted and the stepped growth on the ray of the witness d, where w+ = (1 - eta q(d)) w."""
    eta, steps = 2 * ABOVE / sharpness.value, 10
    record = Record(at=[0, steps], what=("w",))
    run = simulate(problem, steepest_descent(norm, eta), sharpness.witness, steps, record=record)
    size = norm.norm(run.w.values[0])
    return eta * sharpness.value - 1, float((size[1] / size[0]) ** (1 / steps))


def cycle(
    problem: Any, norm: Norm, eta: float, rng: np.random.Generator, runs: int = 16, steps: int = 4000
) -> tuple[np.ndarray, np.ndarray]:
    """Return, of normalised runs that end on a 2-cycle, (mean dual gradient norm, curvature of its direction)."""
    record = Record(at=np.arange(steps - 4, steps + 1), what=("w", "dual_norm", "directional_smoothness"))
    starts = rng.standard_normal((runs, problem.dim))
    run = simulate(problem, normalized_steepest_descent(norm, eta), starts, steps, record=record)
    w, G, D = run.w.values, run.dual_norm.values, run.directional_smoothness.values
    # two steps of a settled cycle return to within rounding, and to the point before it nothing comes back
    closed = np.abs(w[:, -1] - w[:, -3]).max(axis=1) <= 1e-9 * eta
    return G[closed, 1:3].mean(axis=1), D[closed, 1]
