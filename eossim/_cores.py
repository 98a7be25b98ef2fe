"""How many processor cores there are to use."""

from __future__ import annotations

import os

#: Environment variable that limits how many cores one process uses; sweeps set it in their worker processes.
LIMIT = "EOSSIM_CORES"


def available_cores() -> int:
    """Return the number of cores that this process may use.

    Raises:
        ValueError: If the environment variable ``EOSSIM_CORES`` is set and no positive integer.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get(LIMIT)
    if limit is None:
        return cores
    if not limit.isdecimal() or int(limit) < 1:
        raise ValueError(f"the environment variable {LIMIT} must be a positive integer, got {limit!r}")
    return min(cores, int(limit))
