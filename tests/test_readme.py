"""The examples of README.md and of docs/extending.md run, and print or assert what they say."""

import doctest
import re
from pathlib import Path

import pytest

import sketchlab as sl

ROOT = Path(__file__).parent.parent
CATALOGUES = (sl.SKETCHES, sl.DECOMPOSITIONS, sl.NETWORKS)


@pytest.fixture
def catalogues_as_before():
    kept = [dict(catalogue) for catalogue in CATALOGUES]
    yield
    for catalogue, entries in zip(CATALOGUES, kept, strict=True):
        catalogue.clear()
        catalogue.update(entries)


def test_the_readme_examples_run_and_print_what_they_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted >= 8 and result.failed == 0


def test_what_you_bring_is_short_and_works(catalogues_as_before):
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    blocks = [(page[: found.start()].count("\n") + 1, found[1]) for found in re.finditer(r"```python\n(.*?)```", page, re.DOTALL)]
    assert len(blocks) >= 15
    names = {}
    for line, block in blocks:
        assert block.count("\n") <= 40, f"the example in line {line} is no short one"
        # Blank lines in front, so that an error shows the line of the page.
        exec(compile("\n" * line + block, "docs/extending.md", "exec"), names)
    anchors = set(re.findall(r"\]\(#([\w-]+)\)", page))
    titles = {title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    assert anchors == titles
