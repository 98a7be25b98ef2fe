"""Measure eossim against its targets: ``python -m benchmarks.run [--quick] [--json FILE]``.

Each case returns rows; a target that is missed is printed as such and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median as middle

if __name__ == "__main__" and not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import rivals
from benchmarks.dynamics import dynamics
from benchmarks.harness import Row, alternate, markdown, median, ratio
from benchmarks.networks import networks
from benchmarks.phase_diagram import phase_diagram
from benchmarks.sweeps import sweeps
from eossim import (
    LeastSquares,
    Quadratic,
    Record,
    minibatch,
    normalized_steepest_descent,
    norms,
    rules,
    sgd,
    simulate,
    steepest_descent,
)
from eossim.engine.blocks import LANES
from eossim.theory import monte_carlo_risk, risk_curve

NOTHING = Record(what=())


def other_libraries(quick: bool) -> Iterator[Row]:
    """1000 runs of SAM in 100 dimensions, 10000 steps, all cores."""
    runs, dim, steps, rounds = 1000, 100, 1000 if quick else 10_000, 5 if quick else 7
    curvature, eta, rho = np.linspace(0.1, 3, dim), np.linspace(0.01, 0.5, runs), np.full(runs, 0.1)
    start = np.random.default_rng(0).standard_normal((runs, dim))
    problem, method = Quadratic(curvature), rules.sam(eta=eta, rho=rho)
    arguments = (start, curvature, eta, rho, steps)
    calls: dict[str, Callable[[], object]] = {
        "eossim": partial(simulate, problem, method, start, steps, record=NOTHING),
        "NumPy": partial(rivals.numpy_sam, *arguments),
    }
    for name, rival in (("jax", rivals.jax_sam()), ("torch", rivals.torch_sam())):
        if rival is not None:
            calls[name] = partial(rival, *arguments)
    found = alternate(calls, rounds)
    ours = found["eossim"]
    for name, timings in found.items():
        if name != "eossim":
            detail = f"{median(timings, 'wall'):.2f} s against {median(ours, 'wall'):.2f} s elapsed"
            detail += f"; processor time {ratio(timings, ours, 'cpu'):.1f} x; "
            # below the number of cores, other processes had the rest
            detail += f"eossim ran on {median(ours, 'cpu') / median(ours, 'wall'):.1f} cores"
            target = {"NumPy": 10.0, "jax": 3.0}.get(name)
            yield Row(
                f"SAM, {runs} x {dim} x {steps}, over {name}", ratio(timings, ours, "wall"), "x", target, detail=detail
            )


def one_dimension(quick: bool) -> Iterator[Row]:
    """Run-steps a second on one core."""
    runs, steps = 8192, 20_000 if quick else 100_000
    eta = np.linspace(0.01, 0.5, runs)
    for method, target in ((rules.sam(eta=eta, rho=0.1), 1.2), (rules.gd(eta=eta), 4.0)):
        call = partial(simulate, Quadratic([3.0]), method, [1.0], steps, record=NOTHING, threads=1)
        timings = alternate({"eossim": call}, 5)["eossim"]
        yield Row(
            f"1-D {method.rule.name}, one core", runs * steps / median(timings, "cpu") / 1e9, "G run-steps/s", target
        )


def hand_written(quick: bool) -> Iterator[Row]:
    """The generated kernels against kernels written by hand, on one block of the engine's width."""
    dim, runs, steps = 100, 320, 2000 if quick else 10_000
    curvature, eta = np.linspace(0.1, 3, dim), np.linspace(0.01, 0.5, runs)
    rho, beta = np.full(runs, 0.1), np.full(runs, 0.9)
    stops, kept, linear = np.array([steps]), np.empty((1, dim, runs)), np.zeros(dim)
    cases = {
        "gd": ((eta,), rivals.numba_gd, 1),
        "heavy_ball": ((eta, beta), rivals.numba_heavy_ball, 2),
        "sam": ((eta, rho), rivals.numba_sam, 1),
    }
    for name, (hyper, rival, states) in cases.items():
        start = np.random.default_rng(0).standard_normal((states, dim, runs))
        generated = rules.CATALOGUE[name].kernel.diagonal

        def ours(start=start, generated=generated, hyper=hyper):
            generated(*(s.copy() for s in start), curvature, linear, *hyper, stops, kept)

        def theirs(start=start, rival=rival, hyper=hyper):
            rival(*(s.copy() for s in start), curvature, *hyper, steps)

        found = alternate({"ours": ours, "theirs": theirs}, 7)
        yield Row(
            f"generated kernel of {name} over one by hand", ratio(found["theirs"], found["ours"], "cpu"), "x", 0.70
        )


