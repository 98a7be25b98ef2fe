"""Weaker conditions for mean-square stability beside the exact one, for one problem, batch size and momentum.

Necessary conditions are Rayleigh quotients of the eigenproblem of `stability` at test matrices S: 2/eta* is at least
<S, D(S)>/<S, C(S)>. Forms from arXiv:2306.07850 and Wu, Ma & E (2018); with momentum derived.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..._tables import NamedEntries, html_table, text_table
from .delocalised import delocalised_step
from .samples import Samples

#: Steps of one ascent to a rank-one bound; whatever it finds is a bound.
_ASCENT = 300
#: Samples that such ascents may start from, and the number of ascents made, from the best starts.
_OUTLIERS, _ASCENTS = 8, 4
COLUMNS = ("name", "kind", "step", "step / exact", "condition")


@dataclass(frozen=True)
class Bound:
    """One condition on the step size.

    Args:
        name: What it is called.
        kind: ``"sufficient"`` (below: stable), ``"exact"``, ``"necessary"`` (above: unstable), ``"approximation"`` or
            ``"gauge"`` (no condition: orders with none of the others in general).
        step: The step at which it changes.
        gap: Ratio of this step to the exact one.
        condition: The formula, or the test matrix S of a necessary condition.
    """

    name: str
    kind: str
    step: float
    gap: float
    condition: str


@dataclass(frozen=True)
class Bounds(NamedEntries[Bound]):
    """Conditions in the order sufficient, exact, necessary, others; iterate over it, index it by name, or print it."""

    entries: tuple[Bound, ...]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table as text, in the order of `COLUMNS`."""
        return [(e.name, e.kind, f"{e.step:.6g}", f"{e.gap:.4f}", e.condition) for e in self.entries]

    def __repr__(self) -> str:
        return text_table(COLUMNS, self.rows)

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, self.rows)


def bounds(
    samples: Samples, p: float, beta: float, exact: float, critical: np.ndarray, batch_sharpness: float | None
) -> Bounds:
    """Return all conditions.

    Args:
        samples: In coordinates of the range of H.
        p: Noise factor of the batch size.
        beta: Momentum.
        exact: The critical step.
        critical: Second moment at the critical step, from which the search for the best rank-one bound starts.
        batch_sharpness: A value of E[g_Bᵀ H_B g_B/‖g_B‖²], or None.
    """
    lam = samples.lam
    steps: list[tuple[str, str, float, str]] = []
    if not len(lam):
        return Bounds((Bound("critical_step", "exact", exact, 1.0, "no curvature"),))
    if not beta:
        steps.append(("wu_ma_e", "sufficient", _sufficient(samples, p), "λ_max(E[(I - eta H_B)²]) ≤ 1"))
    steps += [
        ("critical_step", "exact", exact, "2/λ_max(C⁺D)" if not beta else "2/λ_max(C⁺D), D with beta"),
        ("rank_one", "necessary", _best_rank_one(samples, p, beta, critical), "best S = v vᵀ found"),
        ("top_eigenvector", "necessary", _top_eigenvector(samples, p, beta), "S = v vᵀ, v the top eigenvector of H"),
        ("trace", "necessary", _trace(samples, p, beta), "S = I: 2 tr H/E‖H_B‖_F² for beta = 0"),
        ("mean", "necessary", float(2 * (1 + beta) / lam[0]), "2 (1+beta)/λ_max(H): convergence of the mean"),
    ]
    if not beta:
        steps.append(("delocalised", "approximation", delocalised_step(lam, p), "p Σ eta λ/(2 - eta λ) = 1"))
        steps.append(("non_uniformity", "gauge", _non_uniformity(samples, p), "1/√(p λ_max(<H_i²> - H²))"))
    if batch_sharpness is not None:
        steps.append(("batch_sharpness", "gauge", 2 / batch_sharpness, "2/batch_sharpness: not a condition"))
    return Bounds(tuple(Bound(name, kind, step, step / exact, text) for name, kind, step, text in steps))


def _sufficient(samples: Samples, p: float) -> float:
    """2/λ_max(H⁺ E[H_B²])."""
    lam = samples.lam
    root = 1 / np.sqrt(lam)
    second = (1 - p) * np.diag(lam**2) + p * samples.square
    return float(2 / np.linalg.eigvalsh(root[:, None] * second * root)[-1])


def _top_eigenvector(samples: Samples, p: float, beta: float) -> float:
    top = samples.lam[0]
    variance = np.mean((samples.products(np.eye(samples.rank)[0])[:, 0] - top) ** 2)
    return float(2 / (top / (1 + beta) + p * variance / (top * (1 - beta))))


def _trace(samples: Samples, p: float, beta: float) -> float:
    lam = samples.lam
    spread = np.trace(samples.square) - np.sum(lam**2)  # <‖ΔH_i‖_F²>
    return float(2 * lam.sum() / (np.sum(lam**2) / (1 + beta) + p * spread / (1 - beta)))


def _non_uniformity(samples: Samples, p: float) -> float:
    spread = np.linalg.eigvalsh(samples.square - np.diag(samples.lam**2))[-1]
    return float(1 / np.sqrt(p * spread)) if p * spread > 0 else np.inf


def _best_rank_one(samples: Samples, p: float, beta: float, critical: np.ndarray) -> float:
    """2/max over v of a/(1+beta) + p Var_i(vᵀ H_i v)/(a (1-beta)) - (momentum term), a = vᵀ H v, ‖v‖ = 1.

    The momentum term is <S, [H, [H, S]]> of `stability` at S = v vᵀ, in which |[H, S]|² = 2 (‖H v‖² - a²). Of several
    maxima found by ascents from eigenvectors of H, of the critical second moment and from the samples of most leverage,
    the largest.
    """
    from scipy.optimize import minimize

    lam, n = samples.lam, samples.n
    gain, damp = p / (1 - beta), 2 * beta / ((1 - beta) ** 2 * (1 + beta))

    def negative(v: np.ndarray) -> tuple[float, np.ndarray]:
        products = samples.products(v)
        forms, Hv, size = products @ v, lam * v, v @ v
        a, speed = v @ Hv, Hv @ Hv
        fourth = gain * (forms @ forms) / n + (1 / (1 + beta) - gain + damp) * a * a - damp * speed * size
        slope = 4 * gain * (forms @ products) / n + 4 * (1 / (1 + beta) - gain + damp) * a * Hv
        slope -= 2 * damp * (lam * Hv * size + speed * v)
        value = fourth / (a * size)
        return -value / lam[0], -(slope / (a * size) - value * (2 * Hv / a + 2 * v / size)) / lam[0]

    leading = np.linalg.eigh(critical)[1][:, ::-1][:, :3].T
    starts = [*np.eye(len(lam))[:2], *leading, leading.sum(axis=0), *samples.outliers(_OUTLIERS)]
    starts = [v for v in starts if v @ (lam * v) > 0]
    starts = sorted(starts, key=lambda v: negative(v)[0])[:_ASCENTS]
    options = {"ftol": 1e-15, "maxiter": _ASCENT}
    best = max(-minimize(negative, v, jac=True, method="L-BFGS-B", options=options).fun for v in starts)
    return float(2 / (best * lam[0]))
