"""Runs of the uv model of many steps: waiting time, height of the peak, and the loss on the way from start to end.

States are those of `maps.uv`, P and Q with Y = η√κ y. Losses are free of units: e²/2 = η²κL.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..._check import positive_int, real_array
from ...formulas import toy
from ...maps import uv
from .._elementwise import inside


def waiting_time(k: ArrayLike, s: ArrayLike) -> np.ndarray:
    """Return the steps t* ≈ ln(1/(k√s))/ln(k - 1) until a catapult of a wide model with y = 0 (derived).

    Until then the kernel is nearly frozen and the output grows by k - 1 a step. Leading order for small s.

    Args:
        k: ηλ₀ > 2.
        s: κf₀²/λ₀², 0 < s <= ¼.

    Returns:
        Shape of the broadcast arguments, at least 0; NaN outside the domain.
    """
    return inside(
        lambda k, s: np.maximum(0.0, toy.uv_waiting_time(k=k, s=s)),
        lambda k, s: (k > 2) & (s > 0) & (s <= 0.25),
        k=k,
        s=s,
    )


def peak_bound(eta: ArrayLike, kappa: ArrayLike) -> np.ndarray:
    """Return the bound 2/(κη²) that the loss stays below while ηλ < 4, for y = 0 (derived: 2√κ|f| <= λ < 4/η).

    NaN unless η > 0 and κ > 0.
    """
    return inside(
        lambda eta, kappa: 2 / (np.sqrt(kappa) * eta) ** 2,
        lambda eta, kappa: (eta > 0) & (kappa > 0),
        eta=eta,
        kappa=kappa,
    )


def segment_products(P: ArrayLike, Q: ArrayLike, Y: ArrayLike, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the signed products A = Π(1 - e) and B = Π(1 + e) over a run of `maps.uv`, of the broadcast shape.

    They say where parameters go: Ux + ‖x‖v is A times, Ux - ‖x‖v is B times that of the start.

    Args:
        P: η(λ + 2√κ f) at the start.
        Q: η(λ - 2√κ f) at the start.
        Y: η√κ y.
        steps: Steps of the run.
    """
    steps = positive_int("steps", steps, minimum=0)
    p, q, target = np.broadcast_arrays(
        *(real_array(n, v, dtype=np.float64) for n, v in zip("PQY", (P, Q, Y), strict=True))
    )
    state = np.stack([p, q], -1)
    A, B = np.ones(p.shape), np.ones(p.shape)
    for _ in range(steps):
        with np.errstate(all="ignore"):
            e = _residual(state[..., 0], state[..., 1], target)
            A, B = A * (1 - e), B * (1 + e)
        state = uv.step(state, Y=target)
    return A, B


def segment_loss(
    tau: ArrayLike, P: ArrayLike, Q: ArrayLike, A: ArrayLike, B: ArrayLike, Y: ArrayLike = 0.0
) -> np.ndarray:
    """Return e²/2 at (1 - τ)θ₀ + τθ_T on the segment between two points of a run, shape of the broadcast arguments.

    Args:
        tau: Place on the segment, 0 at the start and 1 at the end.
        P: As in `segment_products`.
        Q: As there.
        A: Signed product from `segment_products`.
        B: The other one.
        Y: η√κ y.
    """
    return inside(_segment_loss, lambda tau, **_: np.isfinite(tau), tau=tau, P=P, Q=Q, A=A, B=B, Y=Y)


def segment_peak(P: ArrayLike, Q: ArrayLike, A: ArrayLike, B: ArrayLike, Y: ArrayLike = 0.0) -> np.ndarray:
    """Return the largest e²/2 on the segment between two points of a run, ends included, exactly.

    The output is quadratic along the segment, so its extremes are at the ends and at one point between (arguments as in
    `segment_loss`).
    """

    def largest(P: np.ndarray, Q: np.ndarray, A: np.ndarray, B: np.ndarray, Y: np.ndarray) -> np.ndarray:
        a, b = 1 - A, 1 - B
        turn = (P * a - Q * b) / (P * a**2 - Q * b**2)
        between = np.where((turn > 0) & (turn < 1), turn, 0.0)
        return np.maximum.reduce(
            [_segment_loss(tau, P, Q, A, B, Y) for tau in (np.zeros_like(P), between, np.ones_like(P))]
        )

    return inside(largest, lambda P, Q, A, B, Y: ~np.isnan(P + Q), P=P, Q=Q, A=A, B=B, Y=Y)


def raises_barrier(P: ArrayLike, Q: ArrayLike, A: ArrayLike, B: ArrayLike, Y: ArrayLike = 0.0) -> np.ndarray:
    """Return whether the loss somewhere on the segment between two points of a run exceeds that at its start.

    With one step the segment is the ray of step sizes, so that the smallest such c is c_loss. The set of c with a
    barrier has gaps. True where the run diverged, A or B being not finite; False of a start that is not finite
    (arguments as in `segment_loss`).
    """

    def raised(P: np.ndarray, Q: np.ndarray, A: np.ndarray, B: np.ndarray, Y: np.ndarray) -> np.ndarray:
        first = _segment_loss(np.zeros_like(P), P, Q, A, B, Y)
        rising = _residual(P, Q, Y) * (Q * (1 - B) - P * (1 - A)) > 0  # at the start: decides where the rise is tiny
        diverged = ~np.isfinite(A) | ~np.isfinite(B)
        return rising | diverged | (segment_peak(P, Q, A, B, Y) > first)

    return inside(raised, lambda P, Q, A, B, Y: np.isfinite(P + Q + Y), P=P, Q=Q, A=A, B=B, Y=Y) == 1


def _residual(P: np.ndarray, Q: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return e = η√κ Δ."""
    return (P - Q) / 4 - Y


def _segment_loss(
    tau: np.ndarray, P: np.ndarray, Q: np.ndarray, A: np.ndarray, B: np.ndarray, Y: np.ndarray
) -> np.ndarray:
    return 0.5 * (toy.uv_segment_output(p=P, q=Q, kappa=1.0, A=A, B=B, tau=tau) - Y) ** 2
