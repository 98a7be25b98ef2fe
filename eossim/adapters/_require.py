"""Libraries that only some people need."""

from __future__ import annotations

import importlib


def require(library: str) -> None:
    """Import an optional library.

    Raises:
        ImportError: If it is not installed; the message says what to install. What else goes wrong in its import is
            passed on.
    """
    try:
        importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        raise ImportError(f'this needs {library}: pip install "eossim[{library}]"') from None
