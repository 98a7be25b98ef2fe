"""Mini-batch methods as data: a rule with bound hyper-parameters, and how its gradients are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import catalogue
from .._check import choice, in_interval, positive_int
from .minibatch import ASCENTS, rule_of

if TYPE_CHECKING:
    from .method import Method

#: How samples come into batches: distinct ones afresh at every step; independent ones (with replacement); cuts of a
#: random permutation per epoch, an incomplete batch at its end dropped.
SAMPLINGS = ("without_replacement", "iid", "reshuffle")
#: Where the noise of the gradient comes from: batches, or Gaussian numbers on top of the gradient of all samples.
NOISES = ("batch", "isotropic", "diagonal", "gaussian")
#: Rules that have a mini-batch form.
RULES = ("gd", "heavy_ball", "nesterov", "usam", "sam")


@dataclass(frozen=True, eq=False)
class Minibatch:
    """A method that `simulate` runs on gradients of random batches (made by `minibatch`, `sgd`, `noisy_gd`).

    Attributes:
        method: ``gd``, ``heavy_ball``, ``nesterov``, ``usam`` or ``sam`` with bound hyper-parameters; arrays among them
            make a batch of runs.
        batch_size: b, samples in a batch.
        sampling: ``"without_replacement"``, ``"iid"`` or ``"reshuffle"``.
        ascent: ``"same"`` takes the ascent and the descent of usam and sam on one batch, ``"independent"`` on two, the
            ascent drawn first.
        label_noise: Standard deviation of the Gaussian noise that is added to the targets of a batch whenever it is
            drawn, afresh for each of its samples.
        noise: ``"batch"``, or the kind of Gaussian noise of `noisy_gd`.

    Raises:
        TypeError: for a value of a wrong type.
        ValueError: for a rule without a mini-batch form, an unknown word, or what cannot go together.
    """

    method: Method
    batch_size: int
    sampling: str = "without_replacement"
    ascent: str = "same"
    label_noise: float = 0.0
    noise: str = "batch"

    def __post_init__(self) -> None:
        rule = rule_of(self.method, RULES)
        object.__setattr__(self, "batch_size", positive_int("batch_size", self.batch_size))
        choice("sampling", self.sampling, SAMPLINGS)
        choice("ascent", self.ascent, ASCENTS)
        choice("noise", self.noise, NOISES)
        sigma = in_interval("label_noise", self.label_noise, 0, float("inf"), open_high=True)
        if sigma.ndim:
            raise ValueError(f"label_noise must be a single number, got shape {sigma.shape}")
        object.__setattr__(self, "label_noise", float(sigma))
        if self.ascent == "independent" and self.sampling == "reshuffle":
            raise ValueError("batches cut from one permutation are not independent: ascent='same', or other sampling")
        if self.noise == "batch":
            return
        if rule in ("usam", "sam"):
            raise ValueError(f"{self.noise} noise is for gd, heavy_ball and nesterov; {rule} needs batches")
        if self.sampling == "reshuffle":
            raise ValueError(f"{self.noise} noise is fresh at every step: sampling 'without_replacement' or 'iid'")
        if self.label_noise:
            raise ValueError(f"label noise goes with batches, not with {self.noise} noise of the full gradient")

    @property
    def runs(self) -> int:
        """Number of runs that the hyper-parameters describe."""
        return self.method.runs

    @property
    def attributes(self) -> dict[str, Any]:
        """What a Dataset must say beside the method to run it again."""
        return {name: getattr(self, name) for name in ("batch_size", "sampling", "ascent", "label_noise", "noise")}

    def spread(self, samples: int) -> float:
        """Return p: the covariance of a batch gradient is p times that of the gradients of `samples` samples.

        It is 1/b with replacement and (n - b)/(b (n - 1)) without; for "reshuffle" that of a single batch.
        """
        b, n = self.batch_size, samples
        return 1 / b if self.sampling == "iid" else (n - b) / (b * max(n - 1, 1))

    def __repr__(self) -> str:
        shown = [f"batch_size={self.batch_size}", self.sampling]
        shown += ["independent ascent"] if self.ascent == "independent" else []
        shown += [f"label_noise={self.label_noise:g}"] if self.label_noise else []
        shown += [f"{self.noise} noise"] if self.noise != "batch" else []
        return f"{self.method!r} on batches[{', '.join(shown)}]"


def minibatch(
    method: Method,
    *,
    batch_size: int,
    sampling: str = "without_replacement",
    ascent: str = "same",
    label_noise: float = 0.0,
) -> Minibatch:
    """Return `method` on mini-batches, for `simulate` (see `Minibatch`).

    Example:
        >>> minibatch(rules.sam(eta=0.1, rho=0.05), batch_size=4, ascent="independent")
        sam[eta=0.1, rho=0.05] on batches[batch_size=4, without_replacement, independent ascent]
    """
    return Minibatch(method, batch_size, sampling, ascent, label_noise)


def sgd(
    *,
    eta: Any,
    batch_size: int,
    beta: Any = None,
    sampling: str = "without_replacement",
    label_noise: float = 0.0,
) -> Minibatch:
    """Return stochastic gradient descent, with heavy-ball momentum if `beta` is given (see `Minibatch`).

    Example:
        >>> simulate(problem, sgd(eta=[0.1, 0.2], batch_size=1), steps=1000)
    """
    return Minibatch(_descent(eta, beta), batch_size, sampling, label_noise=label_noise)


def noisy_gd(
    *,
    eta: Any,
    batch_size: int,
    noise: str = "isotropic",
    beta: Any = None,
    sampling: str = "without_replacement",
) -> Minibatch:
    """Return full-batch gradient descent with Gaussian noise in place of that of batches: a control for SGD.

    With C the covariance of the gradients of the samples at the point and p as in `Minibatch.spread`, so that SGD's
    batch gradient has the covariance p C, the noise has the covariance

    * ``"isotropic"``: p tr(C)/dim times the identity;
    * ``"diagonal"``: p times the diagonal of C;
    * ``"gaussian"``: p C. Samples are weighted by 1/n + sqrt(p/n) (ξ_i - mean ξ) with standard normal ξ, so that the
      Hessian of the step varies as a batch's does, up to its third moment.

    Args:
        eta: Step size, a number or one per run.
        batch_size: b of the batches that the noise stands for.
        noise: One of the three.
        beta: Momentum (heavy ball), a number or one per run; none by default.
        sampling: Of those batches, ``"without_replacement"`` or ``"iid"``.
    """
    choice("noise", noise, NOISES[1:])
    return Minibatch(_descent(eta, beta), batch_size, sampling, noise=noise)


def _descent(eta: Any, beta: Any) -> Method:
    return catalogue.lookup("gd")(eta=eta) if beta is None else catalogue.lookup("heavy_ball")(eta=eta, beta=beta)
