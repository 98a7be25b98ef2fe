"""Commands on quadratics and least squares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Blocks, Shape, Values, app, netcdf_path, parse, plain_errors


@app.command()
@plain_errors
def simulate(
    values: Values = None,
    method: Annotated[
        str, typer.Option(help="Rule such as sam, sgd, steepest_descent, or an adapted step such as cauchy.")
    ] = "gd",
    data: Annotated[
        str | None, typer.Option(help="Least squares on digits, diabetes or a file.npz with X and y.")
    ] = None,
    spectrum: Annotated[str | None, typer.Option(help="Diagonal quadratic with these curvatures, such as 4,1.")] = None,
    steps: Annotated[int, typer.Option(help="Number of steps.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the random start.")] = 0,
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    sampling: Annotated[
        str, typer.Option(help="For sgd: without_replacement, iid or reshuffle.")
    ] = "without_replacement",
    norm: Annotated[
        str | None, typer.Option(help="For steepest_descent and normalized_steepest_descent: l1, linf, spectral, ...")
    ] = None,
    shape: Shape = None,
    blocks: Blocks = None,
    out: Annotated[Path | None, typer.Option(help="Save the run to this netCDF file.")] = None,
) -> None:
    """Run a method and print loss, gradient norm, edge and multiplier along the way; for sgd its sharpness notions.

    Examples:
        eossim simulate --method sam --spectrum 4,1 eta=0.1 rho=0.05
        eossim simulate --method steepest_descent --norm linf --data diabetes eta=1e-5
    """
    from .. import _runs

    netcdf_path("--out", out)
    problem = _runs.problem_from(data, spectrum)
    if method != "sgd" and sampling != "without_replacement":
        raise ValueError(f"--sampling is for sgd, got it with {method}")
    if method in _runs.DESCENTS:
        bound = _runs.descent(problem, method, parse(values), norm=norm, shape=shape, blocks=blocks)
        typer.echo(_runs.print_descent(problem, bound, steps=steps, seed=seed, dtype=dtype, out=out))
        return
    _runs.check_name(method)
    if (norm, shape, blocks) != (None, None, None):
        raise ValueError(f"--norm, --shape and --blocks are for {' and '.join(_runs.STEEPEST)}, got them with {method}")
    if method == "sgd" and dtype != "float64":
        raise ValueError(f"sgd runs in float64, got --dtype {dtype}")
    if method == "sgd":
        typer.echo(
            _runs.print_stochastic_run(problem, parse(values), sampling=sampling, steps=steps, seed=seed, out=out)
        )
        return
    typer.echo(_runs.print_run(problem, method, parse(values), steps=steps, seed=seed, dtype=dtype, out=out))


@app.command()
@plain_errors
def bias_variance(
    values: Values = None,
    data: Annotated[str, typer.Option(help="digits, diabetes or a file.npz with X and y.")] = "diabetes",
    methods: Annotated[str, typer.Option(help="Rules separated by commas; the first is compared with.")] = "gd,usam",
    eta: Annotated[float | None, typer.Option(help="Step size; 0.45/h_1 by default, h_1 the top curvature.")] = None,
    rho: Annotated[float | None, typer.Option(help="Perturbation; 1/h_1 by default (times |g_0| for sam).")] = None,
    noise: Annotated[float | None, typer.Option(help="Noise variance; estimated by default.")] = None,
    metric: Annotated[str, typer.Option(help="prediction or parameter.")] = "prediction",
    risk: Annotated[str, typer.Option(help="exact, or test: cross-validated error beside theory.")] = "exact",
    steps: Annotated[int | None, typer.Option(help="Last step of the curves.")] = None,
    folds: Annotated[int, typer.Option(help="Folds of --risk test.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of simulated noise and of the folds.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Figure (.png, .svg, .pdf).")] = None,
) -> None:
    """Compare bias, variance and risk of methods on least squares: who wins where, and why.

    Further hyper-parameters are NAME=VALUE, or METHOD.NAME=VALUE for one method alone.

    Example: eossim bias-variance --data diabetes --methods gd,usam,sam --risk test sam.rho=20
    """
    from .._bias_variance import report

    given = parse(values, eta=eta, rho=rho)
    names = [name.strip() for name in methods.split(",")]
    where = out or Path(f"bias_variance_{Path(data).stem}.png")
    typer.echo(
        report(
            data, names, given, noise=noise, metric=metric, risk=risk, steps=steps, folds=folds, seed=seed, out=where
        )
    )


@app.command()
@plain_errors
def sharpness(
    data: Annotated[str, typer.Option(help="digits, diabetes or a file.npz with X and y.")] = "digits",
    norm: Annotated[
        str, typer.Option(help="Norms, commas between: l2, l1, linf, lp:3, block_sum, block_max, spectral, nuclear.")
    ] = "all",
    shape: Shape = None,
    blocks: Blocks = None,
    how: Annotated[str, typer.Option(help="auto, exact, estimate or frank_wolfe.")] = "auto",
    check: Annotated[bool, typer.Option("--check", help="Run steepest descent on both sides of each edge.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of random starts.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Figure (.png, .svg, .pdf).")] = None,
) -> None:
    """Print the generalised sharpness of least squares in every norm: each norm has its own edge 2/S.

    Example: eossim sharpness --data digits --norm l2,linf,spectral --shape 8x8 --check
    """
    from .._sharpness import report

    typer.echo(report(data, norm, shape=shape, blocks=blocks, how=how, check=check, seed=seed, out=out))


@app.command()
@plain_errors
def stochastic(
    data: Annotated[str, typer.Option(help="digits, diabetes or a file.npz with X and y.")] = "digits",
    batch_size: Annotated[
        str, typer.Option(help="Batch sizes: numbers and n, commas between; ... doubles up to n.")
    ] = "1,...,n",
    replacement: Annotated[bool, typer.Option("--replacement", help="Draw samples with replacement.")] = False,
    beta: Annotated[float, typer.Option(help="Heavy-ball momentum.")] = 0.0,
    eta: Annotated[float | None, typer.Option(help="Step size whose stationary state is wanted.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Simulate on both sides of each critical step.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of sampled batches and runs.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Figure (.png, .svg, .pdf).")] = None,
) -> None:
    """Print the exact mean-square edge of SGD, its bounds and all notions of sharpness against the batch size.

    Example: eossim stochastic --data digits --batch-size 1,2,4,...,n --eta 0.001 --check --out edges.png
    """
    from .._stochastic import report

    typer.echo(report(data, batch_size, replacement=replacement, beta=beta, eta=eta, check=check, seed=seed, out=out))
