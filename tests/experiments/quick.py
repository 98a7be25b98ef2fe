"""Quick versions of the experiments, each run once for all tests."""

import functools
import importlib


@functools.cache
def quick(name):
    return importlib.import_module(f"eossim.experiments.{name}").run(quick=True)
