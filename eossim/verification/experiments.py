"""Experiments by name: a prediction about regression problems, held against runs of the literal method.

An experiment takes a source of problems (drawn at random, or the least squares of a data set), a random generator and
a number of cases, and returns what it found. Predictions come from `eossim.theory`; what they are held against is
stepped: `simulate`, `monte_carlo_risk`, or the NumPy step of the rule mode by mode.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import catalogue, theory
from .. import data as datasets
from .._check import unknown
from ..engine.method import Method
from ..engine.record import Record
from ..engine.reference import quadratic_gradient, reference
from ..engine.sampling import minibatch
from ..engine.simulate import simulate
from ..problems import KernelRegression, LeastSquares
from .report import Check, judged
from .sharpness import SHARPNESS
from .steepest import STEEPEST
from .stochastic import STOCHASTIC
from .toy import TOY

Source = Callable[[np.random.Generator], LeastSquares]
#: Standard errors that a simulated mean may be off: at the number of comparisons made, chance stays below 1e-3.
_ERRORS = 5.0


def random_problem(rng: np.random.Generator) -> LeastSquares:
    """Return a random problem: power-law spectrum, n below, at or above the dimension, either normalisation."""
    n, dim = int(rng.integers(6, 30)), int(rng.integers(2, 12))
    X = rng.standard_normal((n, dim)) * np.arange(1, dim + 1) ** -rng.uniform(0, 1.5)
    y = X @ rng.standard_normal(dim) + rng.standard_normal(n)
    return LeastSquares(X, y, normalize=bool(rng.integers(2)))


def data_problem(name: str, rng: np.random.Generator) -> LeastSquares:
    """Return the standardized least squares of a data set."""
    return datasets.load(name).standardized().least_squares()


def places(measured_by: str, data: tuple[str, ...]) -> tuple[str, ...]:
    """Return where an experiment is made: on random problems, and on the data sets unless it is about one example."""
    return ("synthetic",) if measured_by in _EXAMPLES else ("synthetic", *data)


def experiment(name: str, measured_by: str, rng: np.random.Generator, cases: int) -> Check:
    """Run an experiment on random problems (name ``"synthetic"``) or on a data set."""
    if measured_by not in EXPERIMENTS:
        raise unknown("experiment", measured_by, tuple(EXPERIMENTS))
    source = random_problem if name == "synthetic" else partial(data_problem, name)
    return EXPERIMENTS[measured_by](name, source, rng, cases)


def _pair(problem: LeastSquares, rng: np.random.Generator) -> tuple[Method, Method]:
    """Return gd and usam of one eta, eta h (1 + rho h) below 1 on every mode."""
    top = float(problem.modes.curvature[0])
    rho = 10 ** rng.uniform(-1, 1) / top
    eta = rng.uniform(0.2, 0.99) / (top * (1 + rho * top))
    return catalogue.lookup("gd")(eta=eta), catalogue.lookup("usam")(eta=eta, rho=rho)


def _truth(problem: LeastSquares, rng: np.random.Generator) -> dict[str, Any]:
    """Return a random truth; the noise is such that both bias and variance matter."""
    w_star = rng.standard_normal(problem.dim)
    signal = np.sum((problem.features @ w_star) ** 2) / problem.n_samples
    return {"w_star": w_star, "noise_variance": float(signal * 10 ** rng.uniform(-1.5, 1))}


def _stepped(method: Method, curvature: np.ndarray, steps: int) -> np.ndarray:
    """Return the part of each mode's error left after 0 ... `steps` literal steps, shape (steps + 1, modes)."""
    kernel = method.rule.kernel
    gradient = quadratic_gradient(curvature, np.zeros_like(curvature), centred=False)
    hyper = [np.full(1, float(v)) for v in method.values.values()]
    advance = reference(kernel, gradient, curvature, hyper)
    states = [np.full((curvature.size, 1), 1.0 if moves else 0.0) for moves in kernel.ITERATES]
    kept = np.empty((steps + 1, curvature.size, 1))
    advance(states, np.arange(steps + 1), kept)
    return kept[:, :, 0]


