"""Compiled functions are kept on disk, so that what was compiled once is there at once in the next session."""

import os
from pathlib import Path

import jax
import platformdirs

#: Set this variable to "off" to keep nothing.
SWITCH = "SKETCHLAB_CACHE"
#: Bytes that the folder may take; beyond, what was not used for longest is removed.
LIMIT = 2**28


def folder() -> Path:
    """Return the folder of the user's cache that compiled functions are kept in."""
    return Path(platformdirs.user_cache_dir("sketchlab")) / "compiled"


def remove_unfinished(folder: Path) -> None:
    """Remove entries without a time stamp, which is written last: those of a killed process, of which JAX complains."""
    for entry in folder.glob("*-cache"):
        if not entry.with_name(entry.name.removesuffix("-cache") + "-atime").exists():
            entry.unlink(missing_ok=True)


def keep_compiled_functions() -> bool:
    """Let JAX keep compiled functions in `folder`; return whether it does.

    It does not with ``SKETCHLAB_CACHE=off``, where JAX has been given a folder already, or where this one cannot be written. The
    folder holds code that will be run: it is made for the user alone.
    """
    if os.environ.get(SWITCH, "").lower() == "off":
        return False
    if jax.config.jax_compilation_cache_dir is not None:
        return jax.config.jax_compilation_cache_dir == str(folder())
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        # What is kept only saves time, and a home that cannot be written is no reason to do without an explorer.
        return False
    if not os.access(folder(), os.W_OK):
        return False
    remove_unfinished(folder())
    jax.config.update("jax_compilation_cache_max_size", LIMIT)
    # Even small functions take longer to compile than to read.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_compilation_cache_dir", str(folder()))
    return True
