"""Search a claim's domain for a counterexample, and shrink it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, assume, given, seed, settings
from hypothesis import strategies as st

from ..domain import Interval
from .checks import claimed
from .report import Check
from .subject import Subject, point_text

#: Fractions of the edge at which the step must be stable; just above it must not be.
_BELOW = np.array([0.05, 0.3, 0.6, 0.9, 0.99, 0.999])
_ABOVE = 1.001


def search(subject: Subject, examples: int, random_seed: int) -> Check:
    """Let hypothesis look for a point of the domain at which the claim is false; report the smallest one found."""
    holds = _edge_holds if subject.claim.kind == "edge" else _inequality_holds
    found = falsify(subject, lambda point: holds(subject, point), examples, random_seed)
    if found is None:
        return Check("search", True, examples, detail="no counterexample")
    return Check("search", False, examples, detail=f"counterexample {point_text(found)}")


def falsify(
    subject: Subject, holds: Callable[[dict[str, float]], bool], examples: int, random_seed: int
) -> dict[str, float] | None:
    """Return the smallest point of the claim's domain where `holds` is false, or None."""
    failing: list[dict[str, float]] = []
    reach = 6 if subject.claim.left is not None else 2  # a numerical root has the accuracy of float64 eigenvalues

    @seed(random_seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.fixed_dictionaries({n: strategy(i, reach) for n, i in subject.claim.domain.items()}))
    def test(point: dict[str, float]) -> None:
        assume(subject.inside(point, margin=0.02))
        if not holds(point):
            failing.append(point)
            raise AssertionError

    try:
        test()
    except AssertionError:
        return failing[-1]  # hypothesis ends on the shrunk example
    return None


def strategy(interval: Interval, reach: int) -> st.SearchStrategy[float]:
    """Return numbers of an interval, a bounded one's ends approached to 10^-reach, a half line's covered to 1e4."""
    if np.isfinite(interval.low) and np.isfinite(interval.high):
        low, width = interval.low, interval.high - interval.low
        small = st.floats(-reach, 0).map(lambda x: 10**x * width)
        inside = st.one_of(small.map(lambda x: low + x / 2), small.map(lambda x: low + width - x / 2))
        ends = [
            st.just(e) for e, is_open in ((low, interval.open_low), (low + width, interval.open_high)) if not is_open
        ]
        return st.one_of(inside, *ends)
    if np.isfinite(interval.low):
        above = st.floats(-4, 4).map(lambda x: interval.low + 10**x)
        return above if interval.open_low else st.one_of(st.just(float(interval.low)), above)
    return st.floats(-1e3, 1e3)


def _edge_holds(subject: Subject, point: dict[str, float]) -> bool:
    values = {n: np.array([v]) for n, v in point.items()}
    edge = float(claimed(subject, values)[0])
    fractions = np.append(_BELOW, _ABOVE)
    h = fractions * edge if np.isfinite(edge) else np.geomspace(1e-3, 1e6, fractions.size)
    spread: dict[str, Any] = {n: np.full(fractions.size, v) for n, v in point.items()}
    radius = subject.radius({**spread, "h": h})
    stable = bool(np.all(radius[: _BELOW.size] <= 1 + 1e-12))
    return stable and (np.isinf(edge) or bool(radius[-1] > 1))


def _inequality_holds(subject: Subject, point: dict[str, float]) -> bool:
    left, right = subject.exact(point)
    with mpmath.workdps(100):  # comparing at 15 digits would round one side
        slack = mpmath.mpf("1e-40") * max(abs(left), abs(right))
        return bool(abs(left - right) <= slack) if subject.claim.kind == "equality" else bool(left <= right + slack)
