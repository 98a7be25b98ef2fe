"""Exact expectations over mini-batches, by set partitions (derived).

With the augmented iterate b = (w, 1), p_i = scale (x_i, 0) and q_i = (x_i, -y_i), the gradient of a batch B of size s
is A_B b, A_B = (1/s) Σ_{i in B} p_i q_iᵀ: an affine step has become a linear one, and moments of every order follow
from expectations of products of A_B. A product of k factors is a sum over one place in the batch per factor. A pattern
of equal and different places (a set partition of the factors) with m different ones occurs s(s-1)...(s-m+1) times among
the s^k, and the samples at these places are

* with replacement: m independent uniform draws, so n^-m times an unrestricted sum;
* without: m different ones, so 1/(n(n-1)...(n-m+1)) times a sum over different samples, which Möbius inversion turns
  into unrestricted sums over the coarser partitions.

So every expectation is a weighted sum of unrestricted sums, one per partition: a chain of matrix products with
identified indices, which is what ``numpy.einsum`` does.
"""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

#: Numbers that one chain of products may hold beside its matrices, per stack of matrices.
_CHUNK = 1 << 22


def partitions(order: int, labels: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Yield the set partitions of `order` positions as block labels: (0, 1, 0) stands for {0, 2}, {1}."""
    if len(labels) == order:
        yield labels
        return
    for label in range(max(labels, default=-1) + 2):
        yield from partitions(order, (*labels, label))


def partition_weights(order: int, samples: int, size: int, replacement: bool) -> dict[tuple[int, ...], float]:
    """Return the weights of the unrestricted sums in an expectation over batches.

    E[(1/s^k) Σ_{t_1..t_k} f(B_{t_1}, ..., B_{t_k})] = Σ_π weight(π) Σ_{indices constant on the blocks of π} f, for k
    positions t in a batch of s of n samples. Weights are exact until they are rounded once; those that vanish are left
    out.

    Args:
        order: k, number of factors.
        samples: n.
        size: s, at most n without replacement.
        replacement: Whether a sample may occur several times.
    """

    def share(blocks: int) -> Fraction:
        if not replacement and blocks > samples:
            return Fraction(0)
        return Fraction(math.perm(size, blocks), size**order) / (
            samples**blocks if replacement else math.perm(samples, blocks)
        )

    weights = {fine: share(max(fine) + 1) for fine in partitions(order)}
    if not replacement:
        weights = {m: sum((w * _moebius(f, m) for f, w in weights.items()), Fraction(0)) for m in weights}
    return {labels: float(weight) for labels, weight in weights.items() if weight}


def _moebius(fine: tuple[int, ...], merged: tuple[int, ...]) -> int:
    """Return the Möbius function of the partition lattice: Π (-1)^(c-1) (c-1)! over merged blocks of c fine ones."""
    pairs = set(zip(fine, merged, strict=True))
    if len(pairs) > max(fine) + 1:
        return 0  # `fine` does not refine `merged`
    counts = [sum(block == label for _, block in pairs) for label in range(max(merged) + 1)]
    return math.prod((-1) ** (c - 1) * math.factorial(c - 1) for c in counts)


class Batches:
    """Expectations of products of A = (1/s) Σ_{i in B} p_i q_iᵀ over random batches B.

    Args:
        P: Rows p_i, shape (n, dim).
        Q: Rows q_i, shape (n, dim).
        size: s, samples in a batch.
        replacement: Whether a sample may occur several times in a batch.
    """

    def __init__(self, P: np.ndarray, Q: np.ndarray, size: int, replacement: bool) -> None:
        self.P, self.Q = P, Q
        self.size, self.replacement = size, replacement
        self.kappa = Q @ P.T
        self._plans: dict[tuple[int, int], list[tuple[float, str, list[Any], Any]]] = {}

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.P.shape[1]

    def power(self, k: int) -> np.ndarray:
        """Return E[A^k], shape (dim, dim)."""
        return self.sandwich(np.eye(self.dim), k, 0)

    def sandwich(self, S: np.ndarray, left: int, right: int) -> np.ndarray:
        """Return E[A^left S (A^right)ᵀ], one batch in all factors, of matrices S of shape (..., dim, dim).

        For left = 2, right = 1: Σ over (i, j, k) of kappa_ij F_jk p_i p_kᵀ, kappa_ij = q_i·p_j, F = Q S Qᵀ.
        Memory: n² numbers, and n² per matrix in S at a time.
        """
        stack = S.reshape(math.prod(S.shape[:-2]), self.dim, self.dim)
        result = np.empty(stack.shape)
        chunk = max(1, _CHUNK // self.kappa.size)
        for first in range(0, len(stack), chunk):
            some = stack[first : first + chunk]
            result[first : first + chunk] = sum(
                weight * np.einsum(chain, some, *operands, optimize=path)
                for weight, chain, operands, path in self._plan(left, right)
            )
        return result.reshape(S.shape)

    def _plan(self, left: int, right: int) -> list[tuple[float, str, list[Any], Any]]:
        """Return weight, subscripts, operands beside S and contraction order, for every partition."""
        if (left, right) not in self._plans:
            weights = partition_weights(left + right, len(self.P), self.size, self.replacement)
            plans = []
            for labels, weight in weights.items():
                chain, operands = self._chain(labels[:left], labels[left:])
                path = np.einsum_path(chain, np.empty((1, self.dim, self.dim)), *operands, optimize="greedy")[0]
                plans.append((weight, chain, operands, path))
            self._plans[left, right] = plans
        return self._plans[left, right]

    def _chain(self, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[str, list[Any]]:
        """Return the subscripts of A^left S (A^right)ᵀ and its operands after S; labels are read from outside in."""
        inputs, outputs, operands = ["zcd"], [], []
        for labels, outer, inner in ((left, "a", "c"), (right, "f", "d")):
            names = [string.ascii_letters[8 + label] for label in labels]
            outputs.append(outer if names else inner)
            if not names:
                continue
            inputs += [names[0] + outer, names[-1] + inner]
            operands += [self.P, self.Q]
            for i, j in itertools.pairwise(names):
                inputs.append(i if i == j else i + j)
                operands.append(np.diagonal(self.kappa) if i == j else self.kappa)
        return f"{','.join(inputs)}->z{''.join(outputs)}", operands
