"""One JupyterLab for all browser tests, and a fresh page with a fresh notebook for each."""

import importlib.util
import shutil
from pathlib import Path

import nbformat
import pytest

from benchmarks import browser

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"


def pytest_collection_modifyitems(items):
    """Skip what needs a browser where there is none, and say so."""
    reason = None
    if importlib.util.find_spec("playwright") is None:
        reason = "needs playwright: pip install -e '.[browser]'"
    elif browser.CHROMIUM is None:
        reason = "needs Chromium: apt-get install chromium"
    for item in items:
        if reason and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("notebooks")
    shutil.copy(NOTEBOOKS / "00_start_here.ipynb", path)
    return path


@pytest.fixture(scope="session")
def server(folder, tmp_path_factory):
    """Address of a JupyterLab."""
    scratch = tmp_path_factory.mktemp("scratch")
    environment = {"SKETCHLAB_FAST": "1", "XDG_CACHE_HOME": str(scratch / "cache")}
    with browser.jupyterlab(folder, scratch, environment) as address:
        yield address


@pytest.fixture
def lab(server):
    """Address of a JupyterLab whose kernels end with the test: else they would go on computing beside the next one."""
    yield server
    browser.shut_down_kernels(server)


@pytest.fixture
def page():
    # Tall enough for every explorer whole.
    with browser.chromium_page((1360, 1500)) as made:
        yield made


@pytest.fixture
def notebook(lab, folder, page, request):
    """Open a notebook of these cells; returns the page after they have run without an error."""

    def make(*cells):
        name = f"{request.node.name}.ipynb"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
        book.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(book, folder / name)
        browser.open_notebook(page, lab, name)
        assert browser.run_all(page)
        return page

    return make
