"""Keep the table of edges in the README equal to the catalogue."""

from __future__ import annotations

from pathlib import Path

from eossim import catalogue
from eossim.theory import edges

README = Path(__file__).parent.parent / "README.md"
_BEGIN, _END = "<!-- edges: written by `python -m derivations` -->\n", "<!-- /edges -->"


def updated() -> str:
    """Return the README with the table of the catalogue as it is on disk."""
    catalogue.entries.cache_clear()
    before, rest = README.read_text(encoding="utf-8").split(_BEGIN)
    return f"{before}{_BEGIN}\n{edges().markdown()}\n\n{_END}{rest.split(_END)[1]}"


def is_current() -> bool:
    """Return whether the README shows the catalogue."""
    return README.read_text(encoding="utf-8") == updated()


def write() -> list[str]:
    """Write the table and return the names of changed files."""
    if is_current():
        return []
    README.write_text(updated(), encoding="utf-8")
    return ["README.md"]
