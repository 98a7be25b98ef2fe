"""What is read off the iterates of steepest and adaptive descent: the terms of the descent identity, and more.

A step of length s against the direction u = LMO(g) changes the loss by exactly ΔL = -s G + ½s² D, with the dual norm G
of the gradient and the signed directional smoothness D of the step: arXiv:2603.05002. D and ΔL are of the step that the
run took, from the iterate to the next one, s and G are by the definition of the method: so a wrong step shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import catalogue
from ..curvature.directional import signed_smoothness
from ..norms import L2
from .directions import EachAlone, directions
from .modes import Modes
from .rule_state import require_offered
from .steepest import SteepestDescent
from .views import Centred, OneByOne

if TYPE_CHECKING:
    from .adaptive import AdaptiveDescent

_LONG_NAMES = {
    "loss": "loss",
    "grad_norm": "Euclidean norm of the gradient",
    "w": "iterate",
    "dual_norm": "dual norm of the gradient",
    "directional_smoothness": "signed directional smoothness of the step that leaves the point",
    "edge": "generalised sharpness at which the method loses stability, at the state",
    "identity_residual": "relative residual of the descent identity of the step that leaves the point",
    "generalized_sharpness": "largest curvature of unit directions in the norm",
    "sharpness": "largest eigenvalue of the Hessian",
    "step_size": "step size of the step that leaves the point",
}
_SUMMED = ("loss", "dual_norm", "directional_smoothness")


class DescentReading:
    """What can be read off the iterates of a method of descent.

    Args:
        problem: The problem.
        view: The problem in the coordinates of the steps.
        method: The method.
        hyper: Hyper-parameters, each of shape (runs,).
        dtype: Of the steps.
    """

    def __init__(
        self,
        problem: Any,
        view: Centred | OneByOne,
        method: SteepestDescent | AdaptiveDescent,
        hyper: Mapping[str, np.ndarray],
        dtype: np.dtype,
    ) -> None:
        self.problem, self.view, self.method, self.hyper = problem, view, method, hyper
        #: Below it numbers have fewer digits.
        self.tiny = float(np.finfo(dtype).tiny)
        self.steepest = isinstance(method, SteepestDescent)
        self.norm = method.norm if isinstance(method, SteepestDescent) else L2()
        self.quadratic = isinstance(view, Centred)
        missing = {"step_size"} if self.steepest else set()
        missing |= set() if self.quadratic else {"sharpness"}
        self.long_names = {name: text for name, text in _LONG_NAMES.items() if name not in missing}
        self.default = (
            *("loss", "grad_norm", "dual_norm", "directional_smoothness", "edge", "identity_residual"),
            *(() if self.steepest else ("step_size",)),
        )
        self.of_steps = ("directional_smoothness", "identity_residual")
        #: The last maximiser of each run: where the search for the next one starts.
        self.witnesses: dict[int, np.ndarray] = {}

    @cached_property
    def constant_sharpness(self) -> float:
        """Generalised sharpness of a quadratic."""
        from ..curvature.generalized import generalized_sharpness

        return float(generalized_sharpness(self.problem, self.norm).value)

    def check(self, what: Sequence[str]) -> None:
        """Raise ValueError unless these quantities can be read."""
        require_offered(what, self.long_names, self.method, self.problem)
        if "generalized_sharpness" in what and not hasattr(self.problem, "hvp"):
            raise ValueError(f'"generalized_sharpness" needs a problem with hvp(w, v), got {self.problem!r}')

    def state(
        self, modes: Modes | None, kept: np.ndarray, runs: np.ndarray, following: np.ndarray | None = None
    ) -> DescentState:
        """Return what follows from iterates [stop, coordinate, run] of some runs, and from those one step later."""
        return DescentState(self, _points(kept), None if following is None else _points(following), runs)

    def lengths(self, runs: Any, dual: np.ndarray, step_size: np.ndarray | None) -> np.ndarray:
        """Return s, the lengths of steps in the norm, like `dual`."""
        if isinstance(self.method, SteepestDescent):
            return self.method.lengths(self.hyper["eta"][runs][:, None], dual)
        assert step_size is not None
        return step_size * dual

    def summary(self, arrays: Mapping[str, np.ndarray], points: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
        """Return the mean of D that telescopes, and the residual of its sum, if every step was kept.

        Summed over a run, ΔL = -s G + ½s² D says ΣG²D/ΣG² = 2/eta - 2(L_0 - L_T)/(eta² ΣG²); for normalised steps
        it says ΣD/ΣG = 2/eta - 2(L_0 - L_T)/(eta² ΣG).
        """
        needed = _SUMMED if self.steepest else (*_SUMMED, "step_size")
        whole = np.array_equal(points, np.arange(points.size)) and points.size > 1
        if not whole or not self.norm.traits.exact_lmo or any(name not in arrays for name in needed):
            return {}
        loss, G, D = (arrays[name] for name in _SUMMED)
        G, D = G[:, :-1], D[:, :-1]
        step_size = None if self.steepest else arrays["step_size"][:, :-1]
        s = self.lengths(slice(None), G, step_size)
        still = G == 0  # the run has arrived: no step, no D
        bent = np.where(still, 0, s * s * D).sum(axis=1)
        sloped = np.where(still, 0, s * G).sum(axis=1)
        normalized = isinstance(self.method, SteepestDescent) and self.method.normalized
        weight = self.hyper["eta"] * sloped if normalized else np.where(still, 0, s * s).sum(axis=1)
        first, last = loss[:, 0], loss[:, -1]
        scale = np.max([sloped, np.abs(bent) / 2, np.abs(first), np.abs(last)], axis=0)
        residual = np.abs(first - last - sloped + bent / 2) / scale
        mean = "directional smoothness, summed over its dual norms" if normalized else "mean directional smoothness"
        return {
            "mean_directional_smoothness": (bent / weight, f"{mean}, weighted as the descent identity sums it"),
            "telescoped_residual": (np.where(scale == 0, 0, residual), "relative residual of the summed identity"),
        }


def _points(kept: np.ndarray) -> np.ndarray:
    """Return iterates [stop, coordinate, run] as points, shape (runs, stops, dim)."""
    return np.ascontiguousarray(np.moveaxis(kept, 2, 0))


class DescentState:
    """Iterates of methods of descent, shape (runs, stops, dim) in the coordinates of the steps, and what follows."""

    def __init__(
        self, reading: DescentReading, points: np.ndarray, following: np.ndarray | None, runs: np.ndarray
    ) -> None:
        self.reading, self.x, self._following, self.runs = reading, points, following, runs
        self.view, self.norm = reading.view, reading.norm

    @cached_property
    def _gradient(self) -> np.ndarray:
        return self.view.grad(self.x)

    @cached_property
    def _steepest(self) -> tuple[np.ndarray, np.ndarray]:
        """Dual norms and directions."""
        return directions(self.norm, self._gradient)

    @cached_property
    def _step_size(self) -> np.ndarray:
        method = self.reading.method
        assert not isinstance(method, SteepestDescent)
        found = np.empty((len(self.x), self.x.shape[1]))
        each = replace(method, values={name: self.reading.hyper[name][self.runs] for name in method.values})
        for stop in range(self.x.shape[1]):
            found[:, stop] = each.step_size(self.view, self.x[:, stop], self._gradient[:, stop])
        return found

    @cached_property
    def _length(self) -> np.ndarray:
        """Length s of the steps in the norm, shape (runs, stops)."""
        step_size = None if self.reading.steepest else self._step_size
        return self.reading.lengths(self.runs, self._steepest[0], step_size)

    @cached_property
    def _next(self) -> np.ndarray:
        """The iterates one step later."""
        assert self._following is not None
        return self._following

    @cached_property
    def _step(self) -> np.ndarray:
        return self._next - self.x

    @cached_property
    def _still(self) -> np.ndarray:
        """Where no digit of the iterate changed, shape (runs, stops)."""
        return (self._step == 0).all(axis=-1)

    @cached_property
    def _smoothness(self) -> np.ndarray:
        # on a quadratic it is the same for any length, also where the step is too short for its digits
        meant = self._steepest[1] * (1.0 if self.reading.quadratic else -self._length[..., None])
        step = np.where(self._still[..., None], meant, self._step)
        return signed_smoothness(self.view, self.x, step, EachAlone(self.norm))

    def w(self) -> np.ndarray:
        """Iterates, shape (runs, stops, dim)."""
        return self.view.origin + self.x

    def loss(self) -> np.ndarray:
        """Loss, shape (runs, stops)."""
        return self.view.loss(self.x)

    def grad_norm(self) -> np.ndarray:
        """Euclidean norm of the gradient, shape (runs, stops)."""
        return L2().norm(self._gradient)

    def dual_norm(self) -> np.ndarray:
        """Dual norm of the gradient, shape (runs, stops)."""
        return self._steepest[0]

    def step_size(self) -> np.ndarray:
        """Step size of adaptive descent, shape (runs, stops)."""
        return self._step_size

    def directional_smoothness(self) -> np.ndarray:
        """Signed directional smoothness of the step, shape (runs, stops); nan where there is none.

        Where a step is lost in the rounding of the iterate it is that of the step as it was meant.
        """
        return self._smoothness

    def edge(self) -> np.ndarray:
        """Edge of the method, shape (runs, stops)."""
        method = self.reading.method
        if not isinstance(method, SteepestDescent):
            return catalogue.entries()["gd"].numpy(eta=self._step_size)
        values = {"eta": np.broadcast_to(self.reading.hyper["eta"][self.runs][:, None], self.x.shape[:2])}
        if method.normalized:
            values["grad_norm"] = self._steepest[0]
        return method.edge.numpy(**values)

    def sharpness(self) -> np.ndarray:
        """Largest eigenvalue of the Hessian of a quadratic, shape (runs, stops)."""
        return np.full(self.x.shape[:2], self.reading.problem.eigenvalues[-1])

    def generalized_sharpness(self) -> np.ndarray:
        """Generalised sharpness, shape (runs, stops); nan where the iterate is not finite."""
        found = np.full(self.x.shape[:2], np.nan)
        if self.reading.quadratic:
            found[np.isfinite(self.x).all(axis=-1)] = self.reading.constant_sharpness
            return found
        from ..curvature.generalized import generalized_sharpness

        for i, run in enumerate(self.runs.tolist()):
            for stop, point in enumerate(self.x[i]):
                if np.isfinite(point).all():
                    starts = self.reading.witnesses.get(run)
                    at = generalized_sharpness(self.reading.problem, self.norm, point, starts=starts, bound=False)
                    found[i, stop] = at.value
                    if np.isfinite(at.witness).all():
                        self.reading.witnesses[run] = at.witness
        return found

    def identity_residual(self) -> np.ndarray:
        """|ΔL + s G - ½s² D| relative to the largest number that it is made of, shape (runs, stops).

        On a quadratic ΔL is <½(g + g⁺), Δ>, which does not cancel when the loss is flat, and on other problems it is a
        difference of losses. The numbers are s G, ½s² D, the terms of <x, HΔ> or the losses, and Σ|g_i w_i|, by whose
        last digits a loss changes with those of w: so they are about 1e-7 in float32. Where the direction is no
        maximiser, as from Newton-Schulz, D counts with its measured length. It is 0 for a run that has arrived.
        """
        G, u = self._steepest
        s, D, delta = self._length, self._smoothness, self._step
        size = np.maximum(s, EachAlone(self.norm).norm(delta))  # all is over it, which may be too small to be squared
        s, delta = s / size, delta / size[..., None]
        square = 1.0 if self.norm.traits.exact_lmo else self.norm.norm(u) ** 2
        bent = np.where(s == 0, 0.0, s * size * s * square * D / 2)
        x = np.maximum(np.abs(self.x), self.reading.tiny)
        digits = np.abs(self._gradient / size[..., None] * x).sum(axis=-1)
        if self.reading.quadratic:
            change = ((self._gradient + self.view.grad(self._next)) / 2 * delta).sum(axis=-1)
            terms = np.abs(x * self.view.grad(delta)).sum(axis=-1)
        else:
            losses = self.view.loss(self.x), self.view.loss(self._next)
            change = (losses[1] - losses[0]) / size
            terms = np.max(np.abs(losses), axis=0) / size
        scale = np.maximum(np.max([s * G, np.abs(bent), digits, terms], axis=0), self.reading.tiny)
        residual = np.abs(change + s * G - bent) / scale
        residual = np.where(np.isfinite(residual), residual, np.nan)  # of the step that overflows
        return np.where(self._still & ((G == 0) | (size == 0)), 0.0, residual)
