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


def open_lab(options: Sequence[str]) -> int:
    """Open the notebooks in JupyterLab, with options for it; return its exit status."""
    # In a container one often is root, and Jupyter asks to be told that this is meant.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return _become("jupyterlab", "lab", *root, *options)


def serve_app(options: Sequence[str]) -> int:
    """Serve the start notebook as a page by Voila, with options for it; return its exit status."""
    # A kernel whose page has gone is ended after a while, for Voila's own way to end it is refused by current servers.
    cull = ["--MappingKernelManager.cull_interval=30", "--MappingKernelManager.cull_idle_timeout=120"]
    return _become("voila", "app", *cull, "--show_tracebacks=True", "--progressive_rendering=True", *options)


def notebooks() -> Path:
    """Find the notebooks: where they are in a checkout; else a copy in the current folder, for editing."""
    package = Path(__file__).parent
    checkout = package.parent / "notebooks"
    if (checkout / START).exists():
        return checkout
    copy = Path.cwd() / "sketchlab-notebooks"
    if not copy.exists():
        shutil.copytree(package / "notebooks", copy)
    return copy


def _become(module, extra, *arguments):
    """Run a module on the start notebook in place of this process, so that signals reach it and nothing else has to be ended."""
    if importlib.util.find_spec(module) is None:
        raise InputError(f'{module} is not installed: run pip install "sketchlab[{extra}]".')
    command = [sys.executable, "-m", module, str(notebooks() / START), *arguments]
    if os.name == "posix":
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode
