"""Commands on edges and their derivations."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import Values, app, parse, plain_errors


@app.command()
@plain_errors
def verify(
    claim: Annotated[
        list[str] | None, typer.Option(help="Claim, rule or pattern, such as sam or 'sam*'; repeatable.")
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="Data set for real Hessians: digits, diabetes or a file.npz.")
    ] = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Ten times the cases.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of every random case.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Write the report to this .json file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report to this self-contained .html file.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; one per core by default.")] = None,
) -> None:
    """Test every claim: proof, 50 digits, bisection, counterexample search, simulation on real Hessians.

    Exit code 0 when every claim is confirmed, 1 when one fails, 2 for wrong input.
    """
    from ..verification import verify as run
    from ..verification.report import check_path

    paths = [path for path in (json, html) if path is not None]
    for path in paths:
        check_path(path)
    report = run(
        claim or None,
        data=data or ("digits", "diabetes"),
        thorough=thorough,
        seed=seed,
        progress=sys.stderr.isatty(),
        jobs=jobs,
    )
    typer.echo(repr(report))
    for path in paths:
        report.save(path)
        typer.echo(f"report: {path}")
    raise typer.Exit(0 if report.passed else 1)


@app.command()
@plain_errors
def edges(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table in Markdown.")] = False,
) -> None:
    """List every edge in the catalogue: formula, domain, crossing, source."""
    from ..theory import edges as table

    typer.echo(table().markdown() if markdown else repr(table()))


@app.command()
@plain_errors
def edge(method: Annotated[str, typer.Argument(help="Method, such as sam.")], values: Values = None) -> None:
    """Print the curvature at which a method loses stability: eossim edge sam eta=0.1 rho=0.05 grad_norm=1.3."""
    import numpy as np

    from ..theory import edge as evaluate

    result = evaluate(method, **parse(values))
    typer.echo("\n".join(f"{x:.15g}" for x in np.atleast_1d(result)))


@app.command()
@plain_errors
def derive(
    name: Annotated[str | None, typer.Argument(help="Derivation or method; without it, all are listed.")] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Show a derivation step by step; every identity is proved again as it is printed."""
    from ..symbolic.automatic import derive as find
    from ..symbolic.derivation import recorded

    if name is None:
        for row in recorded().values():
            typer.echo(f"{row['name']:24s} {row['title']}")
        return
    found = find(name)
    typer.echo(found.latex() if latex else found.markdown() if markdown else found.text())
