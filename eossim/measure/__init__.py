"""What is read off at a point: sharpness in any norm and of batches, exact where it can be, else with its error."""

from ..curvature.directional import directional_smoothness
from ..curvature.exact import exact_sharpness
from ..curvature.generalized import GeneralizedSharpness, generalized_sharpness
from ..curvature.operator import Operator
from ..curvature.progress import loss_based_smoothness, realised_edge, relative_progress
from .factors import PopulationFactors, population_factors
from .lambda_max import expected_batch_lambda_max
from .measurement import Measurement, MomentumMeasurement
from .moments import GradientMoments, gradient_moments, gradient_noise_interaction, interaction_aware_sharpness
from .report import SharpnessReport, sharpness_report
from .sharpness import batch_sharpness, momentum_batch_sharpness

__all__ = [
    "GeneralizedSharpness",
    "GradientMoments",
    "Measurement",
    "MomentumMeasurement",
    "Operator",
    "PopulationFactors",
    "SharpnessReport",
    "batch_sharpness",
    "directional_smoothness",
    "exact_sharpness",
    "expected_batch_lambda_max",
    "generalized_sharpness",
    "gradient_moments",
    "gradient_noise_interaction",
    "interaction_aware_sharpness",
    "loss_based_smoothness",
    "momentum_batch_sharpness",
    "population_factors",
    "realised_edge",
    "relative_progress",
    "sharpness_report",
]
