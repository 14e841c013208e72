"""One run of tests and notebooks: notebooks once, on two workers or one, and the names that examples find imported."""

import os
import re

import jaxlib.version
import pytest

#: Set-up is not a module with examples.
collect_ignore = ["tests/conftest.py", "tests/browser/conftest.py"]

EXECUTED = pytest.StashKey[dict]()


def pytest_configure(config):
    config.addinivalue_line("markers", "printed: looks at the notebooks that nbval has run in this session")
    config.stash[EXECUTED] = {}
    # Half of the time of a quick compilation. jaxlib 0.11 has no such flag, and ends a process that sets it.
    flags, emitters = os.environ.get("XLA_FLAGS", ""), "--xla_cpu_use_fusion_emitters=false"
    if os.environ.get("SKETCHLAB_FAST") and jaxlib.version.__version_info__ < (0, 11) and emitters not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {emitters}"


def pytest_collection_modifyitems(items):
    """Put the tests that look at printed notebooks behind all cells."""
    items.sort(key=lambda item: item.get_closest_marker("printed") is not None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Run a file on one worker, in its order, and a notebook's cells where the tests run that are named after the notebook."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            notebook = re.search(r"(notebooks|docs/solutions)/\w+\.ipynb", nodeid)
            return notebook[0] if notebook else nodeid.partition("::")[0]

    return ByFile(config, log)


def pytest_runtest_teardown(item):
    """Keep the outputs of a cell that nbval has run."""
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


@pytest.fixture(scope="session", autouse=True)
def names_in_examples(doctest_namespace):
    """Let the examples in docstrings find these names imported, and 64-bit numbers switched on."""
    import jax
    import numpy as np

    import sketchlab as sl

    jax.config.update("jax_enable_x64", True)
    doctest_namespace |= {"sl": sl, "jax": jax, "jnp": jax.numpy, "np": np}
