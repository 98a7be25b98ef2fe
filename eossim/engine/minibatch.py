"""Mini-batch gradient descent and SAM on least squares, many runs at once.

The loss of a batch is the mean over its samples, scaled so that its mean over all batches is the loss of the problem:
for the loss c ‖X w - y‖², its gradient is (2 c n / b) Σ_{i in batch} x_i (x_i·w - y_i). For kernel regression, X holds
the features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._check import choice, finite_array, positive_int
from .._jit import kernel
from ..problems import Regression
from .blocks import available_cores, over_blocks
from .method import Method
from .record import Record
from .streams import below, stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

ASCENTS = ("same", "independent")
#: How a rule perturbs the point before it takes the gradient: not at all, by rho g, by rho g / |g|.
_PERTURBATION = {"gd": 0, "usam": 1, "sam": 2}
#: Blocks of runs per thread: enough for threads to end together when runs differ in speed.
_BLOCKS_PER_THREAD = 4


def simulate_minibatch(
    problem: Regression,
    method: Method,
    *,
    batch_size: int,
    steps: int,
    replacement: bool = False,
    ascent: str = "same",
    w0: Any = None,
    at: Sequence[int] | np.ndarray | None = None,
    runs: int = 1,
    seed: int = 0,
    threads: int | None = None,
) -> xr.Dataset:
    """Run mini-batch gradient descent or SAM; every step draws a fresh batch.

    A step of usam is w - eta g_B(w + rho g_A(w)), one of sam w - eta g_B(w + rho g_A(w) / ‖g_A(w)‖), without the
    perturbation where g_A(w) = 0, and one of gd w - eta g_B(w). The ascent batch A is B itself or, for independent
    batches, drawn before B.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        method: ``gd``, ``usam`` or ``sam`` with bound hyper-parameters; arrays among them make a batch of runs.
        batch_size: b, samples in a batch.
        steps: Number of steps.
        replacement: Whether a sample may occur several times in a batch (else b <= n).
        ascent: ``"same"`` takes ascent and descent on one batch, ``"independent"`` on two.
        w0: Start, shape (dim,) or (runs, dim); the origin by default.
        at: Steps to keep, increasing; by default as in `Record`.
        runs: Number of runs, unless arrays in `method` or `w0` give it.
        seed: Seed of the batches. A run's batches depend on this and its number alone.
        threads: Threads over blocks of runs; all cores by default. Results do not depend on it.

    Returns:
        Dataset of ``w`` (run, step, coord) and ``loss`` (run, step), the hyper-parameters as coordinates of ``run``. A
        run that diverges holds infinity and NaN.

    Raises:
        TypeError: for a problem, method or number of a wrong type.
        ValueError: for a rule that is none of the three, a batch larger than the samples allow, or shapes that do not
            fit.
    """
    X, y, scale = samples_of(problem)
    rule = rule_of(method, _PERTURBATION)
    size = checked_batch(batch_size, len(X), replacement)
    independent = choice("ascent", ascent, ASCENTS) == "independent"
    points = Record(at=at).points(positive_int("steps", steps))
    entropy = positive_int("seed", seed, minimum=0)
    threads = available_cores() if threads is None else positive_int("threads", threads)
    starts = _starts(problem.dim, w0, method.runs, positive_int("runs", runs))
    count = len(starts)
    hyper = {name: np.broadcast_to(value, (count,)).astype(np.float64) for name, value in method.values.items()}

    eta, rho = hyper["eta"], hyper.get("rho", np.zeros(count))
    iterates = np.empty((count, points.size, problem.dim))
    losses = np.empty((count, points.size))

    def block(first: int, last: int) -> None:
        rows = slice(first, last)
        states = np.array([stream(entropy, run) for run in range(first, last)])
        how = (scale / size, _PERTURBATION[rule], independent, size, bool(replacement), eta[rows], rho[rows])
        _advance(X, y, *how, starts[rows].copy(), states, points, iterates[rows])
        _losses(X, y, scale / (2 * len(X)), iterates[rows], losses[rows])

    over_blocks(block, count, -(-count // (_BLOCKS_PER_THREAD * threads)), threads)

    import xarray as xr

    return xr.Dataset(
        {"w": (("run", "step", "coord"), iterates), "loss": (("run", "step"), losses)},
        {"run": np.arange(count), "step": points} | {name: ("run", value) for name, value in hyper.items()},
        {
            "rule": rule,
            "problem": repr(problem),
            "batch_size": size,
            "replacement": int(replacement),
            "ascent": ascent,
            "seed": entropy,
            "steps": int(steps),
        },
    )


def samples_of(problem: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """Return features (n, dim), targets (n,) and the scale 2 c n of a sample's gradient, scale * x_i (x_i·w - y_i)."""
    if not isinstance(problem, Regression):
        raise TypeError(
            f"problem must have samples to draw (LeastSquares, KernelRegression), got {type(problem).__name__}"
        )
    features = np.ascontiguousarray(problem.features).view()
    features.flags.writeable = False  # one type for the kernels
    return features, problem.y, 2 * problem.loss_factor * problem.n_samples


