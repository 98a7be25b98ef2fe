"""What ``eossim doctor`` reports."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from . import __version__

_PACKAGES = (
    "numpy",
    "scipy",
    "sympy",
    "numba",
    "xarray",
    "matplotlib",
    "hypothesis",
    "scikit-learn",
    "joblib",
)


def report() -> str:
    """Return versions, cores, linear algebra and caches as text, with advice where there is some."""
    import numba
    import numpy  # noqa: F401 - loads the linear algebra that is reported
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    from .engine.compile import kernel_directory

    lines = [f"eossim {__version__}, python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"]
    lines += [f"  {name} {_version(name)}" for name in _PACKAGES]
    pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
    for pool in pools:
        core = pool.get("architecture", "unknown core")
        lines.append(f"linear algebra: {pool['internal_api']} {pool['version']}, {core}, {pool['num_threads']} threads")
    features = numba.core.codegen.get_host_cpu_features() if hasattr(numba.core, "codegen") else ""
    wide = "+avx512f" in features
    lines.append(f"vector width: {'512' if wide else '256' if '+avx2' in features else '128'} bit")
    lines.append(f"kernels of your own rules: {kernel_directory()}")
    if (
        wide
        and any(p.get("architecture") in ("Zen", "Haswell") for p in pools)
        and "OPENBLAS_CORETYPE" not in os.environ
    ):
        lines.append("advice: this processor has AVX-512 but the linear algebra does not use it;")
        lines.append("        OPENBLAS_CORETYPE=SkylakeX may double the speed of dense products")
    return "\n".join(lines)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
