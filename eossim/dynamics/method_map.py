"""A method on a problem as a dynamical system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import real_array
from .._rule import Family, Rule
from ..engine.method import check_preconditioner
from ..engine.reference import sequential_norm
from ..engine.views import OneByOne, is_quadratic
from ..symbolic.lowering import GRADIENT, NORM
from ..symbolic.vocabulary import h as curvature_symbol
from ._dual import Dual, evaluate, length


class MethodMap:
    """One step of a rule on a problem as a map of the iterate and the rule's memory; made by `method_map`.

    A state is the iterate followed by the rule's other variables, shape (..., dim); buffers such as a momentum start at
    zero, delayed iterates at w0 (`start`).

    Attributes:
        rule: The rule.
        problem: The problem.
        dim: Number of state variables, problem.dim times the variables of the rule.
        parameters: Hyper-parameters of the rule.
        intervals: Where they may lie.
        states: Names of the state variables, such as ``w_1, w_2, m_1, m_2``.
        name: Rule and problem in words.
    """

    def __init__(self, rule: Rule, problem: Any, preconditioner: np.ndarray | None) -> None:
        self.rule, self.problem, self.preconditioner = rule, problem, preconditioner
        kernel = rule.kernel
        self.dim = problem.dim * len(kernel.STATE)
        self.parameters, self.intervals = rule.hyper, rule.domain
        numbers = [""] if problem.dim == 1 else [f"_{i}" for i in range(1, problem.dim + 1)]
        self.states = tuple(f"{s}{n}" for s in kernel.STATE for n in numbers)
        self.name = f"{rule.name} on {problem!r}"
        self._view = OneByOne(problem)
        self._axes = np.asarray(problem.eigenvectors) if kernel.MODEWISE else None

    def start(self, w0: ArrayLike) -> np.ndarray:
        """Return the states, shape (..., dim), in which a run from iterates w0, shape (..., problem.dim), begins."""
        w = real_array("w0", w0, dtype=np.float64)
        if w.ndim == 0 or w.shape[-1] != self.problem.dim:
            raise ValueError(f"w0 must have shape (..., {self.problem.dim}), got {w.shape}")
        return np.concatenate([w if copy else np.zeros_like(w) for copy in self.rule.kernel.ITERATES], axis=-1)

    def step(self, x: ArrayLike, **parameters: Any) -> np.ndarray:
        """Return the states after one step, shape (..., dim); hyper-parameters broadcast over (...)."""
        blocks, hyper, lead = self._enter(x, parameters)
        kernel = self.rule.kernel
        if self._axes is not None:
            hyper = hyper | {"h": np.asarray(self.problem.eigenvalues)[:, None]}
        shift = hyper.get(kernel.SHIFT)

        def gradient(w: np.ndarray) -> np.ndarray:
            return self._conditioned(self._view.grad(np.ascontiguousarray(w.T)).T, w, shift)

        with np.errstate(all="ignore"):
            following = kernel.step(*blocks, grad=gradient, norm=sequential_norm, **hyper)
        return self._leave([np.broadcast_to(v, blocks[0].shape) for v in following], lead)

    @property
    def jacobian_at(self) -> Callable[..., np.ndarray]:
        """Function ``(x, **parameters)`` → ∂step_i/∂x_j, shape (..., dim, dim), at states x, shape (..., dim).

        Forward mode with the problem's ``hvp``. Where a norm vanishes it counts as constant, and at the kink of a
        minimum the derivative is that of one side.

        Raises:
            AttributeError: if the problem has no ``hvp`` (so that ``hasattr`` tells).
        """
        if not hasattr(self._view, "hvp"):
            raise AttributeError(
                f"the Jacobian of a step needs problem.hvp(w, v), which {self.problem!r} does not have"
            )
        return self._jacobian_at

    def _jacobian_at(self, x: ArrayLike, **parameters: Any) -> np.ndarray:
        blocks, hyper, lead = self._enter(x, parameters)
        program, runs, size = self.rule.program, blocks[0].shape[1], self.problem.dim
        known: dict[Any, Dual] = {s: (np.asarray(float(v.evalf(30))), None) for s, v in program.constants.items()}
        known |= {s: (hyper[str(s)], None) for s in program.run_symbols if str(s) in hyper}
        if self._axes is not None:
            known[curvature_symbol] = (np.asarray(self.problem.eigenvalues)[:, None], None)
        for k, (symbol, block) in enumerate(zip(program.states, blocks, strict=True)):
            seed = np.zeros((size, runs, self.dim))
            seed[np.arange(size), :, k * size + np.arange(size)] = 1
            known[symbol] = block, seed
        norms = frozenset(op.target for op in program.ops if op.kind == NORM)
        shift = hyper.get(program.shift)
        with np.errstate(all="ignore"):
            for op in program.ops:
                if op.kind == GRADIENT:
                    known[op.target] = self._gradient(known[op.value], shift)
                elif op.kind == NORM:
                    known[op.target] = length(known[op.value])
                else:
                    known[op.target] = evaluate(op.value, known, norms)
            results = [evaluate(r, known, norms) for r in program.results]
        shape = (size, runs, self.dim)
        tangents = [np.zeros(shape) if t is None else np.broadcast_to(t, shape) for _, t in results]
        jacobian = np.concatenate([np.swapaxes(t, 0, 1) for t in tangents], axis=1)
        if self._axes is not None:
            turn = np.kron(np.eye(len(blocks)), self._axes)
            jacobian = turn @ jacobian @ turn.T
        return jacobian.reshape(*lead, self.dim, self.dim)

    def _gradient(self, point: Dual, shift: Any) -> Dual:
        """Return the gradient at a point, shape (size, runs), and its tangents H t."""
        w, tangent = point
        columns = np.ascontiguousarray(w.T)
        value = self._conditioned(self._view.grad(columns).T, w, shift)
        if tangent is None:
            return value, None
        product = self._view.hvp(columns[:, None, :], np.moveaxis(tangent, 0, -1))
        return value, self._conditioned(np.moveaxis(product, -1, 0), tangent, shift)

    def _conditioned(self, gradient: np.ndarray, point: np.ndarray, shift: Any) -> np.ndarray:
        """Return P^-1 (gradient + shift point), coordinates first; the gradient itself of a plain rule."""
        P = self.preconditioner
        if P is None:
            return gradient
        if shift is not None:
            gradient = gradient + shift.reshape(-1, *[1] * (gradient.ndim - 2)) * point
        if P.ndim == 1:
            return gradient / P.reshape(-1, *[1] * (gradient.ndim - 1))
        return np.linalg.solve(P, gradient.reshape(len(P), -1)).reshape(gradient.shape)

    def _enter(self, x: ArrayLike, parameters: dict[str, Any]) -> tuple[list[np.ndarray], dict[str, Any], tuple]:
        """Return the state variables, each (problem.dim, runs), hyper-parameters (runs,), and the leading shape."""
        points = real_array("x", x, dtype=np.float64)
        if points.ndim == 0 or points.shape[-1] != self.dim:
            raise ValueError(f"x must have shape (..., {self.dim}), got {points.shape}")
        lead = np.broadcast_shapes(points.shape[:-1], *(np.shape(v) for v in parameters.values()))
        flat = np.broadcast_to(points, (*lead, self.dim)).reshape(-1, self.dim)
        hyper = {n: np.broadcast_to(np.asarray(v, float), lead).reshape(-1) for n, v in parameters.items()}
        blocks = [b.T for b in np.split(flat, len(self.rule.kernel.STATE), axis=1)]
        if self._axes is not None:
            centre = np.asarray(self.problem.minimizer, dtype=float)[:, None]
            copies = self.rule.kernel.ITERATES
            blocks = [self._axes.T @ (b - centre if copy else b) for b, copy in zip(blocks, copies, strict=True)]
        return [np.ascontiguousarray(b) for b in blocks], hyper, lead

    def _leave(self, blocks: list[np.ndarray], lead: tuple[int, ...]) -> np.ndarray:
        if self._axes is not None:
            centre = np.asarray(self.problem.minimizer, dtype=float)[:, None]
            copies = self.rule.kernel.ITERATES
            blocks = [self._axes @ b + (centre if copy else 0.0) for b, copy in zip(blocks, copies, strict=True)]
        return np.concatenate(blocks).T.reshape(*lead, self.dim)

    def __repr__(self) -> str:
        return f"MethodMap({self.name}; {', '.join(self.states)}; {', '.join(self.parameters)})"


def method_map(rule: Rule | Family, problem: Any, *, P: ArrayLike | None = None, **structure: int) -> MethodMap:
    """Return one step of a rule on a problem as a map, for every tool of `eossim.dynamics`.

    Args:
        rule: A rule of the catalogue or of your own; a family with its integer in `structure`.
        problem: Anything with ``dim``, ``loss(w)`` and ``grad(w)`` over leading axes; ``hvp(w, v)`` for what needs
            derivatives. Implicit rules take a quadratic.
        P: Preconditioner of a preconditioned rule, its diagonal, shape (dim,), or a matrix, shape (dim, dim).
        **structure: The integer of a family, such as ``delay=2``.

    Returns:
        A map whose parameters are the hyper-parameters of the rule. It equals one step of `simulate`, up to the
        rounding of the eigenbasis in which quadratics are stepped there.

    Raises:
        TypeError: if `rule` is no rule or `problem` no problem.
        ValueError: for an implicit rule on a problem that is no quadratic, or a preconditioner that is missing,
            superfluous or does not fit.

    Example:
        >>> from eossim import Function, rules
        >>> quartic = Function(1, lambda w: (w**4).sum(-1) / 4, lambda w: w**3, lambda w, v: 3 * w**2 * v)
        >>> method_map(rules.gd, quartic).jacobian_at([0.5], eta=1.0)
        array([[0.25]])
    """
    if isinstance(rule, Family):
        rule, left = rule.resolve(structure)
        if left:
            raise ValueError(f"{rule.name} takes no {', '.join(left)} here: hyper-parameters are given where it is run")
    elif structure:
        raise ValueError(f"{rule!r} is no family: it takes no {', '.join(structure)} here")
    if not isinstance(rule, Rule):
        raise TypeError(f"rule must be a rule such as rules.gd, or a family, got {rule!r}")
    kernel, quadratic = rule.kernel, is_quadratic(problem)
    if (P is not None) != kernel.PRECONDITIONED:
        raise ValueError(f"{rule.name} {'needs P' if P is None else 'is not preconditioned: it takes no P'}")
    if kernel.MODEWISE and (not quadratic or P is not None):
        raise ValueError(f"{rule.name} is implicit: as a map it runs on quadratics without preconditioner only")
    preconditioner = None if P is None else check_preconditioner(P)
    if preconditioner is not None and len(preconditioner) != problem.dim:
        raise ValueError(f"P has {len(preconditioner)} coordinates, the problem {problem.dim}")
    return MethodMap(rule, problem, preconditioner)