def rule_of(method: Any, allowed: Sequence[str] | dict[str, int]) -> str:
    """Return the name of a bound method's rule if it is one of the shipped rules `allowed`."""
    if not isinstance(method, Method):
        raise TypeError(f"method must be a rule with bound hyper-parameters, such as gd(eta=0.1), got {method!r}")
    if method.rule.name not in allowed or method.rule.kernel_module is None:
        raise ValueError(f"method must be one of {', '.join(allowed)}; got {method.rule.name}")
    return method.rule.name


def checked_batch(batch_size: Any, samples: int, replacement: Any) -> int:
    """Return the batch size if `samples` allow it."""
    if not isinstance(replacement, bool | np.bool_):
        raise TypeError(f"replacement must be True or False, got {replacement!r}")
    size = positive_int("batch_size", batch_size)
    if not replacement and size > samples:
        raise ValueError(f"batch_size must be at most the {samples} samples without replacement, got {size}")
    return size


def _starts(dim: int, w0: Any, bound: int, runs: int) -> np.ndarray:
    """Return starts, shape (runs, dim): `bound` runs in the hyper-parameters, `runs` asked for, or those of `w0`."""
    starts = np.zeros((1, dim)) if w0 is None else finite_array("w0", w0, ndim=(1, 2), dtype=np.float64)
    if starts.shape[-1] != dim:
        raise ValueError(f"w0 must have shape ({dim},) or (runs, {dim}), got {starts.shape}")
    starts = np.atleast_2d(starts)
    counts = {"the hyper-parameters": bound, "runs": runs, "w0": len(starts)}
    several = {name: count for name, count in counts.items() if count > 1}
    if len(set(several.values())) > 1:
        listed = ", ".join(f"{count} in {name}" for name, count in several.items())
        raise ValueError(f"numbers of runs differ: {listed}")
    return np.broadcast_to(starts, (max(counts.values()), dim))


@kernel
def _draw(state: np.ndarray, order: np.ndarray, batch: np.ndarray, replacement: bool) -> None:
    """Fill `batch` with sample numbers; `order` holds all of them in any order (partial Fisher-Yates goes on there)."""
    n = order.size
    for t in range(batch.size):
        if replacement:
            batch[t] = below(state, n)
        else:
            chosen = t + below(state, n - t)
            batch[t] = order[chosen]
            order[chosen] = order[t]
            order[t] = batch[t]


@kernel
def _gradient(X: np.ndarray, y: np.ndarray, batch: np.ndarray, scale: float, w: np.ndarray, g: np.ndarray) -> None:
    """Write scale * Σ x_i (x_i·w - y_i) over the batch to `g`, in the order of samples and coordinates."""
    g[:] = 0.0
    for t in range(batch.size):
        x = X[batch[t]]
        residual = 0.0
        for k in range(w.size):
            residual += x[k] * w[k]
        residual = scale * (residual - y[batch[t]])
        for k in range(w.size):
            g[k] += residual * x[k]


@kernel
def _perturb(w: np.ndarray, g: np.ndarray, rho: float, normalised: bool, ascended: np.ndarray) -> None:
    """Write w + rho g to `ascended`, or w + rho g/|g| (w where g = 0)."""
    reach = rho
    if normalised:
        square = 0.0
        for k in range(g.size):
            square += g[k] * g[k]
        reach = rho / np.sqrt(square) if square != 0.0 else 0.0
    for k in range(g.size):
        ascended[k] = w[k] + reach * g[k]


@kernel
def _advance(
    X: np.ndarray,
    y: np.ndarray,
    scale: float,
    perturbation: int,
    independent: bool,
    size: int,
    replacement: bool,
    eta: np.ndarray,
    rho: np.ndarray,
    current: np.ndarray,
    states: np.ndarray,
    points: np.ndarray,
    iterates: np.ndarray,
) -> None:
    """Step each run in turn and keep its iterates at `points`; scratch arrays serve all runs."""
    n, dim = X.shape
    order, batch = np.empty(n, np.int64), np.empty(size, np.int64)
    g, ascended = np.empty(dim), np.empty(dim)
    for run in range(len(current)):
        w, state = current[run], states[run]
        for i in range(n):
            order[i] = i
        done = 0
        for p in range(points.size):
            for _ in range(done, points[p]):
                _draw(state, order, batch, replacement)
                _gradient(X, y, batch, scale, w, g)
                if perturbation > 0:
                    _perturb(w, g, rho[run], perturbation == 2, ascended)
                    if independent:
                        _draw(state, order, batch, replacement)
                    _gradient(X, y, batch, scale, ascended, g)
                for k in range(dim):
                    w[k] -= eta[run] * g[k]
            done = points[p]
            iterates[run, p] = w


@kernel
def _losses(X: np.ndarray, y: np.ndarray, factor: float, iterates: np.ndarray, losses: np.ndarray) -> None:
    """Write factor * ‖X w - y‖² of every kept iterate; not a product of BLAS, whose rounding depends on its shape."""
    for run in range(iterates.shape[0]):
        for p in range(iterates.shape[1]):
            w = iterates[run, p]
            total = 0.0
            for i in range(len(X)):
                x = X[i]
                residual = 0.0
                for k in range(w.size):
                    residual += x[k] * w[k]
                residual -= y[i]
                total += residual * residual
            losses[run, p] = factor * total