def dense(quick: bool) -> Iterator[Row]:
    """The dense engine against nothing but its matrix products, done by BLAS for all runs at once, on one thread."""
    for dim in (200, 500):
        for runs in (256, 512):
            steps = max(10, int((1e9 if quick else 8e9) / (2 * dim * dim * runs)))
            problem = Quadratic.from_spectrum(np.linspace(0.1, 3, dim))
            start = np.random.default_rng(0).standard_normal((runs, dim))
            method = rules.sam(eta=np.linspace(0.01, 0.3, runs), rho=0.1)
            hessian, columns, out = problem.hessian(), np.ascontiguousarray(start.T), np.empty((dim, runs))

            def products(hessian=hessian, columns=columns, out=out, steps=steps):
                with threadpool_limits(limits=1, user_api="blas"):
                    for _ in range(2 * steps):
                        np.matmul(hessian, columns, out=out)

            ours = partial(simulate, problem, method, start, steps, record=NOTHING, engine="dense", threads=1)
            found = alternate({"products": products, "eossim": ours}, 7)
            rate = 4 * dim * dim * runs * steps / median(found["eossim"], "cpu") / 1e9
            detail = f"{rate:.0f} Gflop/s in blocks of {2 * LANES}"
            value = ratio(found["products"], found["eossim"], "cpu")
            yield Row(f"dense SAM over its products, dim {dim}, {runs} runs", value, "x", 0.80, detail=detail)


def risk(quick: bool) -> Iterator[Row]:
    """Exact risk curves, and Monte Carlo over draws of the noise against the same in NumPy."""
    modes, steps = 500, np.unique(np.geomspace(1, 1e9, 163_000).astype(np.int64))[:: 10 if quick else 1]
    diagonal = LeastSquares(np.diag(np.arange(1, modes + 1) ** -0.5), np.zeros(modes), normalize=False)
    method = rules.usam(eta=np.linspace(0.1, 0.4, 200), rho=np.linspace(0, 1, 200))
    curve = partial(risk_curve, diagonal, method, w_star=np.ones(modes), noise_variance=1.0, steps=steps)
    timings = alternate({"curve": curve}, 3)["curve"]
    detail = f"{200 * modes * steps.size / median(timings, 'wall') / 1e9:.1f} G terms/s"
    name = f"risk curves, 200 methods x {steps.size} steps to 10^9 x {modes} modes"
    yield Row(name, median(timings, "wall"), "s", 2.0, at_most=True, detail=detail)

    draws, dim, length = 100_000, 50, 100 if quick else 1000
    X = np.random.default_rng(0).standard_normal((200, dim))
    problem, w_star = LeastSquares(X, np.zeros(200)), np.ones(dim)
    calls = {
        "eossim": partial(
            monte_carlo_risk,
            problem,
            rules.usam(eta=0.2, rho=0.1),
            w_star=w_star,
            noise_variance=1.0,
            steps=length,
            draws=draws,
        ),
        "NumPy": partial(rivals.numpy_noise_draws, X, w_star, 0.2, 0.1, length, draws),
    }
    found = alternate(calls, 1 if quick else 2)
    detail = f"{median(found['NumPy'], 'wall'):.1f} s against {median(found['eossim'], 'wall'):.1f} s"
    name = f"Monte Carlo of the risk, {draws} draws x {length} steps x dim {dim}, over NumPy"
    yield Row(name, ratio(found["NumPy"], found["eossim"], "wall"), "x", 10.0, detail=detail)


