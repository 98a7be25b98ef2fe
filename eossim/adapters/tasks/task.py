"""What is trained in each task: module, loss, data, and settings at which SAM reaches its edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..._check import choice, positive_int
from . import data, models

NAMES = ("mlp", "cnn", "transformer")


@dataclass(frozen=True)
class Task:
    """A module with its loss and data, and how it is trained unless told otherwise.

    Attributes:
        name: What it is called.
        module: The network, in float32.
        loss_fn: (outputs, targets) -> mean loss over samples.
        inputs: Inputs, a tensor of shape (n, ...).
        targets: Targets, a tensor of shape (n, ...).
        eta: Step size.
        rho: Radius of SAM.
        steps: Steps of training.
        at_once: Most samples to evaluate at once.
    """

    name: str
    module: torch.nn.Module
    loss_fn: Callable[[Any, Any], Any]
    inputs: torch.Tensor
    targets: torch.Tensor
    eta: float
    rho: float
    steps: int
    at_once: int


def task(
    name: str, path: Path | None = None, *, samples: int | None = None, seed: int = 0, device: str = "cpu"
) -> Task:
    """Return a task: reduced on data that ship, or at the size of the paper on a local file.

    Args:
        name: "mlp" (digits; MNIST), "cnn" (digits; CIFAR-10) or "transformer" (a text; tiny_shakespeare).
        path: Where the full data are (see `data.mnist`, `data.cifar10`, `data.text`).
        samples: Take the first so many samples.
        seed: Seed of the initial weights.
        device: Where to compute, such as "cpu" or "cuda".

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the name is unknown, a file damaged, or the samples are fewer than asked for.
    """
    choice("name", name, NAMES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(positive_int("seed", seed, minimum=0))
        made = _text(path, samples) if name == "transformer" else _images(name, path, samples)
    tensors = {"inputs": made.inputs.to(device), "targets": made.targets.to(device)}
    return replace(made, module=made.module.to(device), **tensors)


def _images(name: str, path: Path | None, samples: int | None) -> Task:
    """Squared error on one-hot classes; images less their mean."""
    if path is None:
        images, labels = data.digits()
        samples = 1000 if samples is None else samples
    else:
        images, labels = data.mnist(path) if name == "mlp" else data.cifar10(path)
    images, labels = _first(samples, images, labels)
    inputs = torch.tensor(images - images.mean(axis=0), dtype=torch.float32)
    targets = torch.tensor(np.eye(10)[labels], dtype=torch.float32)
    full = path is not None
    if name == "mlp":
        module = models.mlp(int(inputs[0].numel()), 10, width=1000 if full else 32)
        eta, rho, steps = (0.01, 0.1, 20_000) if full else (0.2, 0.05, 2000)
    else:
        module = models.cnn(
            (inputs.shape[1], inputs.shape[2], inputs.shape[3]), 10, channels=(16, 32) if full else (4, 8)
        )
        eta, rho, steps = (0.001, 0.03, 20_000) if full else (0.1, 0.05, 600)
    return Task(name, module, models.squared_error, inputs, targets, eta, rho, steps, 2000)


def _text(path: Path | None, samples: int | None) -> Task:
    full = path is not None
    inputs, targets = _first(samples, *data.text(path, 64 if full else 16))
    small = {"length": 16, "width": 16, "layers": 2, "heads": 2, "key": 8}
    module = models.Transformer(**({} if full else small))
    eta, rho, steps = (0.1, 0.1, 20_000) if full else (0.1, 0.05, 600)
    tensors = torch.tensor(inputs), torch.tensor(targets)
    return Task("transformer", module, models.next_character, *tensors, eta, rho, steps, 256)


def _first(samples: int | None, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = len(inputs) if samples is None else positive_int("samples", samples)
    if count > len(inputs):
        raise ValueError(f"samples must be at most {len(inputs)}, the number in the data, got {count}")
    return inputs[:count], targets[:count]
