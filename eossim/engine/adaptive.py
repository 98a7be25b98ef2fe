"""Step sizes of gradient descent that follow the curvature met so far, as data that `simulate` runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._check import choice, finite_array, in_interval, unknown
from ..curvature.directional import signed_smoothness
from .first_root import first_root

#: ‖∇f(w - eta g) - g‖/‖g‖ that a strongly adapted step asks for, by where the constant stands.
CONSTANTS = {"corrected": 0.5, "code": 1.0, "printed": 2.0**0.5, "text": 2.0}


@dataclass(frozen=True, eq=False)
class AdaptiveDescent:
    """Gradient descent w - eta g whose step size eta is a function of the point (made by `adaptive_descent`).

    Attributes:
        name: Which step size: a key of `STEPS`.
        values: One array per numerical option, each of shape () or (runs,).
        constant: Of ``"strongly_adapted"``, which equation is solved: a key of `CONSTANTS`. Empty for the others.
    """

    name: str
    values: dict[str, np.ndarray]
    constant: str = ""

    @property
    def runs(self) -> int:
        """Number of runs that the values describe."""
        return max((v.size for v in self.values.values()), default=1)

    def step_size(self, problem: Any, w: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return eta, shape (runs,), at the points w with the gradients g, both of shape (runs, dim).

        It is 0 where the gradient is zero, so that a run which has arrived stays, and NaN where it is not finite.

        Raises:
            TypeError: If the step size needs Hessian-vector products and the problem has none.
        """
        if self.name in NEED_HVP and not hasattr(problem, "hvp"):
            raise TypeError(f"the step size {self.name} needs a problem with hvp(w, v), got {problem!r}")
        eta = np.zeros(len(w))
        eta[~np.isfinite(g).all(axis=-1)] = np.nan
        moving = np.isfinite(g).all(axis=-1) & (g != 0).any(axis=-1)
        if moving.any():
            values = {n: np.broadcast_to(v, len(w))[moving] for n, v in self.values.items()}
            if self.constant:
                values["ratio"] = np.full(moving.sum(), CONSTANTS[self.constant])
            with np.errstate(all="ignore"):
                eta[moving] = STEPS[self.name](problem, w[moving], g[moving], **values)
        return eta

    def __repr__(self) -> str:
        shown = [f"constant={self.constant}"] if self.constant else []
        shown += [f"{n}={v:g}" if v.size == 1 else f"{n}={v.min():g}..{v.max():g}" for n, v in self.values.items()]
        return f"{self.name}[{', '.join(shown)}]"


def adaptive_descent(step: str, **options: Any) -> AdaptiveDescent:
    """Return gradient descent with a step size that adapts to the loss, for `simulate`.

    With g = ∇f(w), H = ∇²f(w) and w⁺ = w - eta g, the step size eta is

    * ``"cauchy"``: ‖g‖²/(gᵀHg), exact line search on a quadratic; infinite where gᵀHg is not positive.
    * ``"dai_yang"``: ‖g‖/‖Hg‖. On a quadratic it tends to 2/(λ₁ + λₙ).
    * ``"half_dai_yang"``: ‖g‖/(2‖Hg‖), which is 1/D with the pointwise directional smoothness D of a short step. On a
      quadratic it is the strongly adapted step, and tends to 2/(λ₁ + λₙ) only if λ₁ >= 3 λₙ, else to 1/(2λₙ).
    * ``"strongly_adapted"``: the smallest root of eta = 1/D(w, w⁺), D pointwise, that is ‖∇f(w⁺) - g‖ = ½‖g‖. The
      `constant` ``"code"`` puts ‖g‖ in place of ½‖g‖, ``"printed"`` √2‖g‖ and ``"text"`` 2‖g‖: what the code, the
      printed Newton equation and the existence proof of the source solve, which is not eta = 1/D.
    * ``"strongly_adapted_signed"``: the smallest root of eta = 1/D(w, w⁺), D signed, that is f(w⁺) = f(w) - ½eta‖g‖².
    * ``"polyak"``: gamma (f(w) - f_star)/‖g‖², 0 where f is below f_star.
    * ``"normalized"``: eta/‖g‖, steps of the length eta.

    Roots are looked for on a geometric grid of ratio 2, then refined; two of them within one of its cells are missed.
    Where there is none, as for bounded gradients, the step is the upper end of the grid, 2⁴⁰ times its lower end.

    Args:
        step: One of the names above.
        options: ``constant`` of "strongly_adapted" ("corrected" by default), ``gamma`` (1 by default) and ``f_star`` (0
            by default) of "polyak", ``eta`` of "normalized"; numbers, or arrays with one entry per run.

    Raises:
        TypeError: For a value of a wrong type.
        ValueError: For an unknown step or option, a missing eta, or a value that is not allowed.

    Source: arXiv:2403.04081, with the constants corrected.

    Example:
        >>> adaptive_descent("polyak", gamma=1.5)
        polyak[gamma=1.5, f_star=0]
    """
    if not isinstance(step, str):
        raise TypeError(f"step must be one of {', '.join(map(repr, STEPS))}; got {step!r}")
    if step not in STEPS:
        raise unknown("adaptive step size", step, STEPS)
    defaults = _OPTIONS.get(step, {})
    for name in options:
        if name not in defaults:
            raise unknown(f"option of the step size {step}", name, defaults)
    given = {name: options.get(name, default) for name, default in defaults.items()}
    constant = choice(
        "constant", given.pop("constant", ""), ("", *CONSTANTS) if "constant" not in defaults else CONSTANTS
    )
    if given.get("eta", 0) is None:
        raise ValueError("normalized needs eta, the length of its steps")
    values = {name: _checked(name, value) for name, value in given.items()}
    lengths = {n: v.size for n, v in values.items() if v.size != 1}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"options of {step} describe different numbers of runs: {lengths}")
    return AdaptiveDescent(step, values, constant)


