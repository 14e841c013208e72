"""Files that explorers write: into the folder of the notebook, or to the visitor of a page that Voila serves."""

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sketchlab.explore.page import Page, served
from sketchlab.files import replacing


def file_called(path, ending: str, name: str) -> Path:
    """Give a path the ending of a file, or make a new one after `name`."""
    new = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() // 10**6 % 1000:03d}"
    path = new if path is None else re.sub(r"\.(png|pdf|npz)$", "", str(path))
    return Path(f"{path}.{ending}").expanduser()


def keep(file: Path, write: Callable[[Path], None], page: Page) -> None:
    """Let a function write a file, whole or not at all; on a served page the visitor's browser saves it, and not the server."""
    if served():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file.name
            write(path)
            page.send({"name": file.name}, buffers=[path.read_bytes()])
        return
    with replacing(file) as partial:
        write(partial)
