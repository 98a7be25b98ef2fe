"""What one asks of a method: its edge, and the same condition solved for another quantity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import catalogue
from .._check import finite_array, symmetric
from .._rule import Family, Rule
from ..domain import STANDARD, checked_values
from ..engine.method import check_preconditioner, second_moment_preconditioner
from .table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

Method = str | Rule | Family


def resolve(method: Method, values: Mapping[str, Any]) -> tuple[Rule, dict[str, Any]]:
    """Return the rule that a name, rule or family stands for, with vectors spelled out and aliases translated."""
    found = catalogue.lookup(method) if isinstance(method, str) else method
    if not isinstance(found, Rule | Family):
        raise TypeError(f"method must be a name or a rule, got {method!r}")
    named = dict(values)
    if "dual_norm" in named:  # the Euclidean norm is its own dual
        named["grad_norm"] = named.pop("dual_norm")
    if isinstance(found, Family):
        found, named = found.resolve(named)
    return found, found.spell(named)


def edge(method: Method, **values: Any) -> Any:
    """Return the curvature at which a method first loses stability.

    Args:
        method: Name in the catalogue (see `edges`), or a rule of your own.
        **values: Hyper-parameters, and the frozen quantities that the edge needs (``grad_norm`` for SAM). Arrays
            broadcast.

    Returns:
        A float, or the broadcast array. Units: those of the Hessian of the loss.

    Raises:
        ValueError: for an unknown method or parameter, a missing value, or one outside the domain.

    Example:
        >>> edge("sam", eta=0.1, rho=0.05, grad_norm=1.3)
        13.248809496813374
    """
    family = catalogue.lookup(method) if isinstance(method, str) else method
    if isinstance(family, Family) and family.closed_form is not None and family.structure in values:
        sizes = np.asarray(values[family.structure], dtype=float)
        if np.any(sizes != np.floor(sizes)):
            raise ValueError(f"{family.structure} must be a whole number, got {values[family.structure]!r}")
        return catalogue.entries()[family.name](**values)
    rule, named = resolve(method, values)
    return catalogue.edge_of(rule)(**named)


def edges() -> Table:
    """Return the catalogue of edges; it prints as a table, in a notebook too."""
    return Table(tuple(catalogue.entries().values()))


def spectral_radius(method: Method, h: Any, **values: Any) -> Any:
    """Return the spectral radius of one step on a mode of curvature `h`, shape of the broadcast arguments.

    Args:
        method: Name or rule.
        h: Curvature (of the preconditioned Hessian, for a preconditioned method); any sign.
        **values: Hyper-parameters and frozen quantities.
    """
    from ..symbolic.spectrum import Spectrum
    from ..symbolic.vocabulary import h as curvature

    rule, named = resolve(method, values)
    linear = rule.linearization
    intervals = rule.domain | {str(s): STANDARD["grad_norm"] for s in linear.frozen}
    needs = [n for n in intervals if any(str(s) == n for s in linear.matrix.free_symbols)]
    checked: dict[str, Any] = checked_values(f"the spectral radius of {rule.name}", intervals, needs, (), named)
    checked["h"] = STANDARD["curvature"].check("h", h)
    with np.errstate(over="ignore", invalid="ignore"):  # too large for a float is infinite
        radius = Spectrum(linear.matrix, curvature).radius({n: checked[n] for n in [*needs, "h"]})
    shape = np.broadcast_shapes(*(np.shape(v) for v in checked.values()))
    return np.broadcast_to(radius, shape).copy() if shape else float(radius)


def critical_step_size(
    method: Method, curvature: Any, *, P: Any = None, nu_hat: Any = None, eps: float = 1e-8, **values: Any
) -> Any:
    """Return the smallest step size at which a method loses stability.

    Args:
        method: Name or rule with hyper-parameter ``eta``.
        curvature: A curvature h > 0, a 1-D array of such, or a symmetric Hessian, shape (dim, dim): then its top
            eigenvalue counts (that of P^-1/2 H P^-1/2 with `P` or `nu_hat`), and a negative one gives 0 unless weight
            decay outweighs it. Eigenvalues within rounding of zero count as zero; without a positive one there is no
            bound (inf).
        P: Preconditioner, as diagonal or matrix.
        nu_hat: Second moment, instead of `P`: P = diag(sqrt(nu_hat) + eps).
        eps: Added outside the root.
        **values: The other hyper-parameters and frozen quantities.
    """
    rule, named = resolve(method, values)
    preconditioned = rule.linearization.preconditioned
    if (P is not None or nu_hat is not None) and (np.ndim(curvature) != 2 or not preconditioned):
        raise ValueError("P and nu_hat go with a Hessian and a preconditioned method")
    from ..symbolic.crossing import first_crossing

    critical = first_crossing(rule, "eta")
    if np.ndim(curvature) != 2:
        return critical(h=STANDARD["grad_norm"].check("curvature", curvature), **named)
    shift = float(named.get("weight_decay", 0.0)) if rule.linearization.shift != 0 else 0.0
    spectrum = preconditioned_spectrum(curvature, P=P, nu_hat=nu_hat, eps=eps, shift=shift)
    rounding = 10 * spectrum.size * np.finfo(float).eps * np.abs(spectrum).max()
    steps = [critical(h=spectrum[-1], **named)] if spectrum[-1] > rounding else [np.inf]
    if spectrum[0] < -rounding:
        numerical = np.vectorize(lambda **point: critical.spectrum.first_instability(point)[1], otypes=[float])
        steps.append(numerical(h=spectrum[0], **named))
    least = np.minimum.reduce(np.broadcast_arrays(*steps))
    return least if np.ndim(least) else float(least)


def critical_grad_norm(method: Method, h: Any, **values: Any) -> Any:
    """Return the gradient norm below which a mode of curvature `h` is unstable under a state-dependent method.

    For SAM, G_c = eta rho h^2 / (2 - eta h), on 0 < h < 2/eta (derived): the edge at gradient norm G_c is h.

    Raises:
        ValueError: if the edge does not depend on the gradient norm, or no gradient norm makes `h` stable.
    """
    from ..symbolic.crossing import critical_norm

    rule, named = resolve(method, values)
    critical = critical_norm(rule)(h=h, **named)
    at_critical = catalogue.edge_of(rule)(grad_norm=critical, **named)
    if not np.allclose(at_critical, np.broadcast_to(h, np.shape(at_critical)), rtol=1e-6):
        raise ValueError(f"no gradient norm puts the edge of {rule.name} at h = {h}")
    return critical


def two_cycle_amplitude(method: Method, h: Any, **values: Any) -> Any:
    """Return |w| on the cycle w -> -w -> w of a state-dependent method on one mode of curvature `h`.

    The multiplier is -1 exactly at the critical gradient norm, so the cycle has gradient norm G_c and amplitude G_c / h
    (derived). For SAM: eta rho h / (2 - eta h), on 0 < h < 2/eta.
    """
    return critical_grad_norm(method, h, **values) / np.asarray(h, dtype=float)[()]


def preconditioned_sharpness(hessian: Any, *, P: Any = None, nu_hat: Any = None, eps: float = 1e-8) -> float:
    """Return the largest eigenvalue of P^-1/2 H P^-1/2.

    Args:
        hessian: Symmetric, shape (dim, dim), or its diagonal, shape (dim,).
        P: Positive definite preconditioner, as diagonal or matrix.
        nu_hat: Bias-corrected second moment, instead of `P`: P = diag(sqrt(nu_hat) + eps), as in RMSProp and Adam
            (arXiv:2207.14484).
        eps: Added outside the root.
    """
    return float(preconditioned_spectrum(hessian, P=P, nu_hat=nu_hat, eps=eps)[-1])


def preconditioned_spectrum(hessian: Any, *, P: Any, nu_hat: Any, eps: float, shift: float = 0.0) -> np.ndarray:
    """Return the eigenvalues of P^-1/2 (H + shift I) P^-1/2, ascending; P = I without `P` and `nu_hat`."""
    import scipy.linalg

    matrix = finite_array("hessian", hessian, ndim=(1, 2), dtype=np.float64)
    matrix = np.diag(matrix) if matrix.ndim == 1 else symmetric("hessian", matrix)
    if P is not None and nu_hat is not None:
        raise ValueError("give P or nu_hat, not both")
    if nu_hat is not None:
        metric = second_moment_preconditioner(nu_hat, eps)
    else:
        metric = np.ones(len(matrix)) if P is None else check_preconditioner(P)
    if len(metric) != len(matrix):
        raise ValueError(f"the preconditioner has {len(metric)} coordinates, the Hessian {len(matrix)}")
    metric = np.diag(metric) if metric.ndim == 1 else metric
    return scipy.linalg.eigh(matrix + shift * np.eye(len(matrix)), metric, eigvals_only=True)
