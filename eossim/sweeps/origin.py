"""Where code comes from: the user's project, installed libraries, or eossim, and in which versions."""

from __future__ import annotations

import functools
import hashlib
import inspect
import site
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import __version__


def versions(function: Callable[..., Any]) -> dict[str, str]:
    """Return the versions that must be the same wherever cells of a function run."""
    return versions_here(files=home(function).partition(".")[0] == "eossim")


def versions_here(*, files: bool) -> dict[str, str]:
    """Return the versions of eossim and Python.

    Args:
        files: Whether the function is eossim's own. Then, in a checkout under development, its files count as well.
    """
    eossim = f"{__version__}{_files()}" if files else __version__
    return {"eossim": eossim, "Python": f"{sys.version_info[0]}.{sys.version_info[1]}"}


@functools.cache
def _files() -> str:
    """Return a digest of the files of a checkout, those that only show results aside; empty if installed."""
    root = Path(__file__).resolve().parent.parent
    if is_installed(root):
        return ""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[0] not in ("plot", "verification", "cli"):
            digest.update(str(place).encode() + b"\0" + path.read_bytes())
    return f"+{digest.hexdigest()[:12]}"


def home(function: Callable[..., Any]) -> str:
    """Return the module in which a function is defined."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(inspect.unwrap(function), "__module__", ""))


@functools.cache
def _libraries() -> tuple[Path, ...]:
    """Folders of installed packages."""
    paths = sysconfig.get_paths()
    folders = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(Path(folder).resolve() for folder in (*folders, *site.getsitepackages(), site.getusersitepackages()))


def is_installed(path: Path) -> bool:
    """Whether a file belongs to Python or an installed package."""
    return any(path.resolve().is_relative_to(folder) for folder in _libraries())
