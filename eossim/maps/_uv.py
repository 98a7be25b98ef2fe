"""Gradient descent on the uv model f = v·U x / sqrt(m), L = (f - y)²/2, in coordinates that close.

Notation: κ = ‖x‖²/m, λ = ‖∇f‖² (the neural tangent kernel, and the trace of the Hessian), Δ = f - y, η the step size.
"""

from __future__ import annotations

from .._map import Map

#: The stable form: P = η(λ + 2√κ f), Q = η(λ - 2√κ f), Y = η√κ y and e = η√κ Δ are free of units, and P and Q stay
#: non-negative in floating point as well. Observables: e²/2 = η²κ L, ηλ, and η times the largest eigenvalue of the
#: Hessian.
uv = Map(
    "uv",
    state="P Q",
    parameters="Y",
    where={"e": "(P - Q)/4 - Y"},
    update={"P": "P*(1 - e)**2", "Q": "Q*(1 + e)**2"},
    observables={
        "loss": "e**2/2",
        "trace": "(P + Q)/2",
        "sharpness": "((P + Q)/2 + sqrt(P*Q + ((P - Q) - 2*Y)**2))/2",
    },
    summary="uv model, positive coordinates",
    reference="arXiv:2003.02218",
    kernel_module="eossim.formulas.maps.uv",
)

#: The map `uv` with the signs of its factors: a² = P, b² = Q. The signs give the loss on a segment.
uv_amplitudes = Map(
    "uv_amplitudes",
    state="a b",
    parameters="Y",
    where={"P": "a*a", "Q": "b*b", "e": "(P - Q)/4 - Y"},
    update={"a": "a*(1 - e)", "b": "b*(1 + e)"},
    observables={
        "loss": "e**2/2",
        "sharpness": "((P + Q)/2 + sqrt(P*Q + ((P - Q) - 2*Y)**2))/2",
        "plus": "a",
        "minus": "b",
    },
    summary="uv model, signed amplitudes",
    reference="arXiv:2003.02218",
    kernel_module="eossim.formulas.maps.uv_amplitudes",
)

#: The same in function space, with units: observables L, λ and the largest eigenvalue of the Hessian. Near the balanced
#: manifold λ = 2√κ |f| it loses digits that `uv` keeps.
uv_function = Map(
    "uv_function",
    state="f lam",
    parameters="eta kappa y",
    where={"delta": "f - y"},
    update={
        "f": "f - eta*lam*delta + eta**2*kappa*delta**2*f",
        "lam": "lam + kappa*eta*delta*(eta*lam*delta - 4*f)",
    },
    observables={
        "loss": "delta**2/2",
        "trace": "lam",
        "sharpness": "(lam + sqrt(lam**2 + 4*kappa*(2*f*delta + delta**2)))/2",
    },
    summary="uv model, output and tangent kernel",
    reference="arXiv:2003.02218",
    kernel_module="eossim.formulas.maps.uv_function",
)

#: On the balanced manifold Q = 0, with X² = η√κ f (so P = 4X²).
uv_balanced = Map(
    "uv_balanced",
    state="X",
    parameters="Y",
    update={"X": "X*(1 + Y - X**2)"},
    observables={"loss": "(X**2 - Y)**2/2", "trace": "2*X**2", "sharpness": "X**2 + abs(2*X**2 - Y)"},
    summary="uv model on its balanced manifold",
    reference="arXiv:2311.02076",
    kernel_module="eossim.formulas.maps.uv_balanced",
)

#: On the balanced manifold, in the residual e = η√κ Δ = X² - Y.
uv_residual = Map(
    "uv_residual",
    state="e",
    parameters="Y",
    update={"e": "e*(1 - 2*Y + (Y - 2)*e + e**2)"},
    observables={"loss": "e**2/2", "trace": "2*(e + Y)", "sharpness": "e + Y + abs(2*e + Y)"},
    summary="uv model on its balanced manifold, residual",
    reference="arXiv:2311.02076",
    kernel_module="eossim.formulas.maps.uv_residual",
)
