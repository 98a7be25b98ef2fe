"""The identity of a function: what changes it, what does not, and that changes are named."""

import dataclasses
import functools
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
import threading
import types

import numpy as np
import pytest

import eossim
from eossim.sweeps.fingerprint import differences, identity, project_modules

HELPER = "SCALE = 2.0\ndef helper(x):\n    return SCALE * x\ndef unused(x):\n    return 0\n"
STUDY = '''
import functools
import numpy as np
import study_helper
from study_helper import helper

STEPS = 100
TABLE = {"a": np.arange(3.0)}


class Base:
    def step(self, x):
        return x + 1


class Method(Base):
    rate = 0.5

    def run(self, x):
        return self.rate * self.step(x)


@functools.cache
def cached(x):
    return x**2


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args) + 1
    return wrapper


@decorated
def inner(x):
    return x


def make(offset):
    def closure(eta):
        return eta + offset
    return closure


def cell(eta, beta=0.25):
    """Words."""
    # remark
    nested = [helper(eta) for _ in range(STEPS)]
    later = lambda x: x * 7
    return sum(nested) + study_helper.helper(eta) + Method().run(eta) + cached(eta) + inner(eta) + TABLE["a"] + later(1)


def late(eta):
    import study_helper as other
    return other.helper(eta)
'''


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Import the two modules, each anew, with some of their text replaced."""
    monkeypatch.syspath_prepend(tmp_path)

    def load(*changes, study="study"):
        texts = {"study_helper": HELPER, study: STUDY}
        for old, new in changes:
            assert any(old in text for text in texts.values()), old
            texts = {name: text.replace(old, new) for name, text in texts.items()}
        for name, text in texts.items():
            path = tmp_path / f"{name}.py"
            path.write_text(text)
            spec = importlib.util.spec_from_file_location(name, path)
            module = importlib.util.module_from_spec(spec)
            monkeypatch.setitem(sys.modules, name, module)
            exec(compile(text, path, "exec"), vars(module))
        return module

    return load


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("sum(nested)", "min(nested)"), ["code of cell: changed", "file study.py: changed"]),
        (("beta=0.25", "beta=0.5"), ["default cell(beta): 0.5, the store has 0.25", "file study.py: changed"]),
        (("STEPS = 100", "STEPS = 101"), ["global STEPS: 101, the store has 100", "file study.py: changed"]),
        (("np.arange(3.0)", "np.arange(4.0)"), ["file study.py: changed"]),
        (("return SCALE * x", "return SCALE + x"), ["file study_helper.py: changed"]),
        (("SCALE = 2.0", "SCALE = 3.0"), ["file study_helper.py: changed"]),
        (("x**2", "x**3"), ["file study.py: changed"]),
        (("(*args) + 1", "(*args) + 2"), ["file study.py: changed"]),
        (("rate = 0.5", "rate = 0.6"), ["file study.py: changed"]),
        (("return 0", "return 1"), ["file study_helper.py: changed"]),
    ],
)
def test_changes_count_and_are_named(load, change, named):
    before = identity(load().cell)
    assert differences(identity(load(change).cell), before) == named


@pytest.mark.parametrize(
    "changes",
    [
        [("# remark", "# another")],
        [('"""Words."""', '"""Other words,\n    and more."""')],
        [("import functools", "import functools\n\n\n")],
        [("nested = [helper(eta) for", "nested = [\n        helper(eta)\n        for")],
    ],
)
def test_what_does_not_matter_does_not_count(load, changes):
    assert identity(load(*changes).cell) == identity(load().cell)


PACKAGE = {"pkg/__init__.py": "", "pkg/sub.py": "def g(a):\n    return a + 1\n"}
ONE = "def g(a):\n    return a + 1\n"


def printed(folder, files, seed="0"):
    """Identity of `prog.f`, in a process of its own."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    script = "import json, prog; from eossim.sweeps.fingerprint import identity; print(json.dumps(identity(prog.f)))"
    options = {"cwd": folder, "capture_output": True, "text": True, "check": True, "timeout": 60}
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
    return json.loads(subprocess.run([sys.executable, "-c", script], env=environment, **options).stdout)