def stochastic(quick: bool) -> Iterator[Row]:
    """SGD on single samples, and its relatives, against the same in NumPy."""
    runs, steps, n, dim = 10_000, 1000 if quick else 10_000, 100, 20
    rng = np.random.default_rng(0)
    X, y, eta = rng.standard_normal((n, dim)), rng.standard_normal(n), np.full(runs, 0.01)
    problem, start = LeastSquares(X, y), np.zeros(dim)
    calls = {
        "eossim": partial(simulate, problem, sgd(eta=eta, batch_size=1), start, steps, record=NOTHING),
        "NumPy": partial(rivals.numpy_sgd, X, y, 0.01, runs, steps),
    }
    found = alternate(calls, 3)
    detail = f"{median(found['NumPy'], 'wall'):.2f} s against {median(found['eossim'], 'wall'):.2f} s; processor time "
    detail += f"{ratio(found['NumPy'], found['eossim'], 'cpu'):.1f} x; "
    detail += f"{runs * steps / median(found['eossim'], 'cpu') / 1e6:.0f} M run-steps/s on a core"
    name = f"SGD, b = 1, {runs} runs x {steps} steps x dim {dim}, over NumPy"
    yield Row(name, ratio(found["NumPy"], found["eossim"], "wall"), "x", 10.0, detail=detail)

    relatives = {
        "b = 8": sgd(eta=eta, batch_size=8),
        "b = 1, reshuffled": sgd(eta=eta, batch_size=1, sampling="reshuffle"),
        "b = 1, label noise": sgd(eta=eta, batch_size=1, label_noise=0.1),
        "b = 1, heavy ball": sgd(eta=eta, beta=0.9, batch_size=1),
        "b = 1, SAM": minibatch(rules.sam(eta=eta, rho=0.05), batch_size=1),
    }
    short = steps // 10
    for name, method in relatives.items():
        call = partial(simulate, problem, method, start, short, record=NOTHING)
        timings = alternate({"eossim": call}, 3)["eossim"]
        yield Row(f"SGD, {name}, one core", runs * short / median(timings, "cpu") / 1e6, "M run-steps/s")


def steepest(quick: bool) -> Iterator[Row]:
    """Steepest descent in norms against the same in NumPy."""
    runs, dim, steps = 1000, 100, 200 if quick else 2000
    rng, curvature, eta = np.random.default_rng(0), np.linspace(0.1, 3, dim), np.linspace(1e-4, 1e-2, runs)
    start, problem = rng.standard_normal((runs, dim)), Quadratic(curvature)
    for name, make in (("sign", normalized_steepest_descent), ("linf", steepest_descent)):
        calls = {
            "eossim": partial(simulate, problem, make(norms.Linf(), eta), start, steps, record=NOTHING),
            "NumPy": partial(rivals.numpy_linf, start, curvature, eta, steps, name == "sign"),
        }
        yield _over_numpy(f"{name} descent, {runs} x {dim} x {steps}", calls, 10.0)

    runs, dim, steps = 10_000, 500, 100 if quick else 1000
    dense = Quadratic.from_spectrum(np.linspace(0.1, 3, dim))
    start, eta = rng.standard_normal((runs, dim)), np.linspace(0.1, 1, runs)
    method = steepest_descent(norms.L1(), eta)
    calls = {
        "eossim": partial(simulate, dense, method, start, steps, record=NOTHING),
        "NumPy": partial(rivals.numpy_greedy, start, dense.hessian(), eta, steps),
    }
    yield _over_numpy(f"greedy coordinate descent, {runs} x {dim} x {steps}", calls, 10.0)

    for shape, runs in (((4, 4), 1000), ((8, 8), 500), ((16, 16), 100)):
        dim, steps = shape[0] * shape[1], 20 if quick else 100
        dense = Quadratic.from_spectrum(np.linspace(0.1, 3, dim))
        start, method = rng.standard_normal((runs, dim)), normalized_steepest_descent(norms.Spectral([shape]), 0.01)
        calls = {
            "eossim": partial(simulate, dense, method, start, steps, record=NOTHING),
            "NumPy": partial(rivals.numpy_spectral, start, dense.hessian(), shape, 0.01, steps),
        }
        yield _over_numpy(f"spectral descent, {shape[0]} x {shape[1]}, {runs} x {steps}", calls, 1.0)


