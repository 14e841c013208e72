"""What nbval has run is kept with its outputs, for the tests that look at printed notebooks: they come last."""

import pytest

EXECUTED = pytest.StashKey[dict]()


def pytest_configure(config):
    config.addinivalue_line("markers", "printed: looks at the notebooks that nbval has run in this session")
    config.stash[EXECUTED] = {}


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("printed") is not None)


def pytest_runtest_teardown(item):
    if (outputs := getattr(item, "test_outputs", None)) is not None:
        item.cell.outputs = outputs
        item.config.stash[EXECUTED][item.path] = item.parent.nb


@pytest.fixture(scope="session")
def executed(request):
    """Return a function that returns a notebook of a path with its outputs, running it if nbval has not."""

    def of(path):
        notebooks = request.config.stash[EXECUTED]
        if path not in notebooks:
            import nbformat
            from nbclient import NotebookClient

            notebook = nbformat.read(path, as_version=4)
            NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
            notebooks[path] = notebook
        return notebooks[path]

    return of
