"""Commands on what eossim runs on."""

from __future__ import annotations

import typer

from .options import app


@app.command()
def doctor() -> None:
    """Report what eossim runs on: versions, cores, linear algebra, caches."""
    from .._doctor import report

    typer.echo(report())
