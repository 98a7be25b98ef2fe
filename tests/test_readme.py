"""What the README shows must run."""

import re
import subprocess
import sys
from pathlib import Path

import eossim
from derivations import readme

TEXT = readme.README.read_text(encoding="utf-8")


def test_table_is_the_catalogue():
    assert readme.is_current()
    assert eossim.edges().markdown() in TEXT


def test_python_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
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
    from typer.testing import CliRunner

    from eossim.cli import app

    for line in ("edge sam eta=0.1 rho=0.05 grad_norm=1.3", "derive sam", "edges", "doctor"):
        assert f"eossim {line}" in TEXT
        assert CliRunner().invoke(app, line.split()).exit_code == 0
