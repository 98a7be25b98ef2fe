"""The steps of mini-batch methods, compiled: runs side by side, sums in an order that nothing changes.

A gradient is handed on as a sum of rows: run r has Σ_t factors[t, r] * rows[numbers[t, r]]. For regression these are
the samples of its batch, whatever else is one row per run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._jit import kernel
from .batches import IID, draw_batch
from .rows import add, aligned_zeros, descend, dot, padded_length
from .streams import below_each, normals

#: Codes of the words in `sampling`.
BATCH, ISOTROPIC, DIAGONAL, GAUSSIAN = 0, 1, 2, 3
NO_ASCENT, PLAIN_ASCENT, NORMALISED_ASCENT = 0, 1, 2
NO_MOMENTUM, HEAVY_BALL, NESTEROV = 0, 1, 2


class Samples(NamedTuple):
    """A loss that is a mean over n samples, as arrays with padded rows.

    Regression: sample i has the gradient scale * x_i (x_i·w - y_i), x_i the rows of `matrix`. Otherwise it has the
    gradient scale * H_i (w - c_i), with H_i in rows i dim ... (i + 1) dim - 1 of `matrix` and c_i in `centers`.
    """

    regression: bool
    dim: int
    scale: float
    matrix: np.ndarray
    targets: np.ndarray
    centers: np.ndarray


class Plan(NamedTuple):
    """How gradients are drawn and used; words as codes."""

    size: int
    sampling: int
    noise: int
    spread: float
    label_noise: float
    ascent: int
    independent: bool
    momentum: int


class Scratch(NamedTuple):
    """Room for a gradient: factors of its rows; one row per run, with numbers and factors 1; two spare rows."""

    factors: np.ndarray
    whole: np.ndarray
    own: np.ndarray
    ones: np.ndarray
    spare: np.ndarray


@kernel
def advance(
    samples: Samples,
    plan: Plan,
    eta: np.ndarray,
    beta: np.ndarray,
    rho: np.ndarray,
    iterates: np.ndarray,
    buffers: np.ndarray,
    states: np.ndarray,
    order: np.ndarray,
    place: np.ndarray,
    stops: np.ndarray,
    kept: np.ndarray,
) -> None:
    """Step a block of runs, in place, and keep iterates at `stops`.

    Args:
        samples: The loss.
        plan: The method.
        eta: Step size of each run; so `beta` and `rho`, read if the method has them.
        beta: Momentum.
        rho: Ascent step.
        iterates: Shape (dim, runs).
        buffers: Momentum buffers, same shape.
        states: Streams, shape (4, runs).
        order: See `draw_batch`.
        place: Place in the epoch, shape (1,).
        stops: Steps to keep, counted from here.
        kept: Iterates there, shape (stops, dim, runs).
    """
    dim, runs = iterates.shape
    length = padded_length(dim)
    numbers, normal = np.empty((plan.size, runs), np.int64), np.empty((_normals_of(samples, plan), runs))
    for t in range(plan.size):
        numbers[t, :] = t  # all samples, unless batches are drawn
    scratch = Scratch(
        np.empty((plan.size, runs)),
        aligned_zeros(runs, length),
        np.arange(runs).reshape(1, runs),
        np.ones((1, runs)),
        aligned_zeros(2, length),
    )
    whole, own, ones = scratch.whole, scratch.own, scratch.ones
    w, m = aligned_zeros(runs, length), aligned_zeros(runs, length)
    phases = 1 if plan.ascent == NO_ASCENT else 2  # at the iterate, and at the point ascended to
    ascended = aligned_zeros(runs if phases > 1 else 0, length)
    minus_eta, reach, one = -eta, rho.copy(), np.ones(runs)
    look_ahead = minus_eta * beta
    _enter(iterates, w)
    _enter(buffers, m)
    matrix, targets = samples.matrix, samples.targets
    noise, sampling, ascent, momentum = plan.noise, plan.sampling, plan.ascent, plan.momentum
    plain = samples.regression and noise == BATCH and plan.label_noise == 0.0
    single = plain and plan.size == 1 and phases == 1 and momentum == NO_MOMENTUM

    gaussian = normal.size > 0
    done, begin = 0, place[0]
    for p in range(stops.size):
        ahead = stops[p] - done
        if single:
            begin = _single_steps(
                ahead, matrix, targets, samples.scale, sampling, states, order, begin, numbers, minus_eta, w
            )
            ahead = 0
        for _ in range(ahead):
            for phase in range(phases):
                if noise == BATCH and (phase == 0 or plan.independent):
                    begin = draw_batch(sampling, states, order, begin, numbers)
                if gaussian and (phase == 0 or plan.independent):
                    normals(states, normal)
                factors, rows, which = _gradient(samples, plan, numbers, normal, ascended if phase else w, scratch)
                if phase + 1 < phases:
                    if ascent == NORMALISED_ASCENT:
                        if samples.regression:
                            whole[:] = 0.0
                            _add(whole, one, factors, rows, which)
                        _reach(rho, whole, reach)
                    ascended[:] = w
                    _add(ascended, reach, factors, rows, which)
            if momentum == NO_MOMENTUM:
                _add(w, minus_eta, factors, rows, which)
            else:
                for r in range(runs):
                    for k in range(length):
                        m[r, k] *= beta[r]
                _add(m, one, factors, rows, which)
                if momentum == NESTEROV:
                    _add(w, minus_eta, factors, rows, which)
                    _add(w, look_ahead, ones, m, own)
                else:
                    _add(w, minus_eta, ones, m, own)
        done = stops[p]
        _leave(w, kept[p])
    _leave(w, iterates)
    _leave(m, buffers)
    place[0] = begin


@kernel
def _enter(columns: np.ndarray, rows: np.ndarray) -> None:
    """Copy [coordinate, run] to padded rows."""
    for r in range(columns.shape[1]):
        for k in range(columns.shape[0]):
            rows[r, k] = columns[k, r]


@kernel
def _leave(rows: np.ndarray, columns: np.ndarray) -> None:
    """Copy padded rows to [coordinate, run]."""
    for k in range(columns.shape[0]):
        for r in range(columns.shape[1]):
            columns[k, r] = rows[r, k]


@kernel
def _normals_of(samples: Samples, plan: Plan) -> int:
    """Return how many Gaussian numbers a run needs for a gradient."""
    if plan.noise in (ISOTROPIC, DIAGONAL):
        return samples.dim
    return plan.size if plan.noise == GAUSSIAN or plan.label_noise > 0 else 0


@kernel
def _single_steps(
    steps: int,
    matrix: np.ndarray,
    targets: np.ndarray,
    scale: float,
    sampling: int,
    states: np.ndarray,
    order: np.ndarray,
    begin: int,
    numbers: np.ndarray,
    minus_eta: np.ndarray,
    w: np.ndarray,
) -> int:
    """Step gradient descent on one sample at a time: what `advance` does anyway, at thrice the speed."""
    for _ in range(steps):
        if sampling == IID:
            below_each(states, targets.size, numbers, 0)
        else:
            begin = draw_batch(sampling, states, order, begin, numbers)
        for r in range(minus_eta.size):
            i = numbers[0, r]
            descend(w, r, minus_eta[r], scale, matrix, i, targets[i])
    return begin


@kernel
def _gradient(
    samples: Samples, plan: Plan, numbers: np.ndarray, normal: np.ndarray, points: np.ndarray, scratch: Scratch
) -> tuple:
    """Return factors, rows and their numbers: the gradient of what was drawn, at one point per run."""
    factors, share = scratch.factors, samples.scale / plan.size
    if samples.regression:
        _residuals(samples.matrix, samples.targets, share, points, numbers, factors)
    else:
        factors[:] = share
    if plan.label_noise > 0:
        factors -= share * plan.label_noise * normal
    if plan.noise == GAUSSIAN:
        _reweigh(normal, np.sqrt(plan.spread * plan.size), factors)
    if samples.regression and plan.noise in (BATCH, GAUSSIAN):
        return factors, samples.matrix, numbers

    scratch.whole[:] = 0.0
    if samples.regression:
        _add(scratch.whole, scratch.ones[0], factors, samples.matrix, numbers)
    else:
        _add_quadratics(samples, points, factors, numbers, scratch)
    if plan.noise in (ISOTROPIC, DIAGONAL):
        _add_noise(samples, plan, normal, points, scratch)
    return scratch.ones, scratch.whole, scratch.own


@kernel
def _residuals(
    matrix: np.ndarray, targets: np.ndarray, scale: float, points: np.ndarray, numbers: np.ndarray, out: np.ndarray
) -> None:
    """Write scale * (x_i·w - y_i) for the samples of each run's batch."""
    size, runs = numbers.shape
    for r in range(runs):
        for t in range(size):
            i = numbers[t, r]
            out[t, r] = scale * (dot(matrix, i, points, r) - targets[i])


