"""A norm, a user's own too, against the axioms: on random vectors, with a witness where one fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._check import positive_int
from .base import Norm, require_norm

#: Numbers in an array of vectors, so that norms of long vectors are checked as well, on fewer of them.
_NUMBERS = 1 << 18
#: Relative error allowed: that of float64 under formulas that lose half of the digits.
_TOLERANCE = 1.5e-8
#: Scales at which a norm must still be homogeneous; cubes of them are floats.
_TINY, _HUGE = 1e-100, 1e100


@dataclass(frozen=True)
class NormCheck:
    """What `check` found.

    Attributes:
        norm: Name of the norm.
        dim: Length of the vectors.
        cases: Number of vectors.
        results: For each property the failure found, with a witness, or "".
    """

    norm: str
    dim: int
    cases: int
    results: dict[str, str]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[str, ...]:
        """The failures, each beginning with the name of the property."""
        return tuple(f"{name}: {text}" for name, text in self.results.items() if text)

    def __repr__(self) -> str:
        verdict = "passed" if self.passed else f"{len(self.failures)} of {len(self.results)} properties fail"
        rows = [f"  {name:<12} {text or 'ok'}" for name, text in self.results.items()]
        return "\n".join([f"{self.norm} on {self.cases} vectors of length {self.dim}: {verdict}", *rows])


def check(norm: Norm, dim: int | None = None, *, cases: int = 200, seed: int = 0) -> NormCheck:
    """Hold a norm, its dual and its LMO against what makes them so, on random vectors.

    The vectors are Gaussian, sparse, and of few integers with ties. A batch must give what its rows give, and nothing
    may write into its argument; the norm must be positive, homogeneous (from 1e-100 to 1e100) and subadditive; LMOs
    must have norm 1, be 0 for 0 and attain the dual norm; and no vector at hand, LMOs of others and their neighbours
    included, may attain more. A property that passes is not proved; one that fails has a witness. Where
    `traits.exact_lmo` is False, an LMO must only point uphill and attain what `steepest` says.

    Args:
        norm: The norm.
        dim: Length of the vectors; needed only by a norm of any length, 8 by default.
        cases: Number of vectors; fewer are taken if they are very long.
        seed: Seed of the vectors.

    Raises:
        TypeError: If `norm` is not a norm, or its `dim` no integer.
        ValueError: If it is not one of vectors of length `dim`.
    """
    require_norm("norm", norm)
    norm.check_dim(8 if norm.dim is None else norm.dim)
    dim = positive_int("dim", dim if dim is not None else norm.dim or 8)
    norm.check_dim(dim)
    cases = min(positive_int("cases", cases, minimum=10), max(10, _NUMBERS // dim))
    trial = _Trial(norm, _vectors(np.random.default_rng(seed), cases, dim), by_row=False)
    results = {"batches": _run(_batches, trial)}
    trial.by_row = bool(results["batches"])  # so that the other properties say what else is wrong
    if norm.dim is None and "raised" in results["batches"]:
        results["batches"] += "; if the norm is for vectors of one length only, give it the attribute dim"
    with np.errstate(all="ignore"):
        results |= {name: _run(test, trial) for name, test in _PROPERTIES.items()}
    return NormCheck(norm.name, dim, cases, results)


def _vectors(rng: np.random.Generator, cases: int, dim: int) -> np.ndarray:
    """A third each of Gaussian vectors, sparse ones, and integers with ties; none is zero."""
    x = rng.standard_normal((cases, dim))
    x[1::3] *= rng.random((len(x[1::3]), dim)) < 0.3
    x[2::3] = rng.integers(-2, 3, x[2::3].shape)
    empty = ~x.any(axis=1)
    x[empty, rng.integers(dim, size=empty.sum())] = 1.0
    return x


@dataclass
class _Trial:
    """A norm and the vectors it is tried on, shape (cases, dim)."""

    norm: Norm
    vectors: np.ndarray
    by_row: bool

    def ask(self, question: str, x: np.ndarray) -> np.ndarray:
        """The norm's answer, for a batch or for one row after another."""
        answer, x = getattr(self.norm, question), x.copy()
        found = np.asarray([answer(row) for row in x] if self.by_row else answer(x), dtype=np.float64)
        if found.shape != (shape := x.shape if question == "lmo" else x.shape[:1]):
            raise ValueError(f"{question} of an array of shape {x.shape} has shape {found.shape} instead of {shape}")
        return found

    @cached_property
    def lengths(self) -> np.ndarray:
        return self.ask("norm", self.vectors)

    @cached_property
    def duals(self) -> np.ndarray:
        return self.ask("dual", self.vectors)

    @cached_property
    def ascents(self) -> np.ndarray:
        return self.ask("lmo", self.vectors)


def _run(test: Callable[[_Trial], str], trial: _Trial) -> str:
    try:
        return test(trial)
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"


