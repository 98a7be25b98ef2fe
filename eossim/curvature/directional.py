"""Directional smoothness: the curvature that a step from x to y meets, in any norm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import choice, in_interval, positive_int, real_array
from ..norms import L2, Norm, as_norm
from .averages import largest_average
from .segment import Segment, signed_by_gradients, signed_by_products

KINDS = ("signed", "optimal", "pointwise", "pathwise", "secant", "strong_convexity", "rayleigh")
_NEED_HVP = ("pathwise", "strong_convexity", "rayleigh")
_INTEGRALS = ("signed", "optimal")


def directional_smoothness(
    problem: Any,
    x: ArrayLike,
    y: ArrayLike,
    *,
    kind: str = "signed",
    norm: Norm | str | None = None,
    nodes: int | None = None,
    rtol: float = 1e-8,
) -> Any:
    """Return the directional smoothness of a loss f between x and y = x + Δ.

    With the curvature κ(s) = Δᵀ ∇²f(x + sΔ) Δ/‖Δ‖² along the segment and its means A_t = (1/t) ∫₀ᵗ κ, the kinds are

    * ``"signed"``: D = [f(y) - f(x) - <∇f(x), Δ>]/(½‖Δ‖²) = 2∫(1 - s) κ(s) ds, the D of arXiv:2603.05002. A step
      of steepest descent with step size eta lowers the loss if and only if D < 2/eta.
    * ``"optimal"``: |D|, H in arXiv:2403.04081. It is the smallest M with f(y) <= f(x) + <∇f(x), Δ> + ½M‖Δ‖² where
      D >= 0; where D < 0, M = 0 does as well.
    * ``"pointwise"``: 2‖∇f(y) - ∇f(x)‖*/‖Δ‖ with the dual norm, symmetric in x and y. It is such an M for convex f.
    * ``"pathwise"``: sup of A_t over 0 < t <= 1, such an M (if positive) for every f. Not comparable to pointwise.
    * ``"secant"``: A_1 = <∇f(y) - ∇f(x), Δ>/‖Δ‖².
    * ``"strong_convexity"``: inf of A_t over 0 < t <= 1.
    * ``"rayleigh"``: κ(0).

    Always signed <= pathwise <= max κ; for convex f, 0 <= signed <= 2 secant <= pointwise. On a quadratic all but
    pointwise and optimal are the Rayleigh quotient. All scale with f, and with 1/α² if the norm is multiplied by α.

    Losses do not give D: near convergence their difference makes it equal 2/eta, an edge of stability that is not there
    (see `loss_based_smoothness`). D is an integral of κ by Gauss-Legendre rules, refined until two of them
    differ by `rtol` relative to the mean size of κ. Without ``hvp`` it is one of gradients, with a rounding error of
    about eps/‖Δ‖ times the dual norm of the terms that the gradient is summed from; secant and pointwise have that
    error too. So it is where κ misses more than a thousandth of the change of the gradient, as at the kinks of a ReLU
    network; in steps below about 1e-7 ‖x‖ rounding hides these. In steps of more than about 5e-4 ‖x‖ losses that are
    large against their rounding serve as a check: where an integral misses them by more than a thousandth, D is theirs
    if they are exact to `rtol`, else NaN.

    So narrow features of κ between the nodes can be missed: always where they are worth less than a thousandth of D
    and of the mean of κ, and where checks are blind. What does not converge is NaN: kinks and jumps of κ make pathwise
    and strong_convexity NaN.

    Args:
        problem: Anything with ``dim`` and ``grad(w)``, batched over leading axes. ``hvp(w, v)`` is used by the
            integrals if there is one, and needed for pathwise, strong_convexity and rayleigh; ``loss(w)`` is a check.
        x: Start of the step, shape (..., dim).
        y: Its end, shape (..., dim); leading axes broadcast.
        kind: One of the above.
        norm: A norm of `eossim.norms`, or the name of one: ``"linf"``, ``"lp:3"``; Euclidean by default.
        nodes: Use a Gauss-Legendre rule with as many nodes, exact for polynomials f of degree 2 nodes, instead of more
            and more. For signed and optimal.
        rtol: When to stop adding nodes or, for pathwise and strong_convexity, panels: two results agree to this,
            relative to the mean (largest) size of κ. The finer one is returned.

    Returns:
        The value: a number for points, an array of shape (...) for batches. NaN where x or y is not finite, and in
        batches where x = y.

    Raises:
        TypeError: For arguments of a wrong type, or a kind that needs an ``hvp`` the problem does not have.
        ValueError: For an unknown kind, shapes or a norm that do not fit, or two points that are equal.

    Source: arXiv:2403.04081, arXiv:2603.05002, arXiv:2204.01050 (secant); relations derived.

    Example:
        >>> directional_smoothness(Quadratic([10.0, 4.0, 1.0]), [1.0, 1.0, 1.0], [0.0, 0.6, 0.9])
    """
    choice("kind", kind, KINDS)
    if not (hasattr(problem, "dim") and hasattr(problem, "grad")):
        kind_of = type(problem).__name__
        raise TypeError(f"problem must have dim and grad(w), got {kind_of}: wrap a Hessian H as Quadratic(H)")
    if kind in _NEED_HVP and not hasattr(problem, "hvp"):
        raise TypeError(f"kind {kind!r} needs a problem with hvp(w, v), got {problem!r}; signed and secant do without")
    if nodes is not None and kind not in _INTEGRALS:
        raise ValueError(f"nodes is for the kinds {' and '.join(map(repr, _INTEGRALS))}, got kind {kind!r}")
    measure = _norm(problem, norm)
    start, end = _points(problem, "x", x), _points(problem, "y", y)
    try:
        start, end = np.broadcast_arrays(start, end)
    except ValueError:
        raise ValueError(f"y must broadcast against x of shape {start.shape}, got {end.shape}") from None
    if start.ndim == 1 and (start == end).all():
        raise ValueError("x and y must differ: there is no direction between equal points")
    with np.errstate(all="ignore"):
        step = end - start
        if kind in _INTEGRALS:
            value = signed_smoothness(problem, start, step, measure, nodes=nodes, rtol=rtol)
            value = np.abs(value) if kind == "optimal" else value
        else:
            segment = _segment(problem, start, step, measure)
            value = _of_kind(kind, segment, measure, _tolerance(rtol)).reshape(step.shape[:-1])
    return float(value) if value.ndim == 0 else value


def signed_smoothness(
    problem: Any,
    x: np.ndarray,
    delta: np.ndarray,
    norm: Norm | None = None,
    *,
    nodes: int | None = None,
    rtol: float = 1e-8,
) -> np.ndarray:
    """Return the signed directional smoothness of steps `delta` from `x`, shape (...): `directional_smoothness`.

    Passing the step itself keeps it exact where x + delta rounds. It is NaN where a step is zero or not finite.

    Args:
        problem: As in `directional_smoothness`, and so are the rest.
        x: Points, shape (..., dim).
        delta: Steps, shape (..., dim).
        norm: The norm.
        nodes: Number of nodes, or None for as many as `rtol` needs.
        rtol: Relative tolerance.
    """
    tolerance = _tolerance(rtol)
    count = None if nodes is None else positive_int("nodes", nodes)
    shape = np.broadcast_shapes(np.shape(x), np.shape(delta))
    with np.errstate(all="ignore"):
        segment = _segment(problem, np.broadcast_to(x, shape), np.broadcast_to(delta, shape), _norm(problem, norm))
        if hasattr(problem, "hvp"):
            value = segment.curvature(0.0)[0] if segment.quadratic else signed_by_products(segment, count, tolerance)
        else:
            value = signed_by_gradients(segment, count, tolerance)
        return np.where(np.isfinite(segment.start).all(axis=-1), value, np.nan).reshape(shape[:-1])


def _of_kind(kind: str, segment: Segment, norm: Norm, rtol: float) -> np.ndarray:
    """Return the kinds that are not integrals over the whole segment, shape (rows,)."""
    if kind in ("pointwise", "secant"):
        change = segment.gradient(1.0).astype(float) - segment.gradient(0.0)
        if kind == "pointwise":
            return 2 * norm.dual(change) / segment.length
        return (change * segment.unit).sum(axis=-1) / segment.length
    if kind == "rayleigh" or segment.quadratic:
        return segment.curvature(0.0)[0]
    return largest_average(segment, rtol, 1 if kind == "pathwise" else -1)


def _segment(problem: Any, start: np.ndarray, step: np.ndarray, norm: Norm) -> Segment:
    """Return the segments as rows; a zero step has the direction NaN."""
    rows, steps = (np.reshape(a, (-1, problem.dim)).astype(np.float64, copy=False) for a in (start, step))
    largest = np.abs(steps).max(axis=-1)
    length = largest * norm.norm(steps / largest[:, None])  # squares of tiny steps underflow
    return Segment(problem, rows, steps, steps / length[:, None], length)


def _norm(problem: Any, norm: Norm | str | None) -> Norm:
    return L2() if norm is None else as_norm(norm, problem.dim)


def _tolerance(rtol: float) -> float:
    return float(in_interval("rtol", rtol, 0, 1, open_low=True, open_high=True))


def _points(problem: Any, name: str, value: ArrayLike) -> np.ndarray:
    array = real_array(name, value, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != problem.dim:
        raise ValueError(f"{name} must have shape (..., {problem.dim}), got {array.shape}")
    return array
