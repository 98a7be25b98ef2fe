"""The command line: parse, call the library, print."""

from . import theory, runs, networks, sweeps, machine  # noqa: F401, I001  commands, in the order of the help
from .options import app

__all__ = ["app"]
