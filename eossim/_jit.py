"""The only place where numba options stand.

* ``error_model="numpy"``: division by zero gives inf or nan as in NumPy; the Python model raises, and the check blocks
  vectorisation.
* no ``fastmath`` for what steps a method: it would reassociate sums and make ``isfinite(nan)`` true, and kernels equal
  NumPy bit for bit without it. `summing` may reassociate sums, and nothing else: for sums over modes or runs that are
  compared with a tolerance, not bit for bit: the order may even differ between the process that compiled a kernel and
  one that loads it from the cache, so that nothing a run is resumed from goes through it.
* ``nogil``: blocks of runs go through kernels on a thread pool.
* ``cache``: a kernel is a real source file, compiled once a machine and loaded in milliseconds afterwards.
"""

from __future__ import annotations

from numba import njit

kernel = njit(error_model="numpy", nogil=True, cache=True)
summing = njit(error_model="numpy", nogil=True, cache=True, fastmath={"reassoc", "nsz"})
