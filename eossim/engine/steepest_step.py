"""Compiled steps of steepest descent on quadratics, in norms whose step is a few passes over the gradient.

Coordinates are centred: the gradient at x is H x. Runs are the SIMD axis, arrays [coordinate, run]. Greedy coordinate
descent is the exception: each run keeps its gradient as a row, which a step changes by one column of H.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._jit import kernel
from .._product import product

#: Coordinates in a chunk, of a fixed length for the sake of the compiler: the search for the largest gradient reads the
#: maxima of the chunks and one chunk.
CHUNK = 64
#: Runs that greedy steps go through in turn: the processor overlaps them, while the steps of one wait for each other.
TOGETHER = 4
#: Greedy steps per coordinate between two products: a fresh gradient drops the rounding of the columns added to it.
REFRESH = 4
#: And it is made afresh once the largest gradient is such a part of what it was: rounding would soon be all of it.
FADED = 2.0**-10


@kernel
def _gradient(curvature: np.ndarray, x: np.ndarray, g: np.ndarray) -> None:
    """Write H x to `g`; H as a matrix or as its diagonal."""
    if curvature.ndim == 1:
        dim, runs = x.shape
        for i in range(dim):
            h = curvature[i]
            for r in range(runs):
                g[i, r] = h * x[i, r]
    else:
        product(curvature, x, g)


@kernel
def signs(
    x: np.ndarray,
    g: np.ndarray,
    curvature: np.ndarray,
    normalized: bool,
    eta: np.ndarray,
    stops: np.ndarray,
    kept: np.ndarray,
) -> None:
    """Steps in the largest absolute value: every coordinate moves by the same length, against its gradient."""
    dim, runs = x.shape
    zero = x.dtype.type(0.0)
    length = eta.copy()
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            _gradient(curvature, x, g)
            if not normalized:
                length[:] = zero
                for i in range(dim):
                    for r in range(runs):
                        length[r] += abs(g[i, r])
                for r in range(runs):
                    length[r] = eta[r] * length[r]
            for i in range(dim):
                for r in range(runs):
                    slope = g[i, r]
                    s = length[r]
                    x[i, r] -= s if slope > zero else (-s if slope < zero else zero)
        done = stops[p]
        kept[p] = x


def limits(dtype: np.dtype) -> tuple[Any, Any]:
    """Return the least sum of squares that lost no digits to underflow, and a power of two for values beyond.

    Values whose squares sum to less are multiplied by it, those whose squares overflow are divided by it.
    """
    info = np.finfo(dtype)
    return dtype.type(info.tiny / info.eps**2), dtype.type(2.0 ** (info.maxexp * 11 // 16))


@kernel
def _squares(g: np.ndarray, block: np.ndarray, scale: np.ndarray, scaled: bool, squares: np.ndarray) -> None:
    """Write the squared lengths of the blocks of the gradient, [block, run]; of the scaled one if need be."""
    dim, runs = g.shape
    squares[:] = squares.dtype.type(0.0)
    for i in range(dim):
        b = block[i]
        if scaled:
            for r in range(runs):
                value = scale[b, r] * g[i, r]
                squares[b, r] += value * value
        else:
            for r in range(runs):
                squares[b, r] += g[i, r] * g[i, r]


@kernel
def _scales(squares: np.ndarray, low: Any, up: Any, scale: np.ndarray) -> bool:
    """Write powers of two that bring blocks of the gradient in range, and return whether any is not 1."""
    blocks, runs = squares.shape
    one, infinity = squares.dtype.type(1.0), squares.dtype.type(np.inf)
    beyond = 0
    for b in range(blocks):
        for r in range(runs):
            small, large = squares[b, r] < low, squares[b, r] == infinity
            scale[b, r] = up if small else (one / up if large else one)
            beyond += small | large
    return beyond > 0


@kernel
def _factors(
    squares: np.ndarray, scale: np.ndarray, best: bool, normalized: bool, eta: np.ndarray, chosen: np.ndarray
) -> None:
    """Turn the squared lengths of the blocks of the scaled gradient into what the blocks are multiplied with."""
    blocks, runs = squares.shape
    zero, one = squares.dtype.type(0.0), squares.dtype.type(1.0)
    if best:
        chosen[:] = 0
        for b in range(1, blocks):
            for r in range(runs):
                own, other = scale[b, r], scale[chosen[r], r]
                if own < other or (own == other and squares[b, r] > squares[chosen[r], r]):
                    chosen[r] = b
        for b in range(blocks):
            for r in range(runs):
                factor = eta[r]
                if normalized:
                    factor = factor / np.sqrt(squares[b, r]) if squares[b, r] != zero else zero
                else:
                    scale[b, r] = one  # the length cancels
                squares[b, r] = factor if chosen[r] == b else zero
        return
    for r in range(runs):
        total = zero
        for b in range(blocks):
            total += np.sqrt(squares[b, r]) / scale[b, r]
        length = eta[r] if normalized else eta[r] * total
        for b in range(blocks):
            squares[b, r] = length / np.sqrt(squares[b, r]) if squares[b, r] != zero else zero


@kernel
def blocks(
    x: np.ndarray,
    g: np.ndarray,
    curvature: np.ndarray,
    block: np.ndarray,
    factors: np.ndarray,
    low: Any,
    up: Any,
    best: bool,
    normalized: bool,
    eta: np.ndarray,
    stops: np.ndarray,
    kept: np.ndarray,
) -> None:
    """Steps along the blocks of the gradient: the longest one only, or each with a length of its own.

    Blocks whose squares leave the range of floats are scaled by a power of two, which rounds nothing (`limits`).
    """
    dim, runs = x.shape
    chosen = np.empty(runs, np.int64)
    scale = np.ones_like(factors)
    plain = len(factors) == 1 and not normalized  # the length cancels: gradient descent
    if plain:
        factors[0] = eta
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            _gradient(curvature, x, g)
            scaled = False
            if not plain:
                _squares(g, block, scale, False, factors)
                scaled = _scales(factors, low, up, scale)
                if scaled:
                    _squares(g, block, scale, True, factors)
                _factors(factors, scale, best, normalized, eta, chosen)
            for i in range(dim):
                b = block[i]
                if scaled:
                    for r in range(runs):
                        x[i, r] -= factors[b, r] * (scale[b, r] * g[i, r])
                else:
                    for r in range(runs):
                        x[i, r] -= factors[b, r] * g[i, r]
        done = stops[p]
        kept[p] = x


@kernel
def _largest_of(chunk: np.ndarray, mask: Any) -> Any:
    """Return the largest |g| of a chunk of gradients, as the integer of its bits, which has the order of |g|."""
    top = chunk[0] & mask
    for k in range(CHUNK):
        top = max(top, chunk[k] & mask)
    return top


@kernel
def _refresh(x: np.ndarray, g: np.ndarray, columns: np.ndarray, hessian: np.ndarray, finite: np.ndarray) -> None:
    """Write H x to the rows of gradients of the runs that are stepped."""
    _gradient(hessian, x, columns)
    dim, runs = x.shape
    for r in range(runs):
        if finite[r]:
            for i in range(dim):
                g[r, i // CHUNK, i % CHUNK] = columns[i, r]


@kernel
def _place(own: np.ndarray, top: np.ndarray, mask: Any) -> tuple[int, int]:
    """Return the chunk with the largest gradient and its place there, the first of several."""
    best = 0
    for c in range(1, len(top)):
        if top[c] > top[best]:
            best = c
    k = 0
    while own[best, k] & mask != top[best]:
        k += 1
    return best, k


@kernel
def _renew(x: np.ndarray, r: int, chunked: np.ndarray, row: np.ndarray) -> None:
    """Write H x to the gradients of one run."""
    row[:] = row.dtype.type(0.0)
    for i in range(len(x)):
        for c in range(len(row)):
            for j in range(CHUNK):
                row[c, j] += x[i, r] * chunked[i, c, j]


@kernel
def greedy(
    x: np.ndarray,
    g: np.ndarray,
    bits: np.ndarray,
    floor: np.ndarray,
    clock: np.ndarray,
    columns: np.ndarray,
    hessian: np.ndarray,
    chunked: np.ndarray,
    members: int,
    normalized: bool,
    eta: np.ndarray,
    stops: np.ndarray,
    kept: np.ndarray,
) -> None:
    """Steps along the coordinate with the largest gradient, the first of them; NaN counts as larger than infinity.

    A run stops where it stops being finite: infinity times the zeros beyond the last coordinate would be a gradient.

    Args:
        x: Centred iterates, [coordinate, run].
        g: Gradients, [run, chunk, coordinate of the chunk], zero beyond the last coordinate.
        bits: The same memory as integers: a maximum of integers is compiled to vector instructions, one of floats,
            where NaN has a say, is not.
        floor: Largest gradient of each run since it was fresh, times `FADED`, shape (runs,).
        clock: Steps made so far, shape (1,), so that gradients are refreshed at the same steps whatever is kept.
        columns: Room for gradients, [coordinate, run].
        hessian: H, or its diagonal.
        chunked: H as [coordinate, chunk, coordinate of the chunk]; not read if it is diagonal.
        members: Runs to step; the others only give products their shape.
        normalized: Whether steps have the length eta.
        eta: Step sizes, shape (runs,).
        stops: Steps at which iterates are kept.
        kept: Where they go, [stop, coordinate, run].
    """
    dim, chunks = x.shape[0], g.shape[1]
    zero = x.dtype.type(0.0)
    faded, mask = x.dtype.type(FADED), bits.dtype.type(np.iinfo(bits.dtype).max)
    maxima = np.zeros((members, chunks), bits.dtype)
    finite = np.zeros(x.shape[1], np.bool_)
    for r in range(members):
        finite[r] = True
        for i in range(dim):
            finite[r] &= np.isfinite(x[i, r])
    done = 0
    for p in range(stops.size):
        while done < stops[p]:
            since = clock[0] % (REFRESH * dim)
            if since == 0:
                _refresh(x, g, columns, hessian, finite)
                floor[:] = zero
            for r in range(members):
                for c in range(chunks):
                    maxima[r, c] = _largest_of(bits[r, c], mask)
            ahead = min(stops[p] - done, REFRESH * dim - since)
            for first in range(0, members, TOGETHER):
                for _ in range(ahead):
                    for r in range(first, min(first + TOGETHER, members)):
                        if not finite[r]:
                            continue
                        row, own, top = g[r], bits[r], maxima[r]
                        best, k = _place(own, top, mask)
                        if hessian.ndim == 2:
                            if abs(row[best, k]) < floor[r]:
                                _renew(x, r, chunked, row)
                                for c in range(chunks):
                                    top[c] = _largest_of(own[c], mask)
                                floor[r] = zero
                                best, k = _place(own, top, mask)
                            if faded * abs(row[best, k]) > floor[r]:
                                floor[r] = faded * abs(row[best, k])
                        i, slope = best * CHUNK + k, row[best, k]
                        step = eta[r] * slope
                        if normalized:
                            step = eta[r] if slope > zero else (-eta[r] if slope < zero else slope)
                        x[i, r] -= step
                        finite[r] = np.isfinite(x[i, r])
                        if hessian.ndim == 1:
                            row[best, k] = hessian[i] * x[i, r]
                            top[best] = _largest_of(own[best], mask)
                        else:
                            column = chunked[i]
                            for c in range(chunks):
                                for j in range(CHUNK):
                                    row[c, j] -= step * column[c, j]
                                top[c] = _largest_of(own[c], mask)
            clock[0] += ahead
            done += ahead
        kept[p] = x
