"""Ascent of q(d) = dᵀ H d on the unit sphere of a norm, one product with H a step."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ..norms.base import Norm
from .frank_wolfe import vertices
from .operator import Operator

#: Relative rise of q below which a row has arrived.
RISE = 1e-12
#: Norm below which a point on a segment is too near to 0 to be put back on the sphere.
_SHORT = 1e-2


@dataclass
class Climbers:
    """Rows that climb, each on its own.

    Attributes:
        points: Directions d of norm 1, shape (count, dim).
        images: H d, shape (count, dim).
        values: q(d), shape (count,); -inf where it is not finite.
        drift: What the last step added to H d, zero after one that was refused; shape (count, dim).
        active: Whether a row still rises, shape (count,).
    """

    points: np.ndarray
    images: np.ndarray
    values: np.ndarray
    drift: np.ndarray
    active: np.ndarray

    @classmethod
    def at(cls, operator: Operator, norm: Norm, starts: np.ndarray) -> Climbers:
        """Return climbers at rows of any length but zero, shape (count, dim); one product a row."""
        with np.errstate(invalid="ignore", over="ignore"):
            points = starts / norm.norm(starts)[:, None]
            images = operator(points)
            values = _finite((points * images).sum(axis=1))
        return cls(points, images, values, np.zeros_like(points), values > -np.inf)

    def climb(self, operator: Operator, norm: Norm, steps: int, rows: np.ndarray | None = None) -> Climbers:
        """Let the active ones of `rows` (by default all) make up to `steps` steps, one product each, and return self.

        A step goes from d towards s = LMO(H d), to the maximum of q on the segment, and back to the sphere. Where q is
        convex on the segment, as it is for every H >= 0, this is the unit step d <- LMO(H d), with q(s) >=
        ‖H d‖*² / q(d) >= q(d). Where it is not, it is Frank–Wolfe with exact line search, which reaches maximisers
        between vertices and knows no 2-cycles. H of the new d follows from H d and H s.

        s is looked up at H d plus the last change of it, which halves the number of steps on networks; where that does
        not raise q, at H d itself, which does until d is stationary.
        """
        chosen = np.arange(len(self.points)) if rows is None else rows
        for _ in range(steps):
            rising = chosen[self.active[chosen]]
            if not len(rising):
                break
            self._step(operator, norm, rising)
        return self

    def _step(self, operator: Operator, norm: Norm, rows: np.ndarray) -> None:
        d, Hd, q = self.points[rows], self.images[rows], self.values[rows]
        plain = ~self.drift[rows].any(axis=1)
        s = vertices(norm, Hd + self.drift[rows], d)
        slope = (s * Hd).sum(axis=1) - q
        stationary = plain & (slope <= RISE * np.abs(q))
        self.active[rows[stationary]] = False
        rows, d, Hd, q, plain, s, slope = (x[~stationary] for x in (rows, d, Hd, q, plain, s, slope))
        if not len(rows):
            return
        Hs = operator(s)
        with np.errstate(all="ignore"):
            bend = ((s - d) * (Hs - Hd)).sum(axis=1)
            t = np.where((bend < 0) & (slope > 0), np.minimum(1, -slope / bend), 1.0)[:, None]
            new, image = (1 - t) * d + t * s, (1 - t) * Hd + t * Hs
            length = norm.norm(new)[:, None]
            new, image = new / length, image / length
            value = _finite((new * image).sum(axis=1))
        # Near 0, where a concave q may lead, the image of the direction is rounding error.
        up = (value > q + RISE * np.abs(q)) & (length[:, 0] > _SHORT)
        kept = rows[up]
        self.drift[rows] = np.where(up[:, None], image - Hd, 0)
        self.points[kept], self.images[kept], self.values[kept] = new[up], image[up], value[up]
        self.active[rows[plain & ~up]] = False

    def joined(self, more: Climbers) -> Climbers:
        """Return these climbers, and `more` after them."""
        both = (np.concatenate([getattr(self, f.name), getattr(more, f.name)]) for f in fields(self))
        return Climbers(*both)

    def top(self, count: int) -> np.ndarray:
        """Return the rows of largest q, best first."""
        return np.argsort(-self.values, kind="stable")[:count]


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, -np.inf)
