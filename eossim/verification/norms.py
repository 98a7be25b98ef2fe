"""Verify a norm, a user's own too: its axioms, and the edge, identities and cycles of descent in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import data as datasets
from ..curvature.generalized import generalized_sharpness
from ..engine.record import Record
from ..engine.simulate import simulate
from ..engine.steepest import normalized_steepest_descent, steepest_descent
from ..norms import Norm, check
from ..norms.base import validated
from ..problems import Function, Quadratic
from ..symbolic.claim import Claim
from .descents import cycle, falls, grows
from .report import Check, judged

#: Coordinates of random Hessians for a norm of vectors of any length.
_DIM = 6
#: Starts of an estimate that stands in for an upper bound.
_RESTARTS = 40
#: Coordinates up to which random Hessians have full rank; runs in more are short, and the fewer the more there are.
_FULL_RANK = 12
#: Coordinates of all random problems together, without `thorough`.
_NUMBERS = 2000


def norm_claim(norm: Norm) -> Claim:
    """Return the claim that a norm is one, and that steepest descent in it has the edge S = 2/eta."""
    return Claim(
        id=f"norm.{norm.name}",
        statement=f"{norm.name} is a norm with its dual and LMO; on quadratics with H >= 0 descent in it converges "
        "below eta = 2/S, S its generalised sharpness, and not from everywhere above; normalised descent cycles at "
        "mean dual gradient norm eta s / 2",
        kind="experiment",
        left=None,
        domain={},
        measured_by="norm",
    )


def norm_checks(
    norm: Norm, data: tuple[str, ...], rng: np.random.Generator, effort: int
) -> dict[str, Callable[[], Check]]:
    """Return the checks of a norm by name; a data set is used up to as many columns as the norm has coordinates."""
    tests: dict[str, Callable[[], Check]] = {"axioms": partial(_axioms, norm, rng, effort)}
    few = max(1, min(4, _NUMBERS // (norm.dim or _DIM)))
    tests["synthetic"] = partial(_descent, "synthetic", norm, rng, few * effort)
    for name in data:
        tests[name] = partial(_descent, name, norm, rng, effort)
    return tests


def _axioms(norm: Norm, rng: np.random.Generator, effort: int) -> Check:
    found = check(norm, norm.dim or _DIM, cases=200 * effort, seed=int(rng.integers(2**31)))
    return judged("axioms", found.failures, found.cases, "norm, dual and LMO belong together")


class _RankOne(Function):
    """½<a, w>², whose sharpness is known in every norm: the square of the dual norm of a."""

    def __init__(self, a: np.ndarray) -> None:
        super().__init__(
            len(a),
            lambda w: 0.5 * np.square(w @ a),
            lambda w: (w @ a)[..., None] * a,
            lambda w, v: (v @ a)[..., None] * a,
        )


def _problem(name: str, norm: Norm, rng: np.random.Generator) -> Quadratic | _RankOne | str:
    """Return a random problem, that of the leading columns of a data set, or why there is none."""
    if name == "synthetic":
        dim = norm.dim or _DIM
        root = rng.standard_normal((dim, dim if dim <= _FULL_RANK else 1))
        return Quadratic(root @ root.T) if dim <= _FULL_RANK else _RankOne(root[:, 0])
    data = datasets.load(name).standardized()
    if norm.dim is not None and norm.dim > data.X.shape[1]:
        return f"not applicable: {data.X.shape[1]} columns, the norm has {norm.dim}"
    return Quadratic(data.least_squares().hessian()[: norm.dim, : norm.dim])


def _descent(name: str, norm: Norm, rng: np.random.Generator, cases: int) -> Check:
    """Identities; where the LMO is exact, runs below the edge, the ray above it, and 2-cycles as well."""
    try:
        validated(norm, norm.dim or _DIM)
    except (TypeError, ValueError) as error:
        return Check(name, False, 0, detail=f"not tried: {error}")
    if not norm.traits.exact_lmo:
        return _identities_alone(name, norm, rng, cases)
    failures, worst, shown = [], 0.0, (np.nan, np.nan)
    for _ in range(cases):
        problem = _problem(name, norm, rng)
        if isinstance(problem, str):
            return Check(name, True, 0, detail=problem)
        if isinstance(problem, _RankOne):
            sharpness = generalized_sharpness(problem, norm, np.zeros(problem.dim), restarts=1, bound=False)
            wrong = _shrinks(problem, norm, sharpness.value, rng)
        else:
            sharpness = generalized_sharpness(problem, norm, restarts=_RESTARTS)
            wrong = falls(problem, norm, sharpness, rng)
        failures += [wrong] if wrong else []
        predicted, stepped = shown = grows(problem, norm, sharpness)
        worst = max(worst, abs(stepped / predicted - 1))
        if not abs(stepped / predicted - 1) <= 1e-6 + 10 * sharpness.gap / sharpness.value:
            failures.append(f"growth above the edge {predicted:.9g} predicted, {stepped:.9g} stepped")
        failures += _identities(problem, norm, 0.3 / sharpness.value, rng)
        G, s = cycle(problem, norm, 0.1, rng, *((4, 400) if problem.dim > _FULL_RANK else ()))
        if len(G) and not np.abs(20 * G / s - 1).max() <= 1e-6:
            failures.append(f"mean dual norm of a 2-cycle {G[0]:.9g}, eta s / 2 = {s[0] / 20:.9g}")
    return judged(name, failures, cases * 25, "edge, identities, cycles", worst, shown)


def _shrinks(problem: _RankOne, norm: Norm, sharpness: float, rng: np.random.Generator) -> str:
    """Return what is wrong with steps on a Hessian of rank one, where L+ = (1 - eta S)² L."""
    factor = float(rng.uniform(0.2, 0.96) * rng.choice([-1, 1]))
    method, starts = steepest_descent(norm, (1 - factor) / sharpness), rng.standard_normal((8, problem.dim))
    loss = simulate(problem, method, starts, 3, record=Record(what=("loss",))).loss.values
    ratio = loss[:, 1:] / loss[:, :-1]
    if np.abs(ratio - factor**2).max() <= 1e-6:
        return ""
    return f"{norm}: a step changes the loss by the factors {ratio.min():.9g} to {ratio.max():.9g}, not {factor**2:.9g}"


def _identities_alone(name: str, norm: Norm, rng: np.random.Generator, cases: int) -> Check:
    failures: list[str] = []
    for _ in range(cases):
        problem = _problem(name, norm, rng)
        if isinstance(problem, str):
            return Check(name, True, 0, detail=problem)
        size = float(norm.dual(problem.grad(rng.standard_normal(problem.dim))))
        failures += _identities(problem, norm, 0.1 / max(size, 1.0), rng)
    return judged(name, failures, cases * 8, "identities; the edge and cycles need an exact LMO")


def _identities(problem: Any, norm: Norm, eta: float, rng: np.random.Generator) -> list[str]:
    """Return what is wrong with the change of the loss, step by step and summed where the LMO is exact."""
    failures = []
    for method in (steepest_descent, normalized_steepest_descent):
        run = simulate(problem, method(norm, eta), rng.standard_normal((4, problem.dim)), 40)
        residual = float(run.identity_residual[:, :-1].max())
        if "telescoped_residual" in run:
            residual = max(residual, float(run.telescoped_residual.max()))
        if not residual <= 1e-10:
            failures.append(f"{method.__name__}: residual {residual:.3g} of the descent identity")
    return failures
