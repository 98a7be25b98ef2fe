"""Compiled work on threads; its parts and their order do not depend on how many there are."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from .._cores import available_cores

#: Multiplications of a thread below which it costs more than it brings.
_WORTH = 1 << 21


def over(task: Callable[[int], None], count: int, work: float) -> None:
    """Call ``task(0)`` to ``task(count - 1)``, on threads if the multiplications `work` are worth it."""
    workers = min(available_cores(), count)
    if workers == 1 or work < _WORTH * workers:
        for k in range(count):
            task(k)
        return
    rest = iter(range(count))

    def serve() -> None:
        for k in rest:  # whoever is free takes the next one
            task(k)

    others = [_pool(os.getpid()).submit(serve) for _ in range(workers - 1)]
    try:
        serve()
    finally:
        for other in others:
            other.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the threads of a process; a child that was forked has none of its parent's."""
    return ThreadPoolExecutor(max(1, available_cores() - 1), thread_name_prefix="eossim-networks")
