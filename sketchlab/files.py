"""Files that appear whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sketchlab.validation import InputError


@contextlib.contextmanager
def replacing(path) -> Iterator[Path]:
    """Give a path beside `path` to write to; put what was written in its place when all went well, and remove it otherwise.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror}. Name a folder that exists and is yours.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
