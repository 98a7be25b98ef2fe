"""Where one method's risk crosses another's: every crossing, and who leads between them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._check import choice, positive_int
from ..._tables import html_table, text_table
from ...engine.method import Method
from ...problems import Regression
from .curve import one_curve, stable_filters
from .exponentials import ExponentialSum
from .stopping import bias_terms, real_rates
from .truth import Truth, truth_of

#: Relative difference of two risks that counts as none when whole steps are compared.
_SAME = 1e-10


@dataclass(frozen=True)
class Crossings:
    """Where the risks of two methods cross.

    Attributes:
        names: The two methods.
        budget: What k counts: ``"steps"`` or ``"gradients"``.
        real: Every real k > 0 at which the difference of the risks changes sign, increasing; None where k is not real.
        spans: ``(first, last, name)``: the whole steps k >= 1 on which that method has the smaller risk (last is inf
            for the final span), name ``""`` where the two are equal.
        bound: Largest possible number of real crossings: sign changes of the coefficients, sorted by base, less one for
            k = 0 (Descartes' rule for exponentials); None where k is not real.
        searched: Last k that was looked at; inf where all are covered. Where the spans end before it, the two risks
            agree to a relative 1e-10 from there on.
    """

    names: tuple[str, str]
    budget: str
    real: np.ndarray | None
    spans: tuple[tuple[int, float, str], ...]
    bound: int | None
    searched: float

    @property
    def integer(self) -> list[int]:
        """The first whole step of every span but the first: where the lead changes."""
        return [first for first, _, _ in self.spans[1:]]

    @property
    def _rows(self) -> list[tuple[str, str]]:
        return [
            (f"{first} to {'infinity' if np.isinf(last) else int(last)}", name or "equal")
            for first, last, name in self.spans
        ]

    def __repr__(self) -> str:
        lines = [text_table((self.budget, "smaller risk"), self._rows)]
        if self.real is not None:
            at = ", ".join(f"{k:.10g}" for k in self.real) or "none"
            lines.append(f"real crossings: {at} (at most {self.bound})")
        elif np.isfinite(self.searched):
            lines.append(f"{self.budget} up to {int(self.searched)} were looked at")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_table((self.budget, "smaller risk"), self._rows)


def crossings(
    problem: Regression,
    method_a: Method,
    method_b: Method,
    *,
    w_star: Any = None,
    noise_variance: float,
    w0: Any = None,
    metric: Any = "prediction",
    f_star: Any = None,
    budget: str = "steps",
    max_steps: int = 100_000,
) -> Crossings:
    """Return all crossings of the risks of two methods at equal steps (or gradient evaluations), real and whole.

    For methods without memory and multipliers 0 <= q < 1 on every mode, the difference of the risks is a sum of
    exponentials. Its real roots are isolated by bounds on intervals (see `ExponentialSum`): none is missed unless the
    difference is zero within rounding there; three or more are possible (derived).
    Otherwise the whole steps up to `max_steps` are compared.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        method_a: The first method, one run.
        method_b: The second method, one run.
        w_star: True parameters, shape (dim,).
        noise_variance: sigma^2 >= 0.
        w0: Start, shape (dim,); zero by default.
        metric: As for `risk_curve`.
        f_star: True values at the samples, instead of `w_star`.
        budget: What is equal: ``"steps"``, or ``"gradients"``, where k counts gradient evaluations (usam pays two a
            step: by its modes it has less bias than gd at equal gradients iff (eta + rho) h > 1, for eta h (1 + rho
            h) <= 1), and the spans name those k at which both have done whole steps.
        max_steps: Last k of the comparison where k is not real.
    """
    truth = truth_of(problem, w_star=w_star, f_star=f_star, noise_variance=noise_variance, w0=w0, metric=metric)
    last = positive_int("max_steps", max_steps)
    for name, method in (("method_a", method_a), ("method_b", method_b)):
        if isinstance(method, Method) and method.runs != 1:
            raise ValueError(f"{name} must be a single run, got {method.runs} runs")
    filters = [stable_filters(problem, m) for m in (method_a, method_b)]
    names = (repr(method_a), repr(method_b))
    if method_a.rule.name != method_b.rule.name:
        names = (method_a.rule.name, method_b.rule.name)
    per_step = [1, 1]
    if choice("budget", budget, ("steps", "gradients")) == "gradients":
        per_step = [gradients_per_step(m) for m in (method_a, method_b)]
    unit = math.lcm(*per_step)  # what k advances by between two points at which both have done whole steps
    rate_a, rate_b = (real_rates(f, 0) for f in filters)
    if rate_a is None or rate_b is None:
        rounds = np.arange(1, last // unit + 1)
        risks = [one_curve(truth, f, 0, rounds * (unit // cost))[2] for f, cost in zip(filters, per_step, strict=True)]
        apart = np.abs(risks[0] - risks[1]) > _SAME * risks[1]
        spans = _spans(_settled(np.where(apart, np.sign(risks[0] - risks[1]), 0)), names)
        return Crossings(names, budget, None, _scaled(spans, unit), None, last)
    rate_a, rate_b = rate_a * (unit // per_step[0]), rate_b * (unit // per_step[1])
    difference = _difference(truth, rate_a, rate_b)
    roots = difference.roots()
    spans = _spans_between(difference, roots, names)
    bound = _most_crossings(truth, (rate_a, rate_b))
    return Crossings(names, budget, unit * roots, _scaled(spans, unit), bound, np.inf)


def gradients_per_step(method: Method) -> int:
    """Return how many gradients one step evaluates, repeated ones counted once."""
    from ...symbolic.vocabulary import grad, upcoming

    if any(e.has(upcoming) for e in method.rule.update.values()):
        raise ValueError(f"{method.rule.name} is implicit: its step is no number of gradient evaluations")
    return len(set().union(*(e.atoms(grad) for e in method.rule.update.values())))


def _scaled(spans: tuple[Any, ...], unit: int) -> tuple[Any, ...]:
    return tuple((first * unit, last * unit, name) for first, last, name in spans)


def _difference(truth: Truth, rate_a: np.ndarray, rate_b: np.ndarray) -> ExponentialSum:
    """Return R_a - R_b, close exponentials in pairs: c (exp(-r k) - exp(-r' k)) with r < r'."""
    bias, bias_a = bias_terms(truth, rate_a)
    _, bias_b = bias_terms(truth, rate_b)
    coefficients = np.concatenate([bias, truth.noise, -2 * truth.noise])
    a, b = np.concatenate([bias_a, 2 * rate_a, rate_a]), np.concatenate([bias_b, 2 * rate_b, rate_b])
    apart = np.abs(a - b) > 16 * np.finfo(float).eps * np.minimum(a, b)  # else the same, but for rounding
    coefficients, a, b = coefficients[apart], a[apart], b[apart]
    return ExponentialSum(np.where(a < b, coefficients, -coefficients), np.minimum(a, b), np.abs(a - b))


def _most_crossings(truth: Truth, real: tuple[np.ndarray, np.ndarray]) -> int:
    """Return the sign changes of the coefficients of R_a - R_b over its exponentials, less one for the root at k = 0.

    A term with q = 0 is gone after k = 0, and the root there with it.
    """
    terms = []
    for sign, rate in ((1.0, real[0]), (-1.0, real[1])):
        bias, speeds = bias_terms(truth, rate)
        terms.append(
            (sign * np.concatenate([bias, truth.noise, -2 * truth.noise]), np.concatenate([speeds, 2 * rate, rate]))
        )
    coefficients, speeds = (np.concatenate(part) for part in zip(*terms, strict=True))
    lasting = np.isfinite(speeds)
    coefficients, speeds = coefficients[lasting], speeds[lasting]
    distinct, where = np.unique(speeds, return_inverse=True)
    summed = np.bincount(where, coefficients, distinct.size)
    size = np.bincount(where, np.abs(coefficients), distinct.size)
    signs = np.sign(summed[np.abs(summed) > 1e-14 * size])
    return max(0, int(np.count_nonzero(np.diff(signs))) - bool(lasting.all()))


def _spans_between(difference: ExponentialSum, roots: np.ndarray, names: tuple[str, str]) -> tuple[Any, ...]:
    """Return the spans of whole steps; a root at a whole step is a span of its own, of equal risks."""
    spans: list[tuple[int, float, str]] = []
    last_sign = difference.tail()[1] if difference.rates.size else 0.0
    edges = np.concatenate([[0.0], roots, [np.inf]])
    for low, high in itertools.pairwise(edges):
        if low and low == round(low):
            _extend(spans, int(low), int(low), "")
        first = int(np.floor(low)) + 1
        last = np.inf if np.isinf(high) else np.ceil(high) - 1
        if last < first:
            continue
        sign = last_sign if np.isinf(high) else np.sign(difference.slowed()((low + high) / 2))
        _extend(spans, first, last, _leader(sign, names))
    return tuple(spans)


def _settled(signs: np.ndarray) -> np.ndarray:
    """Return signs in which the zeros between two equal signs are that sign: rounding, not a tie."""
    known = np.flatnonzero(signs)
    if known.size == 0:
        return signs
    place = np.searchsorted(known, np.arange(signs.size))
    before = np.where(place > 0, signs[known[np.maximum(place - 1, 0)]], 0)
    after = np.where(place < known.size, signs[known[np.minimum(place, known.size - 1)]], 0)
    return np.where((signs == 0) & (before == after), before, signs)


def _spans(signs: np.ndarray, names: tuple[str, str]) -> tuple[Any, ...]:
    """Return the spans of whole steps 1, 2, ... from the sign of the difference at each."""
    spans: list[tuple[int, float, str]] = []
    if signs.size == 0:
        return ()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(signs)) + 1, [signs.size]])
    for first, stop in itertools.pairwise(starts):
        _extend(spans, int(first) + 1, int(stop), _leader(signs[first], names))
    return tuple(spans)


def _leader(sign: float, names: tuple[str, str]) -> str:
    return "" if sign == 0 else names[0] if sign < 0 else names[1]


def _extend(spans: list[tuple[int, float, str]], first: int, last: float, name: str) -> None:
    """Append a span, joined to the one before it when the leader is the same."""
    if spans and spans[-1][2] == name:
        spans[-1] = (spans[-1][0], last, name)
    else:
        spans.append((first, last, name))
