"""Newton's method on the p-step map, for many runs at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.iterate import System

_EPS = np.finfo(np.float64).eps
#: Singular values of J - I below this count as zero: along lines of cycles Newton takes the shortest step.
_SINGULAR = 1e-13
#: Most Newton steps, and the factor by which each shrinks the residual near a solution: at a root of multiplicity m,
#: (1 - 1/m)^m < 1/e.
_ROUNDS, _SLOWEST = 60, 0.5
#: Where roots merge, at a bifurcation, Newton stops this many times the noise away at most.
UNCERTAIN = 20


@dataclass(frozen=True)
class Cycles:
    """Points x with F^p(x) = x, one per run.

    Attributes:
        points: Shape (runs, dim).
        jacobian: Derivative of the p-step map there, shape (runs, dim, dim).
        found: Whether the residual is at the level of rounding, shape (runs,).
        noise: How far rounding may have moved a point, shape (runs,).
    """

    points: np.ndarray
    jacobian: np.ndarray
    found: np.ndarray
    noise: np.ndarray

    @property
    def multipliers(self) -> np.ndarray:
        """Eigenvalues of `jacobian`, largest modulus first, shape (runs, dim), complex."""
        finite = np.isfinite(self.jacobian).all(axis=(1, 2))
        values = np.linalg.eigvals(np.where(finite[:, None, None], self.jacobian, 0.0)).astype(complex)
        values[~finite] = np.nan
        return np.take_along_axis(values, np.argsort(-np.abs(values), axis=1, kind="stable"), axis=1)


def newton(
    system: System,
    x: np.ndarray,
    period: int,
    values: Mapping[str, np.ndarray],
    scale: np.ndarray,
    *,
    near: bool = False,
) -> Cycles:
    """Solve F^p(x) = x from each of `x`.

    Args:
        system: With ``jacobian_at``.
        x: Where to begin, shape (runs, dim).
        period: p.
        values: Parameters, each of shape (runs,).
        scale: Magnitude against which residuals are small, shape (runs,).
        near: Whether each run is close to its solution: one whose residual does not soon fall is given up.
    """
    x, active = x.copy(), np.arange(len(x))
    jacobian, found, noise = np.full((*x.shape, system.dim), np.nan), np.zeros(len(x), bool), np.full(len(x), np.inf)
    first = np.full(len(x), np.inf)
    for number in range(_ROUNDS + 1):
        chosen = {n: v[active] for n, v in values.items()}
        end, J = through(system, x[active], period, chosen)
        residual = end - x[active]
        finite = np.isfinite(residual).all(axis=1) & np.isfinite(J).all(axis=(1, 2))
        active, residual, J = active[finite], residual[finite], J[finite]
        if not active.size:
            break
        left, singular, right = np.linalg.svd(J - np.eye(system.dim))
        usable = singular > _SINGULAR * np.maximum(singular[:, :1], 1)
        # A residual of this size is what rounding leaves: a further step would be noise over small singular values.
        terms = np.einsum("rij,rj->ri", np.abs(J), np.abs(x[active])).max(axis=1)
        level = 16 * _EPS * np.maximum(scale[active], terms)
        remains = np.abs(residual).max(axis=1)
        done = remains <= level
        jacobian[active], found[active] = J, done
        noise[active] = level / np.where(usable, singular, np.inf).min(axis=1)
        first[active] = np.minimum(first[active], remains) if number == 0 else first[active]
        going = ~done & (remains <= first[active] * _SLOWEST ** (number - 4)) if near else ~done
        if number == _ROUNDS or not going.any():
            break
        inverse = np.divide(1.0, singular, out=np.zeros_like(singular), where=usable)
        step = np.einsum("rji,rj,rkj,rk->ri", right, inverse, left, residual, optimize=True)
        x[active[going]] -= step[going]
        active = active[going]
    return Cycles(x, jacobian, found, noise)


def through(system: System, x: np.ndarray, period: int, values: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return F^p(x), shape (runs, dim), and its derivative, shape (runs, dim, dim)."""
    jacobian = np.broadcast_to(np.eye(x.shape[1]), (*x.shape, x.shape[1]))
    with np.errstate(all="ignore"):
        for _ in range(period):
            jacobian = system.jacobian_at(x, **values) @ jacobian  # type: ignore[attr-defined]
            x = system.step(x, **values)
    return x, jacobian
