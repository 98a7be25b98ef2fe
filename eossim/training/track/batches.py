"""Curvature of mini-batches along their own gradients, from random batches of the size that the method uses."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ...curvature.operator import Operator
from ...curvature.top_eigenvalue import top_eigenvalues
from ...measure.batches import all_batches, number_of_batches
from ...measure.estimate import mean_of_ratios, ratio_of_means
from ...measure.factors import checked_batch_size, population_factors
from ...measure.point import Forms, at
from .base import Tracker
from .point import Point, Points, products

#: Random batches behind a number, and behind a mean of largest eigenvalues; single samples behind an interaction.
_BATCHES, _EIGENVALUES, _SAMPLES = 128, 16, 128
#: Numbers in the gradients of samples that are looked at together.
_NUMBERS = 1 << 22


class Batches:
    """Which batches trackers of one size look at: all of them if they are few, else random ones.

    Random batches of step t come from ``default_rng([seed, 2, t])``, without replacement by
    ``choice(n, b, replace=False)``, else by ``integers(0, n, b)``: training draws from other streams.

    Args:
        points: The points of the run.
        size: b.
        replacement: Whether a sample may occur several times.

    Attributes:
        n_samples: n.
        size: b.
        replacement: As given.

    Raises:
        TypeError: If the problem does not show its samples.
        ValueError: If b is more than the number of samples.
    """

    def __init__(self, points: Points, size: int, replacement: bool) -> None:
        problem = points.problem
        if not (hasattr(problem, "n_samples") and (_linear(problem) or hasattr(problem, "sample_hvp"))):
            raise TypeError(
                "quantities of batches need a problem with n_samples and linearize(w, batch=indices), or with "
                f"sample_gradients(w) and sample_hvp(w, v); got {problem!r}"
            )
        self.points, self.n_samples = points, int(problem.n_samples)
        self.size, self.replacement = checked_batch_size(size, self.n_samples, replacement=replacement), replacement

    def draw(self, t: int, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return batches, shape (some, b), with their probabilities, None for random ones."""
        n, b = self.n_samples, self.size
        if number_of_batches(n, b, self.replacement) <= count:
            parts, weights = zip(*all_batches(n, b, self.replacement), strict=True)
            return np.concatenate(parts), np.concatenate(weights)
        rng = np.random.default_rng(self.points.stream(t))
        if self.replacement:
            return rng.integers(0, n, (count, b)), None
        return np.array([rng.choice(n, b, replace=False) for _ in range(count)]), None

    def forms(self, point: Point) -> tuple[Forms, np.ndarray | None, float]:
        """Return g_Bᵀ H_B g_B and ‖g_B‖² of batches, their probabilities, and the products that took: 0 if known."""
        key = ("forms", self.size, self.replacement)
        spent = 0.0
        if key not in point.memo:
            batches, weights = self.draw(point.t, _BATCHES)
            point.memo[key] = _forms(point, batches), weights
            spent = batches.size / self.n_samples
        return *point.memo[key], spent


def _linear(problem: Any) -> bool:
    """Return whether a problem can be linearised on a batch."""
    return "batch" in inspect.signature(problem.linearize).parameters if hasattr(problem, "linearize") else False


def _forms(point: Point, batches: np.ndarray) -> Forms:
    problem, w = point.problem, point.w
    if _linear(problem):
        pairs = []
        for batch in batches:
            linear = problem.linearize(w, batch=batch)
            g = np.asarray(linear.grad, dtype=np.float64)
            product = np.asarray(linear.hvp(linear.grad), dtype=np.float64)
            pairs.append((g @ product, g @ g))
    elif hasattr(problem, "batch_forms"):
        pairs = [problem.batch_forms(w, batch) for batch in batches]
    else:
        return at(problem, w.astype(np.float64)).forms(batches)
    numerator, denominator = np.array(pairs).T
    return Forms(numerator, denominator, denominator == 0)


class BatchSharpness(Tracker):
    """Batch sharpness E_B[g_Bᵀ H_B g_B/‖g_B‖²], or the ratio of the means; columns ``name`` and ``name_error``.

    Batches whose gradient vanishes count as 0.

    Args:
        name: What it was asked for as.
        batches: The batches.
        ratio_first: Whether it is the mean of ratios.

    Source: arXiv:2412.20553.
    """

    def __init__(self, name: str, batches: Batches, ratio_first: bool) -> None:
        what = "mean curvature of batches along their own gradients" if ratio_first else "E[g_B' H_B g_B]/E|g_B|^2"
        self._error = f"{name}_error"
        super().__init__(name, batches.points, {name: f"{what}, b = {batches.size}", self._error: "its standard error"})
        self._batches, self._estimate = batches, mean_of_ratios if ratio_first else ratio_of_means

    def values(self, point: Point) -> dict[str, float]:
        """Return the columns."""
        forms, weights, spent = self._batches.forms(point)
        self.products += spent
        if not np.isfinite(forms.numerator).all():
            return dict.fromkeys(self.long_names, np.nan)
        found = self._estimate(forms, weights, "zero")
        return {self.name: found.value, self._error: found.error}


