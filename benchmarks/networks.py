"""Networks against jax inside a scan and torch eager: loss with gradient, and Hessian products."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.harness import Row, alternate, median, ratio
from eossim.networks import MLP

#: Sizes, samples, most that ours may take over jax, least that torch may take over ours.
CASES = (((10, 32, 32, 1), 200, 1.0, 3.0), ((10, 128, 128, 1), 1000, 1.3, None))


def networks(quick: bool) -> Iterator[Row]:
    """Every library does the same in turn: steps of GD, and power iteration at a fixed point."""
    for sizes, n, over_jax, over_torch in CASES:
        rng = np.random.default_rng(0)
        X, y = rng.standard_normal((n, sizes[0])), rng.standard_normal((n, sizes[-1]))
        problem = MLP(sizes, "tanh", "mse", X, y)
        w, v = problem.initial(), rng.standard_normal(problem.dim)
        steps = (100 if quick else 400) * 200 // n
        rivals = {"jax": _jax, "torch": _torch}
        libraries = {"eossim": _ours(problem, w, v, steps)}
        for name, build in rivals.items():
            if importlib.util.find_spec(name):
                libraries[name] = build(problem, X, y, w, v, steps)
        for task, what in enumerate(("loss and gradient", "Hessian product")):
            calls = {name: pair[task] for name, pair in libraries.items()}
            results = [np.asarray(call()) for call in calls.values()]
            assert all(np.allclose(results[0], r, rtol=1e-6) for r in results), "they do not do the same"
            found = alternate(calls, 5 if quick else 15)
            ours = median(found["eossim"], "wall") / steps
            title = f"{what}, {'-'.join(map(str, sizes))}, n = {n}"
            for name in calls.keys() - {"eossim"}:
                theirs = median(found[name], "wall") / steps
                detail = f"{ours * 1e6:.0f} us against {theirs * 1e6:.0f} us elapsed; processor time "
                if name == "jax":
                    detail += f"{ratio(found['eossim'], found['jax'], 'cpu'):.2f} x"
                    value = ratio(found["eossim"], found["jax"], "wall")
                    yield Row(f"{title}, over jax", value, "x", over_jax, at_most=True, detail=detail)
                else:
                    detail += f"{ratio(found[name], found['eossim'], 'cpu'):.1f} x"
                    value = ratio(found[name], found["eossim"], "wall")
                    yield Row(f"{title}, torch over ours", value, "x", over_torch, detail=detail)


def _ours(problem: MLP, w: np.ndarray, v: np.ndarray, steps: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    def descend() -> np.ndarray:
        point = w
        for _ in range(steps):
            _, g = problem.loss_and_grad(point)
            point = point - 1e-3 * g
        return point

    def iterate() -> np.ndarray:
        vector, product = v, problem.linearize(w).hvp
        for _ in range(steps):
            vector = product(vector)
            size = np.sqrt(np.square(vector).sum())  # not by BLAS, whose threads wait for each other on a busy machine
            vector = vector / size
        return size

    return descend, iterate


def _jax(
    problem: MLP, X: np.ndarray, y: np.ndarray, w: np.ndarray, v: np.ndarray, steps: int
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    inputs, targets, shapes = jnp.asarray(X), jnp.asarray(y), list(pairwise(problem.sizes))

    def loss(blocks: list[Any]) -> Any:
        h = inputs
        for k in range(len(shapes)):
            h = h @ blocks[2 * k] + blocks[2 * k + 1]
            h = jnp.tanh(h) if k < len(shapes) - 1 else h
        return 0.5 * jnp.sum((h - targets) ** 2) / len(X)

    @jax.jit
    def descend(blocks: list[Any]) -> Any:
        def step(point: list[Any], _: None) -> tuple[list[Any], Any]:
            value, g = jax.value_and_grad(loss)(point)
            return [a - 1e-3 * b for a, b in zip(point, g, strict=True)], value

        return jax.lax.scan(step, blocks, None, length=steps)

    @jax.jit
    def iterate(blocks: list[Any], vector: list[Any]) -> Any:
        def step(vector: list[Any], _: None) -> tuple[list[Any], Any]:
            product = jax.jvp(jax.grad(loss), (blocks,), (vector,))[1]
            size = jnp.sqrt(sum((a * a).sum() for a in product))
            return [a / size for a in product], size

        return jax.lax.scan(step, vector, None, length=steps)

    start, direction = ([jnp.asarray(b) for b in problem.unflatten(a)] for a in (w, v))
    return (
        lambda: np.concatenate([np.ravel(b) for b in jax.block_until_ready(descend(start))[0]]),
        lambda: jax.block_until_ready(iterate(start, direction))[1][-1],
    )


def _torch(
    problem: MLP, X: np.ndarray, y: np.ndarray, w: np.ndarray, v: np.ndarray, steps: int
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import torch

    inputs, targets, layers = torch.tensor(X), torch.tensor(y), len(problem.sizes) - 1

    def loss(blocks: list[Any]) -> Any:
        h = inputs
        for k in range(layers):
            h = torch.addmm(blocks[2 * k + 1], h, blocks[2 * k])
            h = torch.tanh(h) if k < layers - 1 else h
        return 0.5 * ((h - targets) ** 2).sum() / len(X)

    def blocks(a: np.ndarray) -> list[Any]:
        return [torch.tensor(b) for b in problem.unflatten(a)]

    def descend() -> np.ndarray:
        point = [b.requires_grad_() for b in blocks(w)]
        for _ in range(steps):
            gradient = torch.autograd.grad(loss(point), point)
            with torch.no_grad():
                for b, g in zip(point, gradient, strict=True):
                    b -= 1e-3 * g
        return np.concatenate([b.detach().numpy().ravel() for b in point])

    def iterate() -> float:
        point, vector = [b.requires_grad_() for b in blocks(w)], blocks(v)
        gradient = torch.autograd.grad(loss(point), point, create_graph=True)  # once, like our linearisation
        for _ in range(steps):
            product = torch.autograd.grad(gradient, point, vector, retain_graph=True)
            size = torch.sqrt(sum((a * a).sum() for a in product))
            vector = [a / size for a in product]
        return size.item()

    return partial(descend), partial(iterate)
