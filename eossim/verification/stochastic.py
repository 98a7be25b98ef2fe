"""Experiments on mini-batches: exact moments, edges and stationary laws of SGD against its runs."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from ..engine.record import Record
from ..engine.sampling import sgd
from ..engine.simulate import simulate
from ..measure import batch_sharpness, gradient_moments
from ..problems import LeastSquares, QuadraticSum
from ..theory.mean_square import MeanSquare, Reshuffled
from .report import Check, judged

#: Standard errors that a simulated mean may be off.
_ERRORS = 5.0


def part_of(problem: LeastSquares, samples: int = 200, columns: int = 6) -> LeastSquares:
    """Return least squares on a part of the data: brute force on all of it would take too long."""
    return LeastSquares(problem.X[:samples, :columns], problem.y[:samples])


def _off(drawn: np.ndarray, exact: np.ndarray) -> float:
    """Return how many standard errors the mean over the first axis is off, at most."""
    error = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn)) + 1e-9 * np.abs(exact)  # b = n has no spread
    return float(np.max(np.abs(drawn.mean(axis=0) - exact) / error))


def _excess(problem: Any, w: np.ndarray) -> np.ndarray:
    """Return the loss above its minimum at iterates (..., dim), from the distance to the minimiser."""
    away = w - problem.minimizer
    return 0.5 * np.einsum("...i,ij,...j", away, problem.hessian(), away)


def gradient_moments_of_batches(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Ratio of means, IAS and GNI in closed form against all batches, gradients and Hessians written out."""
    failures, count = [], 0
    for _ in range(cases):
        problem = part_of(source(rng), 7, 4)
        w, n = problem.minimizer + rng.standard_normal(problem.dim), problem.n_samples
        gradients, size = problem.sample_gradients(w), int(rng.integers(1, n + 1))
        hessians = 2 * problem.loss_factor * n * problem.X[:, :, None] * problem.X[:, None, :]
        H, full = problem.hessian(), gradients.mean(axis=0)
        rows = []
        for batch in combinations(range(n), size):
            g, HB = gradients[list(batch)].mean(axis=0), hessians[list(batch)].mean(axis=0)
            rows.append((g @ HB @ g, g @ H @ g, g @ g))
        own, shared, square = np.mean(rows, axis=0)
        found = gradient_moments(problem, w, size)
        expected = (own / square, shared / square, shared / (full @ full))
        values = (found.ratio_of_means, found.interaction_aware_sharpness, found.gradient_noise_interaction)
        count += len(rows)
        if not np.allclose(values, expected, rtol=1e-9):
            failures.append(f"b = {size} on {problem!r}: {values} in closed form, {expected} over all batches")
    return judged(name, failures, count, "three ratios over every batch")


