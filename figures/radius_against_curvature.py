"""Spectral radius and edge of every shipped rule against curvature."""

from pathlib import Path

from eossim import rules
from eossim._rule import Family
from eossim.plot import radius_panels, save

_VALUES = {
    "eta": 0.1,
    "rho": 0.05,
    "beta": 0.9,
    "beta1": 0.9,
    "beta_1": 0.4,
    "beta_2": 0.7,
    "mu": 0.9,
    "nu": 0.7,
    "tau": 0.4,
    "alpha": 0.5,
    "weight_decay": 3.0,
    "clip": 1.0,
    "grad_norm": 1.3,
    "eta_1": 0.1,
    "eta_2": 0.2,
    "eta_3": 0.3,
    "weight_1": 0.5,
    "weight_2": 0.5,
}
_MEMBERS = {"cyclic_steps": 3, "lookahead": 5, "parallel_ema": 2, "delayed_gd": 2}


def main() -> None:
    """Draw and save the figure beside this script."""
    panels = {}
    for name, found in rules.CATALOGUE.items():
        rule = found.member(_MEMBERS[name]) if isinstance(found, Family) else found
        title = f"{name} ({found.structure} = {_MEMBERS[name]})" if isinstance(found, Family) else name
        wanted = {*rule.hyper, *map(str, rule.linearization.frozen)}
        panels[title] = (rule, {n: _VALUES[n] for n in wanted})
    figure, numbers = radius_panels(panels, columns=6)
    save(figure, Path(__file__).with_suffix(""), numbers)


if __name__ == "__main__":
    main()
