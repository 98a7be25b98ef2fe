"""What is minimised: problems with a loss, its gradient and its Hessian on flat parameter vectors."""

from eossim.problems.factorization import MatrixFactorization
from eossim.problems.finite_sum import FiniteSum, QuadraticSum
from eossim.problems.function import Function
from eossim.problems.kernel_regression import KernelRegression
from eossim.problems.least_squares import LeastSquares
from eossim.problems.quadratic import Quadratic
from eossim.problems.regression import Regression, RegressionModes
from eossim.problems.toy import FourParameter, SecondOrderRegression, SelfStabilization, UVModel

__all__ = [
    "FiniteSum",
    "FourParameter",
    "Function",
    "KernelRegression",
    "LeastSquares",
    "MatrixFactorization",
    "Quadratic",
    "QuadraticSum",
    "Regression",
    "RegressionModes",
    "SecondOrderRegression",
    "SelfStabilization",
    "UVModel",
]
