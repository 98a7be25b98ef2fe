"""`eossim.sweep`: call a function for every cell of a grid."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joblib.parallel import BACKENDS

from .. import __version__
from .._check import _short, positive_int, unknown
from .._cores import available_cores
from . import local
from .assemble import Assembly
from .experiment import experiment
from .fingerprint import identity, name_of
from .grid import Grid, cell_key, cell_text, check_names, make_grid
from .store import Store
from .worker import Outcome

if TYPE_CHECKING:
    import xarray as xr


def sweep(
    function_or_experiment: Callable[..., Any] | str,
    grid: Mapping[Any, Iterable[Any]],
    *,
    executor: str = "local",
    jobs: int | None = None,
    scheduler: str | None = None,
    store: str | Path | None = None,
    seeds: int | Iterable[int] | None = None,
    fail_fast: bool = False,
    progress: bool = False,
) -> xr.Dataset:
    """Call a function for every cell of a grid and return all results as one labelled dataset.

    A cell is one combination of values; the function gets them as keywords. What it returns does not depend on the
    executor, the number of jobs or the order, as long as the function itself depends on its keywords alone: random
    numbers are to come from ``seed``. Linear algebra runs on one thread in every executor for this reason.

    A cell that raises is recorded with its traceback and the others go on. Failed cells have NaN, "" or False in every
    variable (integers become floating-point numbers where something is missing).

    Args:
        function_or_experiment: A function, or the name of an experiment such as ``"regimes"``. It returns a number,
            text, an array, a mapping of names to these, a DataArray, a Dataset or an `eossim.experiments.Result` (whose
            rows lie along ``row``). Constants are bound with `functools.partial`.
        grid: Values by name: ``{"eta": [0.1, 0.2], "beta": [0, 0.9]}`` is all four combinations; a tuple of names, as
            in ``{("eta", "beta"): [(0.1, 0), (0.2, 0.9)]}``, goes through tuples of values: dimension ``eta_beta``.
            Values are numbers, text, booleans, None or tuples of these, and reach the function as plain Python.
        executor: "local" (processes of this machine), "serial" (this process, for debugging), "dask", or the name of a
            joblib backend.
        jobs: Processes; one for each core by default. For "dask" without `scheduler`, those of a cluster made for the
            sweep.
        scheduler: Address of a Dask scheduler, such as ``"tcp://10.0.0.1:8786"``; implies ``executor="dask"``.
        store: File that keeps every finished cell. Sweeping again with it computes what is missing and what had failed:
            after a crash, an interrupt, or with a larger grid. It belongs to the function as it is: its file and those
            of its project that it imports, without comments and docstrings; bound constants; the versions of eossim and
            Python. Files that the function reads, and installed libraries, do not count. Keep it on a local disk.
        seeds: A number of seeds, counted from 0, or a list of them: dimension ``seed``, passed as ``seed``.
        fail_fast: Raise at the first cell that fails, once it and what was finished are stored.
        progress: Show a bar with the time left.

    Returns:
        The results over the grid's dimensions, in its order, followed by their own; ``failed`` (bool) and ``error``
        (text of the traceback) for every cell. Arrays without named dimensions get ``<name>_0``, ``<name>_1``.
        Results whose lengths differ between cells are aligned on their coordinates.

    Raises:
        TypeError: If an argument is of the wrong kind, or the function cannot be pickled.
        ValueError: If the grid is empty, has a name or value twice or a name that the function does not take; if the
            store is of another function or damaged; or if results of two cells do not fit together.
        OSError: If the store cannot be written to, as on a full disk, or no scheduler answers.
        RuntimeError: If a cell fails and `fail_fast` is set.

    Example:
        >>> import eossim
        >>> def risk(eta, seed):
        ...     return eta * seed
        >>> eossim.sweep(risk, {"eta": [0.1, 0.2]}, seeds=3, executor="serial").value.shape
        (2, 3)
    """
    function = experiment(function_or_experiment) if isinstance(function_or_experiment, str) else function_or_experiment
    if not callable(function):
        raise TypeError(f"sweep takes a function or the name of an experiment, got {_short(function)}")
    cells = make_grid(grid, seeds)
    check_names(function, cells.names)
    run = _runner(executor, jobs, scheduler)
    results = Assembly(cells)
    with ExitStack() as stack:
        keys: Sequence[str] = ()
        file = None
        if store is not None:
            file = Store(Path(store), identity(function))
            stack.callback(file.close)
            keys = [cell_key(cells.cell(k)) for k in range(len(cells))]
            for index, payload in file.load(keys):
                results.add(index, payload)
        pending = [k for k in range(len(cells)) if k not in results]
        if pending:
            found = stack.enter_context(closing(run(function, cells, pending)))
            bar = stack.enter_context(_bar(len(cells), len(cells) - len(pending), progress))
            for outcomes in found:
                if file is not None:
                    file.write((keys[k], payload, error) for k, payload, error in outcomes)
                _take(results, outcomes, fail_fast)
                bar.update(len(outcomes))
    dataset = results.dataset({"function": name_of(function), "eossim_version": __version__})
    if results.errors:
        first = min(results.errors)
        warnings.warn(
            f"{len(results.errors)} of {len(cells)} cells failed, the first at {cell_text(cells.cell(first))}: "
            f"{results.errors[first].splitlines()[-1]} (tracebacks are in the variable 'error')",
            stacklevel=2,
        )
    return dataset


def _runner(
    executor: str, jobs: int | None, scheduler: str | None
) -> Callable[[Callable[..., Any], Grid, Sequence[int]], Generator[list[Outcome]]]:
    """Return what runs cells.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If there is no such executor, or arguments do not go together.
    """
    if not isinstance(executor, str):
        raise TypeError(f"executor must be a name, got {_short(executor)}")
    if scheduler is not None:
        if not isinstance(scheduler, str):
            raise TypeError(f"scheduler must be an address such as 'tcp://10.0.0.1:8786', got {_short(scheduler)}")
        if executor not in ("local", "dask"):
            raise ValueError(f"scheduler goes with executor='dask', got executor={executor!r}")
        if jobs is not None:
            raise ValueError(
                f"jobs={jobs!r} is for processes of this machine; the scheduler at {scheduler} has its own"
            )
        executor = "dask"
    names = ["local", "serial", "dask", *(name for name, kind in BACKENDS.items() if _usable(name, kind))]
    if executor not in names:
        raise unknown("executor", executor, names)
    if executor == "serial":
        if jobs is not None and jobs != 1:
            raise ValueError(f"executor='serial' runs one cell after the other, got jobs={jobs!r}")
        return local.serial
    count = available_cores() if jobs is None else positive_int("jobs", jobs)
    if executor == "dask":
        from . import cluster

        return functools.partial(cluster.cluster, scheduler=scheduler, jobs=count)
    return functools.partial(local.parallel, backend="loky" if executor == "local" else executor, jobs=count)


def _usable(name: str, backend: Any) -> bool:
    """Whether a backend of joblib hands back results as they come."""
    return name != "sequential" and getattr(backend, "supports_return_generator", False) is not False


def _take(results: Assembly, outcomes: Sequence[Outcome], fail_fast: bool) -> None:
    for index, payload, error in outcomes:
        if payload is not None:
            results.add(index, payload)
            continue
        results.fail(index, error)
        if fail_fast:
            raise RuntimeError(f"the cell {cell_text(results.grid.cell(index))} failed:\n{error}")


def _bar(total: int, done: int, progress: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, initial=done, desc="sweep", unit="cell", disable=not progress)
