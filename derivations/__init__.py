"""Derivations: one readable script per result, every step asserted; `python -m derivations` regenerates the formulas."""

from __future__ import annotations

from importlib import import_module

from eossim.symbolic.derivation import Derivation

SCRIPTS = ("gd",)


def derive_all() -> list[Derivation]:
    """Run every script and return its derivations."""
    return [d for name in SCRIPTS for d in import_module(f".{name}", __name__).derive()]
