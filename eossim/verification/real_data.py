"""Step just below and just above a predicted edge on the Hessian of a real least-squares problem."""

from __future__ import annotations

import numpy as np
import sympy as sp

from .. import data
from ..engine.method import Method
from ..engine.record import Record
from ..engine.simulate import simulate
from ..problems import Quadratic
from .checks import claimed
from .report import Check
from .subject import Subject, point_text

#: How far from the edge the top curvature is placed, how long the run then is, and over how many steps amplitudes are
#: read.
_GAP, _STEPS, _WINDOW = 0.01, 6000, 500


def on_data(subject: Subject, name: str, rng: np.random.Generator, cases: int) -> Check:
    """Put the top curvature of a data set just below and just above the claimed edge and watch the top component.

    The loss is rescaled to do so: hyper-parameters stay as drawn. Linear rules: the component along the top eigenvector
    must shrink below the edge and grow above it, over a long run. State-dependent rules without memory: its factor in
    the first step must be -1 at the edge, smaller in size below, larger above. State-dependent rules with memory settle
    on the period-2 orbit: the late edge must equal the top curvature.
    """
    rule = subject.rule
    assert rule is not None
    hessian = data.load(name).least_squares().hessian()
    hessian = hessian / np.linalg.eigvalsh(hessian)[-1]
    frozen = set(map(str, rule.linearization.frozen))
    if frozen - {"grad_norm"}:
        return Check(name, True, 0, detail=f"not applicable: a start does not set {', '.join(sorted(frozen))}")
    if subject.claim.left == sp.oo:
        return _never_unstable(subject, name, hessian, rng, cases)
    if frozen and len(rule.kernel.STATE) > 1:
        return _settles(subject, name, hessian, rng, cases)
    return (_first_step if frozen else _long_run)(subject, name, hessian, rng, cases)


def _long_run(subject: Subject, name: str, hessian: np.ndarray, rng: np.random.Generator, cases: int) -> Check:
    failures, growths = [], []
    for _ in range(cases):
        point = {n: float(v[0]) for n, v in subject.draw(rng, 1).items()}
        start, root = rng.standard_normal(len(hessian)), np.exp(rng.uniform(-0.5, 0.5, len(hessian)))
        below, above = (_growth(*_placed(subject, point, hessian, side, root), start) for side in (1 - _GAP, 1 + _GAP))
        growths.append((below, above))
        if not below < 0 < above:
            failures.append(f"{point_text(point)}: log growth {below:.3g} below, {above:.3g} above")
    lowest, highest = np.max([g[0] for g in growths]), np.min([g[1] for g in growths])
    detail = failures[0] if failures else f"log growth of the top component {lowest:.2g} below, {highest:.2g} above"
    return Check(name, not failures, 2 * cases, detail=detail)


def _growth(problem: Quadratic, method: Method, probe: np.ndarray, start: np.ndarray) -> float:
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


def _placed(
    subject: Subject, point: dict[str, float], hessian: np.ndarray, side: float, root: np.ndarray
) -> tuple[Quadratic, Method, np.ndarray]:
    """Return problem, method and the functional that reads the top mode, with the top curvature at `side` * edge.

    Args:
        subject: The claim.
        point: Hyper-parameters.
        hessian: Hessian with top curvature 1.
        side: Top curvature over edge.
        root: Square root of the diagonal preconditioner, up to scale, for preconditioned rules.
    """
    rule = subject.rule
    assert rule is not None
    wanted = side * _claimed(subject, point)
    hyper = {n: point[n] for n in rule.hyper}
    if not rule.kernel.PRECONDITIONED:
        return Quadratic(wanted * hessian), rule(**hyper), np.linalg.eigh(hessian)[1][:, -1]
    shift = point[rule.kernel.SHIFT] if rule.kernel.SHIFT else 0.0
    values, vectors = np.linalg.eigh((hessian + shift * np.eye(len(hessian))) / np.outer(root, root))
    preconditioner = root**2 * values[-1] / wanted
    return Quadratic(hessian), rule(**hyper, P=preconditioner), root * vectors[:, -1]


