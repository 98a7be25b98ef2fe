"""Run steepest and adaptive descent: `simulate` comes here with a `SteepestDescent` or an `AdaptiveDescent`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..norms import L1, L2, BlockMax, BlockSum, Frobenius, Linf, Norm
from ..norms.base import validated
from . import steepest_reference as literal
from . import steepest_step as compiled
from .blocks import Stepper, block_width, load_product_library, over_blocks
from .descent_state import DescentReading
from .directions import directions
from .modes import LANES
from .observe import Observer
from .reference import quadratic_gradient
from .steepest import SteepestDescent
from .views import Centred, view_of

if TYPE_CHECKING:
    from .adaptive import AdaptiveDescent

#: Numbers of a block of runs that are stepped by NumPy: enough to spread the cost of its calls.
_NUMPY_BLOCK = 1 << 15
Advance = Callable[..., None]


@dataclass(frozen=True)
class _Plan:
    """How a norm is stepped by compiled code: by ``signs``, ``greedy``, or along ``blocks``, of each coordinate."""

    step: str
    block: np.ndarray | None = None
    best: bool = False


def _plan(norm: Norm, dim: int) -> _Plan | None:
    """Return how compiled code steps in a norm, or None for the norms that have nothing but their NumPy form."""
    kind = type(norm)
    if kind is Linf:
        return _Plan("signs")
    if kind is L1:
        return _Plan("greedy")
    if kind in (L2, Frobenius):
        return _Plan("blocks", np.zeros(dim, np.int64))
    if isinstance(norm, BlockSum | BlockMax) and kind in (BlockSum, BlockMax):
        block = np.empty(dim, np.int64)
        for b, indices in enumerate(norm.blocks):
            block[indices] = b
        return _Plan("blocks", block, best=kind is BlockSum)
    return None


class Descent:
    """A problem and a method of descent, checked and laid out for its steps.

    Args:
        problem: A quadratic, or anything with ``dim``, ``loss(w)`` and ``grad(w)``.
        method: The method.
        engine: As in `simulate`.
        dtype: Of the steps.

    Raises:
        TypeError: for a problem of another kind.
        ValueError: for a norm of another dimension or one that breaks its contract, or an engine or dtype that is not
            there for the norm or problem.
    """

    def __init__(self, problem: Any, method: SteepestDescent | AdaptiveDescent, engine: str, dtype: np.dtype) -> None:
        self.problem, self.method, self.dtype = problem, method, dtype
        self.view = view_of(problem)
        self.plan: _Plan | None = None
        if isinstance(method, SteepestDescent):
            validated(method.norm, problem.dim)
            self.attributes = {
                "rule": method.name,
                "update": "w <- w - eta*LMO(g)" if method.normalized else "w <- w - eta*|g|_dual*LMO(g)",
                "norm": method.norm.name,
            }
            if isinstance(self.view, Centred):
                self.plan = _plan(method.norm, problem.dim)
        else:
            self.attributes = {"rule": "adaptive_descent", "update": "w <- w - eta(w)*grad(w)", "step": repr(method)}
        self.engine = self._engine(engine)

    def _engine(self, asked: str) -> str:
        """Return what steps the runs, or say why what was asked for cannot."""
        if self.plan is None or not isinstance(self.view, Centred):
            if asked not in ("auto", "reference") or self.dtype != np.float64:
                raise ValueError(
                    f"{self.method!r} on {self.problem!r} is stepped by NumPy in float64: engine 'auto' or "
                    f"'reference' and dtype 'float64', got {asked!r} and {self.dtype.name!r}"
                )
            return "reference"
        own = "diagonal" if self.view.is_diagonal else "dense"
        if asked not in ("auto", "reference", own):
            raise ValueError(
                f"steps go along the axes of {self.problem!r}: engine {own!r} or 'reference', got {asked!r}"
            )
        return own if asked == "auto" else asked

    def reading(self, hyper: dict[str, np.ndarray]) -> DescentReading:
        """Return what can be read off the iterates."""
        return DescentReading(self.problem, self.view, self.method, hyper, self.dtype)

    def run(
        self,
        starts: np.ndarray,
        hyper: dict[str, np.ndarray],
        observer: Observer,
        diverged: np.ndarray,
        threads: int,
    ) -> None:
        """Step all runs from `starts`, shape (runs, dim), block by block.

        Args:
            starts: Starts, shape (runs, dim).
            hyper: Hyper-parameters, each of shape (runs,).
            observer: Takes what is to be kept.
            diverged: Where the first non-finite step of each run goes.
            threads: Threads over blocks.
        """
        runs, dim = starts.shape
        load_product_library()
        dense = self.plan is not None and not self.problem.is_diagonal
        share = -(-runs // threads)
        if self.plan is None:
            width = max(1, min(share, max(16, _NUMPY_BLOCK // dim)))
        else:
            width = block_width(dim, 2, self.dtype.itemsize, share, dense=dense)

        def block(first: int, last: int) -> None:
            chosen = np.arange(first, last)
            filled = width if dense else last - first if self.plan is None else -(-(last - first) // LANES) * LANES
            lanes = np.minimum(np.arange(first, first + filled), last - 1)
            x = np.ascontiguousarray((starts[lanes] - self.view.origin).T, dtype=self.dtype)
            own = {n: v[lanes].astype(self.dtype) for n, v in hyper.items()}
            advance, states = self._advance(x.copy(), own, chosen.size)
            stepper = Stepper(advance, states)
            for position, kept in stepper.visit(observer.stops):
                observer.take(None, kept[:, :, : chosen.size], position, chosen)
            lost = stepper.diverged_at[: chosen.size]
            diverged[chosen] = np.where(lost > observer.steps, -1, lost)  # by the step that is only looked at

        over_blocks(block, runs, width, threads)

    def _advance(self, x: np.ndarray, hyper: dict[str, np.ndarray], members: int) -> tuple[Advance, list[np.ndarray]]:
        """Return the function that steps a block, and its states."""
        if self.plan is None or not isinstance(self.view, Centred):
            return self._by_numpy(hyper), [x]
        assert isinstance(self.method, SteepestDescent)
        curvature = np.ascontiguousarray(self.view.curvature, dtype=self.dtype)
        make = _literal if self.engine == "reference" else _compiled
        return make(self.plan, x, curvature, hyper["eta"], self.method.normalized, members)

    def _by_numpy(self, hyper: dict[str, np.ndarray]) -> Advance:
        """Return steps by the norm's own direction, or by the adaptive step size; rows are runs."""
        view, method = self.view, self.method
        if isinstance(method, SteepestDescent):
            norm, eta, normalized = method.norm, hyper["eta"], method.normalized

            def step(w: np.ndarray) -> np.ndarray:
                dual, direction = directions(norm, view.grad(w))
                return w - (eta if normalized else eta * dual)[:, None] * direction
        else:
            bound = replace(method, values=hyper)

            def step(w: np.ndarray) -> np.ndarray:
                g = view.grad(w)
                return w - bound.step_size(view, w, g)[:, None] * g

        def advance(states: list[np.ndarray], stops: np.ndarray, kept: np.ndarray) -> None:
            rows, done = np.ascontiguousarray(states[0].T), 0
            with np.errstate(all="ignore"):
                for p, stop in enumerate(stops):
                    for _ in range(done, stop):
                        rows = step(rows)
                    done = stop
                    kept[p] = rows.T
            states[0][...] = rows.T

        return advance


