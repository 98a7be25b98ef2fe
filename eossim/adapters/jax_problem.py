"""A jax loss of a tree of parameters as a problem on flat vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpy.typing import ArrayLike

from .flat import FlatProblem, is_mean, some_samples


def from_jax(loss_fn: Callable[[Any, Any], Any], params: Any, batch: Any) -> JaxProblem:
    """Return a jax loss on data as a problem: L(w) = loss_fn(params, batch), w the leaves of params one after another.

    It computes in the type of `params`, whatever ``jax_enable_x64`` says: float64 arrays, NumPy's for instance, give
    float64.

    If every leaf of `batch` has the same first axis, of length n, and the loss of a batch is the mean of the losses of
    its samples alone (each a batch with first axes of length 1), the problem shows its samples. Else its `repr` says
    why it does not.

    Args:
        loss_fn: (params, batch) -> a single number; it must run under ``jit``.
        params: Tree of float32 or of float64 arrays.
        batch: Tree of arrays. Floating numbers are converted to the type of `params`.

    Returns:
        The problem: loss, gradient, exact Hessian-vector products, and those of single samples.

    Raises:
        TypeError: If params hold something else, or the loss is not a single number.
        ValueError: If params hold nothing, have several types, or data are not finite.

    Example:
        >>> from_jax(lambda p, x: ((x @ p["a"]) ** 2).mean(), {"a": np.ones(3)}, np.eye(3))
        JaxProblem(dim=3, n_samples=3, float64)
    """
    return JaxProblem(loss_fn, params, batch)


class JaxProblem(FlatProblem):
    """What `from_jax` returns.

    Attributes:
        n_samples: n; missing if the problem has no samples.
    """

    def __init__(self, loss_fn: Callable[[Any, Any], Any], params: Any, batch: Any) -> None:
        leaves = jax.tree_util.tree_flatten_with_path(params)[0]
        names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
        super().__init__(names, [np.shape(leaf) for _, leaf in leaves], _only_type(names, [x for _, x in leaves]))
        self._tree = jax.tree_util.tree_structure(params)
        with self._precision():
            flat, self._unravel = ravel_pytree(jax.tree.map(jnp.asarray, params))
            self._start = np.array(flat)
            self._batch = jax.tree.map(self._data, batch)
            shape = jax.eval_shape(loss_fn, params, self._batch)
            if getattr(shape, "shape", None) != ():
                raise TypeError(f"loss_fn must return a single number, got {shape}; take the mean over samples")

        def value(w: Any, some: Any) -> Any:
            return loss_fn(self._unravel(w), some).astype(self.dtype)

        def single(w: Any, sample: Any) -> Any:
            return value(w, jax.tree.map(lambda x: x[None], sample))

        def product(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
            return lambda w, some, v: jax.jvp(lambda at: jax.grad(f)(at, some), (w,), (v,))[1]

        self._value, self._gradient, self._product = jax.jit(value), jax.jit(jax.grad(value)), jax.jit(product(value))
        self._single_gradients = jax.jit(jax.vmap(jax.grad(single), (None, 0)))
        self._single_products = jax.jit(jax.vmap(product(single), (None, 0, 0)))
        self._count, self._why = self._find_samples(single)

    @property
    def w(self) -> np.ndarray:
        """The parameters that the problem was made with, shape (dim,): a copy."""
        return self._start.copy()

    @property
    def n_samples(self) -> int:
        """Number n of samples.

        Raises:
            AttributeError: If the loss has none (so that `hasattr` tells).
        """
        if not self._count:
            raise AttributeError(f"no samples: {self._why}")
        return self._count

    def flatten(self, params: Any) -> np.ndarray:
        """Return a tree like `params` as w, shape (dim,).

        Raises:
            ValueError: If the tree or its shapes are others.
        """
        leaves, tree = jax.tree_util.tree_flatten(params)
        if not tree == self._tree or [np.shape(leaf) for leaf in leaves] != list(self.layers):
            raise ValueError(f"params must be a tree {self._tree} with leaves of shapes {self.layers}, got {tree}")
        return np.concatenate([np.asarray(leaf, dtype=self.dtype).ravel() for leaf in leaves])

    def unflatten(self, w: ArrayLike) -> Any:
        """Return w of shape (dim,) as a tree of jax arrays like `params`."""
        point = self._points("w", w)
        with self._precision():
            return self._unravel(jnp.asarray(point))

    def _find_samples(self, single: Callable[[Any, Any], Any]) -> tuple[int, str]:
        """Return the number of samples, or 0 and why there are none."""
        leaves = jax.tree.leaves(self._batch)
        lengths = {np.shape(leaf)[:1] for leaf in leaves}
        if len(lengths) != 1 or lengths <= {(), (0,)}:
            return 0, "the leaves of batch do not share their first axis"
        ((n,),) = lengths
        some = some_samples(n)
        with self._precision():
            index = np.array(some)
            picked = jax.tree.map(lambda x: x[index], self._batch)
            try:
                singles = np.asarray(jax.jit(jax.vmap(single, (None, 0)))(self._start, picked))
                together = float(self._value(self._start, picked))
            except (TypeError, ValueError) as error:
                return 0, f"loss_fn does not take single samples ({str(error).splitlines()[0]})"
        known = np.isfinite(self._start).all()  # else every loss is NaN, which says nothing
        if known and not is_mean(together, [float(x) for x in singles], self.dtype):
            return 0, (
                f"loss_fn is not the mean over samples: {together:.6g} for {len(some)} together, "
                f"{singles.mean():.6g} on average for each alone"
            )
        return n, ""

    def _samples(self) -> int:
        if not self._count:
            raise ValueError(f"no gradients of single samples: {self._why}")
        return self._count

    def _loss(self, w: np.ndarray) -> float:
        with self._precision():
            return float(self._value(w, self._batch))

    def _grad(self, w: np.ndarray) -> np.ndarray:
        with self._precision():
            return np.asarray(self._gradient(w, self._batch))

    def _products(self, w: np.ndarray, rows: np.ndarray) -> np.ndarray:
        with self._precision():
            products = [np.asarray(self._product(w, self._batch, row)) for row in rows]
        return np.array(products, dtype=self.dtype).reshape(rows.shape)

    def _sample_gradients(self, w: np.ndarray, samples: slice) -> np.ndarray:
        with self._precision():
            return np.asarray(self._single_gradients(w, self._some(samples)))

    def _sample_products(self, w: np.ndarray, vectors: np.ndarray, samples: slice) -> np.ndarray:
        with self._precision():
            return np.asarray(self._single_products(w, self._some(samples), vectors))

    def _some(self, samples: slice) -> Any:
        return jax.tree.map(lambda x: x[samples], self._batch)

    def _data(self, leaf: Any) -> Any:
        array = np.asarray(leaf)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"batch must hold arrays of numbers, got {leaf!r:.60}")
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                array = array.astype(self.dtype)
            if not np.isfinite(array).all():
                raise ValueError(f"batch must be finite in the type of params, {self.dtype}")
        return jnp.asarray(array)

    def _precision(self) -> Any:
        """Return the context in which jax computes in the type of the parameters."""
        return jax.enable_x64(self.dtype == np.float64)

    def __repr__(self) -> str:
        samples = f"n_samples={self._count}" if self._count else f"no samples: {self._why}"
        return f"JaxProblem(dim={self.dim}, {samples}, {self.dtype})"


def _only_type(names: list[str], leaves: list[Any]) -> np.dtype:
    """Return the floating type that all leaves have."""
    if not leaves or not any(np.size(leaf) for leaf in leaves):
        raise ValueError("params hold no numbers")
    types = {name: np.asarray(leaf).dtype for name, leaf in zip(names, leaves, strict=True)}
    for name, dtype in types.items():
        if dtype not in (np.float32, np.float64):
            raise TypeError(f"params must hold float32 or float64 arrays, got {name or 'params'} of dtype {dtype}")
    if len(set(types.values())) > 1:
        raise ValueError(f"params must have one dtype, got {', '.join(f'{n}: {t}' for n, t in types.items())}")
    return next(iter(types.values()))
