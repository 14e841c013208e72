"""The pages under docs/ show what the script draws, and say it in words too."""

import importlib.util
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import sketchlab as sl

DOCS = Path(__file__).parent.parent / "docs"
specification = importlib.util.spec_from_file_location("make_figures", DOCS / "make_figures.py")
make_figures = importlib.util.module_from_spec(specification)
specification.loader.exec_module(make_figures)


def test_every_figure_is_drawn_shown_and_described():
    page = "".join((DOCS / f"{name}.md").read_text() for name in ("spectra", "equations"))
    shown = dict(re.findall(r"!\[([^\]]*)\]\(figures/(\w+)\.png\)", page))
    assert sorted(shown.values()) == sorted(make_figures.FIGURES)
    assert min(map(len, shown)) > 40
    for name in make_figures.FIGURES:
        assert (DOCS / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("page", ["docs/explorers.md", "README.md"])
def test_pictures_are_there_and_described(page):
    path = DOCS.parent / page
    shown = dict(re.findall(r"!\[([^\]]*)\]\(([^)]+\.png)\)", path.read_text()))
    assert shown and min(map(len, shown)) > 40
    for picture in shown.values():
        assert (path.parent / picture).read_bytes().startswith(b"\x89PNG")


def test_every_explorer_is_described():
    page = (DOCS / "explorers.md").read_text()
    for name in sl.explore.EXPLORERS:
        assert f"sl.explore.{name}(" in page and f"figures/explorer-{name}.png" in page


def test_the_script_draws_a_figure_into_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(make_figures, "FOLDER", tmp_path / "figures")
    monkeypatch.setattr("sys.argv", ["make_figures.py", "decay_bound"])
    make_figures.main()
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["decay_bound.png"]
    assert plt.get_fignums() == []
    monkeypatch.setattr("sys.argv", ["make_figures.py", "decay"])
    with pytest.raises(SystemExit, match="unknown figure 'decay'"):
        make_figures.main()


def test_every_equation_is_described_as_its_recipe_does():
    page = (DOCS / "equations.md").read_text().replace("∣", "|")
    for name, make in sl.PROBLEMS.items():
        problem = make()
        assert f"| `{name}` | {problem.equation} | {problem.recipe.why or 'An MLP'}" in page
