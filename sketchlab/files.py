"""Files that appear whole or not at all."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import psutil

from sketchlab.validation import InputError


def as_path(path) -> Path:
    """Return a path as one of `pathlib`, with ~ as the folder that it stands for, or raise `InputError` if it is none."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise InputError(f"{path!r:.100} is no name of a file: write it as text, as 'run.npz'.")
    return Path(path).expanduser()


@contextlib.contextmanager
def replacing(path) -> Iterator[Path]:
    """Give a path beside `path` to write to; put what was written in its place when all went well, and remove it otherwise.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    path = as_path(path)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        _remove_partials(path)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror}. Name a folder that exists and is yours.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _remove_partials(path):
    """Remove what processes that were killed while they wrote have left beside `path`."""
    for other in path.parent.iterdir():
        written_by = re.fullmatch(rf"\.(\d+)\.{re.escape(path.name)}", other.name)
        if written_by and not psutil.pid_exists(int(written_by[1])):
            with contextlib.suppress(OSError):  # Those of another user stay.
                other.unlink()