def _compiled(
    plan: _Plan, x: np.ndarray, curvature: np.ndarray, eta: np.ndarray, normalized: bool, members: int
) -> tuple[Advance, list[np.ndarray]]:
    """Return the compiled steps of the first `members` runs; the others may be stepped, or give products a shape."""
    dim, runs = x.shape
    if plan.step == "greedy":
        chunks, size, columns = -(-dim // compiled.CHUNK), compiled.CHUNK, np.empty_like(x)
        padded = np.zeros((dim if curvature.ndim == 2 else 0, chunks * size), x.dtype)
        if curvature.ndim == 2:
            padded[:, :dim] = curvature
        chunked = padded.reshape(-1, chunks, size)
        integers = np.int64 if x.dtype == np.float64 else np.int32

        def by_columns(states: list[np.ndarray], stops: np.ndarray, kept: np.ndarray) -> None:
            w, g, floor, clock = states
            bits = g.view(integers)
            compiled.greedy(
                w, g, bits, floor, clock, columns, curvature, chunked, members, normalized, eta, stops, kept
            )

        return by_columns, [x, np.zeros((runs, chunks, size), x.dtype), np.zeros_like(eta), np.zeros(1, np.int64)]
    g = np.empty_like(x)
    if plan.block is None:
        return lambda states, *ahead: compiled.signs(states[0], g, curvature, normalized, eta, *ahead), [x]
    block, factors = plan.block, np.empty((int(plan.block.max()) + 1, runs), x.dtype)
    low, up = compiled.limits(x.dtype)

    def advance(states: list[np.ndarray], stops: np.ndarray, kept: np.ndarray) -> None:
        compiled.blocks(states[0], g, curvature, block, factors, low, up, plan.best, normalized, eta, stops, kept)

    return advance, [x]


def _literal(
    plan: _Plan, x: np.ndarray, curvature: np.ndarray, eta: np.ndarray, normalized: bool, members: int
) -> tuple[Advance, list[np.ndarray]]:
    """Return the NumPy steps."""
    gradient = quadratic_gradient(curvature, np.zeros(len(x), x.dtype), centred=False)
    states = [x, np.zeros_like(x), np.zeros_like(eta), np.zeros(1, np.int64)] if plan.step == "greedy" else [x]

    def step(states: list[np.ndarray]) -> None:
        if plan.step == "greedy":
            w, g, floor, clock = states
            w[...], g[...], floor[...] = literal.greedy(
                w, g, floor, int(clock[0]), gradient, curvature, eta, normalized=normalized
            )
            clock += 1
        elif plan.block is None:
            states[0][...] = literal.signs(states[0], gradient, eta, normalized=normalized)
        else:
            states[0][...] = literal.blocks(
                states[0], gradient, eta, block=plan.block, best=plan.best, normalized=normalized
            )

    def advance(states: list[np.ndarray], stops: np.ndarray, kept: np.ndarray) -> None:
        done = 0
        with np.errstate(all="ignore"):
            for p, stop in enumerate(stops):
                for _ in range(done, stop):
                    step(states)
                done = stop
                kept[p] = states[0]

    return advance, states
