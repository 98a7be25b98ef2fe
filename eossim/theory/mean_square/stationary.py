"""The stationary law of SGD and heavy ball on a quadratic sum: covariance, and what gauges read there (derived).

The covariance of the position solves (1/φ)∘S - p <ΔH_i S ΔH_i> = p <g_i g_iᵀ>, see `stability`; for SGD this is
vec(S) = eta p (2C - eta D)⁺ vec<g_i g_iᵀ> of arXiv:2306.07850.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .dynamics import Dynamics
from .packing import Packing

#: Relative residual of the covariance by conjugate gradients.
_RESIDUAL = 1e-13


@dataclass(frozen=True, eq=False)
class StationaryLaw:
    """Second-order expectations over stationary iterates w and fresh batches B; ratios are NaN where nothing moves.

    Args:
        eta: Step size.
        excess_loss: E L(w) - L*, = ½ tr(H S).
        grad_sq: E‖g‖² of full-batch gradients, = tr(H² S).
        batch_grad_sq: E‖g_B‖².
        gradient_noise_interaction: E[g_Bᵀ H g_B]/E‖g‖², as computed from S; exactly 2/eta for SGD at every stable eta.
        interaction_aware_sharpness: E[g_Bᵀ H g_B]/E‖g_B‖².
        batch_sharpness_ratio_of_means: E[g_Bᵀ H_B g_B]/E‖g_B‖²; not the mean of the ratios.
        note: What a reader should know, else empty.
    """

    eta: float
    excess_loss: float
    grad_sq: float
    batch_grad_sq: float
    gradient_noise_interaction: float
    interaction_aware_sharpness: float
    batch_sharpness_ratio_of_means: float
    note: str
    _modes: np.ndarray = field(repr=False)
    _basis: np.ndarray = field(repr=False)

    @property
    def covariance(self) -> np.ndarray:
        """Covariance S of the iterate about the minimizer, shape (dim, dim); zero outside the range of H."""
        return self._basis @ self._modes @ self._basis.T


def stationary_law(dynamics: Dynamics, kappa3: float) -> StationaryLaw:
    """Return the stationary law of a stable step size.

    Args:
        dynamics: Of a stable step size.
        kappa3: Third-moment factor of the batch size.
    """
    samples, p, lam = dynamics.samples, dynamics.p, dynamics.samples.lam
    S = _covariance(dynamics)
    second = lam[:, None] * S * lam + p * (samples.excess(S) + samples.noise)  # E[g_B g_Bᵀ]
    grad_sq, batch_grad_sq = float(lam**2 @ np.diag(S)), float(np.trace(second))
    interaction = float(lam @ np.diag(second))
    note = ""
    if samples.interpolating:
        note = "all samples agree on the minimizer: SGD stops there"
    elif not p:
        note = "the full batch has no noise: the iterate stops at the minimizer"
    return StationaryLaw(
        eta=dynamics.eta,
        excess_loss=float(lam @ np.diag(S)) / 2,
        grad_sq=grad_sq,
        batch_grad_sq=batch_grad_sq,
        gradient_noise_interaction=ratio(interaction, grad_sq),
        interaction_aware_sharpness=ratio(interaction, batch_grad_sq),
        batch_sharpness_ratio_of_means=ratio(_along_batches(dynamics, S, kappa3), batch_grad_sq),
        note=note,
        _modes=S,
        _basis=samples.basis,
    )


def ratio(numerator: float, denominator: float) -> float:
    """Return the quotient, NaN for a zero denominator."""
    return numerator / denominator if denominator else np.nan


def _covariance(dynamics: Dynamics) -> np.ndarray:
    """Solve for S in coordinates of modes, directly or by conjugate gradients with the preconditioner φ."""
    samples, p = dynamics.samples, dynamics.p
    if samples.interpolating or not p:
        return np.zeros((samples.rank, samples.rank))
    packing, stiffness = Packing(samples.rank), dynamics.stiffness()
    root = 1 / np.sqrt(stiffness)  # in X = S/√φ the operator is the identity minus one with a spectrum below 1

    def operator(X: np.ndarray) -> np.ndarray:
        return X - root * (p * samples.excess(root * X))

    right = packing.pack(p * root * samples.noise)
    if packing.is_small:
        solution = np.linalg.solve(packing.matrix(operator), right)
    else:
        from scipy.sparse.linalg import cg

        solution, failed = cg(packing.linear(operator), right, rtol=_RESIDUAL, maxiter=10 * packing.size)
        if failed:
            raise ArithmeticError(f"no stationary covariance to {_RESIDUAL:g} at eta = {dynamics.eta:g}")
    return root * packing.unpack(solution)


def _along_batches(dynamics: Dynamics, S: np.ndarray, kappa3: float) -> float:
    """Return E[g_Bᵀ H_B g_B] = tr(E[H_B³] S) + E[ḡ_Bᵀ H_B ḡ_B], ḡ_B the gradient of the batch at the minimizer."""
    samples, p, H = dynamics.samples, dynamics.p, np.diag(dynamics.samples.lam)
    square, between = samples.square, samples.sandwich(H)
    around = square @ H + between + H @ square
    cube = H**3 + p * (around - 3 * H**3) + kappa3 * (samples.cube() - around + 2 * H**3)
    pulled = float(samples.lam @ np.diag(samples.noise))
    return float(np.sum(cube * S)) + p * pulled + kappa3 * (samples.skewness() - pulled)
