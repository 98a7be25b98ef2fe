"""Claims against measurements: proof, 50 digits, bisection, counterexample search, real Hessians."""

from .report import Check, Report, Verdict
from .run import verify

__all__ = ["Check", "Report", "Verdict", "verify"]