def _batches(trial: _Trial) -> str:
    norm, x = trial.norm, trial.vectors[:8].reshape(2, 4, -1)
    for question, shape in {"norm": (2, 4), "dual": (2, 4), "lmo": x.shape}.items():
        answer = getattr(norm, question)
        whole = np.asarray(answer(x.copy()))
        if whole.shape != shape:
            return f"{question} of an array of shape {x.shape} has shape {whole.shape} instead of {shape}"
        for i, j in np.ndindex(2, 4):
            alone = np.asarray(answer(x[i, j].copy()))
            if alone.shape != whole[i, j].shape:
                return f"{question} of an array of shape {x[i, j].shape} has shape {alone.shape}"
            if not np.allclose(whole[i, j], alone, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
                return f"{question} is {_show(whole[i, j])} in a batch, {_show(alone)} alone, at {_show(x[i, j])}"
    return ""


def _unchanged(trial: _Trial) -> str:
    for question in ("norm", "dual", "lmo", "steepest"):
        for row in trial.vectors[:3]:
            given = row.copy()
            getattr(trial.norm, question)(given)
            if not np.array_equal(given, row):
                return f"{question} writes into its argument: {_show(row)} is {_show(given)} afterwards"
    return ""


def _positive(trial: _Trial) -> str:
    zero = float(trial.ask("norm", np.zeros_like(trial.vectors[:1]))[0])
    if zero != 0:
        return f"‖0‖ = {zero:g}"
    size = trial.lengths
    return _first(~((size > 0) & np.isfinite(size)), lambda i: f"‖d‖ = {size[i]:g} at d = {_show(trial.vectors[i])}")


def _homogeneous(trial: _Trial) -> str:
    for factor in (-1.0, 0.3, _TINY, _HUGE):
        size = trial.ask("norm", factor * trial.vectors)
        wrong = ~np.isclose(size, abs(factor) * trial.lengths, rtol=_TOLERANCE, atol=0)
        failure = _first(
            wrong,
            lambda i, c=factor, s=size: (  # type: ignore[misc]
                f"‖{c:g} d‖ = {s[i]:g} but ‖d‖ = {trial.lengths[i]:g} at d = {_show(trial.vectors[i])}"
            ),
        )
        if failure:
            return failure
    return ""


def _subadditive(trial: _Trial) -> str:
    other = np.roll(trial.vectors, 1, axis=0)
    bound = trial.lengths + np.roll(trial.lengths, 1)
    size = trial.ask("norm", trial.vectors + other)
    return _first(
        ~(size <= bound * (1 + _TOLERANCE)),
        lambda i: f"‖x + y‖ = {size[i]:g} > ‖x‖ + ‖y‖ = {bound[i]:g} at {_show(trial.vectors[i])}, {_show(other[i])}",
    )


def _unit(trial: _Trial) -> str:
    if trial.ask("lmo", np.zeros_like(trial.vectors[:1])).any():
        return "lmo(0) is not 0"
    if not trial.norm.traits.exact_lmo:
        return ""
    size = trial.ask("norm", trial.ascents)
    return _first(
        ~(np.abs(size - 1) <= _TOLERANCE), lambda i: f"‖lmo(g)‖ = {size[i]:g} at g = {_show(trial.vectors[i])}"
    )


def _attained(trial: _Trial) -> str:
    value = (trial.vectors * trial.ascents).sum(axis=1)
    if trial.norm.traits.exact_lmo:
        claimed, what = trial.duals, "‖g‖*"
    else:
        claimed = np.array([trial.norm.steepest(row.copy())[0] for row in trial.vectors])
        what = "its value in steepest"
    wrong = ~((value > 0) & np.isclose(value, claimed, rtol=_TOLERANCE, atol=0))
    return _first(
        wrong, lambda i: f"<g, lmo(g)> = {value[i]:g} but {what} = {claimed[i]:g} at g = {_show(trial.vectors[i])}"
    )


def _maximal(trial: _Trial) -> str:
    """<g, d> <= ‖d‖ ‖g‖* for all g with all d: the vectors, their powers by coordinate, the LMOs and near ones."""
    g, u = trial.vectors, trial.ascents
    powers = [np.sign(g) * np.abs(g) ** a for a in (0.0, 0.5, 2.0, 16.0)]
    near = np.random.default_rng(0).standard_normal(u.shape) * np.abs(u).max(axis=1, keepdims=True)
    d = np.concatenate([g, *powers, u, u + 0.1 * near, u + 1e-3 * near])
    attained = (g / np.abs(trial.duals)[:, None]) @ (d / trial.ask("norm", d)[:, None]).T
    best = attained.max(axis=1)
    return _first(
        ~(best <= np.sign(trial.duals) + _TOLERANCE),
        lambda i: (
            f"d = {_show(d[attained[i].argmax()])} has <g, d>/‖d‖ = {best[i] * abs(trial.duals[i]):g} > ‖g‖* = "
            f"{trial.duals[i]:g} at g = {_show(g[i])}"
        ),
    )


_PROPERTIES = {
    "unchanged": _unchanged,
    "positive": _positive,
    "homogeneous": _homogeneous,
    "subadditive": _subadditive,
    "unit": _unit,
    "attained": _attained,
    "maximal": _maximal,
}


def _first(wrong: np.ndarray, text: Callable[[int], str]) -> str:
    """The failure at the first case that is wrong, or ""."""
    return text(int(wrong.argmax())) if wrong.any() else ""


def _show(x: np.ndarray) -> str:
    return np.array2string(np.asarray(x), precision=4, separator=", ", threshold=8, edgeitems=3).replace("\n", "")
