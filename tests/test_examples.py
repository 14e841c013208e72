"""Every script in examples/ runs, prints what it found, and ends with an assertion about it."""

import ast
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.fixture(autouse=True)
def strict_promotion():
    """Scripts run as users run them."""


def test_there_are_examples():
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs_and_checks_what_it_prints(path, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = path.read_text(encoding="utf-8")
    assert isinstance(ast.parse(source).body[-1], ast.Assert) and source.count("\n") <= 40
    runpy.run_path(str(path))
    assert any(character.isdigit() for character in capsys.readouterr().out)
