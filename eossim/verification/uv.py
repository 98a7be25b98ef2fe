"""Experiments on the uv model: maps, Hessian, thresholds, averages, fixed points and cycles against literal runs.

Predictions are those of `eossim.theory.uv`; what they are held against is gradient descent on the parameters, or steps
of the exact map where the starts are what matters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import catalogue
from ..dynamics import edge_bisection, lyapunov_exponent, period
from ..engine.iterate import extremes, orbit
from ..engine.record import Record
from ..engine.simulate import simulate
from ..maps import uv, uv_balanced, uv_function, uv_residual
from ..problems import UVModel
from ..theory import uv as theory
from .report import Check, judged

#: Standard errors that a mean may be off.
_ERRORS = 5.0
#: Distance from a threshold, relative, at which both sides are tried.
_NEAR = 1e-6


def _model(rng: np.random.Generator, y: float | None = None, width: int = 9) -> tuple[UVModel, np.ndarray]:
    """Return a random uv model with a point: any width below 9, up to three inputs, any scale of the output."""
    target = float(rng.normal()) if y is None else y
    n, d = int(rng.integers(1, width)), int(rng.integers(1, 4))
    problem = UVModel(n, x=rng.standard_normal(d) + 0.1, y=target, m=float(n ** rng.uniform(0, 2)))
    return problem, problem.initial(rng)


def _descent(problem: Any, eta: float, w: np.ndarray, steps: int) -> np.ndarray:
    """Return the points of gradient descent at steps 0 ... `steps`, shape (steps + 1, dim)."""
    gd = catalogue.lookup("gd")(eta=eta)
    return simulate(problem, gd, w, steps, record=Record(every=1, what=("w",))).w.values[0]


def _starts(k: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return (P, Q) of starts with eta lam = k, kappa f^2 / lam^2 = s and y = 0, shape (..., 2)."""
    return np.stack([k * (1 + 2 * np.sqrt(s)), k * (1 - 2 * np.sqrt(s))], axis=-1)


