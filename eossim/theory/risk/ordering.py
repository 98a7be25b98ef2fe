"""Does the ordering theorem apply: less bias and more variance for the method that contracts more?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._tables import html_table, text_table
from ...engine.method import Method
from ...problems import Regression
from .curve import stable_filters
from .filters import rates
from .truth import truth_of


@dataclass(frozen=True)
class Condition:
    """One condition of the theorem: what it asks, whether it holds, and the numbers."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Ordering:
    """What is proved about two methods on one problem, for every step k >= 1.

    Attributes:
        conditions: The conditions of the theorem, in order.
        bias: Whether bias2(b) <= bias2(a) is proved for every k (this alone needs only |q_b| <= |q_a|).
        variance: Whether variance(b) >= variance(a) is proved for every k.
        train_loss: Whether the expected training loss of b is proved to be at most that of a.
    """

    conditions: tuple[Condition, ...]
    bias: bool
    variance: bool
    train_loss: bool

    @property
    def applies(self) -> bool:
        """Whether the whole theorem applies."""
        return all(c.holds for c in self.conditions)

    @property
    def failing(self) -> tuple[Condition, ...]:
        """The conditions that do not hold."""
        return tuple(c for c in self.conditions if not c.holds)

    @property
    def _rows(self) -> list[tuple[str, str, str]]:
        return [(c.name, "yes" if c.holds else "NO", c.detail) for c in self.conditions]

    def __bool__(self) -> bool:
        return self.applies

    def __repr__(self) -> str:
        proved = [n for n, held in (("bias2 lower", self.bias), ("variance higher", self.variance),
                                    ("train loss lower", self.train_loss)) if held]  # fmt: skip
        verdict = "the theorem applies" if self.applies else "the theorem does not apply"
        return (
            f"{text_table(('condition', 'holds', 'numbers'), self._rows)}\n{verdict}; proved for the second method at "
            f"every step: {', '.join(proved) or 'nothing'}"
        )

    def _repr_html_(self) -> str:
        return html_table(("condition", "holds", "numbers"), self._rows)


def ordering(problem: Regression, method_a: Method, method_b: Method, *, metric: Any = "prediction") -> Ordering:
    """Say whether method b has less bias and more variance than method a at every step, and if not, why not.

    Theorem (derived; the exact counterpart of the claim of arXiv:2302.11836 for least squares): let both methods have
    no memory, multipliers q_a and q_b. If 0 <= q_b <= q_a on every mode, then for every k >= 1, every truth and every
    noise level, bias2(b) <= bias2(a), variance(b) >= variance(a) and train loss(b) <= train loss(a), in the
    prediction and the parameter metric. With a = gd and b = usam of the same eta the condition is eta h (1 + rho h)
    <= 1 at the top curvature. For a general covariance the order of the variances holds, that of the bias can fail.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        method_a: The one that contracts less (gd), one run.
        method_b: The one that contracts more (usam), one run.
        metric: As for `risk_curve`.

    Returns:
        An `Ordering`; it prints as a table and is true when the theorem applies.
    """
    filters = []
    for name, method in (("method_a", method_a), ("method_b", method_b)):
        if isinstance(method, Method) and method.runs != 1:
            raise ValueError(f"{name} must be a single run, got {method.runs} runs")
        filters.append(stable_filters(problem, method))
    form = truth_of(problem, w_star=np.zeros(problem.dim), noise_variance=0.0, metric=metric).metric
    diagonal = form.matrix is None and not _reaches_null_space(problem, metric)
    down = [f.steps_down for f in filters]
    memoryless = Condition(
        "neither method has memory",
        all(d is not None for d in down),
        ", ".join(
            f"{m.rule.name}: {f.iterates.size} state(s)" for m, f in zip((method_a, method_b), filters, strict=True)
        ),
    )
    in_metric = Condition(
        "the metric is diagonal in the modes",
        diagonal,
        "yes: prediction, parameter, or a covariance that commutes" if diagonal else "a covariance that mixes modes",
    )
    if down[0] is None or down[1] is None:
        return Ordering((memoryless, in_metric), bias=False, variance=False, train_loss=False)
    u_a, u_b, curvature = down[0][0], down[1][0], problem.modes.curvature
    slack = 4 * np.finfo(float).eps
    no_overshoot = _worst("eta h (1 + rho h) <= 1: no mode overshoots", u_b - 1, slack, curvature, u_b, "1 - q of b")
    contracts = _worst("b contracts every mode at least as much as a", u_a - u_b, slack * u_a, curvature, u_b - u_a,
                       "q_a - q_b")  # fmt: skip
    full = no_overshoot.holds and contracts.holds
    shorter = bool(np.all(rates(u_b)[0] >= rates(u_a)[0] * (1 - slack)))
    return Ordering(
        (memoryless, no_overshoot, contracts, in_metric),
        bias=diagonal and shorter,
        variance=full,
        train_loss=shorter,
    )


def _reaches_null_space(problem: Regression, metric: Any) -> bool:
    """Whether a covariance couples the modes with directions that no step moves: their error then has a sign."""
    if isinstance(metric, str):
        return False
    V, covariance = problem.modes.coordinates, np.asarray(metric, dtype=float)
    across = V.T @ covariance
    return bool(np.abs(across - across @ V @ V.T).max(initial=0.0) > 1e-14 * np.abs(covariance).max())


def _worst(
    name: str, excess: np.ndarray, slack: Any, curvature: np.ndarray, shown: np.ndarray, label: str
) -> Condition:
    """Return the condition that `excess` is nowhere positive, with the numbers of its worst mode."""
    if excess.size == 0:
        return Condition(name, True, "no modes")
    worst = int(np.argmax(excess - slack))
    return Condition(
        name,
        bool(np.all(excess <= slack)),
        f"worst mode {worst}, curvature {curvature[worst]:.4g}: {label} = {shown[worst]:.4g}",
    )
