"""How near estimators of the generalised sharpness come to the exact value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from ..curvature.exact import exact_sharpness
from ..curvature.frank_wolfe import frank_wolfe
from ..curvature.generalized import generalized_sharpness
from ..curvature.operator import Operator
from ..norms import Linf
from .risk_parts import Numbers
from .style import COLORS, new_figure

DIM = 16
#: Ratios below this are drawn as triangles at it.
_LOWEST = 0.45


def wishart(rng: np.random.Generator) -> np.ndarray:
    """Return W Wᵀ / dim of a square Gaussian W."""
    W = rng.standard_normal((DIM, DIM))
    return W @ W.T / DIM


def rank_three(rng: np.random.Generator) -> np.ndarray:
    """Return A Aᵀ of a Gaussian A with three columns."""
    A = rng.standard_normal((DIM, 3))
    return A @ A.T


def power_law(rng: np.random.Generator) -> np.ndarray:
    """Return a Hessian with curvatures i^-2 in a random basis."""
    Q = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0]
    return (Q * np.arange(1, DIM + 1) ** -2.0) @ Q.T


def indefinite(rng: np.random.Generator) -> np.ndarray:
    """Return a Gaussian orthogonal ensemble."""
    G = rng.standard_normal((DIM, DIM))
    return (G + G.T) / np.sqrt(2 * DIM)


ENSEMBLES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "Wishart": wishart,
    "rank 3": rank_three,
    "power law": power_law,
    "indefinite": indefinite,
}
ESTIMATORS = ("Frank–Wolfe, 1 start", "Frank–Wolfe, 5 starts", "Frank–Wolfe, 20 starts", "ours, 5 starts")


def estimator_quality(matrices: int = 60, *, seed: int = 0) -> tuple[Figure, Numbers]:
    """Draw the ratio of estimates of the ℓ∞ sharpness to its exact value, on random Hessians of dimension 16.

    Args:
        matrices: Hessians per ensemble.
        seed: Seed of Hessians and starts.

    Returns:
        The figure, and the ratios: a column per ensemble and estimator.
    """
    figure, axes = new_figure(1, len(ENSEMBLES), height=2.9, sharey=True)
    numbers: Numbers = {}
    for axis, (title, draw) in zip(axes, ENSEMBLES.items(), strict=True):
        rng = np.random.default_rng(seed)
        ratios = np.array([_ratios(draw(rng), rng) for _ in range(matrices)])
        for place, (name, column) in enumerate(zip(ESTIMATORS, ratios.T, strict=True)):
            numbers[f"{title}: {name}"] = column
            color = COLORS["sam"] if name.startswith("ours") else COLORS["usam"]
            spread = rng.uniform(-0.25, 0.25, matrices)
            seen = column >= _LOWEST
            axis.plot((place + spread)[seen], column[seen], ".", color=color, markersize=3, alpha=0.5)
            axis.plot((place + spread)[~seen], np.full((~seen).sum(), _LOWEST), "v", color=color, markersize=4)
            axis.plot(place, column.mean(), "_", color=COLORS["gd"], markersize=16)
        axis.axhline(1, color=COLORS["edge"], linestyle="--", linewidth=1)
        axis.set_xticks(range(len(ESTIMATORS)), ["FW 1", "FW 5", "FW 20", "ours"], fontsize=7.5)
        axis.set(title=title, ylim=(_LOWEST - 0.02, 1.03))
        axis.title.set_fontsize(9)
    axes[0].set_ylabel("estimate / exact S")
    return figure, numbers


def _ratios(H: np.ndarray, rng: np.random.Generator) -> list[float]:
    operator, norm = Operator.of_matrix(H), Linf()
    found = exact_sharpness(norm, operator, demanded=True)
    assert found is not None  # dimension 16 is within reach
    values = [float(frank_wolfe(operator, norm, start, 50)[0]) for start in rng.standard_normal((20, DIM))]
    best = generalized_sharpness(H, norm, method="estimate", bound=False, seed=int(rng.integers(2**31))).value
    return [max(values[:count]) / found.value for count in (1, 5, 20)] + [best / found.value]
