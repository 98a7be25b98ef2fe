"""Maps of other solvable models of the edge of stability."""

from __future__ import annotations

from .._map import Map

#: Gradient descent on second-order regression with one datum, z = step × residual and T = step × tangent kernel, when
#: the model's Hessian has the eigenvalues 1 and -eps only. E is conserved. eps = 1, E = -Y is the uv model.
second_order = Map(
    "second_order",
    state="z T",
    parameters="eps E",
    where={"T1": "(1 - eps)*T + 2*eps*(z - E)", "T2": "(1 - eps)*T1 + eps*T"},
    update={"z": "z*(1 - T) + z**2*T1/2", "T": "T - 2*z*T1 + z**2*T2"},
    observables={"loss": "z**2/2", "ntk": "T"},
    summary="second-order regression, one datum",
    reference="arXiv:2210.04860",
    kernel_module="eossim.formulas.maps.second_order",
)

#: Gradient descent on L = (1 - abcd)²/2 from a = b = x, c = d = y. The Hessian has the eigenvalues (1 - abcd)x²,
#: (1 - abcd)y² and those of a 2 × 2 block on the directions (1, 1, 0, 0) and (0, 0, 1, 1).
minimalist = Map(
    "minimalist",
    state="x y",
    parameters="eta",
    where={
        "r": "1 - x**2*y**2",
        "A": "y**2*(2*x**2*y**2 - r)",
        "B": "2*x*y*(x**2*y**2 - r)",
        "C": "x**2*(2*x**2*y**2 - r)",
    },
    update={"x": "x + eta*r*x*y**2", "y": "y + eta*r*x**2*y"},
    observables={
        "loss": "r**2/2",
        "product": "x**2*y**2",
        "sharpness": "max((A + C)/2 + sqrt(((A - C)/2)**2 + B**2), r*x**2, r*y**2)",
    },
    summary="four-parameter product",
    reference="arXiv:2210.03294",
    kernel_module="eossim.formulas.maps.minimalist",
)

#: Predicted dynamics of self-stabilisation: x the displacement along the top eigenvector, y = S - 2/η the excess of the
#: sharpness, alpha = -∇L·∇S, beta = ‖∇S‖² orthogonal to that eigenvector.
self_stabilization = Map(
    "self_stabilization",
    state="x y",
    parameters="eta alpha beta",
    update={"x": "-(1 + eta*y)*x", "y": "y + eta*(alpha - beta*x**2/2)"},
    observables={"displacement": "abs(x)", "sharpness": "2/eta + y"},
    summary="self-stabilisation, displacement and excess sharpness",
    reference="arXiv:2209.15594",
    kernel_module="eossim.formulas.maps.self_stabilization",
)
