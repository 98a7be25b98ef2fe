"""What ``eossim sweep`` does: run a function from a file, or an experiment, over a grid and print what came out."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ._check import existing_folder, unknown
from ._tables import text_table
from .sweeps import sweep

#: Rows of the table, and failures that are listed.
_ROWS, _FAILURES = 40, 5
_WORDS = {"true": True, "false": False, "none": None}


def report(
    target: str,
    pairs: list[str],
    *,
    seeds: int | None,
    store: Path | None,
    executor: str | None,
    scheduler: str | None,
    jobs: int | None,
    fail_fast: bool,
    save: Path | None,
    progress: bool,
) -> tuple[str, int]:
    """Sweep and return the table, and how many cells failed: a row for each, means and standard deviations over seeds.

    Args:
        target: ``FILE.py:FUNCTION``, or the name of an experiment.
        pairs: Axes of the grid, ``NAME=V1,V2,...``; ``NAME,NAME=V1:W1,V2:W2,...`` is one axis of two names.
        seeds: Number of seeds.
        store: File that keeps finished cells.
        executor: As in `eossim.sweep`; "local" by default.
        scheduler: Address of a Dask scheduler.
        jobs: Number of processes.
        fail_fast: Stop at the first cell that fails.
        save: netCDF file for the results.
        progress: Show a bar.

    Raises:
        ValueError: for a target or an axis that cannot be read, and as `eossim.sweep` does.
    """
    if save is not None:
        existing_folder(save)
    grid: dict[Any, list[Any]] = {}
    for pair in pairs:
        key, values = _axis(pair)
        if key in grid:
            raise ValueError(f"{pair.partition('=')[0]} is given twice")
        grid[key] = values
    function = _function(target)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* cells failed")  # the table says so
        found = sweep(
            function,
            grid,
            executor=executor or "local",
            jobs=jobs,
            scheduler=scheduler,
            store=store,
            seeds=seeds,
            fail_fast=fail_fast,
            progress=progress,
        )
    lines = [_table(found, [name for key in grid for name in (key if isinstance(key, tuple) else (key,))])]
    lines += _failures(found)
    if save is not None:
        found.to_netcdf(save)
        lines.append(f"saved: {save}")
    return "\n".join(lines), int(found.failed.sum())


def _axis(pair: str) -> tuple[str | tuple[str, ...], list[Any]]:
    """Return the name or names and the values of ``NAME=V1,V2`` or ``NAME,NAME=V1:W1,V2:W2``."""
    name, equals, text = pair.partition("=")
    if not (equals and name and text):
        raise ValueError(f"expected NAME=VALUE,VALUE,..., got {pair!r}")
    if "," not in name:
        return name, [_value(word) for word in text.split(",")]
    return tuple(name.split(",")), [tuple(map(_value, words.split(":"))) for words in text.split(",")]


def _value(word: str) -> Any:
    """Return a word as a number, a boolean, None, or the text it is."""
    word = word.strip()
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _function(target: str) -> Callable[..., Any] | str:
    """Return the function that ``FILE.py:FUNCTION`` names; the name of an experiment stays what it is."""
    file, colon, name = target.rpartition(":")
    if not colon:
        if target.endswith(".py"):
            raise ValueError(f"name the function as well: {target}:FUNCTION")
        return target
    path = Path(file).resolve()
    if not path.is_file():
        raise ValueError(f"no such file: {file!r}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file!r} is no Python file")
    sys.path.insert(0, str(path.parent))  # modules beside it
    module = importlib.util.module_from_spec(spec)
    shadowed = sys.modules.get(path.stem)
    if shadowed is not None and getattr(shadowed, "__file__", None) != str(path):
        raise ValueError(f"{file!r} has the name of the module {path.stem!r}: rename it")
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    if not callable(getattr(module, name, None)):
        raise unknown(f"function of {path.name}", name, functions)
    function: Callable[..., Any] = getattr(module, name)
    return function


def _table(found: Any, names: list[str]) -> str:
    """Return the single numbers of every cell; name what else there is."""
    seeds = "seed" if "seed" in found.dims and "seed" not in names else None
    grid = [*dict.fromkeys(found[name].dims[0] for name in names), *([seeds] if seeds else [])]
    columns = [
        key for key, item in found.data_vars.items() if item.dims == tuple(grid) and key not in ("failed", "error")
    ]
    others = [key for key in found.data_vars if key not in (*columns, "failed", "error")]
    head = found[columns] if columns else found[["failed"]]
    flat = (
        head.stack(cell=[dim for dim in grid if dim != seeds], create_index=False)
        if names
        else head.expand_dims("cell")
    )
    rows = []
    for k in range(min(flat.sizes["cell"], _ROWS)):
        cell = flat.isel(cell=k)
        rows.append(
            [_shown(cell[name].values) for name in names] + [_shown(cell[key].values) for key in head.data_vars]
        )
    lines = [text_table([*names, *head.data_vars], rows)]
    if flat.sizes["cell"] > _ROWS:
        lines.append(f"... and {flat.sizes['cell'] - _ROWS} more rows; --save keeps all")
    if seeds:
        lines.append(f"mean ± standard deviation over {found.sizes['seed']} seeds")
    if others:
        listed = ", ".join(f"{key} ({', '.join(map(str, found[key].dims))})" for key in others)
        lines.append(f"also: {listed}; --save keeps all")
    return "\n".join(lines)


def _shown(values: np.ndarray) -> str:
    """Return one value, or mean and standard deviation of several, as text."""
    if values.dtype.kind not in "biuf":
        kinds = sorted({str(value) for value in values.ravel()})
        return " | ".join(kinds)
    if values.ndim == 0:
        return f"{values.item():.6g}" if values.dtype.kind == "f" else str(values.item())
    if values.dtype.kind == "b":
        return f"{values.sum()} of {values.size}"
    kept = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if not kept.size:
        return "nan"
    return f"{kept.mean():.5g} ± {kept.std(ddof=1) if kept.size > 1 else 0:.2g}"


def _failures(found: Any) -> list[str]:
    """Return how many cells failed, and the last lines of the first tracebacks."""
    failed = np.argwhere(found.failed.values)
    if not len(failed):
        return []
    lines = [f"{len(failed)} of {found.failed.size} cells failed:"]
    for where in failed[:_FAILURES]:
        cell = found.isel(dict(zip(found.failed.dims, where, strict=True)))
        names = ", ".join(f"{key} = {cell[key].item()}" for key in cell.coords if not cell[key].dims)
        lines.append(f"  {names}: {str(cell.error.item()).splitlines()[-1]}")
    if len(failed) > _FAILURES:
        lines.append(f"  ... and {len(failed) - _FAILURES} more; --save keeps their tracebacks")
    return lines