class BatchLambdaMax(Tracker):
    """E_B[λ_max(H_B)] from a few random batches; columns ``name`` and ``name_error``.

    Args:
        name: What it was asked for as.
        batches: The batches.

    Source: arXiv:2412.20553.
    """

    def __init__(self, name: str, batches: Batches) -> None:
        self._error = f"{name}_error"
        what = f"mean largest eigenvalue of the Hessians of batches, b = {batches.size}"
        super().__init__(name, batches.points, {name: what, self._error: "its standard error"})
        self._batches = batches

    def values(self, point: Point) -> dict[str, float]:
        """Return the columns."""
        batches, weights = self._batches.draw(point.t, _EIGENVALUES)
        largest = self._largest(point, batches)
        if not np.isfinite(largest).all():
            return dict.fromkeys(self.long_names, np.nan)
        one = np.ones(len(largest))
        found = mean_of_ratios(Forms(largest, one, one == 0), weights, "zero")
        return {self.name: found.value, self._error: found.error}

    def _largest(self, point: Point, batches: np.ndarray) -> np.ndarray:
        problem = point.problem
        if not _linear(problem):
            return at(problem, point.w.astype(np.float64)).lambda_max(batches)
        values, kept = [], None
        for k, batch in enumerate(batches):
            operator = Operator(problem.dim, products(problem.linearize(point.w, batch=batch)))
            found = top_eigenvalues(operator, start=kept, seed=[*self.points.stream(point.t), k])
            values.append(found.value)
            kept = found.kept
            self.products += found.products * self._batches.size / self._batches.n_samples
        return np.array(values)


class GradientNoiseInteraction(Tracker):
    """GNI = E_B[g_Bᵀ H g_B]/‖g‖² with the full Hessian and, below, the full gradient; ``name`` and ``name_error``.

    Over batches the mean is gᵀHg + p ⟨Δgᵢᵀ H Δgᵢ⟩, Δgᵢ = gᵢ - g, with p of `population_factors`: from all samples if
    they are at most 128, else from 128 random ones, a product with each. Infinite where the full gradient vanishes.

    Args:
        name: What it was asked for as.
        batches: The batches.

    Source: public code of arXiv:2412.20553 (definition); evaluation derived.
    """

    def __init__(self, name: str, batches: Batches) -> None:
        self._error = f"{name}_error"
        what = f"E[g_B' H g_B]/|g|^2 with full Hessian and gradient, b = {batches.size}"
        super().__init__(name, batches.points, {name: what, self._error: "its standard error"})
        self._n = batches.n_samples
        sampling = "with" if batches.replacement else "without"
        self._p = population_factors(self._n, batches.size, sampling).p

    def values(self, point: Point) -> dict[str, float]:
        """Return the columns."""
        g = point.grad
        start, square = g @ point.hessian(g), g @ g
        self.products += 1
        if not self._p:
            return {self.name: start / square, self._error: 0.0}
        few = self._n > _SAMPLES
        rng = np.random.default_rng(self.points.stream(point.t))
        samples = rng.choice(self._n, _SAMPLES, replace=False) if few else np.arange(self._n)
        forms = np.concatenate([self._along(point, part) for part in self._parts(point, samples)])
        self.products += len(samples)
        error = forms.std(ddof=1) * np.sqrt(1 / len(forms) - 1 / self._n) if few else 0.0
        return {self.name: (start + self._p * forms.mean()) / square, self._error: self._p * error / square}

    def _parts(self, point: Point, samples: np.ndarray) -> list[np.ndarray]:
        step = max(1, _NUMBERS // point.problem.dim)
        return [samples[first : first + step] for first in range(0, len(samples), step)]

    def _along(self, point: Point, samples: np.ndarray) -> np.ndarray:
        """Return Δgᵢᵀ H Δgᵢ of some samples."""
        problem = point.problem
        if _linear(problem):
            rows = problem.sample_gradients(point.w, batch=samples)
        else:
            rows = problem.sample_gradients(point.w)[samples]
        deviations = np.asarray(rows, dtype=np.float64) - point.grad
        return np.einsum("ij,ij->i", deviations, point.hessian(deviations))
