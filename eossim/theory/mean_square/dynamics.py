"""One random step on the first two moments, mode by mode: SGD, or heavy ball with its velocity.

The state of mode i is x = (d_i,) for SGD and x = (d_i, v_i) for heavy ball. A step is x' = M x + u ξ_i, where M is the
mean step, ξ = (H_B - H) d + g_B the noise of the gradient and u says where it enters, so that moments go to

    m' = M m,    S' = M S Mᵀ + u uᵀ ⊗ p <(ΔH_i d + g_i)(ΔH_i d + g_i)ᵀ>.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .samples import Samples


class Dynamics:
    """Moments under steps of one size.

    Args:
        samples: In coordinates of eigenvectors of H.
        p: Noise factor of the batch size.
        eta: Step size.
        beta: Momentum; 0 is SGD, whose state has no velocity.
    """

    def __init__(self, samples: Samples, p: float, eta: float, beta: float) -> None:
        self.samples, self.p, self.eta, self.beta = samples, p, eta, beta
        lam = samples.lam
        if beta:
            self.kick = np.array([-eta, 1.0])
            self.mean = np.array([[1 - eta * lam, np.full_like(lam, -eta * beta)], [lam, np.full_like(lam, beta)]])
        else:
            self.kick = np.array([-eta])
            self.mean = (1 - eta * lam)[None, None]

    @property
    def parts(self) -> int:
        """Numbers per mode: 1, or 2 with a velocity."""
        return len(self.kick)

    def start(self, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return m (parts, r) and S (parts, parts, r, r) of a point at rest."""
        m = np.zeros((self.parts, len(deviation)))
        m[0] = deviation
        return m, np.einsum("ai,bj->abij", m, m)

    def advance_mean(self, m: np.ndarray) -> np.ndarray:
        """Return m one step later, shape (parts, r)."""
        return np.einsum("aci,ci->ai", self.mean, m)

    def advance(self, m: np.ndarray, S: np.ndarray, unit: float = 1.0) -> np.ndarray:
        """Return S one step later, shape (parts, parts, r, r); `unit` = 0 leaves out what does not depend on S, m."""
        noise = self.samples.excess(S[0, 0])
        if not self.samples.interpolating:
            noise = noise + self.samples.cross(m[0]) + unit * self.samples.noise
        carried = np.einsum("aci,cdij->adij", self.mean, S)
        carried = np.einsum("bdj,adij->abij", self.mean, carried)
        return carried + np.einsum("a,b,ij->abij", self.kick, self.kick, self.p * noise)

    def advance_linear(self, S: np.ndarray) -> np.ndarray:
        """Return the linear part of `advance`: what becomes of S without mean and gradients at the minimizer."""
        return self.advance(np.zeros((self.parts, self.samples.rank)), S, unit=0.0)

    @cached_property
    def mean_radius(self) -> float:
        """Largest squared modulus of the eigenvalues of the mean step."""
        return float(_mean_radius(self.samples.lam, self.eta, self.beta))

    def stiffness(self, growth: float = 0.0) -> np.ndarray:
        """Return 1/φ, the inverse response of the second moments to noise, shape (r, r).

        With impulse responses h_i(t) of the position of mode i, φ_ij = Σ_t μ^-(t+1) h_i(t) h_j(t), μ = 1 + growth, sums
        what noise of a weight growing like μ^t has left in S_ij. In x_i = eta λ_i it is (derived)

            1/φ_ij = [(μ-β)² (growth (1-β²/μ) + (1+β)(x_i+x_j) - x_i x_j)/μ + β (x_i-x_j)²] / (eta² (μ-β²/μ)),

        and positive where μ is above `mean_radius`. For β = 0 it is (μ - (1-x_i)(1-x_j))/eta².
        """
        mu, beta, x = 1 + growth, self.beta, self.eta * self.samples.lam
        sums, products, gaps = x[:, None] + x, x[:, None] * x, x[:, None] - x
        own = growth * (1 - beta**2 / mu) + (1 + beta) * sums - products
        return ((mu - beta) ** 2 / mu * own + beta * gaps**2) / (self.eta**2 * (mu - beta**2 / mu))


def _mean_radius(lam: np.ndarray, eta: float, beta: float) -> float:
    """Return max |z|² over modes and roots of z² - (1 + beta - eta λ) z + beta."""
    trace = np.abs(1 + beta - eta * lam)
    root = np.sqrt(np.maximum(trace**2 - 4 * beta, 0.0))
    return np.where(trace**2 > 4 * beta, ((trace + root) / 2) ** 2, beta).max(initial=0.0)
