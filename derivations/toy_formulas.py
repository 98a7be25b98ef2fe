"""The closed forms of the toy models that `eossim/formulas/toy.py` holds, by name; each is proved in its derivation."""

from __future__ import annotations

import sympy as sp

from . import (
    toy_minimalist,
    toy_second_order,
    toy_self_stabilization,
    toy_two_step,
    toy_uv_averages,
    toy_uv_balanced,
    toy_uv_flow,
    toy_uv_hessian,
    toy_uv_many_steps,
    toy_uv_thresholds,
)

_OUTPUT = ("f", "lam", "kappa", "y")


def toy_formulas() -> dict[str, tuple[sp.Expr, tuple[str, ...]]]:
    """Return (expression, names of its arguments) by the name of the function."""
    return {
        "uv_s": (toy_uv_hessian.S_PARAMETER, _OUTPUT),
        "uv_sharpness": (_rounded(toy_uv_hessian.SHARPNESS), _OUTPUT),
        "uv_conversion": (toy_uv_hessian.CONVERSION, ("s",)),
        "uv_loss_ratio": (toy_uv_thresholds.LOSS_RATIO, ("k", "s")),
        "uv_trace_ratio": (toy_uv_thresholds.TRACE_RATIO, ("k", "s")),
        "uv_k_loss": (toy_uv_thresholds.K_LOSS, ("s",)),
        "uv_k_max": (toy_uv_thresholds.K_MAX, ()),
        "uv_k_sharp_cubic": (toy_uv_thresholds.K_SHARP_CUBIC, ("k", "s")),
        "uv_c_max": (toy_uv_thresholds.C_MAX, ("s",)),
        "uv_gradient_flow_end": (_rounded(toy_uv_flow.FLOW_END), _OUTPUT),
        "uv_zero_output_c_loss": (toy_uv_flow.ZERO_OUTPUT_C_LOSS, ("lam", "kappa", "y")),
        "uv_segment_output": (toy_uv_many_steps.SEGMENT_OUTPUT, ("p", "q", "kappa", "A", "B", "tau")),
        "uv_waiting_time": (toy_uv_many_steps.WAITING_TIME, ("k", "s")),
        "uv_mean_s": (toy_uv_averages.MEAN_S, ("w",)),
        "uv_mean_s2": (toy_uv_averages.MEAN_S2, ("w",)),
        "uv_mean_c_loss": (toy_uv_averages.MEAN_C_LOSS, ("w",)),
        "uv_mean_c_sharp": (toy_uv_averages.MEAN_C_SHARP, ("w",)),
        "uv_mean_c_max": (toy_uv_averages.MEAN_C_MAX, ("w",)),
        "uv_eta_critical": (toy_uv_balanced.ETA_CRITICAL, ("kappa", "y")),
        "uv_two_cycle_high": (toy_uv_balanced.HIGH, ("Y",)),
        "uv_two_cycle_low": (toy_uv_balanced.LOW, ("Y",)),
        "uv_two_cycle_multiplier": (toy_uv_balanced.MULTIPLIER, ("Y",)),
        "uv_two_cycle_transverse": (toy_uv_balanced.TRANSVERSE, ("Y",)),
        "uv_monotone_limit": (toy_uv_balanced.MONOTONE, ()),
        "uv_superstable": (toy_uv_balanced.SUPERSTABLE, ()),
        "uv_doubling": (toy_uv_balanced.DOUBLING, ()),
        "uv_zero_reached": (toy_uv_balanced.ZERO_REACHED, ()),
        "second_order_limit": (toy_second_order.LIMIT, ("epsilon",)),
        "two_step_coefficient": (toy_two_step.COEFFICIENT, ("f2", "f3", "f4")),
        "self_stabilization_delta": (toy_self_stabilization.DELTA, ("alpha", "beta")),
        "self_stabilization_period": (toy_self_stabilization.PERIOD, ("eta", "alpha")),
        "minimalist_sharpness": (toy_minimalist.SHARPNESS, ("x",)),
        "minimalist_limit": (toy_minimalist.LIMIT, ("eta",)),
    }


def _rounded(expression: sp.Expr) -> sp.Expr:
    """Return `expression` with p q, never negative, kept so: rounding can make it -1e-17 on the balanced manifold."""
    return expression.xreplace({toy_uv_hessian.PRODUCT: sp.Max(0, toy_uv_hessian.PRODUCT)})
