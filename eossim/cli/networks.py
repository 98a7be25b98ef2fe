"""Commands on networks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import Values, app, netcdf_path, parse, plain_errors


@app.command("train")
@plain_errors
def train_network(
    values: Values = None,
    data: Annotated[str, typer.Option(help="digits, diabetes or a file.npz with X and y.")] = "digits",
    sizes: Annotated[str, typer.Option(help="Units of every layer.")] = "64,32,32,10",
    activation: Annotated[str, typer.Option(help="tanh, relu, gelu or identity.")] = "tanh",
    loss: Annotated[str, typer.Option(help="mse (half the square, summed over outputs) or cross-entropy.")] = "mse",
    method: Annotated[
        str, typer.Option(help="A rule, sgd, adam, rmsprop, steepest_descent or normalized_steepest_descent.")
    ] = "gd",
    eta: Annotated[float | None, typer.Option(help="Step size.")] = None,
    rho: Annotated[float | None, typer.Option(help="Perturbation of SAM.")] = None,
    beta: Annotated[float | None, typer.Option(help="Momentum.")] = None,
    norm: Annotated[str | None, typer.Option(help="For steepest descent: linf, spectral, block_max, ...")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples in a batch (reshuffled); all by default.")] = None,
    samples: Annotated[int | None, typer.Option(help="Samples of the data set in use; all by default.")] = None,
    gain: Annotated[float, typer.Option(help="Gain of the weights at the start.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Number of steps.")] = 2000,
    track: Annotated[
        str | None, typer.Option(help="What to measure: sharpness, edge, batch_sharpness, alignment, ...")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of samples, weights and batches.")] = 0,
    checkpoint: Annotated[Path | None, typer.Option(help="Keep the state of the run in this file.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from --checkpoint.")] = False,
    save: Annotated[Path | None, typer.Option(help="Save the run to this netCDF file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Figure (.png, .svg, .pdf).")] = None,
) -> None:
    """Train a network and print loss, sharpness and the edge of the method along the way.

    Example: eossim train --data digits --samples 500 --method sam --eta 0.2 --rho 0.02 --steps 2000 --out sam.png
    """
    from .._train import report

    netcdf_path("--save", save)
    given = parse(values, eta=eta, rho=rho, beta=beta)
    typer.echo(
        report(
            data,
            sizes,
            method,
            given,
            activation=activation,
            loss=loss,
            samples=samples,
            gain=gain,
            norm=norm,
            batch_size=batch_size,
            steps=steps,
            track=track,
            seed=seed,
            checkpoint=checkpoint,
            resume=resume,
            save=save,
            out=out,
            progress=sys.stderr.isatty(),
        )
    )


@app.command()
@plain_errors
def experiment(
    name: Annotated[str | None, typer.Argument(help="Experiment; without it, all are listed.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A short version.")] = False,
    out: Annotated[Path | None, typer.Option(help="Figure (.png, .svg, .pdf).")] = None,
) -> None:
    """Run an experiment on networks: predicted edge, measured late ratio, and the figure.

    Example: eossim experiment sam_table --quick --out sam.png
    """
    from .._experiments import listed, report

    typer.echo(listed() if name is None else report(name, quick=quick, out=out))
