"""Run methods on problems, in batches, into labelled arrays."""

from __future__ import annotations

import datetime
import platform
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from .._check import choice, finite_array, positive_int
from .._cores import available_cores
from .method import Method
from .observe import Observer
from .record import Record, checked_record
from .rule_run import rule_run
from .sampling import Minibatch

if TYPE_CHECKING:
    import xarray as xr

    from .adaptive import AdaptiveDescent
    from .steepest import SteepestDescent

ENGINES = ("auto", "diagonal", "dense", "reference")


def simulate(
    problem: Any,
    method: Method | Minibatch | SteepestDescent | AdaptiveDescent,
    w0: Any = None,
    steps: int = 100,
    *,
    record: Record | None = None,
    seed: int = 0,
    dtype: str = "float64",
    engine: str = "auto",
    threads: int | None = None,
) -> xr.Dataset:
    """Run `method` on `problem` and return what was asked for.

    Args:
        problem: A quadratic (``Quadratic``, ``LeastSquares``), or any problem with ``dim``, ``loss(w)`` and ``grad(w)``
            over leading axes (``MatrixFactorization``, ``Function``), which no implicit or preconditioned rule runs on.
            Mini-batches need samples: ``LeastSquares``, ``KernelRegression`` or ``QuadraticSum``.
        method: A rule with bound hyper-parameters, one on mini-batches (``sgd``, ``minibatch``, ``noisy_gd``), steepest
            descent in a norm (``steepest_descent``, ``normalized_steepest_descent``), or gradient descent with a step
            size of its own making (``adaptive_descent``); arrays among the hyper-parameters make a batch of runs.
        w0: Start, shape (dim,) or (runs, dim). None draws standard normal starts from `seed`, one stream per run.
        steps: Number of steps.
        record: Which steps and quantities to keep; by default loss and gradient norm, of steepest and adaptive descent
            also dual norm, directional smoothness, edge and the residual of the descent identity, whose sum over the
            run is checked where every step is kept. Of a method on mini-batches they are those of the full loss.
        seed: Seed of everything random. What a run draws depends on this and on its number alone.
        dtype: ``"float64"`` or ``"float32"``: the arithmetic of the steps. What is recorded is float64. Mini-batches,
            problems that are no quadratics, and norms without compiled steps are stepped in float64.
        engine: ``"auto"`` takes the eigenbasis and the fused diagonal kernel where the rule commutes with rotations,
            else the dense kernel. ``"diagonal"``, ``"dense"`` and ``"reference"`` (NumPy, the oracle of the tests)
            force one. Mini-batches have an engine of their own, ``"auto"``. Steepest descent keeps the axes of the
            problem: ``"diagonal"`` is for a diagonal Hessian, ``"dense"`` for any other. Both are compiled for l2, l1,
            linf and blocks; other norms, and problems that are no quadratics, are stepped by NumPy, ``"reference"``.
        threads: Threads over blocks of runs; all cores by default. Results do not depend on it.

    Returns:
        Dataset with dimensions ``run, step[, coord]``, the hyper-parameters as coordinates of ``run``, ``diverged_at``
        (first step at which the iterate is not finite, -1 if none), and in ``attrs`` what is needed to run it again.
        Save it with ``.to_netcdf(path)``, load it with ``xarray.load_dataset(path)``.

    Raises:
        TypeError: for a problem that the method cannot run on.
        ValueError: for shapes that do not fit, non-finite starts, ``steps < 1``, an engine or dtype that the method
            cannot use, a quantity that is not recorded of it, or a batch larger than the samples allow.
    """
    steps = positive_int("steps", steps)
    threads = available_cores() if threads is None else positive_int("threads", threads)
    numeric = np.dtype(choice("dtype", dtype, ("float64", "float32")))
    record = checked_record(record)
    if record.track:
        raise ValueError(f"simulate tracks nothing, got track={record.track!r}: use train, or record it with what=")
    runner = _runner(problem, method, choice("engine", engine, ENGINES), numeric, seed)
    starts = _starts(problem.dim, w0, method.runs, seed)
    values = method.method.values if isinstance(method, Minibatch) else method.values
    hyper = {n: np.broadcast_to(v, (starts.shape[0],)).copy() for n, v in values.items()}
    points = record.points(steps)
    began, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
    observer = Observer(runner.reading(hyper), record.what, points, steps, problem.dim, starts.shape[0], hyper)
    diverged = np.full(starts.shape[0], -1, dtype=np.int64)
    runner.run(starts, hyper, observer, diverged, threads)
    return observer.dataset(
        diverged,
        {
            **runner.attributes,
            "problem": repr(problem),
            "engine": runner.engine,
            "dtype": numeric.name,
            "seed": seed,
            "steps": steps,
            "started": began.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 6),
            "versions": versions(),
        },
    )


def _runner(problem: Any, method: Any, engine: str, dtype: np.dtype, seed: int) -> Any:
    """Return what steps a method of this kind on the problem."""
    if isinstance(method, Minibatch):
        if engine != "auto" or dtype != np.float64:
            raise ValueError(
                f"mini-batches run with engine='auto' and dtype='float64', got {engine!r} and {dtype.name!r}"
            )
        from .stochastic import Stochastic

        return Stochastic(problem, method, seed)
    if isinstance(method, Method):
        return rule_run(problem, method, engine, dtype)
    from .adaptive import AdaptiveDescent
    from .steepest import SteepestDescent
    from .steepest_run import Descent

    if isinstance(method, SteepestDescent | AdaptiveDescent):
        return Descent(problem, method, engine, dtype)
    raise TypeError(
        "method must be a rule with bound hyper-parameters, such as gd(eta=0.1), or a method such as "
        f"steepest_descent(norms.Linf(), eta=0.1), got {method!r}"
    )


def _starts(dim: int, w0: Any, runs: int, seed: int) -> np.ndarray:
    """Return starts, shape (runs, dim)."""
    if w0 is None:
        entropy = positive_int("seed", seed, minimum=0)
        starts = np.empty((runs, dim))
        for run, start in enumerate(starts):  # the children of SeedSequence(seed).spawn(runs), one at a time
            stream = np.random.SeedSequence(entropy, spawn_key=(run,))
            np.random.default_rng(stream).standard_normal(out=start)
        return starts
    starts = finite_array("w0", w0, ndim=(1, 2), dtype=np.float64)
    if starts.shape[-1] != dim:
        raise ValueError(f"w0 must have shape ({dim},) or (runs, {dim}), got {starts.shape}")
    starts = np.atleast_2d(starts)
    if runs > 1 and starts.shape[0] not in (1, runs):
        raise ValueError(f"w0 holds {starts.shape[0]} runs, the hyper-parameters {runs}")
    return np.broadcast_to(starts, (max(runs, starts.shape[0]), dim))


def versions() -> str:
    """Return what ran: versions of the package and of what it stands on."""
    import numba

    from .. import __version__

    return (
        f"eossim {__version__}, numpy {np.__version__}, numba {numba.__version__}, python {platform.python_version()}"
    )