def _first_step(subject: Subject, name: str, hessian: np.ndarray, rng: np.random.Generator, cases: int) -> Check:
    assert subject.rule is not None
    failures, errors = [], []
    values, vectors = np.linalg.eigh(hessian)
    for _ in range(cases):
        point = {n: float(v[0]) for n, v in subject.draw(rng, 1).items()}
        bound = subject.rule(**{n: point[n] for n in subject.rule.hyper})
        gradient = vectors @ np.where(values > 1e-9, rng.standard_normal(len(values)), 0.0) + 3 * vectors[:, -1]
        gradient *= point["grad_norm"] / np.linalg.norm(gradient)
        factors = []
        for side in (1 - _GAP, 1.0, 1 + _GAP):
            scale = side * _claimed(subject, point)
            inverse = np.divide(1.0, scale * values, out=np.zeros_like(values), where=values > 1e-9)
            start = vectors @ (inverse * (vectors.T @ gradient))
            problem = Quadratic(scale * hessian)
            run = simulate(problem, bound, start, 1, record=Record(what=("multiplier",)), threads=1)
            factors.append(abs(run.multiplier.values[0, 1]))
        errors.append(abs(factors[1] - 1))
        if not factors[0] < 1 < factors[2] or errors[-1] > 1e-8:
            failures.append(f"{point_text(point)}: factors {', '.join(f'{f:.9g}' for f in factors)}")
    detail = failures[0] if failures else "factor of the top component in one step below, at and above the edge"
    return Check(name, not failures, 3 * cases, max(errors), detail)


def _settles(subject: Subject, name: str, hessian: np.ndarray, rng: np.random.Generator, cases: int) -> Check:
    """With memory the edge holds on the period-2 orbit; for beta <= 0.2 and eta h >= half the base edge it attracts."""
    assert subject.rule is not None
    failures, errors = [], []
    for _ in range(cases):
        point = {n: float(v[0]) for n, v in subject.draw(rng, 1).items()} | {"beta": rng.uniform(0.02, 0.2)}
        base = _claimed(subject, point | {"grad_norm": 1e12})  # without perturbation
        problem = Quadratic(base * rng.uniform(0.5, 0.9) * hessian)
        bound = subject.rule(**{n: point[n] for n in subject.rule.hyper})
        start, record = rng.standard_normal(len(hessian)), Record(at=[20_000], what=("grad_norm", "sharpness"))
        run = simulate(problem, bound, start, 20_000, record=record, threads=1)
        late = _claimed(subject, point | {"grad_norm": float(run.grad_norm[0, 0])})
        errors.append(abs(late / float(run.sharpness[0, 0]) - 1))
        if not errors[-1] < 1e-6:
            failures.append(f"{point_text(point)}: claimed edge at the late gradient norm off by {errors[-1]:.2g}")
    detail = failures[0] if failures else "claimed edge at the late gradient norm against the top curvature"
    return Check(name, not failures, cases, max(errors), detail)


def _never_unstable(subject: Subject, name: str, hessian: np.ndarray, rng: np.random.Generator, cases: int) -> Check:
    assert subject.rule is not None
    start, probe = rng.standard_normal(len(hessian)), np.linalg.eigh(hessian)[1][:, -1]
    growth = []
    for scale in np.geomspace(1e-2, 1e4, cases):
        point = {n: float(v[0]) for n, v in subject.draw(rng, 1).items()}
        bound = subject.rule(**{n: point.get(n, 1.0) for n in subject.rule.hyper})
        growth.append(_growth(Quadratic(scale * hessian), bound, probe, start))
    return Check(name, max(growth) < 0, cases, detail=f"largest log growth of the top component {max(growth):.2g}")


def _claimed(subject: Subject, point: dict[str, float]) -> float:
    wanted = {n: np.array([point[n]]) for n in subject.claim.domain}
    return float(claimed(subject, wanted)[0])
