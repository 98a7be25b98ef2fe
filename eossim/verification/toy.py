"""Experiments on the toy models besides uv, and on early training of the uv model, against literal runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import catalogue
from ..dynamics import FunctionMap
from ..early_training.constants import critical_constants
from ..early_training.critical_step import estimate_critical_step
from ..early_training.saturation import saturation_grid, saturation_knee
from ..early_training.uv import UVStarts
from ..early_training.uv_cell import uv_saturation
from ..engine.iterate import orbit
from ..engine.record import Record
from ..engine.simulate import simulate
from ..maps import minimalist, second_order, self_stabilization
from ..problems import FourParameter, SecondOrderRegression, SelfStabilization, UVModel
from ..theory import minimalist as minimalist_theory
from ..theory import second_order as second_order_theory
from ..theory import self_stabilization as stabilization_theory
from ..theory import two_step, uv
from .report import Check, judged
from .uv import UV

#: Printed losses and sharpness of the first steps, at log2 c: a network of eight layers, width 256, on CIFAR-10
#: (arXiv:2302.12250, its notebook). The last run diverges, its sharpness was not printed.
_NOTEBOOK = {
    1.6: (".3816 .3474 .1531 .0931 .0897", "67.7721 55.4286 33.424 29.9379 28.1899"),
    1.7: (".3816 .399 .1662 .0904 .087", "67.7721 56.7572 29.1798 26.7267 25.0456"),
    2.2: (".3816 .7734 .2046 .0951 .0805", "67.7721 67.0843 15.7554 11.3254 10.828"),
    2.3: (".3816 .8745 .2065 .0964 .0805", "67.7721 70.0498 14.5163 10.0874 9.2793"),
    3.8: (".3816 4.3784 3.2002 2.2554 .4062", "67.7721 173.3925 202.1386 175.089 34.6313"),
    3.9: (".3816 4.9068 5.084 35.5103 462017920", "67.7721 nan nan nan nan"),
}


def _descent(problem: Any, eta: float, w: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the points of gradient descent after the steps `at`, shape (len(at), dim)."""
    gd = catalogue.lookup("gd")(eta=eta)
    return simulate(problem, gd, w, int(at[-1]), record=Record(at=at, what=("w",))).w.values[0]


