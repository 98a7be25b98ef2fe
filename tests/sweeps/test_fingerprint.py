"""The identity of a function: what changes it, what does not, and that changes are named."""

import functools
import importlib.util
import subprocess
import sys
import textwrap

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
        (("sum(nested)", "min(nested)"), "code of cell: changed"),
        (("x * 7", "x * 8"), "code of cell: changed"),
        (("beta=0.25", "beta=0.5"), "default cell(beta): 0.5, the store has 0.25"),
        (("STEPS = 100", "STEPS = 101"), "global STEPS: 101, the store has 100"),
        (("np.arange(3.0)", "np.arange(4.0)"), "global TABLE: "),
        (("return SCALE * x", "return SCALE + x"), "code of study_helper.helper: changed"),
        (("SCALE = 2.0", "SCALE = 3.0"), "global SCALE: 3.0, the store has 2.0"),
        (("x**2", "x**3"), "code of cached: changed"),
        (("(*args) + 1", "(*args) + 2"), "code of decorated.<locals>.wrapper: changed"),
        (("def inner(x):\n    return x", "def inner(x):\n    return -x"), "code of inner"),
        (("return x + 1", "return x + 2"), "code of Base.step: changed"),
        (("rate = 0.5", "rate = 0.6"), "Method.rate: 0.6, the store has 0.5"),
        (("self.rate * self", "self.rate - self"), "code of Method.run: changed"),
    ],
)
def test_changes_count_and_are_named(load, change, named):
    before = identity(load().cell)
    changed = differences(identity(load(change).cell), before)
    assert len(changed) == 1
    assert changed[0].startswith(named)


@pytest.mark.parametrize(
    "changes",
    [
        [("# remark", "# another")],
        [('"""Words."""', '"""Other words,\n    and more."""')],
        [("import functools", "import functools\n\n\n")],
        [("def unused(x):\n    return 0", "def unused(x):\n    return 1")],
        [("return eta + offset", "return eta - offset")],
        [("def late", "def later_on")],
        [("nested = [helper(eta) for", "nested = [\n        helper(eta)\n        for")],
    ],
)
def test_what_does_not_matter_does_not_count(load, changes):
    assert identity(load(*changes).cell) == identity(load().cell)


def test_the_name_of_its_own_module_does_not_count(load):
    assert identity(load(study="__main__copy").cell) == identity(load().cell)


def test_a_module_imported_inside_counts_as_a_whole(load):
    before = identity(load().late)
    assert differences(identity(load(("return 0", "return 1")).late), before) == ["code of study_helper: changed"]


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
    (tmp_path / "study_helper.py").write_text(HELPER)
    (tmp_path / "study.py").write_text(STUDY)
    script = textwrap.dedent("""
        import json, study
        from eossim.sweeps.fingerprint import identity
        import functools
        print(json.dumps(identity(functools.partial(study.cell, beta={"b", "a", "c"})), sort_keys=True))
    """)
    found = {
        subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
        ).stdout
        for _ in range(2)  # hashes of text are random in each
    }
    assert len(found) == 1


def test_the_project_is_what_is_not_installed(load):
    study = load()
    assert project_modules(study.cell) == {"study", "study_helper"}
    assert project_modules(np.hypot) == set()
    assert not any("numpy" in part for part in identity(study.cell))


def test_code_of_eossim_counts_with_its_files():
    version = identity(eossim.simulate)["eossim"]
    assert version.startswith(eossim.__version__)
    assert identity(lambda eta: eossim.simulate)["eossim"] == eossim.__version__
