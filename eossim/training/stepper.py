"""One step of a run, whatever the method: a state goes in, the next one comes out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from ..engine.adaptive import NEED_HVP, AdaptiveDescent
from ..engine.directions import directions
from ..engine.method import Method
from ..engine.sampling import Minibatch
from ..engine.steepest import SteepestDescent
from ..engine.views import OneByOne
from .gradients import BatchGradients, FullGradients, Gradients, NoisyGradients, State
from .moments import Moments
from .oracle import Oracle


class Stepper(Protocol):
    """A method on a problem, for one run.

    A state is a dict of arrays and integers and all there is to know for going on: ``w`` (the parameters), ``t`` (steps
    done), what the method remembers (``m``, ``v``, ...), and where random numbers stand (``rng``, ``order``,
    ``position``). Arrays of a state are never written to.
    """

    def start(self, w: np.ndarray, stream: list[int]) -> State:
        """Return the state at t = 0; `stream` seeds ``numpy.random.default_rng`` for all that is random."""

    def step(self, state: State) -> State:
        """Return the state after one step."""


class RuleStepper:
    """A rule by its NumPy step, with gradients from wherever they come.

    Args:
        oracle: The problem.
        method: The rule, bound to single values.
        gradients: Where gradients come from.

    Raises:
        ValueError: for an implicit or preconditioned rule.
    """

    def __init__(self, oracle: Oracle, method: Method, gradients: Gradients) -> None:
        kernel = method.rule.kernel
        if kernel.MODEWISE or kernel.PRECONDITIONED or method.preconditioner is not None:
            raise ValueError(
                f"{method.rule.name} {'is implicit' if kernel.MODEWISE else 'is preconditioned'}: it is for "
                "quadratics, with simulate; adam and rmsprop with running moments are training.adam, training.rmsprop"
            )
        self._kernel, self._gradients = kernel, gradients
        self._hyper = {name: float(value.item()) for name, value in method.values.items()}

    def start(self, w: np.ndarray, stream: list[int]) -> State:
        """Return the state at t = 0; buffers start at zero, delayed iterates at w."""
        kernel = self._kernel
        own = {n: w if iterate else np.zeros_like(w) for n, iterate in zip(kernel.STATE, kernel.ITERATES, strict=True)}
        return {"t": 0, **own, **self._gradients.start(stream)}

    def step(self, state: State) -> State:
        """Return the state after one step."""
        new, kernel = dict(state), self._kernel
        gradient = self._gradients.draw(new)
        values = kernel.step(*[state[n] for n in kernel.STATE], grad=gradient, norm=_length, **self._hyper)
        new.update(zip(kernel.STATE, values, strict=True))
        new["t"] += 1
        return new


class SteepestStepper:
    """Steepest descent in a norm.

    Args:
        oracle: The problem.
        method: The method, with a single step size.
    """

    def __init__(self, oracle: Oracle, method: SteepestDescent) -> None:
        method.norm.check_dim(oracle.dim)
        self._oracle, self._norm = oracle, method.norm
        self._eta, self._normalized = float(method.eta.item()), method.normalized

    def start(self, w: np.ndarray, stream: list[int]) -> State:
        """Return the state at t = 0."""
        return {"t": 0, "w": w}

    def step(self, state: State) -> State:
        """Return the state after one step."""
        w = state["w"]
        dual, direction = directions(self._norm, self._oracle.grad(w))
        length = self._eta if self._normalized else self._eta * float(dual)
        return {"t": state["t"] + 1, "w": w - (length * direction).astype(w.dtype, copy=False)}


class AdaptiveStepper:
    """Gradient descent with a step size of its own making.

    Args:
        oracle: The problem.
        method: The method, bound to single values.

    Raises:
        TypeError: If the step size needs Hessian-vector products and the problem has none.
    """

    def __init__(self, oracle: Oracle, method: AdaptiveDescent) -> None:
        if method.name in NEED_HVP and not hasattr(oracle.problem, "hvp"):
            raise TypeError(f"the step size {method.name} needs a problem with hvp(w, v), got {oracle.problem!r}")
        self._oracle, self._method, self._view = oracle, method, OneByOne(oracle.problem)

    def start(self, w: np.ndarray, stream: list[int]) -> State:
        """Return the state at t = 0."""
        return {"t": 0, "w": w}

    def step(self, state: State) -> State:
        """Return the state after one step."""
        w = state["w"]
        g = self._oracle.grad(w)
        eta = self._method.step_size(self._view, w[None], g[None])[0]
        return {"t": state["t"] + 1, "w": w - w.dtype.type(eta) * g}


class MomentsStepper:
    """Adam or RMSProp with running moments.

    Args:
        oracle: The problem.
        method: The method, bound to single values.
    """

    def __init__(self, oracle: Oracle, method: Moments) -> None:
        self._oracle, self._method = oracle, method

    def start(self, w: np.ndarray, stream: list[int]) -> State:
        """Return the state at t = 0."""
        return {"t": 0, "w": w, **self._method.start(w)}

    def step(self, state: State) -> State:
        """Return the state after one step."""
        update, moments = self._method.update(state, self._oracle.grad(state["w"]))
        return {"t": state["t"] + 1, "w": state["w"] - update, **moments}


def make_stepper(oracle: Oracle, method: Any) -> Stepper:
    """Return what steps a method of any kind, bound to single values (see `single`).

    Raises:
        TypeError: for what is no method, or mini-batches of a problem without samples.
        ValueError: for a method that cannot run on the problem.
    """
    if isinstance(method, Method):
        return RuleStepper(oracle, method, FullGradients(oracle))
    if isinstance(method, Minibatch):
        samples = oracle.samples
        if samples is None:
            raise TypeError(
                "mini-batches need a problem with n_samples and grad(w, batch=indices) or sample_gradients(w), "
                f"got {oracle.problem!r}"
            )
        if method.label_noise:
            raise ValueError("label noise is for regression with simulate, not for train; leave label_noise out")
        kind = BatchGradients if method.noise == "batch" else NoisyGradients
        if kind is NoisyGradients and not hasattr(oracle.problem, "sample_gradients"):
            raise TypeError(f"{method.noise} noise needs a problem with sample_gradients(w), got {oracle.problem!r}")
        return RuleStepper(oracle, method.method, kind(oracle, method, samples))
    if isinstance(method, SteepestDescent):
        return SteepestStepper(oracle, method)
    if isinstance(method, AdaptiveDescent):
        return AdaptiveStepper(oracle, method)
    if isinstance(method, Moments):
        return MomentsStepper(oracle, method)
    raise TypeError(
        "method must be a rule with bound hyper-parameters, such as gd(eta=0.1), or a method such as "
        f"sgd(eta=0.1, batch_size=8) or adam(eta=0.001), got {method!r}"
    )


def hyper_parameters(method: Any) -> dict[str, np.ndarray]:
    """Return the hyper-parameters of a method by name, each of shape () or (runs,)."""
    return dict(method.method.values if isinstance(method, Minibatch) else method.values)


def single(method: Any, run: int) -> Any:
    """Return a method with the hyper-parameters of one run."""
    if isinstance(method, Minibatch):
        return replace(method, method=single(method.method, run))
    if isinstance(method, SteepestDescent):
        return replace(method, eta=_of_run(method.eta, run))
    return replace(method, values={n: _of_run(v, run) for n, v in method.values.items()})


def _of_run(values: np.ndarray, run: int) -> np.ndarray:
    return values if values.size == 1 else np.asarray(values[run])


def _length(v: np.ndarray) -> Any:
    return v.dtype.type(math.sqrt(v.dot(v)))
