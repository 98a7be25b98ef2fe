"""Tables of text cells, for a terminal and for a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Generic, Protocol, TypeVar

Rows = Sequence[Sequence[str]]


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=_Named)


class NamedEntries(Generic[Entry]):
    """Entries with names: iterate over them, or index them by name."""

    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, name: str) -> Entry:
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise KeyError(name)


def text_table(columns: Sequence[str], rows: Rows, widest: int | None = None) -> str:
    """Return aligned columns under a ruled head; cells beyond `widest` characters do not widen their column."""
    cells = [columns, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    widths = [min(width, widest or width) for width in widths]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def html_table(columns: Sequence[str], rows: Rows) -> str:
    """Return the table in HTML, cells escaped."""
    head = "".join(f"<th>{c}</th>" for c in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
