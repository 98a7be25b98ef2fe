"""A torch module with a loss and data as a problem on flat vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm

from .._check import positive_int
from .flat import FlatProblem, is_mean, samples_of_every_value, some_samples
from .torch_input import DTYPES, checked_module, only_kind, refuse_ignored, samples


def from_torch(
    module: torch.nn.Module,
    loss_fn: Callable[[Any, Any], Any],
    inputs: Any,
    targets: Any,
    *,
    batch_size: int | None = None,
    device: Any = None,
) -> TorchProblem:
    """Return the loss of a torch module on data as a problem: L(w) = loss_fn(module_w(inputs), targets).

    w holds the parameters that require a gradient, one after another in the order of ``named_parameters``; frozen ones
    and buffers are those that the module has at the time of a call. The module itself is never changed: neither its
    parameters and their ``.grad``, nor buffers, mode or torch's random numbers. Its hooks run.

    Every layer is evaluated in eval mode, so that L is a function of w: no dropout. Only batch-norm layers keep the
    mode that they have when the problem is made: in training mode they use the statistics of all `inputs` at once, and
    then there are no gradients of single samples. Attention runs on torch's plain kernel, the only one with second
    derivatives.

    Args:
        module: Any module that torch.func can call; all parameters of one floating type, float32 or float64, on one
            device.
        loss_fn: (outputs, targets) -> a single number, the **mean** over samples of something of each sample alone.
        inputs: First argument of the module, shape (n, ...); tensor or array. Floating numbers are converted to the
            type of the parameters, others are left as they are.
        targets: Second argument of the loss, shape (n, ...); converted likewise.
        batch_size: Most samples to evaluate at once, to bound memory: the results stay those of all n samples. All of
            them by default.
        device: Where to compute; where the module is by default.

    Returns:
        The problem: loss, gradient, exact Hessian-vector products, and those of single samples.

    Raises:
        TypeError: If module is none, inputs or targets do not hold numbers, or the loss is not a single number.
        ValueError: If parameters or data do not fit together, data are not finite, the loss is random, does not depend
            on the parameters, or is no mean over samples.

    Example:
        >>> model = torch.nn.Linear(3, 1).double()
        >>> x = torch.eye(3, dtype=torch.float64)
        >>> from_torch(model, torch.nn.MSELoss(), x, x[:, :1])
        TorchProblem(Linear, dim=4, n_samples=3, float64)
    """
    return TorchProblem(module, loss_fn, inputs, targets, batch_size=batch_size, device=device)


class TorchProblem(FlatProblem):
    """What `from_torch` returns.

    Attributes:
        n_samples: n.
        device: Where it computes.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        loss_fn: Callable[[Any, Any], Any],
        inputs: Any,
        targets: Any,
        *,
        batch_size: int | None = None,
        device: Any = None,
    ) -> None:
        self._module = checked_module(module)
        trained = {name: p for name, p in self._module.named_parameters() if p.requires_grad}
        self._type, home = only_kind(trained)
        super().__init__(list(trained), [tuple(p.shape) for p in trained.values()], DTYPES[self._type])
        self.device = home if device is None else torch.device(device)
        self._loss_fn = loss_fn
        self._inputs = samples("inputs", inputs, self._type, self.device)
        self._targets = samples("targets", targets, self._type, self.device)
        self.n_samples = len(self._inputs)
        if len(self._targets) != self.n_samples:
            raise ValueError(f"inputs and targets must be as many, got {self.n_samples} and {len(self._targets)}")
        refuse_ignored(loss_fn, self._targets)
        self._step = self.n_samples if batch_size is None else positive_int("batch_size", batch_size)
        # Batch norm keeps its mode; without running statistics it always looks at the batch.
        norms = {name: m for name, m in self._module.named_modules() if isinstance(m, _BatchNorm)}
        self._training = {m for m in norms.values() if m.training}
        self._mixing = [name for name, m in norms.items() if m.training or m.running_mean is None]
        self._check()

    @property
    def w(self) -> np.ndarray:
        """The parameters that the module has now, shape (dim,): a copy."""
        named = dict(self._module.named_parameters())
        return torch.cat([named[name].detach().reshape(-1) for name in self.names]).cpu().numpy()

    def linearize(self, w: ArrayLike) -> Callable[[np.ndarray], np.ndarray]:
        """Return v -> ∇²L(w) v at one point, shape (dim,), with all that depends on w alone computed once.

        It keeps the graph of the gradient in memory; with a `batch_size` below n, it is `hvp`.
        """
        point = self._points("w", w)
        if self._step < self.n_samples:
            return lambda v: self.hvp(point, v)
        with self._undisturbed():
            ((leaf, gradient),) = self._graphs(point)

        def product(v: np.ndarray) -> np.ndarray:
            with self._undisturbed():
                return _numpy(_backward(gradient, leaf, self._tensor(self._points("v", v))))

        return product

    def batch_forms(self, w: np.ndarray, samples: np.ndarray) -> tuple[float, float]:
        """Return g_Bᵀ H_B g_B and ‖g_B‖² of the batch of these samples, shape (b,), from one product.

        A batch is run as in training: batch norm in training mode uses the statistics of the batch.
        """
        index = torch.as_tensor(samples, device=self.device)
        with self._undisturbed():
            leaf = self._tensor(w).requires_grad_()
            gradient = _gradient(self._value(leaf, self._inputs[index], self._targets[index]), leaf)
            product = _backward(gradient, leaf, gradient.detach())
        g, product = (_numpy(x).astype(np.float64) for x in (gradient, product))
        return float(g @ product), float(g @ g)

    def _check(self) -> None:
        """Raise unless the loss is a single number, a function of w alone, and a mean over samples."""
        if self._mixing and self._step < self.n_samples:
            raise ValueError(
                f"batch_size={self._step} would change the loss: {self._mixing[0]!r} uses the statistics of all "
                "samples at once; leave batch_size out, or call module.eval() before"
            )
        with self._undisturbed():
            some = list(range(self.n_samples)) if self._mixing else self._checked_samples()
            value = self._value(self._tensor(self.w).requires_grad_(), self._inputs[some], self._targets[some])
            if not value.requires_grad:
                raise ValueError("the loss does not depend on the parameters of module by a chain of torch operations")
        if not np.isfinite(self.w).all():
            return  # every loss is NaN, which says nothing
        first, again = self._losses(self.w, [some, some])
        if not (np.isnan([first, again]).all() or is_mean(first, [again], self.dtype)):
            raise ValueError(
                "the loss is random: two evaluations in eval mode differ; module must not draw random numbers there"
            )
        if self._mixing:
            return
        here = self.w
        for w in (here, self._nearby()):  # where the loss is zero, its sum is its mean
            together, *singles = self._losses(w, [some, *([i] for i in some)])
            beyond = w is not here and not np.isfinite([together, *singles]).all()  # out of the domain of the loss
            if not beyond and not is_mean(together, singles, self.dtype):
                raise ValueError(
                    f"loss_fn must be the mean over samples: it is {together:.6g} for {len(some)} samples together, "
                    f"and {np.mean(singles):.6g} on average for each alone; use reduction='mean' (divide sums by the "
                    "number of samples), without class weights or ignored targets"
                )

    def _losses(self, w: np.ndarray, parts: list[list[int]]) -> list[float]:
        """Return the losses of some samples each."""
        with self._undisturbed(), torch.no_grad():
            flat = self._tensor(w)
            return [self._value(flat, self._inputs[part], self._targets[part]).item() for part in parts]

    def _checked_samples(self) -> list[int]:
        """Return the samples that tell whether the loss is a mean over samples."""
        return sorted({*some_samples(self.n_samples), *samples_of_every_value(self._targets.cpu().numpy())})

    def _nearby(self) -> np.ndarray:
        """Return parameters near those of the module."""
        w = self.w.astype(np.float64)
        with np.errstate(all="ignore"):
            size = float(np.sqrt(np.mean(np.square(w)))) or 1.0
            return w + 0.01 * size * np.random.default_rng(0).standard_normal(self.dim)

    def _samples(self) -> int:
        if self._mixing:
            raise ValueError(
                f"no gradients of single samples: {self._mixing[0]!r} uses the statistics of the batch; call "
                "module.eval() before making the problem, or use a norm of single samples (GroupNorm, LayerNorm)"
            )
        return self.n_samples

    def _at_once(self) -> int:
        return self._step

    def _loss(self, w: np.ndarray) -> float:
        with self._undisturbed(), torch.no_grad():
            flat = self._tensor(w)
            return float(sum(share * self._value(flat, x, y) for x, y, share in self._chunks()))

    def _grad(self, w: np.ndarray) -> np.ndarray:
        with self._undisturbed():
            leaf = self._tensor(w).requires_grad_()
            parts = (_gradient(share * self._value(leaf, x, y), leaf, keep=False) for x, y, share in self._chunks())
            return _numpy(sum(parts))

    def _products(self, w: np.ndarray, rows: np.ndarray) -> np.ndarray:
        with self._undisturbed():
            out = torch.zeros(rows.shape, dtype=self._type, device=self.device)
            vectors = self._tensor(rows)
            for leaf, gradient in self._graphs(w):
                for total, vector in zip(out, vectors, strict=True):
                    total += _backward(gradient, leaf, vector)
            return _numpy(out)

    def _sample_gradients(self, w: np.ndarray, samples: slice) -> np.ndarray:
        with self._undisturbed():
            gradients = vmap(grad(self._single), (None, 0, 0))
            return _numpy(gradients(self._tensor(w), self._inputs[samples], self._targets[samples]))

    def _sample_products(self, w: np.ndarray, vectors: np.ndarray, samples: slice) -> np.ndarray:
        def product(flat: Any, x: Any, y: Any, v: Any) -> Any:
            return grad(lambda at: grad(self._single)(at, x, y) @ v)(flat)

        with self._undisturbed():
            data = self._inputs[samples], self._targets[samples]
            return _numpy(vmap(product, (None, 0, 0, 0))(self._tensor(w), *data, self._tensor(vectors)))

    def _single(self, flat: Any, x: Any, y: Any) -> Any:
        return self._value(flat, x[None], y[None])

    def _value(self, flat: Any, x: Any, y: Any) -> Any:
        """Return the loss of samples at flat parameters."""
        pieces = zip(self.names, self.layers, flat.split(self.sizes), strict=True)
        state = {name: piece.view(shape) for name, shape, piece in pieces}
        for name, frozen in self._module.named_parameters():
            if name not in state:
                state[name] = frozen.detach().to(self.device)
        for name, buffer in self._module.named_buffers():
            state[name] = buffer.detach().to(self.device, copy=True)  # batch norm writes into its buffers
        value = self._loss_fn(functional_call(self._module, state, (x,)), y)
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            got = f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)
            raise TypeError(f"loss_fn must return a single number as a tensor, got {got}; use reduction='mean'")
        return value.reshape(())

    def _chunks(self) -> Iterator[tuple[Any, Any, float]]:
        for x, y in zip(self._inputs.split(self._step), self._targets.split(self._step), strict=True):
            yield x, y, len(x) / self.n_samples

    def _graphs(self, w: np.ndarray) -> Iterator[tuple[Any, Any]]:
        """Yield w and the gradient of each chunk as a function of it."""
        for x, y, share in self._chunks():
            leaf = self._tensor(w).requires_grad_()
            yield leaf, _gradient(share * self._value(leaf, x, y), leaf)

    def _tensor(self, array: np.ndarray) -> Any:
        return torch.tensor(array, dtype=self._type, device=self.device)

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Run torch code so that no trace of it is left, whatever mode the caller is in."""
        modes = [(layer, layer.training) for layer in self._module.modules()]
        other = [] if self.device.type == "cpu" else [self.device]
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng(other, device_type=other[0].type if other else "cuda"))
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            stack.enter_context(torch.autocast(self.device.type, enabled=False))
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            try:
                for layer, _ in modes:
                    layer.training = layer in self._training
                yield
            finally:
                for layer, mode in modes:
                    layer.training = mode

    def __repr__(self) -> str:
        kind = type(self._module).__name__
        return f"TorchProblem({kind}, dim={self.dim}, n_samples={self.n_samples}, {self.dtype})"


def _gradient(value: Any, leaf: Any, *, keep: bool = True) -> Any:
    """Return the gradient, as a function of the leaf if its graph is kept."""
    return torch.autograd.grad(value, leaf, create_graph=keep, materialize_grads=True)[0]


def _backward(gradient: Any, leaf: Any, vector: Any) -> Any:
    """Return the derivative of gradient · vector; zero where the gradient is constant."""
    if not gradient.requires_grad:
        return torch.zeros_like(leaf)
    return torch.autograd.grad(gradient, leaf, vector, retain_graph=True, materialize_grads=True)[0]


def _numpy(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()
