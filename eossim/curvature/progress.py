"""What a step does to the loss: directional smoothness from losses, the realised edge, relative progress."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import real_array


def loss_based_smoothness(
    loss: ArrayLike, next_loss: ArrayLike, slope: ArrayLike, length2: ArrayLike, eps: float = 2.0**-52
) -> tuple[Any, Any]:
    """Return the signed directional smoothness [L(w + Δ) - L(w) - <g, Δ>]/(½‖Δ‖²) from losses, and whether to trust it.

    Near convergence the difference of the losses drowns in their rounding. It is then 0, and what is left is
    -<g, Δ>/(½‖Δ‖²), for a gradient step *exactly* 2/eta: an edge of stability that is not there. A value is trusted if
    |<g, Δ>| >= 1000 eps max |L|, which keeps the error below about 1e-3 of that 2/eta. Replace the others by NaN.
    `eossim.curvature.directional_smoothness` has no such limit.

    Args:
        loss: L(w), shape (...).
        next_loss: L(w + Δ).
        slope: <g, Δ> with the gradient g at w; -eta ‖g‖² for a gradient step.
        length2: ‖Δ‖² in the norm of the step.
        eps: Machine epsilon of the precision in which the losses were *evaluated*: 2**-23 for float32.

    Returns:
        (value, trusted), both of the broadcast shape (...).

    Source: arXiv:2603.05002; guard derived.
    """
    before, after, along, square = (
        real_array(name, value, dtype=np.float64)
        for name, value in (("loss", loss), ("next_loss", next_loss), ("slope", slope), ("length2", length2))
    )
    with np.errstate(all="ignore"):
        value = (after - before - along) / (0.5 * square)
        trusted = np.abs(along) >= 1e3 * eps * np.maximum(np.abs(before), np.abs(after))
    return value, trusted & np.isfinite(value)


def realised_edge(smoothness: ArrayLike, slope: ArrayLike, length2: ArrayLike) -> Any:
    """Return ζ = 1 + ΔL/(eta gᵀu) of any step Δ = -eta u, as ½D‖Δ‖²/(-<g, Δ>): the loss falls if and only if ζ < 1.

    It serves where D <= 2/eta does not say so: momentum, mixed optimisers, steps on mini-batches.

    Args:
        smoothness: Signed directional smoothness D of the step, in the norm of `length2`, shape (...).
        slope: <g, Δ>, shape (...); the result is NaN unless it is negative.
        length2: ‖Δ‖², shape (...).
    """
    D, along, square = (
        real_array(name, value, dtype=np.float64)
        for name, value in (("smoothness", smoothness), ("slope", slope), ("length2", length2))
    )
    with np.errstate(all="ignore"):
        return np.where(along < 0, 0.5 * D * square / -along, np.nan)[()]


def relative_progress(smoothness: ArrayLike, slope: ArrayLike, length2: ArrayLike) -> Any:
    """Return ΔL/(eta gᵀu) of a step Δ = -eta u, for a gradient step ΔL/(eta ‖g‖²): `realised_edge` - 1.

    Arguments as in `realised_edge`. Source: arXiv:2204.01050.
    """
    return realised_edge(smoothness, slope, length2) - 1
