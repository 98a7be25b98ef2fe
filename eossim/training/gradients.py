"""Where a step takes its gradient from: all samples, a batch of them, or all with the noise of a batch put on top."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..engine.minibatch import checked_batch
from ..engine.sampling import Minibatch
from .oracle import Oracle

Gradient = Callable[[np.ndarray], np.ndarray]
State = dict[str, Any]
#: Steps after which the size of isotropic and diagonal noise is measured again: it costs the gradients of all samples.
REFRESH = 30
_WORD = (1 << 64) - 1


class Gradients(Protocol):
    """What hands out gradients; all that changes from step to step is in the state of the run."""

    def start(self, stream: list[int]) -> State:
        """Return what a state needs at the start of a run; `stream` seeds what is random."""

    def draw(self, state: State) -> Gradient:
        """Return the gradient of the step that leaves `state`, and move on in `state` what was drawn."""


class FullGradients:
    """The gradient of the loss.

    Args:
        oracle: The problem.
    """

    def __init__(self, oracle: Oracle) -> None:
        self._gradient = oracle.grad

    def start(self, stream: list[int]) -> State:
        """Return nothing."""
        return {}

    def draw(self, state: State) -> Gradient:
        """Return the gradient."""
        return self._gradient


class BatchGradients:
    """Gradients of batches.

    Every batch is a stretch of numbers from ``rng = default_rng(stream)``: ``rng.choice(n, b, replace=False)``,
    ``rng.integers(0, n, b)``, or b numbers in a row of ``rng.permutation(n)``, a new one when less than b are left.

    Args:
        oracle: The problem.
        method: How batches are drawn.
        samples: n.
    """

    def __init__(self, oracle: Oracle, method: Minibatch, samples: int) -> None:
        self._oracle, self._samples, self.sampling = oracle, samples, method.sampling
        self._size = checked_batch(method.batch_size, samples, method.sampling == "iid")
        self._independent = method.ascent == "independent"
        self._stream = Stream()

    def start(self, stream: list[int]) -> State:
        """Return the stream and, for reshuffling, an order that is used up."""
        state: State = {"rng": seeded(stream)}
        if self.sampling == "reshuffle":
            state |= {"order": np.arange(self._samples), "position": self._samples}
        return state

    def draw(self, state: State) -> Gradient:
        """Return the gradient of a batch, or of a new batch each time it is called."""
        evaluate = self._oracle.batch_grad
        if self._independent:
            return lambda w: evaluate(w, self._batch(state))
        batch = self._batch(state)
        return lambda w: evaluate(w, batch)

    def _batch(self, state: State) -> np.ndarray:
        n, b = self._samples, self._size
        if self.sampling == "reshuffle":
            first = state["position"]
            if first + b > n:
                state["order"], first = self._stream.draw(state, lambda rng: rng.permutation(n)), 0
            state["position"] = first + b
            return state["order"][first : first + b]
        if self.sampling == "iid":
            return self._stream.draw(state, lambda rng: rng.integers(0, n, b))
        return self._stream.draw(state, lambda rng: rng.choice(n, b, replace=False))


class NoisyGradients:
    """The gradient of the loss with Gaussian noise of the size that batches would bring (see `noisy_gd`).

    Isotropic and diagonal noise is ``deviation * rng.standard_normal(dim)``, where the deviation is measured every
    `REFRESH` steps; for Gaussian resampling ``xi = rng.standard_normal(n)`` makes the weights of the samples.

    Args:
        oracle: The problem.
        method: Which noise, of which batches.
        samples: n.
    """

    def __init__(self, oracle: Oracle, method: Minibatch, samples: int) -> None:
        checked_batch(method.batch_size, samples, method.sampling == "iid")
        self._oracle, self._samples, self._noise = oracle, samples, method.noise
        self._spread = method.spread(samples)
        self._deviation, self._fresh_for = f"{method.noise}_deviation", f"{method.noise}_fresh_for"
        self._stream = Stream()

    def start(self, stream: list[int]) -> State:
        """Return the stream, and a deviation that is to be measured."""
        state: State = {"rng": seeded(stream)}
        if self._noise != "gaussian":
            shape = () if self._noise == "isotropic" else self._oracle.dim
            state |= {self._deviation: np.zeros(shape), self._fresh_for: 0}
        return state

    def draw(self, state: State) -> Gradient:
        """Return the gradient with noise that was drawn for this step."""
        oracle, n = self._oracle, self._samples
        if self._noise == "gaussian":
            xi = self._stream.draw(state, lambda rng: rng.standard_normal(n))
            weights = 1 / n + np.sqrt(self._spread / n) * (xi - xi.mean())
            return lambda w: oracle.weighted_grad(w, weights)
        if state[self._fresh_for] == 0:
            variances = oracle.variances(state["w"])
            square = variances.mean() if self._noise == "isotropic" else variances
            state[self._deviation], state[self._fresh_for] = np.sqrt(self._spread * square), REFRESH
        state[self._fresh_for] -= 1
        noise = state[self._deviation] * self._stream.draw(state, lambda rng: rng.standard_normal(oracle.dim))
        noise = noise.astype(oracle.dtype, copy=False)
        return lambda w: oracle.grad(w) + noise


class Stream:
    """Random numbers of a stream whose place is an array in the state of a run."""

    def __init__(self) -> None:
        self._bits = np.random.PCG64(0)
        self._generator = np.random.Generator(self._bits)

    def draw(self, state: State, numbers: Callable[[np.random.Generator], np.ndarray]) -> np.ndarray:
        """Return what `numbers` makes with the generator at ``state["rng"]``, and write its new place there."""
        low, high, inc_low, inc_high, half, word = state["rng"].tolist()
        self._bits.state = {
            "bit_generator": "PCG64",
            "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
            "has_uint32": half,
            "uinteger": word,
        }
        drawn = numbers(self._generator)
        state["rng"] = _place(self._bits)
        return drawn


def seeded(stream: list[int]) -> np.ndarray:
    """Return the place at the start of ``numpy.random.default_rng(stream)``, shape (6,), uint64."""
    return _place(np.random.default_rng(stream).bit_generator)


def _place(bits: Any) -> np.ndarray:
    found = bits.state
    state, inc = found["state"]["state"], found["state"]["inc"]
    words = (state & _WORD, state >> 64, inc & _WORD, inc >> 64, found["has_uint32"], found["uinteger"])
    return np.array(words, dtype=np.uint64)