def second_order_maps(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Descent on one datum conserves E whatever Q; with eigenvalues 1 and -epsilon only, z and T follow their map."""
    failures, worst, at = [], 0.0, np.arange(7)
    for case in range(4 * cases):
        dim, epsilon, closes = int(rng.integers(2, 7)), float(rng.uniform(0.01, 1)), case % 2 == 0
        two = np.where(np.arange(dim) < rng.integers(1, dim), 1.0, -epsilon)
        values = two if closes else rng.choice([-1, 1], dim) * rng.uniform(0.3, 1.5, dim)
        R = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        Q = R @ np.diag(values) @ R.T
        problem = SecondOrderRegression(rng.normal(size=1), rng.standard_normal((1, dim)), [(Q + Q.T) / 2])
        w = 0.3 * rng.standard_normal(dim)
        eta = float(rng.uniform(0.1, 1) / problem.ntk(w)[0, 0])
        path = _descent(problem, eta, w, at)
        seen = np.stack(problem.unit_free(path, eta), axis=-1)
        E = problem.invariant(path, eta)
        scale = max(1.0, float(np.abs(seen).max()))
        off = float(np.abs(E - E[0]).max()) / scale
        if closes:
            map_ = orbit(second_order, seen[0], int(at[-1]), at=at, eps=epsilon, E=E[0])[:, 0]
            off = max(off, float(np.abs(map_ - seen).max()) / scale)
        worst = max(worst, off)
        if not off <= 1e-9:
            failures.append(f"{problem!r}, epsilon = {epsilon:.4g}: E, z or T is off by {off:.3g}")
    return judged(name, failures, 24 * cases, "E at every step, z and T against the map", worst)


def second_order_edge(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """T ends at 2 - epsilon / 2 from starts well above T = 2 + 2 z, and the error falls like epsilon^2."""
    count, sizes = 4 * cases, (0.008, 0.004, 0.002)
    z = rng.uniform(0.02, 0.2, count)
    T = 2 + 2 * z + rng.uniform(0.15, 0.3, count)
    failures, errors = [], []
    for epsilon in sizes:
        end = orbit(second_order, np.stack([z, T], axis=-1), int(60 / epsilon), eps=epsilon, E=0.0)[0]
        errors.append(np.abs(end[:, 1] - float(second_order_theory.limit(epsilon))))
        if not np.all(errors[-1] <= 3 * epsilon**2):
            failures.append(f"epsilon = {epsilon}: T ends off by {errors[-1].max():.3g}")
    order = np.log2(np.median(errors[-2]) / np.median(errors[-1]))
    if not 1.5 <= order <= 2.5:
        failures.append(f"the error is of the order {order:.3g} in epsilon")
    shown = (float(second_order_theory.limit(sizes[-1])), end[0, 1])
    return judged(name, failures, 3 * count, f"ends of runs; error of the order {order:.2f}", shown=shown)


def minimalist_edge(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """From near minima well above 2/eta, descent on a, b, c, d ends at S = 2/eta - eta/2, whatever the start."""
    failures, shown = [], (np.nan, np.nan)
    for eta in (0.04, 0.02):
        x = float(minimalist_theory.edge_minimum(eta)) * rng.uniform(1.03, 1.08, 2 * cases)
        y = rng.uniform(0.98, 1.02, x.size) / x
        end = orbit(minimalist, np.stack([x, y], axis=-1), int(60 / eta**2), eta=eta)[0]
        path = _descent(FourParameter(), eta, np.array([x[0], x[0], y[0], y[0]]), np.array([20]))[0]
        short = orbit(minimalist, [x[0], y[0]], 20, eta=eta)[0, 0]
        if not np.abs(path - np.repeat(short, 2)).max() <= 1e-8 * x[0]:
            failures.append(f"eta = {eta}: the map leaves descent on the four parameters")
        sharpness = minimalist.observe(end, eta=eta)["sharpness"]
        shown = (float(minimalist_theory.limit(eta)), sharpness[0])
        if not np.all(np.abs(sharpness - shown[0]) <= 10 * eta**3):
            left = (2 / eta - sharpness) / eta
            failures.append(f"eta = {eta}: (2/eta - S) / eta from {left.min():.4g} to {left.max():.4g}")
        if not np.allclose(sharpness, minimalist_theory.sharpness(end[:, 0]), rtol=1e-9):
            failures.append(f"eta = {eta}: a run does not end at a minimum")
    return judged(name, failures, 4 * cases, "(2/eta - S) / eta tends to 1/2", shown=shown)


def self_stabilization_descent(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Descent on the loss is the map of beta = 1; the period of small oscillations and the mean of x^2 on the map."""
    failures, worst, shown = [], 0.0, (np.nan, np.nan)
    for _ in range(cases):
        eta, alpha, beta = (float(v) for v in (rng.uniform(0.005, 0.02), rng.uniform(0.1, 1), rng.uniform(0.3, 3)))
        start = np.array([rng.uniform(0.02, 0.2), rng.uniform(-1, 1)])
        at = np.arange(201)
        path = _descent(SelfStabilization(eta, alpha), eta, start, at)
        map_ = orbit(self_stabilization, start, 200, at=at, eta=eta, alpha=alpha, beta=1.0)[:, 0]
        off = float(np.abs(path - map_).max() / np.abs(map_).max())
        worst = max(worst, off)
        if not off <= 1e-12:
            failures.append(f"eta = {eta:.4g}, alpha = {alpha:.4g}: descent leaves the map by {off:.3g}")
        delta = float(stabilization_theory.delta(alpha, beta))
        predicted = float(stabilization_theory.period(eta, alpha))
        at = np.arange(int(8.5 * predicted))
        x, y = orbit(self_stabilization, [1.001 * delta, 0.0], at[-1], at=at, eta=eta, alpha=alpha, beta=beta)[:, 0].T
        up = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))
        times = up + y[up] / (y[up] - y[up + 1])
        shown = (predicted, float(np.diff(times).mean()))
        if not abs(shown[1] / shown[0] - 1) <= 1e-3:
            failures.append(f"period {shown[1]:.6g}, predicted {shown[0]:.6g}")
        steps = 1 + int(rng.integers(100, at.size - 1))
        mean = delta**2 - 2 * (y[steps] - y[0]) / (beta * eta * steps)
        if not abs(np.mean(x[:steps] ** 2) / mean - 1) <= 1e-9:
            failures.append(f"mean of x^2 over {steps} steps off by {np.mean(x[:steps] ** 2) / mean - 1:.3g}")
    return judged(name, failures, 203 * cases, "points of descent, period, mean of x^2", worst, shown)


