"""The operators that rules are written in, loaded with the computer algebra on their first use.

They stand for the classes of `eossim.symbolic.vocabulary`; a module of rules that imports them from here costs nothing
until the mathematics of a rule is needed.
"""

from __future__ import annotations

from typing import Any


def grad(point: Any) -> Any:
    """Return the gradient of the loss at `point`."""
    from .symbolic import vocabulary

    return vocabulary.grad(point)


def norm(vector: Any) -> Any:
    """Return the Euclidean norm of `vector` over all coordinates of one run."""
    from .symbolic import vocabulary

    return vocabulary.norm(vector)


def precond(vector: Any) -> Any:
    """Return the frozen preconditioner applied to `vector`, P^-1 x."""
    from .symbolic import vocabulary

    return vocabulary.precond(vector)


def upcoming(variable: Any) -> Any:
    """Return the value that a state variable has after the step (implicit methods)."""
    from .symbolic import vocabulary

    return vocabulary.upcoming(variable)


def minimum(first: Any, second: Any) -> Any:
    """Return the smaller of two expressions."""
    import sympy

    return sympy.Min(first, second)
