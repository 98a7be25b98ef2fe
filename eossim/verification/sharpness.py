"""Experiments on the generalised sharpness: against what is written out by hand, its bounds, and runs at its edge."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..curvature.bounds import upper_bound
from ..curvature.generalized import generalized_sharpness
from ..curvature.operator import Operator
from ..engine.record import Record
from ..engine.simulate import simulate
from ..engine.steepest import steepest_descent
from ..norms import L1, BlockMax, BlockSum, Linf, Lp, Spectral
from ..problems import Quadratic
from .descents import centred, norms_of
from .report import Check, judged


def coordinate_descent_edge(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Greedy coordinate and block descent: S is the largest H_ii, the largest top eigenvalue of a block."""
    failures, tried, shown = [], 0, (np.nan, np.nan)
    for _ in range(cases):
        problem = centred(source(rng))
        H, dim = problem.hessian(), problem.dim
        blocks = [list(block) for block in np.array_split(rng.permutation(dim), min(3, dim))]
        tops = [np.linalg.eigh(H[np.ix_(block, block)]) for block in blocks]
        best = int(np.argmax([values[-1] for values, _ in tops]))
        ray = np.zeros(dim)
        ray[blocks[best]] = tops[best][1][:, -1]
        written_out = ((L1(), float(np.diag(H).max()), np.eye(dim)[int(np.diag(H).argmax())]),
                       (BlockSum(blocks), float(tops[best][0][-1]), ray))  # fmt: skip
        for norm, expected, direction in written_out:
            found = generalized_sharpness(problem, norm).value
            shown = expected, found
            if not abs(found / expected - 1) <= 1e-9:
                failures.append(f"{norm}: sharpness {found:.12g}, written out {expected:.12g}")
            for level, start in ((0.98, rng.standard_normal(dim)), (1.02, direction)):
                run = simulate(problem, steepest_descent(norm, level * 2 / expected), start, 400,
                               record=Record(at=[0, 400], what=("loss",)))  # fmt: skip
                tried += 1
                first, last = run.loss.values[0]
                if not (last < first if level < 1 else last > 1e3 * first):
                    failures.append(f"{norm}: at {level:g} times 2/S the loss goes from {first:.4g} to {last:.4g}")
    return judged(name, failures, tried, "runs on both sides of the edge", shown=shown)


def sharpness_estimator(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """The estimate is never above the exact value or an upper bound, and misses at most 0.1 % where that is known."""
    failures, least, tried = [], np.inf, 0
    for _ in range(cases):
        problem = centred(source(rng))
        for norm in norms_of(problem.dim):
            guess = generalized_sharpness(problem, norm, method="estimate", seed=int(rng.integers(2**31)))
            best = generalized_sharpness(problem, norm)
            tried += 1
            attained = guess.witness @ problem.hessian() @ guess.witness / norm.norm(guess.witness) ** 2
            if not guess.frank_wolfe <= guess.value * (1 + 1e-12):
                failures.append(f"{norm}: Frank-Wolfe {guess.frank_wolfe:.12g} above the estimate {guess.value:.12g}")
            if not guess.value <= best.upper_bound * (1 + 1e-9) or not abs(attained / guess.value - 1) <= 1e-9:
                failures.append(f"{norm}: estimate {guess.value:.12g}, bound {best.upper_bound:.12g}, {attained:.12g}")
            if best.exact:
                least = min(least, guess.value / best.value)
                if not 0.999 <= guess.value / best.value <= 1 + 1e-9:
                    failures.append(f"{norm}: estimate {guess.value:.9g}, exact {best.value:.9g} on {problem!r}")
    return judged(name, failures, tried, f"least ratio to the exact value {least:.6f}", 1 - least)


def sharpness_bounds(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """The bounds between norms on semidefinite Hessians, by the top eigenvalue and by the trace."""
    failures, tried = [], 0
    for _ in range(cases):
        problem = centred(source(rng))
        H, dim = problem.hessian(), problem.dim
        top = float(problem.eigenvalues[-1])
        found = {norm: generalized_sharpness(problem, norm) for norm in norms_of(dim)}
        low = {type(norm): s.value for norm, s in found.items()}
        high = {type(norm): upper_bound(norm, Operator.of_matrix(H))[0] for norm in found}
        spectral = next(norm for norm in found if isinstance(norm, Spectral))
        blocks = next(norm for norm in found if isinstance(norm, BlockMax)).blocks
        rank = sum(min(shape) for shape in spectral.shapes)
        pairs = {
            "lambda_1 <= S_linf": (top, high[Linf]),
            "S_linf <= d lambda_1": (low[Linf], dim * top),
            "tr H <= S_linf": (np.trace(H), high[Linf]),
            "S_linf <= sum |H_ij|": (low[Linf], np.abs(H).sum()),
            "S_l3 <= d^(1/3) lambda_1": (low[Lp], dim ** (1 / 3) * top),
            "lambda_1 <= S_l3": (top, high[Lp]),
            "S_l1 <= lambda_1": (low[L1], top),
            "S_spectral <= S_linf": (low[Spectral], high[Linf]),
            "S_spectral <= r lambda_1": (low[Spectral], rank * top),
            "lambda_1 <= S_spectral": (top, high[Spectral]),
            "lambda_1 <= S_block_max": (top, high[BlockMax]),
            "S_block_max <= B lambda_1": (low[BlockMax], len(blocks) * top),
            "S_block_sum <= lambda_1": (low[BlockSum], top),
            "lambda_1 <= B S_block_sum": (top, len(blocks) * high[BlockSum]),
        }
        pairs |= {f"S in {kind.__name__} <= its upper bound": (low[kind], high[kind]) for kind in low}
        tried += len(pairs)
        failures += [f"{k} fails: {a:.9g} > {b:.9g}" for k, (a, b) in pairs.items() if not a <= b * (1 + 1e-9)]
    return judged(name, failures, tried, "bounds between norms")


def euclidean_sharpness_is_blind(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Two Hessians with one spectrum: at one step size linf descent converges on the diagonal one and diverges on it.

    The diagonal Hessian of the eigenvalues has S = tr H, the least that a Hessian with this spectrum can have.
    """
    failures, shown = [], (np.nan, np.nan)
    for _ in range(cases):
        turned = centred(source(rng))
        plain = Quadratic(np.maximum(turned.eigenvalues, 0.0))
        sharpness = generalized_sharpness(turned, Linf())
        trace = float(plain.eigenvalues.sum())
        shown = trace, sharpness.value
        if not sharpness.value > 1.02 * trace:
            continue  # nearly diagonal already: no step size in between
        eta = 2 / np.sqrt(trace * sharpness.value)
        ends = []
        for problem, start in ((plain, rng.standard_normal(plain.dim)), (turned, sharpness.witness)):
            run = simulate(problem, steepest_descent(Linf(), eta), start, 2000,
                           record=Record(at=[0, 2000], what=("loss",)))  # fmt: skip
            first, last = run.loss.values[0]
            ends.append(last / first)
        if not (ends[0] <= 1 and not ends[1] <= 1e3):
            failures.append(f"eta = {eta:.6g}: losses end at {ends[0]:.3g} and {ends[1]:.3g} of their start")
    detail = f"one spectrum, S = {shown[0]:.4g} in its own axes and {shown[1]:.4g} turned"
    return judged(name, failures, 2 * cases, detail)


SHARPNESS = {
    "coordinate_descent_edge": coordinate_descent_edge,
    "sharpness_estimator": sharpness_estimator,
    "sharpness_bounds": sharpness_bounds,
    "euclidean_sharpness_is_blind": euclidean_sharpness_is_blind,
}
