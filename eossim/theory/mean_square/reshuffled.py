"""Exact mean-square stability and stationary law of SGD on reshuffled batches, for few samples (derived).

An epoch cuts a random permutation of the samples into k = n/b batches, so that batches of an epoch are not independent.
Its operator on second moments is the mean of products of the steps' operators over ordered partitions. Which batches
come next depends on the set T of samples already seen alone, so the mean P(T) of products in all orders follows from
P(T) = mean over the last batch B in T of Q_B P(T - B), without going through all orders.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..._check import in_interval
from ...engine.minibatch import checked_batch
from ...measure.factors import population_factors
from .packing import Operator, Packing, written_out
from .samples import Samples, curved_samples
from .stationary import ratio

#: Numbers that may be added up in one pass through all sets of samples.
_LIMIT = 10**8
#: Steps at which the spectral radius is looked at before the first crossing is refined, per mean edge 2/λ_max.
_SCAN = 64


@dataclass(frozen=True, eq=False)
class ReshuffledLaw:
    """Stationary expectations before each batch of an epoch, position by position.

    Args:
        eta: Step size.
        mean: Mean of the iterate, shape (positions, dim); not the minimizer.
        second_moment: E[(w - w*)(w - w*)ᵀ], shape (positions, dim, dim).
        excess_loss: E L(w) - L*, shape (positions,).
        grad_sq: E‖g‖², shape (positions,).
        gradient_noise_interaction: E[g_Bᵀ H g_B]/E‖g‖² with batches drawn afresh, numerator and denominator averaged
            over the epoch; 2/eta for independent batches, but not here.
    """

    eta: float
    mean: np.ndarray = field(repr=False)
    second_moment: np.ndarray = field(repr=False)
    excess_loss: np.ndarray
    grad_sq: np.ndarray
    gradient_noise_interaction: float


class Reshuffled:
    """SGD on batches that cut a random permutation of the samples, a new one for each epoch.

    Args:
        problem: ``LeastSquares``, ``KernelRegression`` or ``QuadraticSum``, with few samples.
        batch_size: b, a divisor of n.

    Raises:
        TypeError: If the problem has no samples of this kind, or the size is no integer.
        ValueError: If b does not divide n, the sets of samples are too many, or as `MeanSquare`.
    """

    def __init__(self, problem: Any, batch_size: int) -> None:
        self._samples: Samples = curved_samples(problem)
        n, r = problem.n_samples, self._samples.rank
        self.problem, self.batch_size = problem, checked_batch(batch_size, n, False)
        if n % self.batch_size:
            raise ValueError(f"batch_size must divide the {n} samples for reshuffling, got {self.batch_size}")
        b = self.batch_size
        pairs = sum(math.comb(n, seen) * math.comb(seen, b) for seen in range(b, n + 1, b))
        self._size = (r + 1) * (r + 2) // 2
        if pairs * self._size**2 > _LIMIT:
            raise ValueError(
                f"too many orders of batches to go through: {pairs} steps between sets of samples times "
                f"{self._size}² numbers, at most {_LIMIT:.0e}; take fewer samples, larger batches or simulate"
            )

    @property
    def epoch(self) -> int:
        """Batches in an epoch."""
        return self.problem.n_samples // self.batch_size

    def spectral_radius(self, eta: float) -> float:
        """Return the factor by which second moments change per epoch in the long run.

        Args:
            eta: Step size, positive.

        Raises:
            TypeError: If eta is not a real number.
            ValueError: If eta is not positive and finite.
        """
        step = _step(eta)
        if not self._samples.rank:
            return 0.0
        return float(np.abs(np.linalg.eigvals(self._means(self._batch_steps(step)[:, :-1, :-1])[-1])).max())

    @cached_property
    def critical_step(self) -> float:
        """The first step at which the spectral radius is 1, on a scan by 1/64 of 2/λ_max; infinite if H = 0."""
        if not self._samples.rank:
            return np.inf
        from scipy.optimize import brentq

        stride = 2 / self._samples.lam[0] / _SCAN
        k = 1
        while self.spectral_radius(k * stride) < 1:
            k += 1
        low = max((k - 1) * stride, 1e-6 * stride)
        return float(brentq(lambda eta: self.spectral_radius(eta) - 1, low, k * stride, xtol=1e-15, rtol=1e-14))

    def stationary(self, eta: float) -> ReshuffledLaw:
        """Return the law to which iterates converge at the starts of the batches of an epoch.

        Args:
            eta: A stable step size.

        Raises:
            TypeError: If eta is not a real number.
            ValueError: If the step is not stable.
        """
        step, samples = _step(eta), self._samples
        radius = self.spectral_radius(step)
        if radius >= 1:
            raise ValueError(
                f"eta must be stable for a stationary law, got {step:g}: the second moment has the spectral radius "
                f"{radius:.12g} per epoch there, and 1 at the critical step {self.critical_step:.12g}"
            )
        means = self._means(self._batch_steps(step))
        whole = means[-1]  # its last row and column are those of the constant 1
        moments = np.append(np.linalg.solve(np.eye(self._size - 1) - whole[:-1, :-1], whole[:-1, -1]), 1.0)
        packing = Packing(samples.rank + 1)
        states = np.array([packing.unpack(moments), *(packing.unpack(P @ moments) for P in means[:-1])])
        S, m, basis, lam = states[:, :-1, :-1], states[:, :-1, -1], samples.basis, samples.lam
        squares = np.einsum("kii->ki", S)
        p = population_factors(samples.n, self.batch_size).p
        noise = [samples.excess(s) + samples.cross(d) + samples.noise for s, d in zip(S, m, strict=True)]
        interaction = (squares * lam**2 + p * np.einsum("kii->ki", np.array(noise))) @ lam
        grad_sq = squares @ lam**2
        return ReshuffledLaw(
            eta=step,
            mean=self.problem.minimizer + m @ basis.T,
            second_moment=basis @ S @ basis.T,
            excess_loss=squares @ lam / 2,
            grad_sq=grad_sq,
            gradient_noise_interaction=ratio(float(interaction.mean()), float(grad_sq.mean())),
        )

    @cached_property
    def _batches(self) -> list[tuple[int, ...]]:
        return list(itertools.combinations(range(self._samples.n), self.batch_size))

    def _batch_steps(self, eta: float) -> np.ndarray:
        """Return the matrices of the steps of all batches on (d, 1), shape (batches, r+1, r+1)."""
        r, numbers = self._samples.rank, np.array(self._batches)
        steps = np.zeros((len(numbers), r + 1, r + 1))
        steps[:, :r, :r] = np.eye(r) - eta * self._samples.batch_hessians(numbers)
        steps[:, :r, r] = -eta * self._samples.gradients[numbers].mean(axis=1)
        steps[:, r, r] = 1
        return steps

    def _means(self, steps: np.ndarray) -> list[np.ndarray]:
        """Return the mean operators on packed second moments after 1, 2, ... batches of an epoch."""
        packing = Packing(steps.shape[-1])
        operators = {
            sum(1 << i for i in batch): written_out(packing.packed(_congruence(step)), packing.size)
            for batch, step in zip(self._batches, steps, strict=True)
        }
        seen = {0: np.eye(packing.size)}
        means = []
        for done in range(1, self.epoch + 1):
            sums: dict[int, np.ndarray] = {}
            for before, P in seen.items():
                for batch, operator in operators.items():
                    if not before & batch:
                        sums[before | batch] = sums.get(before | batch, 0.0) + operator @ P
            orders = math.comb(done * self.batch_size, self.batch_size)
            seen = {after: total / orders for after, total in sums.items()}
            means.append(np.sum(list(seen.values()), axis=0) / len(seen))
        return means


def _congruence(T: np.ndarray) -> Operator:
    return lambda S: T @ S @ T.T


def _step(eta: Any) -> float:
    step = in_interval("eta", eta, 0, np.inf, open_low=True, open_high=True)
    if step.ndim:
        raise ValueError(f"eta must be a single number, got shape {step.shape}")
    return float(step)
