"""What runs beside the data of a cell: in this process, in a worker process, or on another machine."""

from __future__ import annotations

import functools
import os
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .._cores import LIMIT
from ..engine.blocks import load_product_library
from .origin import versions_here
from .payload import pack

#: Number of a cell, its payload, and the traceback if there is none.
Outcome = tuple[int, bytes | None, str]
Cell = tuple[int, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Shipped:
    """A function on its way to worker processes.

    Attributes:
        data: Its pickle. An array, because joblib keeps large arrays in one file for all workers.
        digest: Of the pickle and the files; a worker knows the function by it.
        versions: Of eossim and Python, where it was pickled.
        files: Digests of the files of its project, by module: the function may import them on its way.
    """

    data: np.ndarray
    digest: str
    versions: dict[str, str]
    files: dict[str, str]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shipped) and (self.digest, self.versions) == (other.digest, other.versions)

    def __hash__(self) -> int:
        return hash(self.digest)


def run_batch(
    function: Callable[..., Any] | Shipped,
    cells: Sequence[Cell],
    dims: Sequence[str],
    cores: int | None,
) -> tuple[list[Outcome], float]:
    """Run cells one after the other; return what came of them and the seconds it took.

    Args:
        function: What to call with the keywords of each cell.
        cells: Numbers and keywords.
        dims: Dimensions of the grid.
        cores: Cores for eossim's own threads; None leaves them as they are.
    """
    if isinstance(function, Shipped):
        _forget_changed(function.files)
    call = _unshipped(function) if isinstance(function, Shipped) else function
    with few_threads(cores):
        begun = time.perf_counter()
        outcomes = [run_cell(call, index, cell, dims) for index, cell in cells]
        return outcomes, time.perf_counter() - begun


def run_cell(function: Callable[..., Any], index: int, cell: Mapping[str, Any], dims: Sequence[str]) -> Outcome:
    """Run one cell; an exception becomes its traceback, which begins in the function."""
    try:
        value = function(**cell)
    except (Exception, SystemExit) as error:
        return index, None, _text(error, skip=1)
    try:
        return index, pack(value, cell, dims), ""
    except Exception as error:  # making arrays of it may run any code
        return index, None, _text(error, skip=None)


def _text(error: BaseException, skip: int | None) -> str:
    """Return a traceback without its first frames, or the message alone, as text that can be written to a file."""
    trace = error.__traceback__
    for _ in range(skip or 0):
        trace = trace.tb_next if trace is not None else None
    if skip is None or trace is None:
        lines = traceback.format_exception_only(error)
    else:
        lines = traceback.format_exception(type(error), error, trace)
    return "".join(lines).strip().encode("utf-8", "backslashreplace").decode()


def end_with(parent: int) -> None:
    """End this worker soon after its parent: orphans would go on with their cells, and then wait for minutes.

    Called when the worker starts, before it asks for cells: the parent may be gone by then.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


_files: dict[str, str] = {}


def _forget_changed(files: Mapping[str, str]) -> None:
    """Have modules imported again if one of them was edited since an earlier sweep that this worker took part in."""
    if any(_files.get(module, digest) != digest for module, digest in files.items()):
        for module in files:
            if module != "__main__":
                sys.modules.pop(module, None)
    _files.update(files)


@functools.lru_cache(maxsize=4)
def _unshipped(shipped: Shipped) -> Callable[..., Any]:
    here = versions_here(files="+" in shipped.versions["eossim"])
    if here != shipped.versions:
        worker, sweep = (" and ".join(f"{name} {v}" for name, v in both.items()) for both in (here, shipped.versions))
        raise RuntimeError(f"the worker has {worker}, the sweep {sweep}: their results would not agree")
    function: Callable[..., Any] = pickle.loads(shipped.data.tobytes())
    return function


_lock = threading.Lock()
_active = 0
_undo: list[Callable[[], object]] = []


@contextmanager
def few_threads(cores: int | None) -> Iterator[None]:
    """Keep linear algebra to one thread, so that bits agree everywhere, and eossim to a number of cores.

    Limits belong to the process: of several threads that are inside, the first sets them, the last takes them back.
    """
    global _active
    with _lock:
        if _active == 0:
            load_product_library()
            limits = threadpool_limits(limits=1, user_api="blas")
            before = os.environ.get(LIMIT)
            if cores is not None and before is None:
                os.environ[LIMIT] = str(cores)
                _undo.append(functools.partial(os.environ.pop, LIMIT, None))
            _undo.append(limits.restore_original_limits)
        _active += 1
    try:
        yield
    finally:
        with _lock:
            _active -= 1
            if _active == 0:
                while _undo:
                    _undo.pop()()
