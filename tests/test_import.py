"""`import eossim` brings in names, not libraries."""

import subprocess
import sys

import pytest

import eossim

HEAVY = ("sympy", "xarray", "matplotlib", "numba", "scipy", "sklearn", "pandas", "joblib")


def modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import eossim", "from eossim import rules; rules.sam", "import eossim; dir(eossim)"])
def test_import_is_light(code):
    assert not modules_after(code) & set(HEAVY)


def test_a_simulation_needs_no_algebra_or_plotting():
    code = "import eossim as e; e.simulate(e.Quadratic([1.0]), e.rules.sam(eta=0.1, rho=0.1), steps=2)"
    assert not modules_after(code) & {"sympy", "matplotlib", "sklearn"}


def test_every_public_name_exists():
    assert set(eossim.__all__) <= set(dir(eossim))
    for name in eossim.__all__:
        assert getattr(eossim, name) is not None


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="module 'eossim' has no attribute 'simulat'"):
        _ = eossim.simulat
