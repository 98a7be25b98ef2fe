"""What a claim is about: the rule, its formula, and its literal step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from .. import catalogue
from .._rule import Family, Rule
from ..domain import Interval
from ..symbolic.claim import Claim
from ..symbolic.emit_formula import compile_mpmath


@dataclass(frozen=True)
class Subject:
    """A claim with the rule that it speaks of (None for statements without one).

    Args:
        claim: The claim.
        rule: The rule, or the member of a family.
    """

    claim: Claim
    rule: Rule | None

    @classmethod
    def of(cls, claim: Claim) -> Subject:
        """Return the subject of a recorded claim; its rule is looked up by name."""
        if not claim.rule:
            return cls(claim, None)
        found = catalogue.lookup(claim.rule)
        return cls(claim, found.member(claim.structure) if isinstance(found, Family) else found)

    @property
    def hyper(self) -> tuple[str, ...]:
        """Hyper-parameters of the rule."""
        return self.rule.hyper if self.rule else ()

    def formula(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Return the float64 formula that users call, at values of the domain."""
        assert self.rule is not None
        edge = catalogue.edge_of(self.rule)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(edge.numpy(**{n: values[n] for n in edge.needs}), dtype=float)

    @cached_property
    def _exact(self) -> Any:
        names = list(self.claim.symbols)
        symbols = list(self.claim.symbols.values())
        sides = [self.claim.left, self.claim.right if self.claim.right is not None else sp.Integer(0)]
        return names, compile_mpmath(symbols, sides)

    def exact(self, point: dict[str, float], digits: int = 50) -> tuple[mpmath.mpf, mpmath.mpf]:
        """Return both sides of the claim at one point, with `digits` digits that survive cancellation.

        A form that divides by a parameter that is zero is taken at its limit, 1e-400.
        """
        if self.claim.left is None:
            assert self.rule is not None
            return self.rule.edge.mpmath(digits)(**{n: point[n] for n in self.rule.edge.needs}), mpmath.mpf(0)
        names, function = self._exact
        with mpmath.workdps(3 * digits):
            numbers = [mpmath.mpf(float(point[n])) for n in names]
            try:
                left, right = function(*numbers)
            except ZeroDivisionError:
                left, right = function(*(x or mpmath.mpf("1e-400") for x in numbers))
            return +left, +right

    def inside(self, point: dict[str, float], margin: float = 0.0) -> bool:
        """Return whether a point meets the side conditions, each by a relative `margin` of its largest term."""
        values = {self.claim.symbols[n]: v for n, v in point.items()}
        for condition in self.claim.where:
            terms = [float(t.subs(values)) for t in sp.Add.make_args(condition)]
            if not sum(terms) > margin * max(map(abs, terms)):
                return False
        return True

    def draw(
        self, rng: np.random.Generator, cases: int, *, wide: bool = False, margin: float = 0.05
    ) -> dict[str, np.ndarray]:
        """Return random points of the domain, one array per name; `wide` covers many orders of magnitude."""
        points: list[dict[str, float]] = []
        while len(points) < cases:
            point = {n: _sample(n, i, rng, wide) for n, i in self.claim.domain.items()}
            if self.inside(point, margin):
                points.append(point)
        return {n: np.array([p[n] for p in points]) for n in self.claim.domain}

    def step_matrices(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Return the step on one mode as matrices, shape (n, states, states), by running the emitted NumPy step.

        The literal step is applied to each unit state with every norm frozen at its value in `values`: nothing of the
        symbolic linearisation enters but the names of the norms, which come in the order of the step.
        """
        assert self.rule is not None
        kernel, count = self.rule.kernel, len(values["h"])
        curvature = values["h"][None, :]
        extra = {"h": curvature} if kernel.MODEWISE else {}
        hyper = {n: values[n] for n in kernel.HYPER}
        columns = []
        for unit in np.eye(len(kernel.STATE)):
            states = [np.full((1, count), x) for x in unit]
            norms = iter(self.rule.linearization.frozen)
            following = kernel.step(
                *states,
                grad=lambda x: curvature * x,
                norm=lambda _, norms=norms: values[str(next(norms))],
                **extra,
                **hyper,
            )
            columns.append(np.stack([np.broadcast_to(s, (1, count))[0] for s in following], axis=-1))
        return np.stack(columns, axis=-1)

    def radius(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Return the spectral radius of the literal step, shape (n,)."""
        matrices = self.step_matrices(values)
        if matrices.shape[-1] == 1:
            return np.abs(matrices[:, 0, 0])
        return np.max(np.abs(np.linalg.eigvals(matrices)), axis=-1)


def point_text(point: Mapping[str, float]) -> str:
    """Return a point of a domain as a reader writes it."""
    return ", ".join(f"{n}={float(v):.6g}" for n, v in point.items()) or "every point"


def _sample(name: str, interval: Interval, rng: np.random.Generator, wide: bool) -> float:
    """Return a value of an interval; `wide` reaches the ends: 24 orders of magnitude of a norm, 1 - 1e-6 of a beta."""
    if not wide or not np.isfinite(interval.low):
        return interval.sample(rng)
    if np.isfinite(interval.high):
        near = 10 ** rng.uniform(-6, -1) * (interval.high - interval.low)
        ends = (interval.low + near, interval.high - near, interval.sample(rng))
        return float(ends[rng.integers(3)])
    low, high = (-12, 12) if name == "grad_norm" else (-6, 3)
    return float(interval.low + 10 ** rng.uniform(low, high))
