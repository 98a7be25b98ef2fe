"""Run mini-batch methods: `simulate` comes here with a `Minibatch`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._check import positive_int
from ..problems import Regression
from ..problems.finite_sum import QuadraticSum
from . import stochastic_step as compiled
from .blocks import Stepper, over_blocks
from .minibatch import ASCENTS, checked_batch, samples_of
from .modes import Modes
from .observe import Observer
from .rows import padded
from .rule_run import rule_attributes
from .rule_state import RuleReading
from .sampling import NOISES, SAMPLINGS, Minibatch
from .streams import streams

_ASCENT = {"usam": compiled.PLAIN_ASCENT, "sam": compiled.NORMALISED_ASCENT}
_MOMENTUM = {"heavy_ball": compiled.HEAVY_BALL, "nesterov": compiled.NESTEROV}
#: Runs in a block: enough to spread the cost of a step's calls, few enough to stay in the first cache.
_NARROW, _WIDEST = 32, 128
#: Blocks of runs per thread, if there are enough runs: threads then end together though blocks differ in speed.
_BLOCKS_PER_THREAD = 4
#: Numbers that reading quantities off kept iterates may need at a time.
_OBSERVED = 1 << 21


class Stochastic:
    """A problem and a mini-batch method, checked and laid out for the compiled steps.

    Args:
        problem: ``LeastSquares``, ``KernelRegression`` or ``QuadraticSum``.
        method: The method.
        seed: Seed of the streams.

    Raises:
        TypeError: for a problem without samples.
        ValueError: for a batch larger than the samples allow, or label noise without labels.
    """

    def __init__(self, problem: Any, method: Minibatch, seed: int) -> None:
        self.samples = _samples(problem)
        self.problem, self.method, self.seed = problem, method.method, positive_int("seed", seed, minimum=0)
        self.engine, self.attributes = "minibatch", rule_attributes(method.method) | method.attributes
        n, b = problem.n_samples, method.batch_size
        checked_batch(b, n, method.sampling == "iid")
        if method.label_noise and not self.samples.regression:
            raise ValueError(f"label noise needs targets (LeastSquares, KernelRegression), got {problem!r}")
        rule = method.method.rule.name
        sampling = SAMPLINGS.index(method.sampling)
        if b == 1 and method.sampling == "without_replacement":
            sampling = SAMPLINGS.index("iid")  # the same batches, sooner
        self.shuffles = method.sampling == "reshuffle"
        self.plan = compiled.Plan(
            size=b if method.noise == "batch" else n,
            sampling=sampling,
            noise=NOISES.index(method.noise),
            spread=method.spread(n),
            label_noise=method.label_noise,
            ascent=_ASCENT.get(rule, compiled.NO_ASCENT),
            independent=method.ascent == ASCENTS[1],
            momentum=_MOMENTUM.get(rule, compiled.NO_MOMENTUM),
        )
        hessian, origin = problem.hessian(), np.zeros(problem.dim)
        #: The coordinates of the problem itself.
        self.modes = Modes(hessian, hessian @ problem.minimizer, origin, None, None, orthogonal=True)

    def reading(self, hyper: dict[str, np.ndarray]) -> RuleReading:
        """Return what can be read off the iterates."""
        return RuleReading(self.problem, self.method, hyper)

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
        zero = np.zeros(len(starts))
        values = [hyper.get(name, zero) for name in ("eta", "beta", "rho")]

        def block(first: int, last: int) -> None:
            own = [np.ascontiguousarray(value[first:last]) for value in values]
            self._block(starts[first:last], own, observer, diverged, first)

        share = -(-len(starts) // threads)
        width = min(_WIDEST, max(-(-share // _BLOCKS_PER_THREAD), min(_NARROW, share)))
        over_blocks(block, len(starts), width, threads)

    def _block(
        self, starts: np.ndarray, hyper: list[np.ndarray], observer: Observer, diverged: np.ndarray, first: int
    ) -> None:
        """Step runs `first`, `first` + 1, ..."""
        runs = np.arange(first, first + len(starts))
        shuffled = len(starts) if self.shuffles else 1
        order = np.tile(np.arange(self.problem.n_samples, dtype=np.int32), (shuffled, 1))
        iterates = np.ascontiguousarray(starts.T).copy()
        random = streams(self.seed, first, first + len(starts))
        states = [iterates, np.zeros_like(iterates), random, order, np.zeros(1, np.int64)]

        def advance(states: list[np.ndarray], stops: np.ndarray, kept: np.ndarray) -> None:
            step: Any = compiled.advance
            step(self.samples, self.plan, *hyper, *states, stops, kept)

        stepper = Stepper(advance, states)
        for position, kept in stepper.visit(observer.stops):
            width = max(1, _OBSERVED // (len(kept) * max(self.problem.n_samples, self.problem.dim)))
            for here in range(0, runs.size, width):
                part = slice(here, here + width)
                observer.take(self.modes, kept[:, :, part], position, runs[part])
        diverged[runs] = stepper.diverged_at


def _samples(problem: Any) -> compiled.Samples:
    if isinstance(problem, QuadraticSum):
        matrix = padded(problem.hessians.reshape(-1, problem.dim))
        return compiled.Samples(False, problem.dim, 1.0, matrix, np.empty(0), problem.centers.copy())
    if not isinstance(problem, Regression):
        raise TypeError(
            "problem must have samples to draw (LeastSquares, KernelRegression, QuadraticSum), "
            f"got {type(problem).__name__}"
        )
    features, targets, scale = samples_of(problem)
    return compiled.Samples(True, problem.dim, scale, padded(features), targets.copy(), np.empty((0, 1)))