def two_step_cycle(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """Just beyond 2/f2 descent ends on a 2-cycle of half width 2 sqrt(mu / -C) iff C < 0; below, at the minimum.

    The half width over 2 sqrt(mu / -C) is 1 up to terms linear in mu, which two values of mu tell.
    """
    failures, mu, steps = [], 1e-3, 10_000
    drawn = [_minimum(rng, born=case % 2 == 0) for case in range(4 * cases)]
    f2, f3, f4 = np.array(drawn).T
    C, born = two_step.coefficient(f2, f3, f4), two_step.two_cycle_is_born(f2, f3, f4)
    size = 2 * np.sqrt(mu / np.abs(C))
    derivatives = {"f2": f2, "f3": f3, "f4": f4}
    below, above = (
        orbit(
            _QUARTIC,
            0.3 * size[:, None],
            steps,
            at=np.arange(steps - 50, steps + 1),
            eta=2 * (1 + side) / f2,
            **derivatives,
        )[..., 0]
        for side in (-mu, mu)
    )
    near = {name: values[born] for name, values in (derivatives | {"eta": 2 * (1 + mu / 4) / f2}).items()}
    nearer = orbit(_QUARTIC, 0.15 * size[born, None], steps, at=[steps - 1, steps], **near)[..., 0]
    with np.errstate(invalid="ignore"):  # of a run that has left
        ratios = [
            np.abs(x[-1] - x[-2]) / width for x, width in ((above[:, born], 2 * size[born]), (nearer, size[born]))
        ]
    limit = (4 * ratios[1] - ratios[0]) / 3
    off = np.abs(limit - 1)
    if not np.all(off <= 0.02):
        worst = off.argmax()
        failures.append(
            f"C = {C[born][worst]:.4g}: half width {limit[worst]:.4g} of the one predicted as mu tends to 0"
        )
    if np.any(np.abs(above[:, ~born]).max(axis=0) <= 2 * size[~born]):
        failures.append("no stable cycle is predicted, yet a run stays near the minimum")
    if not np.all(np.abs(below) <= 1e-6 * size):
        failures.append("a run just below the edge does not converge")
    shown = (1.0, float(limit[0]))
    return judged(
        name, failures, 2 * len(drawn), "half width of the cycle over the predicted, or none", float(off.max()), shown
    )


def _quartic(x: np.ndarray, f2: Any, f3: Any, f4: Any, eta: Any) -> np.ndarray:
    """Return a step of descent on f2 x^2 / 2 + f3 x^3 / 6 + f4 x^4 / 24, x of shape (..., 1)."""
    f2, f3, f4, eta = (np.asarray(v)[..., None] for v in (f2, f3, f4, eta))
    return x - eta * x * (f2 + x * (f3 / 2 + x * f4 / 6))


_QUARTIC = FunctionMap(_quartic, 1, ("f2", "f3", "f4", "eta"))


def _minimum(rng: np.random.Generator, born: bool) -> tuple[float, float, float]:
    """Return the derivatives 2 to 4 at a random minimum at which a stable 2-cycle is born, or not, by a margin."""
    while True:
        f2, f3, f4 = float(rng.uniform(0.5, 2)), float(rng.normal()), 3 * float(rng.normal())
        if bool(two_step.two_cycle_is_born(f2, f3, f4)) is born and abs(two_step.coefficient(f2, f3, f4)) > 0.5:
            return f2, f3, f4


def saturation_of_uv(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """The saturated sharpness of uv models from Gaussian weights bends down at c = 2, within a step of the grid."""
    failures, found, grid = [], [], saturation_grid(4.0)
    for width in (16, 128, 1024):
        problem = UVModel(width)
        w = rng.standard_normal((50 * cases, problem.dim))
        p, q, _ = problem.unit_free(w, 1.0)
        ratio = uv_saturation(UVStarts(p, q, problem.kappa), grid)["ratio"].values
        knee = saturation_knee(grid, ratio)
        found.append(np.nan if knee.c_crit is None else knee.c_crit)
        if not abs(found[-1] - 2) <= 0.05 + 1e-9:
            failures.append(f"width {width}: knee at {knee.c_crit} {knee.reason}")
    return judged(name, failures, 150 * cases * grid.size, f"knees at {found}", shown=(2, found[-1]))


def critical_constants_of_a_notebook(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """The estimators on the printed numbers of a notebook."""
    exponents = np.array(list(_NOTEBOOK))
    loss, sharpness = (np.array([[float(v) for v in row[i].split()] for row in _NOTEBOOK.values()]) for i in (0, 1))
    found = critical_constants(2**exponents, loss, sharpness)
    measured = np.log2([float(v) for v in (found.c_loss, found.c_sharp, found.c_max)])
    predicted = np.array([1.7, 2.3, 3.8])
    failures = [] if np.allclose(measured, predicted, rtol=1e-12) else [f"log2 of the constants: {measured}"]
    return judged(name, failures, 3, "log2 of c_loss, c_sharp, c_max", shown=(predicted[0], measured[0]))


def critical_step_of_uv(name: str, source: Any, rng: np.random.Generator, cases: int) -> Check:
    """The estimate raises the loss by at most delta, lies above the exact step and tends to it with delta; s < 1/9."""
    failures, worst, shown = [], 0.0, (np.nan, np.nan)
    for part in rng.permutation(np.linspace(1e-6, 1 - 1e-6, 4 * cases)):
        problem = UVModel(int(rng.integers(1, 40)))
        sides = rng.standard_normal((2, problem.width))
        sides *= np.sqrt(1 + np.array([2, -2]) * np.sqrt(part / 9))[:, None] / np.linalg.norm(sides, axis=1)[:, None]
        w = rng.uniform(0.5, 5) * problem.join((sides[0] + sides[1])[:, None], sides[0] - sides[1])
        lam = float(problem.ntk(w))
        s = float(uv.s_parameter(problem.function(w), lam, problem.kappa))
        exact = float(uv.k_loss(s)) / lam
        for delta in (0.1, 1e-8):
            step = estimate_critical_step(problem, w, delta=delta)
            raised = float(problem.loss(w - step.eta * problem.grad(w)) / problem.loss(w))
            if not (1 - 1e-12 <= raised <= 1 + delta + 1e-12 and step.eta >= exact * (1 - 1e-12)):
                failures.append(f"{problem!r}: eta = {step.eta:.8g}, exact {exact:.8g}, L_1/L_0 = {raised:.8g}")
        shown = (exact, step.eta)
        worst = max(worst, abs(step.eta / exact - 1))
    if not worst <= 1e-7:
        failures.append(f"with delta = 1e-8 the step is still off by a relative {worst:.3g}")
    return judged(name, failures, 8 * cases, "loss after the step, and the step itself", worst, shown)


TOY: dict[str, Callable[..., Check]] = {
    **UV,
    "second_order_maps": second_order_maps,
    "second_order_edge": second_order_edge,
    "minimalist_edge": minimalist_edge,
    "self_stabilization_descent": self_stabilization_descent,
    "two_step_cycle": two_step_cycle,
    "saturation_of_uv": saturation_of_uv,
    "critical_constants_of_a_notebook": critical_constants_of_a_notebook,
    "critical_step_of_uv": critical_step_of_uv,
}
