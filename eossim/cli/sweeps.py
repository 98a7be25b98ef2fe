"""Commands on grids of parameters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import Executor, FailFast, Jobs, Save, Scheduler, app, netcdf_path, plain_errors, printed


@app.command("phase-diagram")
@plain_errors
def phase_diagram(
    model: Annotated[str, typer.Option(help="mlp: ReLU networks on a data set; uv: the solvable model.")] = "mlp",
    depth: Annotated[str | None, typer.Option(help="Weight layers of the networks; 2,4,8 by default.")] = None,
    width: Annotated[
        str | None, typer.Option(help="Hidden units; 32,64,128 by default, 4,16,64,256,1024,4096 for uv.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="digits or a file.npz with X and y, for networks; digits by default.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Samples of the data set in use; at most 512 by default.")] = None,
    y: Annotated[float | None, typer.Option("--y", help="Target of uv; 0 by default.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Starts of each network; 3 by default, 500 for uv.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps that are looked at; 10 by default, 200 for uv.")] = None,
    c_max: Annotated[
        float | None, typer.Option(help="Largest c, step size times sharpness at the start; 128 by default, 8 for uv.")
    ] = None,
    jobs: Jobs = None,
    executor: Executor = None,
    scheduler: Scheduler = None,
    store: Annotated[
        Path | None,
        typer.Option(help="File that keeps finished cells; for mlp phase_diagram_*.store beside --out by default."),
    ] = None,
    fail_fast: FailFast = False,
    save: Save = None,
    out: Annotated[Path | None, typer.Option(help="Figure (.png, .svg, .pdf); phase_diagram_*.png by default.")] = None,
) -> None:
    """Find where loss and sharpness first rise and where training diverges, and draw c against 1/width.

    A stopped or killed command goes on where it stood when it is given again. The exit status is 1 if cells failed.

    Example: eossim phase-diagram --model mlp --depth 2,4,8 --width 32,64,128 --data digits --seeds 3
    """
    from .._phase_diagram import report

    netcdf_path("--save", save)
    printed(
        *report(
            model,
            depth=depth,
            width=width,
            data=data,
            samples=samples,
            y=y,
            seeds=seeds,
            steps=steps,
            c_max=c_max,
            jobs=jobs,
            executor=executor,
            scheduler=scheduler,
            store=store,
            fail_fast=fail_fast,
            save=save,
            out=out,
            progress=sys.stderr.isatty(),
        )
    )


@app.command()
@plain_errors
def sweep(
    function: Annotated[
        str, typer.Argument(metavar="FILE.py:FUNCTION", help="Called with one value of every name (and seed).")
    ],
    grid: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=V1,V2...", help="Values of every name; or names that go together, eta,beta=0.1:0.9,0.2:0.5."
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds, passed as seed=0, 1, ...")] = None,
    store: Annotated[Path | None, typer.Option(help="File that keeps finished cells; a stopped sweep goes on.")] = None,
    jobs: Jobs = None,
    executor: Executor = None,
    scheduler: Scheduler = None,
    fail_fast: FailFast = False,
    save: Save = None,
) -> None:
    """Run a function of yours over a grid of named values and print the table. The exit status is 1 if cells failed.

    Example: eossim sweep study.py:final_loss eta=0.1,0.2,0.4 beta=0,0.9 --seeds 5 --store study.store
    """
    from .._sweep import report

    netcdf_path("--save", save)
    printed(
        *report(
            function,
            grid or [],
            seeds=seeds,
            store=store,
            executor=executor,
            scheduler=scheduler,
            jobs=jobs,
            fail_fast=fail_fast,
            save=save,
            progress=sys.stderr.isatty(),
        )
    )
