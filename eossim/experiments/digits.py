"""The two tasks on digits: true labels for descent in norms, random ones for the stochastic edge."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from .. import data
from ..networks import MLP, one_hot
from ..networks.torch_normal import TorchNormal


def true_labels(samples: int = 500) -> tuple[MLP, np.ndarray]:
    """Return the network 64-32-32-10 with tanh on digits, ½ Σ (f - y)² averaged over samples, and its start.

    Samples are the first of ``default_rng(0).permutation(1797)``, features (x - mean)/(deviation + 0.01). Weights are
    ``torch.randn(n_out, n_in, dtype=float64)`` / √n_in, transposed, after ``torch.manual_seed(0)``; biases are 0.

    Args:
        samples: Number of samples.
    """
    digits = data.load("digits")
    chosen = np.random.default_rng(0).permutation(1797)[:samples]
    X = digits.X[chosen]
    X = (X - X.mean(axis=0)) / (X.std(axis=0) + 0.01)
    problem = MLP((64, 32, 32, 10), "tanh", "mse", X, one_hot(digits.y[chosen].astype(np.int64), 10))
    numbers, start = TorchNormal(0), []
    for shape in problem.layers:
        if len(shape) == 1:
            start.append(np.zeros(shape))
            continue
        n_in, n_out = shape
        start.append(numbers.randn(n_out, n_in, dtype=np.float64).T / math.sqrt(n_in))
    return problem, problem.flatten(start)


def random_labels(seed: int, dtype: DTypeLike = np.float32) -> tuple[MLP, np.ndarray]:
    """Return the network 64-96-96-10 with ReLU on 1024 digits with random labels, Σ (f - y)², and its start.

    The loss goes on falling while curvature rises: labels that can be learnt are learnt before the edge. From
    ``rng = default_rng(seed)`` in this order: ``choice(1797, 1024, replace=False)``, ``integers(0, 10, 1024)``, weights
    N(0, (0.5)²·2/n_in), layer by layer.

    Args:
        seed: Seed of samples, labels and weights.
        dtype: Of the network.
    """
    X = data.load("digits").X / 16
    X = X - X.mean(axis=0)
    X = X / X.std()
    rng = np.random.default_rng(seed)
    chosen, labels = rng.choice(1797, 1024, replace=False), rng.integers(0, 10, 1024)
    gain = 0.5 * math.sqrt(2)
    problem = MLP((64, 96, 96, 10), "relu", "mse", X[chosen], one_hot(labels, 10), half=False, gain=gain, dtype=dtype)
    return problem, problem.initial(rng)
