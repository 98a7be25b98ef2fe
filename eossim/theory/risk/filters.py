"""What a linear method has made of one mode after k steps: the part of the error that is left, and the part learned.

On a mode of curvature h a linear method multiplies its state, measured from the minimum, by A(h). The error left
after k steps is z_k = e_1^T A^k t (t marks the states that are iterates), the part learned is y_k = 1 - z_k. Without
memory A is the multiplier q = 1 - u and z_k = q^k. Both z and y are computed to full relative accuracy, k up to 10^9
and beyond; only multipliers that turn (complex pairs of momentum) lose k times the machine precision in their phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._jit import kernel

if TYPE_CHECKING:
    from ..._rule import Rule
    from ...engine.method import Method


@dataclass(frozen=True)
class Filters:
    """The filters of a bound method on given curvatures.

    Attributes:
        increments: A(h) - I, shape (runs, modes, states, states); without memory it is -u.
        iterates: Which states are iterates, shape (states,).
    """

    increments: np.ndarray
    iterates: np.ndarray

    @property
    def steps_down(self) -> np.ndarray | None:
        """U = 1 - q, shape (runs, modes), for a method without memory; else None."""
        return -self.increments[:, :, 0, 0] if self.iterates.size == 1 else None

    @property
    def radius(self) -> np.ndarray:
        """Spectral radius of A, shape (runs, modes)."""
        matrices = np.eye(self.iterates.size) + self.increments
        if self.iterates.size == 1:
            return np.abs(matrices[:, :, 0, 0])
        return np.abs(np.linalg.eigvals(matrices)).max(axis=-1)

    def respond(self, run: int, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return z and y of one run at increasing `steps`, each of shape (steps, modes)."""
        if self.steps_down is not None:
            return powers(self.steps_down[run], steps)
        return _propagate(np.ascontiguousarray(self.increments[run]), self.iterates.astype(float), steps)


def filters_of(method: Method, curvature: np.ndarray) -> Filters:
    """Return the filters of `method` on modes of the given curvature, shape (modes,).

    Raises:
        ValueError: if the method has no closed form on a quadratic: it normalises or clips gradients, decays weights,
            or is preconditioned.
    """
    rule = method.rule
    matrix = _increment_of(rule)
    if matrix is None:
        raise ValueError(
            f"{rule.name} has no closed form here: {_why_not(rule)}; its risk can be simulated (monte_carlo_risk)"
            if rule.linearization.frozen
            else f"{rule.name} has no closed form here: {_why_not(rule)}"
        )
    values = {n: np.broadcast_to(v, (method.runs,))[:, None] for n, v in method.values.items()}
    entries = [e(h=curvature, **{n: values[n] for n in names}) for e, names in matrix]
    shape = (method.runs, curvature.size)
    stacked = np.stack([np.broadcast_to(e, shape) for e in entries], axis=-1).astype(float)
    states = len(rule.kernel.STATE)
    return Filters(stacked.reshape(*shape, states, states), np.array(rule.kernel.ITERATES))


def _why_not(rule: Rule) -> str:
    linear = rule.linearization
    if linear.frozen:
        return "its step depends on the norm of the gradient"
    return "it is preconditioned" if linear.preconditioned else "weight decay moves its fixed point"


@lru_cache(maxsize=256)
def _increment_of(rule: Rule) -> list[tuple[Any, tuple[str, ...]]] | None:
    """Return the entries of A(h) - I as NumPy functions with the names they need, or None for another kind of rule."""
    import sympy as sp

    from ...symbolic.emit_formula import compile_numpy

    linear, flags = rule.linearization, rule.kernel
    if linear.frozen or linear.preconditioned or flags.CENTRED:
        return None
    found = []
    for entry in linear.matrix - sp.eye(linear.matrix.rows):
        expression = sp.factor(entry)
        names = tuple(sorted(str(s) for s in expression.free_symbols if str(s) != "h"))
        found.append((compile_numpy("entry", expression, ("h", *names)), names))
    return found


def powers(u: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return q^k and 1 - q^k for q = 1 - u, 0 <= u <= 2; shape (steps, modes)."""
    rate, odd = rates(u)
    with np.errstate(invalid="ignore", under="ignore"):
        exponent = -np.where(steps[:, None] == 0, 0.0, steps[:, None] * rate)
    flip = odd & (steps[:, None] % 2 == 1)
    z = np.where(flip, -1.0, 1.0) * np.exp(exponent)
    return z, np.where(flip, 1.0 - z, -np.expm1(exponent))


def rates(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return -log|1 - u| and whether 1 - u is negative."""
    odd = u > 1
    with np.errstate(divide="ignore"):
        rate = np.where(odd, -np.log1p(np.where(odd, u - 2.0, 0.0)), -np.log1p(-np.where(odd, 0.0, u)))
    return rate, odd


@kernel
def _propagate(increments: np.ndarray, start: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return z and y of every step and mode from binary powers of A.

    A^(2^j) - I doubles without cancellation, B <- 2 B + B B; the state follows as a displacement from its start, which
    gives y. Once a power has shrunk, it is squared itself and gives z to relative accuracy.
    """
    modes, states = increments.shape[0], start.size
    bits = 1
    while bits < 63 and steps[-1] >> bits:
        bits += 1
    z, y = np.empty((steps.size, modes)), np.empty((steps.size, modes))
    change, power = np.empty((bits, states, states)), np.empty((bits, states, states))
    moved, state, buffer = np.empty(states), np.empty(states), np.empty(states)
    for i in range(modes):
        change[0] = increments[i]
        shrunk = False
        for j in range(bits):
            if j:
                change[j] = 2.0 * change[j - 1] + np.dot(change[j - 1], change[j - 1])
            if shrunk:
                power[j] = np.dot(power[j - 1], power[j - 1])
            else:
                power[j] = change[j]
                for a in range(states):
                    power[j, a, a] += 1.0
                shrunk = power[j, 0, 0] < 0.5
        done = 0
        moved[:] = 0.0
        state[:] = start
        for p in range(steps.size):
            ahead = steps[p] - done
            done = steps[p]
            j = 0
            while ahead:
                if ahead & 1:
                    for a in range(states):
                        total = 0.0
                        for b in range(states):
                            total += change[j, a, b] * (start[b] + moved[b])
                        buffer[a] = total
                    for a in range(states):
                        moved[a] += buffer[a]
                    for a in range(states):
                        total = 0.0
                        for b in range(states):
                            total += power[j, a, b] * state[b]
                        buffer[a] = total
                    state[:] = buffer
                ahead >>= 1
                j += 1
            y[p, i] = -moved[0]
            z[p, i] = 1.0 + moved[0] if moved[0] > -0.5 else state[0]
    return z, y
