"""What is read off at a point: sharpness notions of mini-batches, exact where they can be, else with their error."""

from .factors import PopulationFactors, population_factors
from .lambda_max import expected_batch_lambda_max
from .measurement import Measurement, MomentumMeasurement
from .moments import GradientMoments, gradient_moments, gradient_noise_interaction, interaction_aware_sharpness
from .report import SharpnessReport, sharpness_report
from .sharpness import batch_sharpness, momentum_batch_sharpness

__all__ = [
    "GradientMoments",
    "Measurement",
    "MomentumMeasurement",
    "PopulationFactors",
    "SharpnessReport",
    "batch_sharpness",
    "expected_batch_lambda_max",
    "gradient_moments",
    "gradient_noise_interaction",
    "interaction_aware_sharpness",
    "momentum_batch_sharpness",
    "population_factors",
    "sharpness_report",
]
