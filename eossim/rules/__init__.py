"""The shipped methods, each a few lines of mathematics.

Positional parameters are the state (``w`` the iterate), keyword-only parameters the hyper-parameters, the return value
is the state after one step. Everything else (edge, kernel, test) follows from these lines. Edges marked "derived" were
derived for this project; ``arXiv`` numbers name where a method's edge was published.
"""

from __future__ import annotations

from typing import Any

from .._rule import Family, Rule
from . import adaptive, memoryless, momentum, sharpness_aware

#: Every shipped method by name, in the order of the catalogue.
CATALOGUE: dict[str, Rule | Family] = {
    name: value
    for module in (memoryless, momentum, adaptive, sharpness_aware)
    for name, value in vars(module).items()
    if isinstance(value, Rule | Family)
}
for _name, _rule in CATALOGUE.items():
    if isinstance(_rule, Rule):
        _rule.kernel_module = f"eossim.formulas.kernels.{_name}"
globals().update(CATALOGUE)
__all__ = ["CATALOGUE", *CATALOGUE]


def __getattr__(name: str) -> Any:
    from .._check import unknown

    raise AttributeError(str(unknown("rule", name, tuple(CATALOGUE))))
