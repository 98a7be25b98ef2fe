"""Risk by simulation: the literal method on many draws of the noise, for any rule that `simulate` runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._check import positive_int
from ..._cores import available_cores
from ..._jit import summing
from ...engine.blocks import compiled, over_blocks
from ...engine.method import Method
from ...problems import Regression
from .curve import labelled, step_numbers
from .truth import Truth, truth_of

if TYPE_CHECKING:
    import xarray as xr

#: Draws that are stepped together, and groups of draws that errors are read from.
_LANES, _GROUPS = 256, 20
#: Numbers kept between two looks at a block: more leave the cache, fewer cost calls.
_KEPT = 1 << 18


def monte_carlo_risk(
    problem: Regression,
    method: Method,
    *,
    w_star: Any = None,
    noise_variance: float,
    steps: Any,
    w0: Any = None,
    metric: Any = "prediction",
    f_star: Any = None,
    draws: int = 10_000,
    seed: int = 0,
    threads: int | None = None,
) -> xr.Dataset:
    """Return bias, variance and risk of a method over draws of Gaussian noise, with standard errors.

    Each draw is a data set y = Phi w* + noise of its own, on which the compiled step of the rule runs; nothing of the
    closed forms of `risk_curve` enters. Rules whose step depends on the norm of the gradient (sam, normalised) work
    too. Rules with weight decay or a preconditioner do not: they are no function of the modes alone.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        method: A rule with bound hyper-parameters; arrays make a batch of runs, all on the same draws.
        w_star: True parameters, shape (dim,).
        noise_variance: sigma^2 >= 0.
        steps: Last step (all are kept), or step numbers.
        w0: Start, shape (dim,); zero by default.
        metric: As for `risk_curve`.
        f_star: True values at the samples, instead of `w_star`.
        draws: Number of draws of the noise, at least 40.
        seed: Seed of the noise; results do not depend on `threads`.
        threads: Threads; all cores by default.

    Returns:
        Dataset over (run, step) with ``bias2, variance, risk, train_loss`` and for each its standard error
        (``risk_error``, ...): over draws for risk and training loss, by the jackknife over 20 groups of draws for
        bias and variance. ``bias2`` is unbiased, and may be negative by chance. A run that diverges ends in inf or
        nan.
    """
    truth = truth_of(problem, w_star=w_star, f_star=f_star, noise_variance=noise_variance, w0=w0, metric=metric)
    if not isinstance(method, Method):
        raise TypeError(
            f"method must be a rule with bound hyper-parameters, such as sam(eta=0.1, rho=0.1), got {method!r}"
        )
    kernel = method.rule.kernel
    if kernel.CENTRED or kernel.PRECONDITIONED:
        raise ValueError(f"{method.rule.name} is {'preconditioned' if kernel.PRECONDITIONED else 'decayed'}: "
                         "its risk is not simulated by modes")  # fmt: skip
    draws = positive_int("draws", draws, minimum=2 * _GROUPS)
    seed = positive_int("seed", seed, minimum=0)
    threads = available_cores() if threads is None else positive_int("threads", threads)
    numbers, order = step_numbers(steps)
    hyper = {n: np.broadcast_to(v, (method.runs,)) for n, v in method.values.items()}
    results = [
        _one_run(truth, kernel, {n: v[run] for n, v in hyper.items()}, numbers, draws, seed, threads)
        for run in range(method.runs)
    ]
    values = {n: np.stack([r[n] for r in results])[:, order] for n in results[0]}
    found = labelled(values, method, numbers[order])
    found.attrs |= truth.attrs | {"draws": draws, "seed": seed}
    return found


def _one_run(
    truth: Truth, kernel: Any, hyper: dict[str, float], steps: np.ndarray, draws: int, seed: int, threads: int
) -> dict[str, np.ndarray]:
    """Return the estimates of one run; each group of draws has its own stream, and its sums are added in order."""
    groups = [_Group.empty(steps.size, truth.start.size) for _ in range(_GROUPS)]
    sizes = np.diff(np.linspace(0, draws, _GROUPS + 1).astype(int))
    path = _noise_free(truth, kernel, hyper, steps)

    def fill(first: int, last: int) -> None:
        for g in range(first, last):
            with np.errstate(all="ignore"):
                _simulate(truth, kernel, hyper, steps, path, int(sizes[g]), [seed, g], groups[g])

    over_blocks(fill, _GROUPS, 1, threads)
    with np.errstate(all="ignore"):
        return _estimates(truth, groups, path, sizes)


@dataclass(frozen=True, eq=False)
class _Group:
    """Sums over the draws of one group, by step.

    Attributes:
        deviation: Errors by mode less those of the noise-free path, shape (steps, modes).
        sums: Squared error, its square, training loss, its square, squared deviation, shape (steps, 5).
    """

    deviation: np.ndarray
    sums: np.ndarray

    @classmethod
    def empty(cls, steps: int, modes: int) -> _Group:
        return cls(np.zeros((steps, modes)), np.zeros((steps, 5)))


def _stepper(kernel: Any, curvature: np.ndarray, hyper: dict[str, float], start: np.ndarray) -> Any:
    """Return a function of stops and kept iterates that advances runs from `start`, shape (modes, runs)."""
    states = [np.ascontiguousarray(start if moves else np.zeros_like(start)) for moves in kernel.ITERATES]
    values = [np.full(start.shape[1], hyper[n]) for n in kernel.HYPER]
    return partial(compiled(kernel, curvature, np.zeros_like(curvature), values), states)


def _noise_free(truth: Truth, kernel: Any, hyper: dict[str, float], steps: np.ndarray) -> np.ndarray:
    """Return the error by mode without noise, shape (steps, modes)."""
    path = np.empty((steps.size, truth.start.size, 1))
    with np.errstate(all="ignore"):
        _stepper(kernel, truth.problem.modes.curvature, hyper, truth.start[:, None].copy())(steps, path)
    return np.ascontiguousarray(path[:, :, 0])


def _simulate(
    truth: Truth,
    kernel: Any,
    hyper: dict[str, float],
    steps: np.ndarray,
    path: np.ndarray,
    draws: int,
    seed: list[int],
    group: _Group,
) -> None:
    """Step the draws of one group and add what they show to its sums."""
    rng = np.random.default_rng(seed)
    modes, form = truth.problem.modes, truth.metric
    still, scales = np.zeros_like(modes.curvature), modes.singular**2
    weights = form.weights if form.matrix is None else still
    chunk = max(1, _KEPT // (_LANES * max(1, modes.curvature.size)))
    for first in range(0, draws, _LANES):
        count = min(_LANES, draws - first)
        noise, outside = _noise(truth, rng, count)
        inside = truth.start[:, None] - noise
        advance = _stepper(kernel, modes.curvature, hyper, inside)
        kept, rest = np.empty((chunk, *inside.shape)), np.full((chunk, count), form.constant)
        moved = np.zeros((chunk, count))
        done = 0
        for part in range(0, steps.size, chunk):
            ahead = steps[part : part + chunk]
            seen = kept[: ahead.size]
            advance(ahead - done, seen)
            done = int(ahead[-1])
            if form.matrix is not None:
                error = seen + noise
                rest = ((form.matrix @ error) * error).sum(axis=1) + 2 * (form.linear @ error) + form.constant
                error -= path[part : part + chunk, :, None]
                moved = ((form.matrix @ error) * error).sum(axis=1)
            sums = group.deviation[part : part + chunk], group.sums[part : part + chunk]
            about = path[part : part + chunk]
            _accumulate(seen, noise, about, weights, scales, rest, moved, outside, truth.problem.loss_factor, *sums)


def _noise(truth: Truth, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the noise by mode over s, shape (modes, draws), and the squared residual off the features, (draws,)."""
    singular, free = truth.problem.modes.singular, truth.problem.n_samples - truth.problem.rank
    sigma = np.sqrt(truth.noise_variance)
    noise = sigma * rng.standard_normal((singular.size, count)) / singular[:, None]
    if not free:
        return noise, np.zeros(count)
    outside = (truth.misfit + sigma * rng.standard_normal(count)) ** 2
    if free > 1:
        outside += truth.noise_variance * rng.chisquare(free - 1, count)
    return noise, outside


