"""The edge of mean-square stability and the rate of growth, as eigenvalues on symmetric matrices (derived).

With F(S) = <ΔH_i S ΔH_i>, second moments of SGD or heavy ball grow by a factor μ above that of the mean if and only if
φ_μ∘pF has the spectral radius 1, φ_μ the response of `Dynamics.stiffness`: the operator of the second moment is a sum
of one that propagates and one that adds noise, both of which keep matrices positive semidefinite. φ_μ is positive entry
by entry, so that √φ_μ ∘ pF(√φ_μ ∘ .) is self-adjoint with the same spectrum. At μ = 1, 1/φ is linear in 1/eta, and the
edge is one generalised eigenvalue:

    2/eta* = λ_max(c^-1/2 ∘ D(c^-1/2 ∘ .)),    c_ij = (λ_i+λ_j)/2,
    D(S) = pF(S)/(1-β) + H S H/(1+β) - β/((1-β)²(1+β)) [H, [H, S]],

which for β = 0 is D(S) = E[H_B S H_B] of arXiv:2306.07850. The stable steps are those of the interval (0, eta*).
"""

from __future__ import annotations

import numpy as np

from .dynamics import Dynamics
from .packing import Packing, written_out
from .samples import Samples

#: Samples whose Hessians differ by less, in mean square relative to H, are the same.
_SAME = 1e-14


def critical_step(samples: Samples, p: float, beta: float) -> tuple[float, np.ndarray]:
    """Return eta* and the second moment that neither grows nor shrinks there, up to a factor, shape (r, r).

    Args:
        samples: In coordinates of the range of H.
        p: Noise factor of the batch size.
        beta: Momentum.
    """
    lam = samples.lam
    if not len(lam):
        return np.inf, np.empty((0, 0))
    if not p:
        return float(2 * (1 + beta) / lam[0]), np.diag((np.arange(len(lam)) == 0).astype(float))
    scale = 1 / np.sqrt((lam[:, None] + lam) / 2)
    straight = lam[:, None] * lam / (1 + beta) - beta / ((1 - beta) ** 2 * (1 + beta)) * (lam[:, None] - lam) ** 2

    def operator(X: np.ndarray) -> np.ndarray:
        S = scale * X
        return scale * (p / (1 - beta) * samples.excess(S) + straight * S)

    top, X = Packing(len(lam)).largest(operator, np.diag(np.sqrt(lam)))
    return 2 / top, scale * X


def spectral_radius(dynamics: Dynamics) -> float:
    """Return the spectral radius of the operator of the second moments, written out or by its response to noise."""
    r = dynamics.samples.rank
    if not r:
        return 0.0
    if not dynamics.p:
        return dynamics.mean_radius
    whole = Packing(dynamics.parts * r)
    if whole.is_small:
        parts = dynamics.parts

        def step(vector: np.ndarray) -> np.ndarray:
            blocks = whole.unpack(vector).reshape(parts, r, parts, r).transpose(0, 2, 1, 3)
            return whole.pack(dynamics.advance_linear(blocks).transpose(0, 2, 1, 3).reshape(parts * r, parts * r))

        return float(np.abs(np.linalg.eigvals(written_out(step, whole.size))).max())
    return 1 + _growth(dynamics)


def _growth(dynamics: Dynamics) -> float:
    """Return μ - 1 for the μ at which √φ_μ ∘ pF(√φ_μ ∘ .) has the largest eigenvalue 1.

    That eigenvalue h falls with μ, from infinity at the growth of the mean, and 1/h is close to linear there.
    """
    from scipy.optimize import brentq

    samples, p = dynamics.samples, dynamics.p
    packing = Packing(samples.rank)
    low = dynamics.mean_radius - 1
    start = np.eye(samples.rank)
    if np.trace(samples.excess(start)) <= _SAME * np.sum(samples.lam**2):
        return low

    def damping(growth: float) -> float:
        if growth <= low:
            return -1.0
        stiffness = dynamics.stiffness(growth)
        if stiffness.min() <= 0:  # rounding
            return -1.0
        root = 1 / np.sqrt(stiffness)
        top, _ = packing.largest(lambda X: root * (p * samples.excess(root * X)), start)
        return 1 / max(top, 1e-9) - 1

    reach = max(1e-3, -low)
    while damping(low + reach) < 0:
        reach *= 2
    return brentq(damping, low, low + reach, xtol=1e-15, rtol=1e-14)