_OPTIONS: dict[str, dict[str, Any]] = {
    "strongly_adapted": {"constant": "corrected"},
    "polyak": {"gamma": 1.0, "f_star": 0.0},
    "normalized": {"eta": None},
}


def _checked(name: str, value: Any) -> np.ndarray:
    array = finite_array(name, value, ndim=(0, 1), dtype=np.float64)
    return array if name == "f_star" else in_interval(name, array, 0, np.inf, open_low=True)


def _length(v: np.ndarray) -> np.ndarray:
    """‖v‖₂ of rows, also where squares underflow: a run that converges gets there."""
    largest = np.abs(v).max(axis=-1)
    return largest * np.linalg.norm(v / largest[..., None], axis=-1)


def _unit_step(g: np.ndarray) -> np.ndarray:
    """Step sizes of steps of length 1, as far as they are finite."""
    return np.minimum(1 / _length(g), 1e300)


def _cauchy(problem: Any, w: np.ndarray, g: np.ndarray) -> np.ndarray:
    u = g / _length(g)[:, None]
    along = (u * problem.hvp(w, u)).sum(axis=-1)
    return np.where(along <= 0, np.inf, 1 / along)


def _dai_yang(problem: Any, w: np.ndarray, g: np.ndarray) -> np.ndarray:
    return 1 / np.linalg.norm(problem.hvp(w, g / _length(g)[:, None]), axis=-1)


def _half_dai_yang(problem: Any, w: np.ndarray, g: np.ndarray) -> np.ndarray:
    return 0.5 * _dai_yang(problem, w, g)


def _strongly_adapted(problem: Any, w: np.ndarray, g: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    size = _length(g)[:, None]

    def change(eta: np.ndarray) -> np.ndarray:
        return np.linalg.norm((problem.grad(w - eta[:, None] * g) - g) / size, axis=-1)

    return first_root(change, ratio, _unit_step(g))


def _strongly_adapted_signed(problem: Any, w: np.ndarray, g: np.ndarray) -> np.ndarray:
    def product(eta: np.ndarray) -> np.ndarray:
        # by quadrature: the equality of losses drowns in their rounding near convergence
        return eta * signed_smoothness(problem, w, -eta[:, None] * g)

    return first_root(product, np.ones(len(w)), _unit_step(g))


def _polyak(problem: Any, w: np.ndarray, g: np.ndarray, gamma: np.ndarray, f_star: np.ndarray) -> np.ndarray:
    size = _length(g)
    return gamma * np.maximum(problem.loss(w) - f_star, 0) / size / size


def _normalized(problem: Any, w: np.ndarray, g: np.ndarray, eta: np.ndarray) -> np.ndarray:
    return eta / _length(g)


#: Step sizes by name: functions of the problem, points and gradients, shape (runs, dim), and the options of each run.
STEPS: dict[str, Callable[..., np.ndarray]] = {
    "cauchy": _cauchy,
    "dai_yang": _dai_yang,
    "half_dai_yang": _half_dai_yang,
    "strongly_adapted": _strongly_adapted,
    "strongly_adapted_signed": _strongly_adapted_signed,
    "polyak": _polyak,
    "normalized": _normalized,
}
#: Those that need Hessian-vector products.
NEED_HVP = ("cauchy", "dai_yang", "half_dai_yang")