@pytest.mark.parametrize(
    "files",
    [
        {"prog.py": "import pkg.sub\ndef f(a): return pkg.sub.g(a)\n", **PACKAGE},
        {"prog.py": "def f(a):\n    from pkg import sub\n    return sub.g(a)\n", **PACKAGE},
        {"prog.py": "import importlib\ndef f(a): return importlib.import_module('pkg.sub').g(a)\n", **PACKAGE},
        {"prog.py": "import m\ndef f(a): return m.n.g(a)\n", "m.py": "import n\n", "n.py": ONE},
        {
            "prog.py": "from pkg import sub\ndef f(a): return sub.deep.g(a)\n",
            "pkg/__init__.py": "",
            "pkg/sub.py": "from . import deep\n",
            "pkg/deep.py": ONE,
        },
        {"prog.py": "import functools\nclass M:\n    @functools.lru_cache\n    def g(self, a): return a + 1\n"
                    "def f(a): return M().g(a)\n"},
        {"prog.py": "import functools\n@functools.singledispatch\ndef g(a): return 0\n"
                    "@g.register\ndef _(a: int): return a + 1\ndef f(a): return g(a)\n"},
        {"prog.py": "T = ({'g': lambda a: a + 1},)\ndef f(a): return T[0]['g'](a)\n"},
        {"prog.py": "import re, threading\nL, C, R = threading.Lock(), {}, re.compile('x')\n"
                    "def f(a): C[a] = R; return a + 1\n"},
    ],
)  # fmt: skip
def test_every_file_that_is_imported_counts_and_nothing_else(tmp_path, files):
    before = printed(tmp_path, files, seed="0")
    changed = {name: text.replace("a + 1", "a + 2") for name, text in files.items()}
    (file,) = [name for name in files if changed[name] != files[name]]
    lines = differences(printed(tmp_path, changed, seed="1"), before)
    assert [line for line in lines if line != "code of f: changed"] == [f"file {file}: changed"]


