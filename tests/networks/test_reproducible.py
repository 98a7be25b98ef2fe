import os
import subprocess
import sys

_DIGEST = """
import numpy as np
from eossim import MLP
rng = np.random.default_rng(0)
X, y = rng.standard_normal((512, 64)), rng.standard_normal((512, 10))
problem = MLP((64, 8, 10), "relu", "mse", X, y, bias=False, reduction="mean", dtype=np.float32)
rows = rng.standard_normal((2, problem.dim)).astype(np.float32)
parts = []
for k in range(6):
    w = problem.initial(0) * np.float32(1 + 0.01 * k)
    found = problem.linearize(w).sharpness(rows)
    parts += [*problem.loss_and_grad(w), found.value, found.vectors, problem.sample_hvp(w, rows[0], batch=[3, 5])]
print(b"".join(np.asarray(part).tobytes() for part in parts).hex())
"""


def test_a_process_that_compiles_and_one_that_loads_what_it_compiled_give_the_same_bits(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def bits():
        done = subprocess.run(
            [sys.executable, "-c", _DIGEST], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    compiled = bits()
    assert len(compiled) > 1000
    assert any(tmp_path.rglob("*.nbc"))
    assert bits() == compiled
