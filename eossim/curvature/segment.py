"""The curvature along the segments that steps take, integrated without cancellation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

#: Gauss-Legendre rules tried in turn until two agree.
_RULES = (3, 6, 12, 24, 48)
#: Rounding of an inner product, in units of the machine epsilon times the sum of the sizes of its terms.
_SLACK = 8.0
#: Relative error that no integral may have: by its own estimate, or against the change of the gradient and the losses.
_VISIBLE = 1e-3
#: Rounding of a difference of gradients relative to its size, in units of eps ‖x‖/‖Δ‖: generous, as gradients are sums
#: of terms larger than themselves.
_NOISE = 1e6
#: Rounding of a loss, in units of the machine epsilon times its size: generous too.
_LOSS_NOISE = 1e3


@dataclass(frozen=True)
class Segment:
    """Rows of segments from x to x + Δ of a problem, with Δ measured in a norm.

    Attributes:
        problem: The loss.
        start: x, shape (rows, dim).
        step: Δ, shape (rows, dim).
        unit: Δ/‖Δ‖, shape (rows, dim).
        length: ‖Δ‖, shape (rows,).
    """

    problem: Any
    start: np.ndarray
    step: np.ndarray
    unit: np.ndarray
    length: np.ndarray

    @property
    def noise(self) -> np.ndarray:
        """Rounding that may show in the change of the gradient, relative to it, shape (rows,)."""
        return _NOISE * np.finfo(float).eps * np.abs(self.start).max(axis=-1) / np.abs(self.step).max(axis=-1)

    @property
    def quadratic(self) -> bool:
        """Whether the problem says that its curvature is the same everywhere."""
        return hasattr(self.problem, "minimizer") and hasattr(self.problem, "is_diagonal")

    def rows(self, chosen: np.ndarray) -> Segment:
        """Return the segments chosen by a mask or by indices."""
        return Segment(self.problem, self.start[chosen], self.step[chosen], self.unit[chosen], self.length[chosen])

    def gradient(self, s: float) -> np.ndarray:
        """∇f(x + sΔ), shape (rows, dim), in the precision that the problem gives."""
        return np.asarray(self.problem.grad(self.start + s * self.step))

    def curvature(self, s: float) -> tuple[np.ndarray, np.ndarray]:
        """κ(s) = Δᵀ ∇²f(x + sΔ) Δ/‖Δ‖², shape (rows,), and a bound of its rounding."""
        product = np.asarray(self.problem.hvp(self.start + s * self.step, self.unit))
        terms = self.unit * product
        return terms.sum(axis=-1), _SLACK * _epsilon(product) * np.abs(terms).sum(axis=-1)

    def change(self, s: float, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """<∇f(x + sΔ) - first, Δ>/‖Δ‖², shape (rows,), and a bound of its rounding; `first` is ∇f(x)."""
        last = self.gradient(s)
        value = ((last.astype(float) - first) * self.unit).sum(axis=-1)
        size = ((np.abs(first) + np.abs(last)) * np.abs(self.unit)).sum(axis=-1)
        return value / self.length, _SLACK * _epsilon(last) * size / self.length

    def progress(self, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[f(x + Δ) - f(x) - <first, Δ>]/(½‖Δ‖²), shape (rows,), and a bound of its rounding; `first` is ∇f(x)."""
        before, after = np.asarray(self.problem.loss(self.start)), np.asarray(self.problem.loss(self.start + self.step))
        along, size = (first * self.step).sum(axis=-1), np.abs(first * self.step).sum(axis=-1)
        value = after.astype(float) - before - along
        epsilon = max(_epsilon(before), _epsilon(first))
        rounding = _LOSS_NOISE * epsilon * (np.maximum(np.abs(before), np.abs(after)) + size)
        return value / self.length / (0.5 * self.length), rounding / self.length / (0.5 * self.length)