@kernel
def _add(target: np.ndarray, scales: np.ndarray, factors: np.ndarray, matrix: np.ndarray, numbers: np.ndarray) -> None:
    """Add scales[r] * Σ_t factors[t, r] * matrix[numbers[t, r]] to row r, term by term."""
    size, runs = numbers.shape
    for r in range(runs):
        for t in range(size):
            add(target, r, scales[r] * factors[t, r], matrix, numbers[t, r])


@kernel
def _add_quadratics(
    samples: Samples, points: np.ndarray, factors: np.ndarray, numbers: np.ndarray, scratch: Scratch
) -> None:
    """Add Σ_t factors[t, r] * H_i (w - c_i), i = numbers[t, r], to the whole gradient of run r."""
    size, runs = numbers.shape
    for r in range(runs):
        for t in range(size):
            _write_quadratic(samples, points, r, numbers[t, r], scratch.spare)
            add(scratch.whole, r, factors[t, r], scratch.spare, 0)


@kernel
def _write_quadratic(samples: Samples, points: np.ndarray, r: int, i: int, spare: np.ndarray) -> None:
    """Write H_i (w - c_i) to the first spare row, column by column of the symmetric H_i."""
    spare[0, :] = 0.0
    for k in range(samples.dim):
        add(spare, 0, points[r, k] - samples.centers[i, k], samples.matrix, i * samples.dim + k)


