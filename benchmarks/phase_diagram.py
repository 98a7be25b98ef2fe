"""One cell of the phase diagram of networks against torch and jax: all c, loss and sharpness at every step.

The others do what a careful user would: all c of a block are one batch of networks, a block without a divergence is
followed by the next, the linearisation of a point is made once, and Lanczos with full reorthogonalisation takes 30
products at the start and 8 at every other point, from the last eigenvector. Ours takes as many products as its
tolerance needs, about six on average, warm from the neighbour in c: part of the ratio is the algorithm. How far
the sharpness of each is from eigenvalues to double precision is in the detail of a row.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from benchmarks.harness import Row, alternate, median, ratio
from eossim.early_training.constants import critical_constants
from eossim.early_training.digits import relu_network, standardized_samples, torch_start
from eossim.early_training.network_cell import network_cell
from eossim.networks import MLP

DEPTH, WIDTHS, SEED = 4, (32, 64, 128), 0
STEPS, BOUND, RISE = 10, 1e5, 0.002
#: Products of Lanczos at the start and at every other point, and networks in a batch.
COLD, WARM, BLOCK = 30, 8, 8
C = 2.0 ** (0.1 * np.arange(71))

#: Loss and sharpness at every step, shape (c, step), of as many c as were run.
Found = tuple[np.ndarray, np.ndarray]


def phase_diagram(quick: bool) -> Iterator[Row]:
    """Every library sweeps the same cell in turn."""
    for width in WIDTHS[: 2 if quick else None]:
        problem = relu_network(DEPTH, width, *standardized_samples())
        libraries: dict[str, Callable[[], Found]] = {"eossim": lambda width=width: _ours(DEPTH, width)}
        for name, build in (("torch", _torch), ("jax", _jax)):
            if importlib.util.find_spec(name):
                libraries[name] = build(problem, torch_start(problem, SEED))
        results = {name: call() for name, call in libraries.items()}
        constants = {name: _constants(*each) for name, each in results.items()}
        assert all(np.allclose(constants["eossim"], theirs, atol=0.11, equal_nan=True) for theirs in constants.values())
        off = _errors(problem, torch_start(problem, SEED), results)
        found = alternate(libraries, 3)
        for name in libraries.keys() - {"eossim"}:
            detail = f"{median(found['eossim'], 'wall'):.2f} s against {median(found[name], 'wall'):.2f} s elapsed; "
            detail += f"processor time {ratio(found[name], found['eossim'], 'cpu'):.1f} x"
            detail += f"; sharpness off by {off['eossim']:.0e} against {off[name]:.0e} at most"
            title = f"phase diagram, depth {DEPTH}, width {width}, all c, {name} over ours"
            yield Row(title, ratio(found[name], found["eossim"], "wall"), "x", 3.0, detail=detail)


def _ours(depth: int, width: int) -> Found:
    cell = network_cell(depth, width, SEED, c=C, barrier=False, refine=False)
    return cell.loss.values, cell.sharpness.values


def _constants(loss: np.ndarray, sharpness: np.ndarray) -> np.ndarray:
    """Return log2 of c_loss, c_sharp and c_max."""
    found = critical_constants(C[: len(loss)], loss, sharpness, sharpness_rise=RISE)
    return np.log2([found.c_loss, found.c_sharp, found.c_max])


def _errors(problem: MLP, w0: np.ndarray, results: dict[str, Found]) -> dict[str, float]:
    """Return the largest relative error of each sharpness, against eigenvalues to double precision at some points.

    Points at which a run has gone elsewhere, by the loss, do not count.
    """
    sizes, X, Y = problem.sizes, problem._inputs, problem._targets
    exact = MLP(sizes, "relu", "mse", X.astype(float), Y.astype(float), bias=False, reduction="mean")
    worst, unit = dict.fromkeys(results, 0.0), results["eossim"][1][0, 0]
    for k in range(0, min(len(loss) for loss, _ in results.values()) - 1, 8):
        w = w0.astype(float)
        for t in range(STEPS + 1):
            at = exact.linearize(w)
            if t in (0, 1, 2, 5, STEPS):
                top = eigsh(LinearOperator((w.size, w.size), at.hvp), k=1, which="LA", v0=w, return_eigenvectors=False)[
                    0
                ]
                for name, (loss, sharpness) in results.items():
                    if np.isclose(loss[k, t], at.loss, rtol=1e-3):
                        worst[name] = max(worst[name], abs(float(sharpness[k, t]) / top - 1))
            w = w - C[k] / unit * at.grad
    return worst


def _in_blocks(block: Callable[[np.ndarray], Found]) -> Found:
    """Return what blocks of growing c give, up to the first in which a run diverges."""
    parts = []
    for first in range(0, len(C), BLOCK):
        c = C[first : first + BLOCK]
        full = np.concatenate([c, np.full(BLOCK - len(c), c[-1])])  # one shape, compiled once
        parts.append(tuple(a[: len(c)] for a in block(full)))
        if not (parts[-1][0] <= BOUND).all():
            break
    loss, sharpness = (np.concatenate(a) for a in zip(*parts, strict=True))
    lost = ~(loss <= BOUND)
    return np.where(lost, np.inf, loss), np.where(lost | ~np.isfinite(sharpness), np.inf, sharpness)


def _torch(problem: MLP, w0: np.ndarray) -> Callable[[], Found]:
    import torch

    X, Y = torch.tensor(problem._inputs), torch.tensor(problem._targets)
    shapes = [tuple(shape) for shape in problem.layers]
    sizes = [n * m for n, m in shapes]

    def loss(blocks: list[Any]) -> Any:
        h = torch.matmul(X, blocks[0])
        for block in blocks[1:]:
            h = torch.bmm(torch.relu(h), block)
        return 0.5 * ((h - Y) ** 2).mean(dim=(1, 2))

    def split(flat: Any) -> list[Any]:
        return [part.reshape(len(flat), *shape) for part, shape in zip(flat.split(sizes, 1), shapes, strict=True)]

    def flat(blocks: Any) -> Any:
        return torch.cat([block.reshape(len(block), -1) for block in blocks], 1)

    def point(w: Any) -> tuple[Any, Any, Callable[[Any], Any]]:
        blocks = [block.detach().requires_grad_() for block in split(w)]
        losses = loss(blocks)
        gradient = torch.autograd.grad(losses.sum(), blocks, create_graph=True)

        def product(v: Any) -> Any:
            return flat(torch.autograd.grad(gradient, blocks, split(v), retain_graph=True))

        return losses.detach(), flat(gradient).detach(), product

    def lanczos(product: Callable[[Any], Any], v: Any, count: int) -> tuple[Any, Any]:
        v = v / v.norm(dim=1, keepdim=True)
        basis, T = torch.empty(len(v), count, v.shape[1]), torch.zeros(len(v), count, count)
        for k in range(count):
            basis[:, k] = v
            image = product(v)
            T[:, k, k] = (image * v).sum(1)
            for _ in range(2):
                seen = basis[:, : k + 1]
                image = image - torch.bmm(torch.bmm(seen, image[:, :, None]).transpose(1, 2), seen)[:, 0]
            length = image.norm(dim=1)
            if k + 1 < count:
                T[:, k, k + 1] = T[:, k + 1, k] = length
            v = image / length.clamp_min(1e-30)[:, None]
        T = torch.where(torch.isfinite(T).all(dim=(1, 2), keepdim=True), T, torch.zeros(()))
        values, vectors = torch.linalg.eigh(T)
        return values[:, -1], torch.bmm(vectors[:, None, :, -1], basis)[:, 0]

    start = torch.tensor(w0)[None]
    noise = torch.tensor(np.random.default_rng(0).standard_normal(w0.shape).astype(np.float32))[None]

    def sweep() -> Found:
        loss0, _, product = point(start)
        sharpness0, vector0 = lanczos(product, noise, COLD)

        def block(c: np.ndarray) -> Found:
            eta = torch.tensor(c, dtype=torch.float32)[:, None] / sharpness0
            w, vector = start.repeat(len(c), 1), vector0.repeat(len(c), 1)
            L, S = [loss0.repeat(len(c))], [sharpness0.repeat(len(c))]
            _, gradient, _ = point(w)
            for _ in range(STEPS):
                w = w - eta * gradient
                losses, gradient, product = point(w)
                if not (losses <= BOUND).any():  # nobody is left
                    losses = losses + torch.inf
                    L, S = L + [losses] * (STEPS + 1 - len(L)), S + [losses] * (STEPS + 1 - len(S))
                    break
                sharpness, vector = lanczos(product, vector, WARM)
                L.append(losses)
                S.append(sharpness)
            return torch.stack(L, 1).numpy(), torch.stack(S, 1).numpy()

        return _in_blocks(block)

    return sweep


def _jax(problem: MLP, w0: np.ndarray) -> Callable[[], Found]:
    import jax
    import jax.numpy as jnp

    X, Y, shapes = jnp.asarray(problem._inputs), jnp.asarray(problem._targets), list(pairwise(problem.sizes))
    ends = np.cumsum([n * m for n, m in shapes])[:-1]

    def loss(w: Any) -> Any:
        h = X
        for k, (part, shape) in enumerate(zip(jnp.split(w, ends), shapes, strict=True)):
            h = (jax.nn.relu(h) if k else h) @ part.reshape(shape)
        return 0.5 * jnp.mean((h - Y) ** 2)

    def lanczos(product: Callable[[Any], Any], v: Any, count: int) -> tuple[Any, Any]:
        def step(k: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
            v, basis, alpha, beta = state
            basis = basis.at[k].set(v)
            image = product(v)
            alpha = alpha.at[k].set(image @ v)
            for _ in range(2):
                image = image - (basis @ image) @ basis
            length = jnp.linalg.norm(image)
            return image / jnp.maximum(length, 1e-30), basis, alpha, beta.at[k].set(length)

        zero = jnp.zeros(count, jnp.float32)
        state = v / jnp.maximum(jnp.linalg.norm(v), 1e-30), jnp.zeros((count, v.size), jnp.float32), zero, zero
        _, basis, alpha, beta = jax.lax.fori_loop(0, count, step, state)
        values, vectors = jnp.linalg.eigh(jnp.diag(alpha) + jnp.diag(beta[:-1], 1) + jnp.diag(beta[:-1], -1))
        return values[-1], vectors[:, -1] @ basis

    def measured(w: Any, v: Any, count: int) -> tuple[Any, ...]:
        gradient, product = jax.linearize(jax.grad(loss), w)
        return loss(w), gradient, *lanczos(product, v, count)

    first = jax.jit(lambda w, v: measured(w, v, COLD))

    @jax.jit
    def block(eta: Any, w: Any, start: tuple[Any, ...]) -> tuple[Any, Any]:
        def one(eta: Any) -> tuple[Any, Any]:
            def step(state: tuple[Any, ...], _: None) -> tuple[Any, Any]:
                w, gradient, vector = state
                w = w - eta * gradient
                value, gradient, sharpness, vector = measured(w, vector, WARM)
                return (w, gradient, vector), (value, sharpness)

            value, gradient, sharpness, vector = start
            _, (L, S) = jax.lax.scan(step, (w, gradient, vector), None, length=STEPS)
            return jnp.concatenate([value[None], L]), jnp.concatenate([sharpness[None], S])

        return jax.vmap(one)(eta)

    start = jnp.asarray(w0)
    noise = jnp.asarray(np.random.default_rng(0).standard_normal(w0.shape).astype(np.float32))

    def sweep() -> Found:
        found = first(start, noise)
        return _in_blocks(
            lambda c: tuple(np.asarray(a) for a in block(jnp.asarray(c / float(found[2]), jnp.float32), start, found))
        )

    return sweep
