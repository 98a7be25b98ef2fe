"""Unit balls in standard coordinates: what every norm is reduced to before its sharpness is sought.

A ball is Euclidean, that of the spectral or nuclear norm of one matrix, that of a norm of the user's own, or an ℓp
combination of such parts, N(d) = ‖(N₁(d₁), N₂(d₂), ...)‖_p: ℓ∞, ℓ1 and ℓp themselves combine scalars, blocks combine
Euclidean balls, layers combine spectral ones. Changes of coordinates stand in `reduce`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...norms.base import Norm


@dataclass(frozen=True)
class Euclidean:
    """‖d‖₂ <= 1; of size 1 it is |d| <= 1."""

    size: int


@dataclass(frozen=True)
class Spectral:
    """σ_max(D) <= 1 of a rows x columns matrix, flattened row-major."""

    rows: int
    columns: int

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Nuclear:
    """Sum of singular values <= 1 of a rows x columns matrix, flattened row-major."""

    rows: int
    columns: int

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.rows * self.columns


@dataclass(frozen=True, eq=False)
class Own:
    """The ball of a norm that is not one of ours: only its LMO is known."""

    norm: Norm
    size: int


@dataclass(frozen=True)
class Power:
    """An ℓp combination of parts that lie one after another, 1 <= p <= inf (made by `combination`)."""

    p: float
    parts: tuple[Ball, ...]

    @cached_property
    def starts(self) -> np.ndarray:
        """First coordinate of every part, and the number of coordinates, shape (parts + 1,)."""
        return np.concatenate([[0], np.cumsum([part.size for part in self.parts])])

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return int(self.starts[-1])

    @cached_property
    def scalar(self) -> bool:
        """Whether every part is one coordinate."""
        return self.size == len(self.parts)

    @cached_property
    def euclidean(self) -> bool:
        """Whether every part is Euclidean."""
        return all(isinstance(part, Euclidean) for part in self.parts)

    def split(self, d: np.ndarray) -> list[np.ndarray]:
        """Return the coordinates of every part."""
        return np.split(d, self.starts[1:-1])

    def slices(self) -> list[slice]:
        """Return where every part lies."""
        return [slice(int(a), int(b)) for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]


Ball = Euclidean | Spectral | Nuclear | Own | Power


def combination(p: float, parts: list[Ball]) -> Ball:
    """Return the ℓp combination of `parts`, simplified: combinations of combinations, ℓ2 of Euclidean, single parts."""
    flat: list[Ball] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Power) and part.p == p else [part])
    if len(flat) == 1:
        return flat[0]
    if p == 2 and all(isinstance(part, Euclidean) for part in flat):
        return Euclidean(sum(part.size for part in flat))
    if p == 2:  # Euclidean neighbours are one part: fewer parts, and the order of coordinates stays
        merged: list[Ball] = []
        for part in flat:
            if merged and isinstance(part, Euclidean) and isinstance(merged[-1], Euclidean):
                merged[-1] = Euclidean(merged[-1].size + part.size)
            else:
                merged.append(part)
        flat = merged
    return Power(float(p), tuple(flat))


def dual(ball: Ball) -> Ball | None:
    """Return the ball of the dual norm, or None if it is not one of these."""
    if isinstance(ball, Euclidean):
        return ball
    if isinstance(ball, Spectral):
        return Nuclear(ball.rows, ball.columns)
    if isinstance(ball, Nuclear):
        return Spectral(ball.rows, ball.columns)
    if isinstance(ball, Own):
        return None
    duals = {part: dual(part) for part in set(ball.parts)}
    parts = [duals[part] for part in ball.parts]
    if any(part is None for part in parts):
        return None
    return Power(conjugate(ball.p), tuple(part for part in parts if part is not None))


def conjugate(p: float) -> float:
    """Return q with 1/p + 1/q = 1."""
    return np.inf if p == 1 else 1.0 if p == np.inf else p / (p - 1)


def extreme(ball: Ball, a: np.ndarray) -> np.ndarray:
    """Return an extreme point of the ball that maximises <a, d>, also where a or a part of it vanishes."""
    if isinstance(ball, Euclidean):
        return _unit(a)
    if isinstance(ball, Spectral | Nuclear):
        U, _, Vt = np.linalg.svd(a.reshape(ball.rows, ball.columns), full_matrices=False)
        return (U @ Vt).ravel() if isinstance(ball, Spectral) else np.outer(U[:, 0], Vt[0]).ravel()
    if isinstance(ball, Own):
        return ball.norm.lmo(a)
    if ball.scalar:
        points, duals = np.where(a < 0, -1.0, 1.0), np.abs(a)
    else:
        pieces = ball.split(a)
        ends = [extreme(part, piece) for part, piece in zip(ball.parts, pieces, strict=True)]
        duals = np.array([piece @ end for piece, end in zip(pieces, ends, strict=True)])
        points = np.concatenate(ends)
    return points * np.repeat(_weights(ball.p, duals), np.diff(ball.starts))


def _weights(p: float, duals: np.ndarray) -> np.ndarray:
    """Return t >= 0 with ‖t‖_p = 1 that maximises <duals, t>."""
    if p == np.inf:
        return np.ones(len(duals))
    top = duals.max()
    if p == 1 or top <= 0:
        return np.eye(len(duals))[int(duals.argmax())]
    t = (np.maximum(duals, 0) / top) ** (conjugate(p) - 1)
    return t / np.sum(t**p) ** (1 / p)


def _unit(a: np.ndarray) -> np.ndarray:
    top = np.abs(a).max()
    if top == 0:
        return np.eye(1, len(a))[0]
    return a / top / np.linalg.norm(a / top)


def squared_length(ball: Ball) -> float | None:
    """Return ‖d‖₂² of the extreme points of the ball if they share one, else None."""
    if isinstance(ball, Spectral):
        return float(min(ball.rows, ball.columns))
    if isinstance(ball, Euclidean | Nuclear):
        return 1.0
    if isinstance(ball, Own):
        return None
    lengths = [1.0] * len(ball.parts) if ball.euclidean else [squared_length(part) for part in ball.parts]
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths) or (ball.p != np.inf and len(set(known)) > 1) or ball.p not in (1, 2, np.inf):
        return None
    return sum(known) if ball.p == np.inf else known[0]


def longest(ball: Ball) -> float | None:
    """Return the largest ‖d‖₂² on the sphere, or None if it is not known: S <= λ1 times it where λ1 >= 0."""
    if isinstance(ball, Power):
        lengths = [1.0] * len(ball.parts) if ball.euclidean else [longest(part) for part in ball.parts]
        known = np.array([length for length in lengths if length is not None])
        return independent(ball.p, known)[0] if len(known) == len(lengths) else None
    return squared_length(ball)


def shortest(ball: Ball) -> float | None:
    """Return the smallest ‖d‖₂² on the sphere, or None if it is not known: S <= λ1 times it where λ1 <= 0."""
    if isinstance(ball, Power):
        lengths = [1.0] * len(ball.parts) if ball.euclidean else [shortest(part) for part in ball.parts]
        known = np.array([length for length in lengths if length is not None])
        return -independent(ball.p, -known)[0] if len(known) == len(lengths) else None
    if isinstance(ball, Nuclear):
        return 1 / min(ball.rows, ball.columns)
    return None if isinstance(ball, Own) else 1.0


def independent(p: float, s: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the largest Σ s_l t_l² over t >= 0 with ‖t‖_p = 1, and where it is attained.

    It is the sharpness of an ℓp combination of parts that the Hessian does not couple, s_l those of the parts. With
    some s_l > 0 it is ‖s₊‖_{p/(p-2)} for p > 2 (Σ s₊ for p = inf) and max s for p <= 2; with all s_l < 0 it is max s
    for p >= 2 and -‖1/s‖⁻¹_{p/(2-p)} for p < 2 (-1/Σ 1/|s_l| for p = 1).
    """
    top = s.max()
    if (top > 0 and p <= 2) or (top < 0 and p >= 2) or top == 0:
        t = np.zeros(len(s))
        t[int(s.argmax())] = 1.0
        return float(top), t
    if p == np.inf:
        t = (s > 0).astype(float)
    else:
        with np.errstate(under="ignore"):
            t = (np.maximum(s, 0) / top if top > 0 else top / s) ** (1 / abs(p - 2))
            t /= np.sum(t**p) ** (1 / p)
    return float(s @ (t * t)), t
