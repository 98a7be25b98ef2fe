"""The catalogue of edges as a table, in a terminal and in a notebook."""

from __future__ import annotations

from dataclasses import dataclass

from .._tables import NamedEntries, html_table, text_table
from ..catalogue import Entry

COLUMNS = ("name", "formula", "domain", "needs", "crossing", "reference")


@dataclass(frozen=True)
class Table(NamedEntries[Entry]):
    """Rows of edges; iterate over it, index it by name, or print it."""

    entries: tuple[Entry, ...]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table as text, one tuple per edge, in the order of `COLUMNS`."""
        return [
            (
                e.name,
                e.formula,
                e.domain,
                ", ".join(e.needs),
                ", ".join(crossing_text(k) for k in e.crossing) or "none",
                e.reference,
            )
            for e in self.entries
        ]

    def __repr__(self) -> str:
        return text_table(COLUMNS, self.rows, widest=60)

    def markdown(self) -> str:
        """The table in Markdown, formulas in LaTeX (what the README shows)."""
        lines = ["| method | edge | domain | crossing | source |", "|---|---|---|---|---|"]
        for e in self.entries:
            crossing = ", ".join(crossing_text(k) for k in e.crossing) or "none"
            domain = e.domain.replace("|", r"\|")
            lines.append(f"| `{e.name}` | ${e.latex}$ | {domain} | {crossing} | {e.reference} |")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, self.rows)


def crossing_text(kind: str) -> str:
    """Return how a kind of crossing is written in tables."""
    return "complex pair" if kind == "complex" else f"z = {kind}"