def _stepped_risk(problem: LeastSquares, method: Method, truth: dict[str, Any], steps: int) -> tuple[np.ndarray, ...]:
    """Return bias^2, variance and risk at steps 0 ... `steps` from the literal steps, prediction metric, start 0."""
    z, modes, n = _stepped(method, problem.modes.curvature, steps), problem.modes, problem.n_samples
    signal = (modes.singular * (modes.coordinates.T @ truth["w_star"])) ** 2 / n
    bias2, variance = z**2 @ signal, truth["noise_variance"] / n * ((1 - z) ** 2).sum(axis=1)
    return bias2, variance, bias2 + variance


def risk_by_simulation(name: str, source: Source, rng: np.random.Generator, cases: int) -> Check:
    """Exact bias, variance, risk and training loss against Monte Carlo: gd, usam, heavy ball, in both metrics."""
    failures, worst, steps, shown = [], 0.0, np.array([1, 2, 3, 7, 20, 60]), (np.nan, np.nan)
    quantities = ("bias2", "variance", "risk", "train_loss")
    for case in range(cases):
        problem = source(rng)
        truth, (gd, usam) = _truth(problem, rng), _pair(problem, rng)
        truth["metric"] = ("prediction", "parameter")[case % 2]
        method = (gd, usam, catalogue.lookup("heavy_ball")(eta=gd.values["eta"], beta=0.7))[case % 3]
        exact = theory.risk_curve(problem, method, steps=steps, **truth)
        drawn = theory.monte_carlo_risk(
            problem, method, steps=steps, draws=4000, seed=int(rng.integers(2**31)), **truth
        )
        for quantity in quantities:
            error = drawn[f"{quantity}_error"] * (1.3 if quantity in ("bias2", "variance") else 1)  # of 20 groups
            off = float((np.abs(exact[quantity] - drawn[quantity]) / error).max())
            worst = max(worst, off)
            if not off <= _ERRORS:
                failures.append(f"{method!r} on {problem!r}: {quantity} off by {off:.3g} standard errors")
        shown = float(exact.risk[0, -1]), float(drawn.risk[0, -1])
    return judged(
        name, failures, cases * steps.size * len(quantities), f"at most {worst:.2g} standard errors off", shown=shown
    )


def order_of_bias_and_variance(name: str, source: Source, rng: np.random.Generator, cases: int) -> Check:
    """Where the theorem applies, stepped usam has less bias and more variance; where it does not, it says so."""
    failures, steps = [], 200
    for _ in range(cases):
        problem = source(rng)
        truth, (gd, usam) = _truth(problem, rng), _pair(problem, rng)
        a, b = (_stepped_risk(problem, m, truth, steps) for m in (gd, usam))
        slack = 1e-12 * (a[2] + b[2])
        if not theory.ordering(problem, gd, usam).applies:
            failures.append(f"{usam!r}: eta h (1 + rho h) <= 1, yet the theorem is said not to apply")
        if np.any(b[0] > a[0] + slack) or np.any(b[1] < a[1] - slack):
            failures.append(f"{gd!r} and {usam!r} on {problem!r}: stepped bias or variance out of order")
        top = float(problem.modes.curvature[0])
        wild = catalogue.lookup("usam")(eta=0.9 / top, rho=1 / top)  # q_gd = 0.1, q_usam = -0.8 on the top mode
        if theory.ordering(problem, catalogue.lookup("gd")(eta=0.9 / top), wild).applies:
            failures.append(f"{wild!r}: a mode overshoots, yet the theorem is said to apply")
    return judged(name, failures, cases * steps * 2, f"bias and variance in order at each of {steps} steps")