def uv_maps(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Gradient descent on U and v follows the maps of f and lam, and of P and Q, at each of five steps."""
    failures, worst, steps = [], 0.0, 5
    for _ in range(4 * cases):
        problem, w = _model(rng)
        eta = float(rng.uniform(0.1, 1.5) / problem.sharpness(w))
        path = _descent(problem, eta, w, steps)
        seen = np.stack([problem.function(path), problem.ntk(path)], axis=-1)
        P, Q, Y = problem.unit_free(path, eta)
        at = np.arange(steps + 1)
        scale = np.abs(seen).max(axis=0), np.abs([P, Q]).max()
        by_output = orbit(uv_function, seen[0], steps, at=at, eta=eta, kappa=problem.kappa, y=problem.y)[:, 0]
        by_sides = orbit(uv, [P[0], Q[0]], steps, at=at, Y=Y[0])[:, 0]
        off = max(
            float(np.max(np.abs(by_output - seen) / scale[0])),
            float(np.max(np.abs(by_sides - np.stack([P, Q], axis=-1)) / scale[1])),
        )
        worst = max(worst, off)
        if not off <= 1e-10:
            failures.append(f"{problem!r}: a map leaves gradient descent by a relative {off:.3g}")
    return judged(name, failures, 4 * cases * steps, "f, lam, P and Q at every step", worst)


def uv_hessian(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """All eigenvalues, the trace and the sharpness of the Hessian, by products with unit vectors."""
    failures, worst, shown = [], 0.0, (np.nan, np.nan)
    for _ in range(4 * cases):
        problem, w = _model(rng)
        eye = np.eye(problem.dim)
        hessian = problem.hvp(np.broadcast_to(w, eye.shape), eye)
        f, lam, kappa = float(problem.function(w)), float(problem.ntk(w)), problem.kappa
        top = float(theory.sharpness(f, lam, kappa, problem.y))
        side = np.sqrt(kappa) * abs(f - problem.y)
        rest = [side, -side] * (problem.width - 1)
        zeros = [0.0] * (problem.width * (problem.x.size - 1))
        predicted = np.sort([top, lam - top, *rest, *zeros])
        measured = np.linalg.eigvalsh(hessian)
        off = float(np.abs(predicted - measured).max() / top)
        off = max(off, abs(np.trace(hessian) / lam - 1), abs(float(problem.sharpness(w)) / measured[-1] - 1))
        worst, shown = max(worst, off), (top, measured[-1])
        if not off <= 1e-11:
            failures.append(f"{problem!r}: eigenvalues off by a relative {off:.3g}")
    return judged(name, failures, 4 * cases, "every eigenvalue", worst, shown)


def uv_thresholds(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Just above k_loss one step raises the loss, just below 1000 do not; so k_sharp and the sharpness; s < 1/8."""
    failures, count = [], 100 * cases
    s = np.concatenate([10 ** rng.uniform(-5, -1, count), rng.uniform(0.05, 0.1245, count)])
    for observable, threshold in (("loss", theory.k_loss(s)), ("sharpness", theory.k_sharp(s))):
        for level, steps in ((1 + _NEAR, 1), (1 - _NEAR, 1), (1 - _NEAR, 1000)):
            seen = extremes(uv, _starts(level * threshold, s), steps, Y=0.0)[observable]
            wrong = np.flatnonzero((seen.peak > seen.first) != (level > 1))
            if wrong.size:
                failures.append(
                    f"{observable} at {level:.7g} times its threshold, {steps} steps: wrong for {wrong.size} of "
                    f"{s.size} starts, s = {s[wrong[0]]:.6g}"
                )
    return judged(name, failures, 6 * s.size, "loss and sharpness rise exactly beyond their thresholds")


def uv_divergence(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Below eta lam = 4, y = 0, runs stay under the peak bound and the loss vanishes, above it they diverge."""
    failures, count, steps = [], 100 * cases, 5000
    s = 10 ** rng.uniform(-6, np.log10(0.2499), count)
    edge = theory.k_max(s)
    below = extremes(uv, _starts((1 - _NEAR) * edge, s), steps, Y=0.0)
    bound = float(theory.peak_bound(1.0, 1.0))
    if not np.all(below["loss"].peak < bound):
        failures.append(f"below k_max the loss reaches {below['loss'].peak.max():.6g}, the bound is {bound:g}")
    if not np.all(below["trace"].peak <= below["trace"].first) or not np.all(below["loss"].last <= 1e-3):
        failures.append(f"below k_max a run ends with the loss {below['loss'].last.max():.3g} or its trace grows")
    above = extremes(uv, _starts((1 + _NEAR) * edge, s), steps, Y=0.0)["trace"].peak
    if not np.all(np.isinf(above)):
        failures.append(f"above k_max {np.sum(np.isfinite(above))} of {count} runs stay finite")
    peak = float(below["loss"].peak.max())
    return judged(name, failures, 2 * count, f"largest loss below the edge {peak:.4g}, in units where the bound is 2")


def uv_conservation(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """P Q of descent on the parameters obeys (P Q)' = P Q (1 - e^2)^2; small steps end where gradient flow does."""
    failures, worst, shown = [], 0.0, (np.nan, np.nan)
    for _ in range(2 * cases):
        problem, w = _model(rng)
        eta = float(rng.uniform(0.1, 1.5) / problem.sharpness(w))
        P, Q, Y = problem.unit_free(_descent(problem, eta, w, 6), eta)
        e = (P - Q) / 4 - Y
        off = float(np.max(np.abs((P * Q)[1:] - (P * Q * (1 - e**2) ** 2)[:-1])) / np.max(P * Q))
        worst = max(worst, off)
        if not off <= 1e-12:
            failures.append(f"{problem!r}: the product law is off by a relative {off:.3g}")
        f, lam, kappa = float(problem.function(w)), float(problem.ntk(w)), problem.kappa
        end = float(theory.gradient_flow_end(f, lam, kappa, problem.y))
        ends = []
        for k in (0.002, 0.001):  # of the larger of start and end: stable throughout
            eta = k / max(lam, end)
            p, q, target = problem.unit_free(w, eta)
            steps = min(400_000, int(40 * max(lam, end) / (k * min(lam, end))))
            ends.append(orbit(uv, [p, q], steps, Y=target)[0, 0].sum() / (2 * eta))
        errors = np.array(ends) / end - 1
        shown = (end, 2 * ends[1] - ends[0])
        if not (abs(shown[1] / end - 1) <= 1e-4 and np.all(np.abs(errors) <= 0.02)):
            failures.append(f"{problem!r}: descent ends at lam = {ends[1]:.8g}, gradient flow at {end:.8g}")
    return judged(name, failures, 16 * cases, "product law at each step; end of small steps", worst, shown)


def uv_segment(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """The loss between the first and the last point of descent on the parameters is the closed form's."""
    failures, worst, tau = [], 0.0, np.linspace(0, 1, 21)
    for _ in range(4 * cases):
        problem, w = _model(rng)
        eta = float(rng.uniform(0.5, 3) / problem.sharpness(w))
        steps = int(rng.integers(1, 6))
        path = _descent(problem, eta, w, steps)
        measured = problem.loss((1 - tau[:, None]) * w + tau[:, None] * path[-1]) * eta**2 * problem.kappa
        P, Q, Y = problem.unit_free(w, eta)
        A, B = theory.segment_products(P, Q, Y, steps)
        off = float(np.abs(theory.segment_loss(tau, P, Q, A, B, Y) - measured).max() / measured.max())
        worst = max(worst, off)
        peak = float(theory.segment_peak(P, Q, A, B, Y))
        if not off <= 1e-10 or not peak >= measured.max() * (1 - 1e-10):
            failures.append(f"{problem!r}, {steps} steps: loss on the segment off by a relative {off:.3g}")
    return judged(name, failures, 4 * cases * tau.size, "losses at 21 points of each segment", worst)


def uv_averages(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Means over Gaussian weights of s, s^2, L_1 / L_0, and of one-step c_loss and c_sharp and of c_max, all measured.

    Thresholds of each start are found by steps of the map, on a grid of k and then by bisection.
    """
    failures, worst, shown, drawn = [], 0.0, (np.nan, np.nan), 0
    for width in (4, 16, 64):
        problem, count = UVModel(width), 700 * cases
        w = rng.standard_normal((count, problem.dim))
        drawn += count
        lam, f = problem.ntk(w), problem.function(w)
        s = np.minimum(problem.kappa * (f / lam) ** 2, 0.25)
        ratio = problem.sharpness(w) / lam
        k = 2.1
        step = extremes(uv, _starts(np.full(count, k), s), 1, Y=0.0)["loss"]
        mean_ratio = (1 - k) ** 2 + 2 * (1 - k) * k**2 * theory.mean_s(width) + k**4 * theory.mean_s2(width)
        pairs = {
            "s": (s, theory.mean_s(width)),
            "s^2": (s**2, theory.mean_s2(width)),
            "L_1/L_0": (step.last / step.first, mean_ratio),
            "c_max": (ratio * _crossing(s, "trace", 3.0, 5.0, 2, 400), theory.mean_c_max(width)),
            "c_loss": (ratio * _crossing(s, "loss", 1.9, 10.0, 500, 1), theory.mean_c_loss(width)),
            "c_sharp": (ratio * _crossing(s, "sharpness", 1.9, 5.0, 200, 1), theory.mean_c_sharp(width)),
        }
        for quantity, (values, mean) in pairs.items():
            off = abs(values.mean() - float(mean)) / (values.std() / np.sqrt(count))
            worst, shown = max(worst, off), (float(mean), values.mean())
            if not off <= _ERRORS:
                failures.append(f"width {width}: the mean of {quantity} is off by {off:.3g} standard errors")
    return judged(name, failures, 6 * drawn, f"at most {worst:.2g} standard errors off", shown=shown)


def _crossing(s: np.ndarray, observable: str, low: float, high: float, points: int, steps: int) -> np.ndarray:
    """Return the first k of a grid, then refined, from which `steps` steps raise an observable above its start."""

    def rises(k: np.ndarray) -> np.ndarray:
        size = np.broadcast_to(s.reshape(-1, *(1,) * (k.ndim - 1)), k.shape)
        seen = extremes(uv, _starts(k, size).reshape(-1, 2), steps, Y=0.0)[observable]
        return (seen.peak > seen.first * (1 + 1e-12)).reshape(k.shape)

    grid = np.broadcast_to(np.linspace(low, high, points), (s.size, points))
    first = np.argmax(rises(grid), axis=1)
    above = grid[0, first]
    below = grid[0, np.maximum(first - 1, 0)]
    for _ in range(20):
        middle = (below + above) / 2
        up = rises(middle)
        below, above = np.where(up, below, middle), np.where(up, middle, above)
    return above


def uv_multipliers(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Small displacements from each fixed point grow by its multipliers; at III and IV the parameters change sign."""
    failures, worst, tried, h = [], 0.0, 0, 1e-5
    for _ in range(4 * cases):
        Y = float(rng.uniform(0.05, 2.5))
        points = [(p.name, (p.P, p.Q), p.multipliers) for p in theory.fixed_points(Y)]
        Q = float(rng.uniform(0, 3))
        points.append(("I", (Q + 4 * Y, Q), (1.0, 1 - (Q + 2 * Y))))
        for label, x, multipliers in points:
            moved = np.array(x) + h * np.concatenate([np.eye(2), -np.eye(2)])
            plus, minus = np.split(uv.step(moved, Y=Y), 2)
            measured = np.sort(np.linalg.eigvals(((plus - minus) / (2 * h)).T).real)
            off = float(np.abs(measured - np.sort(multipliers)).max() / max(1, *np.abs(multipliers)))
            stays = float(np.abs(uv.step(x, Y=Y) - x).max()) / max(1.0, *x)
            tried, worst = tried + 1, max(worst, off)
            if not (off <= 1e-7 and stays <= 1e-14):
                failures.append(f"{label} at Y = {Y:.6g}: multipliers off by {off:.3g}, moved by {stays:.3g}")
        problem = UVModel(3, x=rng.standard_normal(2), y=1.0)
        eta = 0.5 * float(theory.eta_critical(problem.kappa, 1.0))
        v = rng.standard_normal(3)
        for sign, P in ((1, 4 * 2.5), (-1, 4 * 1.5)):  # III and IV at Y = 1/2
            U = sign * np.outer(v, problem.x) / np.linalg.norm(problem.x)
            w = problem.join(U, v)
            w = w * np.sqrt(P / max(problem.unit_free(w, eta)[:2]))
            after = _descent(problem, eta, w, 1)[1]
            if not np.abs(after + w).max() <= 1e-12 * np.abs(w).max():
                failures.append(f"{'III' if sign > 0 else 'IV'}: a step does not change the sign of the parameters")
    return judged(name, failures, tried, "Jacobians by differences", worst)


def uv_two_cycle(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Descent on the parameters with 1 < Y < sqrt 5 - 1 ends on the 2-cycle; its multipliers by displacements."""
    failures, worst, shown = [], 0.0, (np.nan, np.nan)
    top = float(theory.bifurcations()["doubling"])
    for _ in range(cases):
        problem, _w = _model(rng, y=float(rng.uniform(0.5, 2)))
        Y = float(rng.uniform(1.02, top - 0.02))
        eta = Y * float(theory.eta_critical(problem.kappa, problem.y))
        v = rng.standard_normal(problem.width)
        w = problem.join(np.outer(v, problem.x) / np.linalg.norm(problem.x), v)
        w *= np.sqrt(rng.uniform(0.6, 1.1) * problem.y / problem.function(w))
        path = _descent(problem, eta, w * (1 + 0.05 * rng.standard_normal(w.size)), 4000)[-2:]
        cycle = theory.two_cycle(Y)
        f = np.sort(problem.function(path)) / problem.y
        sharp = np.sort(eta * problem.sharpness(path))
        expected = [cycle.low, cycle.high, cycle.sharpness_low, cycle.sharpness_high, (3 + Y) / 2, 1 + Y]
        found = [*f, *sharp, sharp.mean(), eta * problem.ntk(path).mean()]
        P, h, side = 4 * Y * float(cycle.high), 1e-5, 1e-10
        starts = np.array([[P + h, 0.0], [P - h, 0.0], [P, side]])
        after = orbit(uv, starts, 2, Y=Y)[0]
        expected += [cycle.multiplier, cycle.transverse]
        found += [(after[0, 0] - after[1, 0]) / (2 * h), after[2, 1] / side]
        off = float(np.max(np.abs(np.array(found) - np.array(expected, dtype=float))))
        worst, shown = max(worst, off), (float(cycle.high), float(f[1]))
        if not off <= 1e-7:
            failures.append(f"{problem!r}, Y = {Y:.6g}: the end differs from the 2-cycle by {off:.3g}")
    return judged(name, failures, 8 * cases, "outputs, sharpness, means and multipliers", worst, shown)


def uv_bifurcations(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Where the dynamics on the balanced manifold change, found by runs without the closed forms."""
    failures, worst = [], 0.0
    exact = {n: float(v) for n, v in theory.bifurcations().items()}
    share = np.linspace(0, 1, 4001)[1:-1]

    def rises(Y: np.ndarray) -> np.ndarray:  # one step from any -Y < e < 2
        e = share * (2 + Y[:, None]) - Y[:, None]
        return np.any(np.abs(uv_residual.step(e[..., None], Y=Y[:, None])[..., 0]) > np.abs(e), axis=1)

    def grows(Y: np.ndarray) -> np.ndarray:
        return np.abs(orbit(uv_residual, np.full((Y.size, 1), 1e-9), 400, Y=Y)[0, :, 0]) > 1e-9

    def reaches(Y: np.ndarray) -> np.ndarray:  # the sign of X two steps on, from any 0 < X^2 < 1 + Y
        X = share * np.sqrt(1 + Y[:, None])
        twice = uv_balanced.step(uv_balanced.step(X[..., None], Y=Y[:, None]), Y=Y[:, None])
        return np.any(twice[..., 0] < 0, axis=1)

    for label, predicate, low, high in (
        ("monotone_until", rises, 0.5, 1.0),
        ("two_cycle", grows, 0.8, 1.1),
        ("zero_reached", reaches, 1.3, 1.9),
    ):
        found = float(edge_bisection(predicate, "Y", low, high, scan=7, tolerance=1e-8)["edge"])
        off = abs(found / exact[label] - 1)
        worst = max(worst, off)
        if not off <= 1e-6:
            failures.append(f"{label}: found at Y = {found:.9g}, predicted {exact[label]:.9g}")
    start, near = rng.uniform(0.6, 1.0, 1), 2e-3
    for label, before, after in (("two_cycle", 1, 2), ("doubling", 2, 4)):
        periods = [
            int(period(uv_balanced, start, transient=30_000, tolerance=1e-6, Y=exact[label] + d)["period"])
            for d in (-near, near)
        ]
        if periods != [before, after]:
            failures.append(f"{label}: periods {periods} on the two sides, expected {[before, after]}")
    x = orbit(uv_balanced, start, 2000, Y=exact["superstable"])[0]
    moved = orbit(uv_balanced, x + np.array([[1e-5], [-1e-5]]), 2, Y=exact["superstable"])[0, :, 0]
    if not abs(moved[0] - moved[1]) <= 1e-9:
        failures.append(f"superstable: displacements are multiplied by {(moved[0] - moved[1]) / 2e-5:.3g}")
    starts = rng.uniform(0.1, 1.5, (100, 1))
    for side in (-1, 1):
        ends = orbit(uv_balanced, starts, 20_000, Y=exact["divergence"] + side * near)[0]
        if np.any(np.isfinite(ends) & (np.abs(ends) < 10)) if side > 0 else not np.all(np.abs(ends) < 10):
            failures.append(f"divergence: wrong runs at Y = 2 {'+' if side > 0 else '-'} {near}")
    return judged(name, failures, 3 + 5 + 200, "six values of Y", worst)


def uv_lyapunov(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """The Lyapunov exponent is log 3 at Y = 2, and half the log of the multiplier on the 2-cycle."""
    failures, starts = [], rng.uniform(0.2, 1.2, (4, 1))
    chaotic = lyapunov_exponent(uv_balanced, starts, steps=100_000, burn_in=100, Y=2.0)["lyapunov"].values
    chaotic = chaotic[np.isfinite(chaotic)]  # rounding may take a run beyond X = 2, from where it leaves
    if chaotic.size == 0 or not np.all(np.abs(chaotic - np.log(3)) <= 2e-3):
        failures.append(f"exponents {chaotic} at Y = 2, predicted log 3 = {np.log(3):.6f}")
    worst = float(np.abs(chaotic - np.log(3)).max(initial=0.0))
    for _ in range(cases):
        Y = float(rng.uniform(1.05, 1.2))
        predicted = float(np.log(np.abs(theory.two_cycle(Y).multiplier)) / 2)
        found = lyapunov_exponent(uv_balanced, [0.9], steps=1000, burn_in=4000, Y=Y)["lyapunov"].values.item()
        if not abs(found - predicted) <= 1e-6 * max(1, abs(predicted)):
            failures.append(f"Y = {Y:.6g}: exponent {found:.8g}, predicted {predicted:.8g}")
    return judged(name, failures, cases + 4, "exponents", worst, (np.log(3), float(chaotic[0]) if chaotic.size else 0))


UV = {
    "uv_maps": uv_maps,
    "uv_hessian": uv_hessian,
    "uv_thresholds": uv_thresholds,
    "uv_divergence": uv_divergence,
    "uv_conservation": uv_conservation,
    "uv_segment": uv_segment,
    "uv_averages": uv_averages,
    "uv_multipliers": uv_multipliers,
    "uv_two_cycle": uv_two_cycle,
    "uv_bifurcations": uv_bifurcations,
    "uv_lyapunov": uv_lyapunov,
}