def second_moments(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Exact excess loss along SGD against the mean over runs, for batch sizes from 1 to n, with momentum too."""
    failures, worst, steps = [], 0.0, [1, 3, 10, 30]
    for case in range(cases):
        problem = source(rng)
        n = problem.n_samples
        size = (2, n // 2, 1, n, int(rng.integers(1, n + 1)), 2)[case % 6]
        beta, sampling = (0.0, 0.5)[case % 2], ("without_replacement", "iid")[case // 2 % 2]
        theory = MeanSquare(problem, size, replacement=sampling == "iid", beta=beta)
        eta = 0.3 * theory.critical_step
        start = problem.minimizer + problem.modes.coordinates @ rng.standard_normal(problem.rank)
        exact = theory.second_moment(eta, start, steps=steps).excess_loss.values
        method = sgd(eta=np.full(4000, eta), batch_size=size, beta=beta or None, sampling=sampling)
        record = Record(at=steps, what=("w",))
        run = simulate(problem, method, start, steps[-1], record=record, seed=int(rng.integers(2**31)))
        off = _off(_excess(problem, run.w.values), exact)
        worst = max(worst, off)
        if not off <= _ERRORS:
            failures.append(f"b = {size}, beta = {beta:g}, {sampling} on {problem!r}: off by {off:.3g} standard errors")
    return judged(name, failures, cases * len(steps), f"at most {worst:.2g} standard errors off")


def critical_steps(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """The radius of E[M kron M], written out batch by batch, is 1 at the critical step; runs agree above it."""
    failures, shown = [], (np.nan, np.nan)
    for case in range(cases):
        problem = part_of(source(rng), 200 if case % 2 else 6, 4)
        n, modes = problem.n_samples, problem.modes
        size = 1 if n > 6 else int(rng.integers(1, n + 1))
        critical = MeanSquare(problem, size).critical_step
        rows = problem.X @ modes.coordinates
        hessians = 2 * problem.loss_factor * n * rows[:, :, None] * rows[:, None, :]
        means = [hessians[list(batch)].mean(axis=0) for batch in combinations(range(n), size)]
        radii = []
        for factor in (1 - 1e-6, 1 + 1e-6):
            steps = [np.eye(problem.rank) - factor * critical * H for H in means]
            operator = np.mean([np.kron(M, M) for M in steps], axis=0)
            radii.append(float(np.max(np.abs(np.linalg.eigvals(operator)))))
        shown = critical, radii[1]
        if not radii[0] < 1 < radii[1]:
            failures.append(f"b = {size} on {problem!r}: radii {radii} about the critical step {critical:.10g}")
        growing = MeanSquare(problem, size).second_moment(1.3 * critical, steps=[0, 1, 2, 3]).excess_loss.values
        method = sgd(eta=np.full(20_000, 1.3 * critical), batch_size=size)
        record = Record(at=[1, 2, 3], what=("w",))
        run = simulate(problem, method, np.zeros(problem.dim), 3, record=record, seed=int(rng.integers(2**31)))
        off = _off(_excess(problem, run.w.values), growing[1:])
        if not off <= _ERRORS + 1:  # heavy tails above the edge
            failures.append(f"b = {size} on {problem!r}: above the edge off by {off:.3g} standard errors")
    return judged(name, failures, 2 * cases, "radius of the written-out operator at eta* (1 ± 1e-6)", shown=shown)


def stationary_laws(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Late excess loss is that of the stationary covariance, and GNI along the run is 2/eta, at two step sizes."""
    failures, worst, shown = [], 0.0, (np.nan, np.nan)
    for case in range(cases):
        problem = part_of(source(rng), 60, 4)
        size = (1, 4)[case % 2]
        theory = MeanSquare(problem, size)
        eta = (0.2, 0.4)[case // 2 % 2] * theory.critical_step
        law = theory.stationary(eta)
        slowest = 1 / (eta * problem.modes.curvature[-1])
        begin, every = int(10 * slowest) + 1, max(1, int(slowest))
        at = begin + every * np.arange(8)
        method = sgd(eta=np.full(400, eta), batch_size=size)
        record = Record(at=at, what=("w",))
        run = simulate(problem, method, problem.minimizer, int(at[-1]), record=record, seed=int(rng.integers(2**31)))
        late = _excess(problem, run.w.values).mean(axis=1)
        off = _off(late, np.asarray(law.excess_loss))
        worst = max(worst, off)
        if not off <= _ERRORS:
            failures.append(f"b = {size}, eta = {eta:.4g} on {problem!r}: excess off by {off:.3g} standard errors")
        away = (run.w.values - problem.minimizer).reshape(-1, problem.dim)
        moments = [gradient_moments(problem, problem.minimizer + a, size) for a in away[:: max(1, len(away) // 400)]]
        ratio = np.sum([m.full_curvature for m in moments]) / np.sum([m.full_grad_square for m in moments])
        shown = 2 / eta, ratio
        if not abs(ratio * eta / 2 - 1) < 0.2:
            failures.append(f"b = {size} on {problem!r}: GNI {ratio:.4g} against 2/eta = {2 / eta:.4g}")
    return judged(
        name, failures, cases * 2, f"excess at most {worst:.2g} standard errors off, GNI within 20 %", shown=shown
    )


def reshuffled_laws(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """The stationary law of reshuffled batches, position by position, against long runs."""
    failures, worst = [], 0.0
    for case in range(cases):
        problem = part_of(source(rng), 4, 2)
        size = (1, 2)[case % 2]
        theory = Reshuffled(problem, size)
        eta = 0.3 * theory.critical_step
        law, per_epoch = theory.stationary(eta), 4 // size
        begin = per_epoch * (int(20 / (eta * problem.modes.curvature[-1] * per_epoch)) + 2)
        method = sgd(eta=np.full(4000, eta), batch_size=size, sampling="reshuffle")
        record = Record(at=begin + np.arange(per_epoch), what=("w",))
        run = simulate(problem, method, problem.minimizer, begin + per_epoch, record=record,
                       seed=int(rng.integers(2**31)))  # fmt: skip
        off = _off(_excess(problem, run.w.values), np.asarray(law.excess_loss))
        worst = max(worst, off)
        if not off <= _ERRORS:
            failures.append(f"b = {size}, eta = {eta:.4g} on {problem!r}: off by {off:.3g} standard errors")
    return judged(name, failures, cases, f"at most {worst:.2g} standard errors off")


def interventions(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Noise-driven or curvature-driven: change eta or the batch of a run, and see.

    From a stationary run a larger eta below the edge moves the level to the new law; a smaller batch, whose edge is
    below eta, makes the run grow at the exact rate.
    """
    failures, worst, compared = [], 0.0, 0
    for _ in range(cases):
        problem = part_of(source(rng), 40, 3)
        one, four = MeanSquare(problem, 1), MeanSquare(problem, 4)
        eta = 0.25 * one.critical_step
        settle = int(12 / (eta * problem.modes.curvature[-1])) + 1
        stationary = simulate(problem, sgd(eta=np.full(2000, eta), batch_size=1), problem.minimizer, settle,
                              record=Record(at=[settle], what=("w",)), seed=int(rng.integers(2**31)))  # fmt: skip
        starts = stationary.w.values[:, -1]
        louder = simulate(problem, sgd(eta=np.full(2000, 1.5 * eta), batch_size=1), starts, settle,
                          record=Record(at=[settle], what=("w",)), seed=int(rng.integers(2**31)))  # fmt: skip
        level = one.stationary(1.5 * eta).excess_loss
        off = _off(_excess(problem, louder.w.values[:, -1]), np.asarray(level))
        worst = max(worst, off)
        if not off <= _ERRORS:
            failures.append(f"{problem!r}: after eta -> 1.5 eta the level is off by {off:.3g} standard errors")
        between = min(0.6 * four.critical_step, 3 * one.critical_step)
        if between <= 1.2 * one.critical_step:
            continue  # the batch hardly moves the edge of this problem
        grown = one.second_moment(between, steps=[0, 1, 2], w0=np.zeros(problem.dim)).excess_loss.values
        calm = four.spectral_radius(between)
        radius, late = float(one.spectral_radius(between)), 400
        far = one.second_moment(between, steps=[late, late + 1], w0=np.zeros(problem.dim)).excess_loss.values
        compared += 1
        if not calm < 1 < radius or not abs(far[1] / far[0] - radius) < 1e-3 * radius:
            failures.append(f"{problem!r}: b = 4 -> 1 at eta = {between:.4g} does not lose stability")
        run = simulate(problem, sgd(eta=np.full(20_000, between), batch_size=1), np.zeros(problem.dim), 2,
                       record=Record(at=[1, 2], what=("w",)), seed=int(rng.integers(2**31)))  # fmt: skip
        off = _off(_excess(problem, run.w.values), grown[1:])
        if not off <= _ERRORS + 1:
            failures.append(f"{problem!r}: growth after b = 4 -> 1 is off by {off:.3g} standard errors")
    return judged(
        name, failures, cases + compared, f"levels at most {worst:.2g} standard errors off, growth as predicted"
    )


def sharpness_is_no_edge(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Six icosahedron axes: eta times batch sharpness exceeds 2, yet the second moment falls as predicted."""
    golden, e, eta = (1 + np.sqrt(5)) / 2, 0.2, 2.12
    axes = np.array([[0, 1, golden], [0, 1, -golden], [1, golden, 0], [1, -golden, 0], [golden, 0, 1], [-golden, 0, 1]])
    axes /= np.linalg.norm(axes[0])
    problem = QuadraticSum(np.eye(3) - (1 - e) * axes[:, :, None] * axes[:, None, :], np.zeros((6, 3)))
    theory, point = MeanSquare(problem, 1), np.ones(3)
    product = eta * float(batch_sharpness(problem, point, 1))
    steps = [10, 20]
    exact = theory.second_moment(eta, point, steps=steps).excess_loss.values
    run = simulate(
        problem, sgd(eta=np.full(20_000, eta), batch_size=1), point, 20, record=Record(at=steps, what=("w",))
    )
    off = _off(_excess(problem, run.w.values), exact)
    radius = float(theory.spectral_radius(eta))
    failures = []
    if not (product > 2 and radius < 1):
        failures.append(f"eta * batch sharpness {product:.6g}, radius {radius:.6g}")
    if not off <= _ERRORS + 1:
        failures.append(f"simulated second moment off by {off:.3g} standard errors")
    return judged(
        name, failures, 3, f"eta * batch sharpness {product:.5g} > 2, radius {radius:.6g} < 1", shown=(radius, radius)
    )


STOCHASTIC = {
    "gradient_moments_of_batches": gradient_moments_of_batches,
    "second_moments": second_moments,
    "critical_steps": critical_steps,
    "stationary_laws": stationary_laws,
    "reshuffled_laws": reshuffled_laws,
    "interventions": interventions,
    "sharpness_is_no_edge": sharpness_is_no_edge,
}