def best_step(name: str, source: Source, rng: np.random.Generator, cases: int) -> Check:
    """The predicted best step is that of least stepped risk."""
    failures, shown, steps, tried = [], (np.nan, np.nan), 20_000, 0
    for _ in range(cases):
        problem = source(rng)
        truth, pair = _truth(problem, rng), _pair(problem, rng)
        for method in pair:
            best = theory.optimal_stopping(problem, method, **truth)
            risk = _stepped_risk(problem, method, truth, steps)[2]
            least, step = float(risk.min()), float(best.step[0])
            if step > steps:
                continue
            tried += 1
            shown = step, float(np.argmin(risk))
            if not risk[int(step)] <= least * (1 + 1e-10) or not abs(float(best.risk[0]) / least - 1) <= 1e-9:
                failures.append(f"{method!r} on {problem!r}: predicted step {step:.0f}, stepped {shown[1]:.0f}")
    if not tried:
        failures.append(f"no best step up to {steps} to compare with")
    return judged(name, failures, tried, f"best of {steps} stepped risks", shown=shown)


def crossing_steps(name: str, source: Source, rng: np.random.Generator, cases: int) -> Check:
    """Who has the smaller stepped risk, at every whole step, is as the predicted crossings say; none is missed."""
    failures, steps, count = [], 5000, 0
    for _ in range(cases):
        problem = source(rng)
        truth, (gd, usam) = _truth(problem, rng), _pair(problem, rng)
        found = theory.crossings(problem, gd, usam, **truth)
        a, b = (_stepped_risk(problem, m, truth, steps)[2] for m in (gd, usam))
        clear = np.abs(a - b) > 1e-9 * b
        leader = np.where(a < b, "gd", "usam")
        predicted = np.full(steps + 1, "", dtype="<U4")
        for first, last, who in found.spans:
            predicted[first : int(min(last, steps)) + 1] = who
        wrong = np.flatnonzero(clear & (leader != predicted))
        count += len(found.spans) - 1
        if wrong.size:
            failures.append(f"{gd!r} and {usam!r} on {problem!r}: step {wrong[0]}: {leader[wrong[0]]} leads")
        if found.real is not None and found.real.size > found.bound:
            failures.append(f"{found.real.size} crossings, more than the bound {found.bound}")
    return judged(name, failures, cases * steps, f"{count} crossings, each where the stepped risks cross")


def three_crossings(name: str, source: Source, rng: np.random.Generator, cases: int) -> Check:
    """The two-mode example: usam leads on 1 to 5, gd on 6 to 15, usam on 16 to 1944, gd from there on, as stepped."""
    problem = LeastSquares(np.diag(np.sqrt([1, 0.01])), np.zeros(2), normalize=False)
    truth = {"w_star": np.sqrt(2 * np.array([5, 50 / 0.01])), "noise_variance": 2.0}  # B = (5, 50), S = 1 at n = 2
    gd, usam = catalogue.lookup("gd")(eta=0.2), catalogue.lookup("usam")(eta=0.2, rho=2.0)
    found = theory.crossings(problem, gd, usam, **truth)
    a, b = (_stepped_risk(problem, m, truth, 2500)[2] for m in (gd, usam))
    changes = (np.flatnonzero(np.diff(np.sign(a - b)[1:])) + 2).tolist()
    failures = [] if found.integer == changes else [f"predicted {found.integer}, stepped {changes}"]
    if found.real is None or found.real.size != 3:
        failures.append(f"not three crossings: {found.real}")
    return judged(name, failures, 2500, f"the lead changes at steps {changes}", shown=(found.integer[-1], changes[-1]))