@dataclass(frozen=True)
class Check:
    """A mean of κ over segments that is known without κ, up to rounding and relative to its size a noise.

    Nodes may miss a peak of κ; and where the gradient jumps, as at a kink, κ does not know. Of very short steps a check
    is too noisy to tell.
    """

    value: np.ndarray
    rounding: np.ndarray
    noise: np.ndarray

    @classmethod
    def secant(cls, segment: Segment, first: np.ndarray) -> Check:
        """Return the mean as the change of the gradient has it; `first` is ∇f(x)."""
        return cls(*segment.change(1.0, first), segment.noise)

    @classmethod
    def losses(cls, segment: Segment, first: np.ndarray) -> Check | None:
        """Return the mean weighted with 2(1 - s) as the losses have it; None if the problem has none.

        The secant knows nothing of a peak with a dip beside it, as where the gradient has a bump.
        """
        if not hasattr(segment.problem, "loss"):
            return None
        value, rounding = segment.progress(first)
        relative = np.abs(segment.start).max(axis=-1) / np.abs(segment.step).max(axis=-1)
        noise = segment.noise * np.maximum(1, relative)
        return cls(value, rounding, np.where(np.isfinite(value + rounding), noise, np.inf))

    def explained(self, rows: np.ndarray, mean: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether a mean over some rows, where that of |κ| is `size`, is this one."""
        value = self.value[rows]
        close = np.abs(mean - value) <= _VISIBLE * np.maximum(size, np.abs(value)) + self.rounding[rows]
        return close | (self.noise[rows] > _VISIBLE)

    def corrected(self, rows: np.ndarray, mean: np.ndarray, size: np.ndarray, rtol: float) -> np.ndarray:
        """Return means over some rows, the unexplained ones replaced by this one, or NaN if it is not known to rtol."""
        value = self.value[rows]
        scale = np.maximum(size, np.abs(value))
        known = self.rounding[rows] + self.noise[rows] * scale <= rtol * scale
        return np.where(self.explained(rows, mean, size), mean, np.where(known, value, np.nan))


#: The integrand at s: values, one row per integral wanted, shape (integrals, rows), and the rounding of the first.
_Integrand = Callable[[float], tuple[np.ndarray, np.ndarray]]
#: The integrand on some of the segments.
_On = Callable[[np.ndarray], _Integrand]


def signed_by_products(segment: Segment, nodes: int | None, rtol: float) -> np.ndarray:
    """2∫(1 - s) κ(s) ds by Hessian-vector products: nothing cancels, so the error is relative to κ.

    Where κ does not explain the change of the gradient, gradients are integrated instead; where neither explains that
    of the loss, it is what the losses give.
    """

    def on(rows: np.ndarray) -> _Integrand:
        part = segment.rows(rows)

        def integrand(s: float) -> tuple[np.ndarray, np.ndarray]:
            value, rounding = part.curvature(s)
            return np.stack([2 * (1 - s) * value, value]), 2 * (1 - s) * rounding

        return integrand

    every = np.arange(len(segment.start))
    if nodes is not None:
        return _rule(on(every), nodes)[0][0]
    first = segment.gradient(0.0)
    secant, losses, tolerance = Check.secant(segment, first), Check.losses(segment, first), np.full(len(every), rtol)
    out, left, total, size = _by_rules(on, len(every), tolerance, (losses, secant))
    explained = secant.explained(left, total[1], size[1])
    clear = left[explained]
    out[clear] = _adaptive(on, clear, tolerance[clear], size[0, explained])
    if losses is not None:
        out[clear] = losses.corrected(clear, out[clear], size[0, explained], rtol)
    if not explained.all():
        rest = left[~explained]
        out[rest] = signed_by_gradients(segment.rows(rest), None, rtol)
    return out


def signed_by_gradients(segment: Segment, nodes: int | None, rtol: float) -> np.ndarray:
    """2∫ <∇f(x + tΔ) - ∇f(x), Δ> dt/‖Δ‖², which is the same; its rounding is about eps ‖∇f‖*/‖Δ‖."""
    first = segment.gradient(0.0)

    def on(rows: np.ndarray) -> _Integrand:
        part, start = segment.rows(rows), first[rows]

        def integrand(t: float) -> tuple[np.ndarray, np.ndarray]:
            value, rounding = part.change(t, start)
            return 2 * value[None], 2 * rounding

        return integrand

    every = np.arange(len(first))
    if nodes is not None:
        return _rule(on(every), nodes)[0][0]
    # rounding keeps rules from agreeing on short steps, and bisection would chase it
    tolerance = np.clip(segment.noise, rtol, _VISIBLE)
    losses = Check.losses(segment, first)
    out, left, _, size = _by_rules(on, len(every), tolerance, (losses,))
    clear = segment.noise[left] < _VISIBLE
    out[left] = np.nan
    out[left[clear]] = _adaptive(on, left[clear], tolerance[left[clear]], size[0, clear])
    if losses is not None:
        out[left] = losses.corrected(left, out[left], size[0], rtol)
    return out


def gauss(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    z, weights = _legendre(nodes)
    return (1 + z) / 2, weights / 2


@cache
def _legendre(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(nodes)


def _epsilon(values: np.ndarray) -> float:
    return float(np.finfo(values.dtype if values.dtype.kind == "f" else float).eps)


def _by_rules(
    on: _On, count: int, rtol: np.ndarray, checks: tuple[Check | None, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return ∫ integrand ds over [0, 1], shape (rows,), the rows left open, and the totals and sizes there.

    A row is done when two rules differ by at most rtol times the mean size of its integrand, plus rounding, and the
    checks explain the integrals that they belong to.
    """
    out, before, left = np.full(count, np.nan), np.full(count, np.nan), np.arange(count)
    for nodes in _RULES:
        total, size, rounding = _rule(on(left), nodes)
        value = total[0]
        done = np.abs(value - before) <= rtol[left] * size[0] + rounding
        for check, mean, scale in zip(checks, total, size, strict=True):
            if check is not None:
                done &= check.explained(left, mean, scale)
        out[left] = value
        going = np.isfinite(value) & ~done
        left, before, total, size = left[going], value[going], total[:, going], size[:, going]
        if not left.size:
            break
    return out, left, total, size


def _rule(integrand: _Integrand, nodes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the integrals, the integrals of their sizes and that of the rounding by a rule with `nodes` nodes.

    Nodes are visited one by one: memory stays that of the segments.
    """
    total, size, noise = 0.0, 0.0, 0.0
    for s, weight in zip(*gauss(nodes), strict=True):
        value, rounding = integrand(float(s))
        total, size, noise = total + weight * value, size + weight * np.abs(value), noise + weight * rounding
    return np.asarray(total), np.asarray(size), np.asarray(noise)


def _adaptive(on: _On, rows: np.ndarray, rtol: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the integral over single segments by bisection of [0, 1]; NaN where that does not converge."""
    from scipy.integrate import quad  # slow to import

    out = np.full(len(rows), np.nan)
    for k, (scale, wanted) in enumerate(zip(size.tolist(), (rtol * size).tolist(), strict=True)):
        integrand = on(rows[k : k + 1])
        value, error = quad(
            lambda s, f=integrand: float(f(s)[0][0, 0]),
            0,
            1,
            epsabs=wanted,
            epsrel=0,
            limit=100,
            full_output=True,
        )[:2]
        out[k] = value if error <= _VISIBLE * scale else np.nan
    return out