@kernel
def _reach(rho: np.ndarray, whole: np.ndarray, out: np.ndarray) -> None:
    """Write rho / |g| of each run's gradient, 0 where it vanishes."""
    for r in range(rho.size):
        square = dot(whole, r, whole, r)
        out[r] = rho[r] / np.sqrt(square) if square != 0.0 else 0.0


@kernel
def _reweigh(normal: np.ndarray, strength: float, factors: np.ndarray) -> None:
    """Multiply factors by 1 + strength (ξ_i - mean ξ)."""
    size, runs = factors.shape
    for r in range(runs):
        mean = 0.0
        for t in range(size):
            mean += normal[t, r]
        mean /= size
        for t in range(size):
            factors[t, r] *= 1.0 + strength * (normal[t, r] - mean)


@kernel
def _add_noise(samples: Samples, plan: Plan, normal: np.ndarray, points: np.ndarray, scratch: Scratch) -> None:
    """Add isotropic or diagonal noise to the whole gradients."""
    n, dim, spare = plan.size, samples.dim, scratch.spare
    for r in range(len(points)):
        spare[1, :] = 0.0
        for i in range(n):
            if samples.regression:
                for k in range(dim):
                    spare[0, k] = n * scratch.factors[i, r] * samples.matrix[i, k]
            else:
                _write_quadratic(samples, points, r, i, spare)
                for k in range(dim):
                    spare[0, k] *= samples.scale
            for k in range(dim):
                away = spare[0, k] - scratch.whole[r, k]
                spare[1, k] += away * away
        if plan.noise == ISOTROPIC:
            total = 0.0
            for k in range(dim):
                total += spare[1, k]
            spare[1, :dim] = total / dim
        for k in range(dim):
            scratch.whole[r, k] += np.sqrt(plan.spread * spare[1, k] / n) * normal[k, r]