def alignment(name: str, source: Source, rng: np.random.Generator, cases: int) -> Check:
    """Each at its own best step, usam wins where the signal sits on large curvatures and loses where it is flat.

    The spectrum is that of a data set; on random problems it is 1/i. Risks are simulated at the predicted steps.
    """
    failures, gains = [], []
    if name == "synthetic":
        problem = LeastSquares(np.diag(1 / np.sqrt(np.arange(1, 21))), np.zeros(20), normalize=False)
    else:
        problem = source(rng)
    modes, top = problem.modes, float(problem.modes.curvature[0])
    relative = modes.curvature / top
    rho = 4 / top
    methods = catalogue.lookup("gd")(eta=0.5 / (top * 5)), catalogue.lookup("usam")(eta=0.5 / (top * 5), rho=rho)
    for power, winner in ((3.0, "usam"), (0.0, "gd")):
        w_star = modes.coordinates @ relative ** (power / 2)
        signal = float(np.sum((problem.features @ w_star) ** 2)) / problem.n_samples
        noise = signal * problem.n_samples / modes.curvature.size / (1.0 if winner == "usam" else 10.0)
        truth = {"w_star": w_star, "noise_variance": noise}
        risks = []
        for method in methods:
            step = int(theory.optimal_stopping(problem, method, **truth).step[0])
            drawn = theory.monte_carlo_risk(problem, method, steps=[step], draws=20_000, seed=7, **truth)
            risks.append((float(drawn.risk[0, 0]), float(drawn.risk_error[0, 0])))
        (gd, gd_error), (usam, usam_error) = risks
        gains.append(usam / gd - 1)
        if (gd - usam) * (1 if winner == "usam" else -1) <= np.hypot(gd_error, usam_error):
            failures.append(f"signal ~ curvature^{power:g}: {winner} does not win, risks gd {gd:.5g}, usam {usam:.5g}")
    detail = f"risk of usam over gd: {100 * gains[0]:+.2g} % on large curvatures, {100 * gains[1]:+.2g} % when flat"
    return judged(name, failures, 4, detail)


def kernel_is_linear(name: str, source: Source, rng: np.random.Generator, cases: int) -> Check:
    """Kernel regression with K = X X^T has the fitted values of least squares, step by step, and its risk."""
    worst, points = 0.0, [1, 2, 10, 100]
    for _ in range(cases):
        problem = source(rng)
        keep = slice(0, 200)  # a kernel matrix of many samples is large, and shows no more
        linear = LeastSquares(problem.X[keep], problem.y[keep])
        kernel = KernelRegression(linear.X @ linear.X.T, linear.y)
        for method in _pair(linear, rng):
            record = Record(at=points, what=("w",))
            fits = [
                p.fitted(simulate(p, method, np.zeros(p.dim), points[-1], record=record).w.values[0])
                for p in (linear, kernel)
            ]
            worst = max(worst, float(np.abs(fits[0] - fits[1]).max() / np.abs(linear.y).max()))
            truth = _truth(linear, rng)
            risks = [
                theory.risk_curve(p, method, steps=points, f_star=linear.features @ truth["w_star"],
                                  noise_variance=truth["noise_variance"]).risk.values
                for p in (linear, kernel)
            ]  # fmt: skip
            worst = max(worst, float(np.abs(risks[1] / risks[0] - 1).max()))
    failures = [] if worst <= 1e-8 else [f"fits or risks differ by {worst:.2g}"]
    return judged(name, failures, cases * 4 * len(points), "fitted values and risks", worst)


