"""Regenerate `eossim/formulas/` and the README's table; with ``--check`` only compare (exit code 1 on a difference)."""

import sys

from . import readme
from .emit import generated, stale, write


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m derivations [--check]", file=sys.stderr)
        return 2
    if arguments:
        names = stale(generated()) + ([] if readme.is_current() else ["README.md"])
        print("formulas equal their derivations" if not names else "differs from its derivation: " + ", ".join(names))
        return 1 if names else 0
    names = write() + readme.write()
    print("nothing changed" if not names else f"wrote {len(names)} files: " + ", ".join(names))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
