"""Checks of what is given to a torch problem."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

DTYPES = {torch.float32: np.float32, torch.float64: np.float64}


def checked_module(module: Any) -> torch.nn.Module:
    """Return the module, or what torch.compile has wrapped.

    Raises:
        TypeError: If it is none, or a scripted one.
    """
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {module!r}")
    if isinstance(module, torch.jit.ScriptModule):
        raise TypeError("module must be an ordinary torch.nn.Module: torch.func cannot call a scripted one")
    return getattr(module, "_orig_mod", module)


def only_kind(parameters: dict[str, Any]) -> tuple[Any, Any]:
    """Return the floating type and the device that all parameters have.

    Raises:
        ValueError: If there are none or several, or another type than float32 and float64.
    """
    if not parameters:
        raise ValueError("module has no parameter that requires a gradient")
    kinds = {(p.dtype, p.device) for p in parameters.values()}
    if len(kinds) > 1:
        raise ValueError(f"all parameters must have one dtype and one device, got {sorted(map(str, kinds))}")
    ((dtype, device),) = kinds
    if dtype not in DTYPES:
        raise ValueError(f"parameters must be float32 or float64, got {dtype}; convert with module.float()")
    return dtype, device


def samples(name: str, value: Any, dtype: Any, device: Any) -> Any:
    """Return data as a tensor on a device, floating numbers in `dtype`.

    Raises:
        TypeError: If it does not hold numbers.
        ValueError: If it is empty, has no axis of samples, or is not finite in `dtype`.
    """
    try:
        tensor = value.detach() if isinstance(value, torch.Tensor) else torch.tensor(np.asarray(value))
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} must be a tensor or an array of numbers: {error}") from None
    if tensor.ndim == 0 or not tensor.numel():
        raise ValueError(f"{name} must have a first axis of samples and numbers, got shape {tuple(tensor.shape)}")
    if tensor.is_floating_point():
        tensor = tensor.to(dtype)
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} must be finite in the type of the parameters, {dtype}")
    return tensor.to(device)


def refuse_ignored(loss_fn: Any, targets: Any) -> None:
    """Raise ValueError if the loss ignores some of the targets: it is no mean over all samples then."""
    index = getattr(loss_fn, "ignore_index", None)
    if isinstance(index, int) and not targets.is_floating_point() and bool((targets == index).any()):
        raise ValueError(
            f"loss_fn must be the mean over samples, and it ignores targets with ignore_index={index}, which targets "
            "hold; leave those samples out"
        )
