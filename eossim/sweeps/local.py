"""Cells in this process and in processes beside it."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Generator, Sequence
from typing import Any

import cloudpickle
import joblib
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError

from .._cores import available_cores
from .batches import Batches
from .fingerprint import name_of, project_modules
from .grid import Grid
from .origin import versions
from .project import file_digest, project_files
from .worker import Outcome, Shipped, end_with, few_threads, run_batch, run_cell

#: Backends that share this process: nothing is pickled.
_SHARED = ("threading",)
_DIED = "The worker process died while it ran this cell: killed, out of memory, or crashed in compiled code."


def serial(function: Callable[..., Any], grid: Grid, pending: Sequence[int]) -> Generator[list[Outcome]]:
    """Run cells one by one in this process."""
    with few_threads(None):
        for index in pending:
            yield [run_cell(function, index, grid.cell(index), grid.dims)]


def parallel(
    function: Callable[..., Any], grid: Grid, pending: Sequence[int], *, backend: str, jobs: int
) -> Generator[list[Outcome]]:
    """Run cells on a backend of joblib.

    When a worker process dies, the cells that were on their way are run again one at a time: the one that kills its
    worker once more has failed, the others go on.
    """
    sent = function if backend in _SHARED else ship(function)
    run = functools.partial(_run, sent, grid, backend=backend, jobs=jobs)
    while pending:
        batches = Batches(pending, jobs)
        try:
            yield from run(batches)
            return
        except TerminatedWorkerError:
            suspects = sorted(batches.open)
        for index in suspects:
            try:
                yield from run(Batches([index], 1))
            except TerminatedWorkerError:
                yield [(index, None, _DIED)]
        pending = batches.rest()


def _run(
    function: Callable[..., Any] | Shipped, grid: Grid, batches: Batches, *, backend: str, jobs: int
) -> Generator[list[Outcome]]:
    cores = max(1, available_cores() // jobs)
    tasks = (
        joblib.delayed(run_batch)(function, [(k, grid.cell(k)) for k in batch], grid.dims, cores) for batch in batches
    )
    options: dict[str, Any] = {}
    if backend == "loky":
        options = {"inner_max_num_threads": 1, "initializer": end_with, "initargs": (os.getpid(),)}
    with joblib.parallel_config(backend=backend, n_jobs=jobs, **options):
        found = joblib.Parallel(return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)(tasks)
    try:
        while True:
            try:
                outcomes, seconds = next(found)
            except StopIteration:
                return
            except TerminatedWorkerError:
                raise
            except Exception as error:  # those of cells are caught in the worker
                raise RuntimeError(f"workers cannot run the function: {type(error).__name__}: {error}") from error
            batches.done([index for index, _, _ in outcomes], seconds)
            yield outcomes
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib's, when results are left behind
            found.close()


def ship(function: Callable[..., Any]) -> Shipped:
    """Return a function pickled with the code of its project: workers need no files, and hold no older code.

    Raises:
        TypeError: If it cannot be pickled.
    """
    data = None
    for by_value in (_modules(function), []):  # by reference where a module holds what cannot be pickled
        for module in by_value:
            cloudpickle.register_pickle_by_value(module)
        try:
            data = cloudpickle.dumps(function)
            break
        except Exception as error:
            reason = error
        finally:
            for module in by_value:
                cloudpickle.unregister_pickle_by_value(module)
    if data is None:
        raise TypeError(
            f"{name_of(function)} cannot be sent to worker processes ({reason}): it holds something that lives in this "
            "process alone, such as a lock, an open file or a generator. Make it inside the function, or run with "
            "executor='serial' or 'threading'"
        ) from reason
    files = {module: file_digest(path) for module, path in project_files(project_modules(function)).items()}
    digest = hashlib.sha256(data + repr(sorted(files.items())).encode()).hexdigest()
    return Shipped(np.frombuffer(data, dtype=np.uint8), digest, versions(function), files)


def _modules(function: Callable[..., Any]) -> list[Any]:
    """Return the modules whose code goes along; ``__main__`` always does."""
    known = {"__main__", *cloudpickle.list_registry_pickle_by_value()}
    return [sys.modules[name] for name in project_modules(function) - known if name in sys.modules]
