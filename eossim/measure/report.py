"""All notions of sharpness at a point, batch size by batch size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import positive_int
from .._tables import html_table, text_table
from ..problems import FiniteSum
from .factors import checked_flag, population_factors
from .lambda_max import expected_batch_lambda_max
from .measurement import Measurement
from .moments import moments_at
from .point import at
from .sharpness import batch_sharpness

if TYPE_CHECKING:
    import xarray as xr

COLUMNS = (
    "b",
    "p",
    "batch sharpness (mean of ratios)",
    "ratio of means",
    "interaction-aware",
    "GNI",
    "E λ_max(H_B)",
    "λ_max(H)",
)


@dataclass(frozen=True)
class SharpnessRow:
    """The notions for one batch size.

    Attributes:
        batch_size: b.
        p: Factor of second moments, see `population_factors`.
        batch_sharpness: E[r_B], mean of ratios.
        ratio_of_means: E[g_Bᵀ H_B g_B] / E‖g_B‖².
        interaction_aware_sharpness: E[g_Bᵀ H g_B] / E‖g_B‖².
        gradient_noise_interaction: E[g_Bᵀ H g_B] / ‖g‖².
        expected_batch_lambda_max: E[λ_max(H_B)].
        lambda_max: λ_max(H).
    """

    batch_size: int
    p: float
    batch_sharpness: Measurement
    ratio_of_means: float
    interaction_aware_sharpness: float
    gradient_noise_interaction: float
    expected_batch_lambda_max: Measurement
    lambda_max: float


@dataclass(frozen=True)
class SharpnessReport:
    """Rows of notions; iterate over it, index it by batch size, print it, or take its numbers as a dataset.

    Attributes:
        rows: One per batch size, in the order asked for.
        replacement: Whether samples may occur several times in a batch.
    """

    rows: tuple[SharpnessRow, ...]
    replacement: bool

    def __iter__(self) -> Iterator[SharpnessRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, batch_size: int) -> SharpnessRow:
        for row in self.rows:
            if row.batch_size == batch_size:
                return row
        raise KeyError(batch_size)

    @property
    def cells(self) -> list[tuple[str, ...]]:
        """The table as text, one tuple per batch size, in the order of `COLUMNS`."""
        return [
            (
                str(row.batch_size),
                f"{row.p:.4g}",
                _shown(row.batch_sharpness),
                f"{row.ratio_of_means:.5g}",
                f"{row.interaction_aware_sharpness:.5g}",
                f"{row.gradient_noise_interaction:.5g}",
                _shown(row.expected_batch_lambda_max),
                f"{row.lambda_max:.5g}",
            )
            for row in self.rows
        ]

    def __repr__(self) -> str:
        return text_table(COLUMNS, self.cells)

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, self.cells)

    def dataset(self) -> xr.Dataset:
        """Return the numbers over ``batch_size``; Monte Carlo ones with ``_error`` and ``_batches`` beside them."""
        import xarray as xr

        def column(values: Sequence[Any]) -> tuple[str, np.ndarray]:
            return "batch_size", np.array(values)

        data: dict[str, Any] = {}
        for name in ("batch_sharpness", "expected_batch_lambda_max"):
            found = [getattr(row, name) for row in self.rows]
            data[name] = column([m.value for m in found])
            data[f"{name}_error"] = column([m.error for m in found])
            data[f"{name}_batches"] = column([m.batches for m in found])
        data["zero_share"] = column([row.batch_sharpness.zero_share for row in self.rows])
        for name in ("p", "ratio_of_means", "interaction_aware_sharpness", "gradient_noise_interaction", "lambda_max"):
            data[name] = column([getattr(row, name) for row in self.rows])
        sizes = [row.batch_size for row in self.rows]
        return xr.Dataset(data, {"batch_size": sizes}, {"replacement": int(self.replacement)})


def sharpness_report(
    problem: FiniteSum,
    w: ArrayLike,
    batch_sizes: int | Sequence[int] | np.ndarray,
    *,
    replacement: bool = False,
    batches: str | int = "auto",
    rtol: float | None = None,
    confidence: float = 0.95,
    zero_gradient: str = "zero",
    seed: int = 0,
) -> SharpnessReport:
    """Return every notion of sharpness at a point for several batch sizes.

    Args:
        problem: As in `batch_sharpness`.
        w: The point, shape (dim,).
        batch_sizes: One b or several.
        replacement: As in `batch_sharpness`, and so are all that follow.
        batches: ``"auto"``, ``"all"`` or a number.
        rtol: Relative standard error to stop at.
        confidence: Probability of intervals.
        zero_gradient: What a batch with zero gradient counts as in the mean of ratios.
        seed: Seed of the random batches.

    Raises:
        TypeError: As in `batch_sharpness`.
        ValueError: As in `batch_sharpness`, or if no batch size is given.
    """
    again = checked_flag("replacement", replacement)
    point = at(problem, w)
    given = [batch_sizes] if np.ndim(batch_sizes) == 0 else list(batch_sizes)  # type: ignore[arg-type]
    if not given:
        raise ValueError("batch_sizes must not be empty")
    how: dict[str, Any] = {
        "replacement": again,
        "batches": batches,
        "rtol": rtol,
        "confidence": confidence,
        "seed": seed,
    }
    sampling, top = "with" if again else "without", point.sharpness()
    sizes = [positive_int("batch_size", b) for b in given]
    factors = [population_factors(point.n_samples, b, sampling) for b in sizes]
    rows = []
    for b, factor in zip(sizes, factors, strict=True):
        moments = moments_at(point, b, sampling)
        rows.append(
            SharpnessRow(
                b,
                factor.p,
                batch_sharpness(problem, w, b, zero_gradient=zero_gradient, **how),
                moments.ratio_of_means,
                moments.interaction_aware_sharpness,
                moments.gradient_noise_interaction,
                expected_batch_lambda_max(problem, w, b, **how),
                top,
            )
        )
    return SharpnessReport(tuple(rows), again)


def _shown(m: Measurement) -> str:
    return f"{m.value:.5g}" if m.exact else f"{m.value:.5g} ± {m.error:.1g}"
