"""The largest eigenvalues of a network's Hessian by Rayleigh-Ritz in a growing subspace, compiled as a whole.

Vectors have the type of the network, inner products double precision: in single precision an eigenvalue is good to
about 1e-6 of the largest one in absolute value.
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel
from ._passes import curvature

#: Length of the gradient, in units of the residual, in the first direction beyond those given: an eigenvalue that grew
#: while nobody looked has grown where the last step led, which is where the gradient is.
_FRESH = 0.3
#: Smallest gap, relative to the largest eigenvalue, to reckon with; part of a direction that has to be new.
_GAP, _NEW = 1e-3, 1e-5
#: Ritz vectors kept when the subspace is full.
_KEPT = 4
#: Sums of an inner product side by side.
_LANES = 32


@kernel
def top_pairs(network, gradient, starts, tolerance, floor, probe, below, steps, most, room, out):  # type: ignore[no-untyped-def]
    """Return the largest eigenvalue, its residual and the number of products; NaN if a product was not finite.

    Args:
        network: What `_multiply` takes.
        gradient: Of the loss, shape (dim,).
        starts: Directions to start from, shape (any, dim).
        tolerance: Relative error to stop at.
        floor: Eigenvalue below which errors are relative to this.
        probe: Direction to start from anew where the eigenvalue found is less than `below`, shape (dim,).
        below: Eigenvalue.
        steps: Directions of the Krylov space of the probe.
        most: Products at most.
        room: For the subspace, more vectors than starts, for the products with it and for two vectors, all rows of
            one array, shape (2 vectors + 2, dim).
        out: The Ritz vectors of the largest values, shape (wanted, dim); zero where there are fewer.
    """
    widest, wanted = (len(room) - 2) // 2, len(out)
    basis, images, v, part = room[:widest], room[widest : 2 * widest], room[2 * widest], room[2 * widest + 1]
    inner = np.zeros((widest, widest))
    size, products = 0, 0
    for start in range(len(starts) + 1):
        if start < len(starts):
            v[:] = starts[start]
        elif size:
            break
        else:
            v[:] = gradient if np.any(gradient) else np.ones_like(gradient)
        if _orthonormalise(basis, size, v):
            _enter(network, v, basis, images, inner, size, part)
            size, products = size + 1, products + 1
    value, length, looks = 0.0, 0.0, 0
    while True:
        if not np.isfinite(inner[:size, :size]).all():
            return np.nan, np.nan, products
        ascending, columns = np.linalg.eigh(inner[:size, :size].copy())
        values, ritz = ascending[::-1].copy(), columns.T[::-1].copy()
        value = values[0]
        _combine(images, ritz[0], v)
        _combine(basis, ritz[0], part)
        _add(v, -value, part)
        length = np.sqrt(_dot(v, v))
        outside = values[wanted] if size > wanted else 0.5 * value
        unit = max(abs(value), floor)
        if products >= most:
            break
        if not looks or length * length > tolerance * unit * max(value - outside, _GAP * unit):
            if not looks:
                steepness = np.sqrt(_dot(gradient, gradient))
                if steepness > 0:
                    _add(v, (_FRESH * length if length > 0 else 1.0) / steepness, gradient)
            if size == widest:
                size = _cut_back(basis, images, inner, values, ritz, max(wanted, _KEPT))
                ritz = np.eye(size)
            if _orthonormalise(basis, size, v):
                _enter(network, v, basis, images, inner, size, part)
                size, products, looks = size + 1, products + 1, looks + 1
                continue
        if value >= below:
            break
        below = -np.inf  # once
        if size + steps > widest:
            size = _cut_back(basis, images, inner, values, ritz, max(wanted, _KEPT))
        v[:] = probe
        for _ in range(steps):
            if not _orthonormalise(basis, size, v):
                break
            _enter(network, v, basis, images, inner, size, part)
            size, products = size + 1, products + 1
            v[:] = images[size - 1]
    out[:] = 0
    for k in range(min(wanted, len(values))):
        _combine(basis, ritz[k], out[k])
    return value, length, products


@kernel
def _multiply(network, v, image, part):  # type: ignore[no-untyped-def]
    """Write the Hessian times v to `image`; v is overwritten."""
    w, scale, X, weight, sizes, kind, factor, state, tangents = network
    exact = kind[0] * 0 + 1  # no literal, for which Numba would compile anew
    if scale.size:
        v *= scale
    for c in range(len(X)):
        curvature(w, v, X[c], weight[c], sizes, kind, factor, exact, state[c], tangents, part if c else image)
        if c:
            image += part
    if scale.size:
        image *= scale


@kernel
def _enter(network, v, basis, images, inner, size, part):  # type: ignore[no-untyped-def]
    """Let a unit vector into the subspace."""
    basis[size] = v
    _multiply(network, v, images[size], part)
    for k in range(size + 1):
        inner[k, size] = inner[size, k] = _dot(basis[k], images[size])


@kernel
def _cut_back(basis, images, inner, values, ritz, keep):  # type: ignore[no-untyped-def]
    """Replace the subspace by that of its first Ritz vectors; return its size."""
    for rows in (basis, images):
        kept = np.empty((keep, rows.shape[1]), rows.dtype)
        for k in range(keep):
            _combine(rows, ritz[k], kept[k])
        rows[:keep] = kept
    inner[:] = 0
    for k in range(keep):
        inner[k, k] = values[k]
    return keep


@kernel
def _orthonormalise(basis, size, v):  # type: ignore[no-untyped-def]
    """Make v a unit vector orthogonal to the first rows of the basis; return whether anything new was in it."""
    for again in range(3):
        length = np.sqrt(_dot(v, v))
        if not (0 < length < np.inf) or (again and length < _NEW):
            return False
        v *= v.dtype.type(1 / length)
        if again < 2:
            for k in range(size):
                _add(v, -_dot(basis[k], v), basis[k])
    return True


@kernel
def _add(v, factor, other):  # type: ignore[no-untyped-def]
    f = v.dtype.type(factor)
    for i in range(v.size):
        v[i] += f * other[i]


@kernel
def _combine(rows, factors, out):  # type: ignore[no-untyped-def]
    """Write Σₖ factors[k] rows[k]."""
    first = out.dtype.type(factors[0])
    for i in range(out.size):
        out[i] = first * rows[0, i]
    for k in range(1, len(factors)):
        _add(out, factors[k], rows[k])


@kernel
def _dot(a, b):  # type: ignore[no-untyped-def]
    """Return the inner product in double precision; `_LANES` sums side by side, whose order is fixed."""
    sums, body = np.zeros(_LANES), a.size - a.size % _LANES
    for start in range(0, body, _LANES):
        for k in range(_LANES):
            sums[k] += np.float64(a[start + k]) * np.float64(b[start + k])
    total = 0.0
    for k in range(_LANES):
        total += sums[k]
    for i in range(body, a.size):
        total += np.float64(a[i]) * np.float64(b[i])
    return total
