"""What is minimised: problems with a loss, its gradient and its Hessian on flat parameter vectors."""

from eossim.problems.least_squares import LeastSquares
from eossim.problems.quadratic import Quadratic

__all__ = ["LeastSquares", "Quadratic"]
