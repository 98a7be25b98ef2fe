"""What the derivations on toy models share: symbols, and the shipped maps at given arguments."""

from __future__ import annotations

import sympy as sp

from eossim._map import Map

#: Output, target and tangent kernel of the uv model; p, q = lam +- 2 sqrt(kappa) f, and eta times them.
f, y, s, e = sp.symbols("f y s e", real=True)
lam, kappa, k, w = sp.symbols("lam kappa k w", positive=True)
p, q, P, Q = sp.symbols("p q P Q", nonnegative=True)
Y, epsilon = sp.symbols("Y epsilon", positive=True)


def put(m: Map, expression: sp.Expr, **values: sp.Expr) -> sp.Expr:
    """Return an expression in the symbols of a map at values of its coordinates and parameters."""
    return expression.xreplace({m.symbols[name]: sp.sympify(value) for name, value in values.items()})


def image(m: Map, **values: sp.Expr) -> tuple[sp.Expr, ...]:
    """Return one step of a map from values of its coordinates and parameters."""
    return tuple(put(m, expression, **values) for expression in m.update)
