"""Find or make the module with the compiled steps of a rule or a map."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from .._map import Map
    from .._rule import Rule


def kernel_module(method: Rule | Map) -> ModuleType:
    """Return the module with the generated functions of a rule (see `kernel_source`) or a map (see `map_source`).

    Shipped ones have theirs in the package. Any other is written once to the user's cache, as a source file whose name
    carries a digest of its content: numba then caches the machine code beside it, for every later process.
    """
    if method.kernel_module is not None:
        return importlib.import_module(method.kernel_module)
    source = _source(method)
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    name = f"eossim_kernel_{method.name}_{digest}"
    if name not in sys.modules:
        path = kernel_directory() / f"{name}.py"
        if not path.exists():
            _write_atomically(path, source)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def _source(method: Rule | Map) -> str:
    from .._map import Map

    if isinstance(method, Map):
        from ..symbolic.emit_map import map_source

        return map_source(method)
    from ..symbolic.emit_kernel import kernel_source

    return kernel_source(method.program)


def kernel_directory() -> Path:
    """Return a writable directory: the user's cache (or ``EOSSIM_CACHE``), else a temporary one."""
    import platformdirs

    directory = Path(os.environ.get("EOSSIM_CACHE") or platformdirs.user_cache_dir("eossim")) / "kernels"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if os.access(directory, os.W_OK):
            return directory
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="eossim-kernels-"))


def _write_atomically(path: Path, text: str) -> None:
    """Write through a temporary file, so that a second process never reads half a kernel."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)
