"""Networks of the phase diagram on real data: the data, the network and where it starts."""

from __future__ import annotations

from os import PathLike

import numpy as np

from .. import data as datasets
from .._check import positive_int
from ..data import Data
from ..networks import MLP, one_hot
from ..networks.torch_normal import TorchNormal


def standardized_samples(
    data: str | PathLike[str] | Data = "digits", samples: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs, shape (samples, features), and one-hot targets, shape (samples, classes), both float32.

    Samples are the first of ``numpy.random.RandomState(0).permutation(n)``. The features of each sample get mean 0 and
    variance 1 (population variance); those of a sample whose features are all equal become 0.

    Args:
        data: A data set of classification as `eossim.data.load` takes it: "digits" or an .npz file whose y holds
            labels 0, 1, ..., each of them occurring.
        samples: Number of samples, at most those of the data set.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If y does not hold such labels or there are too few samples.
    """
    found = datasets.load(data)
    classes = np.unique(found.y)
    if len(classes) < 2 or not np.array_equal(classes, np.arange(len(classes))):
        raise ValueError(
            f"data must have labels 0, 1, ..., k - 1 with k >= 2, each occurring in y; got {found.name} with "
            f"{len(classes)} values from {classes[0]:g} to {classes[-1]:g}"
        )
    if positive_int("samples", samples) > len(found.X):
        raise ValueError(f"samples must be at most the {len(found.X)} of {found.name}, got {samples}")
    chosen = np.random.RandomState(0).permutation(len(found.X))[:samples]
    X = found.X[chosen]
    X = X - X.mean(axis=1, keepdims=True)
    deviation = X.std(axis=1, keepdims=True)
    X /= np.where(deviation > 0, deviation, 1.0)
    targets = one_hot(found.y[chosen].astype(np.int64), len(classes))
    return X.astype(np.float32), targets.astype(np.float32)


def relu_network(depth: int, width: int, X: np.ndarray, targets: np.ndarray) -> MLP:
    """Return the network features → width → ... → width → classes of `depth` layers of weights on these data.

    ReLU, no biases, float32; the loss is ½ (f - y)², averaged over samples and outputs.
    """
    positive_int("depth", depth)
    positive_int("width", width)
    sizes = (X.shape[1], *[width] * (depth - 1), targets.shape[1])
    return MLP(sizes, "relu", "mse", X, targets, bias=False, reduction="mean", dtype=np.float32)


def torch_start(problem: MLP, seed: int) -> np.ndarray:
    """Return weights N(0, 2/n), n the inputs of a layer, and N(0, 1/n) in the last layer, as torch would draw them.

    Layer by layer ``torch.randn(n, n_out, generator=generator)`` times the deviation, in float32, from
    ``torch.Generator().manual_seed(seed)``; torch is not needed.
    """
    numbers, blocks = TorchNormal(seed), []
    for k, shape in enumerate(problem.layers):
        variance = (2 if k < len(problem.layers) - 1 else 1) / shape[0]
        blocks.append(numbers.randn(*shape) * np.float32(np.sqrt(variance)))
    return problem.flatten(blocks)
