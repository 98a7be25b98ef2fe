"""Fully connected networks as problems on flat parameter vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._check import choice, finite_array, positive_int, real_array
from ._activations import ACTIVATIONS
from ._architecture import Architecture
from ._losses import CROSS_ENTROPY, LOSSES
from ._targets import class_targets, regression_targets
from ._weights import PARAMETRIZATIONS, gains, scales
from .problem import Network


class MLP(Network):
    """The loss of a fully connected network on data: L(w) = (1/n) Σ ℓ(f(xᵢ; w), yᵢ).

    A layer maps h to φ(h W + b) with W of shape (n_in, n_out); the last has no φ. Losses of a sample with outputs f:

    * "mse": ½ Σ (f - y)² over the outputs; `reduction="mean"` divides by their number, `half=False` drops the ½.
    * "cross-entropy": log Σ exp f - f at the label.

    Parameters are one vector: layer by layer W row by row, then b (see `layers`). Leading axes of `w` are networks of
    one architecture; the result for one does not depend on the others, nor on the number of threads. A diverged network
    is a result: NaN and infinity in `w` give NaN or infinity back.

    Parametrizations, n the width of the layer before, N that of the layer itself:

    * "standard": weights are what multiplies; they start as N(0, gain²/n).
    * "ntk": the network multiplies weights by 1/√n; they start as N(0, gain²) (arXiv:1806.07572).
    * "mup": maximal update for GD with one step size (arXiv:2011.14522). The network multiplies the weights of the
      first layer and biases of hidden layers by √N and the weights of the last layer by 1/√n. Weights start as
      N(0, gain²/(n N)) in the first layer and N(0, gain²/n) in the others, so that what multiplies starts as
      N(0, gain²/n), and N(0, gain²/n²) in the last layer.

    Args:
        sizes: Units of every layer, inputs first: (10, 32, 32, 1).
        activation: φ: "tanh", "relu" (φ'(0) = 0), "gelu" (exact, z Φ(z)) or "identity".
        loss: "mse" or "cross-entropy".
        X: Inputs, shape (n, sizes[0]).
        y: Targets, shape (n, sizes[-1]), or (n,) for one output. For cross-entropy labels 0 to sizes[-1] - 1, shape
            (n,), or one-hot rows.
        bias: Whether layers have biases; they start at 0.
        parametrization: "standard", "ntk" or "mup".
        gain: Gain of the weights at the start, one for all layers or one for each.
        last_gain: Gain of the last layer if it is another one.
        reduction: For "mse": "sum" (by default) or "mean" over outputs.
        half: For "mse": whether the ½ is there (by default).
        seed: Seed of `initial`.
        dtype: float64 or float32, of parameters and results.

    Attributes:
        sizes: Units of every layer.
        activation: As given.
        loss_name: The loss as given.
        parametrization: As given.
        dim: Number of parameters.
        n_samples: n.
        layers: Shapes of the blocks of the parameter vector in their order: W₁, b₁, W₂, ...
        dtype: As given.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument is unknown or out of range, sizes do not fit the data or data are not finite.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str,
        loss: str,
        X: ArrayLike,
        y: ArrayLike,
        *,
        bias: bool = True,
        parametrization: str = "standard",
        gain: float | Sequence[float] = 1.0,
        last_gain: float | None = None,
        reduction: str | None = None,
        half: bool | None = None,
        seed: int = 0,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.sizes = _sizes(sizes)
        self.activation = choice("activation", activation, ACTIVATIONS)
        self.loss_name = choice("loss", loss, LOSSES)
        self.parametrization = choice("parametrization", parametrization, PARAMETRIZATIONS)
        numbers = np.dtype(dtype)
        if numbers not in (np.dtype(np.float64), np.dtype(np.float32)):
            raise ValueError(f"dtype must be float64 or float32, got {numbers}")
        for name, flag in (("bias", bias), ("half", half)):
            if not isinstance(flag, bool) and (name == "bias" or flag is not None):
                raise TypeError(f"{name} must be True or False, got {flag!r}")
        inputs = finite_array("X", X, ndim=2, dtype=numbers)
        if inputs.shape[1] != self.sizes[0]:
            raise ValueError(
                f"sizes[0] must be the number of columns of X, got sizes[0] = {self.sizes[0]} and X of shape "
                f"{inputs.shape}"
            )
        n, outputs = len(inputs), self.sizes[-1]
        factor = 1.0
        if LOSSES[loss] == CROSS_ENTROPY:
            if reduction is not None or half is not None:
                raise ValueError('reduction and half belong to loss="mse"; leave them out for cross-entropy')
            targets = class_targets(y, n, outputs)
        else:
            mean = choice("reduction", "sum" if reduction is None else reduction, ("sum", "mean")) == "mean"
            factor = (1.0 if half is False else 0.5) / (outputs if mean else 1)
            targets = regression_targets(y, n, outputs, numbers)
        self._gains = gains(gain, last_gain, len(self.sizes) - 1)
        self._seed = positive_int("seed", seed, minimum=0)
        kind = np.array([bias, ACTIVATIONS[activation], LOSSES[loss]], np.int64)
        net = Architecture(np.array(self.sizes, np.int64), kind, factor, numbers)
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        self.layers: tuple[tuple[int, ...], ...] = tuple(
            shape for n, m in pairs for shape in (((n, m), (m,)) if bias else ((n, m),))
        )
        inputs, targets = (np.array(a, numbers, order="C") for a in (inputs, targets))
        super().__init__(net, inputs, targets, self._scales(numbers))

    def initial(self, seed: int | np.random.Generator | None = None) -> np.ndarray:
        """Parameters at the start, shape (dim,): biases 0, weights normal as the parametrization says.

        Layer by layer ``deviation * rng.standard_normal((n_in, n_out))``, whatever the dtype.

        Args:
            seed: Seed of `numpy.random.default_rng`, or such a generator, which goes on from where it is; by default
                the seed of the network.
        """
        if isinstance(seed, np.random.Generator):
            rng = seed
        else:
            rng = np.random.default_rng(self._seed if seed is None else positive_int("seed", seed, minimum=0))
        deviations = scales(self.parametrization, self.sizes)[2] * self._gains
        weights = iter(deviations)
        blocks = [next(weights) * rng.standard_normal(s) if len(s) == 2 else np.zeros(s) for s in self.layers]
        return np.concatenate([block.ravel() for block in blocks]).astype(self.dtype)

    def unflatten(self, w: ArrayLike) -> list[np.ndarray]:
        """Blocks of parameters of shape (..., dim), each of shape (..., *shape), in the order of `layers`."""
        array = self._points("w", w)
        ends = np.cumsum([int(np.prod(shape)) for shape in self.layers])[:-1]
        parts = np.split(array, ends, axis=-1)
        return [p.reshape(array.shape[:-1] + shape) for p, shape in zip(parts, self.layers, strict=True)]

    def flatten(self, blocks: Sequence[ArrayLike]) -> np.ndarray:
        """Parameters of shape (..., dim) from blocks as `unflatten` returns them.

        Raises:
            TypeError: If a block does not hold real numbers.
            ValueError: If there is another number of blocks or one has a wrong shape.
        """
        if len(blocks) != len(self.layers):
            raise ValueError(f"blocks must be {len(self.layers)} arrays of shapes {self.layers}, got {len(blocks)}")
        arrays = [real_array(f"blocks[{k}]", b, dtype=self.dtype) for k, b in enumerate(blocks)]
        lead = arrays[0].shape[: arrays[0].ndim - 2]
        for k, (array, shape) in enumerate(zip(arrays, self.layers, strict=True)):
            if array.shape != lead + shape:
                raise ValueError(f"blocks[{k}] must have shape {lead + shape}, got {array.shape}")
        return np.concatenate([a.reshape((*lead, -1)) for a in arrays], axis=-1)

    def _scales(self, dtype: np.dtype) -> np.ndarray | None:
        """Return what parameters are multiplied by, shape (dim,), or None if they are not."""
        weights, biases, _ = scales(self.parametrization, self.sizes)
        if self.parametrization == "standard":
            return None
        each = [(a, b)[: len(self.layers) // len(weights)] for a, b in zip(weights, biases, strict=True)]
        factors = [factor for pair in each for factor in pair]
        sizes = [int(np.prod(shape)) for shape in self.layers]
        return np.repeat(np.array(factors), sizes).astype(dtype)

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        return f"MLP({sizes}, {self.activation}, {self.loss_name}, n_samples={self.n_samples}, dim={self.dim})"


def _sizes(sizes: Any) -> tuple[int, ...]:
    try:
        values = tuple(sizes)
    except TypeError:
        raise TypeError(f"sizes must be a sequence of integers such as (10, 32, 1), got {sizes!r}") from None
    if len(values) < 2:
        raise ValueError(f"sizes must name at least inputs and outputs, such as (10, 1), got {values}")
    return tuple(positive_int(f"sizes[{k}]", size) for k, size in enumerate(values))
