"""What the README shows must run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import eossim
from derivations import readme
from eossim.cli import app

TEXT = readme.README.read_text(encoding="utf-8")


def test_table_is_the_catalogue():
    assert readme.is_current()
    assert eossim.edges().markdown() in TEXT


BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)
PAGES = sorted((readme.README.parent / "docs").glob("*.md"))
EXAMPLES = [
    *(("README", code) for code in BLOCKS),
    *((page.stem, code) for page in PAGES for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.S)),
]


@pytest.mark.parametrize("code", [code for _, code in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_python_examples_run(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


def test_numbers_in_its_comments_are_right():
    code = BLOCKS[0]
    namespace: dict = {}
    exec(code.split("problem =")[0], namespace)  # the numbers that the comments show
    shown = float(re.search(r"rho=0\.05\) +# ([\d.]+)", code)[1])
    assert namespace["mine"].edge(eta=0.1, beta=0.5, rho=0.05) == shown
    assert namespace["mine"].edge.text in code


def test_files_that_it_names_exist():
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (Path(readme.README).parent / target).exists(), target


def test_ci_runs_the_test_command_of_the_readme():
    command = next(line for line in TEXT.splitlines() if line.endswith("/pytest -n 2"))
    script = (readme.README.parent / ".ci" / "run").read_text()
    assert "README.md" in script
    assert command.startswith("python3 -m venv .venv && ")


def test_commands_that_it_shows_are_accepted():
    for line in ("edge sam eta=0.1 rho=0.05 grad_norm=1.3", "derive sam", "edges", "doctor"):
        assert f"eossim {line}" in TEXT
        assert CliRunner().invoke(app, line.split()).exit_code == 0


@pytest.mark.parametrize("block", re.findall(r"```text\n\$ eossim (.*?)```", TEXT, re.S))
def test_the_output_that_it_shows_is_the_output(tmp_path, block):
    command, _, shown = block.partition("\n")
    output = CliRunner().invoke(app, [*command.split(), "--out", str(tmp_path / "f.png")]).output
    numbers = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"  # as printed, up to the last digit on another processor
    assert re.sub(numbers, "#", shown.strip()) == re.sub(numbers, "#", output.rpartition("\n\nfigure")[0].strip())
    pairs = zip(re.findall(numbers, shown), re.findall(numbers, output), strict=False)
    assert all(float(a) == pytest.approx(float(b), rel=1e-3) for a, b in pairs)
