"""Directions of steepest ascent, each row by itself: no result depends on how many rows there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..norms import Mahalanobis, Norm
from .views import filled


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a view that a norm of the user's cannot write to."""
    view = array.view()
    view.flags.writeable = False
    return view


def directions(norm: Norm, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the dual norms, shape (...), and directions of steepest ascent, shape (..., dim), each row by itself."""
    g = read_only(g)
    if not _solves(norm):
        dual, direction = norm.steepest(g[..., None, :])
        return dual[..., 0], direction[..., 0, :]
    found = [norm.steepest(read_only(rows)) for rows in filled(g)]
    dual = np.stack([d for d, _ in found]).reshape(-1)[: g[..., 0].size].reshape(g.shape[:-1])
    return dual, np.stack([u for _, u in found]).reshape(-1, g.shape[-1])[: dual.size].reshape(g.shape)


def _solves(norm: Norm) -> bool:
    """Return whether a norm solves equations for all rows at once, and so rounds by their number."""
    return isinstance(norm, Mahalanobis) or any(_solves(part) for part in getattr(norm, "parts", ()))


class EachAlone(Norm):
    """A norm, with the values that it has for single vectors, however many come in one call.

    Args:
        norm: The norm.
    """

    def __init__(self, norm: Norm) -> None:
        self.of, self.dim = norm, norm.dim

    def norm(self, d: ArrayLike) -> np.ndarray:
        """Norm, shape (...)."""
        return self.of.norm(read_only(np.asarray(d))[..., None, :])[..., 0]

    def lmo(self, g: ArrayLike) -> np.ndarray:
        """Direction of steepest ascent, shape (..., dim)."""
        return directions(self.of, np.asarray(g))[1]