@summing
def _accumulate(
    kept: np.ndarray,
    noise: np.ndarray,
    path: np.ndarray,
    weights: np.ndarray,
    scales: np.ndarray,
    rest: np.ndarray,
    moved: np.ndarray,
    outside: np.ndarray,
    loss_factor: float,
    deviation: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Add to the sums of a group what some draws show at some steps.

    Args:
        kept: Distance from the least-squares solution, shape (steps, modes, draws).
        noise: That solution minus the truth, shape (modes, draws).
        path: Noise-free error, shape (steps, modes).
        weights: Metric on the modes, shape (modes,).
        scales: s^2, shape (modes,).
        rest: Squared error beside that of the weights, shape (steps or more, draws).
        moved: Squared deviation from the path beside that of the weights, same shape.
        outside: Squared residual off the features, shape (draws,).
        loss_factor: c of the loss.
        deviation: Sums of the deviations from the path, shape (steps, modes).
        sums: Sums of squared error, its square, training loss, its square, squared deviation, shape (steps, 5).
    """
    stops, modes, draws = kept.shape
    squared, fit = np.empty(draws), np.empty(draws)
    for p in range(stops):
        squared[:] = rest[p]
        fit[:] = outside
        spread = 0.0
        for i in range(modes):
            weight, scale, middle, total, square = weights[i], scales[i], path[p, i], 0.0, 0.0
            for r in range(draws):
                x = kept[p, i, r]
                e = x + noise[i, r]
                away = e - middle
                total += away
                square += away * away
                squared[r] += weight * (e * e)
                fit[r] += scale * (x * x)
            deviation[p, i] += total
            spread += weight * square
        sums[p, 4] += spread
        for r in range(draws):
            sums[p, 4] += moved[p, r]
            loss = loss_factor * fit[r]
            sums[p, 0] += squared[r]
            sums[p, 1] += squared[r] * squared[r]
            sums[p, 2] += loss
            sums[p, 3] += loss * loss


def _estimates(truth: Truth, groups: list[_Group], path: np.ndarray, sizes: np.ndarray) -> dict[str, np.ndarray]:
    """Return estimates and standard errors, each of shape (steps,)."""
    draws, form = int(sizes.sum()), truth.metric
    deviation, sums = np.stack([g.deviation for g in groups]), np.stack([g.sums for g in groups])
    squared, squared2, train, train2, spread = np.moveaxis(sums, -1, 0)

    def split(total: np.ndarray, squares: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return unbiased bias^2 and variance from sums over `count` draws."""
        mean = total / count
        matrix = np.diag(form.weights) if form.matrix is None else form.matrix
        variance = (squares / count - ((mean @ matrix) * mean).sum(axis=1)) * count / (count - 1)
        error = path + mean
        at_mean = ((error @ matrix) * error).sum(axis=1) + 2 * error @ form.linear + form.constant
        return at_mean - variance / count, variance

    bias2, variance = split(deviation.sum(axis=0), spread.sum(axis=0), draws)
    without = [
        split(deviation.sum(axis=0) - deviation[g], spread.sum(axis=0) - spread[g], draws - int(sizes[g]))
        for g in range(len(groups))
    ]
    errors = [np.std([w[i] for w in without], axis=0) * np.sqrt(len(groups) - 1) for i in range(2)]
    values = {"bias2": bias2, "bias2_error": errors[0], "variance": variance, "variance_error": errors[1]}
    for name, total, squares in (("risk", squared, squared2), ("train_loss", train, train2)):
        mean = total.sum(axis=0) / draws
        values[name] = mean
        values[f"{name}_error"] = np.sqrt(np.maximum(squares.sum(axis=0) / draws - mean**2, 0) / (draws - 1))
    return values
