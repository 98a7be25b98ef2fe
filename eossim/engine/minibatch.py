"""What mini-batches of regression are: samples with the gradients of their losses, and what may be asked of them.

The loss of a batch is the mean over its samples, scaled so that its mean over all batches is the loss of the problem:
for the loss c ‖X w - y‖², its gradient is (2 c n / b) Σ_{i in batch} x_i (x_i·w - y_i). For kernel regression, X holds
the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._check import positive_int
from ..problems import Regression
from .method import Method

#: Batches of the ascent and the descent of a SAM step.
ASCENTS = ("same", "independent")


def samples_of(problem: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """Return features (n, dim), targets (n,) and the scale 2 c n of a sample's gradient, scale * x_i (x_i·w - y_i)."""
    if not isinstance(problem, Regression):
        raise TypeError(
            f"problem must have samples to draw (LeastSquares, KernelRegression), got {type(problem).__name__}"
        )
    features = np.ascontiguousarray(problem.features).view()
    features.flags.writeable = False  # one type for the kernels
    return features, problem.y, 2 * problem.loss_factor * problem.n_samples


def rule_of(method: Any, allowed: Sequence[str] | dict[str, int]) -> str:
    """Return the name of a bound method's rule if it is one of the shipped rules `allowed`."""
    if not isinstance(method, Method):
        raise TypeError(f"method must be a rule with bound hyper-parameters, such as gd(eta=0.1), got {method!r}")
    if method.rule.name not in allowed or method.rule.kernel_module is None:
        raise ValueError(f"method must be one of {', '.join(allowed)}; got {method.rule.name}")
    return method.rule.name


def checked_batch(batch_size: Any, samples: int, replacement: Any) -> int:
    """Return the batch size if `samples` allow it."""
    if not isinstance(replacement, bool | np.bool_):
        raise TypeError(f"replacement must be True or False, got {replacement!r}")
    size = positive_int("batch_size", batch_size)
    if not replacement and size > samples:
        raise ValueError(f"batch_size must be at most the {samples} samples without replacement, got {size}")
    return size