def _over_numpy(name: str, calls: dict[str, Callable[[], object]], target: float) -> Row:
    found = alternate(calls, 3)
    ours, theirs = found["eossim"], found["NumPy"]
    detail = f"{median(theirs, 'wall'):.3g} s against {median(ours, 'wall'):.3g} s elapsed; "
    detail += f"processor time {ratio(theirs, ours, 'cpu'):.1f} x"
    return Row(f"{name}, over NumPy", ratio(theirs, ours, "wall"), "x", target, detail=detail)


def start_up(quick: bool) -> Iterator[Row]:
    """Fresh processes, timed from inside: import, first simulation with a warm cache, the whole catalogue."""
    repeats = 3 if quick else 7
    import_ = "import time; t = time.perf_counter(); import eossim; s = time.perf_counter() - t"
    first = (
        "import time; t = time.perf_counter(); import eossim as e\n"
        "e.simulate(e.Quadratic([1.0, 2.0]), e.rules.sam(eta=0.1, rho=0.1), steps=100)\ns = time.perf_counter() - t"
    )
    derive = (
        "import time; t = time.perf_counter(); from eossim.rules import CATALOGUE; from eossim import Rule\n"
        "[rule.edge.expression for rule in CATALOGUE.values() if isinstance(rule, Rule)]\ns = time.perf_counter() - t"
    )
    yield Row("import eossim", _fresh(import_, repeats), "s", 0.30, at_most=True)
    loaded = _fresh(
        f"{import_}; import sys; s = len({{'sympy', 'xarray', 'matplotlib', 'numba'}} & set(sys.modules))", 1
    )
    yield Row("heavy libraries loaded by it", loaded, "", 0, at_most=True)
    yield Row("import and first simulation", _fresh(first, repeats), "s", 0.60, at_most=True)
    yield Row("edges of the whole catalogue from the rules", _fresh(derive, 1 if quick else 3), "s", 5.0, at_most=True)


def memory(quick: bool) -> Iterator[Row]:
    """Peak memory of a process with a million runs, libraries included, when nothing is recorded (Linux)."""
    steps = 10 if quick else 10_000
    script = (
        "import numpy as np; import eossim as e\n"
        "p, n = e.Quadratic(np.linspace(0.1, 3, 10)), e.Record(what=())\n"
        "m = e.rules.sam(eta=np.linspace(0.01, 0.5, 10**6), rho=0.1)\n"
        f"e.simulate(p, m, np.ones(10), {steps}, record=n)\n"
        # ru_maxrss would count the process that started this one
        "s = next(int(x.split()[1]) for x in open('/proc/self/status') if x.startswith('VmHWM')) / 1024**2"
    )
    yield Row(f"memory, 10^6 runs x {steps} steps x dim 10", _fresh(script, 1), "GB", 1.0, at_most=True)


def _fresh(script: str, repeats: int) -> float:
    """Return the median of the number `s` left behind by a script in processes of its own, the first not counted."""
    command = [sys.executable, "-c", f"{script}\nprint(s)"]
    values = []
    for _ in range(repeats + (repeats > 1)):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        values.append(float(done.stdout.split()[-1]))
    return middle(values[1:] or values)


CASES = {
    "libraries": other_libraries,
    "one_dimension": one_dimension,
    "hand_written": hand_written,
    "dense": dense,
    "risk": risk,
    "stochastic": stochastic,
    "steepest": steepest,
    "dynamics": dynamics,
    "networks": networks,
    "phase_diagram": phase_diagram,
    "sweeps": sweeps,
    "start_up": start_up,
    "memory": memory,
}


def main() -> int:
    """Run the cases asked for, print the table, return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="cases to run")
    options = parser.parse_args()
    rows = [row for name in options.only for row in CASES[name](options.quick)]
    print(f"{os.cpu_count()} cores{', quick' if options.quick else ''}\n\n{markdown(rows)}")
    if options.json:
        options.json.write_text(json.dumps([row.to_json() for row in rows], indent=1) + "\n", encoding="utf-8")
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
