"""Exact generalised sharpness: closed forms and exhaustive searches, where they are known."""

from __future__ import annotations

from ...norms.base import Norm
from ..operator import Operator
from .found import Found, Unsolved
from .implicit import implicit
from .reduce import reduce
from .solve import solve
from .spectrum import one_thread

__all__ = ["Found", "exact_sharpness"]


def exact_sharpness(norm: Norm, operator: Operator, *, demanded: bool = False) -> Found | None:
    """Return S = max {dᵀHd : ‖d‖ = 1} and a maximiser, or None where no exact method fits.

    The maximum is over the sphere: it is negative for a negative definite H. What fits:

    * ℓ2 and Mahalanobis norms: any H. ℓ∞: about 2^25 sign vectors, or no frustration. ℓ1: semidefinite H of any size,
      indefinite ones as far as the faces can be searched. ℓp: diagonal H; H >= 0 for p > 2, up to signs of coordinates.
    * Sums of norms (blocks, layers): semidefinite H whose diagonal blocks are solved. Two Euclidean blocks under the
      larger norm: any H. Spectral and nuclear norm: 2 x 2 matrices (spectral: no indefinite H), D -> BDA, diagonal H.
    * Any norm: rank one, parts that H does not couple, and negative definite H that are solved in the dual norm.

    A Hessian without entries is solved by Lanczos iterations in ℓ2 and Mahalanobis norms and, if it is known to be
    positive semidefinite, in sums of them. Of a function of up to 256 coordinates the entries are computed.

    Exact is up to rounding: of eigenvalues, relative to the largest of them in magnitude. Where rounding could decide
    more, as in searches over nearly flat faces, or the Lanczos iterations do not converge, there is no answer.

    Args:
        norm: The norm ‖·‖.
        operator: The Hessian H.
        demanded: Whether to raise instead of returning None.

    Raises:
        ValueError: if the dimensions differ; with `demanded`, if no exact method fits: it says what one would need; if
            a Hessian that was said to be positive semidefinite has a negative curvature.

    Source: arXiv:2603.05002 (definition).
    """
    norm.check_dim(operator.dim)
    operator = operator if operator.matrix is not None else operator.with_entries()
    reduced = reduce(norm, operator.dim)
    try:
        if operator.matrix is not None:
            with one_thread():
                found = solve(reduced.ball, reduced.hessian(operator.matrix))
        else:
            found = implicit(reduced, operator)
            operator.check_semidefinite()
    except Unsolved as why:
        if demanded:
            advice = "method='estimate' gives a lower bound, and upper_bound bounds it from above"
            raise ValueError(f"{why}: {advice}") from None
        return None
    witness = reduced.point(found.witness)
    witness = witness / norm.norm(witness)
    return Found(operator.quadratic_form(witness), witness, found.how)
