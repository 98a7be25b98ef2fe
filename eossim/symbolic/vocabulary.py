"""The words a rule is written in.

``w`` is the iterate, ``m`` a buffer; ``grad(x)`` the gradient at ``x``, ``norm(x)`` the Euclidean norm over all
coordinates of one run, ``precond(x)`` the frozen preconditioner applied to ``x`` (P^-1 x), and ``upcoming(w)`` the
value that ``w`` has *after* the step (implicit methods). Hyper-parameters are symbols whose assumptions follow from
their interval.
"""

from __future__ import annotations

import sympy as sp

from ..domain import Interval, standard


class grad(sp.Function):  # noqa: N801 - reads as the operator it is
    """Gradient of the loss at a point."""

    nargs = 1
    is_real = True


class norm(sp.Function):  # noqa: N801
    """Euclidean norm over all coordinates of one run."""

    nargs = 1
    is_nonnegative = True


class precond(sp.Function):  # noqa: N801
    """Frozen preconditioner applied to a vector, P^-1 x."""

    nargs = 1
    is_real = True


class upcoming(sp.Function):  # noqa: N801
    """Value of a state variable after the step."""

    nargs = 1
    is_real = True


def parameter(name: str, interval: Interval | None = None) -> sp.Symbol:
    """Return the symbol of a hyper-parameter, with the assumptions of its interval."""
    interval = interval or standard(name)
    if interval.low > 0 or (interval.low == 0 and interval.open_low):
        return sp.Symbol(name, positive=True)
    if interval.low == 0:
        return sp.Symbol(name, nonnegative=True)
    return sp.Symbol(name, real=True)


def state(name: str) -> sp.Symbol:
    """Return the symbol of a state variable (a vector; one coordinate of it in every formula)."""
    return sp.Symbol(name, real=True)


w, m = state("w"), state("m")
eta, rho, beta, nu, tau, weight_decay, clip, grad_norm = (
    parameter(name) for name in ("eta", "rho", "beta", "nu", "tau", "weight_decay", "clip", "grad_norm")
)
#: Curvature of one eigenmode; positive, since an edge is reached by growing it from zero.
h = sp.Symbol("h", positive=True)
z = sp.Symbol("z")
