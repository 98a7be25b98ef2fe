"""Tables of text cells, for a terminal and for a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]


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
