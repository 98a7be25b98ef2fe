"""Verify a norm, a user's own too: its axioms, and the edge, identities and cycles of descent in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .. import data as datasets
from ..curvature.generalized import generalized_sharpness
from ..engine.simulate import simulate
from ..engine.steepest import normalized_steepest_descent, steepest_descent
from ..norms import Norm, check
from ..problems import Quadratic
from ..symbolic.claim import Claim
from .report import Check
from .steepest import cycle, falls, grows

#: Coordinates of random Hessians for a norm of vectors of any length.
_DIM = 6
#: Starts of an estimate that stands in for an upper bound.
_RESTARTS = 40


def norm_claim(norm: Norm) -> Claim:
    """Return the claim that a norm is one, and that steepest descent in it has the edge S = 2/eta."""
    return Claim(
        id=f"norm.{norm.name}",
        statement=f"{norm.name} is a norm with its dual and LMO; descent in it is stable on every quadratic iff "
        "eta <= 2/S, S its generalised sharpness; normalised descent cycles at mean dual gradient norm eta s / 2",
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
    tests["synthetic"] = partial(_descent, "synthetic", norm, rng, 4 * effort)
    for name in data:
        tests[name] = partial(_descent, name, norm, rng, effort)
    return tests


def _axioms(norm: Norm, rng: np.random.Generator, effort: int) -> Check:
    found = check(norm, norm.dim or _DIM, cases=200 * effort, seed=int(rng.integers(2**31)))
    detail = "" if found.passed else found.failures[0]
    return Check("axioms", found.passed, found.cases, detail=detail or "norm, dual and LMO belong together")


def _hessian(name: str, norm: Norm, rng: np.random.Generator) -> np.ndarray:
    """Return a random Hessian, or the leading part of that of a data set."""
    if name == "synthetic":
        root = rng.standard_normal((norm.dim or _DIM, norm.dim or _DIM))
        return root @ root.T
    H = datasets.load(name).standardized().least_squares().hessian()
    return H[: norm.dim, : norm.dim]


def _descent(name: str, norm: Norm, rng: np.random.Generator, cases: int) -> Check:
    """Identities, runs below the edge, the ray above it, and 2-cycles."""
    failures, worst, shown = [], 0.0, (np.nan, np.nan)
    for _ in range(cases):
        problem = Quadratic(_hessian(name, norm, rng))
        if norm.dim not in (None, problem.dim):
            return Check(name, True, 0, detail=f"not applicable: {problem.dim} columns, the norm has {norm.dim}")
        sharpness = generalized_sharpness(problem, norm, restarts=_RESTARTS)
        failures += [wrong] if (wrong := falls(problem, norm, sharpness, rng)) else []
        predicted, stepped = shown = grows(problem, norm, sharpness)
        worst = max(worst, abs(stepped / predicted - 1))
        if not abs(stepped / predicted - 1) <= 1e-6 + 10 * sharpness.gap / sharpness.value:
            failures.append(f"growth above the edge {predicted:.9g} predicted, {stepped:.9g} stepped")
        for method in (steepest_descent, normalized_steepest_descent):
            run = simulate(problem, method(norm, 0.3 / sharpness.value), rng.standard_normal((4, problem.dim)), 40)
            residual = max(float(run.identity_residual[:, :-1].max()), float(run.telescoped_residual.max()))
            if not residual <= 1e-10:
                failures.append(f"{method.__name__}: residual {residual:.3g} of the descent identity")
        G, s = cycle(problem, norm, 0.1, rng)
        if len(G) and not np.abs(20 * G / s - 1).max() <= 1e-6:
            failures.append(f"mean dual norm of a 2-cycle {G[0]:.9g}, eta s / 2 = {s[0] / 20:.9g}")
    return Check(name, not failures, cases * 25, worst, failures[0] if failures else "edge, identities, cycles", *shown)
