"""Mean-square stability of mini-batch SGD and heavy ball on a quadratic sum: one object for all questions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._check import finite_array, in_interval
from ...engine.minibatch import checked_batch
from ...measure.factors import population_factors
from ..minibatch import _points as step_numbers
from .bounds import Bounds, bounds
from .dynamics import Dynamics
from .samples import RankOneSamples, Samples, curved_samples, moving_samples
from .stability import critical_step, spectral_radius
from .stationary import StationaryLaw, stationary_law
from .transient import moments

if TYPE_CHECKING:
    import xarray as xr

    from ...problems import Regression
    from ...problems.finite_sum import QuadraticSum

#: Steps this close to the critical one, relative, count as unstable: it is known to rounding only.
_EDGE = 1e-12


class MeanSquare:
    """SGD with a fresh batch at every step, in expectations of first and second order, exact up to rounding.

    A step is v' = beta v + g_B(w), w' = w - eta v', with g_B the gradient of the mean over a batch B of b samples whose
    losses are quadratic, ½ dᵀ H_i d + g_iᵀ d at d = w - w*. Stability depends on the batch size through p alone, the
    factor of `population_factors`:

    * second moments converge for 0 < eta < eta* = `critical_step` and grow geometrically for eta > eta*, by a factor
      `spectral_radius` a step;
    * for beta = 0, eta* = 2/λ_max(C⁺D), C = ½(H⊗I + I⊗H), D = E[H_B⊗H_B] (arXiv:2306.07850; heavy ball derived);
    * H must have no negative eigenvalue, and samples must neither curve nor pull along its null space, where iterates
      would drift for ever. `second_moment` alone needs nothing of this.

    Matrices of dim² x dim² numbers are formed in small problems only. A product with the operator costs n r² for rank r
    of a regression and n r³ for a `QuadraticSum`.

    Args:
        problem: ``LeastSquares``, ``KernelRegression`` or ``QuadraticSum``.
        batch_size: b, samples in a batch.
        replacement: Whether a sample may occur several times in a batch (else b <= n).
        beta: Momentum, 0 <= beta < 1.

    Attributes:
        problem: As given.
        batch_size: As given.
        replacement: As given.
        beta: As given.
        p: Factor of the second central moment of a batch mean.
        kappa3: Factor of the third one.

    Raises:
        TypeError: If the problem has no samples of this kind, or an argument has a wrong type.
        ValueError: If a value is not allowed.
    """

    def __init__(
        self,
        problem: Regression | QuadraticSum,
        batch_size: int,
        *,
        replacement: bool = False,
        beta: float = 0.0,
    ) -> None:
        self._moving = moving_samples(problem)
        self.problem = problem
        self.batch_size = checked_batch(batch_size, problem.n_samples, replacement)
        self.replacement = bool(replacement)
        self.beta = _number("beta", in_interval("beta", beta, 0, 1, open_high=True))
        factors = population_factors(problem.n_samples, self.batch_size, "with" if self.replacement else "without")
        self.p, self.kappa3 = factors.p, factors.kappa_3

    @cached_property
    def critical_step(self) -> float:
        """The step eta* up to which second moments converge; infinite if H = 0.

        Raises:
            ValueError: If the domain of the class is left.
        """
        return self._critical[0]

    def spectral_radius(self, eta: Any) -> Any:
        """Return the factor by which second moments about the minimizer change per step in the long run.

        Of the operator of the second moment of the state (d, v), on the range of H; 0 without any.

        Args:
            eta: Step size, positive; an array gives an array.

        Raises:
            TypeError: If eta does not hold real numbers.
            ValueError: If a step is not positive and finite, or the domain of the class is left.
        """
        steps = _steps(eta)
        radii = np.array([spectral_radius(self._dynamics(self._curved, e)) for e in steps.ravel()])
        return radii.reshape(steps.shape) if steps.ndim else float(radii[0])

    def convergence_factor(self, eta: float) -> float:
        """Return the factor, below 1, by which the excess loss goes to zero per step in the long run.

        Only where all samples agree on the minimizer (interpolation), or b = n, does it go to zero.

        Args:
            eta: Step size below the critical step.

        Raises:
            ValueError: For data that do not interpolate (it names the excess loss that is left), a step size at which
                second moments grow (it names their factor and the critical step), or outside the domain of the class.
        """
        law = self.stationary(eta)  # refuses an unstable step
        if law.excess_loss > 0:
            raise ValueError(
                f"the samples do not agree on the minimizer: at eta = {float(eta):g} SGD does not converge, it keeps "
                f"an excess loss of {law.excess_loss:.6g}; stationary(eta) gives its law"
            )
        return float(self.spectral_radius(eta))

    def second_moment(
        self,
        eta: Any,
        w0: Any = None,
        *,
        steps: int | Sequence[int] | np.ndarray,
        covariance: bool = False,
    ) -> xr.Dataset:
        """Return mean, covariance and what depends on them along a run from a point at rest; stable or not.

        Args:
            eta: Step size, positive; an array of shape (runs,) gives a leading dimension ``run``.
            w0: Start, shape (dim,); the origin by default.
            steps: A number for all steps from 0 to it, or increasing step numbers.
            covariance: Whether to return the covariance matrix too: dim² numbers per step.

        Returns:
            Dataset of expectations over the batches along ``step``: ``w`` (step, coord), ``variance`` = tr Cov(w),
            ``excess_loss`` = E L(w) - L(w*), ``grad_sq`` = E‖g‖², ``batch_grad_sq`` = E‖g_B‖² of a fresh batch and, if
            asked for, ``covariance`` (step, coord, coord_2). What overflows is infinite or NaN.

        Raises:
            TypeError: If an argument does not hold numbers of the right kind.
            ValueError: If a step is not positive and finite, or shapes and step numbers do not fit.
        """
        rates = _steps(eta)
        if rates.ndim > 1:
            raise ValueError(f"eta must be a number or have shape (runs,), got {rates.shape}")
        points = step_numbers(steps)
        dim, centre = self.problem.dim, self.problem.minimizer
        start = np.zeros(dim) if w0 is None else finite_array("w0", w0, shape=(dim,), dtype=np.float64)
        samples, shape = self._moving, (rates.size, points.size)
        along = samples.basis.T @ (start - centre)
        still = start - samples.basis @ along
        names = ("variance", "excess_loss", "grad_sq", "batch_grad_sq")
        found = {"w": np.empty((*shape, dim))} | {name: np.empty(shape) for name in names}
        if covariance:
            found["covariance"] = np.empty((*shape, dim, dim))
        lam, p = samples.lam, self.p
        second = (1 - p) * np.diag(lam**2) + p * samples.square  # E[H_B²]
        with np.errstate(all="ignore"):
            for run, rate in enumerate(rates.ravel()):
                for k, (m, S) in enumerate(moments(self._dynamics(samples, rate), along, points)):
                    spread, squares = S - np.outer(m, m), np.diag(S)
                    found["w"][run, k] = still + samples.basis @ m
                    found["variance"][run, k] = max(np.trace(spread), 0.0)
                    found["excess_loss"][run, k] = lam @ squares / 2
                    found["grad_sq"][run, k] = lam**2 @ squares
                    pulls = np.trace(samples.cross(m) + samples.noise)
                    found["batch_grad_sq"][run, k] = np.sum(second * S) + p * pulls
                    if covariance:
                        found["covariance"][run, k] = samples.basis @ spread @ samples.basis.T

        import xarray as xr

        dims = ("run", "step", "coord", "coord_2")
        skip = 0 if rates.ndim else 1
        data = {name: array if rates.ndim else array[0] for name, array in found.items()}
        return xr.Dataset(
            {name: (dims[skip : skip + array.ndim], array) for name, array in data.items()},
            {"step": points, "eta": ("run", rates) if rates.ndim else float(rates)},
            {
                "problem": repr(self.problem),
                "batch_size": self.batch_size,
                "replacement": int(self.replacement),
                "beta": self.beta,
            },
        )

    def stationary(self, eta: float) -> StationaryLaw:
        """Return the law to which second moments converge at a stable step size.

        Args:
            eta: Step size below `critical_step`.

        Raises:
            TypeError: If eta is not a real number.
            ValueError: If the step is not positive and stable, or the domain of the class is left.
        """
        step = _number("eta", _steps(eta))
        dynamics = self._dynamics(self._curved, step)
        if not step < self.critical_step * (1 - _EDGE):
            raise ValueError(
                f"eta must be below the critical step {self.critical_step:.12g} for a stationary law, got {step:g}: "
                f"the second moment has the spectral radius ρ(Q) = {spectral_radius(dynamics):.12g} there"
            )
        return stationary_law(dynamics, self.kappa3)

    def stationary_covariance(self, eta: float) -> np.ndarray:
        """Return the covariance of the iterate in `stationary`, shape (dim, dim).

        Args:
            eta: Step size below `critical_step`.

        Raises:
            TypeError: As `stationary`.
            ValueError: As `stationary`.
        """
        return self.stationary(eta).covariance

    def bounds(self, *, batch_sharpness: float | None = None) -> Bounds:
        """Return the exact critical step beside the weaker conditions of the literature.

        Args:
            batch_sharpness: A measured value, to see where 2/value lies. For b = 1 and a regression it is known, tr H.

        Raises:
            TypeError: If the value is not a real number.
            ValueError: If the value is not positive, or the domain of the class is left.
        """
        gauge = None
        if batch_sharpness is not None:
            gauge = _number("batch_sharpness", _positive("batch_sharpness", batch_sharpness))
        elif self.batch_size == 1 and isinstance(self._curved, RankOneSamples):
            gauge = float(self._curved.lam.sum())
        exact, critical = self._critical
        return bounds(self._curved, self.p, self.beta, exact, critical, gauge)

    @cached_property
    def _curved(self) -> Samples:
        return self._moving if isinstance(self._moving, RankOneSamples) else curved_samples(self.problem)

    @cached_property
    def _critical(self) -> tuple[float, np.ndarray]:
        return critical_step(self._curved, self.p, self.beta)

    def _dynamics(self, samples: Samples, eta: float) -> Dynamics:
        return Dynamics(samples, self.p, float(eta), self.beta)

    def __repr__(self) -> str:
        words = [repr(self.problem), f"batch_size={self.batch_size}"]
        words += ["replacement=True"] * self.replacement + [f"beta={self.beta:g}"] * bool(self.beta)
        return f"MeanSquare({', '.join(words)})"


def _steps(eta: Any) -> np.ndarray:
    return _positive("eta", eta)


def _positive(name: str, value: Any) -> np.ndarray:
    return in_interval(name, value, 0, np.inf, open_low=True, open_high=True).astype(np.float64)


def _number(name: str, value: np.ndarray) -> float:
    if value.ndim:
        raise ValueError(f"{name} must be a single number, got shape {value.shape}")
    return float(value)
