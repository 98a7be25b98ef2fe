"""Generalised sharpness: the largest curvature of unit directions in a norm, with what the number is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import catalogue
from .._check import choice, finite_array, positive_int
from ..norms import Norm, as_norm
from .bounds import upper_bound
from .estimate import estimate
from .exact import exact_sharpness
from .operator import Operator

METHODS = ("auto", "exact", "estimate", "frank_wolfe")

#: Relative distance of a value to its upper bound that is taken for rounding.
_ROUNDING = 1e-10


@dataclass(frozen=True)
class GeneralizedSharpness:
    """S = max {dᵀHd : ‖d‖ = 1}, exact or from below; ``float(s)`` is its value.

    Attributes:
        value: Largest dᵀHd/‖d‖² that was attained: a certified lower bound of S, and S itself up to rounding if
            `exact`. NaN if the Hessian is not finite.
        witness: d with ‖d‖ = 1 that attains it, shape (dim,).
        gap: The stationarity gap ‖H d‖* - value at the witness, at least 0. A maximiser has 0, unless S < 0.
        upper_bound: A certified upper bound of S; the value if `exact`, infinite if there is none.
        bound_name: Its name; "exact" or "none".
        exact: Whether the value is S.
        how: The method in words.
        frank_wolfe: The number of the published estimator, largest over its starts; NaN if it was not run.
        spread: (max - min)/|max| of the values that the Gaussian starts (without any: the given ones) came to, those
            given up early included; NaN for an exact method.
        products: Hessian-vector products that were made.
    """

    value: float
    witness: np.ndarray
    gap: float
    upper_bound: float
    bound_name: str
    exact: bool
    how: str
    frank_wolfe: float = float("nan")
    spread: float = float("nan")
    products: int = 0

    def __float__(self) -> float:
        return self.value

    @property
    def edge(self) -> float:
        """The step size eta = 2/S at which steepest descent is at its edge; infinite if the value is not positive.

        It is the edge S = 2/eta of the catalogue, which is its own inverse.
        """
        if not self.value > 0:
            return float("nan") if np.isnan(self.value) else float("inf")
        return float(catalogue.entries()["gd"].numpy(eta=self.value))

    def __repr__(self) -> str:
        if np.isnan(self.value):
            return f"GeneralizedSharpness(nan; {self.how})"
        words = [f"{self.value:.8g}, exact" if self.exact else f"at least {self.value:.8g}"]
        if not self.exact:
            known = np.isfinite(self.upper_bound)
            words.append(f"at most {self.upper_bound:.8g} ({self.bound_name})" if known else "no upper bound known")
        words.append(self.how)
        if not self.exact:
            words.append(f"stationarity gap {self.gap:.2g}")
            if np.isfinite(self.spread):
                words[-1] += f", spread {100 * self.spread:.2g} %"
        if np.isfinite(self.frank_wolfe):
            words.append(f"Frank-Wolfe {self.frank_wolfe:.8g}")
        words.append(f"{self.products} product{'s' * (self.products != 1)}")
        return f"GeneralizedSharpness({'; '.join(words)})"


def generalized_sharpness(
    source: Any,
    norm: Norm | str,
    w: ArrayLike | None = None,
    *,
    method: str = "auto",
    restarts: int = 5,
    iterations: int = 50,
    starts: ArrayLike | None = None,
    seed: int = 0,
    bound: bool = True,
    dim: int | None = None,
    semidefinite: bool | None = None,
) -> GeneralizedSharpness:
    """Return the generalised sharpness S = max {dᵀHd : ‖d‖ = 1} of a Hessian H in a norm.

    Steepest descent in the norm is at its edge at S = 2/eta, the normalised method at S/‖g‖* = 2/eta. S is the maximum
    over the sphere, so it is negative for H < 0, where the maximum over the ball is 0. For most norms it is NP-hard:
    the value is then the best of a search, to be trusted from below only, and `upper_bound` bounds it from above.

    * ``"auto"``: exact where an exact method fits (see `exact_sharpness`), else the search.
    * ``"exact"``: exact, or an error that says what to do instead.
    * ``"estimate"``: the search. With a matrix, or a function of at most 256 coordinates whose entries are computed, it
      runs the published Frank–Wolfe from Gaussian starts, an ascent from there and from many more starts, and a local
      search or kicks. Without one it is the ascent alone: at most 11 products a start and 111 besides, 166 by default.
    * ``"frank_wolfe"``: the search, which starts with the published Frank–Wolfe in any case: restarts (iterations + 1)
      products more, 255 by default.

    Args:
        source: The Hessian: a symmetric matrix or a diagonal; a problem; an `Operator`; a scipy ``LinearOperator``; or
            a function v -> H v of one vector, with `dim`.
        norm: The norm, or a name that `eossim.norms.from_name` understands without more: ``"linf"``.
        w: Point, shape (dim,), for a problem that is not quadratic.
        method: One of the four above.
        restarts: Gaussian starts of Frank–Wolfe and of the ascent; 0 to use `starts` alone.
        iterations: Steps of Frank–Wolfe.
        starts: Further starts of the ascent, shape (dim,) or (count, dim): the witness of the last call, LMO(g), the
            last update. One near the maximiser saves most of the products.
        seed: Seed of all random numbers.
        bound: Whether to compute an upper bound; it can cost more than the search.
        dim: Number of coordinates, for a function.
        semidefinite: Whether a Hessian without entries is known to be positive semidefinite.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument is out of its domain, the norm is for vectors of another length or answers in wrong
            shapes, a start is zero or not finite, a function is not linear and symmetric, a Hessian that was said to be
            semidefinite is not, or no exact method fits and one is demanded.

    Source: arXiv:2603.05002 (definition, Frank–Wolfe); the search derived.

    Example:
        >>> generalized_sharpness([[2.0, 1.0], [1.0, 2.0]], "linf").value
        6.0
    """
    choice("method", method, METHODS)
    positive_int("restarts", restarts, minimum=0)
    positive_int("iterations", iterations)
    positive_int("seed", seed, minimum=0)
    given = source if isinstance(source, Operator) else Operator.of(source, w, dim=dim, semidefinite=semidefinite)
    before = given.products if given is source else 0
    norm = as_norm(norm, given.dim)
    rows = _starts(norm, given.dim, starts)
    if not restarts and not len(rows):
        raise ValueError("restarts must be at least 1 without starts, got 0")
    scale, operator = _moderate(given.with_entries())
    found = exact_sharpness(norm, operator, demanded=method == "exact") if method in ("auto", "exact") else None
    if found is not None:
        witness, how, numbers = found.witness, found.how, {}
    else:
        search = estimate(
            operator,
            norm,
            rows,
            restarts=restarts,
            iterations=iterations,
            published=method == "frank_wolfe",
            seed=seed,
        )
        witness, how = search.witness, search.how
        numbers = {"frank_wolfe": search.frank_wolfe, "spread": search.spread}
    value, witness, gap = _at(operator, norm, witness)
    top, bound_name = (value, "exact") if found is not None else (np.inf, "none")
    if found is None and bound and np.isfinite(value):
        top, bound_name = upper_bound(norm, operator)
    given.check_semidefinite()
    if top - value < -_ROUNDING * abs(value):  # a contradiction: it proves nothing
        top, bound_name = np.inf, "none"
    exact = found is not None and bool(np.isfinite(value))
    if found is None and np.isfinite(top) and top - value <= _ROUNDING * abs(top):
        exact, top, how = True, value, f"{how}, equal to its upper bound ({bound_name})"
    products = given.products - before
    if "frank_wolfe" in numbers:
        numbers["frank_wolfe"] *= scale
    value, gap, top = scale * value, scale * gap, scale * top
    return GeneralizedSharpness(value, witness, gap, top, bound_name, exact, how, products=products, **numbers)


def _moderate(operator: Operator) -> tuple[float, Operator]:
    """Return a power of two and H divided by it: squares and inverses of entries of any size must be finite."""
    largest = 0.0 if operator.matrix is None else float(np.abs(operator.matrix).max())
    if operator.matrix is None or largest == 0 or 1e-100 < largest < 1e100:
        return 1.0, operator
    scale = 2.0 ** np.floor(np.log2(largest))
    return scale, Operator.of_matrix(operator.matrix / scale)


def _starts(norm: Norm, dim: int, starts: ArrayLike | None) -> np.ndarray:
    """Return starts as rows, shape (count, dim)."""
    if starts is None:
        return np.zeros((0, dim))
    rows = np.atleast_2d(finite_array("starts", starts, ndim=(1, 2), dtype=np.float64))
    if rows.shape[1] != dim:
        raise ValueError(f"starts must have shape ({dim},) or (count, {dim}), got {np.shape(starts)}")
    zero = np.flatnonzero(~rows.any(axis=1))
    if len(zero):
        where = "" if np.ndim(starts) == 1 else f"[{zero[0]}]"
        raise ValueError(f"starts must not be zero, got starts{where} = 0")
    return rows


def _at(operator: Operator, norm: Norm, point: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Return q, the direction with norm 1, and the stationarity gap, from a fresh product."""
    with np.errstate(invalid="ignore", over="ignore"):
        d = point / norm.norm(point)
        image = operator(d)
        value = float(d @ image) / float(norm.norm(d)) ** 2
        return value, d, max(0.0, float(norm.dual(image)) - value) if np.isfinite(value) else np.nan