def test_the_same_file_as_a_script_and_as_a_module(tmp_path):
    asked = (
        "\n    import json\n    from eossim.sweeps.fingerprint import identity\n    print(json.dumps(identity(f)))\n"
    )
    text = f"import part\ndef f(a): return part.g(a)\nif __name__ == '__main__':{asked}"
    files = {"prog.py": text, "part.py": ONE}
    imported = printed(tmp_path, files)
    script = subprocess.run(
        [sys.executable, "prog.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(script.stdout) == imported


def test_values_changed_at_run_time_count(load):
    study = load()
    before = identity(study.cell)
    study.STEPS = 7
    lines = differences(identity(study.cell), before)
    assert lines[0] == "global STEPS: 7, the store has 100"
    study.STEPS = 100
    sys.modules["study_helper"].SCALE = 7.0
    assert differences(identity(study.cell), before) == ["global SCALE, as loaded from study_helper.py: new, 7.0"]


def test_a_file_edited_after_its_import_is_not_what_runs(load, tmp_path):
    study = load()
    before = identity(study.cell)
    helper = tmp_path / "study_helper.py"
    helper.write_text(HELPER.replace("SCALE * x", "SCALE + x").replace("2.0", "3.0"))
    stale = identity(study.cell)
    assert [line.partition(":")[0] for line in differences(stale, before)] == [
        "file study_helper.py",
        "code of helper, as loaded from study_helper.py",
        "global SCALE, as loaded from study_helper.py",
    ]
    fresh = load(("SCALE * x", "SCALE + x"), ("2.0", "3.0"))
    assert differences(identity(fresh.cell), stale)


NOTEBOOK = """
import study_helper
RATE, TABLE, LATER = 0.5, {"a": np.arange(3.0)}, [lambda x: x * 7]
@dataclasses.dataclass
class Step:
    size: int = 3
    many: list = dataclasses.field(default_factory=lambda: [1])
    def take(self, x): return x - self.size
@functools.cache
def helper(x): return RATE * x
def cell(eta):
    from study_helper import helper as other
    return helper(eta) + TABLE["a"] + Step().take(eta) + LATER[0](eta) + other(eta)
def unused(): return lock
"""


@pytest.mark.parametrize(
    "change",
    [
        ("RATE * x", "RATE - x"),
        ("0.5", "0.6"),
        ("3.0", "4.0"),
        ("x * 7", "x * 8"),
        ("x - self.size", "x + self.size"),
        ("int = 3", "int = 4"),
        ("[1]", "[2]"),
        ("+ other(eta)", "- other(eta)"),
        (" SCALE * x", " SCALE + x"),
    ],
)
def test_without_a_file_all_that_is_used_counts(load, change):
    def of(*changes):
        load(*[c for c in changes if c[0] in HELPER])
        text = functools.reduce(lambda text, c: text.replace(*c), changes, NOTEBOOK)
        names = {"__name__": "__main__", "np": np, "functools": functools, "dataclasses": dataclasses}
        names["lock"] = threading.Lock()
        before = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")  # as in a notebook: no file
        vars(sys.modules["__main__"]).update(names)
        try:
            exec(text, vars(sys.modules["__main__"]))
            return identity(vars(sys.modules["__main__"])["cell"])
        finally:
            sys.modules["__main__"] = before

    assert of() == of(("return lock", "return [lock]"))
    assert differences(of(change), of())


def test_closures_and_constants_count(load):
    study = load()
    one = identity(study.make(1))
    (line,) = differences(identity(study.make(2)), one)
    assert line == "closure value make.<locals>.closure(offset): 2, the store has 1"
    assert identity(study.make(1)) == one
    bound = identity(functools.partial(study.cell, beta=0.1))
    assert differences(identity(functools.partial(study.cell, beta=0.2)), bound) == [
        "constant beta: 0.2, the store has 0.1"
    ]
    assert differences(identity(study.cell), bound) == ["constant beta: gone, the store has 0.1"]
    data = np.arange(1000.0)
    big = identity(functools.partial(study.cell, beta=data))
    data[7] += 1e-9
    (line,) = differences(identity(functools.partial(study.cell, beta=data)), big)
    assert line.startswith("constant beta: ndarray ")


def test_constants_in_containers_count_by_their_contents():
    def cell(eta, problem):
        return eta

    def of(constant):
        return identity(functools.partial(cell, problem=constant))

    def problem(a):
        return {"p": eossim.Quadratic([4.0, a])}

    small = [np.array([1.0, 1e-9]), np.array([1.0, 1e-9 + 1e-20])]
    torch_like = [{1, "a"}, {1, "b"}]
    functions = [(len, lambda x: x), (len, lambda x: -x)]
    for first, second in (map(problem, (1.0, 2.0)), ([a] for a in small), torch_like, functions, ([True], [1])):
        assert differences(of(first), of(second))
    same = of(problem(1.0))
    assert of(problem(1.0)) == same
    twice = lambda x: x  # noqa: E731
    assert of([twice, twice, functions[1][1]]) != of([twice, functions[1][1], functions[1][1]])


def test_lambdas_on_one_line_differ():
    first, second = lambda x: x + 1, lambda x: x + 2
    assert identity(first) != identity(second)


def test_objects_count_by_their_contents_not_by_what_they_have_computed():
    def cell(eta, problem):
        return problem.loss(np.full(2, eta))

    def of(curvature):
        return eossim.Quadratic(curvature)

    used = of([[4.0, 1.0], [1.0, 2.0]])
    before = identity(functools.partial(cell, problem=used))
    used.eigenvalues  # noqa: B018 computed now, and kept
    assert identity(functools.partial(cell, problem=used)) == before
    assert identity(functools.partial(cell, problem=of([[4.0, 1.0], [1.0, 2.5]]))) != before
    network, sam = eossim.MLP([2, 3, 1], "tanh", "mse", np.eye(2), np.ones(2)), eossim.rules.sam(eta=0.1, rho=0.05)
    bound = [identity(functools.partial(cell, problem=constant)) for constant in (network, sam)]
    eossim.train(network, sam, steps=3, record=eossim.Record(track=("sharpness",)))
    assert [identity(functools.partial(cell, problem=constant)) for constant in (network, sam)] == bound


def test_what_cannot_be_read_is_said():
    lines = (line for line in "ab")

    def cell(eta):
        return next(lines)

    with pytest.raises(TypeError, match=r"closure value .*\(lines\) holds <generator .* cannot be read"):
        identity(cell)


def test_identity_is_the_same_in_the_next_process(tmp_path):
    """Whatever is bound: hashes of text and addresses differ between processes."""
    text = textwrap.dedent("""
        import functools, pathlib, random, re
        import eossim, numpy as np, pandas as pd, xarray as xr
        from numba import njit
        class Own:
            def __init__(self): self.rate, self.step = 0.5, len
        def g(a): return a + 1
        def cell(a, b): return a
        @njit
        def fast(a): return a
        table = pd.DataFrame({"x": [1, 2], "y": ["p", "q"]})
        constants = [
            {"b", "a", "c"}, (g, {"g": g}), [Own(), Own], re.compile("a+"), pathlib.Path("a"), table,
            xr.Dataset(table), np.random.default_rng(0), random.Random(1), eossim.Quadratic([4.0, 1.0]),
            eossim.rules.sam(eta=0.1, rho=0.1), np.sin, np.linalg.norm, fast, functools.partial(g, 1),
            np.array([None, "a"]), 1e-9, b"x", None, Own().step, max,
            eossim.MLP([2, 3, 1], "tanh", "mse", np.eye(2), np.ones(2)), 1 + 2j, np.float32(0.1), slice(1, 2), ...,
        ]
        f = functools.partial(cell, b=constants)
    """)
    first = printed(tmp_path, {"prog.py": text}, "1")
    assert printed(tmp_path, {"prog.py": text}, "2") == first
    assert not any("numpy" in part for part in first)


def test_torch_modules_and_tensors_count_by_their_numbers():
    torch = pytest.importorskip("torch")

    def of(*numbers):
        layer = torch.nn.Linear(2, 1)
        with torch.no_grad():
            layer.weight[:] = torch.tensor(numbers)
            layer.bias[:] = 0
        return identity(functools.partial(lambda a, b: a, b=[layer, torch.tensor(numbers)]))

    assert of(1.0, 2.0) == of(1.0, 2.0) != of(1.0, 2.5)


def test_the_project_is_what_is_not_installed(load):
    study = load()
    assert project_modules(study.cell) == {"study", "study_helper"}
    assert project_modules(np.hypot) == set()
    assert not any("numpy" in part for part in identity(study.cell))
    assert {part for part in identity(study.cell) if part.startswith("file")} == {
        "file study.py",
        "file study_helper.py",
    }


def test_code_of_eossim_counts_with_its_files():
    version = identity(eossim.simulate)["eossim"]
    assert version.startswith(eossim.__version__)
    assert identity(lambda eta: eossim.simulate)["eossim"] == eossim.__version__
