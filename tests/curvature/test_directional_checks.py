"""Features of the curvature between the nodes of rules: seen by checks, or NaN, and what the checks must not do."""

import numpy as np
import pytest

from eossim.curvature.directional import directional_smoothness
from eossim.problems import Function
from tests.curvature.losses import LOG_COSH, log_cosh, scalar, without_hvp


def bell(z):
    """sech² without overflow."""
    return np.cosh(np.clip(z, -300, 300)) ** -2


def with_a_bump(at, width, height):
    """½x² + height tanh((x - at)/width): the gradient has a bump, the curvature a peak with a dip beside it."""

    def z(x):
        return (x - at) / width

    return scalar(
        lambda x: 0.5 * x**2 + height * np.tanh(z(x)),
        lambda x: x + height * bell(z(x)) / width,
        lambda x: 1 - 2 * height * np.tanh(z(x)) * bell(z(x)) / width**2,
    )


@pytest.mark.parametrize("at", [0.27, 0.4, 0.68])
@pytest.mark.parametrize("width", [4e-3, 1e-3, 1e-4])
def test_a_bump_of_the_gradient_between_the_nodes(at, width):
    """D = 2(f(1) - f(0) - f'(0)) = 1 + 4: the change of the gradient does not show it, the losses do."""
    bumpy = with_a_bump(at, width, 1.0)
    for problem in (bumpy, without_hvp(bumpy)):
        assert directional_smoothness(problem, [0.0], [1.0]) == pytest.approx(5, rel=1e-8)
    for kind, found in (("pathwise", max), ("strong_convexity", min)):
        grid = np.linspace(0, 1, 10**5)[1:, None]
        expected = found((bumpy.grad(grid) - bumpy.grad([0.0]))[:, 0] / grid[:, 0])
        value = directional_smoothness(bumpy, [0.0], [1.0], kind=kind)
        assert np.isnan(value) or value == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("height", [1e-2, 3e-3])
def test_a_bump_of_a_few_thousandths_is_seen(height):
    """It adds 4 height to D = 1; a check that lets tenths pass would not see it."""
    for problem in (with_a_bump(0.27, 1e-3, height), without_hvp(with_a_bump(0.27, 1e-3, height))):
        assert directional_smoothness(problem, [0.0], [1.0]) == pytest.approx(1 + 4 * height, rel=1e-8)


@pytest.mark.parametrize("height", [1e-2, 3e-3])
def test_a_peak_of_a_few_thousandths_is_seen_without_losses(height):
    """The curvature 1 + height bell/(2 width) at 0.27: the gradient changes by 1 + height, D is 1 + 2 height 0.73."""
    width = 1e-3

    class Peak:
        dim = 1

        def grad(self, w):
            return w + 0.5 * height * np.tanh((w - 0.27) / width)

        def hvp(self, w, v):
            return (1 + 0.5 * height * bell((w - 0.27) / width) / width) * v

    expected = 1 + 2 * height * (1 - 0.27)
    assert directional_smoothness(Peak(), [0.0], [1.0]) == pytest.approx(expected, rel=1e-6)
    pathwise = directional_smoothness(Peak(), [0.0], [1.0], kind="pathwise")  # at the end of the step up, 1 + height/t
    assert np.isnan(pathwise) or pathwise == pytest.approx(1 + height / 0.27, rel=2e-2)


def test_losses_that_round_are_no_check():
    """A large constant in the loss drowns the step: the integral stands."""
    for shift in (1e6, 1e12, 1e18):
        high = Function(1, lambda w, c=shift: LOG_COSH.loss(w) + c, LOG_COSH.grad, LOG_COSH.hvp)
        assert directional_smoothness(high, [0.0], [1e-2]) == directional_smoothness(LOG_COSH, [0.0], [1e-2])
    infinite = Function(1, lambda w: LOG_COSH.loss(w) + np.inf, LOG_COSH.grad, LOG_COSH.hvp)
    assert directional_smoothness(infinite, [0.0], [1.0]) == directional_smoothness(LOG_COSH, [0.0], [1.0])


@pytest.mark.parametrize("width", [1e-1, 1e-2, 1e-3, 1e-4])
def test_averages_of_a_step_of_the_gradient(width):
    """Largest and smallest A_t of tanh((x - 0.3)/width), known or NaN, never something else."""
    step = scalar(
        lambda x: width * log_cosh((x - 0.3) / width),
        lambda x: np.tanh((x - 0.3) / width),
        lambda x: bell((x - 0.3) / width) / width,
    )
    t = np.linspace(0, 1, 10**6 + 1)[1:]
    averages = (np.tanh((t - 0.3) / width) + np.tanh(0.3 / width)) / t
    for kind, best in (("pathwise", averages.max()), ("strong_convexity", averages.min())):
        value = directional_smoothness(step, [0.0], [1.0], kind=kind)
        assert value == pytest.approx(best, rel=1e-5, abs=1e-6) or (width < 1e-2 and np.isnan(value))


@pytest.mark.parametrize(("x", "y"), [(3.0, -0.4), (0.0, 3.0), (-2.0, 1.5)])
def test_averages_of_a_curvature_that_jumps(x, y):
    huber = scalar(
        lambda x: np.where(np.abs(x) < 1, 0.5 * x**2, np.abs(x) - 0.5),
        lambda x: np.clip(x, -1, 1),
        lambda x: (np.abs(x) < 1) * 1.0,
    )
    t = np.linspace(0, 1, 10**5 + 1)[1:]
    averages = (np.clip(x + t * (y - x), -1, 1) - np.clip(x, -1, 1)) / (t * (y - x))
    for kind, best in (("pathwise", averages.max()), ("strong_convexity", averages.min())):
        value = directional_smoothness(huber, [x], [y], kind=kind)
        assert np.isnan(value) or value == pytest.approx(best, abs=1e-4)