def minibatch_by_simulation(name: str, source: Source, rng: np.random.Generator, cases: int) -> Check:
    """Exact mean iterate and loss of mini-batch usam against simulated runs, same and independent batches."""
    failures, worst = [], 0.0
    settings = [(a, r) for a in ("same", "independent") for r in (False, True)]
    for case in range(cases):
        problem = source(rng)
        if problem.n_samples > 30:  # exact moments of large data are slow, a part of it says as much
            problem = LeastSquares(problem.X[:100, :8], problem.y[:100])
        ascent, replacement = settings[case % 4]
        batch = int(rng.integers(1, min(problem.n_samples, 8) + 1))
        how: dict[str, Any] = {"batch_size": batch, "ascent": ascent, "replacement": replacement}
        top = float(problem.modes.curvature[0])
        rho = 0.3 / top
        eta = 0.2 * theory.mean_square_critical_step(problem, rho=rho, **how)
        method, steps = catalogue.lookup("usam")(eta=eta, rho=rho), [1, 5, 30]
        exact = theory.minibatch_moments(problem, method, steps=steps, **how)
        sampling = "iid" if replacement else "without_replacement"
        stepped = minibatch(method, batch_size=batch, sampling=sampling, ascent=ascent)
        record, starts = Record(at=steps, what=("w", "loss")), np.zeros((4000, problem.dim))
        runs = simulate(problem, stepped, starts, 30, record=record, seed=int(rng.integers(2**31)))
        for quantity in ("w", "loss"):
            drawn = runs[quantity].values
            spread = drawn.std(axis=0) / np.sqrt(len(drawn))
            floor = 1e-12 * np.abs(exact[quantity].values).max()
            off = np.abs(drawn.mean(axis=0) - exact[quantity].values) / (spread + floor)
            worst = max(worst, float(off.max()))
            if not off.max() <= _ERRORS:
                failures.append(f"{method!r}, {how}: {quantity} off by {float(off.max()):.3g} standard errors")
    return judged(name, failures, cases * 3, f"at most {worst:.2g} standard errors off")


def noise_floor_by_simulation(name: str, source: Source, rng: np.random.Generator, cases: int) -> Check:
    """Normalised SAM ends on its 2-cycle: excess of the training loss, distance, and mean of two iterates."""
    worst = 0.0
    for _ in range(cases):
        problem = source(rng)
        top = float(problem.modes.curvature[0])
        method = catalogue.lookup("sam")(eta=0.4 / top, rho=10 ** rng.uniform(-1.5, 0))
        floor = theory.noise_floor(problem, method)
        start = problem.minimizer + problem.modes.coordinates @ rng.standard_normal(problem.rank)
        record = Record(at=[99_999, 100_000], what=("w", "loss"))
        run = simulate(problem, method, start, 100_000, record=record)
        late = run.w.values[0] - problem.minimizer
        amplitude = float(floor.amplitude[0])
        excess = run.loss.values[0] - problem.loss(problem.minimizer)
        fit = problem.fitted(problem.minimizer)
        scale = np.abs(problem.fitted(late[0] + problem.minimizer) - fit).max()
        errors = [
            np.abs(np.linalg.norm(late, axis=1) / amplitude - 1).max(),
            np.linalg.norm(late.sum(axis=0)) / amplitude,
            np.abs(excess / float(floor.train_loss_excess[0]) - 1).max(),
            np.abs(np.mean(problem.fitted(late + problem.minimizer) - fit, axis=0) / scale).max(),
            np.abs(np.mean((problem.fitted(late + problem.minimizer) - fit) ** 2) / float(floor.risk_excess[0]) - 1),
        ]
        worst = max(worst, *map(float, errors))
    failures = [] if worst <= 1e-6 else [f"off by a relative {worst:.2g}"]
    return judged(name, failures, 3 * cases, "late iterates and loss", worst)


EXPERIMENTS: dict[str, Callable[..., Check]] = {
    "risk_by_simulation": risk_by_simulation,
    "order_of_bias_and_variance": order_of_bias_and_variance,
    "best_step": best_step,
    "crossing_steps": crossing_steps,
    "three_crossings": three_crossings,
    "alignment": alignment,
    "kernel_is_linear": kernel_is_linear,
    "minibatch_by_simulation": minibatch_by_simulation,
    "noise_floor_by_simulation": noise_floor_by_simulation,
    **STOCHASTIC,
    **STEEPEST,
    **SHARPNESS,
    **TOY,
}
_EXAMPLES = (
    "three_crossings",
    "sharpness_is_no_edge",
    "norms_coexistence",
    "divergence_cone",
    "linf_on_ab_toy",
    "adapted_step_limits",
    *TOY,
)
