"""The command line: parse, call the library, print."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="A laboratory for the edge of stability: derive, simulate and verify where methods lose stability.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Values = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE...", help="Hyper-parameters such as eta=0.1; commas make a vector (etas=0.1,0.2)."
    ),
]

Shape = Annotated[str | None, typer.Option(help="Parameters as a matrix, such as 8x8; the most square one by default.")]
Blocks = Annotated[int | None, typer.Option(help="Parameters in a block; a row of that matrix by default.")]


def _plain_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Print what was wrong with the input in one line and exit with 2."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (ValueError, TypeError, OSError) as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2) from None

    return run


def _parse(pairs: list[str] | None, **options: float | None) -> dict[str, Any]:
    """Return ``NAME=VALUE`` arguments as numbers and lists of numbers, with options of the same names if given."""
    values: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        try:
            numbers = [float(part) if "." in part or "e" in part.lower() else int(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        if not equals or not numbers:
            raise ValueError(f"expected NAME=NUMBER or NAME=NUMBER,NUMBER,..., got {pair!r}")
        values[name] = numbers[0] if len(numbers) == 1 else numbers
    for name, number in options.items():
        if number is not None:
            if name in values:
                raise ValueError(f"--{name} and {name}=... are both given, {number:g} and {values[name]}")
            values[name] = number
    return values


@app.command()
@_plain_errors
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
    from .verification import verify as run
    from .verification.report import check_path

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
@_plain_errors
def edges(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table in Markdown.")] = False,
) -> None:
    """List every edge in the catalogue: formula, domain, crossing, source."""
    from .theory import edges as table

    typer.echo(table().markdown() if markdown else repr(table()))


@app.command()
@_plain_errors
def edge(method: Annotated[str, typer.Argument(help="Method, such as sam.")], values: Values = None) -> None:
    """Print the curvature at which a method loses stability: eossim edge sam eta=0.1 rho=0.05 grad_norm=1.3."""
    import numpy as np

    from .theory import edge as evaluate

    result = evaluate(method, **_parse(values))
    typer.echo("\n".join(f"{x:.15g}" for x in np.atleast_1d(result)))


@app.command()
@_plain_errors
def derive(
    name: Annotated[str | None, typer.Argument(help="Derivation or method; without it, all are listed.")] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Show a derivation step by step; every identity is proved again as it is printed."""
    from .symbolic.automatic import derive as find
    from .symbolic.derivation import recorded

    if name is None:
        for row in recorded().values():
            typer.echo(f"{row['name']:24s} {row['title']}")
        return
    found = find(name)
    typer.echo(found.latex() if latex else found.markdown() if markdown else found.text())


@app.command()
@_plain_errors
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
    from . import _runs

    problem = _runs.problem_from(data, spectrum)
    if method != "sgd" and sampling != "without_replacement":
        raise ValueError(f"--sampling is for sgd, got it with {method}")
    if method in _runs.DESCENTS:
        bound = _runs.descent(problem, method, _parse(values), norm=norm, shape=shape, blocks=blocks)
        typer.echo(_runs.print_descent(problem, bound, steps=steps, seed=seed, dtype=dtype, out=out))
        return
    _runs.check_name(method)
    if (norm, shape, blocks) != (None, None, None):
        raise ValueError(f"--norm, --shape and --blocks are for {' and '.join(_runs.STEEPEST)}, got them with {method}")
    if method == "sgd" and dtype != "float64":
        raise ValueError(f"sgd runs in float64, got --dtype {dtype}")
    if method == "sgd":
        typer.echo(
            _runs.print_stochastic_run(problem, _parse(values), sampling=sampling, steps=steps, seed=seed, out=out)
        )
        return
    typer.echo(_runs.print_run(problem, method, _parse(values), steps=steps, seed=seed, dtype=dtype, out=out))


@app.command()
@_plain_errors
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
    from ._bias_variance import report

    given = _parse(values, eta=eta, rho=rho)
    names = [name.strip() for name in methods.split(",")]
    where = out or Path(f"bias_variance_{Path(data).stem}.png")
    typer.echo(
        report(
            data,
            names,
            given,
            noise=noise,
            metric=metric,
            risk=risk,
            steps=steps,
            folds=folds,
            seed=seed,
            out=where,
        )
    )


@app.command()
@_plain_errors
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
    from ._sharpness import report

    typer.echo(report(data, norm, shape=shape, blocks=blocks, how=how, check=check, seed=seed, out=out))


@app.command()
@_plain_errors
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
    from ._stochastic import report

    typer.echo(report(data, batch_size, replacement=replacement, beta=beta, eta=eta, check=check, seed=seed, out=out))


@app.command("train")
@_plain_errors
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
    from ._train import report

    given = _parse(values, eta=eta, rho=rho, beta=beta)
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
@_plain_errors
def experiment(
    name: Annotated[str | None, typer.Argument(help="Experiment; without it, all are listed.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A short version.")] = False,
    out: Annotated[Path | None, typer.Option(help="Figure (.png, .svg, .pdf).")] = None,
) -> None:
    """Run an experiment on networks: predicted edge, measured late ratio, and the figure.

    Example: eossim experiment sam_table --quick --out sam.png
    """
    from ._experiments import listed, report

    typer.echo(listed() if name is None else report(name, quick=quick, out=out))


@app.command()
def doctor() -> None:
    """Report what eossim runs on: versions, cores, linear algebra, caches."""
    from ._doctor import report

    typer.echo(report())


if __name__ == "__main__":
    app()
