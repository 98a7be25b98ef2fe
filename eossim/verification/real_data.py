"""Step just below and just above a predicted edge on the Hessian of a real least-squares problem."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq

from .. import data
from ..engine.method import Method
from ..engine.record import Record
from ..engine.simulate import simulate
from ..problems import Quadratic
from .checks import claimed
from .report import Check
from .subject import Subject

#: How far from the edge the top curvature is placed, how long the run then is, and over how many steps amplitudes are
#: read.
_GAP, _STEPS, _WINDOW = 0.01, 6000, 500


def on_data(subject: Subject, name: str, rng: np.random.Generator, cases: int) -> Check:
    """Place the edge just above and just below the top curvature of a data set and watch the top component.

    Linear rules: the component along the top eigenvector must shrink below the edge and grow above it, over a long run.
    State-dependent rules without memory: its factor in the first step must be -1 at the edge, smaller in size below,
    larger above. State-dependent rules with memory settle on the period-2 orbit: the late edge must equal the top
    curvature.
    """
    rule = subject.rule
    assert rule is not None
    hessian = data.load(name).least_squares().hessian()
    hessian = hessian / np.linalg.eigvalsh(hessian)[-1]  # units of the top curvature: digits and diabetes differ by 1e3
    frozen = set(subject.claim.domain) - set(rule.hyper)
    if subject.claim.left.is_infinite:
        return _never_unstable(subject, name, hessian, rng, cases)
    if frozen and len(rule.kernel.STATE) > 1:
        return _settles(subject, name, hessian, rng, cases)
    return (_first_step if frozen else _long_run)(subject, name, hessian, rng, cases)


def _long_run(subject: Subject, name: str, hessian: np.ndarray, rng: np.random.Generator, cases: int) -> Check:
    failures, growths = [], []
    for _ in range(cases):
        point = {n: float(v[0]) for n, v in subject.draw(rng, 1).items()}
        extra, top, probe = _metric(subject, hessian, point, rng)
        start = rng.standard_normal(len(hessian))
        below, above = (
            _growth(Quadratic(hessian), _bound(subject, point, top / side, extra), start, probe)
            for side in (1 - _GAP, 1 + _GAP)
        )
        growths.append((below, above))
        if not below < 0 < above:
            failures.append(f"{_text(point)}: log growth {below:.3g} below, {above:.3g} above")
    lowest, highest = np.max([g[0] for g in growths]), np.min([g[1] for g in growths])
    detail = failures[0] if failures else f"log growth of the top component {lowest:.2g} below, {highest:.2g} above"
    return Check(name, not failures, 2 * cases, detail=detail)


def _growth(problem: Quadratic, method: Method, start: np.ndarray, probe: np.ndarray) -> float:
    """Return the log growth of the iterate along `probe` from the middle of a run to its end.

    The amplitude is the largest over a window: a complex pair beats. A component that has sunk to rounding is gone.
    """
    middle, end = (np.arange(stop - _WINDOW, stop) + 1 for stop in (_STEPS // 2, _STEPS))
    record = Record(at=np.concatenate([middle, end]), what=("w",))
    run = simulate(problem, method, start, _STEPS, record=record, threads=1)
    if run.diverged_at.item() >= 0:
        return np.inf
    top = np.abs(run.w.values[0] @ probe)
    early, late = top[:_WINDOW].max(), top[_WINDOW:].max()
    return float(np.log(late / early)) if late > 1e-10 * np.abs(start @ probe) else -np.inf


def _first_step(subject: Subject, name: str, hessian: np.ndarray, rng: np.random.Generator, cases: int) -> Check:
    failures, errors = [], []
    values, vectors = np.linalg.eigh(hessian)
    for _ in range(cases):
        point = {n: float(v[0]) for n, v in subject.draw(rng, 1).items()}
        direction = rng.standard_normal(len(hessian)) + 3 * vectors[:, -1]
        start = vectors @ (np.divide(vectors.T @ direction, values, out=np.zeros_like(values), where=values > 1e-9))
        start *= point["grad_norm"] / np.linalg.norm(hessian @ start)
        factors = []
        for side in (1 - _GAP, 1.0, 1 + _GAP):
            bound = _bound(subject, point, values[-1] / side, {})
            run = simulate(Quadratic(hessian), bound, start, 1, record=Record(what=("multiplier",)), threads=1)
            factors.append(abs(run.multiplier.values[0, 1]))
        errors.append(abs(factors[1] - 1))
        if not factors[0] < 1 < factors[2] or errors[-1] > 1e-8:
            failures.append(f"{_text(point)}: factors {', '.join(f'{f:.9g}' for f in factors)}")
    detail = failures[0] if failures else "factor of the top component in one step at, below and above the edge"
    return Check(name, not failures, 3 * cases, max(errors), detail)


def _settles(subject: Subject, name: str, hessian: np.ndarray, rng: np.random.Generator, cases: int) -> Check:
    """With memory the edge holds on the period-2 orbit; for beta <= 0.2 and eta h >= half the base edge it attracts."""
    assert subject.rule is not None
    failures, errors = [], []
    for _ in range(cases):
        point = {n: float(v[0]) for n, v in subject.draw(rng, 1).items()} | {
            "beta": rng.uniform(0.02, 0.2),
            "rho": 0.05,
        }
        base = _exact(subject, point | {"grad_norm": 1e12})  # without perturbation
        point["eta"] *= base * rng.uniform(0.5, 0.9)  # the base edge scales as 1 / eta: top curvature 1 lies below it
        bound = subject.rule(**{n: point[n] for n in subject.rule.hyper})
        run = simulate(
            Quadratic(hessian),
            bound,
            rng.standard_normal(len(hessian)),
            20_000,
            record=Record(at=[19_999, 20_000], what=("edge", "sharpness")),
            threads=1,
        )
        errors.append(float(np.max(np.abs(run.edge.values / run.sharpness.values - 1))))
        if not errors[-1] < 1e-6:
            failures.append(f"{_text(point)}: late edge over top curvature off by {errors[-1]:.2g}")
    detail = failures[0] if failures else "late edge against top curvature on the period-2 orbit"
    return Check(name, not failures, cases, max(errors), detail)


def _never_unstable(subject: Subject, name: str, hessian: np.ndarray, rng: np.random.Generator, cases: int) -> Check:
    assert subject.rule is not None
    start, probe = rng.standard_normal(len(hessian)), np.linalg.eigh(hessian)[1][:, -1]
    growth = [
        _growth(Quadratic(hessian), subject.rule(eta=eta), start, probe) for eta in np.geomspace(1e-2, 1e4, cases)
    ]
    return Check(name, max(growth) < 0, cases, detail=f"largest log growth of the top component {max(growth):.2g}")


def _metric(
    subject: Subject, hessian: np.ndarray, point: dict[str, float], rng: np.random.Generator
) -> tuple[dict[str, Any], float, np.ndarray]:
    """Return the preconditioner to bind, the top curvature in its metric, and the functional that reads its mode."""
    kernel = subject.rule.kernel  # type: ignore[union-attr]
    if not kernel.PRECONDITIONED:
        values, vectors = np.linalg.eigh(hessian)
        return {}, float(values[-1]), vectors[:, -1]
    root = np.exp(rng.uniform(-0.5, 0.5, len(hessian)))  # of the diagonal preconditioner
    shift = point[kernel.SHIFT] if kernel.SHIFT else 0.0
    values, vectors = np.linalg.eigh((hessian + shift * np.eye(len(hessian))) / np.outer(root, root))
    return {"P": root**2}, float(values[-1]), root * vectors[:, -1]


def _bound(subject: Subject, point: dict[str, float], edge: float, extra: dict[str, Any]) -> Method:
    """Return the rule with its step sizes scaled so that the claimed edge is `edge`."""
    rule = subject.rule
    assert rule is not None
    steps = [n for n in rule.hyper if n.partition("_")[0] == "eta"]
    if not steps:  # the step sizes are the preconditioner: top curvature scales as 1 / P
        scale = edge / _exact(subject, point)
        return rule(P=extra["P"] * scale)

    def excess(log_scale: float) -> float:
        scaled = point | {n: point[n] * np.exp(log_scale) for n in steps}
        return np.log(max(_exact(subject, scaled), 1e-300) / edge)

    root = brentq(excess, *_bracket(subject, point, steps, excess), xtol=1e-14, rtol=1e-14)
    return rule(**{n: point[n] * (np.exp(root) if n in steps else 1.0) for n in rule.hyper}, **extra)


def _bracket(subject: Subject, point: dict[str, float], steps: list[str], excess: Any) -> tuple[float, float]:
    """Return log scales between which the edge passes the wanted value, inside the claim's domain."""
    low, high = -25.0, 25.0
    if not subject.inside(point | {n: point[n] * np.exp(high) for n in steps}):
        allowed = low  # largest scale at which the edge still exists
        for _ in range(60):
            middle = (allowed + high) / 2
            if subject.inside(point | {n: point[n] * np.exp(middle) for n in steps}):
                allowed = middle
            else:
                high = middle
        high = allowed
    if not excess(low) > 0 > excess(high):
        raise ValueError(f"no step size of {subject.claim.rule} puts its edge where the data needs it")
    return low, high


def _exact(subject: Subject, point: dict[str, float]) -> float:
    wanted = {n: np.array([point[n]]) for n in subject.claim.domain}
    return float(claimed(subject, wanted)[0]) if wanted else float(subject.exact({}, 20)[0])


def _text(point: dict[str, float]) -> str:
    return ", ".join(f"{n}={v:.4g}" for n, v in point.items()) or "every point"
