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
        noise: How far rounding may have moved each coordinate of a point, shape (runs, dim).
    """

    points: np.ndarray
    jacobian: np.ndarray
    found: np.ndarray
    noise: np.ndarray

    def select(self, rows: np.ndarray) -> Cycles:
        """Return some of them."""
        return Cycles(self.points[rows], self.jacobian[rows], self.found[rows], self.noise[rows])


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
        scale: Magnitudes of the coordinates against which residuals are small, shape (runs, dim).
        near: Whether each run is close to its solution: one whose residual does not soon fall is given up.
    """
    x, active = x.copy(), np.arange(len(x))
    jacobian, found, noise = np.full((*x.shape, system.dim), np.nan), np.zeros(len(x), bool), np.full(x.shape, np.inf)
    first = np.full(len(x), np.inf)
    for number in range(_ROUNDS + 1):
        chosen = {n: v[active] for n, v in values.items()}
        left, level, J, finite = residual(system, x[active], period, chosen, scale[active])
        active, left, level, J = active[finite], left[finite], level[finite], J[finite]
        if not active.size:
            break
        unit = scale[active]
        rows, singular, columns = np.linalg.svd(J * unit[:, None, :] / unit[:, :, None] - np.eye(system.dim))
        usable = singular > _SINGULAR * np.maximum(singular[:, :1], 1)
        inverse = np.divide(1.0, singular, out=np.zeros_like(singular), where=usable)
        solved = np.einsum("rji,rj,rkj->rik", columns, inverse, rows, optimize=True)
        # Below, a further step would be noise over small singular values.
        done = (np.abs(left) <= level).all(axis=1)
        remains = np.abs(left).max(axis=1)
        jacobian[active], found[active] = J, done
        noise[active] = unit * np.einsum("rij,rj->ri", np.abs(solved), level)
        first[active] = np.minimum(first[active], remains) if number == 0 else first[active]
        going = ~done & (remains <= first[active] * _SLOWEST ** (number - 4)) if near else ~done
        if number == _ROUNDS or not going.any():
            break
        step = unit * np.einsum("rij,rj->ri", solved, left)
        x[active[going]] -= step[going]
        active = active[going]
    return Cycles(x, jacobian, found, noise)


def residual(
    system: System, x: np.ndarray, period: int, values: Mapping[str, Any], scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return F^p(x) - x and what rounding leaves of it, both in units of `scale`, the derivative, and which are finite.

    Shapes (runs, dim), (runs, dim), (runs, dim, dim) and (runs,).
    """
    end, J = through(system, x, period, values)
    with np.errstate(all="ignore"):
        left = (end - x) / scale
        terms = np.einsum("rij,rj->ri", np.abs(J), np.abs(x)) / scale
    finite = np.isfinite(left).all(axis=1) & np.isfinite(J).all(axis=(1, 2))
    return left, 16 * _EPS * np.maximum(terms, 1), J, finite


def through(system: System, x: np.ndarray, period: int, values: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return F^p(x), shape (runs, dim), and its derivative, shape (runs, dim, dim)."""
    jacobian = np.broadcast_to(np.eye(x.shape[1]), (*x.shape, x.shape[1]))
    with np.errstate(all="ignore"):
        for _ in range(period):
            jacobian = system.jacobian_at(x, **values) @ jacobian  # type: ignore[attr-defined]
            x = system.step(x, **values)
    return x, jacobian
