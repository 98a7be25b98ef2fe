"""The same network in torch, in jax and in NumPy."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import torch

from eossim.adapters import from_jax, from_torch


def weights(sizes, seed):
    """Weights and biases of linear layers, (outputs, inputs) and (outputs,) in turn."""
    rng = np.random.default_rng(seed)
    found = []
    for before, after in pairwise(sizes):
        found += [rng.standard_normal((after, before)) / before**0.5, 0.3 * rng.standard_normal(after)]
    return found


def torch_mlp(arrays, dtype=torch.float64):
    layers = []
    for W, b in zip(arrays[::2], arrays[1::2], strict=True):
        linear = torch.nn.Linear(W.shape[1], W.shape[0], dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(W))
            linear.bias.copy_(torch.tensor(b))
        layers += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def outputs(arrays, x, numbers=jnp):
    for W, b in zip(arrays[:-2:2], arrays[1:-2:2], strict=True):
        x = numbers.tanh(x @ W.T + b)
    return x @ arrays[-2].T + arrays[-1]


def data(kind, n, sizes, seed):
    rng = np.random.default_rng(seed + 1)
    x = rng.standard_normal((n, sizes[0]))
    y = rng.integers(0, sizes[-1], n) if kind == "cross_entropy" else rng.standard_normal((n, sizes[-1]))
    return x, y


TORCH_LOSS = {"cross_entropy": torch.nn.CrossEntropyLoss(), "mse": torch.nn.MSELoss()}


def jax_loss(kind):
    def mse(params, batch):
        return ((outputs(params, batch[0]) - batch[1]) ** 2).mean()

    def cross_entropy(params, batch):
        logs = jax.nn.log_softmax(outputs(params, batch[0]))
        return -jnp.take_along_axis(logs, batch[1][:, None], 1).mean()

    return {"mse": mse, "cross_entropy": cross_entropy}[kind]


def both(kind="mse", sizes=(3, 5, 4, 2), n=7, seed=0):
    """The network as a problem of torch and of jax."""
    arrays, (x, y) = weights(sizes, seed), data(kind, n, sizes, seed)
    return from_torch(torch_mlp(arrays), TORCH_LOSS[kind], x, y), from_jax(jax_loss(kind), arrays, (x, y))
