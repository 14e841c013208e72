"""The notebooks of the course have one form, and symbols that the glossary knows."""

import ast
import io
import re
from base64 import b64decode
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbconvert import HTMLExporter

from sketchlab import exercises

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "docs" / "solutions").glob("*.ipynb"))
# Named as nbval names their cells: conftest.py has both run by one worker.
LESSON = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.relative_to(ROOT).as_posix())
ALL = pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda path: path.relative_to(ROOT).as_posix())

GREEK = dict(
    pair.split(":")
    for pair in (
        "α:alpha β:beta γ:gamma δ:delta ε:varepsilon ζ:zeta η:eta θ:theta κ:kappa λ:lambda μ:mu ν:nu ξ:xi π:pi ρ:rho σ:sigma "
        "τ:tau φ:varphi χ:chi ψ:psi ω:omega Γ:Gamma Δ:Delta Θ:Theta Λ:Lambda Π:Pi Σ:Sigma Φ:Phi Ψ:Psi Ω:Omega"
    ).split()
)
#: Other ways to write the same letter.
VARIANTS = {"epsilon": "varepsilon", "phi": "varphi"}


def read(path):
    return nbformat.read(path, as_version=4)


def words(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def code(notebook):
    return [ast.parse(cell.source) for cell in notebook.cells if cell.cell_type == "code"]


def calls(notebook, name):
    """Return the calls in a notebook whose dotted name matches a pattern."""
    found = [node for tree in code(notebook) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node for node in found if re.fullmatch(name, ast.unparse(node.func))]


def checks(notebook):
    return {node.func.attr for node in calls(notebook, r"sl\.exercises\.check_\w+")}


def test_the_course_is_complete():
    assert [path.stem for path in NOTEBOOKS] == [
        "00_start_here",
        "01_pinns_and_gradients",
        "02_natural_gradient",
        "03_the_spectrum",
        "04_sketching",
        "05_the_race",
        "06_a_million_parameters",
        "07_your_own_equation",
    ]
    assert [path.name for path in SOLUTIONS] == [path.name for path in NOTEBOOKS]


@LESSON
def test_a_lesson_opens_and_closes(path):
    texts = words(read(path))
    assert texts[0].startswith("# ")
    for word in ("**Objectives**", "**Prerequisites**"):
        assert word in texts[0]
    assert re.search(r"\*\*Minutes\*\*\W+\d+", texts[0])
    take_aways, questions = texts[-1].split("## Three further questions")
    assert 3 <= len(re.findall(r"^- ", take_aways.split("## Take-aways")[1], re.MULTILINE)) <= 5
    assert re.findall(r"^(\d)\. ", questions, re.MULTILINE) == ["1", "2", "3"]


@LESSON
def test_a_lesson_asks_for_predictions_and_answers_them(path):
    notebook = read(path)
    asked, answered = calls(notebook, r"sl\.explore\.predict"), calls(notebook, r"\w+\.reveal")
    assert len(asked) >= 2 and len(answered) == len(asked)
    for question in asked:
        assert ast.literal_eval(question.args[0])
    # "Choose above and run this cell again" needs a name for each.
    names = [ast.unparse(node.func.value) for node in answered]
    assert len(set(names)) == len(names)
    # The option that is right is computed by the experiment.
    assert not [node for node in answered if isinstance(node.args[0], ast.Constant)]


@LESSON
def test_exercises_are_left_to_the_reader_and_solved_elsewhere(path):
    notebook, number = read(path), path.stem[:2]
    functions = [node for tree in code(notebook) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    undone = [node for node in functions if ast.unparse(node.body[-1]) == "raise NotImplementedError"]
    assert 2 <= len(undone) <= 4
    assert all(ast.get_docstring(node) and len(node.body) == 2 for node in undone)
    asked = checks(notebook)
    assert asked == {name for name in dir(exercises) if name.startswith(f"check_{number}_")} and len(asked) == len(undone)
    assert checks(read(ROOT / "docs" / "solutions" / path.name)) == asked


@ALL
def test_every_picture_has_words(path):
    notebook = read(path)
    for node in calls(notebook, r"sl\.explore\.show"):
        given = {keyword.arg for keyword in node.keywords}
        assert {"alt", "caption"} <= given, ast.unparse(node)
    assert not calls(notebook, r"plt\.show")


def symbols(text):
    """Return the letters of the formulas in a text, and the Greek ones outside of them."""
    formulas = re.findall(r"\$\$(.+?)\$\$|\$(.+?)\$", text, re.DOTALL)
    found = set()
    for formula in (a or b for a, b in formulas):
        formula = re.sub(r"\\(text|mathrm|operatorname|mathtt|texttt)\{[^}]*\}", " ", formula)
        found |= {VARIANTS.get(name, name) for name in re.findall(r"\\([A-Za-z]+)", formula)} & set(GREEK.values())
        formula = re.sub(r"\\[A-Za-z]+", " ", formula)
        found |= set(re.findall(r"[A-Za-z]", formula)) | {GREEK[letter] for letter in formula if letter in GREEK}
    prose = re.sub(r"\$.+?\$|`[^`]*`", " ", text, flags=re.DOTALL)
    return found | {GREEK[letter] for letter in prose if letter in GREEK}


def glossary():
    """Return the symbols of all notebooks, and those of some with their numbers."""
    text = (ROOT / "notebooks" / "GLOSSARY.md").read_text(encoding="utf-8").split("## Terms")[0]
    general, special = text.split("## Symbols of single notebooks")
    rows = re.findall(r"^\| (\$.+?) \| ([0-9, ]+) \| .+ \|$", special, re.MULTILINE)
    return re.findall(r"^\| (\$.+?) \| .+ \|$", general, re.MULTILINE), [(symbol, where.split(", ")) for symbol, where in rows]


def test_symbols_are_found():
    assert symbols(r"$\theta_i + \mathrm{d}x$ and `a` and λ") == {"theta", "i", "x", "lambda"}


@ALL
def test_every_symbol_is_in_the_glossary(path):
    general, special = glossary()
    here = [symbol for symbol, where in special if path.stem[:2] in where]
    known = set().union(*map(symbols, general + here))
    used = set().union(*map(symbols, words(read(path))))
    assert used <= known, f"not in GLOSSARY.md: {sorted(used - known)}"


def test_every_symbol_of_the_glossary_is_used():
    general, special = glossary()
    used = {path.stem[:2]: set().union(*map(symbols, words(read(path)))) for path in NOTEBOOKS}
    for path in SOLUTIONS:
        used[path.stem[:2]] |= set().union(*map(symbols, words(read(path))))
    assert len(general) > 15 and len(special) > 15
    assert not [symbol for symbol in general if not symbols(symbol) <= set().union(*used.values())]
    assert not [(symbol, n) for symbol, where in special for n in where if not symbols(symbol) <= used[n]]


@pytest.mark.printed
@ALL
def test_a_notebook_says_nothing_on_standard_error(path, executed):
    outputs = [output for cell in executed(path).cells for output in cell.get("outputs", [])]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]


@pytest.mark.printed
@LESSON
def test_a_notebook_prints(path, executed):
    page, _ = HTMLExporter().from_notebook_node(executed(path))
    assert re.search(r"<h1[^>]*>", page) and "jp-OutputArea" in page
    picture = re.search(r'<img[^>]*alt="([^"]{20,})"[^>]*src="data:image/png;base64,([^"]+)"', page)
    assert picture, "no picture with words"
    pixels = plt.imread(io.BytesIO(b64decode(picture[2])))
    assert pixels.shape[0] > 200 and pixels.shape[1] > 400
    ink = np.mean(np.abs(pixels[..., :3] - 1).max(axis=-1) > 0.1)
    assert 0.005 < ink < 0.995, "a blank picture"
