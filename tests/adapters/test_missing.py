"""A library that is not there."""

import importlib
import sys

import pytest

from eossim import adapters


@pytest.mark.parametrize(("name", "library"), [("from_torch", "torch"), ("TorchMonitor", "torch"), ("from_jax", "jax")])
def test_it_says_what_to_install(monkeypatch, name, library):
    def absent(module, package=None):
        if module == library:
            raise ModuleNotFoundError(f"No module named {library!r}", name=library)
        return importlib.__import__(module)

    monkeypatch.setattr("eossim.adapters._require.importlib.import_module", absent)
    with pytest.raises(ImportError, match=rf'this needs {library}: pip install "eossim\[{library}\]"'):
        getattr(adapters, name)


def test_a_broken_library_is_not_called_missing(monkeypatch):
    def broken(module, package=None):
        raise ModuleNotFoundError("No module named 'typing_extensions'", name="typing_extensions")

    monkeypatch.setattr("eossim.adapters._require.importlib.import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="typing_extensions"):
        _ = adapters.from_torch


def test_names():
    assert set(dir(adapters)) == {"JaxProblem", "TorchMonitor", "TorchProblem", "from_jax", "from_torch"}
    with pytest.raises(AttributeError, match="has no attribute 'from_tensorflow'"):
        _ = adapters.from_tensorflow


def test_importing_it_loads_no_library():
    import subprocess

    code = "import sys, eossim; eossim.adapters; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "jax", "numba"} & set(done.stdout.split())
