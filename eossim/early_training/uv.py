"""Starts of the uv model, and what gradient descent does from them at given c, without vectors of weights.

The model f = v·U x/√m with L = ½(f - y)² closes in the amplitudes a, b of the two vectors h ± ‖x‖v (h = U x), so a run
of any width is two numbers. Notation: κ = ‖x‖²/m, λ = ‖∇f‖², p, q = λ ± 2√κ f, both >= 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from .._check import choice, finite_array, in_interval, positive_int
from ..engine.iterate import extremes
from ..maps import uv_amplitudes
from ..theory.uv import raises_barrier

STARTS = ("gaussian", "zero-output")
#: What rounding may take from p or q, in units of λ.
_ROUNDING = 8 * np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class UVStarts:
    """Starts of the uv model, one for each seed.

    Attributes:
        p: λ + 2√κ f, shape (seeds,), >= 0.
        q: λ - 2√κ f, shape (seeds,), >= 0.
        kappa: ‖x‖²/m, positive; 1/width in the usual scale.
        y: Target.
    """

    p: np.ndarray
    q: np.ndarray
    kappa: float
    y: float = 0.0

    def __post_init__(self) -> None:
        for name in ("p", "q"):
            value = finite_array(name, getattr(self, name), ndim=1, dtype=np.float64)
            object.__setattr__(self, name, in_interval(name, value, 0.0))
        if self.p.shape != self.q.shape:
            raise ValueError(f"p and q must have one shape, got {self.p.shape} and {self.q.shape}")
        in_interval("kappa", self.kappa, 0.0, np.inf, open_low=True, open_high=True)
        finite_array("y", self.y, ndim=0)
        if not np.all(self.sharpness > 0):
            raise ValueError("the sharpness at the start must be positive")

    @classmethod
    def of_output(cls, f: ArrayLike, ntk: ArrayLike, kappa: float, y: float = 0.0) -> UVStarts:
        """Return the starts with output f and neural tangent kernel λ, both of shape (seeds,), |f| <= λ/(2√κ).

        Balanced weights have |f| = λ/(2√κ): f beyond that by a few units in the last place of λ counts as rounding.
        """
        part, lam = np.broadcast_arrays(2 * np.sqrt(kappa) * finite_array("f", f), finite_array("ntk", ntk))
        p, q = (np.where((side < 0) & (side >= -_ROUNDING * lam), 0.0, side) for side in (lam + part, lam - part))
        return cls(np.atleast_1d(p), np.atleast_1d(q), kappa, y)

    @classmethod
    def drawn(cls, width: int, seeds: Sequence[int], *, y: float = 0.0, start: str = "gaussian") -> UVStarts:
        """Return standard Gaussian starts of m = n = `width`, d = 1, x = 1, a stream of its own for each seed.

        Then p and q are independent, each twice a χ² of `width` degrees of freedom over the width. A "zero-output"
        start has v = 0 instead, so that f = 0 and p = q = χ²/width.

        Args:
            width: Columns of v.
            seeds: Non-negative integers.
            y: Target.
            start: "gaussian" or "zero-output".

        Raises:
            TypeError: If width or a seed is not an integer.
            ValueError: If an argument is out of range.
        """
        w, zero = positive_int("width", width), choice("start", start, STARTS) == "zero-output"
        draws = np.array([_stream(positive_int("seed", seed, 0), w).chisquare(w, 2) / w for seed in seeds])
        draws = draws.reshape(-1, 2)
        p, q = (draws[:, 0], draws[:, 0]) if zero else (2 * draws[:, 0], 2 * draws[:, 1])
        return cls(p, q, 1 / w, y)

    @cached_property
    def sharpness(self) -> np.ndarray:
        """Largest eigenvalue of the Hessian, shape (seeds,)."""
        return self._observed["sharpness"]

    @cached_property
    def loss(self) -> np.ndarray:
        """L = ½(f - y)², shape (seeds,)."""
        return self._observed["loss"] / self.kappa

    @cached_property
    def _observed(self) -> dict[str, np.ndarray]:
        x = np.sqrt(np.stack([self.p, self.q], -1))
        return uv_amplitudes.observe(x, Y=np.sqrt(self.kappa) * self.y)  # η = 1: units of λ


@dataclass(frozen=True, eq=False)
class UVSeen:
    """What runs of the uv model do in their first steps, arrays of one shape.

    Attributes:
        diverged: Whether a loss is above the bound or not finite.
        loss_rises: Whether a loss after the start is above that at the start.
        sharpness_rises: The same of the sharpness.
        barrier: Whether a loss on the segment from start to end is.
        loss_peak: Largest loss after the start, over that at the start.
        sharpness_peak: The same of the sharpness.
        sharpness_ratio: Sharpness after the last step over that at the start.
    """

    diverged: np.ndarray
    loss_rises: np.ndarray
    sharpness_rises: np.ndarray
    barrier: np.ndarray
    loss_peak: np.ndarray
    sharpness_peak: np.ndarray
    sharpness_ratio: np.ndarray


def run_uv(starts: UVStarts, c: np.ndarray, steps: int, bound: float, seed: np.ndarray | None = None) -> UVSeen:
    """Run gradient descent on the uv model with η = c/λ_max(0) and return what is seen up to step `steps`.

    Args:
        starts: Starts of the seeds.
        c: Shape (seeds, k), or shape (runs,) with `seed`.
        steps: T.
        bound: Largest loss L of a run that has not diverged.
        seed: Position in `starts` of each run, shape (runs,).
    """
    at = np.broadcast_to(np.arange(len(starts.p))[:, None], c.shape) if seed is None else seed
    eta = (c / starts.sharpness[at]).ravel()
    x0 = np.sqrt(np.stack([eta * starts.p[at].ravel(), eta * starts.q[at].ravel()], -1))
    Y = eta * (np.sqrt(starts.kappa) * starts.y)
    seen = extremes(uv_amplitudes, x0, steps, Y=Y)
    loss, sharpness = seen["loss"], seen["sharpness"]
    with np.errstate(all="ignore"):
        units = eta**2 * starts.kappa
        largest = np.maximum(loss.first, loss.peak) / units
        barrier = _raises_barrier(x0, seen["plus"].last, seen["minus"].last, Y)
        arrays = (
            ~(np.isfinite(largest) & (largest <= bound)),
            loss.peak > loss.first,
            sharpness.peak > sharpness.first,
            barrier,
            loss.peak / loss.first,
            sharpness.peak / sharpness.first,
            sharpness.last / sharpness.first,
        )
    return UVSeen(*(array.reshape(c.shape) for array in arrays))


def _raises_barrier(x0: np.ndarray, a: np.ndarray, b: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return whether a loss on the segment is above that at the start; x0 (runs, 2), a and b the amplitudes at the end.

    An amplitude that is 0 stays so, whatever its factor.
    """
    A, B = (np.where(start == 0, 1.0, end / start) for start, end in zip(x0.T, (a, b), strict=True))
    P, Q = x0.T**2
    return raises_barrier(P, Q, A, B, Y)


def _stream(seed: int, width: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(width,)))
