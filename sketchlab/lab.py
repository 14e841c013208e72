"""The notebooks: where they are, and the programs that open them."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sketchlab.validation import InputError

START = "00_start_here.ipynb"
#: Where people work.
WORK = "my-notebooks"


def open_lab(options: Sequence[str]) -> int:
    """Open a copy of the notebooks in JupyterLab, with options for it; return its exit status."""
    # In a container one often is root, and Jupyter asks to be told that this is meant.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    # The notebook alone, without side bars, and without a question about news that covers it: the folder has that setting.
    settings = Path(__file__).parent / "jupyterlab"
    place = [f"--ServerApp.root_dir={working_copy()}", f"--LabApp.default_url=/doc/tree/{START}"]
    page = [*place, f"--LabApp.app_settings_dir={settings}"]
    return _become("jupyterlab", "lab", *root, *page, *options)


def serve_app(options: Sequence[str]) -> int:
    """Serve explorers as a page without code by Voila, with options for it; return its exit status."""
    # A kernel whose page has gone is ended after a while, for Voila's own way to end it is refused by current servers.
    cull = ["--MappingKernelManager.cull_interval=30", "--MappingKernelManager.cull_idle_timeout=120"]
    page = Path(__file__).parent / "explore" / "static" / "page.ipynb"
    shown = [str(page), "--show_tracebacks=True", "--progressive_rendering=True"]
    return _become("voila", "app", *shown, *cull, *options)


def notebooks() -> Path:
    """Find the notebooks as they came: in a checkout, or in the package."""
    package = Path(__file__).parent
    checkout = package.parent / "notebooks"
    return checkout if (checkout / START).exists() else package / "notebooks"


def working_copy() -> Path:
    """Return a folder below the current one in which to work: what is in it stays as it is, and what is missing is copied there.

    So a notebook that was saved changes no file that came, and an update does not conflict with it. Solutions are not copied.
    """
    source, copy = notebooks(), Path.cwd() / WORK
    for file in sorted(source.iterdir()):
        if file.is_file() and not (copy / file.name).exists():
            copy.mkdir(exist_ok=True)
            shutil.copy(file, copy)
    return copy


def _become(module, extra, *arguments):
    """Run a module in place of this process, so that signals reach it and nothing else has to be ended."""
    if importlib.util.find_spec(module) is None:
        raise InputError(f'{module} is not installed: run pip install "sketchlab[{extra}]".')
    command = [sys.executable, "-m", module, *arguments]
    if os.name == "posix":
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode
