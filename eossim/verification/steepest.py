"""Experiments on steepest descent in any norm: edges, cones, cycles and identities against literal runs.

Hessians are random or those of the least squares of a data set. Predictions are generalised sharpnesses and what the
derivations say of them; what they are held against is `simulate`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..curvature.generalized import generalized_sharpness
from ..engine.adaptive import adaptive_descent
from ..engine.record import Record
from ..engine.simulate import simulate
from ..engine.steepest import normalized_steepest_descent, steepest_descent
from ..norms import L1, L2, BlockMax, Linf, Lp, Norm, Spectral
from ..problems import MatrixFactorization, Quadratic
from .descents import ABOVE, centred, cycle, falls, grows, norms_of
from .report import Check, judged


def norms_below_edge(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Below 2/S, S at most its certified bound, every run in every norm converges at the proven rate."""
    failures, tried = [], 0
    for _ in range(cases):
        problem = centred(source(rng))
        for norm in norms_of(problem.dim):
            tried += 32
            failures += [wrong] if (wrong := falls(problem, norm, generalized_sharpness(problem, norm), rng)) else []
    return judged(name, failures, tried, "every step at the proven rate")


def norms_above_edge(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Above 2/S the ray of the maximiser diverges with the factor eta S - 1 a step, and so does a start near it.

    No direction of a thousand random extreme points has more curvature.
    """
    failures, worst, tried, shown = [], 0.0, 0, (np.nan, np.nan)
    for _ in range(cases):
        problem = centred(source(rng))
        for norm in norms_of(problem.dim):
            sharpness = generalized_sharpness(problem, norm)
            predicted, stepped = shown = grows(problem, norm, sharpness)
            tried, worst = tried + 1, max(worst, abs(stepped / predicted - 1))
            # a witness that is stationary up to its gap leaves its ray by that much
            if not abs(stepped / predicted - 1) <= 1e-9 + 10 * sharpness.gap / sharpness.value:
                failures.append(f"{norm}: growth {predicted:.9g} predicted, {stepped:.9g} stepped")
            near = sharpness.witness + 1e-3 * rng.standard_normal(problem.dim) / np.sqrt(problem.dim)
            run = simulate(problem, steepest_descent(norm, 2 * ABOVE / sharpness.value), near, 60,
                           record=Record(at=[50, 60], what=("w",)))  # fmt: skip
            size = norm.norm(run.w.values[0])
            if not abs((size[1] / size[0]) ** 0.1 / predicted - 1) <= 1e-3:
                failures.append(f"{norm}: a start near the ray grows by {(size[1] / size[0]) ** 0.1:.6g} a step")
            corners = norm.lmo(rng.standard_normal((1000, problem.dim)))
            most = np.einsum("si,ij,sj->s", corners, problem.hessian(), corners).max()
            if not most <= sharpness.upper_bound * (1 + 1e-9) or (
                sharpness.exact and most > sharpness.value * (1 + 1e-9)
            ):
                failures.append(f"{norm}: a random direction has the curvature {most:.9g}, S = {sharpness.value:.9g}")
    return judged(name, failures, tried, "growth a step on the ray of the maximiser", worst, shown)


def norms_coexistence(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Just above the edge every run of l2 grows; of linf most but not all do: lower stationary values catch some.

    Of random starts on random Hessians W Wᵀ, dim 6; below the edge none grows.
    """
    failures, grown = [], {}
    hessians, starts, steps = 4 * cases, 32, 4000
    for norm in (L2(), L1(), Linf()):
        for level in (0.99, 1.01):
            shares = []
            for _ in range(hessians):
                root = rng.standard_normal((6, 6))
                problem = Quadratic(root @ root.T)
                eta = level * 2 / generalized_sharpness(problem, norm).value
                record = Record(at=[0, steps], what=("loss",))
                run = simulate(problem, steepest_descent(norm, eta), rng.standard_normal((starts, 6)), steps,
                               record=record)  # fmt: skip
                first, last = run.loss.values.T
                shares.append(float(np.mean(~(last <= first))))  # on the ray by 1.02^8000; nan has diverged
            grown[norm.name, level] = float(np.mean(shares))
    for norm_name in ("l2", "l1", "linf"):
        if grown[norm_name, 0.99]:
            failures.append(f"{norm_name}: {grown[norm_name, 0.99]:.3g} of the runs grow below the edge")
    if grown["l2", 1.01] < 1:
        failures.append(f"l2: only {grown['l2', 1.01]:.3g} of the runs grow above the edge")
    if not 0.5 < grown["linf", 1.01] < 1:
        failures.append(f"linf: {grown['linf', 1.01]:.3g} of the runs grow at 1.01 times the edge")
    detail = ", ".join(f"{100 * grown[n, 1.01]:.1f} % of {n}" for n in ("l2", "l1", "linf"))
    return judged(name, failures, 6 * hessians * starts, f"at 1.01 times the edge {detail} runs grow")


def linf_freezing(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """While the signs stand, linf descent moves one scalar: w_t = v + (1 - eta σᵀHσ)^t c σ, v frozen."""
    failures, worst, steps = [], 0.0, 12
    for case in range(cases):
        problem = centred(source(rng))
        H = problem.hessian()
        d = generalized_sharpness(problem, Linf()).witness
        s = float(d @ H @ d)
        v = rng.standard_normal(problem.dim)
        v -= d * (d @ H @ v) / s
        moved = np.abs(H @ d) > 1e-9 * s  # a coordinate without curvature has no sign
        multiplier = (-1.2, 0.85)[case % 2]
        room = min(1.0, abs(multiplier)) ** steps * np.abs(H @ d)[moved]
        v *= 0.5 * np.min(room / np.maximum(np.abs(H @ v)[moved], 1e-300))
        if not np.all(d[moved] * (H @ d)[moved] > 0):
            failures.append(f"the maximiser on {problem!r} is not stationary")
            continue
        method = steepest_descent(Linf(), (1 - multiplier) / s)
        w = simulate(problem, method, v + d, steps, record=Record(every=1, what=("w",))).w.values[0]
        predicted = v + multiplier ** np.arange(steps + 1)[:, None] * d
        off = float(np.abs(w - predicted)[:, moved].max() / np.abs(predicted).max())
        worst = max(worst, off)
        if not off <= 1e-9:
            failures.append(f"linf descent on {problem!r} leaves the predicted line by a relative {off:.3g}")
    return judged(name, failures, cases * steps, "iterates on the line of the sign pattern", worst)


def divergence_cone(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Near the ray of the maximiser d a run is c (d + delta), delta+ = (1 - eta s J) delta / (1 - eta s).

    c+ = (1 - eta s) c, and J = D LMO(Hd) H from differences of the LMO. At eta s = 5/2 the run grows and deviations
    shrink, at 3/2 it shrinks and deviations grow.
    """
    failures, worst, tried, steps = [], 0.0, 0, 8
    for _ in range(cases):
        root = rng.standard_normal((6, 6))
        H = root @ root.T
        problem = Quadratic(H)
        for norm in (Lp(3), BlockMax([[0, 1], [2, 3], [4, 5]]), Spectral([(2, 3)])):
            sharpness = generalized_sharpness(problem, norm, restarts=20)
            if sharpness.gap > 1e-9 * sharpness.value:
                continue  # not a stationary point to linearise at
            d = _on_the_ray(problem, norm, sharpness.witness)
            g, s = H @ d, float(d @ H @ d)
            h = 1e-5 * np.abs(g).max()
            J = np.stack([(norm.lmo(g + h * e) - norm.lmo(g - h * e)) / (2 * h) for e in np.eye(6)], axis=1) @ H
            for level in (2.5, 1.5):
                across = rng.standard_normal(6)
                across -= d * (g @ across) / s
                start = d + 1e-7 * across
                run = simulate(problem, steepest_descent(norm, level / s), start, steps,
                               record=Record(at=[steps - 1, steps], what=("w",)))  # fmt: skip
                w = run.w.values[0]
                along = w @ g / s
                A = (np.eye(6) - level * J) / (1 - level)
                predicted = np.linalg.matrix_power(A, steps) @ (1e-7 * across)
                off = float(np.linalg.norm(w[1] / along[1] - d - predicted) / np.linalg.norm(predicted))
                tried, worst = tried + 1, max(worst, off)
                if not off <= 0.01 or not abs(along[1] / along[0] / (1 - level) - 1) <= 1e-6:
                    factor = along[1] / along[0]
                    failures.append(
                        f"{norm}, eta s = {level:g}: deviations off by {100 * off:.3g} %, factor {factor:.9g}"
                    )
    if not tried:
        failures.append("no stationary maximiser found")
    return judged(name, failures, tried, "deviations from the ray, above and below the edge", worst)


def _on_the_ray(problem: Quadratic, norm: Norm, d: np.ndarray) -> np.ndarray:
    """Return the direction nearer to stationary: a witness is on its ray to the root of its gap only."""
    H, last = problem.hessian(), np.inf
    for _ in range(5000):
        before, d = d, norm.lmo(H @ d)
        moved = float(np.abs(d - before).max())
        if moved <= 1e-15 or (moved >= last and moved <= 1e-14):
            break
        last = moved
    return d


def normalized_two_cycles(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """On every 2-cycle of a normalised method the mean dual gradient norm is eta s / 2, s = D at most S."""
    failures, worst, tried, shown = [], 0.0, 0, (np.nan, np.nan)
    for _ in range(cases):
        problem = centred(source(rng))
        for norm in (L2(), Linf(), *norms_of(problem.dim)[6:8]):
            eta = 0.1
            G, s = cycle(problem, norm, eta, rng)
            if not len(G):
                continue
            tried += len(G)
            off = float(np.abs(2 * G / (eta * s) - 1).max())
            bound = generalized_sharpness(problem, norm).upper_bound
            worst, shown = max(worst, off), (eta * s[0] / 2, G[0])
            if not off <= 1e-6:
                failures.append(f"{norm}: mean dual norm is {1 + off:.9g} times eta s / 2")
            if not s.max() <= bound * (1 + 1e-9):
                failures.append(f"{norm}: curvature {s.max():.9g} of a cycle above the sharpness {bound:.9g}")
    if not tried:
        failures.append("no run ended on a 2-cycle")
    return judged(name, failures, tried, "mean dual gradient norm of settled 2-cycles", worst, shown)


def descent_identities(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """The change of the loss and its telescoped sum are the identities in D, in every norm, normalised or not."""
    failures, worst, tried = [], 0.0, 0
    for case in range(cases):
        problem = centred(source(rng))
        toy = MatrixFactorization(rng.standard_normal((2, 3)), 2)
        for current in (problem, toy):
            for norm in norms_of(current.dim):
                start = rng.standard_normal((4, current.dim))
                scale = generalized_sharpness(current, norm, start[0], method="estimate", bound=False).value
                method = (steepest_descent, normalized_steepest_descent)[case % 2](norm, 0.3 / max(scale, 1e-3))
                run = simulate(current, method, start, 40)
                found = (float(run.identity_residual[:, :-1].max()), float(run.telescoped_residual.max()))
                tried += run.identity_residual.size
                worst = max(worst, *found)
                if not max(found) <= 1e-10:
                    failures.append(f"{method!r} on {current!r}: residuals {found[0]:.3g} and {found[1]:.3g}")
    return judged(name, failures, tried, "relative residuals of the identities", worst)


def adapted_step_limits(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Dai-Yang steps tend to 2/(h_1 + h_n), 1/D there iff h_1 >= 3 h_n; of Cauchy steps 1/a + 1/b = h_1 + h_n."""
    failures, worst, shown, steps = [], 0.0, (np.nan, np.nan), 400
    for case in range(4 * cases):
        low = 10 ** rng.uniform(-2, 2)
        high = low * (rng.uniform(1.9, 2.5) if case % 2 else rng.uniform(3.5, 6))  # others converge slowly
        problem = Quadratic([low, 0.5 * (low + high), high])
        center = 2 / (low + high)
        start = rng.choice([-1, 1], 3) * rng.uniform(0.5, 2, 3)
        limits = {"dai_yang": center, "half_dai_yang": center if high >= 3 * low else 0.5 / low, "cauchy": low + high}
        for step, expected in limits.items():
            run = simulate(problem, adaptive_descent(step), start, steps,
                           record=Record(at=[steps - 2, steps - 1], what=("step_size",)))  # fmt: skip
            last = run.step_size.values[0]
            measured = float((1 / last).sum() if step == "cauchy" else last[1])
            shown = expected, measured
            worst = max(worst, abs(measured / expected - 1))
            if not abs(measured / expected - 1) <= 1e-6:
                failures.append(f"{step} on curvatures {low:.4g} to {high:.4g}: {measured:.9g}, not {expected:.9g}")
    return judged(name, failures, 12 * cases, "late step sizes", worst, shown)


def linf_on_ab_toy(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """On (ab - 1)²/2 linf descent keeps a - b, converges below 2/(δ² + 4) and cycles above it, mean D = 2/eta.

    Starts are near the minimum: the conservation holds while a and b are positive.
    """
    failures, steps, count = [], 6000, 8 * cases
    delta = rng.uniform(0, 1.5, count)
    b = rng.uniform(0.95, 1.05, count) * (np.sqrt(delta**2 + 4) - delta) / 2
    level = np.where(np.arange(count) % 2, 1.03, 0.95)
    eta = level * 2 / (delta**2 + 4)
    record = Record(at=[0, 1, 10, 100, *range(steps - 3, steps + 1)],
                    what=("w", "loss", "directional_smoothness", "dual_norm"))  # fmt: skip
    toy = MatrixFactorization([[1.0]], 1)
    run = simulate(toy, steepest_descent(Linf(), eta), np.stack([b + delta, b], axis=1), steps, record=record)
    kept, loss = run.w.values[..., 0] - run.w.values[..., 1], run.loss.values[:, -1]
    G, D = run.dual_norm.values[:, -3:-1], run.directional_smoothness.values[:, -3:-1]
    above, weight = level > 1, G * G
    error = np.abs((weight * D).sum(axis=1) / weight.sum(axis=1) * eta / 2 - 1)[above]
    if not np.abs(kept - delta[:, None]).max() <= 1e-9:
        failures.append(f"a - b moves by {np.abs(kept - delta[:, None]).max():.3g}")
    if not loss[~above].max() <= 1e-20:
        failures.append(f"loss {loss[~above].max():.3g} at 0.95 of the edge")
    if not (loss[above].min() > 1e-8 and error.max() <= 1e-8):
        failures.append(f"at 1.03 of the edge: loss {loss[above].min():.3g}, mean D off 2/eta by {error.max():.3g}")
    shown = 2 / eta[-1], float((weight[-1] * D[-1]).sum() / weight[-1].sum())
    return judged(name, failures, count, "G²-weighted mean of D on the 2-cycle", float(error.max()), shown)


STEEPEST = {
    "norms_below_edge": norms_below_edge,
    "norms_above_edge": norms_above_edge,
    "norms_coexistence": norms_coexistence,
    "linf_freezing": linf_freezing,
    "divergence_cone": divergence_cone,
    "normalized_two_cycles": normalized_two_cycles,
    "descent_identities": descent_identities,
    "adapted_step_limits": adapted_step_limits,
    "linf_on_ab_toy": linf_on_ab_toy,
}
