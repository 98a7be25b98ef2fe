"""Run methods on problems, in batches, into labelled arrays."""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .._check import choice, finite_array, positive_int
from .blocks import Stepper, available_cores, block_width, compiled, load_product_library, over_blocks
from .method import Method
from .modes import LANES, Modes, modes_of
from .observe import Observer
from .record import Record
from .reference import quadratic_gradient, reference
from .sampling import Minibatch

if TYPE_CHECKING:
    import xarray as xr

    from .stochastic import Stochastic

ENGINES = ("auto", "diagonal", "dense", "reference")


def simulate(
    problem: Any,
    method: Method | Minibatch,
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
        problem: ``Quadratic`` or ``LeastSquares``. Mini-batches need samples: ``LeastSquares``, ``KernelRegression`` or
            ``QuadraticSum``.
        method: A rule with bound hyper-parameters, or one on mini-batches (``sgd``, ``minibatch``, ``noisy_gd``);
            arrays among the hyper-parameters make a batch of runs.
        w0: Start, shape (dim,) or (runs, dim). None draws standard normal starts from `seed`, one stream per run.
        steps: Number of steps.
        record: Which steps and quantities to keep; by default loss and gradient norm. Of a method on mini-batches they
            are those of the full loss.
        seed: Seed of everything random. What a run draws depends on this and on its number alone.
        dtype: ``"float64"`` or ``"float32"``: the arithmetic of the steps. What is recorded is float64. Mini-batches
            are stepped in float64.
        engine: ``"auto"`` takes the eigenbasis and the fused diagonal kernel where the rule commutes with rotations,
            else the dense kernel. ``"diagonal"``, ``"dense"`` and ``"reference"`` (NumPy, the oracle of the tests)
            force one. Mini-batches have an engine of their own, ``"auto"``.
        threads: Threads over blocks of runs; all cores by default. Results do not depend on it.

    Returns:
        Dataset with dimensions ``run, step[, coord]``, the hyper-parameters as coordinates of ``run``, ``diverged_at``
        (first step at which the iterate is not finite, -1 if none), and in ``attrs`` what is needed to run it again.
        Save it with ``.to_netcdf(path)``, load it with ``xarray.load_dataset(path)``.

    Raises:
        TypeError: for a problem that the method cannot run on.
        ValueError: for shapes that do not fit, non-finite starts, ``steps < 1``, an engine that the rule cannot use, or
            a batch larger than the samples allow.
    """
    batches = method if isinstance(method, Minibatch) else None
    method = batches.method if batches else method
    if not isinstance(method, Method):
        raise TypeError(f"method must be a rule with bound hyper-parameters, such as gd(eta=0.1), got {method!r}")
    steps = positive_int("steps", steps)
    threads = available_cores() if threads is None else positive_int("threads", threads)
    numeric = np.dtype(choice("dtype", dtype, ("float64", "float32")))
    record = record or Record()
    kernel = method.rule.kernel
    engine = choice("engine", engine, ENGINES)
    stochastic = None if batches is None else _stochastic(problem, batches, seed, engine, dtype)
    engine = "minibatch" if stochastic else _engine(engine, problem, method)
    starts = _starts(problem.dim, w0, method.runs, seed)
    hyper = {n: np.broadcast_to(v, (starts.shape[0],)).copy() for n, v in method.values.items()}
    points = record.points(steps)
    began, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
    observer = Observer(problem, method, record.what, points, steps, starts.shape[0], hyper)
    diverged = np.full(starts.shape[0], -1, dtype=np.int64)

    if engine == "dense":
        load_product_library()
    if stochastic:
        stochastic.run(starts, hyper, observer, diverged, threads)
    else:
        for shift, members in _groups(kernel, hyper, starts.shape[0]):
            modes = modes_of(problem, kernel, method.preconditioner, shift, dense=engine == "dense")
            group = _Group(kernel, modes, engine, numeric, hyper, starts, members, observer.stops, threads)
            task = partial(group.run, observer=observer, diverged=diverged)
            over_blocks(task, members.size, group.width, threads)
    return observer.dataset(
        diverged,
        {
            "rule": method.rule.name,
            "update": kernel.UPDATE,
            "problem": repr(problem),
            "engine": engine,
            "dtype": numeric.name,
            "seed": seed,
            **(batches.attributes if batches else {}),
            **({} if method.preconditioner is None else {"preconditioner": method.preconditioner.ravel()}),
            "steps": steps,
            "started": began.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 6),
            "versions": _versions(),
        },
    )


@dataclass(frozen=True)
class _Group:
    """Runs that share their coordinates, ready to be stepped block by block."""

    kernel: Any
    modes: Modes
    engine: str
    dtype: np.dtype
    hyper: dict[str, np.ndarray]
    starts: np.ndarray
    members: np.ndarray
    stops: np.ndarray
    threads: int

    @property
    def width(self) -> int:
        """Runs in a block."""
        share = -(-self.members.size // self.threads)
        dim, states = self.starts.shape[1], len(self.kernel.STATE)
        return block_width(dim, states, self.dtype.itemsize, share, dense=self.modes.curvature.ndim == 2)

    def run(self, first: int, last: int, observer: Observer, diverged: np.ndarray) -> None:
        """Step one block; lanes beyond its last run repeat that run, so that every product has one shape."""
        chosen = self.members[first:last]
        filled = -(-chosen.size // LANES) * LANES if self.modes.curvature.ndim == 1 else self.width
        lanes = chosen[np.minimum(np.arange(filled), chosen.size - 1)]
        inside = self.modes.enter(self.starts[lanes])
        states = [
            np.ascontiguousarray(inside if is_iterate else np.zeros_like(inside), dtype=self.dtype).copy()
            for is_iterate in self.kernel.ITERATES
        ]
        stepper = Stepper(self._advance([self.hyper[n][lanes].astype(self.dtype) for n in self.kernel.HYPER]), states)
        for position, kept in stepper.visit(self.stops):
            observer.take(self.modes, kept[:, :, : chosen.size], position, chosen)
        diverged[chosen] = stepper.diverged_at[: chosen.size]

    def _advance(self, hyper: list[np.ndarray]) -> Callable[..., None]:
        curvature = np.ascontiguousarray(self.modes.curvature, dtype=self.dtype)
        linear = self.modes.linear.astype(self.dtype)
        if self.engine != "reference":
            return compiled(self.kernel, curvature, linear, hyper)
        gradient = quadratic_gradient(curvature, linear, centred=self.kernel.CENTRED)
        return reference(self.kernel, gradient, curvature, hyper)


def _stochastic(problem: Any, method: Minibatch, seed: int, engine: str, dtype: str) -> Stochastic:
    """Return the runner of a method on mini-batches."""
    if engine != "auto" or dtype != "float64":
        raise ValueError(f"mini-batches run with engine='auto' and dtype='float64', got {engine!r} and {dtype!r}")
    from .stochastic import Stochastic

    return Stochastic(problem, method, seed)


def _engine(asked: str, problem: Any, method: Method) -> str:
    """Return the engine to use, or say why the one asked for cannot."""
    for needed in ("dim", "minimizer", "hessian", "is_diagonal"):
        if not hasattr(problem, needed):
            raise TypeError(f"problem must be a quadratic (Quadratic, LeastSquares), got {type(problem).__name__}")
    kernel = method.rule.kernel
    needs_own_axes = not kernel.ROTATION_EQUIVARIANT and not problem.is_diagonal
    if asked in ("diagonal", "reference") and needs_own_axes:
        raise ValueError(
            f"{method.rule.name} does not commute with rotations: on a dense Hessian it needs engine='dense'"
        )
    if asked == "dense" and kernel.MODEWISE:
        raise ValueError(f"{method.rule.name} is implicit: it runs in the eigenbasis only (engine='diagonal')")
    if asked != "auto":
        return asked
    return "dense" if needs_own_axes else "diagonal"


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


def _groups(kernel: Any, hyper: dict[str, np.ndarray], runs: int) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (shift, runs): a decay inside a preconditioner moves the eigenbasis, so its values run apart."""
    if not kernel.SHIFT:
        yield 0.0, np.arange(runs)
        return
    for value in np.unique(hyper[kernel.SHIFT]):
        yield float(value), np.flatnonzero(hyper[kernel.SHIFT] == value)


def _versions() -> str:
    import numba

    from .. import __version__

    return (
        f"eossim {__version__}, numpy {np.__version__}, numba {numba.__version__}, python {platform.python_version()}"
    )
