"""A run that records nothing costs its starts and its hyper-parameters, however many there are."""

import subprocess
import sys
import textwrap

import pytest

SCRIPT = textwrap.dedent(
    """
    import numpy as np
    import eossim
    from eossim import Quadratic, Record, rules, simulate

    def peak():
        # not ru_maxrss, which counts the process that started this one
        status = open("/proc/self/status").read().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

    problem, nothing = Quadratic(np.linspace(0.1, 3, 10)), Record(what=())
    simulate(problem, rules.sam(eta=0.1, rho=0.1), np.ones(10), 10, record=nothing)
    before = peak()
    eta = np.linspace(0.01, 1, 10**6)
    run = simulate(problem, rules.sam(eta=eta, rho=0.1), np.ones(10), 10, record=nothing)
    assert run.sizes == {"run": 10**6, "step": 11}, run.sizes
    print(peak() - before)
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_a_million_runs():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 400  # megabytes
